//! From a request to its plan: plugins prepare it, the routing question is put together, the auto router
//! is asked where it is wanted. Nothing is tried here.

use std::sync::{Arc, OnceLock};

use waystation_core::{Ask, AskHints, ChatRequest, Cx, Now, Run, Seed, StageReport, Tokens};
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

/// A request whose plan is made.
///
/// The question that the plan answers is not among it: it is large, and nobody has it any more while the
/// attempts run.
pub(super) struct Routed {
    /// The request, prepared.
    pub(super) prepared: Prepared,
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
    /// The conversation, where the auto router chose its model.
    pub(super) chosen: Option<Conversation>,
}

/// A request whose plugins have prepared it.
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
}

// === impl Gateway ===

impl Gateway {
    /// Prepares the request and makes its plan. What the client should know of that goes into `notes`.
    pub(super) async fn route(
        &self,
        snapshot: &Snapshot,
        chat: ChatRequest,
        (record, notes): (&mut Record, &OnceLock<Vec<String>>),
    ) -> Result<Routed, GatewayError> {
        let wishes = Wishes::of(&chat, &snapshot.settings.retries)?;
        let hedges = wishes.hedge && chat.stream();
        if hedges {
            self.hedges.earn();
        }
        let mut prepared = self.prepare(snapshot, chat).await?;
        record.offer(prepared.tools.iter().map(|tool| &*tool.name));
        let mut ask = self.ask(snapshot, &prepared)?;
        record.recall(&mut ask);
        let chosen = self.choose(snapshot, &mut prepared, &mut ask, record).await;
        record.expect_prompt(&ask);
        let may_repeat = ask.wishes.allow_fallbacks != Some(false);
        // Where nobody has waited, the request has just come.
        let now = (!prepared.waited).then(|| record.came());
        let decided = now.unwrap_or_else(|| self.parts.clock.now());
        let mut planned = self.plan(snapshot, &ask, (record.seed(), decided));
        steps::warn(&mut planned, &prepared.tools);
        let planned_now = planned.as_mut().ok().filter(|_| may_repeat);
        let continues =
            planned_now.is_some_and(|(plan, _)| wishes.continues(&prepared.chat, plan, snapshot));
        let trace = planned.as_ref().map(|(plan, _)| &plan.trace);
        let trace = trace.unwrap_or_else(|none| &none.trace);
        // Nobody else fills it in.
        let _ = notes.set(trace.notes.clone());
        let (mut plan, decision) = planned.map_err(plugin_runs::unrouted(&prepared.runs))?;
        record.note(|entry| entry.decision = Some(decision));
        plugin_runs::permit(&mut plan, &prepared.runs)?;
        Ok(Routed {
            prepared,
            plan,
            decided,
            prompt: ask.prompt_estimate,
            may_repeat,
            hedges: hedges && may_repeat,
            continues,
            chosen,
        })
    }

    /// Asks the auto router where it is wanted; gives the conversation whose model it then chose.
    ///
    /// What it says of the choice goes before what plugins did, as the first stage of the pipeline.
    async fn choose(
        &self,
        snapshot: &Snapshot,
        prepared: &mut Prepared,
        ask: &mut Ask,
        record: &mut Record,
    ) -> Option<Conversation> {
        let conversation = record.conversation.clone();
        let about = (ask, conversation.as_ref());
        let asked = rank::where_wanted(self, snapshot, about, &prepared.chat).await?;
        let choice = asked.stage.as_ref().and_then(|stage| stage.data.clone());
        prepared.waited = true;
        prepared.stages.splice(0..0, asked.stage);
        record.note(|entry| (entry.router, entry.choice) = (Some(asked.router), choice));
        conversation
    }

    /// Lets the plugins prepare the request.
    async fn prepare(
        &self,
        snapshot: &Snapshot,
        mut chat: ChatRequest,
    ) -> Result<Prepared, GatewayError> {
        let mut hints = AskHints::default();
        let mut stages = Vec::new();
        let network = Patient::of(&self.parts);
        let mut runs = snapshot.plugins.begin(&chat)?;
        let tools = steps::tools(snapshot, &chat)?;
        if !tools.is_empty() {
            // Before the others: what they fit into a context holds the tools.
            runs.insert(0, Box::new(Shown::of(&tools, &chat)));
        }
        let mut waited = false;
        for run in &mut runs {
            run.hint(&mut hints);
            if !run.prepares() {
                continue;
            }
            waited = true;
            let mut cx = self.cx(&network, &mut stages);
            run.prepare(&mut chat, &mut hints, &mut cx).await?;
        }
        Ok(Prepared {
            chat,
            hints,
            runs,
            stages,
            tools,
            waited,
        })
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

    /// What the router needs to know of the request.
    fn ask(&self, snapshot: &Snapshot, prepared: &Prepared) -> Result<Box<Ask>, GatewayError> {
        let (tokens, catalog) = (&*self.parts.tokens, &*snapshot.catalog);
        let mut ask = waystation_router::ask(&prepared.chat, tokens, catalog, &snapshot.policy)?;
        ask.hints = prepared.hints.clone();
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
