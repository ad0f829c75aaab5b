//! From a request to its plan: plugins prepare it, the routing question is put together, the auto router
//! is asked where it is wanted. Nothing is tried here.

use std::sync::{Arc, OnceLock};

use waystation_core::{
    Ask, AskHints, ChatRequest, Cx, ModelId, Now, Run, Seed, StageReport, Tokens,
};
use waystation_router::{Conversation, DecisionRecord, NoRoute, Plan};

use super::Gateway;
use crate::{
    GatewayError, Snapshot,
    fallback::hedge::Wishes,
    plugin_runs::{self, Patient},
    rank,
    settle::Record,
    steps::{self, Shown, Tools},
};

/// The plan of a request, and what belongs to carrying it out.
///
/// The question that the plan answers is not among it: it is large, and nobody has it any more while the
/// attempts run.
pub(super) struct Routed {
    /// What to try.
    pub(super) plan: Plan,
    /// When that was decided.
    pub(super) decided: Now,
    /// What the prompt is taken for.
    pub(super) prompt: Tokens,
    /// `allow_fallbacks` is not false.
    pub(super) may_repeat: bool,
    /// A slow stream may get a second attempt beside it.
    pub(super) hedges: bool,
    /// An answer that breaks off is to be gone on with elsewhere.
    pub(super) continues: bool,
}

/// A request with its plugins, which have prepared it where they wish to.
pub(super) struct Prepared {
    /// The request as the plugins leave it.
    pub(super) chat: ChatRequest,
    /// What they ask of the endpoint.
    pub(super) hints: AskHints,
    /// The runs, for attempts and for the reply.
    pub(super) runs: Vec<Box<dyn Run>>,
    /// What they did so far.
    pub(super) stages: Vec<StageReport>,
    /// The tools that the gateway runs.
    pub(super) tools: Tools,
    /// Somebody has prepared it, and perhaps waited for others.
    pub(super) waited: bool,
    /// What it says in its member `waystation`.
    wishes: Wishes,
}

// === impl Prepared ===

impl Prepared {
    /// Whether a plugin wishes to prepare the request, which takes time. What the others have to say of it
    /// is said now.
    pub(super) fn waits(&mut self) -> bool {
        let waits = self.runs.iter().any(|run| run.prepares());
        if !waits {
            for run in &self.runs {
                run.hint(&mut self.hints);
            }
        }
        waits
    }
}

// === impl Gateway ===

impl Gateway {
    /// Begins the runs of a request's plugins.
    pub(super) fn begin(
        &self,
        snapshot: &Snapshot,
        chat: ChatRequest,
    ) -> Result<Prepared, GatewayError> {
        let wishes = Wishes::of(&chat, &snapshot.settings.retries)?;
        if wishes.hedge && chat.stream() {
            self.hedges.earn();
        }
        let mut runs = snapshot.plugins.begin(&chat)?;
        let tools = steps::tools(snapshot, &chat)?;
        if !tools.is_empty() {
            // Before the others: what they fit into a context holds the tools.
            runs.insert(0, Box::new(Shown::of(&tools, &chat)));
        }
        Ok(Prepared {
            chat,
            hints: AskHints::default(),
            runs,
            stages: Vec::new(),
            tools,
            waited: false,
            wishes,
        })
    }

    /// Lets the plugins prepare the request, each behind the hints of those before it.
    pub(super) async fn prepare(&self, prepared: &mut Prepared) -> Result<(), GatewayError> {
        let network = Patient::of(&self.parts);
        let Prepared {
            chat,
            hints,
            runs,
            stages,
            ..
        } = prepared;
        for run in runs {
            run.hint(hints);
            if run.prepares() {
                let mut cx = self.cx(&network, stages);
                run.prepare(chat, hints, &mut cx).await?;
            }
        }
        prepared.waited = true;
        Ok(())
    }

    /// Makes the plan that answers `ask`. What the client should know of that goes into `notes`.
    pub(super) fn route(
        &self,
        snapshot: &Snapshot,
        prepared: &Prepared,
        ask: &Ask,
        (record, notes): (&mut Record, &OnceLock<Vec<String>>),
    ) -> Result<Routed, GatewayError> {
        record.expect_prompt(ask);
        let may_repeat = ask.wishes.allow_fallbacks != Some(false);
        // Where nobody has waited, the request has just come.
        let now = (!prepared.waited).then(|| record.came());
        let decided = now.unwrap_or_else(|| self.parts.clock.now());
        let mut planned = self.plan(snapshot, ask, (record.seed(), decided));
        steps::warn(&mut planned, &prepared.tools);
        let planned_now = planned.as_mut().ok().filter(|_| may_repeat);
        let (wishes, chat) = (prepared.wishes, &prepared.chat);
        let continues = planned_now.is_some_and(|(plan, _)| wishes.continues(chat, plan, snapshot));
        let trace = planned.as_ref().map(|(plan, _)| &plan.trace);
        let trace = trace.unwrap_or_else(|none| &none.trace);
        // Nobody else fills it in.
        let _ = notes.set(trace.notes.clone());
        let (mut plan, decision) = planned.map_err(plugin_runs::unrouted(&prepared.runs))?;
        record.note(|entry| entry.decision = Some(decision));
        plugin_runs::permit(&mut plan, &prepared.runs)?;
        Ok(Routed {
            plan,
            decided,
            prompt: ask.prompt_estimate,
            may_repeat,
            hedges: wishes.hedge && chat.stream() && may_repeat,
            continues,
        })
    }

    /// Asks the auto router that is `wanted`; gives the conversation whose model it then chose.
    ///
    /// What it says of the choice goes before what plugins did, as the first stage of the pipeline.
    pub(super) async fn choose(
        &self,
        snapshot: &Snapshot,
        (prepared, ask): (&mut Prepared, &mut Ask),
        record: &mut Record,
        wanted: (ModelId, &'static str),
    ) -> Option<Conversation> {
        let conversation = record.conversation.clone();
        let about = (ask, conversation.as_ref());
        let asked = rank::rank((self, snapshot), about, &prepared.chat, wanted).await;
        let choice = asked.stage.as_ref().and_then(|stage| stage.data.clone());
        prepared.waited = true;
        prepared.stages.splice(0..0, asked.stage);
        record.note(|entry| (entry.router, entry.choice) = (Some(asked.router), choice));
        conversation
    }

    /// What plugins may use while they prepare.
    fn cx<'a>(&'a self, network: &'a Patient<'_>, stages: &'a mut Vec<StageReport>) -> Cx<'a> {
        let parts = &self.parts;
        Cx::new(
            network,
            &*parts.clock,
            &*parts.sandbox,
            &*parts.tokens,
            stages,
        )
    }

    /// What the router needs to know of the request, and of its conversation.
    pub(super) fn ask(
        &self,
        snapshot: &Snapshot,
        prepared: &Prepared,
        record: &mut Record,
    ) -> Result<Box<Ask>, GatewayError> {
        record.offer(prepared.tools.iter().map(|tool| &*tool.name));
        let (tokens, catalog) = (&*self.parts.tokens, &*snapshot.catalog);
        let mut ask = waystation_router::ask(&prepared.chat, tokens, catalog, &snapshot.policy)?;
        ask.hints = prepared.hints.clone();
        record.recall(&mut ask);
        Ok(ask)
    }

    /// What to try, in the world as it is `now`, and the record that it can be made again from.
    fn plan(
        &self,
        snapshot: &Snapshot,
        ask: &Ask,
        (seed, now): (Seed, Now),
    ) -> Result<(Plan, Arc<DecisionRecord>), Box<NoRoute>> {
        self.in_world(snapshot, now, |world| {
            let plan = waystation_router::plan_in_brief(ask, world, seed)?;
            let decision = Arc::new(DecisionRecord::of(ask, world, &plan));
            Ok((plan, decision))
        })
    }
}
