//! One answer on its way to a wire: what was said, with the counts and numbers that every wire writes
//! beside it. How they are written is each wire's own.
//!
//! Three promises are kept here for all wires: ids and times come from the question's hash and a fixed
//! day, so that replies can be compared byte for byte; arguments that the limit broke off become an
//! empty object where the wire has no place for half of one; and a whole reply is due when the last
//! token of its stream would have been.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use waystation_core::{Json, Kind, ObjectWriter};

use crate::{
    SimReply,
    asked::{Asked, tokens},
    draw::Draw,
    mind::{self, Said},
    pacing::Tempo,
};

/// When every simulated reply was made: 2026-01-01T00:00:00Z. The simulator reads no clock.
pub(super) const CREATED: u64 = 1_767_225_600;

/// One answer to one question.
pub(super) struct Answer<'a> {
    /// What was asked.
    pub(super) asked: &'a Asked<'a>,
    /// What is said.
    pub(super) said: Said,
    /// Numbers for the reply's names.
    pub(super) id: u64,
}

/// A stream on its way: one event a piece, each due at a tempo.
pub(super) struct Flow {
    reply: SimReply,
    tempo: Tempo,
    nth: usize,
}

// === impl Answer ===

impl<'a> Answer<'a> {
    /// Answers `asked`; each `choice`, counted from 0, in other words.
    pub(super) fn to(asked: &'a Asked<'a>, choice: u64) -> Self {
        Self {
            asked,
            said: mind::answer(asked, choice),
            id: Draw::new(asked.key.wrapping_add(choice)).next(),
        }
    }

    /// The same for wires that carry arguments as objects: what is broken off by the limit cannot
    /// be written, and becomes an empty one, streamed or whole.
    pub(super) fn in_objects(asked: &'a Asked<'a>, choice: u64) -> Self {
        let mut answer = Self::to(asked, choice);
        for call in &mut answer.said.calls {
            let arguments = Json::parse(call.arguments.as_bytes()).map(Json::kind);
            if arguments != Ok(Kind::Object) {
                call.arguments = "{}".into();
            }
        }
        answer
    }

    /// Tokens of the reasoning.
    pub(super) fn thoughts(&self) -> u64 {
        tokens(self.said.reasoning.len())
    }

    /// The words, unless there are none: the limit was met before them.
    pub(super) fn text(&self) -> Option<&str> {
        let cut = |text: &&str| self.said.reasoning.is_empty() || !text.is_empty();
        self.said.text.as_deref().filter(cut)
    }

    /// A number for the name of the reply's `nth` thing: 48 bits, the same each time.
    pub(super) const fn name(&self, nth: usize) -> u64 {
        Draw::new(self.id ^ (nth as u64).wrapping_add(1)).next() >> 16
    }

    /// What stands for the seal of the reasoning: letters that say that nothing is sealed.
    pub(super) fn seal(&self) -> String {
        format!("c2ltdWxhdGVk{:016x}{:012x}", self.id, self.name(usize::MAX))
    }

    /// A whole reply, due when its last token would have come.
    pub(super) fn whole(&self, body: Vec<u8>, tempo: Tempo) -> SimReply {
        let mut whole = SimReply::json(StatusCode::OK, body);
        whole.delay = self.took(tempo);
        whole
    }

    /// How long the answer takes at `tempo`.
    pub(super) fn took(&self, tempo: Tempo) -> Duration {
        let bytes = usize::try_from(self.said.tokens() * 4).unwrap_or(usize::MAX);
        tempo.first() + tempo.text(bytes)
    }
}

// === impl Flow ===

impl Flow {
    /// A stream of server-sent events.
    pub(super) fn sse(tempo: Tempo) -> Self {
        Self::over(SimReply::stream::<Bytes>([]), tempo)
    }

    /// A stream whose head is that of `reply`.
    pub(super) fn over(mut reply: SimReply, tempo: Tempo) -> Self {
        reply.delay = tempo.first();
        Self {
            reply,
            tempo,
            nth: 0,
        }
    }

    /// Appends an event that brings so many bytes of text; one without text takes no time.
    pub(super) fn push(&mut self, bytes: usize, event: impl Into<Bytes>) {
        self.nth += 1;
        let due = self.tempo.piece(bytes, self.nth);
        let reply = std::mem::replace(&mut self.reply, SimReply::status(StatusCode::OK));
        self.reply = reply.then(due, event);
    }

    /// The stream, complete.
    pub(super) fn close(self) -> SimReply {
        self.reply
    }
}

/// One server-sent event with a name, whose data is the object that `write` fills.
pub(super) fn event(name: &str, write: impl FnOnce(&mut ObjectWriter<'_>)) -> Vec<u8> {
    let mut out = format!("event: {name}\ndata: ").into_bytes();
    object(&mut out, write);
    out.extend_from_slice(b"\n\n");
    out
}

/// Writes an object that `write` fills.
pub(super) fn object(out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectWriter<'_>)) {
    let mut object = ObjectWriter::open(out);
    write(&mut object);
    object.close();
}

/// Writes an array, each of its elements by `write`.
pub(super) fn array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}
