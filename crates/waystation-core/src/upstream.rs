//! A provider as codecs see it: address, authentication, and the small ways in which its wire
//! differs from its dialect, all of it data.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use crate::{BaseUrl, Endpoint, Lease, ModelId, ProviderSlug, UnixMs};

/// Where one provider is and how it wants to be spoken to. Made from a catalogue row and the
/// operator's config; the same for all of its endpoints.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The provider.
    pub slug: ProviderSlug,
    /// Its display name.
    pub name: Arc<str>,
    /// Scheme, host and path prefix, as `interfaces` of each dialect want it; no trailing slash.
    pub base_url: BaseUrl,
    /// How the credential travels.
    pub auth: AuthScheme,
    /// Deviations from the dialect.
    pub quirks: Quirks,
    /// Names that only some dialects need.
    pub settings: Settings,
}

/// How a credential travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthScheme {
    /// `Authorization: Bearer`.
    Bearer,
    /// `x-api-key`.
    XApiKey,
    /// `api-key`.
    ApiKey,
    /// `x-goog-api-key`.
    XGoogApiKey,
    /// AWS Signature Version 4.
    Sigv4,
    /// A Google OAuth2 token as bearer.
    GoogleOauth,
    /// No credential.
    None,
}

/// Names that only some dialects need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// AWS region, or a Google location.
    pub region: Option<String>,
    /// Google project.
    pub project: Option<String>,
    /// Azure's dated API version; with it the older deployment path is used.
    pub api_version: Option<String>,
    /// Azure deployment names by model id.
    pub deployments: BTreeMap<String, String>,
}

/// The ways in which a host's wire differs from its dialect. Plain fields with neutral defaults, so
/// that a catalogue row states only what is odd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Quirks {
    /// Where chat completions live below the base URL.
    pub chat_path: ChatPath,
    /// Which of the two names the limit on output has.
    pub max_tokens: MaxTokensName,
    /// How a wish to reason is spelled.
    pub reasoning: ReasoningRequest,
    /// How earlier reasoning of the assistant is sent back.
    pub reasoning_replay: ReasoningReplay,
    /// The host refuses `stream_options`.
    pub no_stream_options: bool,
    /// `developer` messages go as `system`.
    pub no_developer_role: bool,
    /// Tool call ids are exactly nine letters or digits; others are mapped.
    pub nine_char_tool_ids: bool,
    /// `tool_choice: "required"` is spelled `any`.
    pub tool_choice_any: bool,
    /// The host's streams end without `[DONE]`.
    pub no_done: bool,
    /// Text between `<think>` tags at the start of content is reasoning.
    pub think_tags: bool,
    /// The host is itself a gateway of this dialect family: routing fields may be passed on.
    pub takes_reasoning_details: bool,
    /// How the host's own search of the web is asked for.
    pub web_search: WebSearchRequest,
    /// How words of the assistant at the end of a conversation are gone on from. An answer that broke
    /// off is continued only where this is known.
    pub prefill: Prefill,
    /// The models to which `prefill` applies, by id; a `*` at the end stands for anything. Empty is all.
    pub prefill_models: Vec<String>,
}

/// How a host is asked to go on from words of the assistant at the end of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefill {
    /// Nobody knows: it may begin anew, or refuse.
    #[default]
    Unknown,
    /// The last message is enough.
    Plain,
    /// The last message says `prefix: true`.
    Prefix,
    /// The last message says `partial: true`.
    Partial,
    /// The body says `continue_final_message: true`, and that no turn is begun.
    ContinueFinalMessage,
}

/// Where chat completions live below the base URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatPath {
    /// `{base}/chat/completions`.
    #[default]
    Plain,
    /// Azure: `{base}/openai/v1/chat/completions` with the deployment as model, or, with an API
    /// version, `{base}/openai/deployments/{deployment}/chat/completions?api-version=…`.
    Azure,
}

/// Which name the limit on output has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensName {
    /// As the client sent it; `max_completion_tokens` when both were sent.
    #[default]
    AsSent,
    /// Always `max_tokens`.
    MaxTokens,
    /// Always `max_completion_tokens`.
    MaxCompletionTokens,
}

/// How a wish to reason is spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningRequest {
    /// `reasoning_effort: "high"`.
    #[default]
    Effort,
    /// The `reasoning` object itself.
    Object,
    /// `enable_thinking: bool`, with `thinking_budget`.
    EnableThinking,
    /// `thinking: {type: "enabled" | "disabled"}`.
    Thinking,
    /// Not at all: the model decides.
    Never,
}

/// How earlier reasoning of the assistant is sent back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningReplay {
    /// Not at all.
    #[default]
    Drop,
    /// As `reasoning_content`.
    ReasoningContent,
    /// As `reasoning`.
    Reasoning,
    /// As `reasoning` and `reasoning_details`, untouched.
    Details,
}

/// How a host's own search of the web is asked for in chat completions. Other dialects have a tool
/// for it, and pass this by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebSearchRequest {
    /// `web_search_options`, at endpoints that list it; elsewhere not at all.
    #[default]
    Options,
    /// The same, with domains in `search_domain_filter`.
    DomainFilter,
    /// On the host's Responses API at the same base: the call goes there.
    Responses,
    /// `enable_search: true`, with `search_options`.
    EnableSearch,
    /// A tool of the type `web_search`.
    Tool,
}

// === impl Quirks ===

impl Quirks {
    /// How `model` is asked here to go on from given words.
    ///
    /// ```
    /// use waystation_core::{ModelId, Prefill, Quirks};
    ///
    /// let quirks = Quirks {
    ///     prefill: Prefill::Plain,
    ///     prefill_models: vec!["acme/old-*".into()],
    ///     ..Quirks::default()
    /// };
    /// let model = |id: &str| id.parse::<ModelId>().unwrap();
    /// assert_eq!(quirks.prefill_of(&model("acme/old-1")), Prefill::Plain);
    /// assert_eq!(quirks.prefill_of(&model("acme/new")), Prefill::Unknown);
    /// ```
    #[must_use]
    pub fn prefill_of(&self, model: &ModelId) -> Prefill {
        let id = model.as_str();
        let is_it = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => id.starts_with(start),
            None => id == pattern,
        };
        if self.prefill_models.is_empty() || self.prefill_models.iter().any(is_it) {
            self.prefill
        } else {
            Prefill::Unknown
        }
    }
}

/// Everything that a codec may know of where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The provider.
    pub upstream: &'a Upstream,
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// The credential of this attempt.
    pub lease: &'a Lease,
    /// Wall time, for signatures.
    pub now: UnixMs,
}
