//! `context-compression`: makes prompts fit the endpoint that they go to. How is [`crate::compress`]'s;
//! here is when, and into how much room.

use async_trait::async_trait;
use waystation_core::{
    AskHints, ChatRequest, Cx, Endpoint, ErrorType, Json, Modality, Options, Plugin, PluginError,
    PluginId, RawJson, Run, StageReport, Tokens, Usd,
};

use crate::{Engine, Room, compress};

/// Endpoints with a context of at most so many tokens compress unless the request says no.
///
/// Source: API contract, section 7.4.
pub const SMALL_CONTEXT: Tokens = Tokens::new(8_192);

/// The most messages that Anthropic takes. Source: API contract, section 7.4.
const ANTHROPIC_MESSAGES: usize = 1_000;

/// Room for the answer where the request says nothing, at most.
///
/// Source: API contract, section 7.4.
const ANSWER: u64 = 1_024;

/// The id that requests and the configuration name it by.
const ID: &str = "context-compression";

/// The plugin `context-compression`.
///
/// Runs once per attempt, on a copy of the prompt, so that a fallback to a larger endpoint sends more
/// of it. It acts where prompt, tools and answer (`max_tokens`, or a quarter of the context up to
/// 1,024) do not fit, or where there are more messages than the provider takes. Requests ask for it
/// with an entry in `plugins` or with `transforms: ["middle-out"]`; endpoints with a context of at
/// most [`SMALL_CONTEXT`] compress unless the request says no. `"engine"` is `"middle-out"` or
/// `"extract"`. Models that give no text are left alone.
///
/// Register it as enabled: an endpoint's size decides for requests that do not speak of it.
///
/// ```
/// use waystation_core::{AskHints, ChatRequest, Options, Plugin, RawJson};
/// use waystation_plugins::{ContextCompression, SMALL_CONTEXT};
///
/// let chat = |more| {
///     let body = format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}] {more}}}"#);
///     ChatRequest::parse(&body.into())
/// };
/// let options = Options { entry: RawJson::of(&[("id", "context-compression")]) };
/// let (plugin, mut hints) = (ContextCompression::default(), AskHints::default());
/// plugin.begin(&chat("")?, &options)?.expect("for small endpoints").hint(&mut hints);
/// assert_eq!((hints.compressible, hints.compressible_up_to), (false, SMALL_CONTEXT));
/// plugin.begin(&chat(r#", "transforms": ["middle-out"]"#)?, &options)?.expect("asked for").hint(&mut hints);
/// assert!(hints.compressible);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ContextCompression {
    /// Every endpoint compresses, whether or not a request asks for it.
    pub everywhere: bool,
}

/// At work on one request.
struct Compression {
    /// The engine that the entry names.
    engine: Engine,
    /// Whether endpoints with a large context compress too: the operator or the request says so.
    everywhere: bool,
}

// === impl ContextCompression ===

impl Plugin for ContextCompression {
    fn id(&self) -> PluginId {
        PluginId::from_static(ID)
    }

    fn begin(
        &self,
        chat: &ChatRequest,
        options: &Options,
    ) -> Result<Option<Box<dyn Run>>, PluginError> {
        let engine = options.get("engine").filter(|engine| !engine.is_null());
        let engine = match engine {
            None => Engine::default(),
            Some(engine) if engine.is("middle-out") => Engine::MiddleOut,
            Some(engine) if engine.is("extract") => Engine::Extract,
            Some(engine) => {
                let message = format!(
                    "engine: expected \"middle-out\" or \"extract\", found {}",
                    engine.text()
                );
                return Err(error(ErrorType::InvalidRequest, message));
            }
        };
        let everywhere = self.everywhere || is_asked_for(chat);
        Ok(Some(Box::new(Compression { engine, everywhere })))
    }
}

/// Whether the request itself speaks of compression. That it does not forbid it is known here.
fn is_asked_for(chat: &ChatRequest) -> bool {
    let named = |entry: Json<'_>| entry.get("id").is_some_and(|id| id.is(ID));
    let mut entries = chat.get("plugins").into_iter().flat_map(Json::elements);
    entries.any(named)
        || chat
            .get("transforms")
            .is_some_and(|list| list.elements().next().is_some())
}

/// A refusal of this plugin; the message names the option, or what to shorten.
fn error(kind: ErrorType, message: String) -> PluginError {
    PluginError {
        kind,
        plugin: PluginId::from_static(ID),
        message,
    }
}

// === impl Compression ===

#[async_trait]
impl Run for Compression {
    async fn prepare(
        &mut self,
        _: &mut ChatRequest,
        _: &mut AskHints,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        Ok(())
    }

    fn prepares(&self) -> bool {
        false
    }

    /// Whether an endpoint of this size compresses, and gives text.
    fn adapts(&self, to: &Endpoint) -> bool {
        let small = to
            .context_length
            .is_some_and(|context| context <= SMALL_CONTEXT);
        (self.everywhere || small) && to.output.has(Modality::Text)
    }

    fn hint(&self, hints: &mut AskHints) {
        hints.compressible |= self.everywhere;
        hints.compressible_up_to = hints.compressible_up_to.max(SMALL_CONTEXT);
    }

    async fn adapt(
        &mut self,
        chat: &mut ChatRequest,
        to: &Endpoint,
        cx: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        if !self.adapts(to) {
            return Ok(());
        }
        let Some(room) = room(chat, to, cx) else {
            return Ok(());
        };
        let Some(messages) = chat.get("messages") else {
            return Ok(());
        };
        let started = cx.clock.now().tick;
        let compressed = compress(messages, room, self.engine, cx.tokens).map_err(|too_long| {
            let message = format!(
                "{too_long} (the endpoint's context of {} tokens, less tools and the answer); shorten the system prompt or the last message, or ask for less output",
                to.context_length.unwrap_or_default()
            );
            error(ErrorType::ContextLengthExceeded, message)
        })?;
        let Some(compressed) = compressed else {
            return Ok(());
        };
        let removed = compressed.before - compressed.after;
        let data = serde_json::json!({
            "engine": match self.engine { Engine::MiddleOut => "middle-out", Engine::Extract => "extract" },
            "input_type": "messages",
            "original_count": compressed.before,
            "compressed_count": compressed.after,
            "shortened_count": compressed.shortened,
            "original_tokens": compressed.tokens_before.get(),
            "compressed_tokens": compressed.tokens_after.get(),
        });
        cx.stage(StageReport {
            plugin: PluginId::from_static(ID),
            summary: format!(
                "took out {removed} of {} messages and shortened {}",
                compressed.before, compressed.shortened
            ),
            data: Some(RawJson::of(&data)),
            fee: Usd::ZERO,
            took: cx.clock.now().tick.since(started),
        });
        chat.set("messages", compressed.messages);
        Ok(())
    }
}

/// The room that the messages have at an endpoint; `None` when nothing limits them.
///
/// The answer's part is `max_tokens`, or else a quarter of the context, 1,024 tokens at most. Tools
/// and the response format are counted as their JSON text. Where these alone fill the context, the
/// room is 0, and whatever the messages are, they are too long for it.
///
/// | context | `max_tokens` | tools | room |
/// |---:|---:|---:|---:|
/// | 2,048 | none | 0 | 1,536 |
/// | 8,192 | none | 300 | 6,868 |
/// | 8,192 | 4,000 | 300 | 3,892 |
/// | none | any | any | no limit |
fn room(chat: &ChatRequest, to: &Endpoint, cx: &Cx<'_>) -> Option<Room> {
    let messages = (to.dialect == *"anthropic-messages").then_some(ANTHROPIC_MESSAGES);
    let tokens = to.context_length.map(|context| {
        let answer = chat.max_output().map(Tokens::get);
        let answer = answer.unwrap_or_else(|| ANSWER.min(context.get() / 4));
        let beside = ["tools", "response_format"]
            .into_iter()
            .filter_map(|key| chat.get(key));
        let beside = beside.map(|json| cx.tokens.count_till(&json.text(), Tokens::new(u64::MAX)));
        let beside: u64 = beside.map(Tokens::get).sum();
        context.get().saturating_sub(answer).saturating_sub(beside)
    });
    (tokens.is_some() || messages.is_some()).then(|| Room {
        tokens: Tokens::new(tokens.unwrap_or(u64::MAX)),
        messages,
    })
}
