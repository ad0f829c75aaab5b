//! Extraction: sentences go that have least to do with the last question. Which ones is BM25 over
//! the conversation's own sentences; nothing is rewritten.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    Conversation, TooLong,
    groups::Group,
    message::{Item, NOTHING},
    middle,
};

/// The usual parameters of BM25. Source: Robertson and Zaragoza, "The Probabilistic Relevance
/// Framework: BM25 and Beyond", 2009.
///
/// `K1` is how soon a word that is said again counts less.
const K1: f64 = 1.2;
/// How much long sentences are marked down for their length: 0 is not at all, 1 fully.
const B: f64 = 0.75;

/// How much of the last question is read, in bytes from its end.
const QUESTION: usize = 4096;

/// How much of the end of a long question stays as it is, in bytes.
const END: usize = 512;

/// A sentence of the conversation.
struct Sentence {
    /// Whose sentence it is, as a place among the messages.
    item: usize,
    /// Which of the message's texts it stands in.
    text: usize,
    /// Where it stands in its text.
    range: Range<usize>,
    /// Its size, and one for the line break that may come to stand behind it.
    tokens: u64,
    /// How much it has to do with the question; 0 is nothing, [`f64::MAX`] is the question itself.
    score: f64,
}

/// Makes the conversation fit.
///
/// Where the sentences do not come out small enough, as where arguments of calls fill the room,
/// [`middle::out`] goes on with what is left.
pub(super) fn out(mut talk: Conversation<'_>) -> Result<Conversation<'_>, TooLong> {
    let open = long_question(&talk);
    if open.is_none() {
        middle::ends(&mut talk)?;
    }
    let question = question(&talk.items);
    let groups = talk.groups();
    let mut sentences = sentences(&talk, &groups, open);
    rank(&talk.items, &mut sentences, &question);
    keep_end(&talk.items, &mut sentences, open);
    let mut kept = choose_groups(&talk, &groups, &sentences);
    middle::take_turns(&groups, &mut kept);
    cut(&mut talk, &groups, &kept, &sentences);
    talk.keep(&groups, &kept);
    if talk.fits() {
        Ok(talk)
    } else {
        middle::out(talk)
    }
}

/// The last message, where it fills more than half of the room and little else has to stay: then
/// what comes before its end is material like everything else.
fn long_question(talk: &Conversation<'_>) -> Option<usize> {
    let room = talk.room.tokens.get();
    let last = talk.items.len().checked_sub(1)?;
    let item = talk
        .items
        .get(last)
        .filter(|item| item.asks() && item.tokens > room / 2)?;
    let first = talk
        .items
        .iter()
        .position(Item::asks)
        .filter(|at| *at != last);
    let others = talk.items.iter().enumerate();
    let others = others.filter(|(at, item)| item.is_fixed() || Some(*at) == first);
    let others: u64 = others.map(|(_, item)| item.tokens).sum();
    (others < room / 2 && item.texts().len() == 1).then_some(last)
}

/// The end of a long question is the question: its sentences come before all others.
fn keep_end(items: &[Item<'_>], sentences: &mut [Sentence], open: Option<usize>) {
    let Some(item) = open.and_then(|at| items.get(at)) else {
        return;
    };
    let length = item.texts().first().map_or(0, |text| text.len());
    let from = length.saturating_sub(END);
    let end = sentences
        .iter_mut()
        .filter(|sentence| Some(sentence.item) == open);
    for sentence in end.filter(|sentence| sentence.range.end > from) {
        sentence.score = f64::MAX;
    }
}

/// The words of the last thing that a user asked.
fn question(items: &[Item<'_>]) -> HashSet<String> {
    let asked = items.iter().rev().find(|item| item.asks());
    let said = asked.map(Item::said).unwrap_or_default();
    let mut from = said.len().saturating_sub(QUESTION);
    while !said.is_char_boundary(from) {
        from += 1;
    }
    words(said.get(from..).unwrap_or_default()).collect()
}

/// The words of a text in small letters.
///
/// Letters and digits of any script; a script without spaces gives long words, which match less.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    split_words(text).map(str::to_lowercase)
}

/// The same as they are written.
fn split_words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty())
}

/// The sentences of everything that may be cut.
fn sentences(talk: &Conversation<'_>, groups: &[Group], open: Option<usize>) -> Vec<Sentence> {
    let safe = middle::protected(groups);
    let free = groups.iter().zip(&safe).filter(|(_, safe)| !**safe);
    let mut found = Vec::new();
    for item in free.flat_map(|(group, _)| group.range()).chain(open) {
        let texts = talk.items.get(item).map(Item::texts).unwrap_or_default();
        for (text, said) in texts.iter().enumerate() {
            for range in split(said) {
                let sentence = said.get(range.clone()).unwrap_or_default();
                let tokens = talk.counter.count(sentence) + 1;
                found.push(Sentence {
                    item,
                    text,
                    range,
                    tokens,
                    score: 0.0,
                });
            }
        }
    }
    found
}

/// Where sentences and lines end: behind a full stop, question or exclamation mark with a space
/// behind it, or at a line break.
///
/// Sentences without anything but space in them are none.
fn split(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut before) = (0, ' ');
    for (at, c) in text.char_indices() {
        let end = c == '\n'
            || c.is_whitespace() && matches!(before, '.' | '!' | '?' | '。' | '！' | '？');
        if end {
            found.push(start..at);
            start = at + c.len_utf8();
        }
        before = c;
    }
    found.push(start..text.len());
    let filled = |range: &Range<usize>| {
        text.get(range.clone())
            .is_some_and(|sentence| !sentence.trim().is_empty())
    };
    found.retain(filled);
    found
}

/// Scores every sentence against the question.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of words are far below 2^52"
)]
/// For each word of the question in a sentence, with `n` sentences of which `d` have the word, `t` its
/// times in this one, and `l` the sentence's length over the mean:
///
/// ```text
/// ln(1 + (n - d + 0.5) / (d + 0.5)) * t * (K1 + 1) / (t + K1 * (1 - B + B * l))
/// ```
///
/// Rare words count more than common ones, and so no list of stop words is needed.
fn rank(items: &[Item<'_>], sentences: &mut [Sentence], question: &HashSet<String>) {
    // In a fixed order, so that the same input gives the same sum.
    let mut asked: Vec<&str> = question.iter().map(String::as_str).collect();
    asked.sort_unstable();
    let places = asked.iter().enumerate().map(|(at, word)| (*word, at));
    let places: HashMap<&str, usize> = places.collect();
    let mut spread = vec![0_usize; asked.len()];
    let mut shapes = Vec::with_capacity(sentences.len());
    let (mut texts, mut of): (Vec<Cow<'_, str>>, Option<usize>) = (Vec::new(), None);
    for sentence in sentences.iter() {
        if of != Some(sentence.item) {
            let item = items.get(sentence.item);
            texts = item.map(Item::texts).unwrap_or_default();
            of = Some(sentence.item);
        }
        let said = texts.get(sentence.text);
        let said = said.and_then(|text| text.get(sentence.range.clone()));
        let (length, hits) = hits(said.unwrap_or_default(), &places);
        for (place, _) in &hits {
            if let Some(seen) = spread.get_mut(*place) {
                *seen += 1;
            }
        }
        shapes.push((length, hits));
    }
    let count = sentences.len().max(1) as f64;
    let mean = shapes.iter().map(|(length, _)| *length).sum::<usize>() as f64 / count;
    for (sentence, (length, hits)) in sentences.iter_mut().zip(shapes) {
        let stretch = K1 * (1.0 - B + B * length as f64 / mean.max(1.0));
        for (place, times) in hits {
            let times = times as f64;
            let seen = spread.get(place).copied().unwrap_or_default() as f64;
            let rarity = (1.0 + (count - seen + 0.5) / (seen + 0.5)).ln();
            sentence.score += rarity * times * (K1 + 1.0) / (times + stretch);
        }
    }
}

/// How many words a sentence has, and which of those that are asked for, how often, in their order.
fn hits(said: &str, places: &HashMap<&str, usize>) -> (usize, Vec<(usize, usize)>) {
    let (mut length, mut hits) = (0, Vec::new());
    let mut small = String::new();
    for word in split_words(said) {
        length += 1;
        small.clear();
        if word.is_ascii() {
            small.push_str(word);
            small.make_ascii_lowercase();
        } else {
            small.push_str(&word.to_lowercase());
        }
        let Some(place) = places.get(small.as_str()) else {
            continue;
        };
        match hits.iter_mut().find(|(known, _)| known == place) {
            Some((_, times)) => *times += 1,
            None => hits.push((*place, 1)),
        }
    }
    hits.sort_unstable();
    (length, hits)
}

/// Which groups stay at all: as many of the best as may be there, and as leave at least half of
/// the room to sentences.
///
/// A group costs what stays of it when all its sentences go: calls, images, and a sign for each
/// text. The best sentence of a group speaks for the group; of equals, the later goes first.
fn choose_groups(talk: &Conversation<'_>, groups: &[Group], sentences: &[Sentence]) -> Vec<bool> {
    let mut kept = middle::protected(groups);
    let mut best = vec![0.0_f64; talk.items.len()];
    let mut texts = vec![0_u64; talk.items.len()];
    for sentence in sentences {
        if let (Some(best), Some(texts)) =
            (best.get_mut(sentence.item), texts.get_mut(sentence.item))
        {
            *best = best.max(sentence.score);
            *texts += sentence.tokens;
        }
    }
    let nothing = talk.counter.count(NOTHING);
    let bare = |group: &Group| -> u64 {
        let items = group
            .range()
            .filter_map(|at| Some((talk.items.get(at)?, *texts.get(at)?)));
        items
            .map(|(item, said)| item.tokens.saturating_sub(said) + nothing + 1)
            .sum()
    };
    let mask = talk.mask(groups, &kept);
    let stay = talk.items.iter().zip(&mask).filter(|(_, stays)| **stays);
    let (mut count, size) = stay.fold((0, 0), |(count, size), (item, _)| {
        (count + 1, size + item.tokens)
    });
    let opened = talk
        .items
        .len()
        .checked_sub(1)
        .and_then(|last| texts.get(last));
    let size = size.saturating_sub(opened.copied().unwrap_or_default());
    let free = talk.room.tokens.get().saturating_sub(size);
    let most = talk.room.messages.unwrap_or(usize::MAX);
    let score = |group: &Group| {
        group
            .range()
            .filter_map(|at| best.get(at))
            .fold(0.0_f64, |a, b| a.max(*b))
    };
    let mut order: Vec<usize> = (0..groups.len())
        .filter(|at| kept.get(*at) == Some(&false))
        .collect();
    order.sort_by(|a, b| {
        let of = |at: &usize| groups.get(*at).map(score).unwrap_or_default();
        of(b).total_cmp(&of(a)).then(b.cmp(a))
    });
    let mut used = 0;
    for at in order {
        let Some((group, slot)) = groups.get(at).zip(kept.get_mut(at)) else {
            continue;
        };
        let cost = bare(group);
        if count + group.len() > most || used + cost > free / 2 {
            continue;
        }
        (count, used) = (count + group.len(), used + cost);
        *slot = true;
    }
    kept
}

/// Cuts the texts of the kept groups down to their best sentences.
///
/// A message that keeps all of its sentences is not touched, not even its spaces.
fn cut(talk: &mut Conversation<'_>, groups: &[Group], kept: &[bool], sentences: &[Sentence]) {
    let mask = talk.mask(groups, kept);
    let there: Vec<&Sentence> = sentences
        .iter()
        .filter(|sentence| mask.get(sentence.item) == Some(&true))
        .collect();
    let chosen = best(&there, sentence_room(talk, &mask, &there));
    let mut by_item: HashMap<usize, Vec<(&Sentence, bool)>> = HashMap::new();
    for (sentence, chosen) in there.into_iter().zip(chosen) {
        by_item
            .entry(sentence.item)
            .or_default()
            .push((sentence, chosen));
    }
    let counter = talk.counter;
    for (at, parts) in by_item {
        if parts.iter().all(|(_, chosen)| *chosen) {
            continue;
        }
        let Some(item) = talk.items.get_mut(at) else {
            continue;
        };
        let before = item.texts();
        let texts = before.iter().enumerate().map(|(text, said)| {
            let of = parts.iter().filter(|(sentence, _)| sentence.text == text);
            let kept = runs(of.map(|(sentence, chosen)| (*chosen, &sentence.range)));
            let kept: Vec<&str> = kept
                .into_iter()
                .filter_map(|range| said.get(range))
                .collect();
            if kept.is_empty() && !said.is_empty() {
                NOTHING.to_owned()
            } else {
                kept.join("\n")
            }
        });
        let texts: Vec<String> = texts.collect();
        item.set(texts, counter);
    }
}

/// The tokens that there are for sentences: the room, less what stays of the messages anyhow, and
/// less a sign for every text that may lose all of its sentences.
fn sentence_room(talk: &Conversation<'_>, mask: &[bool], there: &[&Sentence]) -> u64 {
    let said: u64 = there.iter().map(|sentence| sentence.tokens).sum();
    let stay = talk.items.iter().zip(mask).filter(|(_, stays)| **stays);
    let size: u64 = stay.map(|(item, _)| item.tokens).sum();
    let texts: HashSet<(usize, usize)> = there.iter().map(|s| (s.item, s.text)).collect();
    let texts = u64::try_from(texts.len()).unwrap_or(u64::MAX);
    let signs = texts.saturating_mul(talk.counter.count(NOTHING) + 1);
    let fixed = size.saturating_sub(said) + signs;
    talk.room.tokens.get().saturating_sub(fixed)
}

/// Marks the best sentences that `room` is enough for; of equals, the later.
fn best(sentences: &[&Sentence], room: u64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by(|a, b| {
        let of = |at: &usize| sentences.get(*at).map_or(0.0, |sentence| sentence.score);
        of(b).total_cmp(&of(a)).then(b.cmp(a))
    });
    let mut chosen = vec![false; sentences.len()];
    let mut left = room;
    for at in order {
        let Some((sentence, slot)) = sentences.get(at).zip(chosen.get_mut(at)) else {
            continue;
        };
        if let Some(rest) = left.checked_sub(sentence.tokens) {
            (*slot, left) = (true, rest);
        }
    }
    chosen
}

/// Neighbouring sentences that stay are one piece, with what stands between them.
fn runs<'r>(sentences: impl Iterator<Item = (bool, &'r Range<usize>)>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    for (chosen, range) in sentences {
        match runs.last_mut().filter(|_| open && chosen) {
            Some(run) => run.end = range.end,
            None if chosen => runs.push(range.clone()),
            None => {}
        }
        open = chosen;
    }
    runs
}
