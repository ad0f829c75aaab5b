//! OpenAI's chat completions as a server: the wire of `POST …/chat/completions`, Azure's paths
//! included.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat> (2026-06) and recorded replies.
//! Keys are not checked: what a simulated upstream accepts is no business of its credentials.

mod request;
mod stream;
mod whole;

use std::borrow::Cow;

use http::{Method, StatusCode, header};
use waystation_core::{Json, ObjectWriter};

use super::Dialect;
use crate::{
    SimReply,
    draw::Draw,
    mind::{self, Said},
    simulator::Arrival,
};
use request::{Question, Refusal, Shown};

/// The wire.
pub(super) struct OpenAiChat;

/// Everywhere else: 404 in the same envelope.
pub(super) struct Nowhere;

/// A question with its answers, ready to be written in either form.
struct Reply<'a> {
    /// What was asked.
    question: &'a Question<'a>,
    /// One answer for each choice, by index.
    said: Vec<Said>,
    /// Numbers for the reply's names.
    id: u64,
}

/// When every simulated reply was made: 2026-01-01T00:00:00Z. The simulator reads no clock.
const CREATED: u64 = 1_767_225_600;

// === impl OpenAiChat ===

impl Dialect for OpenAiChat {
    fn serves(&self, path: &str) -> bool {
        path.ends_with("/chat/completions")
    }

    fn model<'a>(&self, arrival: &Arrival<'a>) -> Cow<'a, str> {
        let body = arrival.body.as_ref().ok();
        let named = body
            .and_then(|body| body.get("model"))
            .and_then(Json::string);
        named
            .or_else(|| deployment(arrival.path))
            .unwrap_or_default()
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        if arrival.method != Method::POST {
            let message = format!("expected POST, found {}", arrival.method);
            return self.error(StatusCode::METHOD_NOT_ALLOWED, &message);
        }
        let question = match request::read(arrival, self.model(arrival)) {
            Ok(question) => question,
            Err(refusal) => return refusal.reply(),
        };
        let said: Vec<Said> = (0..question.n)
            .map(|choice| mind::answer(&question.asked, choice))
            .collect();
        let reply = Reply {
            id: Draw::new(question.asked.key).next(),
            question: &question,
            said,
        };
        let tempo = arrival.tempo(&question.asked.model);
        let request_id = format!("req_sim{:016x}", reply.id);
        let reply = match question.stream {
            Some(usage) => stream::write(&reply, usage, tempo),
            None => whole::write(&reply, tempo),
        };
        let name = header::HeaderName::from_static("x-request-id");
        reply.with_header(name, &request_id)
    }

    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        let (kind, code) = match status.as_u16() {
            401 => ("invalid_request_error", Some("invalid_api_key")),
            402 => ("insufficient_quota", Some("insufficient_quota")),
            403 => (
                "invalid_request_error",
                Some("unsupported_country_region_territory"),
            ),
            404 => ("invalid_request_error", Some("model_not_found")),
            429 => ("requests", Some("rate_limit_exceeded")),
            503 => ("service_unavailable_error", Some("overloaded")),
            400..=499 => ("invalid_request_error", None),
            _ => ("server_error", None),
        };
        Refusal {
            status,
            message: message.into(),
            kind,
            param: None,
            code,
        }
        .reply()
    }
}

// === impl Nowhere ===

impl Dialect for Nowhere {
    fn serves(&self, _: &str) -> bool {
        true
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        Refusal {
            status: StatusCode::NOT_FOUND,
            message: format!("invalid URL ({} {})", arrival.method, arrival.path),
            kind: "invalid_request_error",
            param: None,
            code: None,
        }
        .reply()
    }

    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        OpenAiChat.error(status, message)
    }
}

// === impl Refusal ===

impl Refusal {
    /// The error in OpenAI's envelope.
    fn reply(&self) -> SimReply {
        let mut out = Vec::new();
        let mut body = ObjectWriter::open(&mut out);
        let mut error = body.object("error");
        error
            .string("message", &self.message)
            .string("type", self.kind);
        match &self.param {
            Some(param) => error.string("param", param),
            None => error.null("param"),
        };
        match self.code {
            Some(code) => error.string("code", code),
            None => error.null("code"),
        };
        error.close();
        body.close();
        SimReply::json(self.status, out)
    }
}

// === impl Reply ===

impl Reply<'_> {
    /// The members that the whole reply and every chunk share.
    fn head(&self, object: &mut ObjectWriter<'_>, kind: &str) {
        object
            .string("id", &format!("chatcmpl-sim{:016x}", self.id))
            .string("object", kind)
            .number("created", CREATED)
            .string("model", &self.question.asked.model)
            .string("service_tier", "default")
            .string("system_fingerprint", "fp_simulated");
    }

    /// `usage`, with the details that OpenAI gives.
    fn usage(&self, object: &mut ObjectWriter<'_>) {
        let prompt = self.question.asked.prompt_tokens;
        let completion = self.said.iter().map(Said::tokens).sum::<u64>();
        let thoughts = self
            .said
            .iter()
            .map(|said| crate::asked::tokens(said.reasoning.len()));
        let mut usage = object.object("usage");
        usage
            .number("prompt_tokens", prompt)
            .number("completion_tokens", completion)
            .number("total_tokens", prompt + completion);
        let mut details = usage.object("prompt_tokens_details");
        details.number("cached_tokens", 0).number("audio_tokens", 0);
        details.close();
        let mut details = usage.object("completion_tokens_details");
        details
            .number("reasoning_tokens", thoughts.sum())
            .number("audio_tokens", 0)
            .number("accepted_prediction_tokens", 0)
            .number("rejected_prediction_tokens", 0);
        details.close();
        usage.close();
    }

    /// The id of one call.
    fn call_id(&self, choice: usize, call: usize) -> String {
        let place = u64::try_from(choice * 64 + call).unwrap_or_default();
        format!("call_sim{:012x}", Draw::new(self.id ^ place).next() >> 16)
    }

    /// The name of the member that holds reasoning; `None` when it is not to be shown.
    const fn reasoning_key(&self) -> Option<&'static str> {
        match self.question.shown {
            Shown::Content => Some("reasoning_content"),
            Shown::Plain => Some("reasoning"),
            Shown::Hidden => None,
        }
    }

    /// `logprobs` of a run of pieces: plausible, and the same each time.
    fn logprobs<'t>(&self, top: u64, pieces: impl Iterator<Item = &'t str>, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        let list = object.key("content");
        list.push(b'[');
        for (place, piece) in pieces.enumerate() {
            if place > 0 {
                list.push(b',');
            }
            let mut draw = Draw::new(crate::draw::fold(self.id, piece.as_bytes()));
            let thousandths = draw.within(1, 900);
            let mut token = ObjectWriter::open(list);
            logprob(&mut token, piece, thousandths);
            let tops = token.key("top_logprobs");
            tops.push(b'[');
            for rank in 0..top {
                if rank > 0 {
                    tops.push(b',');
                }
                let other = if rank == 0 {
                    piece.to_owned()
                } else {
                    format!("{piece}{rank}")
                };
                let mut entry = ObjectWriter::open(tops);
                logprob(&mut entry, &other, thousandths + rank * 1_500);
                entry.close();
            }
            tops.push(b']');
            token.close();
        }
        list.push(b']');
        object.null("refusal");
        object.close();
    }
}

/// One token with its log probability of minus so many thousandths, and its bytes.
fn logprob(object: &mut ObjectWriter<'_>, token: &str, thousandths: u64) {
    let number = format!("-{}.{:03}", thousandths / 1000, thousandths % 1000);
    let bytes: Vec<String> = token.bytes().map(|byte| byte.to_string()).collect();
    object
        .string("token", token)
        .raw("logprob", number.as_bytes())
        .raw("bytes", format!("[{}]", bytes.join(",")).as_bytes());
}

/// The deployment in Azure's older path, `/openai/deployments/{name}/chat/completions`.
/// Source: <https://learn.microsoft.com/azure/ai-foundry/openai/reference> (2026-06).
fn deployment(path: &str) -> Option<Cow<'_, str>> {
    let (_, rest) = path.split_once("/deployments/")?;
    let (name, _) = rest.split_once('/')?;
    (!name.is_empty()).then_some(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests;
