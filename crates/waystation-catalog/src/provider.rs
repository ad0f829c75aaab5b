//! A provider: where it is, how it wants to be spoken to, and which variables hold its key. Reading
//! those variables is the server's work, not done here.

use std::{collections::BTreeMap, sync::Arc};

use waystation_core::{
    AuthScheme, DataPolicy, DialectId, NativeSearch, Parameter, ParameterSet, Upstream,
};

/// One provider.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Provider {
    /// Slug, name, address, authentication and quirks of its own dialect.
    pub upstream: Upstream,
    /// Other names that requests may use for it.
    pub aliases: Vec<Arc<str>>,
    /// The wire that it speaks unless an endpoint says otherwise.
    pub dialect: DialectId,
    /// The same provider on its other wires.
    pub wires: BTreeMap<DialectId, Upstream>,
    /// Variables that hold its key, canonical first.
    pub env: Vec<String>,
    /// Variables of a wider identity. They may serve as its key but never enable it.
    pub env_identity: Vec<String>,
    /// The variable to set where there is no key: the first of these. Plans name it often, so it is
    /// shared.
    pub key_variable: Option<Arc<str>>,
    /// How the key of one variable travels, when not as [`Upstream::auth`] says.
    pub env_auth: BTreeMap<String, AuthScheme>,
    /// Variables that override its address.
    pub env_base_url: Vec<String>,
    /// Variables that hold what its address has in braces, and other settings, by name:
    /// `resource`, `region`, `project`, `account_id`, `api_version`.
    pub env_settings: BTreeMap<String, Vec<String>>,
    /// Addresses of particular regions, by region.
    pub base_urls: BTreeMap<String, String>,
    /// The dialects over which it searches the web itself, and how.
    pub search: BTreeMap<DialectId, NativeSearch>,
    /// A local server that wants no key.
    pub keyless: bool,
    /// Its key is a general cloud identity: the environment alone never enables it.
    pub general_identity: bool,
    /// What it does with prompts.
    pub policy: DataPolicy,
    /// It is itself a gateway, and what it bills is what it says that it billed.
    pub aggregator: bool,
    /// Privacy policy.
    pub privacy_policy_url: Option<Arc<str>>,
    /// Terms of service.
    pub terms_of_service_url: Option<Arc<str>>,
    /// Status page.
    pub status_page_url: Option<Arc<str>>,
    /// Country of its seat, ISO 3166 two letters.
    pub headquarters: Option<Arc<str>>,
    /// Countries of its data centres.
    pub datacenters: Option<Vec<Arc<str>>>,
}

// === impl Provider ===

impl Provider {
    /// How it is reached on one wire: its own address for the wire where it has one, else the
    /// provider's.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// let provider = catalog.provider("cohere").unwrap();
    /// assert_eq!(provider.dialect, "cohere-chat");
    /// let chat = provider.upstream_for(&"openai-chat".parse().unwrap());
    /// assert_ne!(chat.base_url, provider.upstream.base_url);
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn upstream_for(&self, dialect: &DialectId) -> &Upstream {
        self.wires.get(dialect).unwrap_or(&self.upstream)
    }

    /// How it searches the web itself for a model that takes these parameters, over this dialect.
    /// Its search is a tool, so it serves models that take tools; some models search always, and list
    /// `web_search_options` instead.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// let searches = |id: &str, provider: &str| {
    ///     let mut endpoints = catalog.model(id).unwrap().endpoints.iter();
    ///     endpoints.any(|one| one.provider == *provider && one.search.is_some())
    /// };
    /// assert!(searches("perplexity/sonar", "perplexity"));
    /// assert!(!searches("mistralai/mistral-small-3.2-24b-instruct", "mistral"));
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn search(&self, dialect: &DialectId, takes: ParameterSet) -> Option<NativeSearch> {
        let able = takes.takes(Parameter::Tools) || takes.takes(Parameter::WebSearchOptions);
        self.search.get(dialect).copied().filter(|_| able)
    }

    /// The names in braces that the address of a wire still has: settings that must be given before
    /// it can be used, such as `resource`. Fill them with
    /// [`SettingsChange`](crate::SettingsChange); [`env_settings`](Self::env_settings) says which
    /// variables usually hold them.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// let bedrock = catalog.provider("amazon-bedrock").unwrap();
    /// assert_eq!(bedrock.unfilled(&bedrock.dialect), ["region"]);
    /// assert!(bedrock.env_settings["region"].contains(&"AWS_REGION".to_owned()));
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn unfilled(&self, dialect: &DialectId) -> Vec<&str> {
        placeholders(&self.upstream_for(dialect).base_url)
    }
}

/// The `{names}` in an address, each once.
pub(crate) fn placeholders(url: &str) -> Vec<&str> {
    let mut names: Vec<&str> = url
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    names
}
