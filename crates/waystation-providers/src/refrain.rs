//! Events that say what the one before them said, but for their text. Most events of a stream are such:
//! what stands around the text is compared, and only the text is read. What a dialect keeps of an event is
//! its own affair.

use std::ops::Range;

use bytes::Bytes;
use waystation_core::{ChatEvent, Delta, JsonText};

use crate::SseEvent;

/// The largest event whose surroundings are kept, in bytes.
const MOST: usize = 8 << 10;

/// What stood around the text of the latest event, where it was nothing but a piece of text.
///
/// # Laws
/// An event that is taken for the same again gives what reading it would have given: what is around the
/// text was read once, directly before it, and one string in the place of another changes nothing there.
#[derive(Debug, Default)]
pub(crate) struct Refrain {
    /// Whether there is one. The memory is kept without.
    sung: bool,
    choice: u32,
    name: Option<Bytes>,
    /// Up to the text, its opening quote included.
    before: Vec<u8>,
    /// From its closing quote on.
    behind: Vec<u8>,
}

// === impl Refrain ===

impl Refrain {
    /// The piece of text that `event` is, where it is the latest one with another text.
    pub(crate) fn again(&self, event: &SseEvent) -> Option<Delta> {
        let data = &event.data;
        if !self.sung || !data.starts_with(&self.before) || event.name != self.name {
            return None;
        }
        let text = JsonText::within(data, self.before.len())?;
        let behind = data.get(self.before.len() + text.len()..)?;
        (behind == self.behind && !text.is_empty()).then(|| Delta {
            content: Some(text),
            ..Delta::of(self.choice)
        })
    }

    /// The latest event was another one.
    pub(crate) const fn ends(&mut self) {
        self.sung = false;
    }

    /// The latest event was `event`, which gave `given`.
    pub(crate) fn heard(&mut self, event: &SseEvent, given: &[ChatEvent]) {
        self.sung = false;
        let [ChatEvent::Delta(delta)] = given else {
            return;
        };
        let Some(place) = delta.text_alone().and_then(|text| place(event, text)) else {
            return;
        };
        if event.data.len() > MOST {
            return;
        }
        let around = (event.data.get(..place.start), event.data.get(place.end..));
        let (Some(before), Some(behind)) = around else {
            return;
        };
        if before.last() != Some(&b'"') || behind.first() != Some(&b'"') {
            return;
        }
        self.before.clear();
        self.before.extend_from_slice(before);
        self.behind.clear();
        self.behind.extend_from_slice(behind);
        self.choice = delta.choice;
        // Copied, as the rest: what an event was read into is not to be kept.
        self.name = event.name.as_deref().map(Bytes::copy_from_slice);
        self.sung = true;
    }
}

/// Where in the event's data `text` stands.
fn place(event: &SseEvent, text: &JsonText) -> Option<Range<usize>> {
    let start = (text.escaped().as_ptr() as usize).checked_sub(event.data.as_ptr() as usize)?;
    let end = start.checked_add(text.len())?;
    (end <= event.data.len()).then_some(start..end)
}
