//! The gap that middle-out leaves, and what of it still has a place: messages at its edges, shortened.
//! How much stays whole on either side of it is not decided here.

use super::{
    Conversation,
    groups::Group,
    message::Item,
    middle::{SHORTEST, take_turns},
};

/// Messages that come back, and their places.
type Back<'a> = Vec<(usize, Item<'a>)>;

/// The most groups that come back to the gap.
const MOST: usize = 8;

/// How many come back from its early and its late edge, in the order in which it is tried.
///
/// The more the better: what a message is about is said at its beginning, and often again at its end,
/// so that two halves tell more than one whole. Of odd numbers the later get one more, since they are
/// closer to what is asked; where that would break the change of turns, the earlier do.
fn edges() -> impl Iterator<Item = (usize, usize)> {
    let both = |all: usize| [(all / 2, all - all / 2), (all - all / 2, all / 2)];
    (1..=MOST).rev().flat_map(both)
}

/// Uses the room that is left: marks what of the gap comes back, and shortens it where it has to be.
///
/// A group comes back whole where there is room for it, and otherwise with as much of each of its texts
/// as there is room for, but not less than [`SHORTEST`]. Nothing is done where that is not to be had, where
/// there would be too many messages, or where the turns would not allow it.
pub(super) fn fill(talk: &mut Conversation<'_>, groups: &[Group], kept: &mut [bool]) {
    while let Some((wider, back)) = edges().find_map(|edges| widened(talk, groups, kept, edges)) {
        let whole = back.iter().all(|(_, item)| !item.is_cut());
        for (at, item) in back {
            if let Some(slot) = talk.items.get_mut(at) {
                *slot = item;
            }
        }
        kept.copy_from_slice(&wider);
        if !whole {
            break;
        }
    }
}

/// The groups that stay when so many come back from the `edges` of the gap, and the messages of these
/// as they come back; `None` where they cannot.
fn widened<'a>(
    talk: &Conversation<'a>,
    groups: &[Group],
    kept: &[bool],
    (early, late): (usize, usize),
) -> Option<(Vec<bool>, Back<'a>)> {
    let gone: Vec<usize> = (0..groups.len())
        .filter(|at| kept.get(*at) == Some(&false))
        .collect();
    if early + late > gone.len() {
        return None;
    }
    let back = gone.iter().take(early).chain(gone.iter().rev().take(late));
    let mut wider = kept.to_vec();
    for at in back.clone() {
        *wider.get_mut(*at)? = true;
    }
    let mut after = wider.clone();
    take_turns(groups, &mut after);
    if after != wider {
        return None;
    }
    let stay = talk
        .items
        .iter()
        .zip(talk.mask(groups, kept))
        .filter(|(_, stays)| *stays);
    let (count, size) = stay.fold((0, 0), |(count, size), (item, _)| {
        (count + 1, size + item.tokens)
    });
    let places = back.filter_map(|at| groups.get(*at)).flat_map(Group::range);
    let items: Back<'a> = places
        .filter_map(|at| Some((at, talk.items.get(at)?.clone())))
        .filter(|(_, item)| !item.is_fixed())
        .collect();
    let fits = talk
        .room
        .messages
        .is_none_or(|most| count + items.len() <= most);
    let left = talk.room.tokens.get().checked_sub(size).filter(|_| fits)?;
    Some((wider, within(items, left, talk)?))
}

/// These messages in `left` tokens: each text as long as it is, or as long as the longest may be.
fn within<'a>(mut items: Back<'a>, left: u64, talk: &Conversation<'_>) -> Option<Back<'a>> {
    let size = |most: u64| -> u64 { items.iter().map(|(_, item)| item.within(most)).sum() };
    if size(u64::MAX) <= left {
        return Some(items);
    }
    if size(SHORTEST) > left {
        return None;
    }
    let (mut most, mut over) = (SHORTEST, left + 1);
    while over - most > 1 {
        let between = most + (over - most) / 2;
        if size(between) <= left {
            most = between;
        } else {
            over = between;
        }
    }
    for (_, item) in &mut items {
        let most = item.within(most);
        if item.tokens > most && !item.shorten(most, talk.counter) {
            return None;
        }
    }
    Some(items)
}
