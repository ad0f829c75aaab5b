//! The spine: one chat request, from its arrival to a committed reply.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue};
use waystation_core::{
    Ask, AskHints, ChatRequest, Clock, Cx, EndpointId, Entry, GenerationId, Json, Ledger, ModelId,
    ModelRef, OutputStage, Run, Sandbox, Seed, StageReport, TokenCounter, Tokens, Transport,
    UnixMs,
};
use waystation_router::{
    Conversation, DecisionRecord, HealthTable, NoRoute, Plan, StickyTable, World,
};

use crate::{
    Codecs, GatewayError, Reply, Snapshot,
    attempt::Committed,
    continuation::Continuation,
    echo::Echo,
    fallback::{
        Fallback,
        hedge::{Hedges, Wishes},
    },
    plugin_runs::{self, Patient},
    rank,
    rest::Rests,
    settle::Record,
    steps::{self, Budget, Done, Shown, Steps, Tools, Turn},
    stream::Opening,
};

/// Runs chat requests.
///
/// Shared by all requests: `&self` everywhere. The configuration is replaced as a whole
/// ([`publish`](Self::publish)); health, ledger and parts outlive it.
pub struct Gateway {
    parts: Parts,
    snapshot: ArcSwap<Snapshot>,
    health: Arc<HealthTable>,
    sticky: Arc<StickyTable>,
    /// Who answered conversations whose model the auto router chose.
    picks: StickyTable,
    rests: Arc<Rests>,
    /// What may be spent on second attempts.
    hedges: Hedges,
}

/// What a gateway is composed of.
#[derive(Clone)]
pub struct Parts {
    /// The wires that it speaks.
    pub codecs: Codecs,
    /// The network.
    pub transport: Arc<dyn Transport>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// A header for upstream requests that names this gateway, so that one that comes back to it is
    /// known for a loop.
    pub hop: Option<(HeaderName, HeaderValue)>,
    /// Where records go.
    pub ledger: Arc<dyn Ledger>,
    /// Token counts.
    pub tokens: Arc<dyn TokenCounter>,
    /// Where foreign documents are parsed.
    pub sandbox: Arc<dyn Sandbox>,
    /// Chance: seeds of plans and ids of generations.
    pub chance: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// What a record keeps of who asked.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The generation's id, where it had to be known before; see [`Gateway::generation_id`].
    pub generation: Option<GenerationId>,
    /// The client key's name.
    pub key: Option<Arc<str>>,
    /// The request's id.
    pub request_id: Option<Arc<str>>,
    /// `x-session-id`, used where the body names no session.
    pub session_id: Option<String>,
    /// `HTTP-Referer`.
    pub referer: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// Filled in as soon as the request is routed, or cannot be: what the client should know of that,
    /// a sentence each.
    pub notes: Arc<OnceLock<Vec<String>>>,
}

/// A request whose plugins have prepared it.
struct Prepared {
    /// The request as the plugins leave it.
    chat: ChatRequest,
    /// What they ask of the endpoint.
    hints: AskHints,
    /// The runs, for attempts and for the reply.
    runs: Vec<Box<dyn Run>>,
    /// What they did so far.
    stages: Vec<StageReport>,
    /// The tools that the gateway runs.
    tools: Tools,
}

/// Lets the speeds that the catalogue states stand in for measurements.
fn expect(health: &HealthTable, snapshot: &Snapshot) {
    let said = snapshot.catalog.speeds();
    health.set_priors(said.map(|(id, speed)| (id.clone(), speed.into())));
}

// === impl Gateway ===

impl Gateway {
    /// Puts a gateway together.
    #[must_use]
    pub fn new(parts: Parts, snapshot: Arc<Snapshot>) -> Self {
        let health = Arc::new(HealthTable::default());
        expect(&health, &snapshot);
        Self {
            parts,
            snapshot: ArcSwap::new(snapshot),
            health,
            sticky: Arc::new(StickyTable::default()),
            picks: StickyTable::default(),
            rests: Arc::default(),
            hedges: Hedges::default(),
        }
    }

    /// Publishes a new configuration. Requests under way keep the one they began with.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        expect(&self.health, &snapshot);
        self.snapshot.store(snapshot);
        self.rests.clear();
    }

    /// The configuration of requests that begin now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// What has been measured of endpoints.
    #[must_use]
    pub const fn health(&self) -> &Arc<HealthTable> {
        &self.health
    }

    /// Which endpoints serve the conversations under way.
    #[must_use]
    pub const fn sticky(&self) -> &Arc<StickyTable> {
        &self.sticky
    }

    /// Who answered the conversations under way whose model the auto router chose. Bounded, and forgotten
    /// after ten idle minutes, as [`sticky`](Self::sticky) is.
    #[must_use]
    pub const fn picks(&self) -> &StickyTable {
        &self.picks
    }

    /// The parts that the gateway was put together from.
    #[must_use]
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Answers one request: plugins prepare, the router plans, attempts run until one commits.
    ///
    /// Dropping the future cancels the attempt under way and records the request as cancelled.
    ///
    /// # Errors
    /// [`GatewayError`]; nothing has been shown to the client then.
    pub async fn chat(&self, chat: ChatRequest, caller: Caller) -> Result<Reply, GatewayError> {
        let snapshot = self.snapshot();
        let notes = Arc::clone(&caller.notes);
        let mut record = self.open(&chat, caller, &snapshot);
        // On the heap: a future of this size must not move with everything that waits for it.
        let run = Box::pin(self.run(&snapshot, chat, (&mut record, &notes)));
        match run.await {
            Ok((opening, committed, output)) => Ok(Reply::new(opening, committed, output, record)),
            Err(error) => {
                record.fail(error.kind());
                Err(error)
            }
        }
    }

    /// From the request to a committed reply. Reads top to bottom.
    async fn run(
        &self,
        snapshot: &Arc<Snapshot>,
        chat: ChatRequest,
        (record, notes): (&mut Record, &OnceLock<Vec<String>>),
    ) -> Result<(Opening, Committed, Vec<Box<dyn OutputStage>>), GatewayError> {
        let retries = &snapshot.settings.retries;
        let wishes = Wishes::of(&chat, retries)?;
        let hedges = (wishes.hedge && chat.stream()).then_some(&self.hedges);
        hedges.iter().for_each(|hedges| hedges.earn());
        let mut prepared = self.prepare(snapshot, chat).await?;
        record.offer(prepared.tools.iter().map(|tool| &*tool.name));
        let mut ask = self.ask(snapshot, &prepared)?;
        record.recall(&mut ask);
        let chosen = self.choose(snapshot, &mut prepared, &mut ask, record).await;
        record.expect_prompt(&ask);
        let may_repeat = ask.wishes.allow_fallbacks != Some(false);
        let mut planned = self.plan(snapshot, &ask, record.seed());
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
        let (parts, health) = (&self.parts, &*self.health);
        let echo = Echo::of(&prepared.chat);
        let fallback = Fallback {
            parts,
            snapshot,
            health,
            rests: (&self.rests, self.rests.known()),
            plan: &plan,
            prompt: ask.prompt_estimate,
            may_repeat,
            whole: !prepared.chat.stream(),
            hedges: hedges.filter(|_| may_repeat),
            most: retries.max_attempts,
            echo: &echo,
        };
        let (chat, runs) = (&prepared.chat, &mut prepared.runs);
        let served = fallback.run(chat, runs, &mut prepared.stages, record).await;
        record.prompt_left(prepared.stages.is_empty() && prepared.tools.is_empty());
        record.paid(plugin_runs::spent(runs));
        let output = plugin_runs::output(runs, &prepared.tools);
        let served = match served {
            Ok(served) => served,
            Err(error) => return Err(error.of_plan(plan).with_salvage(&prepared.runs)),
        };
        self.remember(chosen.as_ref(), &served.endpoint);
        let work = (prepared.chat, prepared.runs, ask.prompt_estimate);
        let (continuation, steps) = match &prepared.tools {
            none if none.is_empty() => (continues.then(|| self.continuation(snapshot, work)), None),
            tools => (None, Some(self.steps(snapshot, work, tools, may_repeat)?)),
        };
        let opening = Opening {
            id: record.id(),
            created: record.created(),
            model: served.model,
            provider: served.provider,
            strategy: plan.strategy,
            simulated: snapshot.settings.simulated,
            warnings: plan.trace.notes.clone(),
            stages: prepared.stages,
            plan,
            endpoint: served.endpoint,
            continuation,
            steps,
            echoes: echo.take(),
        };
        Ok((opening, served.committed, output))
    }

    /// What is kept to go on with the answer when it calls tools of the gateway's.
    fn steps(
        &self,
        snapshot: &Arc<Snapshot>,
        (chat, runs, prompt): (ChatRequest, Vec<Box<dyn Run>>, Tokens),
        tools: &Tools,
        may_repeat: bool,
    ) -> Result<Box<Steps>, GatewayError> {
        Ok(Box::new(Steps {
            parts: self.parts.clone(),
            snapshot: Arc::clone(snapshot),
            health: Arc::clone(&self.health),
            rests: Arc::clone(&self.rests),
            budget: Budget::of(&chat)?,
            chat,
            runs,
            prompt,
            may_repeat,
            tools: Arc::clone(tools),
            turn: Turn::default(),
            done: Done::default(),
        }))
    }

    /// What is kept to go on with the answer, should it break off.
    fn continuation(
        &self,
        snapshot: &Arc<Snapshot>,
        (chat, runs, prompt): (ChatRequest, Vec<Box<dyn Run>>, Tokens),
    ) -> Box<Continuation> {
        Box::new(Continuation {
            parts: self.parts.clone(),
            snapshot: Arc::clone(snapshot),
            health: Arc::clone(&self.health),
            rests: Arc::clone(&self.rests),
            chat,
            runs,
            prompt,
            text: Vec::new(),
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
        let conversation = record.sticky.as_ref();
        let conversation = conversation.map(|(_, conversation)| conversation.clone());
        let about = (ask, conversation.as_ref());
        let asked = rank::where_wanted(self, snapshot, about, &prepared.chat).await?;
        let choice = asked.stage.as_ref().and_then(|stage| stage.data.clone());
        prepared.stages.splice(0..0, asked.stage);
        record.note(|entry| (entry.router, entry.choice) = (Some(asked.router), choice));
        conversation
    }

    /// Remembers who answers a conversation whose model was chosen, from the first content on.
    fn remember(&self, conversation: Option<&Conversation>, endpoint: &EndpointId) {
        if let Some(conversation) = conversation {
            let now = self.parts.clock.now().tick;
            self.picks.remember(conversation, endpoint, None, now);
        }
    }

    /// A new id, for a caller who has to name the generation before it is there.
    #[must_use]
    pub fn generation_id(&self) -> GenerationId {
        self.generation_at(self.parts.clock.now().unix)
    }

    /// A new id of what was asked at that time.
    fn generation_at(&self, created: UnixMs) -> GenerationId {
        let draw = || u128::from((self.parts.chance)());
        GenerationId::new(created.get(), (draw() << 64) | draw())
    }

    /// Opens the record of a request.
    fn open(&self, chat: &ChatRequest, caller: Caller, snapshot: &Snapshot) -> Box<Record> {
        let now = self.parts.clock.now();
        let id = caller.generation.clone();
        let id = id.unwrap_or_else(|| self.generation_at(now.unix));
        let requested = chat
            .model()
            .or_else(|| chat.models().next())
            .unwrap_or_default();
        let conversation = Self::conversation(chat, &caller, &requested);
        let mut entry = Entry::new(id, now.unix, requested.into_owned());
        entry.key = caller.key;
        entry.request_id = caller.request_id;
        let session = chat.get("session_id").and_then(Json::string);
        let session = session.map(Into::into).or(caller.session_id);
        entry.session_id = session.or_else(|| chat.session().map(Into::into));
        entry.referer = caller.referer;
        entry.user_agent = caller.user_agent;
        entry.streamed = chat.stream();
        entry.seed = (self.parts.chance)();
        let (clock, ledger) = (
            Arc::clone(&self.parts.clock),
            Arc::clone(&self.parts.ledger),
        );
        let mut record = Record::open(
            (entry, now.tick),
            (clock, ledger),
            Arc::clone(&self.health),
            snapshot.settings.simulated,
        );
        record.watch(chat);
        let credentials = Arc::clone(&snapshot.credentials);
        record.tell(credentials, Arc::clone(&self.parts.tokens));
        if let Some(conversation) = conversation {
            record.stick(Arc::clone(&self.sticky), conversation);
        }
        record
    }

    /// The conversation that the request belongs to, among those of its client about its model.
    fn conversation(chat: &ChatRequest, caller: &Caller, requested: &str) -> Option<Conversation> {
        let model = requested.parse().ok().and_then(|read: ModelRef| read.name);
        let model = model.as_ref().map_or(requested, ModelId::as_str);
        let client = caller.key.as_deref().unwrap_or_default();
        Conversation::of(chat, caller.session_id.as_deref(), (client, model))
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
        for run in &mut runs {
            run.hint(&mut hints);
            let mut cx = self.cx(&network, &mut stages);
            run.prepare(&mut chat, &mut hints, &mut cx).await?;
        }
        Ok(Prepared {
            chat,
            hints,
            runs,
            stages,
            tools,
        })
    }

    /// What plugins may use while they prepare.
    fn cx<'a>(&'a self, network: &'a Patient, stages: &'a mut Vec<StageReport>) -> Cx<'a> {
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
    fn ask(&self, snapshot: &Snapshot, prepared: &Prepared) -> Result<Ask, GatewayError> {
        let (tokens, catalog) = (&*self.parts.tokens, &*snapshot.catalog);
        let mut ask = waystation_router::ask(&prepared.chat, tokens, catalog, &snapshot.policy)?;
        ask.hints = prepared.hints.clone();
        Ok(ask)
    }

    /// Lends the world as it is now. Plans are made in it, and nothing else.
    pub fn with_world<T>(&self, snapshot: &Snapshot, see: impl FnOnce(&World<'_>) -> T) -> T {
        let now = self.parts.clock.now();
        let usable = |provider: &_| snapshot.is_usable(provider);
        let health = self.health.view(now.tick);
        see(&World {
            catalog: &snapshot.catalog,
            health: &health,
            now,
            usable: &usable,
            dialects: self.parts.codecs.dialects(),
            policy: &snapshot.policy,
        })
    }

    /// What to try, in the world as it is now.
    /// The plan, and the record that it can be made again from.
    fn plan(
        &self,
        snapshot: &Snapshot,
        ask: &Ask,
        seed: Seed,
    ) -> Result<(Plan, Arc<DecisionRecord>), Box<NoRoute>> {
        self.with_world(snapshot, |world| {
            let plan = waystation_router::plan(ask, world, seed)?;
            let decision = Arc::new(DecisionRecord::of(ask, world, &plan));
            Ok((plan, decision))
        })
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("snapshot", &self.snapshot())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("codecs", &self.codecs)
            .finish_non_exhaustive()
    }
}
