//! The fold of a reply's events.

use bytes::Bytes;

use super::{ChatEvent, Delta, Finish, Start, ToolCallDelta};
use crate::{Json, JsonText, RawJson, Usage};

/// A whole reply, folded from its events.
///
/// ```
/// use waystation_core::{Answer, ChatEvent, JsonText};
///
/// let mut answer = Answer::default();
/// answer.absorb(ChatEvent::text(0, JsonText::of("Hel")));
/// answer.absorb(ChatEvent::text(0, JsonText::of("lo")));
/// assert_eq!(answer.choices[0].content().unwrap().decode(), "Hello");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What the upstream said of the reply.
    pub start: Start,
    /// The choices, by index.
    pub choices: Vec<AnswerChoice>,
    /// Token counts, when there were any.
    pub usage: Option<Usage>,
}

/// One choice, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerChoice {
    /// Its index.
    pub index: u32,
    content: Few<JsonText>,
    reasoning: Few<JsonText>,
    refusal: Few<JsonText>,
    /// The tool calls, by index.
    pub tool_calls: Vec<AnswerToolCall>,
    reasoning_details: Few<RawJson>,
    annotations: Few<RawJson>,
    images: Few<RawJson>,
    audio: Few<RawJson>,
    logprobs: Few<RawJson>,
    /// How it ended.
    pub finish: Option<Finish>,
}

/// One tool call, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerToolCall {
    /// Its index.
    pub index: u32,
    /// Its id.
    pub id: JsonText,
    /// The function's name.
    pub name: JsonText,
    arguments: Few<JsonText>,
}

/// A list that nearly always has one element, or none, and takes no memory for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Few<T> {
    #[default]
    None,
    One(T),
    Many(Vec<T>),
}

// === impl Few ===

impl<T> Few<T> {
    fn push(&mut self, piece: T) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(piece),
            Self::One(first) => Self::Many(vec![first, piece]),
            Self::Many(mut list) => {
                list.push(piece);
                Self::Many(list)
            }
        };
    }

    fn extend(&mut self, piece: Option<T>) {
        if let Some(piece) = piece {
            self.push(piece);
        }
    }

    fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(list) => list,
        }
    }
}

// === impl Answer ===

impl Answer {
    /// The fold of `events`.
    #[must_use]
    pub fn of(events: impl IntoIterator<Item = ChatEvent>) -> Self {
        let mut answer = Self::default();
        for event in events {
            answer.absorb(event);
        }
        answer
    }

    /// Takes one event in.
    #[inline]
    pub fn absorb(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Start(start) => self.start = start,
            ChatEvent::Delta(delta) => self.choice(delta.choice).absorb(delta),
            ChatEvent::Finish(finish) => {
                let index = finish.choice;
                self.choice(index).finish = Some(finish);
            }
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
        }
    }

    /// The choice with this index, made when it is new; the list stays sorted.
    fn choice(&mut self, index: u32) -> &mut AnswerChoice {
        let at = self.choices.partition_point(|choice| choice.index < index);
        if self
            .choices
            .get(at)
            .is_none_or(|choice| choice.index != index)
        {
            // Nearly always there is one.
            self.choices.reserve_exact(1);
            self.choices.insert(
                at,
                AnswerChoice {
                    index,
                    ..AnswerChoice::default()
                },
            );
        }
        // `at` is in bounds: found or just inserted.
        #[expect(clippy::indexing_slicing, reason = "inserted above")]
        &mut self.choices[at]
    }
}

// === impl AnswerChoice ===

impl AnswerChoice {
    fn absorb(&mut self, delta: Delta) {
        let Delta {
            choice: _,
            content,
            reasoning,
            reasoning_details,
            refusal,
            ..
        } = delta;
        self.content.extend(content);
        self.reasoning.extend(reasoning);
        self.reasoning_details.extend(reasoning_details);
        self.refusal.extend(refusal.map(|text| *text));
        self.annotations.extend(delta.annotations.map(|list| *list));
        self.images.extend(delta.images.map(|list| *list));
        self.audio.extend(delta.audio.map(|object| *object));
        self.logprobs.extend(delta.logprobs.map(|object| *object));
        for call in delta.tool_calls {
            self.absorb_call(call);
        }
    }

    fn absorb_call(&mut self, piece: ToolCallDelta) {
        let at = self
            .tool_calls
            .partition_point(|call| call.index < piece.index);
        if self
            .tool_calls
            .get(at)
            .is_none_or(|call| call.index != piece.index)
        {
            let fresh = AnswerToolCall {
                index: piece.index,
                ..AnswerToolCall::default()
            };
            self.tool_calls.insert(at, fresh);
        }
        let Some(call) = self.tool_calls.get_mut(at) else {
            return;
        };
        if let Some(id) = piece.id {
            call.id = id;
        }
        if let Some(name) = piece.name {
            call.name = name;
        }
        call.arguments.push(piece.arguments);
    }

    /// Visible text; `None` when there was never any.
    #[must_use]
    pub fn content(&self) -> Option<JsonText> {
        joined(self.content.as_slice())
    }

    /// Reasoning text.
    #[must_use]
    pub fn reasoning(&self) -> Option<JsonText> {
        joined(self.reasoning.as_slice())
    }

    /// Refusal text.
    #[must_use]
    pub fn refusal(&self) -> Option<JsonText> {
        joined(self.refusal.as_slice())
    }

    /// Reasoning blocks, one JSON array. Pieces of one block (texts and summaries with the same
    /// type, id and index, one behind the other) are one element; everything else is as it came.
    #[must_use]
    pub fn reasoning_details(&self) -> Option<RawJson> {
        let [first, rest @ ..] = self.reasoning_details.as_slice() else {
            return None;
        };
        if rest.is_empty() {
            return Some(first.clone());
        }
        let pieces = self.reasoning_details.as_slice().iter();
        let pieces: Vec<Json<'_>> = pieces.flat_map(|list| list.json().elements()).collect();
        let mut out = vec![b'['];
        for block in pieces.chunk_by(|one, next| is_one_block(*one, *next)) {
            if out.len() > 1 {
                out.push(b',');
            }
            write_block(block, &mut out);
        }
        out.push(b']');
        Some(RawJson::checked(out.into()))
    }

    /// Citations, one JSON array.
    #[must_use]
    pub fn annotations(&self) -> Option<RawJson> {
        concatenated(self.annotations.as_slice())
    }

    /// Images, one JSON array.
    #[must_use]
    pub fn images(&self) -> Option<RawJson> {
        concatenated(self.images.as_slice())
    }

    /// The last audio object (pieces of streamed audio are for the ear, not for a fold).
    #[must_use]
    pub fn audio(&self) -> Option<RawJson> {
        self.audio.as_slice().last().cloned()
    }

    /// Log probabilities, with the `content` and `refusal` lists of all pieces joined.
    #[must_use]
    pub fn logprobs(&self) -> Option<RawJson> {
        let [first, rest @ ..] = self.logprobs.as_slice() else {
            return None;
        };
        if rest.is_empty() {
            return Some(first.clone());
        }
        let mut out = Vec::new();
        let mut object = crate::ObjectWriter::open(&mut out);
        for key in ["content", "refusal"] {
            let lists = self
                .logprobs
                .as_slice()
                .iter()
                .filter_map(|piece| piece.json().get(key));
            let lists: Vec<Json<'_>> = lists.filter(|list| !list.is_null()).collect();
            if lists.is_empty() {
                object.null(key);
            } else {
                write_array(object.key(key), lists.into_iter().flat_map(Json::elements));
            }
        }
        object.close();
        Some(RawJson::checked(Bytes::from(out)))
    }
}

// === impl AnswerToolCall ===

impl AnswerToolCall {
    /// The arguments' JSON text; `{}` when the upstream sent none (wire rule 10).
    #[must_use]
    pub fn arguments(&self) -> JsonText {
        let text = JsonText::join(self.arguments.as_slice());
        if text.is_empty() {
            JsonText::from_static("{}")
        } else {
            text
        }
    }
}

/// The member that holds the words of a reasoning block that may come in pieces.
fn words_of(block: Json<'_>) -> Option<&'static str> {
    let kind = block.get("type")?;
    [("reasoning.text", "text"), ("reasoning.summary", "summary")]
        .into_iter()
        .find(|(name, _)| kind.is(name))
        .map(|(_, member)| member)
}

/// Whether `next` is a piece of the reasoning block that `one` is a piece of.
fn is_one_block(one: Json<'_>, next: Json<'_>) -> bool {
    let same = |key: &str| one.get(key) == next.get(key);
    words_of(one).is_some()
        && words_of(one) == words_of(next)
        && one.get("index").is_some()
        && ["index", "id", "format"].into_iter().all(same)
}

/// The pieces of one reasoning block as one: words joined, of other members the latest that says
/// something.
fn write_block(pieces: &[Json<'_>], out: &mut Vec<u8>) {
    let [first, rest @ ..] = pieces else {
        return;
    };
    let Some(words) = words_of(*first).filter(|_| !rest.is_empty()) else {
        out.extend_from_slice(first.bytes());
        return;
    };
    let mut members: Vec<(&[u8], Json<'_>)> = Vec::with_capacity(8);
    for (key, value) in pieces.iter().flat_map(|piece| piece.members()) {
        match members
            .iter_mut()
            .find(|(known, _)| *known == key.escaped())
        {
            Some(_) if value.is_null() => {}
            Some((_, known)) => *known = value,
            None => members.push((key.escaped(), value)),
        }
    }
    let mut object = crate::ObjectWriter::open(out);
    for (key, value) in members {
        let out = object.escaped_key(key);
        if key != words.as_bytes() {
            out.extend_from_slice(value.bytes());
            continue;
        }
        out.push(b'"');
        for text in pieces
            .iter()
            .filter_map(|piece| piece.get(words)?.escaped())
        {
            out.extend_from_slice(text);
        }
        out.push(b'"');
    }
    object.close();
}

fn joined(pieces: &[JsonText]) -> Option<JsonText> {
    (!pieces.is_empty()).then(|| JsonText::join(pieces))
}

fn concatenated(arrays: &[RawJson]) -> Option<RawJson> {
    match arrays {
        [] => None,
        [one] => Some(one.clone()),
        many => {
            let mut out = Vec::new();
            write_array(
                &mut out,
                many.iter().flat_map(|array| array.json().elements()),
            );
            Some(RawJson::checked(out.into()))
        }
    }
}

fn write_array<'a>(out: &mut Vec<u8>, elements: impl Iterator<Item = Json<'a>>) {
    out.push(b'[');
    for (place, element) in elements.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(element.bytes());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_reasoning_block_are_one() {
        let piece = |text: &'static str| {
            ChatEvent::Delta(Delta {
                reasoning_details: RawJson::parse(&Bytes::from_static(text.as_bytes())).ok(),
                ..Delta::of(0)
            })
        };
        let answer = Answer::of([
            piece(r#"[{"type":"reasoning.text","text":"a\n","signature":null,"index":0}]"#),
            piece(r#"[{"type":"reasoning.text","text":"b","index":0}]"#),
            piece(r#"[{"type":"reasoning.text","signature":"s","index":0}]"#),
            piece(r#"[{"type":"reasoning.text","text":"c","index":1}]"#),
            piece(r#"[{"type":"reasoning.encrypted","data":"x","index":2}]"#),
            piece(r#"[{"type":"reasoning.encrypted","data":"y","index":2}]"#),
        ]);
        let expected = concat!(
            r#"[{"type":"reasoning.text","text":"a\nb","signature":"s","index":0},"#,
            r#"{"type":"reasoning.text","text":"c","index":1},"#,
            r#"{"type":"reasoning.encrypted","data":"x","index":2},"#,
            r#"{"type":"reasoning.encrypted","data":"y","index":2}]"#
        );
        let found = answer.choices[0].reasoning_details().unwrap();
        assert_eq!(found.json().text(), expected);
    }
}
