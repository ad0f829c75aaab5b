//! Middle-out: whole groups go from the middle, and then the middle of a text.

use std::collections::VecDeque;

use waystation_core::Tokens;

use super::{Conversation, TooLong, groups::Group, message::Item};

/// A text is not shortened to less than this; below, its message goes.
const SHORTEST: u64 = 48;

/// Makes the conversation fit.
///
/// The ends are set first, then messages are counted, then tokens. Each round decides anew what stays
/// of what is left: a round never brings back what an earlier one took.
pub(super) fn out(mut talk: Conversation<'_>) -> Result<Conversation<'_>, TooLong> {
    ends(&mut talk)?;
    for by in [By::Messages, By::Tokens] {
        let groups = talk.groups();
        let mut kept = halves(&talk, &groups, by);
        take_turns(&groups, &mut kept);
        if by == By::Tokens {
            fill(&mut talk, &groups, &mut kept);
        }
        talk.keep(&groups, &kept);
    }
    if talk.fits() {
        Ok(talk)
    } else {
        Err(talk.too_long())
    }
}

/// What is scarce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The number of messages is limited.
    Messages,
    /// The tokens are.
    Tokens,
}

/// What stays in any case: the operator's messages, the first question and the last group. Where
/// they alone are too long, the longest of them that may be shortened is.
///
/// The system and developer messages are never the ones: where these alone fill the room, that is
/// [`TooLong`]. Every turn of its loop makes a message smaller, so that it comes to an end.
pub(super) fn ends(talk: &mut Conversation<'_>) -> Result<(), TooLong> {
    let groups = talk.groups();
    let room = talk.room.tokens.get();
    let first = groups.iter().find(|group| group.asks).map(Group::start);
    let last = groups.last().map(Group::range).unwrap_or_default();
    let counter = talk.counter;
    // A long first question leaves room for what came after it.
    let whole = talk.size();
    if let Some(item) = first
        .filter(|at| !last.contains(at))
        .and_then(|at| talk.items.get_mut(at))
    {
        let most = (room / 4)
            .max(room.saturating_sub(whole - item.tokens))
            .max(SHORTEST);
        if item.tokens > most {
            item.shorten(most, counter);
        }
    }
    loop {
        let stays =
            |at: usize, item: &Item<'_>| item.is_fixed() || Some(at) == first || last.contains(&at);
        let kept = talk
            .items
            .iter()
            .enumerate()
            .filter(|(at, item)| stays(*at, item));
        let size: u64 = kept.clone().map(|(_, item)| item.tokens).sum();
        let Some(over) = size.checked_sub(room).filter(|over| *over > 0) else {
            return Ok(());
        };
        // The first question gives way before the last one does, unless that fills the room.
        let able = kept.filter(|(_, item)| !item.is_fixed());
        let longest = able.max_by_key(|(at, item)| {
            let early = !last.contains(at) && item.tokens > SHORTEST;
            (item.tokens > room / 2, early, item.tokens)
        });
        let longest = longest.map(|(at, _)| at);
        let too_long = TooLong {
            least: Tokens::new(size),
            ..talk.too_long()
        };
        let is_last = longest.is_some_and(|at| last.contains(&at));
        let Some(item) = longest.and_then(|at| talk.items.get_mut(at)) else {
            return Err(too_long);
        };
        let before = item.tokens;
        item.shorten(
            before.saturating_sub(over).max(SHORTEST.min(before / 2)),
            counter,
        );
        // A last question of which nothing is left is none.
        if item.tokens >= before || is_last && item.is_lost() {
            return Err(too_long);
        }
    }
}

/// Marks the groups to keep: from both ends alternately, so that both get about the same share.
///
/// The side that has used less is asked first. A side whose next group does not fit is closed: it
/// does not skip over it, since a conversation with holes reads worse than a short one. The other
/// side goes on until it is full as well.
fn halves(talk: &Conversation<'_>, groups: &[Group], by: By) -> Vec<bool> {
    let weight = |group: &Group| match by {
        By::Messages => u64::try_from(group.len()).unwrap_or(u64::MAX),
        By::Tokens => group.tokens,
    };
    let fixed = talk.items.iter().filter(|item| item.is_fixed());
    let (room, fixed) = match by {
        By::Messages => {
            let room = talk.room.messages.unwrap_or(usize::MAX);
            let room = u64::try_from(room).unwrap_or(u64::MAX);
            (room, u64::try_from(fixed.count()).unwrap_or(u64::MAX))
        }
        By::Tokens => (talk.room.tokens.get(), fixed.map(|item| item.tokens).sum()),
    };
    let mut kept = protected(groups);
    let stay = groups.iter().zip(&kept).filter(|(_, kept)| **kept);
    let ends: u64 = stay.map(|(group, _)| weight(group)).sum();
    let mut left = room.saturating_sub(fixed).saturating_sub(ends);
    let free = (0..groups.len()).filter(|at| kept.get(*at) == Some(&false));
    let mut free: VecDeque<usize> = free.collect();
    let (mut head, mut tail) = (Some(0_u64), Some(0_u64));
    while !free.is_empty() {
        let front = match (head, tail) {
            (Some(head), Some(tail)) => head <= tail,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        let next = if front { free.front() } else { free.back() }.copied();
        let Some((at, group)) = next.and_then(|at| Some((at, groups.get(at)?))) else {
            break;
        };
        let (side, cost) = (if front { &mut head } else { &mut tail }, weight(group));
        if cost > left {
            // This side is full; the other may have something smaller.
            *side = None;
            continue;
        }
        left -= cost;
        *side = side.map(|used| used + cost);
        if let Some(slot) = kept.get_mut(at) {
            *slot = true;
        }
        if front {
            free.pop_front();
        } else {
            free.pop_back();
        }
    }
    kept
}

/// The groups that stay in any case: the first question and the last group.
pub(super) fn protected(groups: &[Group]) -> Vec<bool> {
    let first = groups.iter().position(|group| group.asks);
    let last = groups.len().saturating_sub(1);
    (0..groups.len())
        .map(|at| Some(at) == first || at == last)
        .collect()
}

/// Where groups are missing between two that speak for the same side, one of the two goes too,
/// unless both have to stay.
///
/// The later one goes, unless it has to stay. `U1 A1 .. A3 U4` becomes `U1 A1 .. U4`. Neighbours that
/// spoke twice in a row to begin with are left so.
pub(super) fn take_turns(groups: &[Group], kept: &mut [bool]) {
    let safe = protected(groups);
    let free = |at: usize| safe.get(at) == Some(&false);
    let mut before: Vec<usize> = Vec::new();
    for at in 0..groups.len() {
        if kept.get(at) != Some(&true) {
            continue;
        }
        let mut stays = true;
        while let Some(&last) = before.last() {
            let pair = groups.get(last).zip(groups.get(at));
            let clash = at > last + 1 && pair.is_some_and(|(a, b)| a.clashes(b));
            if clash && free(at) {
                stays = false;
            } else if clash && free(last) {
                before.pop();
                if let Some(slot) = kept.get_mut(last) {
                    *slot = false;
                }
                continue;
            }
            break;
        }
        if let Some(slot) = kept.get_mut(at) {
            *slot = stays;
        }
        if stays {
            before.push(at);
        }
    }
}

/// Uses the room that is left for the last of the groups that did not fit, shortened.
///
/// Nothing is done where fewer than 96 tokens are left, where one more message is too many, or where
/// the turns would not allow it.
fn fill(talk: &mut Conversation<'_>, groups: &[Group], kept: &mut [bool]) {
    let Some(at) = kept.iter().rposition(|kept| !kept) else {
        return;
    };
    let Some(group) = groups.get(at) else { return };
    let mask = talk.mask(groups, kept);
    let stay = talk.items.iter().zip(&mask).filter(|(_, stays)| **stays);
    let (count, size) = stay.fold((0, 0), |(count, size), (item, _)| {
        (count + 1, size + item.tokens)
    });
    let left = talk.room.tokens.get().saturating_sub(size);
    let full = talk
        .room
        .messages
        .is_some_and(|most| count + group.len() > most);
    if full || left < SHORTEST * 2 || group.tokens <= left {
        return;
    }
    let mut wider = kept.to_vec();
    if let Some(slot) = wider.get_mut(at) {
        *slot = true;
    }
    take_turns(groups, &mut wider);
    if wider.get(at) != Some(&true) {
        return;
    }
    let over = group.tokens - left;
    let longest = group
        .range()
        .max_by_key(|at| talk.items.get(*at).map_or(0, |item| item.tokens));
    let counter = talk.counter;
    let Some(item) = longest.and_then(|at| talk.items.get_mut(at)) else {
        return;
    };
    let most = item.tokens.saturating_sub(over);
    if most >= SHORTEST && item.shorten(most, counter) {
        kept.copy_from_slice(&wider);
    }
}
