//! The table of codecs that a gateway is built with. What a codec does is not known here.

use waystation_core::{Codec, DialectId};

/// The codecs that this gateway was built with, by dialect. Few, so they are searched one by one.
///
/// ```
/// use waystation_gateway::Codecs;
///
/// let codecs = Codecs::of(waystation_providers::DIALECTS);
/// assert!(codecs.get(&"openai-chat".parse()?).is_some());
/// assert!(codecs.get(&"telegraph".parse()?).is_none());
/// # Ok::<(), waystation_core::ParseNameError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Codecs {
    dialects: Vec<DialectId>,
    codecs: Vec<&'static dyn Codec>,
}

// === impl Codecs ===

impl Codecs {
    /// A table of codecs; ids that are no dialect names are left out.
    #[must_use]
    pub fn of(table: &[(&str, &'static dyn Codec)]) -> Self {
        let mut codecs = Self::default();
        for (id, codec) in table {
            if let Ok(id) = id.parse() {
                codecs.dialects.push(id);
                codecs.codecs.push(*codec);
            }
        }
        codecs
    }

    /// The dialects.
    #[must_use]
    pub fn dialects(&self) -> &[DialectId] {
        &self.dialects
    }

    /// The codec of `dialect`.
    #[must_use]
    pub fn get(&self, dialect: &DialectId) -> Option<&'static dyn Codec> {
        let at = self.dialects.iter().position(|known| known == dialect)?;
        self.codecs.get(at).copied()
    }
}
