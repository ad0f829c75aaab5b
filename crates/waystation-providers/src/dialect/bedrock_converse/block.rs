//! Single blocks of content. Which turn they stand in is `turn`'s to know.
//!
//! | of a message | becomes |
//! |---|---|
//! | a text | `text` |
//! | an image, a file, a video, sound | what `media` makes of it |
//! | a part of Converse's own type (`guardContent`, `searchResult`) | the member of that name |
//! | reasoning with a signature | `reasoningContent.reasoningText` |
//! | sealed reasoning of Bedrock | `reasoningContent.redactedContent` as it came |
//! | sealed reasoning of Anthropic's own wire | the same, in base64 once more |
//! | reasoning without a signature | nothing: hosts refuse what they cannot check |
//! | a step of a tool that the host ran | the block that it was, where it stood |
//! | a call | `toolUse`, with its arguments as an object |
//! | ids of calls | as they are, or made fit: 64 letters, digits, underscores and dashes |

use std::borrow::Cow;

use waystation_core::{Json, Kind, ObjectWriter, ToolCall};

use super::{media as source, model::Family, step};
use crate::{
    data_url::wrapped,
    thought::{Block, Thought, Woven, weave},
};

/// Room for the next block: a comma goes before every one but the first.
pub(super) fn next(blocks: &mut Vec<u8>) -> &mut Vec<u8> {
    if !blocks.is_empty() {
        blocks.push(b',');
    }
    blocks
}

/// A text.
pub(super) fn text(text: &str, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.string("text", text);
    object.close();
}

/// A text, unless it is blank, which the wire refuses; whether it was written is given back.
pub(super) fn words(said: &str, blocks: &mut Vec<u8>) -> bool {
    let speaks = !said.trim().is_empty();
    if speaks {
        text(said, next(blocks));
    }
    speaks
}

/// The end of what is to be cached, for as long as the client's mark says.
pub(super) fn cache_point(mark: Json<'_>, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    let mut point = object.object("cachePoint");
    point.string("type", "default");
    if mark.get("ttl").is_some_and(|ttl| ttl.is("1h")) {
        point.string("ttl", "1h");
    }
    point.close();
    object.close();
}

/// A part of the type `kind` that is no text; whether it is a document is given back. `documents`
/// are the names of documents so far. The error says what was expected.
pub(super) fn media(
    part: Json<'_>,
    kind: &str,
    documents: &mut Vec<String>,
    blocks: &mut Vec<u8>,
) -> Result<bool, &'static str> {
    let mut object = ObjectWriter::open(next(blocks));
    let url = |key: &str| {
        let holder = part.get(key)?;
        match holder.kind() {
            Kind::Object => holder.get("url"),
            _ => Some(holder),
        }
    };
    let document = match kind {
        "image_url" => {
            source::image(url(kind).ok_or("expected an address")?, &mut object)?;
            false
        }
        "video_url" | "input_video" => {
            source::video(url("video_url").ok_or("expected an address")?, &mut object)?;
            false
        }
        "file" => source::file(part.get("file").unwrap_or(part), documents, &mut object)?,
        "input_audio" => {
            source::audio(part.get("input_audio").unwrap_or(part), &mut object)?;
            false
        }
        _ => {
            // Blocks of Converse itself: `guardContent`, `searchResult` and the like.
            let own = part.get(kind).ok_or("expected a part of a known type")?;
            object.raw(kind, own.bytes());
            kind == "document"
        }
    };
    object.close();
    Ok(document)
}

/// Reasoning that goes back to its maker, what is signed and what is sealed, and steps of tools that the
/// host ran. Where there are steps, everything stands where it stood in `text`; else the reasoning comes
/// first. Whether there are words is given back.
pub(super) fn thoughts(
    message: Json<'_>,
    family: Family,
    text: &str,
    blocks: &mut Vec<u8>,
) -> bool {
    let found = Block::any_of(message, &[family.format(), family.sealed_format()]);
    if !found.iter().any(|block| block.thought == Thought::Ran) {
        found
            .iter()
            .for_each(|block| thought(block, family, blocks));
        return words(text, blocks);
    }
    let mut spoke = false;
    for woven in weave(text, &found) {
        match woven {
            Woven::Words(said) => spoke |= words(said, blocks),
            Woven::Block(block) => thought(block, family, blocks),
        }
    }
    spoke
}

/// One block of those. Sealed blocks of the maker's own wire are wrapped once more here.
fn thought(block: &Block<'_>, family: Family, blocks: &mut Vec<u8>) {
    let quoted = |text: &[u8], out: &mut Vec<u8>| {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    };
    match (block.thought, block.signature) {
        (Thought::Text, Some(signature)) => {
            let mut object = ObjectWriter::open(next(blocks));
            let mut content = object.object("reasoningContent");
            let mut text = content.object("reasoningText");
            quoted(&block.text, text.key("text"));
            text.raw("signature", signature.bytes());
            text.close();
            content.close();
            object.close();
        }
        (Thought::Encrypted, _) if !block.text.is_empty() => {
            let ours = |format: Json<'_>| format.is(family.sealed_format());
            let mut object = ObjectWriter::open(next(blocks));
            let mut content = object.object("reasoningContent");
            if block.format.is_some_and(ours) {
                quoted(&block.text, content.key("redactedContent"));
            } else {
                content.string("redactedContent", &wrapped(&block.text));
            }
            content.close();
            object.close();
        }
        (Thought::Ran, _) => step::replay(block.detail, blocks),
        _ => {}
    }
}

/// A call of a tool. Arguments are an object here; whether they had to be put into one is given
/// back.
pub(super) fn call(call: &ToolCall<'_>, out: &mut Vec<u8>) -> bool {
    let mut object = ObjectWriter::open(out);
    let mut tool = object.object("toolUse");
    tool.string("toolUseId", &tool_id(&call.id()));
    tool.string("name", &call.name());
    let arguments = call.arguments();
    let json = Json::parse(arguments.as_bytes()).ok();
    let json = json.filter(|json| json.kind() == Kind::Object);
    let blank = arguments.trim().is_empty();
    match json {
        Some(json) => {
            tool.raw("input", json.bytes());
        }
        None if blank => {
            tool.raw("input", b"{}");
        }
        None => {
            let mut input = tool.object("input");
            input.string("arguments", &arguments);
            input.close();
        }
    }
    tool.close();
    object.close();
    json.is_none() && !blank
}

/// An id that the wire takes: at most 64 letters, digits, underscores and dashes. The same id gives
/// the same one, in calls and in answers to them.
pub(super) fn tool_id(id: &str) -> Cow<'_, str> {
    /// The most that the wire takes.
    const MOST: usize = 64;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if id.len() <= MOST && !id.is_empty() && id.chars().all(legal) {
        return Cow::Borrowed(id);
    }
    let clean: String = id.chars().map(|c| if legal(c) { c } else { '_' }).collect();
    // What tells ids apart stands at their end.
    let start = clean.len().saturating_sub(MOST);
    let clean = clean.get(start..).unwrap_or_default();
    Cow::Owned(if clean.is_empty() { "_" } else { clean }.to_owned())
}
