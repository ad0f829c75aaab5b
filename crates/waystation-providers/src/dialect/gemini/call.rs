//! Function calls of one candidate: whole ones, and those whose arguments come in pieces. What
//! comes out is orderly: indices count from 0, id and name come once, with the first piece, and the
//! arguments are one JSON object without white space.
//!
//! | `functionCall` | means |
//! |---|---|
//! | name, `args` | a whole call |
//! | name alone | a whole call without arguments |
//! | name, `willContinue` | a call whose arguments come in pieces |
//! | `partialArgs`, `willContinue` | more of them |
//! | nothing, or `partialArgs` without `willContinue` | the last of them |
//!
//! Most calls come without an id (312 of 343 recorded ones); they get one that is made here.

use bytes::Bytes;
use waystation_core::{Json, JsonText, Kind, ToolCallDelta};

use super::{field::CallFields, mark, partial::Arguments};

/// How many calls one candidate may make: above any real answer, so that memory stays bounded.
const MAX_CALLS: usize = 1024;

/// Where ids are made from when the host sends none.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The reply's id, escaped.
    pub(super) reply: &'a [u8],
    /// What else tells two replies apart.
    pub(super) salt: u64,
}

/// The calls of one candidate so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    count: usize,
    /// The last call, while its arguments are still coming.
    open: Option<Arguments>,
}

// === impl Calls ===

impl Calls {
    /// Whether any call was made.
    pub(super) const fn any(&self) -> bool {
        self.count > 0
    }

    /// Takes one `functionCall`; gives the id of the call that it starts. A call that starts while
    /// another's arguments are still coming ends that one.
    pub(super) fn take(
        &mut self,
        json: Json<'_>,
        data: &Bytes,
        origin: Origin<'_>,
        out: &mut Vec<ToolCallDelta>,
    ) -> Option<JsonText> {
        let call = CallFields::of(json);
        let text = |value: Option<Json<'_>>| {
            let text = value.and_then(|text| text.json_text(data));
            text.filter(|text| !text.is_empty())
        };
        let continues = call.continues.and_then(Json::bool) == Some(true);
        let Some(name) = text(call.name) else {
            if let (Some(arguments), Some(list)) = (&mut self.open, call.partial) {
                arguments.take(list);
            }
            if !continues {
                self.close(out);
            }
            return None;
        };
        self.close(out);
        if self.count >= MAX_CALLS {
            return None;
        }
        let at = self.count;
        self.count += 1;
        let id = text(call.id).unwrap_or_else(|| mark::made_id(origin.reply, origin.salt, at));
        let in_pieces = continues || call.partial.is_some();
        let arguments = if in_pieces {
            JsonText::default()
        } else {
            whole(call.args)
        };
        out.push(ToolCallDelta {
            index: index(at),
            id: Some(id.clone()),
            name: Some(name),
            arguments,
        });
        if in_pieces {
            let mut arguments = Arguments::default();
            if let Some(list) = call.partial {
                arguments.take(list);
            }
            self.open = Some(arguments);
            if !continues {
                self.close(out);
            }
        }
        Some(id)
    }

    /// Completes the call whose arguments were coming.
    pub(super) fn close(&mut self, out: &mut Vec<ToolCallDelta>) {
        let (Some(arguments), Some(at)) = (self.open.take(), self.count.checked_sub(1)) else {
            return;
        };
        let json = arguments.json();
        out.push(ToolCallDelta {
            index: index(at),
            id: None,
            name: None,
            arguments: JsonText::of(&String::from_utf8_lossy(&json)),
        });
    }
}

/// Whole arguments as JSON text, escaped once more as they travel.
fn whole(args: Option<Json<'_>>) -> JsonText {
    match args.filter(|args| args.kind() == Kind::Object) {
        Some(args) => JsonText::of(&String::from_utf8_lossy(&compact(args.bytes()))),
        None => JsonText::from_static("{}"),
    }
}

/// Checked JSON without the white space between its tokens: hosts print it with line breaks.
fn compact(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.iter().copied() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = byte == b'"';
        }
        out.push(byte);
    }
    out
}

/// A place as the index that clients see.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pieces: &[&'static str]) -> Vec<(u32, Option<String>, String)> {
        let mut calls = Calls::default();
        let mut out = Vec::new();
        for piece in pieces {
            let data = Bytes::from_static(piece.as_bytes());
            let origin = Origin {
                reply: b"r",
                salt: 0,
            };
            calls.take(Json::parse(&data).unwrap(), &data, origin, &mut out);
        }
        calls.close(&mut out);
        let shown = |call: ToolCallDelta| {
            let name = call.name.map(|name| name.decode().into_owned());
            (call.index, name, call.arguments.decode().into_owned())
        };
        out.into_iter().map(shown).collect()
    }

    #[test]
    fn whole_calls_are_compact() {
        let found = taken(&[
            r#"{"name": "f", "args": {"a b": [1, "x \" y"],
            "c": {}}}"#,
            r#"{"name": "g"}"#,
        ]);
        let name = |name: &str| Some(name.to_owned());
        let expected = [
            (0, name("f"), r#"{"a b":[1,"x \" y"],"c":{}}"#.to_owned()),
            (1, name("g"), "{}".to_owned()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn pieces_end_with_an_empty_call_or_with_the_next() {
        let found = taken(&[
            r#"{"name":"f","willContinue":true}"#,
            r#"{"partialArgs":[{"jsonPath":"$.a","stringValue":"x","willContinue":true}],"willContinue":true}"#,
            r#"{"partialArgs":[{"jsonPath":"$.a","stringValue":"y"}],"willContinue":true}"#,
            "{}",
            "{}",
            r#"{"name":"g","partialArgs":[{"jsonPath":"$.b","numberValue":2}],"willContinue":true}"#,
            r#"{"name":"h","partialArgs":[{"jsonPath":"$.c","boolValue":false}]}"#,
        ]);
        let shown: Vec<(u32, &str)> = found
            .iter()
            .map(|(at, _, text)| (*at, text.as_str()))
            .collect();
        let expected = [
            (0, ""),
            (0, r#"{"a":"xy"}"#),
            (1, ""),
            (1, r#"{"b":2}"#),
            (2, ""),
            (2, r#"{"c":false}"#),
        ];
        assert_eq!(shown, expected);
    }
}
