//! The small names of the field, one newtype each: a private field, [`FromStr`] the only door,
//! `Display` its exact inverse, `Deserialize` through `FromStr`.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// Why a text is not a name of the wanted sort.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseNameError {
    /// There is no text.
    #[error("expected a {what}, found nothing")]
    Empty {
        /// Which sort of name.
        what: &'static str,
    },
    /// A character that the name may not hold.
    #[error("a {what} cannot hold {found:?} (byte {at} of {text:?})")]
    BadChar {
        /// Which sort of name.
        what: &'static str,
        /// The character.
        found: char,
        /// Its offset.
        at: usize,
        /// The whole text.
        text: String,
    },
    /// The text is longer than any such name.
    #[error("a {what} has at most {max} bytes, found {found}")]
    TooLong {
        /// Which sort of name.
        what: &'static str,
        /// The limit in bytes.
        max: usize,
        /// The length found.
        found: usize,
    },
}

/// The longest name of any sort, in bytes: far above every real one, small enough to log.
const MAX_NAME: usize = 256;

fn check(text: &str, what: &'static str, legal: fn(char) -> bool) -> Result<(), ParseNameError> {
    if text.is_empty() {
        return Err(ParseNameError::Empty { what });
    }
    if text.len() > MAX_NAME {
        return Err(ParseNameError::TooLong {
            what,
            max: MAX_NAME,
            found: text.len(),
        });
    }
    match text.char_indices().find(|(_, found)| !legal(*found)) {
        Some((at, found)) => Err(ParseNameError::BadChar {
            what,
            found,
            at,
            text: text.into(),
        }),
        None => Ok(()),
    }
}

const fn slug(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')
}

const fn tag(c: char) -> bool {
    slug(c) || c == '/'
}

const fn id(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '?' | '#' | '%' | '<' | '>')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $legal:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                check(text, $what, $legal)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<$name> for Arc<str> {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// A provider as routing names it: `openai`, `google-vertex`, `my-vllm`.
    ///
    /// Lower-case letters, digits, `-`, `_` and `.`; display names are matched to slugs by the
    /// catalogue. Source: API contract, section 3.2.
    ProviderSlug, "provider slug", slug
}

name! {
    /// An endpoint among those of its model: the provider slug, or `slug/variant`
    /// (`deepinfra/turbo`, `google-vertex/us-east5`).
    Tag, "endpoint tag", tag
}

name! {
    /// A wire dialect: `openai-chat`, `anthropic-messages`, and so on.
    DialectId, "dialect", slug
}

name! {
    /// A plugin as requests name it: `web`, `file-parser`.
    PluginId, "plugin id", slug
}

name! {
    /// A preset's slug, as in `@preset/careful`.
    PresetSlug, "preset", slug
}

name! {
    /// One credential of a provider, by its name in the config; never the secret itself.
    CredentialId, "credential name", id
}

// === impl PluginId ===

impl PluginId {
    /// A plugin's own name, as its source spells it. What no name may hold becomes `-`, so that this
    /// cannot fail.
    ///
    /// ```
    /// use waystation_core::PluginId;
    /// assert_eq!(PluginId::from_static("response-healing"), "response-healing");
    /// ```
    #[must_use]
    pub fn from_static(name: &'static str) -> Self {
        let legal = |c| if slug(c) { c } else { '-' };
        Self(name.chars().map(legal).collect::<String>().into())
    }
}

/// One way to reach one model, as `model|tag`. Health, stickiness and breakers are keyed by it, so
/// it is a string that survives reloads, never an index.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(Arc<str>);

// === impl EndpointId ===

impl EndpointId {
    /// Joins a model id and a tag.
    #[must_use]
    pub fn new(model: &crate::ModelId, tag: &Tag) -> Self {
        Self(format!("{model}|{tag}").into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for EndpointId {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text, "endpoint id", id)?;
        Ok(Self(text.into()))
    }
}

/// One answer's id, `gen-` and 26 letters or digits: a millisecond time and 80 bits of chance, so
/// that ids sort by age.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenerationId(Arc<str>);

// === impl GenerationId ===

impl GenerationId {
    /// Makes an id from the wall time in milliseconds and a random number.
    #[must_use]
    pub fn new(unix_ms: u64, chance: u128) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut number = (u128::from(unix_ms) << 80) | (chance & ((1 << 80) - 1));
        let mut text = *b"gen-00000000000000000000000000";
        let (_, digits) = text.split_at_mut("gen-".len());
        // Twelve digits at a time, which fit into a word.
        for digits in digits.rchunks_mut(12) {
            let mut word = u64::try_from(number & ((1 << 60) - 1)).unwrap_or_default();
            number >>= 60;
            for place in digits.iter_mut().rev() {
                let digit = usize::try_from(word & 31).unwrap_or_default();
                *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
                word >>= 5;
            }
        }
        // All of it is of the alphabet.
        Self(std::str::from_utf8(&text).unwrap_or_default().into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for GenerationId {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text, "generation id", id)?;
        Ok(Self(text.into()))
    }
}

/// The known name nearest to `found`, when one is near enough to be what was meant.
///
/// Near means a Damerau-Levenshtein distance of at most a third of the length (case ignored), or
/// that one contains the other's letters as a whole. Linear in the number of names.
///
/// ```
/// use waystation_core::nearest;
/// assert_eq!(nearest("requre_parameters", ["require_parameters", "order"]), Some("require_parameters"));
/// assert_eq!(nearest("zzz", ["require_parameters", "order"]), None);
/// ```
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = found.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&folded, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| *distance * 3 <= found.len().max(name.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_could_escape_a_url() {
        for bad in ["", "open ai", "a/b", "Open", "a?b", "../x", "a\nb"] {
            assert!(bad.parse::<ProviderSlug>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "my-vllm_2.0".parse::<ProviderSlug>().unwrap().as_str(),
            "my-vllm_2.0"
        );
        assert!("google-vertex/us-east5".parse::<Tag>().is_ok());
    }

    #[test]
    fn generation_ids_sort_by_time() {
        let early = GenerationId::new(1_000, u128::MAX);
        let late = GenerationId::new(1_001, 0);
        assert!(early < late);
        assert_eq!(early.as_str(), "gen-00000000z8zzzzzzzzzzzzzzzz");
    }
}
