//! Model ids: what a client may write where a model is wanted.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::PresetSlug;

/// The longest model id in bytes.
const MAX_MODEL_ID: usize = 256;

/// A catalogue row's id, `author/slug[:variant]`, in lower case.
///
/// Characters are an allow-list, since ids end up in the URLs of some upstreams: letters, digits
/// and `- _ . : / @ +`, no empty or dotted path segment. Source: API contract, section 4.1.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(Arc<str>);

/// How a suffix sorts the endpoints of its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SortShortcut {
    /// `:nitro`: highest throughput first, priority tiers admitted.
    Nitro,
    /// `:floor`: lowest price first, flex tiers admitted.
    Floor,
    /// `:exacto`: best tool-call quality first.
    Exacto,
}

/// A model as a client spells it: `[~]author/slug[:variant]`, then routing suffixes in any order,
/// then a preset.
///
/// `:nitro`, `:floor` and `:exacto` say *how to route*, `:online` turns search on: they are split
/// off here. Any other suffix (`:free`, `:extended`) names a different catalogue row and stays in
/// the name. `Display` is canonical: parsing what it prints gives an equal value.
///
/// ```
/// use waystation_core::{ModelRef, SortShortcut};
///
/// let model: ModelRef = "openai/gpt-5.4:online:nitro".parse()?;
/// assert_eq!(model.sort, Some(SortShortcut::Nitro));
/// assert_eq!(model.to_string(), "openai/gpt-5.4:nitro:online");
/// # Ok::<(), waystation_core::ParseModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelRef {
    /// `~author/family-latest`: the newest of a family.
    pub latest: bool,
    /// The row; `None` for a bare `@preset/name`, whose preset names the model.
    pub name: Option<ModelId>,
    /// The sorting suffix.
    pub sort: Option<SortShortcut>,
    /// `:online`.
    pub online: bool,
    /// `@preset/name`.
    pub preset: Option<PresetSlug>,
}

/// Why a string is not a model id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseModelError {
    /// Two suffixes that both sort.
    #[error("`:{0}` and `:{1}` both sort; use one")]
    TwoSorts(SortShortcut, SortShortcut),
    /// Nothing is left of the id, or a segment of it is empty or dots only.
    #[error("expected a model id such as `author/model`, found {0:?}")]
    Empty(String),
    /// A character outside the allow-list.
    #[error("{found:?} at byte {at} cannot appear in a model id")]
    BadChar {
        /// The character.
        found: char,
        /// Its offset in the name.
        at: usize,
    },
    /// Longer than any model id.
    #[error("a model id has at most {MAX_MODEL_ID} bytes, found {0}")]
    TooLong(usize),
    /// What follows `@preset/` is not a preset name.
    #[error("expected a preset name after `@preset/`, found {0:?}")]
    Preset(String),
}

/// What a byte is in a model id, a bit for each.
const SOLID: u8 = 1;
const UPPER: u8 = 2;
const DOT: u8 = 4;
const SEPARATOR: u8 = 8;
const OTHER: u8 = 16;

/// The class of each byte: a table, since ids are read several times for each request.
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(
            clippy::indexing_slicing,
            reason = "checked by the compiler: this runs at build"
        )]
        {
            classes[byte as usize] = match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'@' | b'+' => SOLID,
                b'A'..=b'Z' => UPPER,
                b'.' => DOT,
                b'/' | b':' => SEPARATOR,
                _ => OTHER,
            };
        }
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(OTHER)
}

// === impl ModelId ===

impl ModelId {
    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first `/`: `anthropic` of `anthropic/claude-sonnet-4.6`; empty for
    /// an id without an author.
    #[must_use]
    pub fn author(&self) -> &str {
        self.0.split_once('/').map_or("", |(author, _)| author)
    }

    /// What stands behind the first `/`, the variant included.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, slug)| slug)
    }

    /// The static variant, `free` of `x/y:free`.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.0.rsplit_once(':').map(|(_, variant)| variant)
    }

    /// The id without its static variant.
    #[must_use]
    pub fn base(&self) -> Self {
        self.0
            .rsplit_once(':')
            .map_or_else(|| self.clone(), |(base, _)| Self(base.into()))
    }
}

impl FromStr for ModelId {
    type Err = ParseModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_MODEL_ID {
            return Err(ParseModelError::TooLong(text.len()));
        }
        // Of the segment under way, and of any before it: nothing but dots.
        let (mut dots, mut empty, mut seen) = (true, false, 0);
        for byte in text.bytes() {
            let class = class(byte);
            seen |= class;
            let ends = class & SEPARATOR != 0;
            empty |= ends && dots;
            dots = ends || (dots && class & DOT != 0);
        }
        if seen & OTHER != 0 {
            let class = |found: char| u8::try_from(found).map_or(OTHER, class);
            let other = |found: &(usize, char)| class(found.1) == OTHER;
            let (at, found) = text.char_indices().find(other).unwrap_or_default();
            return Err(ParseModelError::BadChar { found, at });
        }
        if dots || empty {
            return Err(ParseModelError::Empty(text.into()));
        }
        if seen & UPPER != 0 {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for ModelId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for ModelId {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl serde::Serialize for ModelId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ModelId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

// === impl ModelRef ===

impl ModelRef {
    /// A reference without suffixes.
    #[must_use]
    pub const fn of(name: ModelId) -> Self {
        Self {
            latest: false,
            name: Some(name),
            sort: None,
            online: false,
            preset: None,
        }
    }
}

impl FromStr for ModelRef {
    type Err = ParseModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Nearly always it is a name and nothing more.
        let plain = |byte| !matches!(byte, b':' | b'@' | b'~') && class(byte) != OTHER;
        if text.bytes().all(plain) {
            return text.parse().map(Self::of);
        }
        let text = text.trim();
        let (text, preset, mut suffixes) = split_preset(text)?;
        let (text, latest) = match text.strip_prefix('~') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let mut name = text;
        while let Some((head, tail)) = name.rsplit_once(':') {
            if !suffixes.take(tail)? {
                break;
            }
            name = head;
        }
        let name = match (name.is_empty(), &preset) {
            (true, Some(_)) if !latest => None,
            _ => Some(name.parse()?),
        };
        Ok(Self {
            latest,
            name,
            sort: suffixes.sort,
            online: suffixes.online,
            preset,
        })
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.latest {
            f.write_str("~")?;
        }
        if let Some(name) = &self.name {
            f.write_str(name.as_str())?;
        }
        if let Some(sort) = self.sort {
            write!(f, ":{sort}")?;
        }
        if self.online {
            f.write_str(":online")?;
        }
        if let Some(preset) = &self.preset {
            write!(f, "@preset/{preset}")?;
        }
        Ok(())
    }
}

/// What stands before `@preset/name`, the preset, and the routing suffixes behind it, which are
/// those of its model.
fn split_preset(text: &str) -> Result<(&str, Option<PresetSlug>, Suffixes), ParseModelError> {
    let mut suffixes = Suffixes::default();
    // Looking for the one character is cheaper, and most ids have none.
    let preset = text.contains('@').then(|| text.split_once("@preset/"));
    let Some((head, tail)) = preset.flatten() else {
        return Ok((text, None, suffixes));
    };
    let mut parts = tail.split(':');
    let wrong = || ParseModelError::Preset(tail.into());
    let name = parts.next().unwrap_or_default();
    let preset = name.parse().map_err(|_| wrong())?;
    for suffix in parts {
        if !suffixes.take(suffix)? {
            return Err(wrong());
        }
    }
    Ok((head, Some(preset), suffixes))
}

#[derive(Default)]
struct Suffixes {
    sort: Option<SortShortcut>,
    online: bool,
}

impl Suffixes {
    /// Takes `suffix` when it is a routing one; `false` when it belongs to the name.
    fn take(&mut self, suffix: &str) -> Result<bool, ParseModelError> {
        if suffix.eq_ignore_ascii_case("online") {
            self.online = true;
            return Ok(true);
        }
        let sorts = [
            ("nitro", SortShortcut::Nitro),
            ("floor", SortShortcut::Floor),
            ("exacto", SortShortcut::Exacto),
        ];
        let named = |(name, _): &&(&str, SortShortcut)| suffix.eq_ignore_ascii_case(name);
        let Some((_, sort)) = sorts.iter().find(named) else {
            return Ok(false);
        };
        let sort = *sort;
        match self.sort.replace(sort) {
            Some(later) if later != sort => Err(ParseModelError::TwoSorts(sort, later)),
            _ => Ok(true),
        }
    }
}

impl fmt::Display for SortShortcut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nitro => "nitro",
            Self::Floor => "floor",
            Self::Exacto => "exacto",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn routing_suffixes_are_split_off_and_static_ones_stay() {
        let parse = |text: &str| text.parse::<ModelRef>().unwrap();
        let model = parse("X-AI/Grok-4.20:free:online:floor");
        assert_eq!(model.name.as_ref().unwrap().as_str(), "x-ai/grok-4.20:free");
        assert_eq!(
            (model.sort, model.online),
            (Some(SortShortcut::Floor), true)
        );
        assert!(parse("~anthropic/claude-opus-latest").latest);
        assert_eq!(
            parse("a/b@preset/careful").preset.unwrap().as_str(),
            "careful"
        );
        assert_eq!(parse("@preset/careful").name, None);
        let fast = parse("@preset/careful:nitro");
        assert_eq!((fast.name, fast.sort), (None, Some(SortShortcut::Nitro)));
        assert_eq!(
            parse("a/b@preset/careful:floor"),
            parse("a/b:floor@preset/careful")
        );
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        let refuse = |text: &str| text.parse::<ModelRef>().unwrap_err().to_string();
        assert_eq!(
            refuse("a/b:nitro:floor"),
            "`:nitro` and `:floor` both sort; use one"
        );
        assert_eq!(refuse("a/b c"), "' ' at byte 3 cannot appear in a model id");
        assert_eq!(refuse("a/é."), "'é' at byte 2 cannot appear in a model id");
        assert!(refuse("").contains("expected a model id"));
        assert!(refuse("a/../b").contains("expected a model id"));
        assert!(refuse("a/b@preset/").contains("preset name"));
        assert!(refuse("@preset/careful:zzz").contains("preset name"));
        assert!(refuse("a/b:nitro@preset/careful:floor").contains("both sort"));
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(text in "~?[a-z]{1,5}/[a-z0-9.-]{1,8}[a-z](:free)?(:nitro|:floor)?(:online)?(@preset/[a-z]{1,4})?") {
            let model: ModelRef = text.parse().unwrap();
            prop_assert_eq!(model.to_string().parse::<ModelRef>().unwrap(), model);
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<ModelRef>();
        }
    }
}
