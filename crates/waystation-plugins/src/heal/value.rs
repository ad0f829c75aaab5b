//! A JSON value as a tree whose numbers keep their text and whose unquoted words are not decided
//! yet. It is built by the repairing parser, and only for text that is to be changed.

use waystation_core::{Json, JsonText, Kind};

/// A value on its way to being JSON.
///
/// Numbers are never read into floating point, so that `12345678901234567890` and `1.10` come out
/// digit by digit as they went in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number in JSON's spelling.
    Number(String),
    /// A string.
    Text(String),
    /// A word without quotes: what it is depends on who asks.
    Bare(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in the order of its first mentions.
    Object(Vec<(String, Self)>),
}

// === impl Value ===

impl Value {
    /// A checked value as a tree. The later of two members with one name wins.
    pub(super) fn of(json: Json<'_>) -> Self {
        match json.kind() {
            Kind::Null => Self::Null,
            Kind::Bool => Self::Bool(json.bool().unwrap_or_default()),
            Kind::Number => Self::Number(json.text().into_owned()),
            Kind::String => Self::Text(json.string().unwrap_or_default().into_owned()),
            Kind::Array => Self::List(json.elements().map(Self::of).collect()),
            Kind::Object => {
                let mut members = Vec::new();
                for (key, value) in json.members() {
                    put(&mut members, key.name().into_owned(), Self::of(value));
                }
                Self::Object(members)
            }
        }
    }

    /// Decides every unquoted word: a literal, a number, or else a string.
    ///
    /// `True` becomes `true`, `.5` becomes `0.5`, `ready` becomes `"ready"`. Called once a schema had
    /// its say: an unquoted `1` is the string `"1"` where a string is wanted.
    pub(super) fn settled(self) -> Self {
        match self {
            Self::Bare(word) => literal(&word)
                .or_else(|| number(&word))
                .unwrap_or(Self::Text(word)),
            Self::List(items) => Self::List(items.into_iter().map(Self::settled).collect()),
            Self::Object(members) => {
                let members = members
                    .into_iter()
                    .map(|(key, value)| (key, value.settled()));
                Self::Object(members.collect())
            }
            plain => plain,
        }
    }

    /// Whether it is an array or an object.
    pub(super) const fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Object(_))
    }

    /// Whether it is an array or an object with nothing in it.
    pub(super) const fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
            _ => false,
        }
    }

    /// Its text as JSON, without spaces that mean nothing.
    pub(super) fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Appends the text to `out`: `", "` between elements and `": "` behind keys, as most models write.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(digits) => out.extend_from_slice(digits.as_bytes()),
            Self::Text(text) => quote(text, out),
            Self::Bare(_) => self.clone().settled().write(out),
            Self::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.extend_from_slice(b", ");
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.extend_from_slice(b", ");
                    }
                    quote(key, out);
                    out.extend_from_slice(b": ");
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Adds a member; a later one with the same name takes the earlier one's place.
pub(super) fn put(members: &mut Vec<(String, Value)>, key: String, value: Value) {
    match members.iter_mut().find(|(known, _)| *known == key) {
        Some(member) => member.1 = value,
        None => members.push((key, value)),
    }
}

/// Appends `text` as a JSON string, escaping what has to be and nothing else.
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(JsonText::of(text).escaped());
    out.push(b'"');
}

/// The value that a word of JSON, Python or JavaScript spells, in any of the usual cases.
///
/// `NaN` and `undefined` have no place in JSON and become `null`, as `JSON.stringify` makes them.
/// Source: ECMA-262, `SerializeJSONProperty`.
pub(super) fn literal(word: &str) -> Option<Value> {
    Some(match word {
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        "null" | "Null" | "NULL" | "None" | "nil" | "undefined" | "NaN" => Value::Null,
        _ => return None,
    })
}

/// The number that `word` spells, in JSON's spelling: `+3`, `.5`, `2.` and `0x1f` are understood,
/// `007` is not a number.
///
/// A word that is not wholly a number is none: `1/3`, `3px` and `1,5` stay text. Hexadecimal is
/// understood up to 128 bits; more than that stays text rather than lose digits.
pub(super) fn number(word: &str) -> Option<Value> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", word.strip_prefix('+').unwrap_or(word)),
    };
    if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        let value = u128::from_str_radix(hex, 16).ok()?;
        return Some(Value::Number(format!("{sign}{value}")));
    }
    if !digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut text = String::with_capacity(word.len() + 2);
    text.push_str(sign);
    if digits.starts_with('.') {
        text.push('0');
    }
    text.push_str(digits);
    for (short, long) in [(".e", ".0e"), (".E", ".0E")] {
        text = text.replace(short, long);
    }
    if text.ends_with('.') {
        text.push('0');
    }
    let json = Json::parse(text.as_bytes()).ok()?;
    (json.kind() == Kind::Number && json.bytes().len() == text.len()).then_some(Value::Number(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbers_literals_or_text() {
        for (word, json) in [
            ("1", "1"),
            ("+3", "3"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("2.", "2.0"),
            ("0x10", "16"),
            ("1e5", "1e5"),
            ("007", "\"007\""),
            ("1/3", "\"1/3\""),
            ("True", "true"),
            ("NaN", "null"),
            ("-", "\"-\""),
            ("12345678901234567890", "12345678901234567890"),
            ("hi", "\"hi\""),
        ] {
            assert_eq!(Value::Bare(word.into()).settled().to_json(), json, "{word}");
        }
    }
}
