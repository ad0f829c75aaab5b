//! The vocabulary and the seams of the waystation LLM gateway. Nothing here acts.
#![doc = include_str!("../README.md")]

mod ask;
mod base_url;
mod chat;
mod codec;
mod combiner;
mod endpoint;
mod entry;
mod error_type;
mod failure;
mod headers;
mod json;
mod model;
mod money;
mod names;
mod parameter;
mod plugin;
mod ports;
mod price;
mod quantity;
mod quota;
mod secret;
mod serial;
mod transport;
mod upstream;
mod usage;

pub use ask::{Ask, AskHints, Ranking};
pub use base_url::BaseUrl;
pub use chat::{
    Answer, AnswerChoice, AnswerToolCall, ChatEvent, ChatRequest, ChunkHead, ChunkWriter, Content,
    DataCollection, Delta, Effort, Finish, FinishReason, InvalidRequest, LastChunk, MaxPrice,
    Message, Part, Partition, ProviderPreferences, Reasoning, Role, SortBy, Start, Threshold,
    ToolCall, ToolCallDelta,
};
pub use codec::{Call, Codec, Note, Reader};
pub use combiner::{Absorb, Combiner};
pub use endpoint::{
    DataPolicy, Endpoint, Modalities, Modality, NativeSearch, Quantization, ServiceTier, Trust,
    UnknownModality, UnknownQuantization, UnknownServiceTier,
};
pub use entry::{AttemptRecord, Decision, Entry, Feedback};
pub use error_type::{ErrorType, Retry, UnknownErrorType};
pub use failure::{EncodeError, NoCredential, Phase, Sent, TransportError, UpstreamError};
pub use headers::Headers;
pub use json::{
    Elements, Json, JsonText, Key, Kind, MAX_DEPTH, Members, ObjectWriter, Outline, RawJson,
    ScanError, write_number,
};
pub use model::{ModelId, ModelRef, ParseModelError, SortShortcut};
pub use money::{Multiplier, ParseMoneyError, Usd, UsdPerMTok};
pub use names::{
    CredentialId, DialectId, EndpointId, GenerationId, ParseNameError, PluginId, PresetSlug,
    ProviderSlug, Tag, nearest,
};
pub use parameter::{Parameter, ParameterSet};
pub use plugin::{
    Cx, Document, DocumentJob, DocumentKind, DocumentLimits, NamedTool, Options, OutputStage,
    ParseError, Plugin, PluginError, Plugins, Run, ServerTool, Spent, StageReport, ToolOutcome,
    ToolSchema,
};
pub use ports::{
    Clock, Credentials, FetchError, FetchLimits, Fetched, Fetcher, Lease, Ledger, RankError,
    Ranker, Sandbox, TokenCounter,
};
pub use price::{Cost, Price, PriceTier, Rates};
pub use quantity::{Date, Deadline, Now, ParseDateError, Seed, Tick, Tokens, UnixMs};
pub use quota::{Quota, Share};
pub use secret::Secret;
pub use transport::{
    BodyStream, HttpRequest, HttpStream, PoolKey, ReplyHead, SendLimits, Transport,
};
pub use upstream::{
    AuthScheme, ChatPath, MaxTokensName, Prefill, Quirks, ReasoningReplay, ReasoningRequest,
    Settings, Target, Upstream, WebSearchRequest,
};
pub use usage::Usage;
