//! OpenAI's chat completions as a server: the wire of `POST …/chat/completions`, Azure's paths
//! included.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat> (2026-06) and recorded replies.
//! Keys are not checked: what a simulated upstream accepts is no business of its credentials.
//!
//! # What is read
//!
//! | member | what comes of it |
//! |---|---|
//! | `messages` | the last user's text is the prompt; the last role decides who spoke |
//! | `tools`, `tool_choice`, `parallel_tool_calls` | calls; tools without `function` are the host's business |
//! | `response_format` | `json_object` and `json_schema`; other types mean plain text |
//! | `max_completion_tokens`, `max_tokens` | the limit; the first counts when both are there |
//! | `reasoning`, `reasoning_effort`, `thinking`, `enable_thinking` | hosts' spellings of one wish, in this order |
//! | `web_search_options`, `enable_search`, a tool `web_search` | hosts' spellings of one more wish: a search that the host runs |
//! | `n`, `stop`, `logprobs`, `top_logprobs` | 1 to 128 choices; texts; up to 20 alternatives |
//! | `stream`, `stream_options.include_usage` | a stream, and where its usage goes |
//!
//! Everything else (`temperature`, `seed`, `user`) changes nothing but the hash of the question, and
//! with it the wording.
//!
//! # What is written
//!
//! Each choice of a stream begins with a chunk that has the role, then come deltas, then a chunk with
//! an empty `delta` and its `finish_reason`, then perhaps a usage chunk with `choices: []`, then
//! `[DONE]`. Choices take turns. A call's first delta has `id`, `type` and `name`, the others only
//! arguments; beside calls `content` is `null`.
//! Source: <https://platform.openai.com/docs/api-reference/chat-streaming> (2026-06).
//!
//! Reasoning is in `reasoning_content`, as most hosts write it; in `reasoning` for those who asked with
//! a `reasoning` object; nowhere with `exclude: true`, though `reasoning_tokens` still count it.
//!
//! What a search found is in the message's `annotations`, or in a delta of that name behind the last
//! words, as OpenAI's search models write it; the wire has no place for the query, and no count.
//! Source: <https://platform.openai.com/docs/guides/tools-web-search> (2026-08). Hosts that list their
//! sources beside the choices are acted out for requests that only they get:
//!
//! | request | sources |
//! |---|---|
//! | a tool `web_search` with a member of that name | `web_search`, in a stream on the chunk that finishes; as Z.ai has it (<https://docs.z.ai/api-reference/tools/web-search>, 2026-11) |
//! | a model `sonar…`, which always searches | `citations` and `search_results`, on every chunk, as Perplexity's recorded replies have it |
//!
//! Errors are `{"error":{"message","type","param","code"}}`; the envelope is shared with Responses.

mod request;
mod stream;
mod whole;

use std::borrow::Cow;

use http::{StatusCode, header};
use waystation_core::{Json, JsonText, ObjectWriter};

use super::{
    Dialect,
    answer::{CREATED, array, object},
    body::Refusal,
    envelope, logprob,
};
use crate::{
    SimReply,
    draw::Draw,
    mind::{self, Said},
    simulator::Arrival,
};
use request::{Question, Shown, Sources};

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
        let question = match request::read(arrival, self.model(arrival)) {
            Ok(question) => question,
            Err(refusal) => return envelope::write(&refusal),
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
        envelope::of_status(status, message)
    }
}

// === impl Nowhere ===

impl Dialect for Nowhere {
    fn serves(&self, _: &str) -> bool {
        true
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        let message = format!("invalid URL ({} {})", arrival.method, arrival.path);
        envelope::write(&Refusal {
            status: StatusCode::NOT_FOUND,
            ..Refusal::of("", message)
        })
    }

    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        envelope::of_status(status, message)
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

    /// What the search found, as hosts write it beside the choices. `last`: nothing comes behind.
    fn sources(&self, last: bool, object: &mut ObjectWriter<'_>) {
        let search = self.said.iter().find_map(|said| said.search.as_ref());
        let Some(search) = search else {
            return;
        };
        match self.question.sources {
            Sources::Repeated => {
                array(object.key("citations"), &search.sources, |source, out| {
                    out.extend_from_slice(JsonText::of(&source.url).quoted().bytes());
                });
                let results = object.key("search_results");
                array(results, &search.sources, |source, out| {
                    source.write("url", "snippet", out);
                });
            }
            Sources::Linked if last => {
                array(object.key("web_search"), &search.sources, |source, out| {
                    source.write("link", "content", out);
                });
            }
            Sources::Linked | Sources::Annotations => {}
        }
    }

    /// `annotations` of one answer: what its words cite, where the host says so there.
    fn annotations(&self, said: &Said, out: &mut Vec<u8>) {
        let search = said.search.as_ref().zip(said.text.as_deref());
        let here = self.question.sources == Sources::Annotations;
        let search = search.filter(|_| here);
        let cited = search.map(|(search, text)| search.cited(text));
        array(out, cited.into_iter().flatten(), |cited, out| {
            object(out, |annotation| {
                annotation.string("type", "url_citation");
                let mut citation = annotation.object("url_citation");
                cited.write(&mut citation);
                citation.close();
            });
        });
    }

    /// `logprobs` of a run of pieces: plausible, and the same each time.
    fn logprobs<'t>(&self, top: u64, pieces: impl Iterator<Item = &'t str>, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        logprob::list(self.id, top, pieces, object.key("content"));
        object.null("refusal");
        object.close();
    }
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
