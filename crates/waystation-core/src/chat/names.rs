//! Names of members that are known, found by a few of their letters. It compares bytes and knows no rules.

use std::borrow::Cow;

use crate::Key;

/// A list of names, each found in a few steps, however many there are.
pub(super) struct Names<const N: usize> {
    names: [&'static str; N],
    /// Numbers of names, counted from 1, where their letters say, or behind that where it was taken; 0 is
    /// nothing.
    slots: [u8; SLOTS],
}

const SLOTS: usize = 256;

/// Where a name stands in a table, by its length and three of its letters.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is left of the length tells names apart as well"
)]
pub(super) const fn slot(name: &[u8]) -> u8 {
    let [first, .., last] = name else {
        return 1;
    };
    let (middle, _) = name.split_at(name.len() / 2 + 1);
    let middle = match middle {
        [.., middle] => *middle,
        [] => 0,
    };
    first
        .wrapping_mul(11)
        .wrapping_add(middle.wrapping_mul(37))
        .wrapping_add(last.wrapping_mul(3))
        .wrapping_add(name.len() as u8)
}

// === impl Names ===

impl<const N: usize> Names<N> {
    /// The table of `names`, of which there are fewer than a byte can count.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "checked by the compiler: this runs at build"
    )]
    pub(super) const fn of(names: [&'static str; N]) -> Self {
        assert!(N < SLOTS / 2);
        let mut slots = [0; SLOTS];
        let mut at = 0;
        while at < N {
            let mut slot = slot(names[at].as_bytes());
            while slots[slot as usize] != 0 {
                slot = slot.wrapping_add(1);
            }
            slots[slot as usize] = at as u8 + 1;
            at += 1;
        }
        Self { names, slots }
    }

    /// Every name.
    pub(super) const fn all(&self) -> &[&'static str; N] {
        &self.names
    }

    /// The number of the name that `key` spells.
    #[inline]
    pub(super) fn find(&self, key: Key<'_>) -> Option<usize> {
        self.at(key.escaped()).or_else(|| match key.spelled() {
            // The name itself was looked for already.
            Cow::Borrowed(_) => None,
            Cow::Owned(name) => self.at(&name),
        })
    }

    /// The number of `name`.
    #[inline]
    pub(super) fn at(&self, name: &[u8]) -> Option<usize> {
        let mut slot = slot(name);
        loop {
            let at = usize::from(*self.slots.get(usize::from(slot))?).checked_sub(1)?;
            if self.names.get(at)?.as_bytes() == name {
                return Some(at);
            }
            slot = slot.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Json, chat::rules};

    #[test]
    fn each_name_is_found_and_nothing_else_is() {
        let body = br#"{"stop":0,"st\u006fp":0,"stopp":0,"":0,"Stop":0,"web_search_options":0}"#;
        let object = Json::parse(body).unwrap();
        let found = |key| rules::NAMES.find(key).map(|at| rules::NAMES.all()[at]);
        let found: Vec<_> = object.members().map(|(key, _)| found(key)).collect();
        let (stop, search) = (Some("stop"), Some("web_search_options"));
        assert_eq!(found, [stop, stop, None, None, None, search]);
        for (at, name) in rules::NAMES.all().iter().enumerate() {
            assert_eq!(rules::NAMES.at(name.as_bytes()), Some(at));
        }
    }
}
