//! Reads replies: events and whole messages, from their start to `message_stop`. The blocks in them
//! are read in `block`, the bytes in `crate::intake`.
//!
//! A stream is `message_start`, blocks one after the other (`content_block_start`,
//! `content_block_delta`, `content_block_stop`), `message_delta` with the reason of the end and the
//! counts, `message_stop`; `ping` anywhere. A whole reply is the message itself. Events whose type
//! nobody knows are passed by, for the wire promises to bring out more of them.
//!
//! What ends a reply is kept until `message_stop` says that it is complete, so that nothing can come
//! behind a finish reason, and a reply that breaks off never has one.

use bytes::Bytes;
use waystation_core::{
    ChatEvent, ChatRequest, Delta, Finish, FinishReason, Json, JsonText, Kind, Start, Target, Usage,
};

use super::{
    block::{Block, Blocks},
    request::Sent,
    usage::Counts,
};
use crate::{
    SseEvent,
    field::fields,
    finish,
    intake::{Failed, Heard, Intake, Listener},
};

/// How many blocks may be open at once. Anthropic has one; a host that never stops any must not fill
/// the memory.
const MAX_OPEN: usize = 256;

fields! {
    /// One event.
    Event {
        kind = "type", index, message, content_block, delta, usage, error,
    }
}

fields! {
    /// A message: a whole reply, or the start of a stream.
    MessageFields {
        kind = "type", id, model, content, usage, error, stop_reason, stop_details,
    }
}

/// What the reply has said so far.
#[derive(Debug)]
pub(super) struct Reply {
    /// What was given out, and how blocks are read.
    blocks: Blocks,
    /// The blocks that were started and not stopped, by the index that the host gave.
    open: Vec<(u64, Block)>,
    /// What the reply is was said.
    started: bool,
    /// Why the model stopped, in the host's word.
    stop: Option<JsonText>,
    /// Why the model refused, in the host's words.
    refusal: Option<JsonText>,
    /// What was counted.
    counts: Counts,
    /// The latest event was a piece of a text, and no citation in it.
    texted: bool,
}

/// The reader of the reply to `chat`, of which `sent` was made.
pub(super) fn expecting(chat: &ChatRequest, to: &Target<'_>, sent: Sent) -> Intake<Reply> {
    let hides = chat.reasoning().is_some_and(|wish| wish.exclude);
    let reply = Reply {
        blocks: Blocks::of(sent, hides),
        open: Vec::new(),
        started: false,
        stop: None,
        refusal: None,
        counts: Counts::default(),
        texted: false,
    };
    Intake::new(reply, chat.stream(), to.lease.secret.clone())
}

impl Listener for Reply {
    fn words(&mut self, event: &SseEvent, _: &mut Vec<ChatEvent>) -> Result<Heard, Failed> {
        match event.name.as_deref() {
            Some(b"error") => Err(Failed::Said(event.data.clone())),
            _ => Ok(Heard::More),
        }
    }

    fn event(
        &mut self,
        json: Json<'_>,
        event: &SseEvent,
        out: &mut Vec<ChatEvent>,
    ) -> Result<Heard, Failed> {
        let data = &event.data;
        self.texted = false;
        let said = Event::of(json.elements().next().unwrap_or(json));
        let kind = said.kind.and_then(Json::string).unwrap_or_default();
        if kind == "error" || event.name.as_deref() == Some(b"error") || fails(said.error) {
            return Err(Failed::Said(data.clone()));
        }
        let index = said.index.and_then(Json::u64).unwrap_or_default();
        match &*kind {
            "message_start" => {
                if let Some(message) = said.message {
                    self.start(&MessageFields::of(message), data, out);
                }
            }
            "content_block_start" => {
                if let Some(block) = said.content_block {
                    self.start_block(index, block, data, out);
                }
            }
            "content_block_delta" => {
                let open = self.open.iter_mut().find(|(at, _)| *at == index);
                if let Some(((_, block), delta)) = open.zip(said.delta) {
                    let mut piece = Delta::of(0);
                    let text = matches!(block, Block::Text { .. });
                    self.texted = text && delta.get("citation").is_none();
                    self.blocks.take(block, delta, data, &mut piece);
                    give(piece, out);
                }
            }
            "content_block_stop" => {
                if let Some(at) = self.open.iter().position(|(at, _)| *at == index) {
                    let (_, block) = self.open.remove(at);
                    self.stop_block(block, out);
                }
            }
            "message_delta" => {
                if let Some(delta) = said.delta {
                    self.take_stop(&MessageFields::of(delta), data);
                }
                self.counts.end();
                self.count(said.usage);
            }
            "message_stop" => {
                self.close(out)?;
                return Ok(Heard::Complete);
            }
            // `ping`, and what is not known yet.
            _ => {}
        }
        Ok(Heard::More)
    }

    fn whole(
        &mut self,
        reply: Json<'_>,
        body: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), Failed> {
        let message = MessageFields::of(reply.elements().next().unwrap_or(reply));
        if fails(message.error) || message.kind.is_some_and(|kind| kind.is("error")) {
            return Err(Failed::Said(body.clone()));
        }
        let content = message
            .content
            .filter(|content| content.kind() == Kind::Array);
        let Some(content) = content else {
            return Err(Failed::Garbage("expected content in the reply, found none"));
        };
        self.start(&message, body, out);
        for block in content.elements() {
            let mut piece = Delta::of(0);
            let block = self.blocks.start(block, body, &mut piece);
            give(piece, out);
            self.stop_block(block, out);
        }
        self.take_stop(&message, body);
        self.close(out)
    }

    fn end(&mut self, _out: &mut Vec<ChatEvent>) -> Result<(), Failed> {
        Err(Failed::Garbage("the stream ended without message_stop"))
    }

    fn repeats(&self) -> bool {
        self.texted
    }

    fn again(&mut self, text: &JsonText) {
        self.blocks.said(text);
    }

    fn reported(&self) -> Option<Usage> {
        self.counts.so_far()
    }
}

// === impl Reply ===

impl Reply {
    /// Says what the reply is.
    fn start(&mut self, message: &MessageFields<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let tier = message.usage.and_then(|usage| self.counts.take(usage));
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let text = |value: Option<Json<'_>>| {
            let text = value.and_then(|text| text.json_text(data));
            text.filter(|text| !text.is_empty())
        };
        out.push(ChatEvent::Start(Start {
            id: text(message.id),
            model: text(message.model),
            service_tier: text(tier),
            ..Start::default()
        }));
    }

    /// Starts a block. One that was never stopped ends here.
    fn start_block(&mut self, index: u64, block: Json<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        if let Some(at) = self.open.iter().position(|(at, _)| *at == index) {
            let (_, before) = self.open.remove(at);
            self.stop_block(before, out);
        }
        let mut piece = Delta::of(0);
        let block = self.blocks.start(block, data, &mut piece);
        give(piece, out);
        if self.open.len() < MAX_OPEN {
            // Nearly always there is one.
            self.open.reserve_exact(1);
            self.open.push((index, block));
        } else {
            self.stop_block(block, out);
        }
    }

    /// Stops a block.
    fn stop_block(&mut self, block: Block, out: &mut Vec<ChatEvent>) {
        let mut piece = Delta::of(0);
        self.blocks.stop(block, &mut piece);
        give(piece, out);
    }

    /// Keeps how the reply ended.
    fn take_stop(&mut self, message: &MessageFields<'_>, data: &Bytes) {
        let text = |value: Option<Json<'_>>| {
            let text = value.and_then(|text| text.json_text(data));
            text.filter(|text| !text.is_empty())
        };
        self.stop = text(message.stop_reason).or_else(|| self.stop.take());
        let why = message
            .stop_details
            .and_then(|details| details.get("explanation"));
        self.refusal = text(why).or_else(|| self.refusal.take());
    }

    /// Takes counts in.
    fn count(&mut self, usage: Option<Json<'_>>) {
        if let Some(usage) = usage {
            self.counts.take(usage);
        }
    }

    /// Everything has come: the choice ends, then the counts follow.
    fn close(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Failed> {
        let Some(native) = self.stop.take() else {
            return Err(Failed::Garbage("the reply ended without a stop reason"));
        };
        for (_, block) in std::mem::take(&mut self.open) {
            self.stop_block(block, out);
        }
        if self.refusal.is_some() || !self.blocks.shown {
            let mut last = Delta::of(0);
            last.refusal = self.refusal.take().map(Box::new);
            last.content = (!self.blocks.shown).then(JsonText::default);
            give(last, out);
        }
        let called = self.blocks.called();
        let reason = match finish::reason_of(&native, called) {
            // The tool was the answer.
            FinishReason::ToolCalls if !called && self.blocks.emulates() => FinishReason::Stop,
            reason => reason,
        };
        out.push(ChatEvent::Finish(Finish {
            choice: 0,
            reason,
            native: Some(native),
        }));
        if let Some(usage) = self.counts.usage() {
            out.push(ChatEvent::Usage(Box::new(usage)));
        }
        Ok(())
    }
}

/// Gives out a piece, unless it is empty.
fn give(piece: Delta, out: &mut Vec<ChatEvent>) {
    if !piece.is_empty() {
        out.push(ChatEvent::Delta(piece));
    }
}

/// Whether an `error` member says that something failed.
fn fails(error: Option<Json<'_>>) -> bool {
    error.is_some_and(|error| match error.kind() {
        Kind::Object => error.members().next().is_some(),
        Kind::String => error.escaped().is_some_and(|text| !text.is_empty()),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array => false,
    })
}
