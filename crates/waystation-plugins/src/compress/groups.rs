//! A conversation in parts that stay or go as a whole: a call with its results, or one message.

use std::ops::Range;

use waystation_core::Role;

use super::message::Item;

/// Neighbouring messages that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Its first message, counted among those that are left.
    start: usize,
    /// Behind its last message. Between the two there may be the operator's, which are not counted.
    end: usize,
    /// Its tokens.
    pub(super) tokens: u64,
    /// Who begins it.
    first: Option<Role>,
    /// Who ends it.
    last: Option<Role>,
    /// It is a user's own message.
    pub(super) asks: bool,
}

// === impl Group ===

impl Group {
    /// Where its messages stand, the operator's among them included.
    pub(super) const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// How many messages that is.
    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Where its first message stands.
    pub(super) const fn start(&self) -> usize {
        self.start
    }

    /// Whether the one who ends this group would speak again in `next`.
    ///
    /// A system message between the two does not make it a change of turns.
    pub(super) fn clashes(&self, next: &Self) -> bool {
        self.last == next.first
    }
}

/// The groups of `items` in order, the operator's messages left out. An operator's message between
/// a call and its results does not part them.
///
/// Results join the group of the calls before them, however many messages they take: a call of two
/// tools and both results are one group of three messages. A result that follows no call is a group
/// of its own, since what it answers is unknown. Linear.
pub(super) fn of(items: &[Item<'_>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut waiting = false;
    for (at, item) in items.iter().enumerate() {
        if item.is_fixed() {
            continue;
        }
        let joins = item.results > 0 && waiting;
        match groups.last_mut().filter(|_| joins) {
            Some(group) => {
                group.end = at + 1;
                group.tokens += item.tokens;
                group.last = item.role;
            }
            None => groups.push(Group {
                start: at,
                end: at + 1,
                tokens: item.tokens,
                first: item.role,
                last: item.role,
                asks: item.asks(),
            }),
        }
        waiting = joins || item.calls > 0;
    }
    groups
}
