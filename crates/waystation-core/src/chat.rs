//! The chat vocabulary: requests as spans over their body, replies as events.

mod answer;
mod chunk;
mod event;
mod invalid;
mod message;
mod names;
mod preferences;
mod reasoning;
mod request;
mod rules;

pub use answer::{Answer, AnswerChoice, AnswerToolCall};
pub use chunk::{ChunkHead, ChunkWriter, LastChunk};
pub use event::{ChatEvent, Delta, Finish, FinishReason, Start, ToolCallDelta};
pub use invalid::InvalidRequest;
pub use message::{Content, Message, Part, Role, ToolCall};
pub use preferences::{
    DataCollection, MaxPrice, Partition, ProviderPreferences, SortBy, Threshold,
};
pub use reasoning::{Effort, Reasoning};
pub use request::ChatRequest;
