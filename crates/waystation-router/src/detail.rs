//! What dropped an endpoint, with names and figures. It is put into words when somebody reads it: most
//! plans are carried out and never read.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use waystation_core::{
    DialectId, Modality, Parameter, ProviderSlug, Quantization, ServiceTier, Tokens, Trust, Usd,
    UsdPerMTok,
};

/// What dropped an endpoint; `Display` is the sentence that `explain` prints.
#[derive(Clone)]
pub struct Detail(Told);

/// Sentences that are counted apart from others of their reason.
pub(crate) const UNPRICED: &str = "its price is unknown";
pub(crate) const NOT_ALLOWED: &str = "not named in [routing] only";
pub(crate) const BANNED: &str = "named in [routing] ignore";

/// The same before it is words.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// A sentence of its own.
    Plain(&'static str),
    /// One that was put together, here or in another process.
    Text(Arc<str>),
    /// The static variant that alone brings it in.
    Variant(Arc<str>),
    /// The variable to set.
    Set(Arc<str>),
    /// The provider whose table is missing.
    Configure(ProviderSlug),
    /// A wire without a codec.
    Dialect(DialectId),
    /// A kind of input that it lacks.
    NoInput(Modality),
    /// A kind of output that it lacks.
    NoOutput(Modality),
    /// Its number format.
    Format(Quantization),
    /// A charge per token, what it is and the cap that it exceeds.
    Over(&'static str, UsdPerMTok, UsdPerMTok),
    /// A charge per piece, likewise.
    OverFee(&'static str, Box<(Usd, Usd)>),
    /// The tokens that are needed, and its context.
    Context(Tokens, Tokens),
    /// Likewise, where others have more room.
    Room(Tokens, Tokens),
    /// The output that is wanted, and its limit.
    Output(Tokens, Tokens),
    /// A parameter that it lacks.
    Parameter(Parameter),
    /// A tier that nobody asked for.
    Tier(ServiceTier),
    /// The licence that does not let others learn from its text.
    License(Arc<str>),
    /// Its trust, and the least that the operator takes.
    Trust(Trust, Trust),
}

// === impl Detail ===

impl Detail {
    /// Completes "2 endpoints …" where the figure or the name is worth telling.
    pub(crate) fn phrase(&self) -> Option<String> {
        Some(match &self.0 {
            Told::Over(what, _, cap) => format!("above max_price.{what} {cap}"),
            Told::OverFee(what, fees) => format!("above max_price.{what} {}", fees.1),
            Told::Output(wanted, _) => format!("with less output than max_tokens {wanted}"),
            Told::Parameter(parameter) => format!("without support for {parameter}"),
            Told::NoInput(kind) => format!("that do not take {kind}"),
            Told::NoOutput(kind) => format!("that do not give {kind}"),
            Told::Trust(_, least) => format!("below min_trust {least}"),
            Told::Tier(tier) => format!("of the {tier} tier"),
            Told::Dialect(dialect) => format!("of {dialect}, which is not built"),
            Told::Plain(UNPRICED) => "of unknown price".into(),
            Told::Plain(NOT_ALLOWED) => "not in [routing] only".into(),
            Told::Plain(BANNED) => "in [routing] ignore".into(),
            _ => return None,
        })
    }
}

impl From<Told> for Detail {
    fn from(told: Told) -> Self {
        Self(told)
    }
}

impl From<&'static str> for Detail {
    fn from(sentence: &'static str) -> Self {
        Self(Told::Plain(sentence))
    }
}

impl From<String> for Detail {
    fn from(sentence: String) -> Self {
        Self(Told::Text(sentence.into()))
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Told::Plain(sentence) => f.write_str(sentence),
            Told::Text(sentence) => f.write_str(sentence),
            Told::Variant(variant) => write!(f, "only asked for by :{variant}"),
            Told::Set(variable) => write!(f, "set {variable}"),
            Told::Configure(slug) => write!(f, "configure [providers.{slug}]"),
            Told::Dialect(dialect) => write!(f, "{dialect} is not built"),
            Told::NoInput(kind) => write!(f, "it does not take {kind}"),
            Told::NoOutput(kind) => write!(f, "it does not give {kind}"),
            Told::Format(format) => write!(f, "it is {format}"),
            Told::Over(what, price, cap) => {
                write!(f, "{what} {price} is above max_price.{what} {cap}")
            }
            Told::OverFee(what, fees) => {
                let (fee, cap) = &**fees;
                write!(f, "{what} {fee} is above max_price.{what} {cap}")
            }
            Told::Context(needed, limit) => {
                write!(f, "about {needed} tokens do not fit its {limit}")
            }
            Told::Room(needed, room) => write!(
                f,
                "about {needed} tokens do not fit its {room}, and others have more room"
            ),
            Told::Output(wanted, limit) => write!(f, "max_tokens {wanted} is above its {limit}"),
            Told::Parameter(parameter) => write!(f, "it does not take {parameter}"),
            Told::Tier(tier) => write!(f, "{tier} was not asked for"),
            Told::License(license) => write!(
                f,
                "its licence, {license}, does not let other models be trained on its text"
            ),
            Told::Trust(trust, least) => write!(f, "it is {trust}, below min_trust {least}"),
        }
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Two that read alike are alike, wherever they were put into words.
impl PartialEq for Detail {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Detail {}

impl Serialize for Detail {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Detail {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Into::into)
    }
}
