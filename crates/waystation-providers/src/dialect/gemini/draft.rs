//! Members that several sources write into one object: the last word on a name stands, whichever of
//! the wire's two spellings (`topK`, `top_k`) it has. The host takes both; which of two would count is
//! not for it to decide. Values are JSON already and are not looked into.

use std::collections::HashMap;

use waystation_core::{Json, JsonText, Kind, ObjectWriter};

/// The members of an object that is being put together, by their decoded names.
#[derive(Debug, Default)]
pub(super) struct Draft {
    members: Vec<(String, Held)>,
    /// Where a name stands among them, by its letters: clients may send very many.
    places: HashMap<Vec<u8>, usize>,
}

/// A member's value.
#[derive(Debug)]
enum Held {
    Json(Vec<u8>),
    /// An object that others were merged into.
    Object(Draft),
}

// === impl Draft ===

impl Draft {
    /// Whether nothing was written.
    pub(super) const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Sets a member, in the place of one of the same name.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let next = self.members.len();
        let at = self.places.entry(letters(name).collect()).or_insert(next);
        let member = (name.to_owned(), Held::Json(value.into()));
        match self.members.get_mut(*at) {
            Some(known) => *known = member,
            None => self.members.push(member),
        }
    }

    /// Sets a string member.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.set(name, &**JsonText::of(text).quoted().bytes());
    }

    /// Sets every member of `object`.
    pub(super) fn merge(&mut self, object: Json<'_>) {
        for (key, value) in object.members() {
            self.set(&key.name(), value.bytes());
        }
    }

    /// Sets `value`, or its members when both it and what stands there are objects.
    pub(super) fn merge_at(&mut self, name: &str, value: Json<'_>) {
        let place: Vec<u8> = letters(name).collect();
        let held = self.places.get(&place).copied();
        let held = held.and_then(|at| self.members.get_mut(at));
        if value.kind() == Kind::Object
            && let Some((known, held)) = held
            && let Some(object) = held.object()
        {
            object.merge(value);
            name.clone_into(known);
        } else {
            self.set(name, value.bytes());
        }
    }

    /// The object.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        self.write(&mut object);
        object.close();
        out
    }

    /// Writes the members into an object.
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        for (name, held) in &self.members {
            let name = JsonText::of(name);
            let out = object.escaped_key(name.escaped());
            match held {
                Held::Json(text) => out.extend_from_slice(text),
                Held::Object(draft) => {
                    let mut inner = ObjectWriter::open(out);
                    draft.write(&mut inner);
                    inner.close();
                }
            }
        }
    }
}

// === impl Held ===

impl Held {
    /// The object that it is, taken apart once; `None` for other values.
    fn object(&mut self) -> Option<&mut Draft> {
        if let Self::Json(text) = self {
            let json = Json::parse(text).ok()?;
            if json.kind() != Kind::Object {
                return None;
            }
            let mut draft = Draft::default();
            draft.merge(json);
            *self = Self::Object(draft);
        }
        match self {
            Self::Object(draft) => Some(draft),
            Self::Json(_) => None,
        }
    }
}

/// Whether two names are one, in either spelling.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || letters(one).eq(letters(other))
}

/// What a name's spellings have in common.
fn letters(name: &str) -> impl Iterator<Item = u8> + '_ {
    let letters = name.bytes().filter(|byte| *byte != b'_');
    letters.map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_stands_in_either_spelling() {
        let mut draft = Draft::default();
        draft.set("topK", *b"1");
        draft.text("name", "a\"b");
        draft.set(
            "thinkingConfig",
            *br#"{"includeThoughts":true,"thinkingBudget":1}"#,
        );
        let over = Json::parse(br#"{"top_k":2,"thinking_config":{"thinking_budget":3}}"#).unwrap();
        for (key, value) in over.members() {
            draft.merge_at(&key.name(), value);
        }
        let expected = r#"{"top_k":2,"name":"a\"b","thinking_config":{"includeThoughts":true,"thinking_budget":3}}"#;
        assert_eq!(String::from_utf8(draft.json()).unwrap(), expected);
    }

    /// Whoever sends very many members, or one under very many spellings, waits for them in proportion.
    #[test]
    fn many_members_are_put_together_one_by_one() {
        let mut draft = Draft::default();
        let many: Vec<String> = (0..40_000).map(|at| format!(r#""k{at}":{at}"#)).collect();
        let many = format!("{{{}}}", many.join(","));
        let many = Json::parse(many.as_bytes()).unwrap();
        draft.merge(many);
        draft.set("config", many.bytes());
        let one = Json::parse(br#"{"k_0":1}"#).unwrap();
        for at in 0..10_000 {
            draft.merge_at(&format!("con{}fig", "_".repeat(at % 100)), one);
        }
        let whole = draft.json();
        let whole = Json::parse(&whole).unwrap();
        assert_eq!(whole.members().count(), 40_001);
        let (key, config) = whole.members().last().unwrap();
        assert_eq!(key.name().len(), "config".len() + 99);
        assert_eq!(config.members().count(), 40_000);
        assert_eq!(config.get("k_0").and_then(Json::u64), Some(1));
    }
}
