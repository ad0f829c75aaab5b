//! Anthropic Messages: Anthropic itself, Claude on Vertex and on Azure, and the hosts that offer the
//! same wire for models of their own. Here is where requests go; what is in them is `request`'s.
//!
//! Wire reference: <https://platform.claude.com/docs/en/api/messages> (2026-08-22), and recorded
//! traffic of forty-two exchanges.

mod block;
mod choice;
mod citation;
mod file;
mod form;
pub(super) mod generation;
mod message;
mod part;
mod reader;
mod request;
mod sampling;
mod schema;
pub(super) mod thinking;
mod tool;
mod usage;

use http::{HeaderName, HeaderValue, Uri, header::ACCEPT};
use waystation_core::{
    AuthScheme, BaseUrl, Call, ChatRequest, Codec, EncodeError, HttpRequest, Target,
};

use self::request::Sent;
use crate::address::{accept, authorise, percent};

/// The id of this dialect, as catalogue rows and configs name it: the `dialect` key of a provider
/// in `waystation.toml`, and the key of the table of dialects.
pub const ANTHROPIC_MESSAGES: &str = "anthropic-messages";

/// Whose reasoning blocks this wire takes back.
const FORMAT: &str = "anthropic-claude-v1";

/// The codec of Anthropic Messages.
///
/// ```
/// use bytes::Bytes;
/// use http::StatusCode;
/// use waystation_core::*;
/// use waystation_providers::{ANTHROPIC_MESSAGES, codec};
///
/// // What the catalogue and the operator know of a host.
/// let upstream = Upstream {
///     slug: "anthropic".parse()?,
///     name: "Anthropic".into(),
///     base_url: "https://api.anthropic.com".into(),
///     auth: AuthScheme::XApiKey,
///     quirks: Quirks::default(),
///     settings: Settings::default(),
/// };
/// let model: ModelId = "anthropic/claude-haiku-4.5".parse()?;
/// let endpoint = Endpoint {
///     id: EndpointId::new(&model, &"anthropic".parse()?),
///     model,
///     provider: "anthropic".parse()?,
///     tag: "anthropic".parse()?,
///     dialect: ANTHROPIC_MESSAGES.parse()?,
///     upstream_model: "claude-haiku-4-5".into(),
///     price: Price::default(),
///     context_length: None,
///     max_output: None,
///     parameters: ParameterSet::ALL,
///     input: Modalities::TEXT,
///     output: Modalities::TEXT,
///     quantization: None,
///     trust: Trust::Maker,
///     policy: DataPolicy::default(),
///     variant: None,
///     service_tier: None,
///     billed_by_upstream: false,
///     search: None,
/// };
/// let lease = Lease::new("main".parse()?, Some(Secret::new("sk-ant-1234")));
/// let to = Target { upstream: &upstream, endpoint: &endpoint, lease: &lease, now: UnixMs::new(0) };
///
/// let body = r#"{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}"#;
/// let chat = ChatRequest::parse(&Bytes::from(body))?;
/// let codec = codec(&endpoint.dialect).ok_or("no such dialect")?;
/// let mut call = codec.encode(&chat, &to)?;
/// assert_eq!(call.request.url, "https://api.anthropic.com/v1/messages");
/// let sent = r#"{"model":"claude-haiku-4-5","max_tokens":4096,"system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#;
/// assert_eq!(call.request.body, sent);
///
/// // A whole reply is the message itself; thinking stands in a block of its own, with its signature.
/// let reply = r#"{"type": "message", "id": "msg_1", "model": "claude-haiku-4-5", "content": [
///     {"type": "thinking", "thinking": "A greeting.", "signature": "c2ln"},
///     {"type": "text", "text": "Hello"}],
///     "stop_reason": "end_turn", "usage": {"input_tokens": 9, "cache_read_input_tokens": 20, "output_tokens": 4}}"#;
/// let mut events = Vec::new();
/// call.reader.head(&ReplyHead { status: StatusCode::OK, headers: Headers::default() })?;
/// call.reader.push(&Bytes::from(reply), &mut events)?;
/// call.reader.finish(&mut events)?;
/// let answer = Answer::of(events);
/// assert_eq!(answer.choices[0].content().unwrap().decode(), "Hello");
/// assert_eq!(answer.choices[0].finish.as_ref().unwrap().reason, FinishReason::Stop);
/// assert_eq!(answer.usage.unwrap().prompt.get(), 29);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What leaves
/// A body of the wire's own, made of the request's texts as they stand between their quotes. What is
/// changed beyond the spelling is told in a note.
///
/// | of the request | becomes |
/// |---|---|
/// | system and developer messages, wherever they stand | the blocks of `system` |
/// | turns of one speaker in a row | one turn: the wire wants speakers to alternate |
/// | tool messages | `tool_result` blocks at the head of the user's turn; `is_error` and images with them |
/// | `tool_calls`, the older `function_call` | `tool_use`; arguments that are no object go into one, noted |
/// | `reasoning_details` of the format `anthropic-claude-v1` | `thinking` and `redacted_thinking`, byte for byte and in front |
/// | steps of the provider's own tools among them | the blocks that they were, where they stood in the text |
/// | those of other formats, `reasoning`, thinking without a signature | stays: nobody else can read it |
/// | blank texts | stay: they are refused |
/// | a last message of the assistant | the words to continue, without white space behind them |
/// | `name` of a speaker | `name: ` in front of the first text |
/// | `image_url` as data URL or address | `image` |
/// | `file` as PDF, text, image, address or id | `document`, `image` |
/// | `input_audio`, `video_url`, other files | an error that names the part |
/// | parts of Anthropic's own types | leave as they came |
/// | `cache_control` on parts, messages, tools, at the top | stays where it is; `prompt_cache_breakpoint` becomes one |
/// | `tools` | `name`, `description`, `input_schema`; `strict` stays, the wire's own members and tools go along |
/// | tools `openrouter:*`, `waystation:*` | stay: the gateway runs them |
/// | a web search with the engine `native` | `web_search_20250305`, with domains, place and `max_uses` |
/// | no tools, but calls in earlier turns | definitions made of the calls, which may not be used; noted |
/// | `tool_choice` | `auto`, `any`, `tool`, `none`; a list of allowed tools cuts the others |
/// | `parallel_tool_calls: false` | `disable_parallel_tool_use` |
/// | names of tools and ids of calls that the wire refuses | others, and back |
/// | `max_completion_tokens`, `max_tokens` | `max_tokens`; without one, the endpoint's longest answer as far as the context has room, else 4096 |
/// | `reasoning`, `reasoning_effort`, `include_reasoning`, `verbosity` | `thinking`, `output_config.effort`, as the model's generation wants them |
/// | `temperature` above 1 | 1, noted |
/// | `temperature`, `top_p`, `top_k` beside thinking, or where models refuse them | stay, noted |
/// | `stop` | `stop_sequences`, without blank ones |
/// | `response_format` with a schema | `output_config.format`, its objects closed, its limits left out |
/// | the same where the endpoint has no such thing | a tool that must be called, whose input is the answer; beside thinking an instruction |
/// | `response_format` without a schema | an instruction |
/// | `service_tier` | `auto` for the better ones, `standard_only` for the default |
/// | `user`, `metadata` | stay: they speak of the gateway's client to the gateway |
/// | `anthropic_beta`, a list or a text | the header `anthropic-beta`; files by id add theirs |
/// | members that nobody knows (`context_management`, `container`) | leave as they came |
/// | `provider.options[slug]` | merged in, over what was made |
///
/// # Where it goes
/// `{base_url}/v1/messages`, where a `/v1` at the end of the base counts as that one. With a Google
/// project in the settings to Vertex:
/// `{base_url}/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}` with
/// `:rawPredict` or `:streamRawPredict` behind it; the region is `global` when none is given. On
/// Azure the model is the operator's deployment, where one is named.
///
/// # What comes back
///
/// | of the reply | becomes |
/// |---|---|
/// | `text` | content |
/// | `thinking` with its signature | reasoning, and `reasoning_details` that can be sent back; streamed in pieces of one index |
/// | `redacted_thinking` | `reasoning_details` alone |
/// | `tool_use` | a call, counted from 0 whatever its block's index; no arguments are `{}` |
/// | the tool that stands for the form of the answer | content |
/// | tools that the provider runs, and their results | `reasoning_details` of the type `reasoning.server_tool_call`, sealed content and all; no call for the client |
/// | citations with an address | `url_citation` annotations over the characters of their block |
/// | `end_turn`, `stop_sequence`, `pause_turn`, words that nobody knows | `stop` |
/// | `max_tokens`, `model_context_window_exceeded` | `length` |
/// | `tool_use` | `tool_calls` |
/// | `refusal` | `content_filter`, its explanation as refusal |
/// | `usage`, in pieces | one event; of each count the last word; cached and written tokens added to the prompt |
/// | `error`, in a stream or in its place | a failure, whatever came before |
/// | `ping`, and events and blocks that nobody knows | nothing |
///
/// The end and the counts are given out when `message_stop` has come, and never without it.
///
/// # Errors
/// Encoding fails for an address that is none, a credential that no header can carry, a Google
/// credential without a project, and for audio, video and files that the wire has no form for.
///
/// # Limits
/// 8 MiB an event, 64 MiB a whole reply, 64 KiB of a failure's body, 1024 tool calls, 1024 citations
/// a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnthropicMessages;

impl Codec for AnthropicMessages {
    fn encode(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Call, EncodeError> {
        let mut notes = Vec::new();
        let place = Place::of(to)?;
        let mut sent = request::write(chat, to, &place, &mut notes)?;
        let request = post(chat, to, &place, &mut sent)?;
        Ok(Call {
            request,
            reader: Box::new(reader::expecting(chat, to, sent)),
            notes,
        })
    }
}

/// Where a request goes: what changes with it are the address, and where version and model stand.
#[derive(Debug)]
enum Place<'a> {
    /// A host of the wire as such, which calls the model this.
    Host { model: &'a str },
    /// Vertex.
    Vertex {
        project: &'a str,
        region: &'a str,
        model: &'a str,
    },
}

// === impl Place ===

impl<'a> Place<'a> {
    /// A Google project, or Google's way to prove who one is, makes it Vertex.
    fn of(to: &Target<'a>) -> Result<Self, EncodeError> {
        let named = &*to.endpoint.upstream_model;
        let settings = &to.upstream.settings;
        let deployments = &settings.deployments;
        let model = deployments
            .get(to.endpoint.model.as_str())
            .or_else(|| deployments.get(named))
            .map_or(named, String::as_str);
        match settings.project.as_deref() {
            Some(project) => Ok(Self::Vertex {
                project,
                region: settings.region.as_deref().unwrap_or("global"),
                model,
            }),
            None if to.upstream.auth == AuthScheme::GoogleOauth => Err(EncodeError::Address {
                setting: "project",
                reason: "expected the Google project that pays, found none".into(),
            }),
            None => Ok(Self::Host { model }),
        }
    }

    /// The address. A trailing slash of the base is nothing, a path prefix in it stays; what comes
    /// from the catalogue or the operator is encoded as one segment and cannot climb out of it.
    fn url(&self, base: &BaseUrl, stream: bool) -> Result<Uri, EncodeError> {
        let text = base.trim_end_matches('/');
        match self {
            Self::Host { .. } if text.ends_with("/v1") => base.at("/messages"),
            Self::Host { .. } => base.at("/v1/messages"),
            Self::Vertex {
                project,
                region,
                model,
            } => {
                let text = text.strip_suffix("/v1").unwrap_or(text);
                let mut url = String::with_capacity(text.len() + 120);
                url.push_str(text);
                url.push_str("/v1/projects/");
                percent(project, &mut url);
                url.push_str("/locations/");
                percent(region, &mut url);
                url.push_str("/publishers/anthropic/models/");
                // Versions of models stand behind an `@`, which a path segment may hold.
                for (place, piece) in model.split('@').enumerate() {
                    if place > 0 {
                        url.push('@');
                    }
                    percent(piece, &mut url);
                }
                let verb = if stream {
                    ":streamRawPredict"
                } else {
                    ":rawPredict"
                };
                url.push_str(verb);
                HttpRequest::address(&url)
            }
        }
    }
}

/// The HTTP request around a body: address, version, what is accepted in return, the betas that the
/// body needs, and the credential.
fn post(
    chat: &ChatRequest,
    to: &Target<'_>,
    place: &Place<'_>,
    sent: &mut Sent,
) -> Result<HttpRequest, EncodeError> {
    let url = place.url(&to.upstream.base_url, chat.stream())?;
    let body = std::mem::take(&mut sent.body);
    let mut request = HttpRequest::post_json_to(url, body);
    request.headers.insert(ACCEPT, accept(chat.stream()));
    if let Place::Host { .. } = place {
        let name = const { HeaderName::from_static("anthropic-version") };
        let version = const { HeaderValue::from_static("2023-06-01") };
        request.headers.insert(name, version);
    }
    if !sent.betas.is_empty() {
        let value = HeaderValue::from_str(&sent.betas.join(","));
        let value = value.map_err(|_| EncodeError::Unsupported {
            field: "anthropic_beta".into(),
            reason: "expected names of printable characters".into(),
        })?;
        let name = HeaderName::from_static("anthropic-beta");
        request.headers.insert(name, value);
    }
    authorise(request, to.upstream.auth, to.lease)
}
