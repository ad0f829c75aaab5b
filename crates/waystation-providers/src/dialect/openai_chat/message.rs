//! Messages for hosts that refuse what gateways and other hosts put into them. Nothing is rewritten
//! unless some message holds such a thing; then everything else in them still is byte-exact. No
//! message is dropped or merged, and no text is changed.
//!
//! Why each thing goes: OpenAI answers 400 to `tool_calls: null` and `tool_calls: []`; Groq and
//! Mistral answer 400 and 422 to members that they do not know (`annotations`, `reasoning_details`,
//! `cache_control`); DeepSeek wants `reasoning_content` back in a tool loop; Mistral takes ids of
//! nine letters or digits only. Echoed answers of one host are thus fit for another.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use waystation_core::{Json, ObjectWriter, Quirks, ReasoningReplay};

/// Members whose `null` means absence, and which hosts refuse as `null`.
const NULLABLE: &[&[u8]] = &[
    b"tool_calls",
    b"function_call",
    b"tool_call_id",
    b"refusal",
    b"audio",
    b"name",
    b"annotations",
    b"images",
    b"model",
    b"reasoning",
    b"reasoning_content",
    b"reasoning_details",
];

/// The messages as the host takes them; `None` when they can go as they came. `mark` is what the last
/// one says when the host is to go on from it.
pub(super) fn rewritten(
    messages: Json<'_>,
    quirks: &Quirks,
    mark: Option<&'static str>,
) -> Option<Vec<u8>> {
    let rules = Rules { quirks };
    let mark = mark.and_then(|mark| {
        let last = messages.elements().last()?;
        last.get(mark)
            .is_none()
            .then_some((messages.elements().count() - 1, mark))
    });
    let ids = if quirks.nine_char_tool_ids {
        Ids::of(messages)
    } else {
        Ids::default()
    };
    let touched = mark.is_some()
        || !ids.0.is_empty()
        || messages.elements().any(|message| rules.touch(message));
    if !touched {
        return None;
    }
    let mut out = Vec::with_capacity(messages.bytes().len() + 64);
    out.push(b'[');
    for (place, message) in messages.elements().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let mark = mark.and_then(|(last, mark)| (last == place).then_some(mark));
        if rules.touch(message) || !ids.0.is_empty() || mark.is_some() {
            rules.write(message, &ids, mark, &mut out);
        } else {
            out.extend_from_slice(message.bytes());
        }
    }
    out.push(b']');
    Some(out)
}

/// What one host takes.
struct Rules<'a> {
    quirks: &'a Quirks,
}

/// What becomes of one member.
#[derive(PartialEq, Eq)]
enum Fate {
    Keep,
    Drop,
    /// The role is spelled `system`.
    System,
    /// Its parts lose their cache markers.
    Unmark,
}

// === impl Rules ===

impl Rules<'_> {
    /// Whether any member of `message` cannot stay as it is.
    fn touch(&self, message: Json<'_>) -> bool {
        let mut reasons = false;
        for (key, value) in message.members() {
            let name = key.spelled();
            if self.fate(&name, value) != Fate::Keep {
                return true;
            }
            reasons |= name.starts_with(b"reasoning");
        }
        reasons && self.replayed(message).is_some()
    }

    /// What becomes of the member `key`.
    fn fate(&self, key: &[u8], value: Json<'_>) -> Fate {
        let gateway = self.quirks.takes_reasoning_details;
        let replay = self.quirks.reasoning_replay;
        let keep = |keep: bool| if keep { Fate::Keep } else { Fate::Drop };
        if value.is_null() && NULLABLE.contains(&key) {
            return Fate::Drop;
        }
        match key {
            b"role" if self.quirks.no_developer_role && value.is("developer") => Fate::System,
            b"content" if !gateway && value.elements().any(is_marked) => Fate::Unmark,
            b"annotations" | b"images" | b"model" | b"cache_control" => keep(gateway),
            b"tool_calls" => keep(value.elements().next().is_some()),
            b"reasoning" => keep(matches!(
                replay,
                ReasoningReplay::Details | ReasoningReplay::Reasoning
            )),
            b"reasoning_content" => keep(matches!(
                replay,
                ReasoningReplay::Details | ReasoningReplay::ReasoningContent
            )),
            b"reasoning_details" => keep(replay == ReasoningReplay::Details),
            _ => Fate::Keep,
        }
    }

    /// Earlier reasoning that goes back under another name than it came: the name, and the text
    /// inside its quotes.
    fn replayed<'a>(&self, message: Json<'a>) -> Option<(&'static str, Cow<'a, [u8]>)> {
        let (name, other) = match self.quirks.reasoning_replay {
            ReasoningReplay::ReasoningContent => ("reasoning_content", "reasoning"),
            ReasoningReplay::Reasoning => ("reasoning", "reasoning_content"),
            ReasoningReplay::Drop | ReasoningReplay::Details => return None,
        };
        let sent = |key: &str| message.get(key).filter(|value| !value.is_null());
        if sent(name).is_some() {
            return None;
        }
        if let Some(text) = sent(other).and_then(Json::escaped) {
            return Some((name, Cow::Borrowed(text)));
        }
        let details = sent("reasoning_details")?;
        let text: Vec<u8> = details
            .elements()
            .filter_map(|detail| detail.get("text").or_else(|| detail.get("summary")))
            .filter_map(Json::escaped)
            .flatten()
            .copied()
            .collect();
        (!text.is_empty()).then_some((name, Cow::Owned(text)))
    }

    /// Writes `message` without what the host refuses, and with its mark.
    fn write(&self, message: Json<'_>, ids: &Ids, mark: Option<&str>, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        for (key, value) in message.members() {
            let name = key.spelled();
            let fate = self.fate(&name, value);
            if fate == Fate::Drop {
                continue;
            }
            let out = object.escaped_key(key.escaped());
            match (fate, &*name) {
                (Fate::System, _) => out.extend_from_slice(b"\"system\""),
                (Fate::Unmark, _) => each(out, value, unmarked),
                (_, b"tool_call_id") => ids.write(value, out),
                (_, b"tool_calls") => each(out, value, |call, out| ids.write_call(call, out)),
                _ => out.extend_from_slice(value.bytes()),
            }
        }
        if let Some((name, text)) = self.replayed(message) {
            let out = object.key(name);
            out.push(b'"');
            out.extend_from_slice(&text);
            out.push(b'"');
        }
        if let Some(mark) = mark {
            object.bool(mark, true);
        }
        object.close();
    }
}

/// Whether a content part asks to be cached, in the way of Anthropic.
fn is_marked(part: Json<'_>) -> bool {
    part.get("cache_control").is_some()
}

/// One content part without its cache marker.
fn unmarked(part: Json<'_>, out: &mut Vec<u8>) {
    if !is_marked(part) {
        out.extend_from_slice(part.bytes());
        return;
    }
    let mut object = ObjectWriter::open(out);
    for (key, value) in part.members().filter(|(key, _)| !key.is("cache_control")) {
        object
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    object.close();
}

/// An array of what `write` makes of each element.
fn each(out: &mut Vec<u8>, list: Json<'_>, mut write: impl FnMut(Json<'_>, &mut Vec<u8>)) {
    out.push(b'[');
    for (place, element) in list.elements().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(element, out);
    }
    out.push(b']');
}

/// Tool call ids that the host would refuse (hashed, with a salt should two of them meet), and what stands for them: nine letters or digits, the
/// same for the same id throughout a conversation and in every later request.
#[derive(Default)]
struct Ids(HashMap<String, String>);

// === impl Ids ===

impl Ids {
    /// Finds every id that needs another, in calls and in answers to them. Ids that are fit already
    /// stay, and none of the new ones equals one of them.
    fn of(messages: Json<'_>) -> Self {
        let found = || {
            messages.elements().flat_map(|message| {
                let calls = message.get("tool_calls").into_iter();
                let calls = calls
                    .flat_map(Json::elements)
                    .filter_map(|call| call.get("id"));
                calls
                    .chain(message.get("tool_call_id"))
                    .filter_map(Json::string)
            })
        };
        let mut used: HashSet<String> = found()
            .filter(|id| is_nine(id))
            .map(Cow::into_owned)
            .collect();
        let mut ids = Self::default();
        for id in found().filter(|id| !is_nine(id)) {
            if !ids.0.contains_key(&*id) {
                let short = (0..)
                    .map(|salt| nine(&id, salt))
                    .find(|nine| !used.contains(nine));
                let short = short.unwrap_or_default();
                used.insert(short.clone());
                ids.0.insert(id.into_owned(), short);
            }
        }
        ids
    }

    /// Writes an id, or what stands for it.
    fn write(&self, id: Json<'_>, out: &mut Vec<u8>) {
        match id.string().and_then(|id| self.0.get(&*id)) {
            Some(short) => {
                out.push(b'"');
                out.extend_from_slice(short.as_bytes());
                out.push(b'"');
            }
            None => out.extend_from_slice(id.bytes()),
        }
    }

    /// Writes a call with what stands for its id.
    fn write_call(&self, call: Json<'_>, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        for (key, value) in call.members() {
            let out = object.escaped_key(key.escaped());
            if key.is("id") {
                self.write(value, out);
            } else {
                out.extend_from_slice(value.bytes());
            }
        }
        object.close();
    }
}

/// Whether an id is fit for hosts that want nine letters or digits.
fn is_nine(id: &str) -> bool {
    id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Nine letters or digits made from `id`.
fn nine(id: &str, salt: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut hash = super::call::fnv(id.as_bytes(), salt);
    let mut digit = || {
        let digit = usize::try_from(hash % 36).unwrap_or_default();
        hash /= 36;
        DIGITS.get(digit).copied().map_or('0', char::from)
    };
    (0..9).map(|_| digit()).collect()
}

#[cfg(test)]
mod tests {
    use waystation_core::ChatRequest;

    use super::*;

    #[test]
    fn plain_talk_is_rewritten_for_nobody() {
        let body = br#"{"messages":[{"role":"system","content":"a"},{"content":"[]","role":"assistant"},{"role":"user","content":""}]}"#;
        let chat = ChatRequest::parse(&body.as_slice().into()).unwrap();
        assert!(chat.is_plain_talk());
        let replays = [
            ReasoningReplay::Drop,
            ReasoningReplay::ReasoningContent,
            ReasoningReplay::Reasoning,
            ReasoningReplay::Details,
        ];
        for (reasoning_replay, strict) in replays
            .into_iter()
            .flat_map(|one| [(one, true), (one, false)])
        {
            let quirks = Quirks {
                reasoning_replay,
                no_developer_role: strict,
                nine_char_tool_ids: strict,
                takes_reasoning_details: !strict,
                ..Quirks::default()
            };
            let messages = chat.get("messages").unwrap();
            assert_eq!(rewritten(messages, &quirks, None), None, "{quirks:?}");
        }
    }
}
