//! Items that have come whole: what of them no delta told is told now, so that a stream without
//! deltas, a stream with all of them and a whole response come to the same.
//!
//! | item | what comes of it |
//! |---|---|
//! | `message` | parts that were not heard: content and refusals; citations that were not heard |
//! | `reasoning` | parts that were not heard, then the seal, which only a whole item has for good |
//! | `function_call`, `custom_tool_call` | a call that was not told, or arguments that no delta brought |
//! | `web_search_call` | counted, when it searches |
//! | `image_generation_call` | an image |
//! | all steps of tools that the host runs | a detail that goes back as the item; their results are in the words |

use bytes::Bytes;
use waystation_core::{ChatEvent, Delta, Json, JsonText, RawJson};

use super::{
    field::Item as Fields,
    item::{Holds, Item},
    reply::{Reply, Words, logprobs, text},
};
use crate::{
    ran::{Held, Step},
    thought::{Piece, Thought},
};

// === impl Reply ===

impl Reply {
    /// An item has come whole: what of it was not heard yet is said now.
    pub(super) fn done(
        &mut self,
        place: u64,
        item: Json<'_>,
        data: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) {
        match Item::at(&mut self.items, place) {
            Some(known) if !known.done => known.done = true,
            _ => return,
        }
        let fields = Fields::of(item);
        match fields.kind.and_then(Json::string).as_deref() {
            Some("message") => self.message(place, &fields, data, out),
            Some("reasoning") => self.reasoning(place, &fields, data, out),
            Some("function_call" | "custom_tool_call") => {
                self.begin(place, item, data, out);
                self.call(place, &fields, data, out);
            }
            Some("web_search_call") => {
                // Pages that are opened or looked through are no searches.
                let action = item.at(&["action", "type"]);
                let searched = action.is_none_or(|action| action.is("search"));
                self.searches += u64::from(searched);
                self.ran(&fields, item, out);
            }
            Some("image_generation_call") => {
                let mut delta = Delta::of(0);
                delta.images = image(&fields).map(Box::new);
                self.give(delta, out);
            }
            Some(_) => self.ran(&fields, item, out),
            None => {}
        }
    }

    /// A step of a tool that the host ran: nothing for the client to do, but to be sent back, for
    /// the reasoning before it is refused without it.
    fn ran(&mut self, fields: &Fields<'_>, item: Json<'_>, out: &mut Vec<ChatEvent>) {
        let whole = JsonText::of(&item.text());
        let step = Step {
            tool: fields.kind.map_or(b"\"\"", Json::bytes),
            call: fields.id,
            held: Held::Arguments(&whole),
            native: None,
            format: &self.format,
            index: self.blocks,
            offset: self.characters,
        };
        let mut delta = Delta::of(0);
        delta.reasoning_details = step.details();
        self.blocks += 1;
        self.give(delta, out);
    }

    /// The rest of a call: arguments that came in no delta, `{}` where there are none.
    fn call(&mut self, place: u64, item: &Fields<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let argued = Item::at(&mut self.items, place).is_none_or(|known| known.argued);
        if !argued {
            let arguments = text(item.arguments.or(item.input), data);
            let arguments = arguments.filter(|text| !text.decode().trim().is_empty());
            let arguments = arguments.unwrap_or_else(|| JsonText::from_static("{}"));
            self.argue(place, Some(arguments), out);
        }
    }

    /// Parts of a message that were not heard yet, and their citations.
    fn message(&mut self, item: u64, fields: &Fields<'_>, data: &Bytes, out: &mut Vec<ChatEvent>) {
        let parts = fields.content.into_iter().flat_map(Json::elements);
        let (mut texts, mut refusals) = (0, 0);
        for (place, part) in (0..).zip(parts) {
            let kind = part.get("type").and_then(Json::string);
            let (holds, member, nth) = match kind.as_deref() {
                Some("output_text") => (Holds::Text, "text", &mut texts),
                Some("refusal") => (Holds::Refusal, "refusal", &mut refusals),
                _ => continue,
            };
            let words = Words {
                item,
                holds,
                place,
                text: text(part.get(member), data).unwrap_or_default(),
                logprobs: part.get("logprobs").and_then(logprobs),
                id: None,
            };
            let place = self.unheard(words, *nth, out);
            *nth += 1;
            let list = part.get("annotations").into_iter();
            let list: Vec<Json<'_>> = list.flat_map(Json::elements).collect();
            if !list.is_empty() {
                self.annotate((item, place), &list, true, out);
            }
        }
    }

    /// Parts of reasoning that were not heard yet, and the seal.
    fn reasoning(
        &mut self,
        item: u64,
        fields: &Fields<'_>,
        data: &Bytes,
        out: &mut Vec<ChatEvent>,
    ) {
        let id = text(fields.id, data);
        let lists = [
            (Holds::Summary, fields.summary),
            (Holds::Thought, fields.content),
        ];
        for (holds, list) in lists {
            let parts = list.into_iter().flat_map(Json::elements);
            for (nth, part) in parts.enumerate() {
                let words = Words {
                    item,
                    holds,
                    place: u64::try_from(nth).unwrap_or(u64::MAX),
                    text: text(part.get("text"), data).unwrap_or_default(),
                    logprobs: None,
                    id: id.clone(),
                };
                self.unheard(words, nth, out);
            }
        }
        if let Some(seal) = text(fields.encrypted_content, data) {
            let piece = Piece {
                thought: Thought::Encrypted,
                text: Some(&seal),
                signature: None,
                id: id.as_ref(),
                format: &self.format,
                index: self.blocks,
                offset: self.characters,
            };
            let mut delta = Delta::of(0);
            delta.reasoning_details = piece.details();
            self.blocks += 1;
            self.give(delta, out);
        }
    }

    /// Says the `nth` part of its kind, unless its text has come already; gives its place.
    fn unheard(&mut self, words: Words, nth: usize, out: &mut Vec<ChatEvent>) -> u64 {
        let known = Item::at(&mut self.items, words.item);
        let known = known.and_then(|item| item.heard(words.holds, nth));
        known.unwrap_or_else(|| {
            let place = words.place;
            self.say(words, out);
            place
        })
    }
}

/// An image that the host has drawn, as a data URL.
fn image(item: &Fields<'_>) -> Option<RawJson> {
    let data = item.result?.escaped()?;
    let format = item.output_format.and_then(Json::escaped);
    let mut out = br#"[{"type":"image_url","image_url":{"url":"data:image/"#.to_vec();
    out.extend_from_slice(format.unwrap_or(b"png"));
    out.extend_from_slice(b";base64,");
    out.extend_from_slice(data);
    out.extend_from_slice(br#""}}]"#);
    RawJson::parse(&Bytes::from(out)).ok()
}
