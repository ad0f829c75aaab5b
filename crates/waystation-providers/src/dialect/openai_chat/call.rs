//! Tool calls of one choice, as hosts stream them: with and without index, id or name, in pieces or
//! whole, several under one index. What comes out is orderly: indices count from 0, id and name come
//! once, with the first piece, and the arguments are never nothing.
//!
//! Seen in recordings: `id: ""` on every piece but the first (Qwen); every call under index 0, or
//! none (Gemini's compatible endpoint); whole calls beside the finish reason (Mistral); id and name
//! repeated on every piece; arguments that are `""` to the end. What arguments say is not looked
//! into: a model's broken JSON is the client's, or a healing plugin's, to mend.

use bytes::Bytes;
use waystation_core::{Json, JsonText, Kind, ToolCallDelta};

/// The calls of one choice so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
}

/// How many calls one choice may make: above any real answer, so that memory stays bounded.
const MAX_CALLS: usize = 1024;

/// One call so far.
#[derive(Debug, Default)]
struct Call {
    /// The index that the host gave.
    key: Option<u64>,
    /// The id that the host gave.
    id: JsonText,
    /// The name has been given out.
    named: bool,
    /// Arguments that came before the name.
    held: Vec<JsonText>,
    /// The arguments, while they are one piece.
    sole: Option<JsonText>,
    /// Some argument text has come.
    argued: bool,
}

/// What one element of `tool_calls` says.
struct Piece {
    key: Option<u64>,
    id: JsonText,
    name: JsonText,
    arguments: JsonText,
}

/// Where ids are made from when a host sends none.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The reply's id, escaped.
    pub(super) reply: &'a [u8],
    /// The choice.
    pub(super) choice: u32,
}

// === impl Calls ===

impl Calls {
    /// Whether any call was made.
    pub(super) fn any(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Takes the `tool_calls` of a delta, or of a whole message, where each element is a call of
    /// its own.
    pub(super) fn take(
        &mut self,
        list: Json<'_>,
        data: &Bytes,
        whole: bool,
        origin: Origin<'_>,
    ) -> Vec<ToolCallDelta> {
        let mut out = Vec::new();
        for element in list.elements().filter(|call| call.kind() == Kind::Object) {
            let piece = Piece::of(element, data);
            let at = if whole { None } else { self.matching(&piece) };
            out.extend(self.absorb(at, piece, origin));
        }
        out
    }

    /// Takes the older `function_call`, of which a choice has one at most.
    pub(super) fn take_function(
        &mut self,
        function: Json<'_>,
        data: &Bytes,
        origin: Origin<'_>,
    ) -> Option<ToolCallDelta> {
        let piece = Piece {
            key: Some(u64::MAX),
            id: JsonText::default(),
            name: text(function, "name", data),
            arguments: arguments(function, data),
        };
        let at = self.calls.iter().position(|call| call.key == piece.key);
        self.absorb(at, piece, origin)
    }

    /// Completes every call: names that never came are empty, and calls without arguments get `{}`.
    pub(super) fn close(&mut self) -> Vec<ToolCallDelta> {
        let close = |(at, call): (usize, &mut Call)| {
            let late = JsonText::join(&std::mem::take(&mut call.held));
            let arguments = if call.argued {
                late
            } else {
                JsonText::from_static("{}")
            };
            let unnamed = !std::mem::replace(&mut call.named, true);
            call.argued = true;
            (unnamed || !arguments.is_empty()).then(|| ToolCallDelta {
                index: index(at),
                id: unnamed.then(|| call.id.clone()),
                name: unnamed.then(JsonText::default),
                arguments,
            })
        };
        self.calls
            .iter_mut()
            .enumerate()
            .filter_map(close)
            .collect()
    }

    /// The call that a piece continues; `None` when it starts one.
    fn matching(&self, piece: &Piece) -> Option<usize> {
        let Some(key) = piece.key else {
            return if !piece.id.is_empty() {
                self.calls.iter().position(|call| call.id == piece.id)
            } else if piece.name.is_empty() {
                self.calls.len().checked_sub(1)
            } else {
                None
            };
        };
        let at = self.calls.iter().rposition(|call| call.key == Some(key))?;
        let call = self.calls.get(at)?;
        // Some hosts number every call 0: a new name under a new id, or after complete arguments,
        // is a new call.
        let renamed = !piece.name.is_empty() && call.named;
        let new_id = !piece.id.is_empty() && piece.id != call.id;
        let complete = piece.id.is_empty() && call.is_complete();
        (!(renamed && (new_id || complete))).then_some(at)
    }

    /// Takes a piece into the call at `at`, or into a new one, and says what of it can go on. A call
    /// whose name has not come is held back: clients want id and name together.
    fn absorb(
        &mut self,
        at: Option<usize>,
        piece: Piece,
        origin: Origin<'_>,
    ) -> Option<ToolCallDelta> {
        let at = match at {
            Some(at) => at,
            None if self.calls.len() >= MAX_CALLS => return None,
            None => {
                let id = if piece.id.is_empty() {
                    made_id(origin, self.calls.len())
                } else {
                    piece.id
                };
                self.calls.push(Call {
                    key: piece.key,
                    id,
                    ..Call::default()
                });
                self.calls.len() - 1
            }
        };
        let call = self.calls.get_mut(at)?;
        call.hear(&piece.arguments);
        if !call.named {
            call.held.push(piece.arguments);
            if piece.name.is_empty() {
                return None;
            }
            call.named = true;
            return Some(ToolCallDelta {
                index: index(at),
                id: Some(call.id.clone()),
                name: Some(piece.name),
                arguments: JsonText::join(&std::mem::take(&mut call.held)),
            });
        }
        (!piece.arguments.is_empty()).then(|| ToolCallDelta {
            index: index(at),
            id: None,
            name: None,
            arguments: piece.arguments,
        })
    }
}

// === impl Call ===

impl Call {
    /// Notes a piece of the arguments.
    fn hear(&mut self, arguments: &JsonText) {
        if arguments.is_empty() {
            return;
        }
        let first = self.sole.is_none() && !self.argued;
        self.sole = first.then(|| arguments.clone());
        self.argued |= !arguments.decode().trim().is_empty();
    }

    /// Whether the arguments came in one piece and are complete.
    fn is_complete(&self) -> bool {
        let is_json = |text: &JsonText| Json::parse(text.decode().as_bytes()).is_ok();
        self.sole.as_ref().is_some_and(is_json)
    }
}

// === impl Piece ===

impl Piece {
    /// Reads one element of `tool_calls`: a function, or a custom tool, whose input stands for
    /// arguments; some hosts leave the wrapper out.
    fn of(element: Json<'_>, data: &Bytes) -> Self {
        let inner = ["function", "custom"]
            .into_iter()
            .find_map(|key| element.get(key))
            .unwrap_or(element);
        Self {
            key: element.get("index").and_then(Json::u64),
            id: text(element, "id", data),
            name: text(inner, "name", data),
            arguments: arguments(inner, data),
        }
    }
}

/// A string member, empty when it is not there.
fn text(object: Json<'_>, key: &str, data: &Bytes) -> JsonText {
    let value = object.get(key).and_then(|value| value.json_text(data));
    value.unwrap_or_default()
}

/// The arguments: JSON text in a string, or, from some hosts, the JSON itself.
fn arguments(function: Json<'_>, data: &Bytes) -> JsonText {
    let sent = ["arguments", "input"]
        .into_iter()
        .find_map(|key| function.get(key));
    match sent {
        Some(value) if matches!(value.kind(), Kind::Object | Kind::Array) => {
            JsonText::of(&value.text())
        }
        Some(value) => value.json_text(data).unwrap_or_default(),
        None => JsonText::default(),
    }
}

/// A place as the index that clients see.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// An id for a call that came without one: made from the reply's own id, so that two replies of a
/// conversation do not collide, and the same whenever the same reply is read.
fn made_id(origin: Origin<'_>, at: usize) -> JsonText {
    let hash = fnv(origin.reply, u64::from(origin.choice));
    JsonText::of(&format!("call_{hash:016x}{at}"))
}

/// The 64-bit FNV-1a hash, started at `salt`: spreads, hides nothing.
pub(super) fn fnv(bytes: &[u8], salt: u64) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let start = (0xcbf2_9ce4_8422_2325 ^ salt).wrapping_mul(PRIME);
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}
