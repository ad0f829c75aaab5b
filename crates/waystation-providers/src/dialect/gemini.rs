//! Gemini's `generateContent`, on AI Studio and on Vertex: where requests go and who reads the
//! reply. The two hosts differ in address, credential and a few abilities; the wire is one.
//!
//! Wire reference: <https://ai.google.dev/api/generate-content> and
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference> (2026-08-22),
//! and recorded traffic of both hosts.

mod array;
mod call;
mod candidate;
mod config;
mod content;
mod draft;
mod field;
mod finish;
mod grounding;
mod logprobs;
mod mark;
mod media;
mod partial;
mod reader;
mod replay;
mod request;
mod result;
mod signed;
mod site;
mod thinking;
mod tool;
mod usage;

use http::header::ACCEPT;
use waystation_core::{
    Call, ChatRequest, Codec, EncodeError, HttpRequest, Note, ServiceTier, Target,
};

use crate::address::authorise;
use candidate::Habits;
use site::Site;

/// The id of this dialect, as catalogue rows and configs name it: the `dialect` key of a provider in
/// `waystation.toml`, and the key of the table of dialects.
pub const GEMINI: &str = "gemini";

/// The codec of Gemini's `generateContent`.
///
/// # What leaves
/// - System and developer messages make `systemInstruction`; the others make `contents`, one
///   message one content, except that the results of one round of tool calls stand in one.
/// - Images, sound, video and files leave as `inlineData` from data URLs, and as `fileData` where
///   the host fetches addresses itself.
/// - Tools make `functionDeclarations` with the client's schema as it came; native tools
///   (`google_search`, `url_context`, `code_execution` and others) are tools of that type.
/// - `thoughtSignature`s of earlier answers go back onto the parts that they came with, from
///   `reasoning_details` of the format `google-gemini-v1`; details of other formats stay.
/// - Parameters that the endpoint does not list are left out, and those that the wire has no word
///   for. Members that nobody knows leave as they came.
/// - `provider.options[slug]` of the endpoint's provider is merged in, over what was sent, into
///   `generationConfig` and `toolConfig` member by member; `contents` is the gateway's.
///
/// # Where it goes
/// On AI Studio to `{base_url}/v1beta/models/{model}:generateContent`, on Vertex to
/// `{base_url}/v1/projects/{project}/locations/{region}/publishers/google/models/{model}:generateContent`;
/// streams to `:streamGenerateContent?alt=sse`. `settings.api_version` replaces the version. Vertex
/// is what has a project, a Google token as credential, or Vertex's own host name.
///
/// # What comes back
/// Events, an array of chunks, or one reply: the body's first byte tells. Deltas come out as they
/// arrive. How a candidate ended, its citations and the counts come out at the end of the body,
/// since the wire marks no other; a body that ends without a finish reason is an error.
///
/// # Errors
/// Encoding fails for media that the host cannot fetch, for results of calls that nobody made, for
/// Vertex without a project, and for a credential that no header can carry.
///
/// # Example
/// ```
/// use bytes::Bytes;
/// use http::StatusCode;
/// use waystation_core::*;
/// use waystation_providers::{GEMINI, codec};
///
/// # let upstream = Upstream {
/// #     slug: "google-ai-studio".parse()?,
/// #     name: "Google AI Studio".into(),
/// #     base_url: "https://generativelanguage.googleapis.com".into(),
/// #     auth: AuthScheme::XGoogApiKey,
/// #     quirks: Quirks::default(),
/// #     settings: Settings::default(),
/// # };
/// # let model: ModelId = "google/gemini-3-flash-preview".parse()?;
/// # let endpoint = Endpoint {
/// #     id: EndpointId::new(&model, &"google-ai-studio".parse()?),
/// #     model,
/// #     provider: "google-ai-studio".parse()?,
/// #     tag: "google-ai-studio".parse()?,
/// #     dialect: GEMINI.parse()?,
/// #     upstream_model: "gemini-3-flash-preview".into(),
/// #     price: Price::default(),
/// #     context_length: None,
/// #     max_output: None,
/// #     parameters: ParameterSet::ALL,
/// #     input: Modalities::TEXT,
/// #     output: Modalities::TEXT,
/// #     quantization: None,
/// #     trust: Trust::Firm,
/// #     policy: DataPolicy::default(),
/// #     variant: None,
/// #     service_tier: None,
/// #     billed_by_upstream: false,
/// #     search: None,
/// # };
/// # let lease = Lease::new("main".parse()?, Some(Secret::new("key-1234")));
/// # let to = Target { upstream: &upstream, endpoint: &endpoint, lease: &lease, now: UnixMs::new(0) };
/// let body = r#"{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "reasoning": {"effort": "low"}}"#;
/// let chat = ChatRequest::parse(&Bytes::from(body))?;
/// let mut call = codec(&endpoint.dialect).ok_or("no such dialect")?.encode(&chat, &to)?;
/// let sent = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":9,"thinkingConfig":{"thinkingLevel":"low","includeThoughts":true}}}"#;
/// assert_eq!(call.request.body, sent);
///
/// let mut events = Vec::new();
/// call.reader.head(&ReplyHead { status: StatusCode::OK, headers: Headers::default() })?;
/// let reply = r#"{"candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}]}"#;
/// call.reader.push(&Bytes::from(reply), &mut events)?;
/// call.reader.finish(&mut events)?;
/// let answer = Answer::of(events);
/// assert_eq!(answer.choices[0].content().unwrap().decode(), "Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Limits
/// 64 MiB an event or a whole reply, 64 KiB of a failure's body, 128 candidates, 1024 calls a
/// candidate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gemini;

impl Codec for Gemini {
    fn encode(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Call, EncodeError> {
        let site = Site::of(to)?;
        let mut notes = Vec::new();
        let written = request::write(chat, to, site, &mut notes)?;
        let accept = if chat.stream() {
            "text/event-stream"
        } else {
            "application/json"
        };
        let request = HttpRequest::post_json(&site.url(to, chat.stream()), written.body)?;
        let request = tiered(request.header(ACCEPT, accept), to, site);
        let habits = Habits {
            exclude_reasoning: chat.reasoning().is_some_and(|wish| wish.exclude),
            keep_text: written.searches,
            salt: salt(chat),
        };
        Ok(Call {
            request: authorise(request, to.upstream.auth, to.lease)?,
            reader: Box::new(reader::GeminiReader::new(habits, to.lease.secret.clone())),
            notes,
        })
    }
}

/// Vertex is told the tier in a header; AI Studio in the body.
/// Source: <https://cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo> (2026-08-22).
fn tiered(request: HttpRequest, to: &Target<'_>, site: Site<'_>) -> HttpRequest {
    let name = http::HeaderName::from_static("x-vertex-ai-llm-shared-request-type");
    match to.endpoint.service_tier {
        Some(ServiceTier::Flex) if site.is_vertex() => request.header(name, "flex"),
        Some(ServiceTier::Priority | ServiceTier::Fast) if site.is_vertex() => {
            request.header(name, "priority")
        }
        _ => request,
    }
}

/// What tells the turns of one conversation apart: it grows with each.
fn salt(chat: &ChatRequest) -> u64 {
    u64::try_from(chat.messages().count()).unwrap_or(u64::MAX) << 32
}

/// Says in a note what encoding changed.
fn note(notes: &mut Vec<Note>, field: &str, what: impl Into<String>) {
    notes.push(Note {
        field: field.into(),
        what: what.into(),
    });
}

/// The refusal of something that the wire cannot say.
fn unsupported(field: impl Into<String>, reason: impl Into<String>) -> EncodeError {
    EncodeError::Unsupported {
        field: field.into(),
        reason: reason.into(),
    }
}
