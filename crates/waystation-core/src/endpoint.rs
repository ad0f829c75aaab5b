//! An endpoint: one way to reach one model, with its own price, limits and abilities.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{DialectId, EndpointId, ModelId, ParameterSet, Price, ProviderSlug, Tag, Tokens};

/// One (model, provider, variant) with its own price, limits and parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `model|tag`.
    pub id: EndpointId,
    /// The model that it serves.
    pub model: ModelId,
    /// Who serves it.
    pub provider: ProviderSlug,
    /// Its name among the model's endpoints.
    pub tag: Tag,
    /// The wire that it speaks.
    pub dialect: DialectId,
    /// What the provider calls the model.
    #[serde(with = "crate::serial::shared_text")]
    pub upstream_model: Arc<str>,
    /// What it charges.
    pub price: Price,
    /// Prompt and answer together; `None` is unknown and limits nothing.
    pub context_length: Option<Tokens>,
    /// The longest answer; `None` is unknown and limits nothing.
    pub max_output: Option<Tokens>,
    /// What it takes.
    pub parameters: ParameterSet,
    /// Kinds of input.
    pub input: Modalities,
    /// Kinds of output.
    pub output: Modalities,
    /// Number format of the weights, when known.
    pub quantization: Option<Quantization>,
    /// How far the row is to be believed.
    pub trust: Trust,
    /// What the provider does with prompts.
    pub policy: DataPolicy,
    /// A static variant (`free`, `fast`): such an endpoint enters only by its suffix.
    #[serde(default, with = "crate::serial::shared_text::option")]
    pub variant: Option<Arc<str>>,
    /// A service tier (`flex`, `priority`): such an endpoint enters only when asked for.
    pub service_tier: Option<ServiceTier>,
    /// The upstream reports what it charges, and that is what counts (aggregators).
    pub billed_by_upstream: bool,
    /// The provider searches the web itself for this model, over this dialect; `None` where it does
    /// not, or where nobody knows.
    #[serde(default)]
    pub search: Option<NativeSearch>,
}

/// What a provider's own search can be told about domains.
///
/// The seam between the plugin `web` and codecs. The catalogue says who searches: a provider's row
/// lists the dialects under `search`, for models that take tools; for a private model it is
/// `web_search_options` among the `supported_parameters` that its row lists. Where the plugin wants
/// the endpoint to search, it puts one entry into `tools` of the attempt's copy,
/// `{"type": "openrouter:web_search", "parameters": {"engine": "native", ..}}`, with `max_results`,
/// `max_uses`, `search_context_size`, `allowed_domains`, `excluded_domains` and `user_location` as far
/// as they were given, and takes `web_search_options` out. A codec says that in its host's own words;
/// one that has none leaves it out with a note.
///
/// Source: API contract, section 7.1, 2026-11-22.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NativeSearch {
    /// Nothing.
    Plain,
    /// Where to search; where not to is ignored.
    Include,
    /// Where to search, or where not to.
    Either,
    /// Both.
    Both,
}

/// How far a row is to be believed, best first. A rank, never a filter, unless the operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Two sources agree, the provider is no reseller, the row is fresh.
    Firm,
    /// The model's own maker, on one source or an old one.
    Maker,
    /// One source, a reseller, a trial, or a row that newer lists no longer have.
    Low,
    /// Another gateway.
    Aggregator,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Firm => "firm",
            Self::Maker => "maker",
            Self::Low => "low",
            Self::Aggregator => "aggregator",
        })
    }
}

/// What a provider does with what it is sent. `None` is unknown, which satisfies no demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataPolicy {
    /// Whether prompts may train models.
    pub training: Option<bool>,
    /// Whether prompts are kept; `Some(false)` is `retention = "none"`.
    pub retained: Option<bool>,
    /// Zero data retention is promised.
    pub zdr: Option<bool>,
}

// === impl DataPolicy ===

impl DataPolicy {
    /// Whether `data_collection: "deny"` may use the endpoint: zero retention, or neither training
    /// nor keeping. Unknown is no.
    #[must_use]
    pub fn denies_collection(self) -> bool {
        self.zdr == Some(true) || (self.training == Some(false) && self.retained == Some(false))
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $error:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[doc = concat!("A text that is no ", $what, ".")]
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        #[error("expected one of {}, found {found:?}", [$($text),*].join(", "))]
        pub struct $error {
            /// The text.
            pub found: String,
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)* _ => Err($error { found: text.into() }) }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
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

words! {
    /// Number format of a model's weights. Source: API contract, section 3.1.
    Quantization, UnknownQuantization, "quantization" {
        /// `int4`.
        Int4 = "int4",
        /// `int8`.
        Int8 = "int8",
        /// `fp4`.
        Fp4 = "fp4",
        /// `mxfp4`.
        Mxfp4 = "mxfp4",
        /// `nvfp4`.
        Nvfp4 = "nvfp4",
        /// `fp6`.
        Fp6 = "fp6",
        /// `fp8`.
        Fp8 = "fp8",
        /// `mxfp8`.
        Mxfp8 = "mxfp8",
        /// `fp16`.
        Fp16 = "fp16",
        /// `bf16`.
        Bf16 = "bf16",
        /// `fp32`.
        Fp32 = "fp32",
        /// `unknown`.
        Unknown = "unknown",
    }
}

words! {
    /// How fast a provider is asked to serve, and at which price. Source: API contract, 9.4.
    ServiceTier, UnknownServiceTier, "service tier" {
        /// `auto`.
        Auto = "auto",
        /// `default`.
        Default = "default",
        /// `fast`, another word for `priority`.
        Fast = "fast",
        /// `flex`.
        Flex = "flex",
        /// `priority`.
        Priority = "priority",
        /// `scale`.
        Scale = "scale",
        /// `ultrafast`.
        Ultrafast = "ultrafast",
    }
}

// === impl ServiceTier ===

impl ServiceTier {
    /// The tier that an endpoint of this tag sells: `openai/priority`, `google-vertex/flex`. Other
    /// variants, such as `deepinfra/turbo`, are no tiers. Source: API contract, section 3.2.
    #[must_use]
    pub fn of_tag(tag: &Tag) -> Option<Self> {
        match tag.as_str().rsplit_once('/')?.1 {
            "flex" => Some(Self::Flex),
            "priority" => Some(Self::Priority),
            "scale" => Some(Self::Scale),
            "ultrafast" => Some(Self::Ultrafast),
            _ => None,
        }
    }
}

words! {
    /// One kind of input or output.
    Modality, UnknownModality, "modality" {
        /// `text`.
        Text = "text",
        /// `image`.
        Image = "image",
        /// `file`.
        File = "file",
        /// `audio`.
        Audio = "audio",
        /// `video`.
        Video = "video",
    }
}

/// A set of modalities.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Modalities(u8);

// === impl Modalities ===

impl Modalities {
    /// Text alone.
    pub const TEXT: Self = Self(1);
    /// None.
    pub const NONE: Self = Self(0);

    /// The set with `modality` in it.
    #[must_use]
    pub const fn with(self, modality: Modality) -> Self {
        Self(self.0 | 1 << modality as u8)
    }

    /// Whether `modality` is in the set.
    #[must_use]
    pub const fn has(self, modality: Modality) -> bool {
        self.0 >> modality as u8 & 1 == 1
    }

    /// The set without what is in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The set with all that is in `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether everything in `other` is in this set.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The members, in the vocabulary's order.
    pub fn iter(self) -> impl Iterator<Item = Modality> {
        Modality::ALL
            .iter()
            .copied()
            .filter(move |modality| self.has(*modality))
    }
}

impl FromIterator<Modality> for Modalities {
    fn from_iter<I: IntoIterator<Item = Modality>>(modalities: I) -> Self {
        modalities.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Modalities {
    /// `text+image`, as `architecture.modality` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, modality) in self.iter().enumerate() {
            if place > 0 {
                f.write_str("+")?;
            }
            f.write_str(modality.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modalities({self})")
    }
}
