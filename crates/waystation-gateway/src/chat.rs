//! The spine: one chat request, from its arrival to a committed reply.

mod route;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue};
use waystation_core::{
    ChatRequest, Clock, EndpointId, Entry, GenerationId, Json, Ledger, ModelId, ModelRef, Now, Run,
    Sandbox, TokenCounter, Tokens, Transport, UnixMs,
};
use waystation_router::{Conversation, HealthTable, StickyTable, World};

use crate::{
    Codecs, GatewayError, Reply, Snapshot,
    continuation::Continuation,
    echo::Echo,
    fallback::{Fallback, hedge::Hedges},
    plugin_runs, rank,
    rest::Rests,
    settle::{Around, Record},
    steps::{Budget, Done, Steps, Tools, Turn},
};
use route::Routed;

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
    /// What records tell of their requests.
    around: Arc<Around>,
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
    /// The generation's id, where it had to be known before; see [`Gateway::arrival`].
    pub generation: Option<GenerationId>,
    /// When the request came, where somebody has looked at the clock for it.
    pub arrived: Option<Now>,
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
        let sticky = Arc::new(StickyTable::default());
        let around = Around {
            clock: Arc::clone(&parts.clock),
            ledger: Arc::clone(&parts.ledger),
            health: Arc::clone(&health),
            sticky: Arc::clone(&sticky),
            tokens: Arc::clone(&parts.tokens),
        };
        Self {
            parts,
            snapshot: ArcSwap::new(snapshot),
            health,
            sticky,
            picks: StickyTable::default(),
            rests: Arc::default(),
            hedges: Hedges::default(),
            around: Arc::new(around),
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
    pub async fn chat(
        &self,
        chat: ChatRequest,
        caller: Caller,
    ) -> Result<Box<Reply>, GatewayError> {
        let snapshot = self.snapshot();
        let notes = Arc::clone(&caller.notes);
        let mut record = self.open(&chat, caller, &snapshot);
        // On the heap: a future of this size must not move with everything that waits for it.
        let run = Box::pin(self.run(&snapshot, chat, (&mut record, &notes)));
        match run.await {
            Ok(mut reply) => {
                reply.keep(record);
                Ok(reply)
            }
            Err(error) => {
                record.fail(error.kind());
                Err(error)
            }
        }
    }

    /// From the request to a committed reply, which lacks its record. Reads top to bottom.
    async fn run(
        &self,
        snapshot: &Arc<Snapshot>,
        chat: ChatRequest,
        (record, notes): (&mut Record, &OnceLock<Vec<String>>),
    ) -> Result<Box<Reply>, GatewayError> {
        let mut prepared = self.begin(snapshot, chat)?;
        // What few requests wait for is on the heap, so that what all of them are moved with stays small.
        if prepared.waits() {
            Box::pin(self.prepare(&mut prepared)).await?;
        }
        let mut ask = self.ask(snapshot, &prepared, record)?;
        let mut chosen = None;
        if let Some(wanted) = rank::wanted(&ask) {
            let about = (&mut prepared, &mut *ask);
            chosen = Box::pin(self.choose(snapshot, about, record, wanted)).await;
        }
        let Routed {
            plan,
            decided,
            prompt,
            may_repeat,
            hedges,
            continues,
        } = self.route(snapshot, &prepared, &ask, (&mut *record, notes))?;
        drop(ask);
        let echo = Echo::of(&prepared.chat);
        let fallback = Fallback {
            parts: &self.parts,
            snapshot,
            health: &self.health,
            rests: (&self.rests, self.rests.known()),
            plan: &plan,
            prompt,
            may_repeat,
            whole: !prepared.chat.stream(),
            hedges: hedges.then_some(&self.hedges),
            most: snapshot.settings.retries.max_attempts,
            echo: &echo,
            now: Some(decided),
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
        let work = (prepared.chat, prepared.runs, prompt);
        let (continuation, steps) = match &prepared.tools {
            none if none.is_empty() => (continues.then(|| self.continuation(snapshot, work)), None),
            tools => (None, Some(self.steps(snapshot, work, tools, may_repeat)?)),
        };
        let mut reply = Reply::of(served, plan, record);
        reply.simulated = snapshot.settings.simulated;
        (reply.stages, reply.echoes) = (prepared.stages, echo.take());
        reply.goes_through(output);
        reply.may_go_on(continuation, steps);
        Ok(reply)
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

    /// Remembers who answers a conversation whose model was chosen, from the first content on.
    fn remember(&self, conversation: Option<&Conversation>, endpoint: &EndpointId) {
        if let Some(conversation) = conversation {
            let now = self.parts.clock.now().tick;
            self.picks.remember(conversation, endpoint, None, now);
        }
    }

    /// A new id, for a caller who has to name the generation before it is there, and the time that it
    /// was made at.
    #[must_use]
    pub fn arrival(&self) -> (GenerationId, Now) {
        let now = self.parts.clock.now();
        (self.generation_at(now.unix), now)
    }

    /// A new id of what was asked at that time.
    fn generation_at(&self, created: UnixMs) -> GenerationId {
        let draw = || u128::from((self.parts.chance)());
        GenerationId::new(created.get(), (draw() << 64) | draw())
    }

    /// Opens the record of a request.
    fn open(&self, chat: &ChatRequest, caller: Caller, snapshot: &Arc<Snapshot>) -> Box<Record> {
        let now = caller.arrived.unwrap_or_else(|| self.parts.clock.now());
        let id = caller.generation.clone();
        let id = id.unwrap_or_else(|| self.generation_at(now.unix));
        let requested = chat
            .model()
            .or_else(|| chat.models().next())
            .unwrap_or_default();
        let conversation = Self::conversation(chat, &caller, &requested);
        let mut entry = Box::new(Entry::new(id, now.unix, requested.into_owned()));
        entry.key = caller.key;
        entry.request_id = caller.request_id;
        let session = chat.get("session_id").and_then(Json::string);
        let session = session.map(Into::into).or(caller.session_id);
        entry.session_id = session.or_else(|| chat.session().map(Into::into));
        entry.referer = caller.referer;
        entry.user_agent = caller.user_agent;
        entry.streamed = chat.stream();
        entry.seed = (self.parts.chance)();
        let mut record = Record::open((entry, now.tick), &self.around, snapshot, conversation);
        record.watch(chat);
        record
    }

    /// The conversation that the request belongs to, among those of its client about its model.
    fn conversation(chat: &ChatRequest, caller: &Caller, requested: &str) -> Option<Conversation> {
        // Nearly always it is the model's name and nothing more.
        let name = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/');
        let read = || requested.parse().ok().and_then(|read: ModelRef| read.name);
        let read = if requested.bytes().all(name) {
            None
        } else {
            read()
        };
        let model = read.as_ref().map_or(requested, ModelId::as_str);
        let client = caller.key.as_deref().unwrap_or_default();
        Conversation::of(chat, caller.session_id.as_deref(), (client, model))
    }

    /// Lends the world as it is now. Plans are made in it, and nothing else.
    pub fn with_world<T>(&self, snapshot: &Snapshot, see: impl FnOnce(&World<'_>) -> T) -> T {
        self.in_world(snapshot, self.parts.clock.now(), see)
    }

    /// Lends the world as it is `now`, to somebody who has looked at the clock.
    fn in_world<T>(&self, snapshot: &Snapshot, now: Now, see: impl FnOnce(&World<'_>) -> T) -> T {
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
