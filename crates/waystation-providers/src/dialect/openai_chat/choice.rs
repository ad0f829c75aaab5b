//! One choice of a reply, from the deltas or the message in which it comes. Chunks and counts are
//! the reader's; what ends a choice is kept here until the reader says that the reply is complete,
//! so that nothing can come behind a finish reason, and a reply that breaks off never has one.

use bytes::Bytes;
use waystation_core::{ChatEvent, Delta, Finish, Json, JsonText, Kind, RawJson, ToolCallDelta};

use super::{
    call::{Calls, Origin},
    citation,
    field::{ChoiceFields, Said, first},
    think::{Parted, Think},
};
use crate::finish;

/// What is known of one choice so far.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) index: u32,
    calls: Calls,
    think: Option<Think>,
    /// A delta has come: a message beside it repeats what was said.
    streamed: bool,
    /// Content was there, if only as an empty string.
    said: bool,
    /// Something other than an empty string was given out.
    shown: bool,
    finish: Option<(JsonText, JsonText)>,
    /// What the latest search of the host's own tools has found.
    found: Option<RawJson>,
}

/// How a reply is read: the quirks and wishes that matter to its choices, and its form.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habits {
    /// Text between `<think>` tags is reasoning.
    pub(super) think_tags: bool,
    /// The client does not want to see reasoning.
    pub(super) exclude_reasoning: bool,
    /// The reply is whole, not streamed.
    pub(super) whole: bool,
}

// === impl Choice ===

impl Choice {
    /// A choice of which nothing has come yet.
    pub(super) fn new(index: u32, habits: Habits) -> Self {
        Self {
            index,
            think: habits.think_tags.then(Think::default),
            ..Self::default()
        }
    }

    /// Whether a finish reason has come.
    pub(super) const fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether a call was begun.
    pub(super) fn calls(&self) -> bool {
        self.calls.any()
    }

    /// Takes one element of `choices`, which stands in `data`.
    pub(super) fn take<'a>(
        &mut self,
        json: &ChoiceFields<'a>,
        data: &Bytes,
        reply: &[u8],
        habits: Habits,
    ) -> Option<ChatEvent> {
        let mut out = Delta::of(self.index);
        let object = |value: Option<Json<'a>>| value.filter(|value| value.kind() == Kind::Object);
        let message = object(json.message).filter(|_| !self.streamed);
        // Perplexity sends both: a whole reply has an empty delta, a stream repeats itself.
        let delta = object(json.delta).filter(|_| !habits.whole || message.is_none());
        if let Some(said) = delta.or(message).map(Said::of) {
            self.streamed |= delta.is_some();
            self.say(&said, data, &mut out);
            out.tool_calls = self.call(&said, data, reply, delta.is_none());
        } else if let Some(text) = json.text.filter(|_| !self.streamed) {
            self.content(text, data, &mut out);
        }
        out.logprobs = raw(json.logprobs, data).map(Box::new);
        self.take_finish(json, data);
        if habits.exclude_reasoning {
            (out.reasoning, out.reasoning_details) = (None, None);
        }
        self.give(out)
    }

    /// A delta as an event, unless it is empty.
    fn give(&mut self, out: Delta) -> Option<ChatEvent> {
        self.shown |= out.is_content();
        (!out.is_empty()).then_some(ChatEvent::Delta(out))
    }

    /// Keeps the finish reason. Some hosts send it on two chunks: the last one stands, once.
    fn take_finish(&mut self, json: &ChoiceFields<'_>, data: &Bytes) {
        if let Some(reason) = text(json.finish_reason, data) {
            let native = text(json.native_finish_reason, data);
            let native = native.unwrap_or_else(|| reason.clone());
            self.finish = Some((reason, native));
        }
    }

    /// Texts and values of a delta or a message.
    fn say<'a>(&mut self, said: &Said<'a>, data: &Bytes, out: &mut Delta) {
        let list = |list: Option<Json<'_>>| first(list).and(list).map(|list| list.raw(data));
        // Hosts that send both names send the same text twice.
        let reasoning = text(said.reasoning, data);
        out.reasoning = reasoning.or_else(|| text(said.reasoning_content, data));
        out.reasoning_details = list(said.reasoning_details);
        out.refusal = text(said.refusal, data).map(Box::new);
        out.annotations = list(said.annotations).map(Box::new);
        out.images = list(said.images).map(Box::new);
        out.audio = raw(said.audio, data).map(Box::new);
        if let Some(ran) = said.executed_tools {
            let results = |tool: Json<'a>| tool.at(&["search_results", "results"]);
            let found = ran.elements().filter_map(results);
            let found = found.filter(|results| first(Some(*results)).is_some());
            if let Some(found) = found.last() {
                self.found = Some(found.raw(data));
            }
        }
        if let Some(content) = said.content {
            self.content(content, data, out);
        }
    }

    /// Content: a string, or a list of parts in which some hosts put their reasoning.
    fn content(&mut self, content: Json<'_>, data: &Bytes, out: &mut Delta) {
        if let Some(text) = content.json_text(data) {
            self.text(text, out);
            return;
        }
        let (mut texts, mut thoughts) = (Vec::new(), Vec::new());
        for part in content.elements() {
            self.said = true;
            let text = |holder: Json<'_>, key: &str| holder.get(key)?.json_text(data);
            match part.get("thinking") {
                Some(thinking) if thinking.kind() == Kind::Array => {
                    thoughts.extend(thinking.elements().filter_map(|part| text(part, "text")));
                }
                Some(thinking) => thoughts.extend(thinking.json_text(data)),
                None => texts.extend(text(part, "text")),
            }
        }
        if !thoughts.is_empty() {
            out.reasoning = Some(JsonText::join(&thoughts)).filter(|text| !text.is_empty());
        }
        if !texts.is_empty() {
            self.text(JsonText::join(&texts), out);
        }
    }

    /// A piece of visible text, or of text in which reasoning may hide.
    fn text(&mut self, text: JsonText, out: &mut Delta) {
        self.said = true;
        if text.is_empty() {
            return;
        }
        match &mut self.think {
            Some(think) => {
                let parted = think.part(text);
                put(parted, out);
            }
            None => out.content = Some(text),
        }
    }

    /// Tool calls of a delta, or of a whole message.
    fn call(
        &mut self,
        said: &Said<'_>,
        data: &Bytes,
        reply: &[u8],
        whole: bool,
    ) -> Vec<ToolCallDelta> {
        let choice = self.index;
        let origin = Origin { reply, choice };
        let mut out = Vec::new();
        if let Some(list) = said.tool_calls {
            out = self.calls.take(list, data, whole, origin);
        }
        if let Some(function) = said
            .function_call
            .filter(|call| call.kind() == Kind::Object)
        {
            out.extend(self.calls.take_function(function, data, origin));
        }
        out
    }

    /// What is still to be said before the choice ends.
    pub(super) fn close(
        &mut self,
        annotations: Option<RawJson>,
        habits: Habits,
    ) -> Option<ChatEvent> {
        let said = self.said && !self.shown;
        let held = self.think.is_some() || self.calls.any() || self.found.is_some();
        if !said && !held && annotations.is_none() {
            return None;
        }
        let mut out = Delta::of(self.index);
        if let Some(think) = &mut self.think {
            put(think.close(), &mut out);
        }
        if habits.exclude_reasoning {
            out.reasoning = None;
        }
        out.tool_calls = self.calls.close();
        let found = self.found.take();
        let annotations = annotations.or_else(|| citation::of_list(&found?));
        out.annotations = annotations.map(Box::new);
        if said && !out.is_content() {
            out.content = Some(JsonText::default());
        }
        self.give(out)
    }

    /// The choice's end.
    pub(super) fn finish(&mut self) -> Option<ChatEvent> {
        let (reason, native) = self.finish.take()?;
        Some(ChatEvent::Finish(Finish {
            choice: self.index,
            reason: finish::reason_of(&reason, self.calls.any()),
            native: Some(native),
        }))
    }
}

/// A string that is not empty.
fn text(value: Option<Json<'_>>, data: &Bytes) -> Option<JsonText> {
    value?.json_text(data).filter(|text| !text.is_empty())
}

/// An object.
fn raw(value: Option<Json<'_>>, data: &Bytes) -> Option<RawJson> {
    let object = value.filter(|value| value.kind() == Kind::Object)?;
    Some(object.raw(data))
}

/// Puts a piece of text that was told apart into a delta that may hold reasoning already.
fn put(parted: Parted, out: &mut Delta) {
    out.content = parted.content;
    if let Some(reasoning) = parted.reasoning {
        out.reasoning = Some(match out.reasoning.take() {
            Some(before) => JsonText::join(&[before, reasoning]),
            None => reasoning,
        });
    }
}
