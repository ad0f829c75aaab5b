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
mod generation;
mod message;
mod part;
mod reader;
mod request;
mod sampling;
mod schema;
mod thinking;
mod tool;
mod usage;

use http::{HeaderName, HeaderValue, header::ACCEPT};
use waystation_core::{AuthScheme, Call, ChatRequest, Codec, EncodeError, HttpRequest, Target};

use self::request::Sent;
use crate::address::{authorise, percent};

/// The id of this dialect, as catalogue rows and configs name it: the `dialect` key of a provider
/// in `waystation.toml`, and the key of the table of dialects.
pub const ANTHROPIC_MESSAGES: &str = "anthropic-messages";

/// Whose reasoning blocks this wire takes back.
const FORMAT: &str = "anthropic-claude-v1";

/// The codec of Anthropic Messages.
///
/// # What leaves
/// A body of the wire's own, made of the request's texts as they stand between their quotes:
/// - system and developer messages, wherever they stand, become the blocks of `system`; tool results
///   become blocks of the user's turn; turns of one speaker are joined, for the wire wants them to
///   alternate.
/// - `reasoning_details` of the format `anthropic-claude-v1` go back as thinking blocks, byte for
///   byte and in front; those of other formats, and reasoning without a signature, stay.
/// - `max_tokens` is always there: the client's, else the endpoint's longest answer as far as the
///   context has room for it, else 4096.
/// - reasoning becomes a budget or adaptive thinking with an effort, as the model's generation wants
///   it; parameters that would be refused beside it are left out with a note.
/// - `response_format` becomes `output_config.format`; where the endpoint has no such thing, a tool
///   that must be called and whose input is given out as the answer, or an instruction. Noted.
/// - members that no vocabulary knows (`context_management`, `container`) leave as they came; so do
///   content parts and tools of Anthropic's own types. `provider.options[slug]` wins over both.
///   The member `anthropic_beta`, a list or a text, becomes the header `anthropic-beta`.
///
/// # Where it goes
/// `{base_url}/v1/messages`, where a `/v1` at the end of the base counts as that one. With a Google
/// project in the settings, or Google's OAuth as the credential, to Vertex:
/// `{base_url}/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}` with
/// `:rawPredict` or `:streamRawPredict` behind it; the region is `global` when none is given.
///
/// # What comes back
/// Text, thinking, tool calls and citations as they arrive; how it ended and the counts when
/// `message_stop` has come, and never without it. Tools that the provider runs itself show nothing
/// but the text and the citations that they lead to.
///
/// # Errors
/// Encoding fails for an address that is none, a credential that no header can carry, a Google
/// credential without a project, and for audio, video and files that the wire has no form for.
///
/// # Limits
/// 8 MiB an event, 64 MiB a whole reply, 64 KiB of a failure's body, 1024 tool calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnthropicMessages;

impl Codec for AnthropicMessages {
    fn encode(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Call, EncodeError> {
        let mut notes = Vec::new();
        let place = Place::of(to)?;
        let sent = request::write(chat, to, &place, &mut notes)?;
        let request = post(chat, to, &place, &sent)?;
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
    fn url(&self, base: &str, stream: bool) -> String {
        let base = base.trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base);
        let mut url = String::with_capacity(base.len() + 120);
        url.push_str(base);
        match self {
            Self::Host { .. } => url.push_str("/v1/messages"),
            Self::Vertex {
                project,
                region,
                model,
            } => {
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
            }
        }
        url
    }
}

/// The HTTP request around a body: address, version, what is accepted in return, the betas that the
/// body needs, and the credential.
fn post(
    chat: &ChatRequest,
    to: &Target<'_>,
    place: &Place<'_>,
    sent: &Sent,
) -> Result<HttpRequest, EncodeError> {
    let accept = if chat.stream() {
        "text/event-stream"
    } else {
        "application/json"
    };
    let url = place.url(&to.upstream.base_url, chat.stream());
    let mut request = HttpRequest::post_json(&url, sent.body.clone())?.header(ACCEPT, accept);
    if let Place::Host { .. } = place {
        let name = HeaderName::from_static("anthropic-version");
        request = request.header(name, "2023-06-01");
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
