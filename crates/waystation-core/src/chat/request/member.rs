//! The members of a body, cut out of it in one walk. What they may hold is not looked at here.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use crate::{
    Json, Outline, RawJson,
    chat::{names::slot, rules::Field},
};

/// What a request came as: its body, where the values in it stand, and what it was cut into.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) body: Bytes,
    pub(super) outline: Outline,
    pub(super) members: Vec<Member>,
}

/// A member of a request.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Which member it is, where the gateway knows it.
    pub(super) field: Option<Field>,
    key: Spelling,
    pub(super) value: Value,
}

/// How a key stands between its quotes.
#[derive(Clone, Debug)]
enum Spelling {
    /// As the member that the gateway knows is called.
    AsCalled,
    /// As it stands in the body.
    Sent(Range<usize>),
    /// As the gateway says it.
    Set(&'static str),
}

/// A value's text.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A part of the body, and its note in the outline.
    Sent(Range<usize>, Option<u32>),
    /// Another than came.
    Set(RawJson),
}

/// The members of a body as it came, and which of their names are there.
pub(super) struct Cut {
    pub(super) members: Vec<Member>,
    pub(super) names: NameSet,
    /// No key is unknown or there twice.
    pub(super) plain: bool,
}

/// Which names may be among some members: a bit for each, which others may share.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NameSet([u64; 4]);

// === impl NameSet ===

impl NameSet {
    /// Every name.
    const ALL: Self = Self([u64::MAX; 4]);

    #[inline]
    pub(super) fn add(&mut self, name: &[u8]) {
        let (word, bit) = place(name);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether it may be among them; `false` is certain.
    #[inline]
    pub(super) fn may_have(&self, name: &[u8]) -> bool {
        let (word, bit) = place(name);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// The word of a name in the set, and its bit there.
#[inline]
fn place(name: &[u8]) -> (usize, u64) {
    let slot = slot(name);
    (usize::from(slot >> 6), 1 << (slot & 63))
}

// === impl Sent ===

impl Sent {
    /// The key of `member`, escaped as it came.
    #[inline]
    pub(super) fn key<'a>(&'a self, member: &'a Member) -> &'a [u8] {
        match &member.key {
            Spelling::AsCalled => member.field.map_or("", Field::name).as_bytes(),
            Spelling::Sent(place) => self.body.get(place.clone()).unwrap_or_default(),
            Spelling::Set(name) => name.as_bytes(),
        }
    }

    /// What the key of `member` spells.
    #[inline]
    pub(super) fn name<'a>(&'a self, member: &'a Member) -> Cow<'a, str> {
        match member.field {
            Some(field) => Cow::Borrowed(field.name()),
            None => crate::json::spelled(self.key(member)),
        }
    }

    /// Whether `member` is called so.
    #[inline]
    pub(super) fn is(&self, member: &Member, name: &str) -> bool {
        match member.field {
            Some(field) => field.name() == name,
            None => crate::json::spells(self.key(member), name),
        }
    }

    /// The value of `member`.
    #[inline]
    pub(super) fn value<'a>(&'a self, member: &'a Member) -> Json<'a> {
        match &member.value {
            Value::Sent(place, note) => {
                let text = self.body.get(place.clone()).unwrap_or_default();
                Json::part(text, &self.outline, *note)
            }
            Value::Set(value) => value.json(),
        }
    }
}

// === impl Member ===

impl Member {
    /// One that the gateway makes.
    pub(super) fn made(name: &'static str, value: RawJson) -> Self {
        Self {
            field: Field::called(name.as_bytes()),
            key: Spelling::Set(name),
            value: Value::Set(value),
        }
    }
}

// === impl Cut ===

impl Cut {
    /// Cuts `json`, which stands in `body`. `null` in a member that is known is absence.
    pub(super) fn of(json: Json<'_>, body: &Bytes) -> Self {
        let mut cut = Self {
            members: Vec::with_capacity(8),
            names: NameSet::default(),
            plain: true,
        };
        let mut seen = 0_u64;
        // The object's own note is the first, and a key's stands before its value's.
        let mut note = 2;
        for (key, value) in json.members() {
            let (notes, at) = (value.notes(), note);
            note += notes.unwrap_or_default() + 1;
            // Keys are nearly always spelled as they are called.
            let called = Field::called(key.escaped());
            let field = called.or_else(|| Field::of(key));
            let once = field.map_or(0, Field::bit);
            cut.plain &= once & !seen != 0;
            seen |= once;
            if field.is_some() && value.is_null() {
                continue;
            }
            match field {
                Some(_) if called.is_some() => cut.names.add(key.escaped()),
                Some(field) => cut.names.add(field.name().as_bytes()),
                None if matches!(key.spelled(), Cow::Owned(_)) => cut.names = NameSet::ALL,
                None => cut.names.add(key.escaped()),
            }
            cut.members.push(Member {
                field,
                key: match called {
                    Some(_) => Spelling::AsCalled,
                    None => Spelling::Sent(key.place_in(body)),
                },
                value: Value::Sent(value.place_in(body), notes.map(|_| at)),
            });
        }
        cut
    }
}
