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
