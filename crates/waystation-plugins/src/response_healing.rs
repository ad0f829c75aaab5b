//! `response-healing`: repairs the JSON of replies. How is [`crate::heal`]'s; here is when, and on
//! what.

use std::{mem, time::Duration};

use async_trait::async_trait;
use waystation_core::{
    AskHints, ChatEvent, ChatRequest, Cx, Delta, Endpoint, ErrorType, Finish, FinishReason, Json,
    JsonText, Options, OutputStage, Plugin, PluginError, PluginId, RawJson, Run, StageReport,
    ToolCallDelta, Usd,
};

use crate::{Outcome, heal};

/// The plugin `response-healing`.
///
/// It acts on requests whose `response_format` is `json_object` or `json_schema`, and on whole
/// replies only: a stream is never held back unless the entry says `"stream": true`, which
/// keeps the content until it is complete and sends it at once. A reply that the token limit cut
/// off is left as it is unless the entry says `"truncated": true`; then what breaks off is closed.
/// `"tool_arguments": true` repairs the arguments of tool calls too, by the tool's own schema and
/// with or without a `response_format`.
///
/// Source: API contract, section 7.3, 2026-11-22.
///
/// ```
/// use waystation_core::{ChatRequest, Options, Plugin, RawJson};
/// use waystation_plugins::ResponseHealing;
///
/// let body = br#"{"model": "a/b", "messages": [{"role": "user", "content": "Hi"}],
///     "response_format": {"type": "json_object"}}"#;
/// let chat = ChatRequest::parse(&body.as_slice().into())?;
/// let options = Options { entry: RawJson::of(&[("id", "response-healing")]) };
/// let mut run = ResponseHealing.begin(&chat, &options)?.expect("JSON is wanted");
/// assert!(run.output().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseHealing;

/// What is to be done to one reply.
#[derive(Clone, Debug)]
struct Wanted {
    /// The content is JSON, of this schema where there is one.
    content: Option<Option<RawJson>>,
    /// Tool arguments are repaired, by these tools.
    arguments: Option<RawJson>,
    /// A reply that was cut off is closed.
    truncated: bool,
}

/// The run of one request: it changes nothing on the way in, and puts a stage into the way out.
struct Healing {
    wanted: Wanted,
}

/// Keeps the content of a reply back and gives it on, repaired, when the choice is complete.
///
/// Reasoning, refusals, annotations and usage pass at once; only what may have to change waits. All
/// choices of a reply are healed, each by itself. It holds at most the reply: what comes in is what
/// goes out, once.
struct Mend {
    wanted: Wanted,
    /// What is kept back, by choice, in rising order.
    choices: Vec<Held>,
    /// What was done so far, over all choices.
    tally: Tally,
}

/// What has been kept back of one choice.
#[derive(Default)]
struct Held {
    /// Which choice of the reply, from 0.
    choice: u32,
    /// The pieces of its content, as they came.
    content: Vec<JsonText>,
    /// Its tool calls, in the order of their first pieces; empty unless arguments are repaired.
    calls: Vec<Call>,
}

/// A tool call, while its arguments come in.
#[derive(Default)]
struct Call {
    /// Its place among the calls of the choice, as the provider counts.
    index: u32,
    /// Its id; providers send it once, with the first piece.
    id: Option<JsonText>,
    /// The tool's name, which leads to the schema of the arguments.
    name: Option<JsonText>,
    /// The pieces of the arguments, as they came.
    arguments: Vec<JsonText>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Texts that were repaired.
    mended: usize,
    /// Texts that could not be, and went on as they came.
    failed: usize,
    /// Bytes of the texts that were looked at, as the model wrote them.
    before: usize,
    /// Bytes of the same texts as they went on.
    after: usize,
}

/// The id that requests and the configuration name it by.
const ID: &str = "response-healing";

// === impl ResponseHealing ===

impl Plugin for ResponseHealing {
    fn id(&self) -> PluginId {
        PluginId::from_static(ID)
    }

    fn begin(
        &self,
        chat: &ChatRequest,
        options: &Options,
    ) -> Result<Option<Box<dyn Run>>, PluginError> {
        let streams = flag(options, "stream")?;
        let truncated = flag(options, "truncated")?;
        let arguments = flag(options, "tool_arguments")?;
        if chat.stream() && !streams {
            return Ok(None);
        }
        let format = chat.get("response_format");
        let schema = format.and_then(|format| format.at(&["json_schema", "schema"]));
        let tools = chat.get("tools").filter(|_| arguments);
        let wanted = Wanted {
            content: chat.wants_json().then(|| schema.map(owned)),
            arguments: tools.map(owned),
            truncated,
        };
        let idle = wanted.content.is_none() && wanted.arguments.is_none();
        Ok((!idle).then(|| Box::new(Healing { wanted }) as Box<dyn Run>))
    }
}

/// A JSON value of the request, kept beyond it.
///
/// The bytes are copied: a schema is small beside the request that it came in.
fn owned(json: Json<'_>) -> RawJson {
    json.raw(&bytes::Bytes::new())
}

/// A boolean option; `false` where it is missing or null.
fn flag(options: &Options, key: &str) -> Result<bool, PluginError> {
    let Some(value) = options
        .entry
        .json()
        .get(key)
        .filter(|value| !value.is_null())
    else {
        return Ok(false);
    };
    value.bool().ok_or_else(|| PluginError {
        kind: ErrorType::InvalidRequest,
        plugin: PluginId::from_static(ID),
        message: format!("{key}: expected true or false, found {}", value.kind()),
    })
}

// === impl Healing ===

#[async_trait]
impl Run for Healing {
    async fn prepare(
        &mut self,
        _: &mut ChatRequest,
        _: &mut AskHints,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        Ok(())
    }

    async fn adapt(
        &mut self,
        _: &mut ChatRequest,
        _: &Endpoint,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        Ok(())
    }

    fn output(&mut self) -> Option<Box<dyn OutputStage>> {
        Some(Box::new(Mend {
            wanted: self.wanted.clone(),
            choices: Vec::new(),
            tally: Tally::default(),
        }))
    }
}

// === impl Mend ===

impl OutputStage for Mend {
    fn event(&mut self, event: ChatEvent, out: &mut Vec<ChatEvent>) -> Result<(), PluginError> {
        match event {
            ChatEvent::Delta(delta) => self.hold(delta, out),
            ChatEvent::Finish(finish) => {
                self.give(&finish, out);
                out.push(ChatEvent::Finish(finish));
            }
            other => out.push(other),
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), PluginError> {
        // Choices that never said how they ended are not judged.
        for held in mem::take(&mut self.choices) {
            held.give_back(out);
        }
        Ok(())
    }

    fn report(&mut self) -> Option<StageReport> {
        let Tally {
            mended,
            failed,
            before,
            after,
        } = mem::take(&mut self.tally);
        if mended + failed == 0 {
            return None;
        }
        let mode = match &self.wanted.content {
            Some(Some(_)) => "json_schema",
            _ => "json_object",
        };
        let summary = match failed {
            0 => format!("repaired {mended} of the reply's JSON texts"),
            _ => format!(
                "{failed} of the reply's JSON texts could not be repaired and are as the model wrote them"
            ),
        };
        let data = serde_json::json!({
            "mode": mode, "improved": mended > 0, "failed": failed > 0,
            "original_length": before, "healed_length": after,
        });
        Some(StageReport {
            plugin: PluginId::from_static(ID),
            summary,
            data: Some(RawJson::of(&data)),
            fee: Usd::ZERO,
            took: Duration::ZERO,
        })
    }
}

impl Mend {
    /// Keeps back what is to be repaired, and lets everything else pass.
    ///
    /// A delta that has nothing left does not go on; one with reasoning beside its content goes on
    /// without the content.
    fn hold(&mut self, mut delta: Delta, out: &mut Vec<ChatEvent>) {
        let (content, calls) = (
            self.wanted.content.is_some(),
            self.wanted.arguments.is_some(),
        );
        let held = self.held(delta.choice);
        if content {
            held.content.extend(delta.content.take());
        }
        if calls {
            for piece in mem::take(&mut delta.tool_calls) {
                held.absorb(piece);
            }
        }
        if !delta.is_empty() {
            out.push(ChatEvent::Delta(delta));
        }
    }

    /// What is kept back of a choice; found by halving, made where there is nothing yet.
    fn held(&mut self, choice: u32) -> &mut Held {
        let at = self.choices.partition_point(|held| held.choice < choice);
        if self
            .choices
            .get(at)
            .is_none_or(|held| held.choice != choice)
        {
            let fresh = Held {
                choice,
                ..Held::default()
            };
            self.choices.insert(at, fresh);
        }
        // `at` is in bounds: found or just inserted.
        #[expect(clippy::indexing_slicing, reason = "inserted above")]
        &mut self.choices[at]
    }

    /// A choice is complete: gives on what was kept back of it.
    ///
    /// Only a choice that ended of its own accord is repaired. One that the token limit cut off may
    /// lack anything; one that a filter or an error ended is not the model's answer.
    fn give(&mut self, finish: &Finish, out: &mut Vec<ChatEvent>) {
        let at = self
            .choices
            .iter()
            .position(|held| held.choice == finish.choice);
        let Some(at) = at else { return };
        let mut held = self.choices.remove(at);
        let cut = finish.reason == FinishReason::Length;
        let able = match finish.reason {
            FinishReason::Stop | FinishReason::ToolCalls => true,
            FinishReason::Length => self.wanted.truncated,
            FinishReason::ContentFilter | FinishReason::Error => false,
        };
        if able {
            self.mend_content(&mut held, finish.reason, cut);
            self.mend_calls(&mut held, cut);
        }
        held.give_back(out);
    }

    /// Repairs the content, where it is the answer and was asked to be JSON.
    fn mend_content(&mut self, held: &mut Held, reason: FinishReason, cut: bool) {
        // What is said beside tool calls is no answer yet.
        let answer = reason != FinishReason::ToolCalls;
        let Some(schema) = self.wanted.content.clone().filter(|_| answer) else {
            return;
        };
        let text = JsonText::join(&held.content);
        if let Some(text) = self.mended(&text, schema.as_ref().map(RawJson::json), cut) {
            held.content = vec![text];
        }
    }

    /// Repairs the arguments of each call by the `parameters` of the tool with its name; a call of a
    /// tool that the request does not have is held to being JSON. Calls without arguments stay so.
    fn mend_calls(&mut self, held: &mut Held, cut: bool) {
        let Some(tools) = self.wanted.arguments.clone() else {
            return;
        };
        for call in &mut held.calls {
            let text = JsonText::join(&call.arguments);
            let name = call.name.clone().unwrap_or_default();
            let schema = tools.json().elements().find_map(|tool| {
                let function = tool.get("function")?;
                let named = function.get("name")?.is(&name.decode());
                named.then(|| function.get("parameters")).flatten()
            });
            if text.is_empty() {
                continue;
            }
            if let Some(text) = self.mended(&text, schema, cut) {
                call.arguments = vec![text];
            }
        }
    }

    /// The text, repaired; `None` when it stays as it is.
    /// A reply that was cut off (`cut`) and does not fit the schema is closed without one: whoever asked
    /// for that wants what there is.
    fn mended(&mut self, text: &JsonText, schema: Option<Json<'_>>, cut: bool) -> Option<JsonText> {
        let decoded = text.decode();
        if decoded.trim().is_empty() {
            return None;
        }
        let mut healed = heal(&decoded, schema);
        if cut && healed.outcome == Outcome::Failed {
            // Wanted closed, whatever is missing.
            healed = heal(&decoded, None);
        }
        self.tally.before += decoded.len();
        self.tally.after += healed.text.len();
        match healed.outcome {
            Outcome::Untouched => None,
            Outcome::Mended => {
                self.tally.mended += 1;
                Some(JsonText::of(&healed.text))
            }
            Outcome::Failed => {
                self.tally.failed += 1;
                None
            }
        }
    }
}

// === impl Held ===

impl Held {
    /// Takes in a piece of a call; pieces with the same index are one call.
    fn absorb(&mut self, piece: ToolCallDelta) {
        let at = self.calls.iter().position(|call| call.index == piece.index);
        let at = at.unwrap_or(self.calls.len());
        if at == self.calls.len() {
            self.calls.push(Call {
                index: piece.index,
                ..Call::default()
            });
        }
        if let Some(call) = self.calls.get_mut(at) {
            call.id = piece.id.or(call.id.take());
            call.name = piece.name.or(call.name.take());
            call.arguments.push(piece.arguments);
        }
    }

    /// Everything in one delta: the content as one piece, and each call whole.
    fn give_back(self, out: &mut Vec<ChatEvent>) {
        let mut delta = Delta::of(self.choice);
        if !self.content.is_empty() {
            delta.content = Some(JsonText::join(&self.content));
        }
        delta.tool_calls = self.calls.into_iter().map(Call::into_delta).collect();
        if !delta.is_empty() {
            out.push(ChatEvent::Delta(delta));
        }
    }
}

// === impl Call ===

impl Call {
    /// The call as one piece.
    fn into_delta(self) -> ToolCallDelta {
        ToolCallDelta {
            index: self.index,
            id: self.id,
            name: self.name,
            arguments: JsonText::join(&self.arguments),
        }
    }
}

#[cfg(test)]
mod tests;
