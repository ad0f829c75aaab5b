//! Arguments of a function call that come in pieces: each piece names a place in the arguments
//! (`$.stops[0].city`) and a value, or more of a text. They make one JSON object when all are there.
//!
//! Clients get the call's id and name with the first piece and the arguments whole, with the last:
//! text that is JSON only when everything has come cannot be given out in pieces that append, since
//! the wire may come back to a place that it has left. A piece whose place or value makes no sense is
//! passed by; what stands in the way of a later one gives way to it.
//!
//! | value | becomes |
//! |---|---|
//! | `stringValue` | text, behind what stands there already |
//! | `numberValue`, `boolValue` | the number or boolean, in its own spelling |
//! | `nullValue` | `null` |
//!
//! Source: <https://ai.google.dev/gemini-api/docs/function-calling>, streaming (2026-08-22), and a
//! recorded stream.

use waystation_core::{Json, JsonText, ObjectWriter};

/// The deepest place that is followed; deeper ones are cut there.
const MAX_DEPTH: usize = 64;

/// The arguments so far.
#[derive(Debug, Default)]
pub(super) struct Arguments(Vec<(JsonText, Node)>);

/// A value that is growing.
#[derive(Debug)]
enum Node {
    /// JSON that is complete.
    Value(Vec<u8>),
    /// A text, escaped, to which more may come.
    Text(Vec<u8>),
    Object(Vec<(JsonText, Self)>),
    Array(Vec<Self>),
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(JsonText),
    At(usize),
}

// === impl Arguments ===

impl Arguments {
    /// Takes one `partialArgs` list, in its order.
    pub(super) fn take(&mut self, list: Json<'_>) {
        for piece in list.elements() {
            let path = piece.get("jsonPath").or_else(|| piece.get("json_path"));
            let steps = path.and_then(Json::string).map(|path| steps(&path));
            let [Step::Key(first), rest @ ..] = steps.as_deref().unwrap_or_default() else {
                continue;
            };
            let Some(value) = value_of(piece) else {
                continue;
            };
            entry(&mut self.0, first).put(rest, value);
        }
    }

    /// The arguments as one JSON object.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_object(&self.0, &mut out);
        out
    }
}

// === impl Node ===

impl Node {
    /// Puts `value` at the end of a path below this node. What stands in the way gives way.
    fn put(&mut self, path: &[Step], value: Self) {
        let Some((step, rest)) = path.split_first() else {
            match (self, value) {
                (Self::Text(before), Self::Text(more)) => before.extend_from_slice(&more),
                (node, value) => *node = value,
            }
            return;
        };
        match step {
            Step::Key(key) => {
                if !matches!(self, Self::Object(_)) {
                    *self = Self::Object(Vec::new());
                }
                if let Self::Object(members) = self {
                    entry(members, key).put(rest, value);
                }
            }
            Step::At(at) => {
                if !matches!(self, Self::Array(_)) {
                    *self = Self::Array(Vec::new());
                }
                if let Self::Array(elements) = self {
                    // Pieces come in order: an index beyond the end is the next element.
                    if *at >= elements.len() {
                        elements.push(Self::Value(b"null".to_vec()));
                    }
                    let at = (*at).min(elements.len() - 1);
                    if let Some(element) = elements.get_mut(at) {
                        element.put(rest, value);
                    }
                }
            }
        }
    }

    /// Writes the node as JSON. Texts are written as they stood between the upstream's quotes, so
    /// that a character which two pieces cut in two escapes is whole again.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Value(json) => out.extend_from_slice(json),
            Self::Text(text) => {
                out.push(b'"');
                out.extend_from_slice(text);
                out.push(b'"');
            }
            Self::Object(members) => write_object(members, out),
            Self::Array(elements) => {
                out.push(b'[');
                for (place, element) in elements.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
        }
    }
}

/// Writes an object.
fn write_object(members: &[(JsonText, Node)], out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    for (key, value) in members {
        value.write(object.escaped_key(key.escaped()));
    }
    object.close();
}

/// The member called `key`, made when it is new.
#[expect(clippy::indexing_slicing, reason = "the member was found or pushed")]
fn entry<'a>(members: &'a mut Vec<(JsonText, Node)>, key: &JsonText) -> &'a mut Node {
    let at = members.iter().position(|(found, _)| found == key);
    let at = at.unwrap_or_else(|| {
        members.push((key.clone(), Node::Value(b"null".to_vec())));
        members.len() - 1
    });
    &mut members[at].1
}

/// The value of one piece; `None` when it has none, as the piece that ends a text may.
fn value_of(piece: Json<'_>) -> Option<Node> {
    for (key, value) in piece.members() {
        match key.escaped() {
            b"stringValue" | b"string_value" => {
                return value.escaped().map(|text| Node::Text(text.to_vec()));
            }
            b"numberValue" | b"number_value" | b"boolValue" | b"bool_value" => {
                return Some(Node::Value(value.bytes().to_vec()));
            }
            b"nullValue" | b"null_value" => return Some(Node::Value(b"null".to_vec())),
            _ => {}
        }
    }
    None
}

/// The steps of a path: `$.a.b[0]['c']`. Anything may stand here: a path that is none makes steps
/// that lead somewhere, never a failure.
fn steps(path: &str) -> Vec<Step> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    while !rest.is_empty() && steps.len() < MAX_DEPTH {
        let bracket = rest
            .strip_prefix('[')
            .and_then(|behind| behind.split_once(']'));
        if let Some((inside, behind)) = bracket {
            rest = behind;
            steps.push(match inside.parse() {
                Ok(at) => Step::At(at),
                Err(_) => Step::Key(JsonText::of(inside.trim_matches(['\'', '"']))),
            });
            continue;
        }
        let name = rest.strip_prefix('.').unwrap_or(rest);
        let end = name
            .find(['.', '['])
            .unwrap_or(name.len())
            .max(1)
            .min(name.len());
        let (key, behind) = name.split_at_checked(end).unwrap_or((name, ""));
        rest = behind;
        steps.push(Step::Key(JsonText::of(key)));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_one_object() {
        let mut arguments = Arguments::default();
        for list in [
            r#"[{"jsonPath":"$.id","stringValue":"A\"","willContinue":true}]"#,
            r#"[{"jsonPath":"$.id","stringValue":"b"},{"jsonPath":"$.n","numberValue":1.50}]"#,
            r#"[{"jsonPath":"$.list[0].x","boolValue":true},{"jsonPath":"$.list[1]","nullValue":"NULL_VALUE"}]"#,
            r#"[{"jsonPath":"$['odd key'].y","stringValue":""},{"jsonPath":"$"},{}]"#,
        ] {
            arguments.take(Json::parse(list.as_bytes()).unwrap());
        }
        let expected = r#"{"id":"A\"b","n":1.50,"list":[{"x":true},null],"odd key":{"y":""}}"#;
        assert_eq!(String::from_utf8(arguments.json()).unwrap(), expected);
        assert_eq!(Arguments::default().json(), b"{}");
    }

    #[test]
    fn no_path_makes_it_panic() {
        for path in [
            "",
            "$",
            "$.",
            "..",
            "[",
            "[]",
            "]",
            "$[9999999999]",
            "é.ü[0",
            "$.a[0][0]",
        ] {
            let _ = steps(path);
            let piece = format!(r#"[{{"jsonPath":"$.a{path}","stringValue":"v"}}]"#);
            let mut arguments = Arguments::default();
            arguments.take(Json::parse(piece.as_bytes()).unwrap());
            assert!(Json::parse(&arguments.json()).is_ok());
        }
    }
}
