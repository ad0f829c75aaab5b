//! Pure codecs between the OpenAI chat vocabulary and the wires of LLM providers. Providers are
//! data: what differs between two hosts of one dialect is a field of
//! [`Quirks`](waystation_core::Quirks), never code here. Nothing here opens a socket.
#![doc = include_str!("../README.md")]

mod address;
mod array;
mod body;
mod citation;
mod data_url;
mod demand;
mod dialect;
mod eventstream;
mod fault;
mod field;
mod finish;
mod intake;
mod ran;
mod refrain;
mod search;
#[cfg(feature = "bedrock")]
pub mod sigv4;
mod sse;
mod thought;

pub use dialect::{
    ANTHROPIC_MESSAGES, AnthropicMessages, BEDROCK_CONVERSE, BedrockConverse, COHERE_CHAT,
    CohereChat, DIALECTS, GEMINI, Gemini, OPENAI_CHAT, OPENAI_RESPONSES, OpenAiChat,
    OpenAiResponses, codec,
};
pub use eventstream::{Frame, FrameError, FrameParser, MAX_FRAME_BYTES};
pub use sse::{MAX_EVENT_BYTES, SseError, SseEvent, SseParser};
