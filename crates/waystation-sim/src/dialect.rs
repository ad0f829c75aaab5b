//! The table of simulated wires. To add one: write `dialect/<name>.rs` with an `impl Dialect`, and
//! add its line to [`DIALECTS`].
//!
//! What a simulated model says is decided elsewhere ([`crate::mind`]); a dialect only reads
//! requests and writes replies.

mod answer;
mod anthropic_messages;
mod bedrock_converse;
mod body;
mod cohere_chat;
mod envelope;
mod gemini;
mod logprob;
mod openai_chat;
mod openai_responses;
mod path;
mod talk;
#[cfg(test)]
mod trial;

use std::borrow::Cow;

use http::StatusCode;
use waystation_core::Json;

use crate::{SimReply, searxng::Searxng, simulator::Arrival};

/// One simulated wire.
///
/// Laws, each held by a test of the wire:
/// - Every request gets a reply; what is wrong is refused in the wire's own envelope, naming the member.
/// - Equal requests get equal replies, and a stream says what the whole reply says.
/// - A stream has one event a piece, so that scripts can count them.
pub(crate) trait Dialect: Sync {
    /// Whether requests at `path` speak it.
    fn serves(&self, path: &str) -> bool;

    /// The model asked for; empty when none is.
    fn model<'a>(&self, arrival: &Arrival<'a>) -> Cow<'a, str> {
        let body = arrival.body.as_ref().ok();
        let model = body.and_then(|body| body.get("model"));
        model.and_then(Json::string).unwrap_or_default()
    }

    /// Whether a stream is asked for.
    fn streams(&self, arrival: &Arrival<'_>) -> bool {
        let body = arrival.body.as_ref().ok();
        let stream = body.and_then(|body| body.get("stream"));
        stream.and_then(Json::bool).unwrap_or_default()
    }

    /// Answers a request, or refuses it in the wire's own envelope.
    fn answer(&self, arrival: &Arrival<'_>) -> SimReply;

    /// An error in the wire's own envelope.
    fn error(&self, status: StatusCode, message: &str) -> SimReply;
}

/// Every wire by its dialect's id, looked through from the first.
const DIALECTS: &[(&str, &dyn Dialect)] = &[
    ("openai-chat", &openai_chat::OpenAiChat),
    ("openai-responses", &openai_responses::OpenAiResponses),
    ("anthropic-messages", &anthropic_messages::AnthropicMessages),
    ("gemini", &gemini::Gemini),
    ("cohere-chat", &cohere_chat::CohereChat),
    ("bedrock-converse", &bedrock_converse::BedrockConverse),
];

/// What answers where no wire serves: with errors that most clients can read.
const NOWHERE: &dyn Dialect = &openai_chat::Nowhere;

/// The wire spoken at `path`. A search is none that models are asked on, so it is not in the table.
pub(crate) fn of(path: &str) -> &'static dyn Dialect {
    if Searxng.serves(path) {
        return &Searxng;
    }
    let serving = DIALECTS.iter().find(|(_, dialect)| dialect.serves(path));
    serving.map_or(NOWHERE, |(_, dialect)| *dialect)
}

/// The ids of the dialects that the simulator speaks. Whoever puts it in the place of the network
/// routes to these alone.
///
/// ```
/// assert!(waystation_sim::dialects().any(|id| id == "openai-chat"));
/// ```
pub fn dialects() -> impl Iterator<Item = &'static str> {
    DIALECTS.iter().map(|(id, _)| *id)
}

#[cfg(test)]
mod tests;
