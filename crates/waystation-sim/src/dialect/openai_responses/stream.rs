//! Writes a response as a stream: its beginning, each item with its parts and their pieces, its end.
//! The end is `response.completed` or `response.incomplete`; there is no `[DONE]`.
//!
//! | item | events between `output_item.added` and `output_item.done` |
//! |---|---|
//! | reasoning with a summary | `reasoning_summary_part.added`, `reasoning_summary_text.delta`s and `.done`, `reasoning_summary_part.done` |
//! | reasoning without one | none |
//! | search | `web_search_call.in_progress`, `.searching`, `.completed` |
//! | message | `content_part.added`, `output_text.delta`s, each citation as `output_text.annotation.added` when its words are there, `output_text.done`, `content_part.done` |
//! | call | `function_call_arguments.delta`s and `.done` |
//!
//! Each name stands behind `response.`. Deltas take time by their bytes; every other event comes at
//! once behind the one before it.

use waystation_core::ObjectWriter;

use super::{Reply, Stage, item, item::Item};
use crate::{
    SimReply,
    dialect::answer::{Flow, event},
    mind,
    pacing::Tempo,
};

/// The events so far.
struct Scribe<'a> {
    reply: &'a Reply<'a>,
    flow: Flow,
    /// How many events there were.
    number: u64,
}

/// Where a part stands: the item's id and place, and what its own place is called.
struct Part<'a> {
    id: String,
    place: usize,
    /// `summary_index` or `content_index`; calls have no parts.
    index: Option<&'a str>,
}

/// The stream, one event a piece.
pub(super) fn write(reply: &Reply<'_>, tempo: Tempo) -> SimReply {
    let flow = Flow::sse(tempo);
    let mut scribe = Scribe {
        reply,
        flow,
        number: 0,
    };
    scribe.response("response.created", Stage::Begun);
    scribe.response("response.in_progress", Stage::Begun);
    for (place, item) in reply.items().into_iter().enumerate() {
        scribe.item("response.output_item.added", item, place, Stage::Begun);
        scribe.inside(item, place);
        scribe.item("response.output_item.done", item, place, Stage::Ended);
    }
    let last = if reply.is_cut() {
        "response.incomplete"
    } else {
        "response.completed"
    };
    scribe.response(last, Stage::Ended);
    scribe.flow.close()
}

// === impl Scribe ===

impl Scribe<'_> {
    /// An event whose own members `write` writes.
    fn event(&mut self, name: &str, bytes: usize, write: impl FnOnce(&mut ObjectWriter<'_>)) {
        let number = self.number;
        self.number += 1;
        let event = event(name, |object| {
            object.string("type", name);
            write(object);
            object.number("sequence_number", number);
        });
        self.flow.push(bytes, event);
    }

    /// An event about the response as such.
    fn response(&mut self, name: &str, stage: Stage) {
        let reply = self.reply;
        self.event(name, 0, |object| {
            reply.response(stage, object.key("response"));
        });
    }

    /// An event about an item as such.
    fn item(&mut self, name: &str, item: Item, place: usize, stage: Stage) {
        let reply = self.reply;
        self.event(name, 0, |object| {
            item.write(reply, place, stage, object.key("item"));
            object.number("output_index", count(place));
        });
    }

    /// What happens between the beginning and the end of an item.
    fn inside(&mut self, item: Item, place: usize) {
        let reply = self.reply;
        let of = |index| Part {
            id: item.id(reply, place),
            place,
            index,
        };
        match item {
            Item::Reasoning if reply.question.summary => {
                let (part, text) = (of(Some("summary_index")), &*reply.answer.said.reasoning);
                let name = "response.reasoning_summary_part.added";
                self.part(name, &part, |out| item::summary("", out));
                for piece in mind::pieces(text) {
                    let name = "response.reasoning_summary_text.delta";
                    self.delta(name, &part, piece);
                }
                self.done("response.reasoning_summary_text.done", &part, "text", text);
                let name = "response.reasoning_summary_part.done";
                self.part(name, &part, |out| item::summary(text, out));
            }
            Item::Reasoning => {}
            Item::Search => {
                let part = of(None);
                for stage in ["in_progress", "searching", "completed"] {
                    let name = format!("response.web_search_call.{stage}");
                    self.event(&name, 0, |object| part.write(object));
                }
            }
            Item::Message => self.message(&of(Some("content_index"))),
            Item::Call(nth) => {
                let call = reply.answer.said.calls.get(nth);
                let arguments = call.map_or("", |call| &*call.arguments);
                let part = of(None);
                for piece in mind::pieces(arguments) {
                    self.delta("response.function_call_arguments.delta", &part, piece);
                }
                let name = "response.function_call_arguments.done";
                self.done(name, &part, "arguments", arguments);
            }
        }
    }

    /// The one part of a message.
    fn message(&mut self, part: &Part<'_>) {
        let reply = self.reply;
        let text = reply.answer.text().unwrap_or_default();
        let name = "response.content_part.added";
        self.part(name, part, |out| item::output_text(reply, "", out));
        let cited = item::cited(reply, text);
        let mut waiting = (0..).zip(&cited).peekable();
        let mut told = 0;
        for piece in mind::pieces(text) {
            self.event("response.output_text.delta", piece.len(), |object| {
                part.write(object);
                object.string("delta", piece);
                item::logprobs(reply, piece, object);
            });
            told += piece.len();
            while let Some((nth, cited)) = waiting.next_if(|(_, cited)| cited.bytes.end <= told) {
                let name = "response.output_text.annotation.added";
                self.event(name, 0, |object| {
                    part.write(object);
                    object.number("annotation_index", nth);
                    item::annotation(cited, object.key("annotation"));
                });
            }
        }
        self.event("response.output_text.done", 0, |object| {
            part.write(object);
            object.string("text", text);
            item::logprobs(reply, text, object);
        });
        let name = "response.content_part.done";
        self.part(name, part, |out| item::output_text(reply, text, out));
    }

    /// An event about a part as such.
    fn part(&mut self, name: &str, part: &Part<'_>, write: impl FnOnce(&mut Vec<u8>)) {
        self.event(name, 0, |object| {
            part.write(object);
            write(object.key("part"));
        });
    }

    /// A piece of a part.
    fn delta(&mut self, name: &str, part: &Part<'_>, piece: &str) {
        self.event(name, piece.len(), |object| {
            part.write(object);
            object.string("delta", piece);
        });
    }

    /// A part's text, whole.
    fn done(&mut self, name: &str, part: &Part<'_>, key: &str, text: &str) {
        self.event(name, 0, |object| {
            part.write(object);
            object.string(key, text);
        });
    }
}

// === impl Part ===

impl Part<'_> {
    /// Writes where the part stands.
    fn write(&self, object: &mut ObjectWriter<'_>) {
        object
            .string("item_id", &self.id)
            .number("output_index", count(self.place));
        if let Some(index) = self.index {
            object.number(index, 0);
        }
    }
}

/// A place as the wire counts it.
fn count(place: usize) -> u64 {
    u64::try_from(place).unwrap_or_default()
}
