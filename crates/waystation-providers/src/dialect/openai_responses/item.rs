//! What is known of one item of an output while it comes: which call it is, and which of its parts
//! were heard, so that what an event repeats is not said twice.
//!
//! Nothing of what the parts say is kept, only that they said it. An item is found by its place in the
//! output, a part by what it holds and its own place.

/// One item.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// Its place in the output.
    pub(super) place: u64,
    /// Which call of the choice it is.
    pub(super) call: Option<u32>,
    /// Some of the call's arguments have come.
    pub(super) argued: bool,
    /// It has come whole.
    pub(super) done: bool,
    parts: Vec<Part>,
}

/// What a part of an item holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Visible text.
    Text,
    /// Why the model will not.
    Refusal,
    /// The thinking itself.
    Thought,
    /// Words about the thinking.
    Summary,
}

/// One part of an item.
#[derive(Debug)]
pub(super) struct Part {
    holds: Holds,
    place: u64,
    /// Its text has come, or some of it.
    pub(super) heard: bool,
    /// How many of its annotations have come.
    pub(super) annotated: usize,
    /// Where its text starts in the content of the choice, in characters.
    pub(super) start: u64,
    /// Its place among the blocks of reasoning.
    pub(super) block: u32,
}

/// How many items and how many parts of one are kept apart: above any real answer, so that memory
/// stays bounded.
const MAX: usize = 4096;

// === impl Item ===

impl Item {
    /// The item at `place`, made when it is new; `None` beyond any real answer.
    pub(super) fn at(items: &mut Vec<Self>, place: u64) -> Option<&mut Self> {
        let at = items.iter().rposition(|item| item.place == place);
        let at = match at {
            Some(at) => at,
            None if items.len() >= MAX => return None,
            None => {
                items.push(Self {
                    place,
                    ..Self::default()
                });
                items.len() - 1
            }
        };
        items.get_mut(at)
    }

    /// A part, made by `fresh` when it is new, which is told the part's start and block.
    pub(super) fn part(
        &mut self,
        holds: Holds,
        place: u64,
        fresh: impl FnOnce() -> (u64, u32),
    ) -> Option<&mut Part> {
        let known = |part: &Part| part.holds == holds && part.place == place;
        let at = match self.parts.iter().rposition(known) {
            Some(at) => at,
            None if self.parts.len() >= MAX => return None,
            None => {
                let (start, block) = fresh();
                self.parts.push(Part {
                    holds,
                    place,
                    heard: false,
                    annotated: 0,
                    start,
                    block,
                });
                self.parts.len() - 1
            }
        };
        self.parts.get_mut(at)
    }

    /// The place of the `nth` part of this kind that was heard. Finished items are matched by it:
    /// some hosts count the parts of their deltas differently.
    pub(super) fn heard(&self, holds: Holds, nth: usize) -> Option<u64> {
        let heard = |part: &&Part| part.holds == holds && part.heard;
        self.parts
            .iter()
            .filter(heard)
            .nth(nth)
            .map(|part| part.place)
    }
}
