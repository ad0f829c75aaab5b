//! The members of a body, cut out of it in one walk. What they may hold is not looked at here.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    Json, Outline, RawJson,
    chat::{names::slot, rules::Field},
};

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The key as it stood between its quotes.
    pub(super) key: Bytes,
    /// The value's text.
    pub(super) value: RawJson,
    /// The value's note in the outline; none when it was replaced.
    pub(super) note: Option<u32>,
    /// Which member it is, where the gateway knows it.
    pub(super) field: Option<Field>,
}

/// The members of a body as it came, and which of their names are there.
pub(super) struct Cut {
    pub(super) members: Vec<Member>,
    pub(super) names: u64,
    /// No key is unknown or there twice.
    pub(super) plain: bool,
}

// === impl Member ===

impl Member {
    #[inline]
    pub(super) fn is(&self, key: &str) -> bool {
        crate::json::spells(&self.key, key)
    }

    pub(super) fn name(&self) -> Cow<'_, str> {
        match self.field {
            Some(field) => Cow::Borrowed(field.name()),
            None => crate::json::spelled(&self.key),
        }
    }

    pub(super) fn json<'a>(&'a self, outline: &'a Outline) -> Json<'a> {
        match self.note {
            Some(note) => self.value.json().noted(outline, note),
            None => self.value.json(),
        }
    }
}

// === impl Cut ===

impl Cut {
    /// Cuts `json`, which stands in `body`. `null` in a member that is known is absence.
    pub(super) fn of(json: Json<'_>, body: &Bytes) -> Self {
        let mut cut = Self {
            members: Vec::with_capacity(8),
            names: 0,
            plain: true,
        };
        let mut seen = 0_u64;
        // The object's own note is the first, and a key's stands before its value's.
        let mut note = 2;
        for (key, value) in json.members() {
            let (notes, at) = (value.notes(), note);
            note += notes.unwrap_or_default() + 1;
            let field = Field::of(key);
            let once = field.map_or(0, Field::bit);
            cut.plain &= once & !seen != 0;
            seen |= once;
            if field.is_some() && value.is_null() {
                continue;
            }
            let name = field.map(Field::name);
            // A key that is spelled as it is called needs no piece of the body.
            let spelled = name.filter(|name| name.as_bytes() == key.escaped());
            cut.names |= match name {
                Some(name) => bit(name.as_bytes()),
                None if matches!(key.spelled(), Cow::Owned(_)) => u64::MAX,
                None => bit(key.escaped()),
            };
            cut.members.push(Member {
                key: spelled.map_or_else(
                    || key.shared(body),
                    |name| Bytes::from_static(name.as_bytes()),
                ),
                value: value.raw(body),
                note: notes.map(|_| at),
                field,
            });
        }
        cut
    }
}

/// The bit of a name in the set of names that may be there.
#[inline]
pub(super) const fn bit(name: &[u8]) -> u64 {
    1 << (slot(name) & 63)
}
