//! One turn of the model: what it says to the client, and what it asks of the gateway.

use std::time::Duration;

use bytes::Bytes;
use waystation_core::{
    Answer, AnswerChoice, ChatEvent, Delta, Finish, FinishReason, Json, JsonText, ObjectWriter,
    RawJson,
};

/// What the model says in one step, and which calls are whose.
///
/// ```text
/// from upstream                 to the client            kept
/// text "I look. "               text "I look. "          text
/// call 0 web_search {"query"..                           call 0: ours
/// call 1 pay {"usd": 3}         call 0 pay {"usd": 3}    call 1: theirs, shown as 0
/// finish tool_calls             finish tool_calls        not pending: the client's turn
/// ```
///
/// Without the second call the end would be kept too, and the turn pending.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    answer: Answer,
    /// Calls by their index, and what they are.
    calls: Vec<(u32, Whose)>,
    /// How many calls the client has seen.
    shown: u32,
    /// The turn is complete, and asks only the gateway.
    pending: bool,
    /// Reasoning blocks of earlier turns: those of this one are counted on.
    blocks: u64,
    /// The model was told to call nothing more.
    pub(super) is_last: bool,
    /// How long tools took by now.
    pub(super) took: Duration,
}

/// Whose tool is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The gateway's.
    Ours,
    /// The client's, who sees it under this index.
    Theirs(u32),
}

/// One call of a tool of the gateway's.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) id: JsonText,
    pub(super) name: String,
    /// JSON text, as the model wrote it.
    pub(super) arguments: Bytes,
}

// === impl Turn ===

impl Turn {
    /// Takes from `events` what is not the client's. `later`: the client has seen an earlier turn.
    pub(super) fn see(
        &mut self,
        events: &mut Vec<ChatEvent>,
        later: bool,
        is_ours: impl Fn(&str) -> bool,
    ) {
        for event in std::mem::take(events) {
            self.answer.absorb(event.clone());
            match event {
                // The client has the first one.
                ChatEvent::Start(_) if later => {}
                ChatEvent::Delta(delta) => {
                    let delta = self.of_client(delta, &is_ours);
                    if !delta.is_empty() {
                        events.push(ChatEvent::Delta(delta));
                    }
                }
                ChatEvent::Finish(finish) => {
                    events.extend(self.end(finish).map(ChatEvent::Finish));
                }
                other => events.push(other),
            }
        }
    }

    /// A piece without calls of the gateway's tools.
    fn of_client(&mut self, mut delta: Delta, is_ours: impl Fn(&str) -> bool) -> Delta {
        delta.tool_calls.retain_mut(|piece| {
            let known = self.calls.iter().find(|(index, _)| *index == piece.index);
            let whose = known.map(|(_, whose)| *whose).unwrap_or_else(|| {
                let name = piece.name.as_ref().map(JsonText::decode);
                let whose = if name.is_some_and(|name| is_ours(&name)) {
                    Whose::Ours
                } else {
                    self.shown += 1;
                    Whose::Theirs(self.shown - 1)
                };
                self.calls.push((piece.index, whose));
                whose
            });
            match whose {
                Whose::Ours => false,
                Whose::Theirs(index) => {
                    piece.index = index;
                    true
                }
            }
        });
        if let Some(details) = delta.reasoning_details.as_ref().filter(|_| self.blocks > 0) {
            delta.reasoning_details = Some(counted_on(details, self.blocks));
        }
        delta
    }

    /// The end of the turn as the client sees it; `None` where the answer goes on.
    ///
    /// A call of the client's ends the loop: the client has to answer it first. Calls of the gateway's
    /// beside it are not run, since their results would have no place in what the client sends back.
    fn end(&mut self, mut finish: Finish) -> Option<Finish> {
        let ours = self.calls.iter().any(|(_, whose)| *whose == Whose::Ours);
        let theirs = self.shown > 0;
        let ended = matches!(finish.reason, FinishReason::Stop | FinishReason::ToolCalls);
        if !ours || theirs || !ended {
            return Some(finish);
        }
        if self.is_last {
            finish.reason = FinishReason::Stop;
            return Some(finish);
        }
        self.pending = true;
        None
    }

    /// Whether the turn is complete, and asks only the gateway.
    pub(super) const fn goes_on(&self) -> bool {
        self.pending
    }

    /// The turn that is over; the next one begins here.
    pub(super) fn next(&mut self) -> Self {
        let blocks = self.blocks + highest(self.choice());
        let next = Self {
            blocks,
            is_last: self.is_last,
            took: self.took,
            ..Self::default()
        };
        std::mem::replace(self, next)
    }

    fn choice(&self) -> Option<&AnswerChoice> {
        self.answer.choices.iter().find(|choice| choice.index == 0)
    }

    /// What the turn asks of the gateway.
    pub(super) fn calls(&self) -> Vec<Call> {
        let calls = self.choice().map_or(&[][..], |choice| &choice.tool_calls);
        let ours = |index: u32| self.calls.contains(&(index, Whose::Ours));
        let mine = calls.iter().filter(|call| ours(call.index));
        mine.map(|call| Call {
            id: call.id.clone(),
            name: call.name.decode().into_owned(),
            arguments: Bytes::from(call.arguments().decode().into_owned()),
        })
        .collect()
    }

    /// How the turn ended.
    pub(super) fn finish(&self) -> Option<FinishReason> {
        Some(self.choice()?.finish.as_ref()?.reason)
    }

    /// Writes the turn as a message of the assistant.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut message = ObjectWriter::open(out);
        message.string("role", "assistant");
        let choice = self.choice();
        match choice.and_then(AnswerChoice::content) {
            Some(content) if !content.is_empty() => message.text("content", &content),
            _ => message.null("content"),
        };
        if let Some(reasoning) = choice.and_then(AnswerChoice::reasoning) {
            message.text("reasoning", &reasoning);
        }
        // Signatures go back to whom they came from.
        if let Some(details) = choice.and_then(AnswerChoice::reasoning_details) {
            message.json("reasoning_details", &details);
        }
        let list = message.key("tool_calls");
        list.push(b'[');
        for (place, call) in self.calls().iter().enumerate() {
            if place > 0 {
                list.push(b',');
            }
            let mut one = ObjectWriter::open(list);
            one.text("id", &call.id).string("type", "function");
            let mut function = one.object("function");
            let arguments = String::from_utf8_lossy(&call.arguments);
            function
                .string("name", &call.name)
                .string("arguments", &arguments);
            function.close();
            one.close();
        }
        list.push(b']');
        message.close();
    }
}

/// One more than the highest index among the reasoning blocks of a choice.
fn highest(choice: Option<&AnswerChoice>) -> u64 {
    let details = choice.and_then(AnswerChoice::reasoning_details);
    let blocks = details.iter().flat_map(|details| details.json().elements());
    let indices = blocks.map(|block| block.get("index").and_then(Json::u64).unwrap_or_default());
    indices.max().map_or(0, |highest| highest + 1)
}

/// The blocks with `by` added to their indices, so that blocks of two turns are never taken for one.
fn counted_on(details: &RawJson, by: u64) -> RawJson {
    let mut out = vec![b'['];
    for (place, block) in details.json().elements().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let mut object = ObjectWriter::open(&mut out);
        for (key, value) in block.members() {
            match value.u64().filter(|_| key.is("index")) {
                Some(index) => {
                    object.number("index", index + by);
                }
                None => object
                    .escaped_key(key.escaped())
                    .extend_from_slice(value.bytes()),
            }
        }
        object.close();
    }
    out.push(b']');
    RawJson::parse(&out.into()).unwrap_or_else(|_| details.clone())
}
