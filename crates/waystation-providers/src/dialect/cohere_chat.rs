//! Cohere chat, version 2. Here is where requests go; bodies are written in `request` and `message`,
//! replies read in `reply`.
//!
//! Wire reference: <https://docs.cohere.com/reference/chat> (2026-08-22), and recorded traffic.

mod field;
mod message;
mod reply;
mod request;

use http::header::ACCEPT;
use waystation_core::{Call, ChatRequest, Codec, EncodeError, HttpRequest, Target};

use crate::{address::authorise, demand::Demand, intake::Intake};

/// The id of this dialect, as catalogue rows and configs name it.
pub const COHERE_CHAT: &str = "cohere-chat";

/// How reasoning of this dialect is marked: it is plain text, and only this dialect takes it back.
const FORMAT: &str = "cohere-chat-v1";

/// Members that the gateway answers for: neither unknown members nor a provider's options say them.
const RESERVED: &[&str] = &["model", "messages", "stream", "stream_options"];

/// The codec of Cohere chat, version 2.
///
/// # What leaves
/// - Roles, texts, images, calls and their results under Cohere's names. Words of the model beside
///   its calls go back as its `tool_plan`, its reasoning as `thinking`. Images in results, which the
///   dialect has no place for, follow as a message of the user.
/// - `top_p`, `top_k` and `stop` become `p`, `k` and `stop_sequences`, the wish to reason `thinking`,
///   a schema `response_format.json_schema`. Beside tools, where Cohere refuses formats, the schema
///   becomes an instruction, with a note.
/// - A forced function is the only one that leaves, with `REQUIRED`; tools that are no functions are
///   left out, with a note.
/// - Members that no vocabulary knows (`documents`, `citation_options`, `safety_mode`) go through,
///   and `provider.options[slug]` is merged in over all but `model`, `messages` and `stream`.
///
/// # Where it goes
/// `{base_url}/v2/chat`.
///
/// # What comes back
/// Text; `tool_plan` as text before the calls; thinking as reasoning, in `reasoning_details` too;
/// citations as `url_citation` annotations, one for each source, whose address is the source's id
/// where it has none. Counts are of tokens that the model saw, not of those that are billed.
///
/// # Errors
/// Encoding fails for content that the dialect cannot say (files, audio, video), an address that is
/// none, and a credential that no header can carry.
///
/// # Limits
/// 64 MiB a whole reply, 64 KiB of a failure's body; 1024 text blocks, thinking blocks and calls each,
/// behind which further ones are not told apart.
///
/// # Example
/// A forced stop word, a cap on `p`, and a stream that plans before it answers: the citation's range
/// counts from the start of its text block, the annotation's from the start of the content.
///
/// ```
/// use bytes::Bytes;
/// use http::StatusCode;
/// use waystation_core::*;
/// use waystation_providers::{COHERE_CHAT, codec};
///
/// # let upstream = Upstream {
/// #     slug: "cohere".parse()?,
/// #     name: "Cohere".into(),
/// #     base_url: "https://api.cohere.com".into(),
/// #     auth: AuthScheme::Bearer,
/// #     quirks: Quirks::default(),
/// #     settings: Settings::default(),
/// # };
/// # let model: ModelId = "cohere/command-a".parse()?;
/// # let endpoint = Endpoint {
/// #     id: EndpointId::new(&model, &"cohere".parse()?),
/// #     model,
/// #     provider: "cohere".parse()?,
/// #     tag: "cohere".parse()?,
/// #     dialect: COHERE_CHAT.parse()?,
/// #     upstream_model: "command-a-03-2025".into(),
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
/// let body = r#"{"messages": [{"role": "user", "content": "Hi"}], "top_p": 1, "stop": "END", "stream": true}"#;
/// let chat = ChatRequest::parse(&Bytes::from(body))?;
/// let mut call = codec(&endpoint.dialect).ok_or("no such dialect")?.encode(&chat, &to)?;
/// assert_eq!(call.request.url, "https://api.cohere.com/v2/chat");
/// let sent = r#"{"model":"command-a-03-2025","messages":[{"role":"user","content":"Hi"}],"stream":true,"p":0.99,"stop_sequences":["END"]}"#;
/// assert_eq!(call.request.body, sent);
/// assert_eq!(call.notes[0].field, "top_p");
///
/// let stream = r#"data: {"type": "message-start", "id": "m1"}
///
/// data: {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "Plan. "}}}
///
/// data: {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Oslo"}}}}
///
/// data: {"type": "citation-start", "delta": {"message": {"citations": {"start": 0, "end": 4, "sources": [{"id": "doc:1"}]}}}}
///
/// data: {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 3, "output_tokens": 1}}}}
///
/// "#;
/// let mut events = Vec::new();
/// call.reader.head(&ReplyHead { status: StatusCode::OK, headers: Headers::default() })?;
/// call.reader.push(&Bytes::from(stream), &mut events)?;
/// call.reader.finish(&mut events)?;
/// let answer = Answer::of(events);
/// assert_eq!(answer.choices[0].content().unwrap().decode(), "Plan. Oslo");
/// let finish = answer.choices[0].finish.as_ref().unwrap();
/// assert_eq!((finish.reason, &*finish.native.as_ref().unwrap().decode()), (FinishReason::Stop, "COMPLETE"));
/// assert_eq!(answer.usage.unwrap().prompt.get(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CohereChat;

impl Codec for CohereChat {
    fn encode(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Call, EncodeError> {
        let mut notes = Vec::new();
        let demand = Demand::of(chat, to, RESERVED, &mut notes);
        let body = request::write(&demand, &mut notes)?;
        let base = to.upstream.base_url.trim_end_matches('/');
        let accept = if chat.stream() {
            "text/event-stream"
        } else {
            "application/json"
        };
        let request = HttpRequest::post_json(&format!("{base}/v2/chat"), body)?;
        let request = authorise(request.header(ACCEPT, accept), to.upstream.auth, to.lease)?;
        let reply = reply::Reply::expecting(demand.hides_reasoning());
        let reader = Intake::new(reply, chat.stream(), to.lease.secret.clone());
        Ok(Call {
            request,
            reader: Box::new(reader),
            notes,
        })
    }
}
