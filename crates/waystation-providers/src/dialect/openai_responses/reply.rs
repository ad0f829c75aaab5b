//! Reads replies: events of a stream, or a whole response, which is read as the items that a stream
//! would have finished with. What is given out is kept nowhere; what was heard is, as flags.
//!
//! | event | what comes of it |
//! |---|---|
//! | `response.created`, `.in_progress` | what the reply is, once |
//! | `response.output_item.added` | a call is told with its id and name; other items wait for words |
//! | `response.output_text.delta` | content, with its log probabilities |
//! | `response.refusal.delta` | refusal |
//! | `response.reasoning_text.delta`, `.reasoning_summary_text.delta` | reasoning, as text and as a piece of a block |
//! | `response.function_call_arguments.delta`, `.custom_tool_call_input.delta` | arguments |
//! | `response.output_text.annotation.added` | an annotation |
//! | `response.output_item.done` | what of the item was not told yet, and the seal of reasoning |
//! | `response.completed`, `.incomplete` | items that no event told of; then the end and the counts |
//! | `response.failed`, `error` | an error with the host's reason |
//! | others: parts, searches, interpreters, `mcp`, `keepalive` | nothing |
//!
//! Hosts differ in what they send: vLLM numbers the parts of its deltas otherwise than those of its
//! items, xAI gives whole arguments at once, DeepSeek no summaries but the thinking itself, and some
//! repeat citations only in the end. Whatever comes first is told, and once. The end is given out when
//! the stream is over: fixtures of many steps hold several responses, one behind the other, and the
//! last one's reason and counts stand.

use bytes::Bytes;
use waystation_core::{
    ChatEvent, Delta, Finish, FinishReason, Json, JsonText, Kind, RawJson, Start, ToolCallDelta,
    Usage,
};

use super::{
    field::{Event, Item as Fields, Response},
    item::{Holds, Item},
    usage,
};
use crate::{
    SseEvent,
    citation::{Citation, annotations, characters},
    intake::{Failed, Heard, Listener},
    thought::{Piece, Thought},
};

/// What a reply has said so far.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// How this host's reasoning is marked.
    pub(super) format: String,
    /// The client does not want to see reasoning.
    hides_reasoning: bool,
    started: bool,
    pub(super) items: Vec<Item>,
    /// Calls so far.
    calls: u32,
    /// Blocks of reasoning so far.
    pub(super) blocks: u32,
    /// Searches that the host has run.
    pub(super) searches: u64,
    /// Characters of content so far.
    pub(super) characters: u64,
    /// Something other than reasoning was given out.
    shown: bool,
    /// How the reply ended, once it has.
    ended: Option<(Finish, Option<Usage>)>,
}

/// A piece of the text of one part.
pub(super) struct Words {
    pub(super) item: u64,
    pub(super) holds: Holds,
    pub(super) place: u64,
    pub(super) text: JsonText,
    pub(super) logprobs: Option<RawJson>,
    /// The id of the item.
    pub(super) id: Option<JsonText>,
}

// === impl Reply ===

impl Reply {
    /// A reply of which nothing has come yet.
    pub(super) fn expecting(format: String, hides_reasoning: bool) -> Self {
        Self {
            format,
            hides_reasoning,
            ..Self::default()
        }
    }

    /// Says what the reply is, once.
    fn start(&mut self, response: Option<Json<'_>>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let Some(response) = response.map(Response::of) else {
            return;
        };
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let fingerprint = response
            .metadata
            .and_then(|metadata| metadata.get("system_fingerprint"));
        // While a stream starts, hosts say which tier was asked for, not which one serves.
        let tier = response.service_tier.filter(|tier| !tier.is("auto"));
        out.push(ChatEvent::Start(Start {
            id: text(response.id, data),
            model: text(response.model, data),
            created: response.created_at.and_then(Json::u64),
            system_fingerprint: text(fingerprint, data),
            service_tier: text(tier, data),
        }));
    }

    /// Gives out a piece, unless it is empty.
    pub(super) fn give(&mut self, mut delta: Delta, out: &mut Vec<ChatEvent>) {
        if self.hides_reasoning {
            (delta.reasoning, delta.reasoning_details) = (None, None);
        }
        if !delta.is_empty() {
            let thinks = delta.reasoning.is_some() || delta.reasoning_details.is_some();
            self.shown |= delta.is_content() && !thinks;
            out.push(ChatEvent::Delta(delta));
        }
    }

    /// A piece of a part's text.
    pub(super) fn say(&mut self, words: Words, out: &mut Vec<ChatEvent>) {
        if words.text.is_empty() && words.logprobs.is_none() {
            return;
        }
        let thinks = matches!(words.holds, Holds::Thought | Holds::Summary);
        let (start, blocks) = (self.characters, &mut self.blocks);
        let part = Item::at(&mut self.items, words.item).and_then(|item| {
            item.part(words.holds, words.place, || {
                let block = *blocks;
                *blocks += u32::from(thinks);
                (start, block)
            })
        });
        let Some(part) = part else {
            return;
        };
        part.heard = true;
        let block = part.block;
        let mut delta = Delta::of(0);
        match words.holds {
            Holds::Text => {
                self.characters += characters(&words.text);
                delta.content = Some(words.text);
                delta.logprobs = words.logprobs.map(Box::new);
            }
            Holds::Refusal => delta.refusal = Some(Box::new(words.text)),
            Holds::Thought => {
                delta.reasoning_details = self.piece(Thought::Text, &words, block);
                delta.reasoning = Some(words.text);
            }
            Holds::Summary => {
                delta.reasoning_details = self.piece(Thought::Summary, &words, block);
                delta.reasoning = Some(words.text);
            }
        }
        self.give(delta, out);
    }

    /// A piece of a block of reasoning, with the mark of its host.
    fn piece(&self, thought: Thought, words: &Words, index: u32) -> Option<RawJson> {
        let piece = Piece {
            thought,
            text: Some(&words.text),
            signature: None,
            id: words.id.as_ref(),
            format: &self.format,
            index,
            offset: self.characters,
        };
        piece.details()
    }

    /// A delta of some part, as a stream's event tells it.
    fn delta(&mut self, holds: Holds, event: &Event<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let place = match holds {
            Holds::Summary => event.summary_index,
            Holds::Text | Holds::Refusal | Holds::Thought => event.content_index,
        };
        let words = Words {
            item: number(event.output_index),
            holds,
            place: number(place),
            text: text(event.delta, data).unwrap_or_default(),
            logprobs: event.logprobs.and_then(logprobs),
            id: text(event.item_id, data),
        };
        self.say(words, out);
    }

    /// An item begins: a call is told at once, other things when they have something to say.
    pub(super) fn begin(
        &mut self,
        place: u64,
        item: Json<'_>,
        data: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) {
        let item = Fields::of(item);
        if !is_call(&item) {
            return;
        }
        let name = text(item.name, data);
        let id = text(item.call_id.or(item.id), data);
        let (Some(name), Some(id)) = (name, id) else {
            return;
        };
        let Some(known) = Item::at(&mut self.items, place).filter(|known| known.call.is_none())
        else {
            return;
        };
        known.call = Some(self.calls);
        let call = ToolCallDelta {
            index: self.calls,
            id: Some(id),
            name: Some(name),
            arguments: JsonText::default(),
        };
        self.calls += 1;
        self.give(calling(call), out);
    }

    /// A piece of a call's arguments. One of a call that was not told yet waits for the whole.
    pub(super) fn argue(
        &mut self,
        place: u64,
        arguments: Option<JsonText>,
        out: &mut Vec<ChatEvent>,
    ) {
        let known = Item::at(&mut self.items, place);
        let (Some(item), Some(arguments)) = (known, arguments) else {
            return;
        };
        let Some(index) = item.call else {
            return;
        };
        item.argued = true;
        let call = ToolCallDelta {
            index,
            arguments,
            ..ToolCallDelta::default()
        };
        self.give(calling(call), out);
    }

    /// Citations of a part: the next one of a stream, or the whole list, of which some were heard.
    pub(super) fn annotate(
        &mut self,
        (item, place): (u64, u64),
        list: &[Json<'_>],
        whole: bool,
        out: &mut Vec<ChatEvent>,
    ) {
        let characters = self.characters;
        let part = Item::at(&mut self.items, item)
            .and_then(|item| item.part(Holds::Text, place, || (characters, 0)));
        let Some(part) = part else {
            return;
        };
        let heard = if whole { part.annotated } else { 0 };
        part.annotated += list.len().saturating_sub(heard);
        let start = part.start;
        let fresh = list.iter().skip(heard);
        let citations = fresh.filter_map(|one| citation(*one, start));
        let mut delta = Delta::of(0);
        delta.annotations = annotations(citations).map(Box::new);
        self.give(delta, out);
    }

    /// The response is complete: items that no event told of, how it ended, and the counts.
    fn complete(
        &mut self,
        json: Json<'_>,
        data: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), Failed> {
        let response = Response::of(json);
        let status = response.status.and_then(Json::string);
        let failed = matches!(status.as_deref(), Some("failed" | "cancelled"));
        if failed || response.error.is_some() {
            return Err(Failed::Said(json.slice_of(data)));
        }
        if matches!(status.as_deref(), Some("queued" | "in_progress")) {
            return Err(Failed::Garbage(
                "expected a complete response, found one that is still in progress",
            ));
        }
        self.start(Some(json), data, out);
        let items = response.output.into_iter().flat_map(Json::elements);
        for (place, item) in (0..).zip(items) {
            self.done(place, item, data, out);
        }
        let why = response
            .incomplete_details
            .and_then(|details| details.get("reason"));
        let cut = status.as_deref() == Some("incomplete") || why.is_some();
        let reason = match why.and_then(Json::string) {
            Some(why) if why.contains("filter") => FinishReason::ContentFilter,
            _ if cut => FinishReason::Length,
            _ if self.calls > 0 => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        let finish = Finish {
            choice: 0,
            reason,
            native: text(why, data).or_else(|| text(response.status, data)),
        };
        let usage = response.usage;
        let usage = usage.and_then(|usage| usage::read(usage, self.searches));
        self.ended = Some((finish, usage));
        Ok(())
    }

    /// Nothing more comes: says how the reply ended, if it has.
    fn close(&mut self, out: &mut Vec<ChatEvent>) -> bool {
        let Some((finish, usage)) = self.ended.take() else {
            return false;
        };
        if !self.shown {
            out.push(ChatEvent::text(0, JsonText::default()));
        }
        out.push(ChatEvent::Finish(finish));
        out.extend(usage.map(|usage| ChatEvent::Usage(Box::new(usage))));
        true
    }
}

impl Listener for Reply {
    /// Some gateways send `[DONE]`.
    fn words(&mut self, event: &SseEvent, out: &mut Vec<ChatEvent>) -> Result<Heard, Failed> {
        let done = event.data.trim_ascii() == b"[DONE]" && self.close(out);
        Ok(if done { Heard::Complete } else { Heard::More })
    }

    fn event(
        &mut self,
        json: Json<'_>,
        event: &SseEvent,
        out: &mut Vec<ChatEvent>,
    ) -> Result<Heard, Failed> {
        let data = &event.data;
        let fields = Event::of(json);
        let place = number(fields.output_index);
        let name = event.name.as_deref().map(String::from_utf8_lossy);
        let kind = fields.kind.and_then(Json::string).or(name);
        match kind.as_deref().unwrap_or_default() {
            "response.created" => {
                // A response behind a complete one goes on with the same reply.
                if self.ended.take().is_some() {
                    self.items.clear();
                }
                self.start(fields.response, data, out);
            }
            "response.in_progress" | "response.queued" => self.start(fields.response, data, out),
            "response.output_item.added" => {
                if let Some(item) = fields.item {
                    self.begin(place, item, data, out);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = fields.item {
                    self.done(place, item, data, out);
                }
            }
            "response.output_text.delta" => self.delta(Holds::Text, &fields, data, out),
            "response.refusal.delta" => self.delta(Holds::Refusal, &fields, data, out),
            "response.reasoning_text.delta" => self.delta(Holds::Thought, &fields, data, out),
            "response.reasoning_summary_text.delta" => {
                self.delta(Holds::Summary, &fields, data, out);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.argue(place, text(fields.delta, data), out);
            }
            "response.output_text.annotation.added" => {
                let part = number(fields.content_index);
                self.annotate((place, part), fields.annotation.as_slice(), false, out);
            }
            "response.completed" | "response.incomplete" => {
                let response = fields.response.unwrap_or(json);
                self.complete(response, data, out)?;
            }
            "response.failed" | "response.cancelled" => {
                let response = fields.response.unwrap_or(json);
                return Err(Failed::Said(response.slice_of(data)));
            }
            "error" => return Err(Failed::Said(data.clone())),
            "" if fields.error.is_some() => return Err(Failed::Said(data.clone())),
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
        let is_response = reply
            .get("output")
            .is_some_and(|list| list.kind() == Kind::Array);
        if !is_response {
            return Err(Failed::Said(body.clone()));
        }
        // An end that is not told is none: in a stream its event tells it.
        let tells = |key: &str| reply.get(key).is_some_and(|value| !value.is_null());
        if !["status", "incomplete_details", "error"]
            .into_iter()
            .any(tells)
        {
            return Err(Failed::CUT);
        }
        self.complete(reply, body, out)?;
        self.close(out);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Failed> {
        if self.close(out) {
            return Ok(());
        }
        Err(Failed::CUT)
    }

    fn reported(&self) -> Option<Usage> {
        self.ended.as_ref().and_then(|(_, usage)| usage.clone())
    }
}

/// A string that is not empty.
pub(super) fn text(value: Option<Json<'_>>, data: &Bytes) -> Option<JsonText> {
    value?.json_text(data).filter(|text| !text.is_empty())
}

/// An index; hosts that leave it out have one thing to count.
fn number(value: Option<Json<'_>>) -> u64 {
    value.and_then(Json::u64).unwrap_or_default()
}

/// Whether an item is a call that the client is to answer.
fn is_call(item: &Fields<'_>) -> bool {
    let is = |kind: &str| item.kind.is_some_and(|found| found.is(kind));
    is("function_call") || is("custom_tool_call")
}

/// One piece of a call, as a piece of the choice.
fn calling(call: ToolCallDelta) -> Delta {
    Delta {
        tool_calls: vec![call],
        ..Delta::of(0)
    }
}

/// Log probabilities in the form of chat completions.
pub(super) fn logprobs(list: Json<'_>) -> Option<RawJson> {
    list.elements().next()?;
    let mut out = br#"{"content":"#.to_vec();
    out.extend_from_slice(list.bytes());
    out.extend_from_slice(br#","refusal":null}"#);
    RawJson::parse(&Bytes::from(out)).ok()
}

/// A citation of a part that starts `start` characters into the content.
fn citation(annotation: Json<'_>, start: u64) -> Option<Citation<'_>> {
    annotation
        .get("type")
        .filter(|kind| kind.is("url_citation"))?;
    let string = |key: &str| {
        annotation
            .get(key)
            .filter(|text| text.kind() == Kind::String)
    };
    let index = |key: &str| annotation.get(key).and_then(Json::u64);
    let range = match (index("start_index"), index("end_index")) {
        (Some(from), Some(to)) => (from.saturating_add(start), to.saturating_add(start)),
        _ => (0, 0),
    };
    Some(Citation {
        url: string("url")?.bytes(),
        title: string("title").map(Json::bytes),
        content: None,
        range,
    })
}
