//! Steps of tools that a provider ran itself, as `reasoning.server_tool_call` details: a search and
//! what it found, code and what it printed. A client calls nothing for them; it sends them back, and
//! the provider finds its own words again. What a step is on the wire is each dialect's to know.
//! Source: API contract, section 1.4.
//!
//! | member | holds |
//! |---|---|
//! | `tool_name`, `tool_call_id` | the tool, and the call that a result belongs to |
//! | `arguments` or `result` | what went in, or what came out, as JSON in a text: nothing in it is changed |
//! | `native` | what else the wire says of the step |
//! | `offset` | how many characters of the content stand before it |

use bytes::Bytes;
use waystation_core::{Json, JsonText, Kind, ObjectWriter, RawJson};

/// The type of such details.
pub(crate) const TYPE: &str = "reasoning.server_tool_call";

/// One step. Texts stand in their quotes, as the provider wrote them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    /// The tool.
    pub(crate) tool: &'a [u8],
    /// The call.
    pub(crate) call: Option<Json<'a>>,
    /// What went in, or what came out.
    pub(crate) held: Held<'a>,
    /// The block on the wire, and the members of it that stand in the detail by another name.
    pub(crate) native: Option<(Json<'a>, &'a [&'a str])>,
    /// Whose it is.
    pub(crate) format: &'a str,
    /// Its place among the blocks of the reply.
    pub(crate) index: u32,
    /// How many characters of the content stand before it.
    pub(crate) offset: u64,
}

/// What a step holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held<'a> {
    /// What went into the tool.
    Arguments(&'a JsonText),
    /// What came out of it.
    Result(&'a JsonText),
}

// === impl Step ===

impl Step<'_> {
    /// The step as `reasoning_details`: an array of one.
    pub(crate) fn details(&self) -> Option<RawJson> {
        let mut out = vec![b'['];
        let mut object = ObjectWriter::open(&mut out);
        object.string("type", TYPE).raw("tool_name", self.tool);
        if let Some(call) = self.call.filter(|call| call.kind() == Kind::String) {
            object.raw("tool_call_id", call.bytes());
        }
        match self.held {
            Held::Arguments(text) => object.text("arguments", text),
            Held::Result(text) => object.text("result", text),
        };
        if let Some((block, apart)) = self.native {
            let mut native = object.object("native");
            for (key, value) in block.members() {
                if !apart.iter().any(|apart| key.is(apart)) {
                    native
                        .escaped_key(key.escaped())
                        .extend_from_slice(value.bytes());
                }
            }
            native.close();
        }
        object.string("format", self.format);
        object.number("index", u64::from(self.index));
        if self.offset > 0 {
            object.number("offset", self.offset);
        }
        object.close();
        out.push(b']');
        RawJson::parse(&Bytes::from(out)).ok()
    }
}

/// What a detail holds under `key`, as the JSON that it was; `None` when it is none any more.
pub(crate) fn held(detail: Json<'_>, key: &str) -> Option<RawJson> {
    let text = detail.get(key)?.string()?;
    RawJson::parse(&Bytes::copy_from_slice(text.as_bytes())).ok()
}
