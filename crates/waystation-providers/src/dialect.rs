//! The table of dialects. One line a dialect; everything about it is in its own file.

mod anthropic_messages;
mod bedrock_converse;
mod cohere_chat;
mod gemini;
mod openai_chat;
mod openai_responses;

use waystation_core::{Codec, DialectId};

pub use anthropic_messages::{ANTHROPIC_MESSAGES, AnthropicMessages};
pub use bedrock_converse::{BEDROCK_CONVERSE, BedrockConverse};
pub use cohere_chat::{COHERE_CHAT, CohereChat};
pub use gemini::{GEMINI, Gemini};
pub use openai_chat::{OPENAI_CHAT, OpenAiChat};
pub use openai_responses::{OPENAI_RESPONSES, OpenAiResponses};

/// Every dialect that this crate speaks, by id. A catalogue row whose dialect is not here makes
/// endpoints that no request reaches; the router says so (reason `dialect`).
///
/// ```
/// use waystation_providers::{DIALECTS, OPENAI_CHAT};
///
/// assert!(DIALECTS.iter().any(|(id, _)| *id == OPENAI_CHAT));
/// ```
pub static DIALECTS: &[(&str, &dyn Codec)] = &[
    (GEMINI, &Gemini),
    (ANTHROPIC_MESSAGES, &AnthropicMessages),
    (OPENAI_CHAT, &OpenAiChat),
    (OPENAI_RESPONSES, &OpenAiResponses),
    (BEDROCK_CONVERSE, &BedrockConverse),
    (COHERE_CHAT, &CohereChat),
];

/// The codec of a dialect; `None` when it is not built.
///
/// ```
/// use waystation_providers::codec;
///
/// assert!(codec(&"openai-chat".parse()?).is_some());
/// assert!(codec(&"telegraph".parse()?).is_none());
/// # Ok::<(), waystation_core::ParseNameError>(())
/// ```
#[must_use]
pub fn codec(dialect: &DialectId) -> Option<&'static dyn Codec> {
    DIALECTS
        .iter()
        .find(|(id, _)| *dialect == **id)
        .map(|(_, codec)| *codec)
}
