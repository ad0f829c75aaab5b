//! Middle-out: whole groups go from the middle, and then the middle of a text.

use std::collections::VecDeque;

use waystation_core::Tokens;

use super::{Conversation, TooLong, gap, groups::Group, message::Item};

/// A text is not shortened to less than this; below, its message goes.
pub(super) const SHORTEST: u64 = 48;

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
            gap::fill(&mut talk, &groups, &mut kept);
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

/// What stays in any case: the operator's messages, the first question and the last group, shortened
/// where they alone are too long.
///
/// A first question of which more than a quarter of the room cannot be cut, as of an image in a small
/// room, is given up where it would be the refusal of the whole; the next question is the first then.
/// The system and developer messages never give way: where these alone fill the room, that is
/// [`TooLong`].
pub(super) fn ends(talk: &mut Conversation<'_>) -> Result<(), TooLong> {
    loop {
        let mut tried = talk.clone();
        let Err(too_long) = shorten_ends(&mut tried) else {
            *talk = tried;
            return Ok(());
        };
        if !give_up_first(talk) {
            return Err(too_long);
        }
    }
}

/// Takes out the first question and what came before the next one, where it is too dear to stay and
/// there is a next one.
fn give_up_first(talk: &mut Conversation<'_>) -> bool {
    let groups = talk.groups();
    let mut questions = groups.iter().filter(|group| group.asks).map(Group::start);
    let Some((first, next)) = questions.next().zip(questions.next()) else {
        return false;
    };
    let quarter = SHORTEST.max(talk.room.tokens.get() / 4);
    if talk
        .items
        .get(first)
        .is_none_or(|item| item.within(SHORTEST) <= quarter)
    {
        return false;
    }
    let mut at = 0..;
    talk.items.retain(|item| {
        let between = at.next().is_some_and(|at| (first..next).contains(&at));
        item.is_fixed() || !between
    });
    true
}

/// Shortens the longest of the ends that may be shortened until they fit.
///
/// Every turn of its loop makes a message smaller, so that it comes to an end.
fn shorten_ends(talk: &mut Conversation<'_>) -> Result<(), TooLong> {
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
            (item.of_texts() > room / 2, early, item.tokens)
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
