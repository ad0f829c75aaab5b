//! Steps: an answer that calls tools of the gateway's goes on after they have run, with their results
//! in the conversation. The calls and their results stay here; the client sees one answer. What a tool
//! does is not known here, and neither is how an attempt is made.

mod budget;
mod shown;
mod turn;

use std::{pin::Pin, sync::Arc};

use futures_util::future::join_all;
use waystation_core::{
    ChatEvent, ChatRequest, Cx, EndpointId, InvalidRequest, Json, JsonText, NamedTool,
    ObjectWriter, OutputStage, PluginError, PluginId, RawJson, Run, Spent, StageReport, Tokens,
    ToolOutcome,
};
use waystation_router::{HealthTable, Plan};

use crate::{
    GatewayError, Parts, Snapshot,
    echo::Echo,
    fallback::{Fallback, Served},
    plugin_runs::{self, Patient},
    rest::Rests,
    settle::Record,
};
pub(crate) use budget::Budget;
pub(crate) use shown::Shown;
use turn::Call;
pub(crate) use turn::Turn;

/// The tools of a request that the gateway runs.
pub(crate) type Tools = Arc<[NamedTool]>;

/// What is kept of a request while its answer may call tools of the gateway's.
///
/// It goes with the reply: [`see`](Self::see) takes from each batch of events what is not the client's,
/// and when the upstream is done and [`goes_on`](Self::goes_on) says so, [`step`](Self::step) runs the
/// calls and the next attempt. The conversation grows by one turn and its results each time; plugins
/// adapt it anew, as for any attempt.
pub(crate) struct Steps {
    /// Transport, clock and codecs.
    pub(crate) parts: Parts,
    /// The configuration that the request began with.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Where outcomes are recorded.
    pub(crate) health: Arc<HealthTable>,
    /// Credentials that are left alone.
    pub(crate) rests: Arc<Rests>,
    /// The request as the plugins left it, and the steps so far.
    pub(crate) chat: ChatRequest,
    /// The plugins' runs.
    pub(crate) runs: Vec<Box<dyn Run>>,
    /// What the prompt is taken for.
    pub(crate) prompt: Tokens,
    /// `allow_fallbacks` is not false.
    pub(crate) may_repeat: bool,
    /// The tools.
    pub(crate) tools: Tools,
    /// How far they may still be used.
    pub(crate) budget: Budget,
    /// What the model says in the step under way.
    pub(crate) turn: Turn,
    /// What was done by now.
    pub(crate) done: Done,
}

/// What tools did for one request.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Steps that ended in calls.
    steps: u64,
    spent: Spent,
    /// Names of what was called, each as often as it was.
    called: Vec<String>,
}

/// A step under way: calls that run, then an attempt up to its first content.
///
/// It owns what it needs, so that who waits for it may look away.
pub(crate) type Stepping = Pin<Box<dyn Future<Output = Stepped> + Send>>;

/// What became of a step.
pub(crate) struct Stepped {
    pub(crate) steps: Box<Steps>,
    pub(crate) record: Box<Record>,
    pub(crate) served: Result<Box<Served>, GatewayError>,
    /// What plugins did for it.
    pub(crate) stages: Vec<StageReport>,
}

/// The tools that `chat` asks the gateway for.
///
/// # Errors
/// [`InvalidRequest`] for tools or limits that make no sense.
pub(crate) fn tools(snapshot: &Snapshot, chat: &ChatRequest) -> Result<Tools, InvalidRequest> {
    let tools = snapshot.plugins.tools(chat)?;
    if tools.is_empty() {
        return Ok(Tools::default());
    }
    Budget::of(chat)?;
    if chat.get("n").and_then(Json::u64).is_some_and(|n| n > 1) {
        let message = "expected 1 beside tools that the gateway runs";
        return Err(InvalidRequest::new("n", message));
    }
    Ok(tools.into())
}

/// Notes the tools that can do nothing for any endpoint of a plan: they are left out, and the client is
/// to know.
pub(crate) fn warn<T, E>(planned: &mut Result<(Plan, T), E>, tools: &Tools) {
    let Ok((plan, _)) = planned else { return };
    for named in tools.iter() {
        let refusals = plan.attempts.iter();
        let refusals = refusals.map(|planned| named.tool.refuses(&planned.endpoint));
        // One that serves ends the search with `None`.
        let all: Option<Vec<PluginError>> = refusals.collect();
        if let Some(refusal) = all.and_then(|mut all| all.pop()) {
            let note = format!("tools[{}]: left out: {}", named.at, refusal.message);
            plan.trace.notes.push(note);
        }
    }
}

/// What looks at the final answer on behalf of the tools.
pub(crate) fn output(tools: &Tools) -> impl Iterator<Item = Box<dyn OutputStage>> {
    tools.iter().filter_map(|tool| tool.tool.output())
}

// === impl Steps ===

impl Steps {
    /// Takes from `events` what is not the client's: calls of the gateway's tools, and the ends of steps
    /// that go on.
    pub(crate) fn see(&mut self, events: &mut Vec<ChatEvent>) {
        let names = |name: &str| self.tools.iter().any(|tool| tool.name == name);
        self.turn.see(events, self.done.steps > 0, names);
    }

    /// Whether the step that is complete leads to another one.
    pub(crate) fn goes_on(&self) -> bool {
        self.turn.goes_on()
    }

    /// What the tools did, for metadata; `None` where none was called.
    pub(crate) fn report(&self) -> Option<StageReport> {
        let Done {
            steps,
            spent,
            called,
        } = &self.done;
        if *steps == 0 {
            return None;
        }
        let mut names: Vec<&str> = called.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let data = serde_json::json!({
            "steps": steps,
            "tool_calls_requested": spent.tool_calls_requested,
            "tool_calls_executed": spent.tool_calls_executed,
            "web_search_requests": spent.searches,
        });
        Some(StageReport {
            plugin: PluginId::from_static("server-tools"),
            summary: format!(
                "ran {} in {steps} steps: {}",
                called.len(),
                names.join(", ")
            ),
            data: Some(RawJson::of(&data)),
            fee: spent.fee,
            took: self.turn.took,
        })
    }

    /// Runs the calls, and asks the model again: first where it was, then at the rest of the plan.
    ///
    /// The record goes with the step, so that dropping it settles the request as cancelled.
    pub(crate) fn step(self: Box<Self>, record: Box<Record>, at: (Plan, EndpointId)) -> Stepping {
        Box::pin(self.stepped(record, at))
    }

    async fn stepped(
        mut self: Box<Self>,
        mut record: Box<Record>,
        (mut plan, endpoint): (Plan, EndpointId),
    ) -> Stepped {
        record.step_done();
        let turn = self.turn.next();
        let outcomes = self.call(&turn.calls()).await;
        record.paid(plugin_runs::spent(&self.runs) + self.done.spent);
        self.extend(&turn, &outcomes);
        let used = record.used();
        let over = self
            .budget
            .is_spent(&self.done.called, self.done.steps, (&turn, used));
        self.choose_tools(over);
        plan.attempts
            .sort_by_key(|planned| planned.endpoint.id != endpoint);
        let fallback = Fallback {
            parts: &self.parts,
            snapshot: &self.snapshot,
            health: &self.health,
            rests: (&self.rests, self.rests.known()),
            plan: &plan,
            prompt: self.prompt,
            may_repeat: self.may_repeat,
            whole: !self.chat.stream(),
            hedges: None,
            most: self.snapshot.settings.retries.max_attempts,
            // What was sent is shown before the answer; this is in its midst.
            echo: &Echo::default(),
            now: None,
        };
        let mut stages = Vec::new();
        let served = fallback.run(&self.chat, &mut self.runs, &mut stages, &mut record);
        let served = served.await;
        Stepped {
            steps: self,
            record,
            served,
            stages,
        }
    }

    /// Runs the calls of a turn, all at once, as far as the budget goes.
    async fn call(&mut self, calls: &[Call]) -> Vec<String> {
        let started = self.parts.clock.now().tick;
        let network = Patient::of(&self.parts);
        let allowed = self.budget.left(self.done.called.len());
        let (parts, tools, network) = (&self.parts, &self.tools, &network);
        let run = calls.iter().enumerate().map(|(at, call)| async move {
            if at >= allowed {
                return None;
            }
            let named = tools.iter().find(|tool| tool.name == call.name)?;
            let mut stages = Vec::new();
            let mut cx = Cx::new(
                network,
                &*parts.clock,
                &*parts.sandbox,
                &*parts.tokens,
                &mut stages,
            );
            Some(match RawJson::parse(&call.arguments) {
                Ok(arguments) => named.tool.call(&arguments, &mut cx).await,
                Err(error) => ToolOutcome {
                    content: format!("error: the arguments are not JSON: {error}"),
                    failed: true,
                    spent: Spent::default(),
                },
            })
        });
        let outcomes = join_all(run).await;
        self.done.steps += 1;
        self.turn.took += self.parts.clock.now().tick.since(started);
        let mut contents = Vec::with_capacity(calls.len());
        for (call, outcome) in calls.iter().zip(outcomes) {
            self.done.spent.tool_calls_requested += 1;
            contents.push(match outcome {
                Some(outcome) => {
                    self.done.spent = self.done.spent + outcome.spent;
                    self.done.spent.tool_calls_executed += 1;
                    self.done.called.push(call.name.clone());
                    outcome.content
                }
                None => "error: no more calls are allowed; answer with what is known by now".into(),
            });
        }
        contents
    }

    /// Puts the turn and its results behind the conversation.
    fn extend(&mut self, turn: &Turn, outcomes: &[String]) {
        let Some(messages) = self.chat.get("messages") else {
            return;
        };
        let mut out = vec![b'['];
        for message in messages.elements() {
            out.extend_from_slice(message.bytes());
            out.push(b',');
        }
        turn.write(&mut out);
        for (call, content) in turn.calls().iter().zip(outcomes) {
            out.push(b',');
            let mut message = ObjectWriter::open(&mut out);
            message
                .string("role", "tool")
                .text("tool_call_id", &call.id)
                .string("content", content);
            message.close();
        }
        out.push(b']');
        if let Ok(messages) = RawJson::parse(&out.into()) {
            self.chat.set("messages", messages);
        }
    }

    /// Which tools the next turn may call: none when the budget is spent, else as the model likes. A
    /// choice that was forced is fulfilled; forced again, it would never end.
    fn choose_tools(&mut self, over: bool) {
        if over {
            self.turn.is_last = true;
            self.chat
                .set("tool_choice", JsonText::from_static("none").quoted());
            return;
        }
        let open = |choice: Json<'_>| choice.is("auto") || choice.is("none");
        if self
            .chat
            .get("tool_choice")
            .is_some_and(|choice| !open(choice))
        {
            self.chat
                .set("tool_choice", JsonText::from_static("auto").quoted());
        }
    }
}
