//! The items of an output: reasoning, a search, the message, each call. Written empty when they begin, and
//! whole when they end and in the response.
//!
//! An id is made of the answer's number and the item's place, so that the same item has the same id in
//! every event and in the response. Reasoning without `summary` is an item with an empty list: it is
//! counted, and clients send it back before its calls.

use waystation_core::{JsonText, ObjectWriter};

use super::{Reply, Stage};
use crate::{
    dialect::{
        answer::{array, object},
        logprob,
    },
    mind,
    search::Cited,
};

/// One item of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The thoughts.
    Reasoning,
    /// The search that the host ran.
    Search,
    /// The words.
    Message,
    /// One call, by its place among the calls.
    Call(usize),
}

// === impl Item ===

impl Item {
    /// The item's id; `place` is where it stands in the output.
    pub(super) fn id(self, reply: &Reply<'_>, place: usize) -> String {
        let prefix = match self {
            Self::Reasoning => "rs",
            Self::Search => "ws",
            Self::Message => "msg",
            Self::Call(_) => "fc",
        };
        let (id, name) = (reply.answer.id, reply.answer.name(place));
        format!("{prefix}_sim{id:016x}{name:012x}")
    }

    /// Writes the item as it is at this stage.
    pub(super) fn write(self, reply: &Reply<'_>, place: usize, stage: Stage, out: &mut Vec<u8>) {
        object(out, |object| {
            object.string("id", &self.id(reply, place));
            match self {
                Self::Reasoning => reasoning(reply, stage, object),
                Self::Search => search(reply, stage, object),
                Self::Message => message(reply, stage, object),
                Self::Call(nth) => call(reply, nth, stage, object),
            }
        });
    }
}

/// The status of an item: one that the limit broke off is not complete. It is always the last.
const fn status(stage: Stage, cut: bool) -> &'static str {
    match (stage, cut) {
        (Stage::Begun, _) => "in_progress",
        (Stage::Ended, true) => "incomplete",
        (Stage::Ended, false) => "completed",
    }
}

fn reasoning(reply: &Reply<'_>, stage: Stage, object: &mut ObjectWriter<'_>) {
    object.string("type", "reasoning");
    if reply.question.sealed {
        object.string("encrypted_content", &reply.answer.seal());
    }
    let shown = reply.question.summary && stage == Stage::Ended;
    array(object.key("summary"), shown.then_some(()), |(), out| {
        summary(&reply.answer.said.reasoning, out);
    });
}

/// One part of a summary.
pub(super) fn summary(text: &str, out: &mut Vec<u8>) {
    object(out, |part| {
        part.string("type", "summary_text").string("text", text);
    });
}

fn search(reply: &Reply<'_>, stage: Stage, object: &mut ObjectWriter<'_>) {
    object
        .string("type", "web_search_call")
        .string("status", status(stage, false));
    let search = reply.answer.said.search.as_ref();
    if let Some(search) = search.filter(|_| stage == Stage::Ended) {
        let mut action = object.object("action");
        action
            .string("type", "search")
            .string("query", &search.query);
        array(action.key("queries"), [&search.query], |query, out| {
            out.extend_from_slice(JsonText::of(query).quoted().bytes());
        });
        action.close();
    }
}

fn message(reply: &Reply<'_>, stage: Stage, object: &mut ObjectWriter<'_>) {
    object
        .string("type", "message")
        .string("status", status(stage, reply.is_cut()))
        .string("role", "assistant");
    let text = reply.answer.text().filter(|_| stage == Stage::Ended);
    array(object.key("content"), text, |text, out| {
        output_text(reply, text, out);
    });
}

/// One part of a message.
pub(super) fn output_text(reply: &Reply<'_>, text: &str, out: &mut Vec<u8>) {
    object(out, |part| {
        part.string("type", "output_text");
        let cited = cited(reply, text);
        array(part.key("annotations"), &cited, |cited, out| {
            annotation(cited, out);
        });
        logprobs(reply, text, part);
        part.string("text", text);
    });
}

/// What `text` cites of the search that was run.
pub(super) fn cited<'a>(reply: &'a Reply<'_>, text: &str) -> Vec<Cited<'a>> {
    let search = reply.answer.said.search.as_ref();
    search.map(|search| search.cited(text)).unwrap_or_default()
}

/// One citation.
pub(super) fn annotation(cited: &Cited<'_>, out: &mut Vec<u8>) {
    object(out, |annotation| {
        annotation.string("type", "url_citation");
        cited.write(annotation);
    });
}

/// `logprobs` of a text: none unless they are wanted.
pub(super) fn logprobs(reply: &Reply<'_>, text: &str, object: &mut ObjectWriter<'_>) {
    let out = object.key("logprobs");
    match reply.question.logprobs {
        Some(top) => logprob::list(reply.answer.id, top, mind::pieces(text), out),
        None => out.extend_from_slice(b"[]"),
    }
}

fn call(reply: &Reply<'_>, nth: usize, stage: Stage, object: &mut ObjectWriter<'_>) {
    let calls = &reply.answer.said.calls;
    let Some(call) = calls.get(nth) else {
        return;
    };
    let cut = reply.is_cut() && nth + 1 == calls.len();
    let arguments = match stage {
        Stage::Begun => "",
        Stage::Ended => &call.arguments,
    };
    object
        .string("type", "function_call")
        .string("status", status(stage, cut))
        .string("arguments", arguments)
        .string("call_id", &call_id(reply, nth))
        .string("name", &call.name);
}

/// The id that the call's result will name.
fn call_id(reply: &Reply<'_>, nth: usize) -> String {
    format!("call_sim{:012x}", reply.answer.name(64 + nth))
}
