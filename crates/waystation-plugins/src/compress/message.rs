//! One message: how large it is, what may be cut of it, and how it is written again. Which one is
//! cut is not decided here.

use std::borrow::Cow;

use waystation_core::{Json, Kind, Message, ObjectWriter, Role};

use super::{Counter, elements, is_operator};

/// What stands where text was taken out.
///
/// As editors write it, and short: what it takes is taken from the text.
pub(super) const MARK: &str = "\n[...]\n";

/// What stands where nothing of a text is left.
pub(super) const NOTHING: &str = "…";

/// Tokens of a message beside its text, of a call beside its arguments, and of an image.
///
/// Source: OpenAI cookbook, "How to count tokens with tiktoken", and the tile rule for an image of
/// four tiles (85 + 4 x 170), both read 2025-08.
const MESSAGE: u64 = 4;
const CALL: u64 = 8;
const IMAGE: u64 = 765;

/// How many characters are an end.
const END: usize = 4;

/// A message of the conversation.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    /// The message as it came; what is not cut is copied from here.
    json: Json<'a>,
    /// Who speaks; `None` for a role that is not known, whose message is treated like any other.
    pub(super) role: Option<Role>,
    /// Its tokens, as it is now.
    pub(super) tokens: u64,
    /// Those of everything that cannot be cut.
    fixed: u64,
    /// How many calls it makes.
    pub(super) calls: usize,
    /// How many results it holds.
    pub(super) results: usize,
    /// Its texts, where they were changed.
    cut: Option<Vec<String>>,
}

// === impl Item ===

impl<'a> Item<'a> {
    /// Every message of a list.
    pub(super) fn all(messages: Json<'a>, counter: &dyn Counter) -> Vec<Self> {
        elements(messages)
            .map(|json| Self::of(json, counter))
            .collect()
    }

    /// Reads one message: calls of both spellings (`tool_calls`, parts of type `tool_use`) and results of
    /// both (the role `tool`, parts of type `tool_result`).
    fn of(json: Json<'a>, counter: &dyn Counter) -> Self {
        let role = Message::of(json).map(|message| message.role());
        let calls = json
            .get("tool_calls")
            .into_iter()
            .flat_map(Json::elements)
            .count();
        let used = parts(json)
            .filter(|part| is_kind(*part, "tool_use"))
            .count();
        let answers = usize::from(matches!(role, Some(Role::Tool | Role::Function)));
        let held = parts(json)
            .filter(|part| is_kind(*part, "tool_result"))
            .count();
        let mut item = Self {
            json,
            role,
            tokens: 0,
            fixed: 0,
            calls: calls + used,
            results: answers + held,
            cut: None,
        };
        item.fixed = item.without_texts(counter);
        item.tokens = item.fixed + item.texts().iter().map(|t| counter.count(t)).sum::<u64>();
        item
    }

    /// Whether it is the operator's, and stays as it is.
    pub(super) const fn is_fixed(&self) -> bool {
        is_operator(self.role)
    }

    /// What it comes to when its texts may take `most` tokens together.
    pub(super) fn within(&self, most: u64) -> u64 {
        self.tokens.min(self.fixed.saturating_add(most))
    }

    /// The tokens of its texts alone.
    pub(super) const fn of_texts(&self) -> u64 {
        self.tokens - self.fixed
    }

    /// Whether any of its texts was changed.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Whether somebody said something with it, and not a word of that is left. Results of tools may
    /// shrink to a sign: the call tells what they were.
    pub(super) fn is_lost(&self) -> bool {
        let cut = self.cut.as_ref();
        self.results == 0 && cut.is_some_and(|texts| texts.iter().all(|text| text == NOTHING))
    }

    /// Whether what it said last is still there: the end of a long question is the question.
    pub(super) fn keeps_end(&self) -> bool {
        let end = |texts: &[Cow<'_, str>]| {
            let last = texts.last().map(|text| text.trim_end()).unwrap_or_default();
            last.chars().rev().take(END).collect::<String>()
        };
        let whole = Self {
            cut: None,
            ..self.clone()
        };
        self.results > 0 || end(&self.texts()) == end(&whole.texts())
    }

    /// Whether somebody asks something with it: a user's message that is no tool result.
    pub(super) fn asks(&self) -> bool {
        self.role == Some(Role::User) && self.results == 0
    }

    /// The tokens of everything that cannot be cut.
    ///
    /// That is the message itself, calls with their arguments, images and other media at a flat rate,
    /// reasoning, refusals, and parts of a kind that is not known, by their JSON text.
    fn without_texts(&self, counter: &dyn Counter) -> u64 {
        let mut sum = MESSAGE;
        for call in self
            .json
            .get("tool_calls")
            .into_iter()
            .flat_map(Json::elements)
        {
            let arguments = call.at(&["function", "arguments"]).and_then(Json::string);
            sum += CALL + counter.count(&arguments.unwrap_or_default());
        }
        for part in parts(self.json) {
            if cuttable(part).is_some() {
                continue;
            }
            let kind = part.get("type").and_then(Json::string).unwrap_or_default();
            sum += match &*kind {
                "image_url" | "image" | "input_audio" | "video_url" | "input_video" | "file" => {
                    IMAGE
                }
                "thinking" => text(part, "thinking").map_or(0, |text| counter.count(&text)),
                "tool_use" => {
                    let input = part.get("input").map(Json::text).unwrap_or_default();
                    CALL + counter.count(&input)
                }
                _ => counter.count(&part.text()),
            };
        }
        for key in ["reasoning", "reasoning_content", "refusal"] {
            sum += text(self.json, key).map_or(0, |text| counter.count(&text));
        }
        sum
    }

    /// The texts that may be cut, in order, as they are now.
    ///
    /// A content that is a string is one text; of a list of parts, each part of text is one, and so is
    /// each result that is a string.
    pub(super) fn texts(&self) -> Vec<Cow<'_, str>> {
        if let Some(cut) = &self.cut {
            return cut
                .iter()
                .map(|text| Cow::Borrowed(text.as_str()))
                .collect();
        }
        match self.json.get("content") {
            Some(content) if content.kind() == Kind::String => {
                content.string().into_iter().collect()
            }
            _ => parts(self.json)
                .filter_map(|part| text(part, cuttable(part)?))
                .collect(),
        }
    }

    /// All that is said in the message, for comparing.
    pub(super) fn said(&self) -> String {
        self.texts().join("\n")
    }

    /// Replaces the texts; their number stays.
    pub(super) fn set(&mut self, texts: Vec<String>, counter: &dyn Counter) {
        self.tokens = self.fixed + texts.iter().map(|text| counter.count(text)).sum::<u64>();
        self.cut = Some(texts);
    }

    /// Cuts the middle out of its texts, the longest first, until at most `most` tokens are left;
    /// `false` when that is not to be had.
    ///
    /// Where it gives `false`, the texts may have been shortened as far as they go.
    pub(super) fn shorten(&mut self, most: u64, counter: &dyn Counter) -> bool {
        let mut texts: Vec<String> = self.texts().into_iter().map(Cow::into_owned).collect();
        while self.tokens > most {
            let sizes = texts.iter().map(|text| counter.count(text));
            let Some((at, size)) = sizes.enumerate().max_by_key(|(_, size)| *size) else {
                return false;
            };
            let wanted = size.saturating_sub(self.tokens - most);
            let Some(text) = texts.get_mut(at) else {
                return false;
            };
            let shorter = without_middle(text, wanted, counter);
            if counter.count(&shorter) >= size {
                return false;
            }
            *text = shorter;
            self.set(texts.clone(), counter);
        }
        true
    }

    /// Writes the message: as it came, or with other texts in the same places.
    ///
    /// A message that was cut keeps all its other members in their places, unknown ones too.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Some(cut) = &self.cut else {
            out.extend_from_slice(self.json.bytes());
            return;
        };
        let mut texts = cut.iter().map(String::as_str);
        let mut object = ObjectWriter::open(out);
        for (key, value) in self.json.members() {
            let out = object.escaped_key(key.escaped());
            match value.kind() {
                Kind::String if key.is("content") => quote(texts.next().unwrap_or_default(), out),
                Kind::Array if key.is("content") => write_parts(value, &mut texts, out),
                _ => out.extend_from_slice(value.bytes()),
            }
        }
        object.close();
    }
}

/// Writes a list of parts, with `texts` in the places of those that may be cut, in the same order as
/// [`Item::texts`] gives them.
fn write_parts<'t>(
    content: Json<'_>,
    texts: &mut impl Iterator<Item = &'t str>,
    out: &mut Vec<u8>,
) {
    out.push(b'[');
    for (at, part) in content.elements().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let Some(place) = cuttable(part).filter(|place| text(part, place).is_some()) else {
            out.extend_from_slice(part.bytes());
            continue;
        };
        let mut object = ObjectWriter::open(out);
        for (key, value) in part.members() {
            let out = object.escaped_key(key.escaped());
            if key.is(place) {
                quote(texts.next().unwrap_or_default(), out);
            } else {
                out.extend_from_slice(value.bytes());
            }
        }
        object.close();
    }
    out.push(b']');
}

/// Appends `text` as a JSON string.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(waystation_core::JsonText::of(text).escaped());
    out.push(b'"');
}

/// The parts of a message's content.
fn parts(message: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    message.get("content").into_iter().flat_map(Json::elements)
}

/// Whether the `type` of a part is this one.
fn is_kind(part: Json<'_>, kind: &str) -> bool {
    part.get("type").is_some_and(|found| found.is(kind))
}

/// The member of a part that holds text which may be cut. Reasoning and calls may not.
fn cuttable(part: Json<'_>) -> Option<&'static str> {
    let place = match &*part.get("type")?.string()? {
        "text" | "input_text" | "output_text" => "text",
        "tool_result" => "content",
        _ => return None,
    };
    part.get(place)
        .filter(|held| held.kind() == Kind::String)
        .map(|_| place)
}

/// The member `key` where it is a string, unescaped.
fn text<'a>(json: Json<'a>, key: &str) -> Option<Cow<'a, str>> {
    json.get(key)?.string()
}

/// The beginning and the end of `text` with a mark between them, in at most about `most` tokens;
/// only a sign when there is no room for more.
///
/// It guesses by the share of tokens to bytes, counts, and corrects the guess up to eight times. Head
/// and tail get the same number of bytes: of 8,000 with room for half about 2,000 stay at each end.
fn without_middle(text: &str, most: u64, counter: &dyn Counter) -> String {
    let whole = counter.count(text).max(1);
    let room = most.saturating_sub(counter.count(MARK));
    // The mark of an earlier cut goes with the middle.
    let mut bytes = share(text.len(), room, whole);
    for _ in 0..8 {
        if bytes < 8 {
            break;
        }
        let head = boundary(text, bytes / 2);
        let tail = boundary(text, text.len() - (bytes - bytes / 2));
        let shorter = [
            text.get(..head).unwrap_or_default(),
            MARK,
            text.get(tail.max(head)..).unwrap_or_default(),
        ]
        .concat();
        let size = counter.count(&shorter);
        if size <= most {
            return shorter;
        }
        bytes = share(bytes, most.saturating_sub(1), size).min(bytes - bytes / 16 - 1);
    }
    NOTHING.to_owned()
}

/// `bytes` x `part` / `whole`, without overflow.
fn share(bytes: usize, part: u64, whole: u64) -> usize {
    let bytes = u128::try_from(bytes).unwrap_or(u128::MAX);
    let share = bytes.saturating_mul(u128::from(part)) / u128::from(whole.max(1));
    usize::try_from(share.min(bytes)).unwrap_or(usize::MAX)
}

/// The last byte up to `at` where a character may be parted from the one before it: not within
/// one, and not before a mark, a joiner or a selector that belongs to it.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    loop {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let next = text.get(at..).and_then(|rest| rest.chars().next());
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let (Some(next), Some(before)) = (next, before) else {
            return at;
        };
        if before != JOINER && !belongs(next) {
            return at;
        }
        at -= before.len_utf8();
    }
}

/// Joins the characters around it into one, as in the emoji of a family.
const JOINER: char = '\u{200d}';

/// Whether a character only makes sense behind another one.
///
/// Accents, vowel signs of the scripts of India and Thailand, vowels of Hangul, selectors, skin tones
/// and tags. Source: Unicode Standard Annex 29, the properties Extend and SpacingMark, in short.
const fn belongs(c: char) -> bool {
    matches!(c,
        JOINER | '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{93a}'..='\u{94f}'
        | '\u{9bc}'..='\u{9cd}' | '\u{e31}'..='\u{e4e}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1160}'..='\u{11ff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}
