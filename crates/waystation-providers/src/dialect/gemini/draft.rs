//! Members that several sources write into one object: the last word on a name stands, whichever of
//! the wire's two spellings (`topK`, `top_k`) it has. The host takes both; which of two would count is
//! not for it to decide. Values are JSON already and are not looked into.

use waystation_core::{Json, JsonText, Kind, ObjectWriter};

/// The members of an object that is being put together, by their decoded names.
#[derive(Debug, Default)]
pub(super) struct Draft(Vec<(String, Vec<u8>)>);

// === impl Draft ===

impl Draft {
    /// Whether nothing was written.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a member, in the place of one of the same name.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let value = value.into();
        match self.0.iter_mut().find(|(found, _)| same(found, name)) {
            Some(member) => *member = (name.to_owned(), value),
            None => self.0.push((name.to_owned(), value)),
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
        let held = self.0.iter().find(|(found, _)| same(found, name));
        let held = held.and_then(|(_, held)| Json::parse(held).ok());
        let Some(held) =
            held.filter(|held| held.kind() == value.kind() && value.kind() == Kind::Object)
        else {
            self.set(name, value.bytes());
            return;
        };
        let mut both = Self::default();
        both.merge(held);
        both.merge(value);
        self.set(name, both.json());
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
        for (name, value) in &self.0 {
            let name = JsonText::of(name);
            object.escaped_key(name.escaped()).extend_from_slice(value);
        }
    }
}

/// Whether two names are one, in either spelling.
pub(super) fn same(one: &str, other: &str) -> bool {
    let letters = |name: &str| {
        let bytes: Vec<u8> = name.bytes().filter(|byte| *byte != b'_').collect();
        bytes
    };
    one == other || letters(one).eq_ignore_ascii_case(&letters(other))
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
}
