//! Rows of providers, as a person writes them. Nothing is validated here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Text, is_false};

/// One provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderRow<'a> {
    /// The name in routing.
    #[serde(borrow)]
    pub slug: Text<'a>,
    /// Display name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Other names that requests may use.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Text<'a>>,
    /// The wire of rows that name none.
    #[serde(borrow)]
    pub dialect: Text<'a>,
    /// Address for that wire; `{region}` and the like are filled from `settings`.
    #[serde(borrow)]
    pub base_url: Text<'a>,
    /// Addresses of particular regions.
    #[serde(borrow, skip_serializing_if = "BTreeMap::is_empty")]
    pub base_urls: BTreeMap<Text<'a>, Text<'a>>,
    /// How the key travels.
    #[serde(borrow)]
    pub auth: Text<'a>,
    /// Variables that hold a key, canonical first.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<Text<'a>>,
    /// Variables of a wider identity: they serve as key but never enable.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub env_identity: Vec<Text<'a>>,
    /// How the key of one variable travels, when not as the others.
    #[serde(borrow, skip_serializing_if = "BTreeMap::is_empty")]
    pub env_auth: BTreeMap<Text<'a>, Text<'a>>,
    /// Variables that override the address.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub env_base_url: Vec<Text<'a>>,
    /// Variables that fill the address's `{names}` and other settings.
    #[serde(borrow, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<Text<'a>, Vec<Text<'a>>>,
    /// Authors whose models this provider makes.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub makes: Vec<Text<'a>>,
    /// A local server that wants no key.
    #[serde(skip_serializing_if = "is_false")]
    pub keyless: bool,
    /// Its key is a general cloud identity, which never enables it alone.
    #[serde(skip_serializing_if = "is_false")]
    pub general_identity: bool,
    /// Another gateway.
    #[serde(skip_serializing_if = "is_false")]
    pub aggregator: bool,
    /// What it does with prompts.
    #[serde(borrow, skip_serializing_if = "PolicyRow::is_unknown")]
    pub policy: PolicyRow<'a>,
    /// Privacy policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_policy_url: Option<Text<'a>>,
    /// Terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms_of_service_url: Option<Text<'a>>,
    /// Status page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_page_url: Option<Text<'a>>,
    /// Country of its seat, ISO 3166 two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headquarters: Option<Text<'a>>,
    /// Countries of its data centres.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub datacenters: Vec<Text<'a>>,
    /// Documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<Text<'a>>,
    /// How its wire deviates from its dialect: fields of `waystation_core::Quirks`.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub quirks: serde_json::Map<String, serde_json::Value>,
    /// Other wires that it speaks, by dialect.
    #[serde(borrow, skip_serializing_if = "BTreeMap::is_empty")]
    pub wire: BTreeMap<Text<'a>, WireRow<'a>>,
    /// The dialects over which it searches the web itself, and what its search can be told about
    /// domains: `plain`, `include`, `either` or `both`.
    #[serde(borrow, skip_serializing_if = "BTreeMap::is_empty")]
    pub search: BTreeMap<Text<'a>, Text<'a>>,
    /// When the row was last read against its source. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Text<'a>>,
}

/// Another wire of a provider; what is absent is as on its own wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WireRow<'a> {
    /// Address.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Text<'a>>,
    /// How the key travels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Text<'a>>,
    /// Deviations of this wire; those of the provider's own wire do not carry over.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub quirks: serde_json::Map<String, serde_json::Value>,
}

/// What a provider does with prompts; absent is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyRow<'a> {
    /// Prompts may train models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<bool>,
    /// Prompts are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retained: Option<bool>,
    /// Zero retention without any arrangement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zdr: Option<bool>,
    /// Where that was read. Not embedded.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
}

// === impl PolicyRow ===

impl PolicyRow<'_> {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}
