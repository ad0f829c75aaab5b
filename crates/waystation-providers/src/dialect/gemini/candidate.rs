//! One candidate of a reply, from the parts in which it comes. Chunks and counts are the reader's;
//! what ends a candidate is kept here until the reader says that the reply is complete, so that
//! nothing can come behind a finish reason, and a reply that breaks off never has one.
//!
//! | part | becomes |
//! |---|---|
//! | `text` | content; an empty one is nothing but perhaps the bearer of a signature |
//! | `text` with `thought: true` | reasoning |
//! | `functionCall` | a tool call |
//! | `inlineData` of an image | `images`, as a data URL |
//! | `inlineData` of sound | `audio` |
//! | `executableCode`, `codeExecutionResult`, `toolCall`, `toolResponse` | a reasoning detail, to be sent back; no call for the client |
//! | `thoughtSignature` on any of these | a reasoning detail with the place that it belongs to |
//! | anything else | nothing |
//!
//! Thoughts are not repeated as reasoning details: the wire does not want them back, and a signature
//! is worth its bytes only with the part that it was on.

use bytes::Bytes;
use waystation_core::{ChatEvent, Delta, Finish, FinishReason, Json, JsonText, Kind, RawJson};

use super::{
    call::{Calls, Origin},
    field::{CandidateFields, PartFields},
    finish, grounding, logprobs,
    mark::Mark,
    signed::Details,
};

/// How a reply is read: the wishes that matter to its candidates.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habits {
    /// The client does not want to see reasoning.
    pub(super) exclude_reasoning: bool,
    /// The visible text is kept, to find citations in it.
    pub(super) keep_text: bool,
    /// Tells the turns of a conversation apart, for ids.
    pub(super) salt: u64,
}

/// What is known of one candidate so far.
#[derive(Debug, Default)]
pub(super) struct Candidate {
    pub(super) index: u32,
    calls: Calls,
    details: Details,
    /// Length of the visible text so far, in bytes.
    length: usize,
    /// The visible text, when it is kept.
    text: String,
    images: usize,
    /// Content was there, if only as an empty string.
    said: bool,
    /// Something other than an empty string was given out.
    shown: bool,
    finish: Option<JsonText>,
    message: Option<JsonText>,
    grounding: Option<RawJson>,
    citations: Option<RawJson>,
}

/// The pieces of one delta while its parts are read.
#[derive(Default)]
struct Pieces {
    texts: Joined,
    thoughts: Joined,
    images: Vec<u8>,
    details: Vec<u8>,
}

/// Texts that come to one: one, mostly, which is shared and costs no memory of its own.
#[derive(Default)]
struct Joined {
    first: Option<JsonText>,
    more: Vec<JsonText>,
}

// === impl Candidate ===

impl Candidate {
    /// A candidate of which nothing has come yet.
    pub(super) fn new(index: u32) -> Self {
        Self {
            index,
            ..Self::default()
        }
    }

    /// Whether a finish reason has come.
    pub(super) const fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether it has called a function.
    pub(super) fn called(&self) -> bool {
        self.calls.any()
    }

    /// How many searches were made for it.
    pub(super) fn searches(&self) -> Option<u64> {
        grounding::searches(self.grounding.as_ref()?.json())
    }

    /// Takes one element of `candidates`, which stands in `data`, and gives what it says as one
    /// event, or nothing. Texts share the memory of `data`.
    pub(super) fn take(
        &mut self,
        json: &CandidateFields<'_>,
        data: &Bytes,
        reply: &[u8],
        habits: Habits,
    ) -> Option<ChatEvent> {
        let mut out = Delta::of(self.index);
        let mut pieces = Pieces::default();
        let salt = habits.salt ^ u64::from(self.index);
        let origin = Origin { reply, salt };
        let parts = json.content.and_then(|content| content.get("parts"));
        for part in parts.into_iter().flat_map(Json::elements) {
            self.part(&PartFields::of(part), data, &mut pieces, (origin, &mut out));
        }
        pieces.fill(&mut out);
        if habits.keep_text {
            let said = out.content.as_ref().map(JsonText::decode);
            self.text.extend(said);
        }
        out.logprobs = json.logprobs.and_then(logprobs::read).map(Box::new);
        let raw = |value: Option<Json<'_>>| value.map(|value| value.raw(data));
        self.grounding = raw(json.grounding).or_else(|| self.grounding.take());
        self.citations = raw(json.citations).or_else(|| self.citations.take());
        // Several chunks may carry a finish reason: the last one stands, once.
        self.finish = finish::word(json.finish_reason, data).or_else(|| self.finish.take());
        let message = json.finish_message.and_then(|text| text.json_text(data));
        self.message = message.or_else(|| self.message.take());
        if habits.exclude_reasoning {
            out.reasoning = None;
        }
        self.give(out)
    }

    /// Takes one part. What it is decides in this order: a thought, a call, bytes, text, a tool of
    /// the host's own. A text's place is counted in bytes, signed or not, since a later signature
    /// names it.
    fn part(
        &mut self,
        part: &PartFields<'_>,
        data: &Bytes,
        pieces: &mut Pieces,
        (origin, out): (Origin<'_>, &mut Delta),
    ) {
        let signature = part
            .signature
            .filter(|text| text.escaped().is_some_and(|text| !text.is_empty()));
        let details = &mut pieces.details;
        let text = part.text.and_then(|text| text.json_text(data));
        if part.thought.and_then(Json::bool) == Some(true) {
            if let Some(signature) = signature {
                self.details.thought(part.text, signature, details);
            }
            text.into_iter().for_each(|text| pieces.thoughts.push(text));
        } else if let Some(call) = part.call.filter(|call| call.kind() == Kind::Object) {
            let id = self.calls.take(call, data, origin, &mut out.tool_calls);
            if let (Some(signature), Some(id)) = (signature, id) {
                self.details.signed(&id, signature, details);
            }
        } else if let Some(blob) = part.blob {
            self.blob(blob, signature, pieces, out);
        } else if let Some(text) = text {
            self.said = true;
            let start = self.length;
            self.length += text.decode().len();
            if let Some(signature) = signature {
                let mark = Mark::Text(start, self.length).id();
                self.details
                    .signed(&JsonText::of(&mark), signature, details);
            }
            pieces.texts.push(text);
        } else {
            self.details.server_tool(part, signature, details);
        }
    }

    /// Takes bytes that the model made: an image, or sound. Other kinds have no place in a reply.
    fn blob(
        &mut self,
        blob: Json<'_>,
        signature: Option<Json<'_>>,
        pieces: &mut Pieces,
        out: &mut Delta,
    ) {
        let string = |key: &str| blob.get(key).and_then(Json::string);
        let kind = string("mimeType")
            .or_else(|| string("mime_type"))
            .unwrap_or_default();
        let Some(encoded) = blob.get("data").filter(|data| data.kind() == Kind::String) else {
            return;
        };
        if kind.starts_with("audio/") {
            let mut audio = b"{\"data\":".to_vec();
            audio.extend_from_slice(encoded.bytes());
            audio.push(b'}');
            out.audio = RawJson::parse(&Bytes::from(audio)).ok().map(Box::new);
            return;
        }
        if !kind.starts_with("image/") {
            return;
        }
        if let Some(signature) = signature {
            let mark = JsonText::of(&Mark::Image(self.images).id());
            self.details.signed(&mark, signature, &mut pieces.details);
        }
        self.images += 1;
        let list = &mut pieces.images;
        list.push(if list.is_empty() { b'[' } else { b',' });
        list.extend_from_slice(b"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:");
        list.extend_from_slice(JsonText::of(&kind).escaped());
        list.extend_from_slice(b";base64,");
        list.extend_from_slice(encoded.escaped().unwrap_or_default());
        list.extend_from_slice(b"\"}}");
    }

    /// A delta as an event, unless it is empty.
    fn give(&mut self, out: Delta) -> Option<ChatEvent> {
        self.shown |= out.is_content();
        (!out.is_empty()).then_some(ChatEvent::Delta(out))
    }

    /// What is still to be said before the candidate ends: arguments that were still coming, the
    /// citations, the host's reason when a filter let nothing through, and an empty text when that is
    /// all there was.
    pub(super) fn close(&mut self) -> Option<ChatEvent> {
        let mut out = Delta::of(self.index);
        self.calls.close(&mut out.tool_calls);
        let (grounding, citations) = (self.grounding.as_ref(), self.citations.as_ref());
        let annotations = grounding::annotations(grounding, citations, &self.text);
        out.annotations = annotations.map(Box::new);
        if self.reason() == FinishReason::ContentFilter && !self.shown {
            let message = self.message.take().filter(|text| !text.is_empty());
            out.refusal = message.map(Box::new);
        }
        if self.said && !self.shown && !out.is_content() {
            out.content = Some(JsonText::default());
        }
        self.give(out)
    }

    /// Why it ended, in the contract's words.
    fn reason(&self) -> FinishReason {
        let word = self.finish.as_ref().map(JsonText::decode);
        finish::reason(&word.unwrap_or_default(), self.calls.any())
    }

    /// The candidate's end.
    pub(super) fn finish(&mut self) -> ChatEvent {
        ChatEvent::Finish(Finish {
            choice: self.index,
            reason: self.reason(),
            native: self.finish.take(),
        })
    }
}

// === impl Pieces ===

impl Pieces {
    /// Puts what was read into a delta.
    fn fill(self, out: &mut Delta) {
        let list = |mut list: Vec<u8>| {
            if list.is_empty() {
                return None;
            }
            list.push(b']');
            RawJson::parse(&Bytes::from(list)).ok()
        };
        out.content = self.texts.text();
        out.reasoning = self.thoughts.text();
        out.images = list(self.images).map(Box::new);
        out.reasoning_details = list(self.details);
    }
}

// === impl Joined ===

impl Joined {
    /// Adds a text, unless it is empty.
    fn push(&mut self, text: JsonText) {
        if text.is_empty() {
            return;
        }
        if self.first.is_none() {
            self.first = Some(text);
        } else {
            self.more.push(text);
        }
    }

    /// The texts as one; `None` when there are none.
    fn text(self) -> Option<JsonText> {
        let first = self.first?;
        if self.more.is_empty() {
            return Some(first);
        }
        let mut all = self.more;
        all.insert(0, first);
        Some(JsonText::join(&all))
    }
}
