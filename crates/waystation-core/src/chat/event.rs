//! A reply as events. Text stays as it stood between the upstream's quotes ([`JsonText`]), and
//! values that the gateway only carries stay as JSON ([`RawJson`]).

use crate::{JsonText, RawJson, Usage};

/// One step of a reply. A whole reply is the fold of its events ([`Answer`](crate::Answer)), so that
/// streamed equals whole by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChatEvent {
    /// What the upstream says of the reply itself. At most once, first.
    Start(Start),
    /// A piece of one choice.
    Delta(Delta),
    /// One choice is complete.
    Finish(Finish),
    /// Token counts. Once, after the last `Finish`.
    Usage(Box<Usage>),
}

/// What the upstream says of the reply itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The upstream's id of the reply.
    pub id: Option<JsonText>,
    /// What the upstream calls the model.
    pub model: Option<JsonText>,
    /// Seconds since 1970.
    pub created: Option<u64>,
    /// `system_fingerprint`.
    pub system_fingerprint: Option<JsonText>,
    /// The tier that served, in the upstream's word.
    pub service_tier: Option<JsonText>,
}

/// A piece of one choice. Empty members are absent on the wire. What few pieces carry is kept apart, so that
/// those of text, which are many and are handed on by many, stay small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Which choice.
    pub choice: u32,
    /// Visible text.
    pub content: Option<JsonText>,
    /// Reasoning text.
    pub reasoning: Option<JsonText>,
    /// Reasoning blocks with signatures, a JSON array, byte-exact.
    pub reasoning_details: Option<RawJson>,
    /// Refusal text.
    pub refusal: Option<Box<JsonText>>,
    /// Pieces of tool calls.
    pub tool_calls: Vec<ToolCallDelta>,
    /// Citations, a JSON array in the contract's form.
    pub annotations: Option<Box<RawJson>>,
    /// Images, a JSON array.
    pub images: Option<Box<RawJson>>,
    /// Audio, a JSON object.
    pub audio: Option<Box<RawJson>>,
    /// Log probabilities, a JSON object.
    pub logprobs: Option<Box<RawJson>>,
}

/// A piece of a tool call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCallDelta {
    /// Which call of the choice, counted from 0.
    pub index: u32,
    /// The call's id: on its first piece only.
    pub id: Option<JsonText>,
    /// The function's name: on its first piece only.
    pub name: Option<JsonText>,
    /// A piece of the arguments' JSON text (escaped once more, as it travels).
    pub arguments: JsonText,
}

/// One choice is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Which choice.
    pub choice: u32,
    /// Why, normalised.
    pub reason: FinishReason,
    /// Why, in the upstream's own word.
    pub native: Option<JsonText>,
}

/// Why a choice ended. Source: API contract, section 1.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The limit on output was reached.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// A filter ended it.
    ContentFilter,
    /// It failed.
    Error,
}

// === impl FinishReason ===

impl FinishReason {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
        }
    }
}

// === impl Delta ===

impl Delta {
    /// An empty piece of `choice`.
    #[must_use]
    pub fn of(choice: u32) -> Self {
        Self {
            choice,
            ..Self::default()
        }
    }

    /// Whether the piece carries anything at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.content.is_none() && self.has_no_more_than_text()
    }

    /// The piece's visible text, where it carries that and nothing else.
    #[must_use]
    pub fn text_alone(&self) -> Option<&JsonText> {
        let text = self.content.as_ref().filter(|text| !text.is_empty());
        text.filter(|_| self.has_no_more_than_text())
    }

    const fn has_no_more_than_text(&self) -> bool {
        let Self {
            choice: _,
            content: _,
            reasoning,
            reasoning_details,
            refusal,
            ..
        } = self;
        let Self {
            tool_calls,
            annotations,
            images,
            audio,
            logprobs,
            ..
        } = self;
        reasoning.is_none()
            && reasoning_details.is_none()
            && refusal.is_none()
            && tool_calls.is_empty()
            && annotations.is_none()
            && images.is_none()
            && audio.is_none()
            && logprobs.is_none()
    }

    /// Whether the piece shows the client something: such a piece commits the attempt. Empty texts
    /// (role chunks) do not.
    #[must_use]
    pub fn is_content(&self) -> bool {
        let shown = |text: Option<&JsonText>| text.is_some_and(|text| !text.is_empty());
        shown(self.content.as_ref())
            || shown(self.reasoning.as_ref())
            || shown(self.refusal.as_deref())
            || self.reasoning_details.is_some()
            || !self.tool_calls.is_empty()
            || self.images.is_some()
            || self.audio.is_some()
    }
}

// === impl ChatEvent ===

impl ChatEvent {
    /// Visible text of `choice`.
    #[must_use]
    pub fn text(choice: u32, text: JsonText) -> Self {
        Self::Delta(Delta {
            content: Some(text),
            ..Delta::of(choice)
        })
    }

    /// Whether the event commits the attempt that it belongs to.
    #[must_use]
    pub fn is_content(&self) -> bool {
        matches!(self, Self::Delta(delta) if delta.is_content())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_events_of_a_whole_reply_fit_the_quick_lists_of_the_allocator() {
        assert!(size_of::<[ChatEvent; 4]>() <= 1024);
    }
}
