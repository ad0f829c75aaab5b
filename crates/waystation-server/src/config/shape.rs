//! Reads a [`Tree`] into types through serde, with errors that know their path.
//!
//! serde's own errors are texts; these are data, so that an unknown key can name its nearest
//! neighbour and a message never has to be taken apart again.

use std::fmt;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, Expected, IntoDeserializer,
        MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor, value::StringDeserializer,
    },
    forward_to_deserialize_any,
};
use waystation_core::nearest;

use super::document::{Tree, element, join};

/// Name of the newtypes that want a number's or a string's exact text.
pub(super) const EXACT: &str = "exact text";
/// Name of the newtypes that want a table as JSON text.
pub(super) const JSON: &str = "JSON text";

/// What is wrong with the shape of a value, and at which path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShapeError {
    /// The path below the tree that was read, such as `providers.openai.keys[1].rpm`.
    pub(super) path: String,
    /// What was expected, then what was found.
    pub(super) message: String,
}

/// Reads a whole tree.
pub(super) fn read<T: DeserializeOwned>(tree: Tree) -> Result<T, ShapeError> {
    T::deserialize(Node(tree))
}

struct Node(Tree);

struct Table {
    members: std::vec::IntoIter<(String, Tree)>,
    value: Option<(String, Tree)>,
}

struct List {
    values: std::iter::Enumerate<std::vec::IntoIter<Tree>>,
}

// === impl ShapeError ===

impl ShapeError {
    fn below(mut self, key: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => join("", key),
            path if path.starts_with('[') => format!("{}{path}", join("", key)),
            path => format!("{}.{path}", join("", key)),
        };
        self
    }

    fn in_list(mut self, place: usize) -> Self {
        let element = element("", place);
        self.path = match self.path.as_str() {
            "" => element,
            path if path.starts_with('[') => format!("{element}{path}"),
            path => format!("{element}.{path}"),
        };
        self
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for ShapeError {}

impl serde::de::Error for ShapeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            path: String::new(),
            message: message.to_string(),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!(
            "expected {}, found {}",
            wanted(expected),
            kind(found)
        ))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let names = expected.join(", ");
        Self::custom(format_args!("expected one of {names}, found {variant:?}"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let message = match nearest(field, expected.iter().copied()) {
            Some(near) => format!("unknown key, did you mean `{near}`?"),
            None => format!("unknown key, expected one of {}", expected.join(", ")),
        };
        Self::custom(message).below(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("expected the key `{field}`, found none"))
    }
}

/// serde's words for what it wants, in those of a person who writes TOML.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 up".into(),
        "i64" => "a whole number".into(),
        "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        _ if text.starts_with("struct ") => "a table".into(),
        _ if text.starts_with("enum ") => "a string".into(),
        _ => text,
    }
}

/// What was found. Texts are not repeated: one in the wrong place may be a secret.
fn kind(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(yes) => yes.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Str(_) | Unexpected::Bytes(_) | Unexpected::Char(_) => "a string".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a table".into(),
        other => other.to_string(),
    }
}

// === impl Node ===

impl<'de> Deserializer<'de> for Node {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Tree::Text(text) => visitor.visit_string(text),
            Tree::Integer(digits) => match (digits.parse(), digits.parse()) {
                (Ok(number), _) => visitor.visit_i64(number),
                (_, Ok(number)) => visitor.visit_u64(number),
                _ => Err(ShapeError::custom(format_args!(
                    "expected a number below 2^64, found {digits}"
                ))),
            },
            Tree::Float(digits) => match digits.parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(ShapeError::custom(format_args!(
                    "expected a number, found {digits}"
                ))),
            },
            Tree::Bool(yes) => visitor.visit_bool(yes),
            Tree::Datetime(_) => Err(ShapeError::invalid_type(
                Unexpected::Other("a date or time"),
                &visitor,
            )),
            Tree::List(values) => visitor.visit_seq(List {
                values: values.into_iter().enumerate(),
            }),
            Tree::Table(members) => visitor.visit_map(Table {
                members: members.into_iter(),
                value: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        match (name, self.0) {
            (EXACT, Tree::Integer(digits) | Tree::Float(digits)) => visitor.visit_string(digits),
            (JSON, table @ Tree::Table(_)) => {
                let mut out = String::new();
                json(&table, &mut out)?;
                visitor.visit_string(out)
            }
            (JSON, _) => Err(ShapeError::custom("expected a table")),
            (EXACT, tree) => Self(tree).deserialize_any(visitor),
            (_, tree) => visitor.visit_newtype_struct(Self(tree)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        match self.0 {
            Tree::Text(text) => visitor.visit_enum(Word(text)),
            tree => Self(tree).deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Writes a tree as JSON; numbers keep their digits.
fn json(tree: &Tree, out: &mut String) -> Result<(), ShapeError> {
    match tree {
        Tree::Text(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        Tree::Integer(digits) => out.push_str(digits),
        Tree::Float(digits) if digits.contains("inf") || digits.contains("nan") => {
            return Err(ShapeError::custom(format_args!(
                "expected a finite number, found {digits}"
            )));
        }
        Tree::Float(digits) => out.push_str(digits),
        Tree::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Tree::Datetime(time) => {
            return Err(ShapeError::custom(format_args!(
                "expected a value that JSON has, found the date or time {time}"
            )));
        }
        Tree::List(values) => {
            for (place, value) in values.iter().enumerate() {
                out.push(if place == 0 { '[' } else { ',' });
                json(value, out).map_err(|error| error.in_list(place))?;
            }
            out.push_str(if values.is_empty() { "[]" } else { "]" });
        }
        Tree::Table(members) => {
            for (place, (key, value)) in members.iter().enumerate() {
                out.push(if place == 0 { '{' } else { ',' });
                out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                out.push(':');
                json(value, out).map_err(|error| error.below(key))?;
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
    }
    Ok(())
}

// === impl Table ===

impl<'de> MapAccess<'de> for Table {
    type Error = ShapeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ShapeError> {
        let Some((key, value)) = self.members.next() else {
            return Ok(None);
        };
        let name: StringDeserializer<ShapeError> = key.clone().into_deserializer();
        let read = seed.deserialize(name).map_err(|error| {
            // An unknown key has named itself already.
            if error.path.is_empty() {
                error.below(&key)
            } else {
                error
            }
        })?;
        self.value = Some((key, value));
        Ok(Some(read))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, ShapeError> {
        let Some((key, value)) = self.value.take() else {
            return Err(ShapeError::custom("a value was read before its key"));
        };
        seed.deserialize(Node(value))
            .map_err(|error| error.below(&key))
    }
}

// === impl List ===

impl<'de> SeqAccess<'de> for List {
    type Error = ShapeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ShapeError> {
        let Some((place, value)) = self.values.next() else {
            return Ok(None);
        };
        seed.deserialize(Node(value))
            .map(Some)
            .map_err(|error| error.in_list(place))
    }
}

/// A string, read as an enum's variant.
struct Word(String);

// === impl Word ===

impl<'de> EnumAccess<'de> for Word {
    type Error = ShapeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), ShapeError> {
        let name: StringDeserializer<ShapeError> = self.0.clone().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Word {
    type Error = ShapeError;

    fn unit_variant(self) -> Result<(), ShapeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, ShapeError> {
        Err(ShapeError::custom("expected a table, found a string"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ShapeError> {
        Err(ShapeError::custom("expected a list, found a string"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, ShapeError> {
        Err(ShapeError::custom("expected a table, found a string"))
    }
}
