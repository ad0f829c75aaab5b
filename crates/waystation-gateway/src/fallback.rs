//! From one attempt to the next: which endpoint, which credential, how often, how long. What one
//! attempt does is not here, and neither is what a client is told when all of them fail.

pub(crate) mod hedge;
mod side;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use smallvec::SmallVec;
use tokio::time::sleep;
use waystation_core::{
    ChatRequest, CredentialId, EndpointId, ErrorType, ModelId, Now, Retry, Run, Sent, StageReport,
    Tick, Tokens,
};
use waystation_router::{Admit, HealthTable, Plan, Planned};

use crate::{
    AttemptReport, AttemptsFailed, GatewayError, Parts, Snapshot, attempt::Committed, echo::Echo,
    rest::Rests, settle::Record,
};
use hedge::Hedges;

/// Works through a plan.
///
/// Lives for one request and changes nothing but its record and the health table.
pub(crate) struct Fallback<'a> {
    /// Transport, clock and codecs.
    pub(crate) parts: &'a Parts,
    /// The configuration that the request began with.
    pub(crate) snapshot: &'a Snapshot,
    /// Where outcomes are recorded, and which circuits are open.
    pub(crate) health: &'a HealthTable,
    /// Credentials that are left alone, and how many were when the request began.
    pub(crate) rests: (&'a Rests, u64),
    /// What to try, in order.
    pub(crate) plan: &'a Plan,
    /// What the prompt is taken for, in tokens.
    pub(crate) prompt: Tokens,
    /// `allow_fallbacks` is not false.
    pub(crate) may_repeat: bool,
    /// The reply is not streamed.
    pub(crate) whole: bool,
    /// A slow attempt may get a second one beside it.
    pub(crate) hedges: Option<&'a Hedges>,
    /// The most attempts.
    pub(crate) most: usize,
    /// Keeps what is sent, where the client asks to see it.
    pub(crate) echo: &'a Echo,
    /// The time, where somebody has just looked at the clock.
    pub(crate) now: Option<Now>,
}

/// The attempt that serves.
pub(crate) struct Served {
    /// Its reply, as far as it has been read.
    pub(crate) committed: Committed,
    /// The model as the reply names it: with a static variant, without routing suffixes.
    pub(crate) model: ModelId,
    /// The provider's display name.
    pub(crate) provider: Arc<str>,
    /// The endpoint.
    pub(crate) endpoint: EndpointId,
}

/// What attempts work on: the request, the plugins' runs, and what those did.
///
/// Goes from hand to hand by one reference: each hand that waits keeps what it was given.
struct Work<'a> {
    /// The request, prepared.
    chat: &'a ChatRequest,
    /// The plugins' runs.
    runs: &'a mut [Box<dyn Run>],
    /// What those did.
    stages: &'a mut Vec<StageReport>,
}

/// What one endpoint has been tried with.
#[derive(Default)]
struct Keys {
    /// The credentials: nearly always one, which is held without an allocation.
    used: SmallVec<[CredentialId; 1]>,
    /// When the attempt under way began.
    began: Now,
    /// What may be tried, and was, beside the attempt under way.
    beside: Beside,
}

/// Attempts beside another one.
#[derive(Default)]
struct Beside {
    /// The number of attempts leaves room for one.
    room: bool,
    /// Those that failed.
    reports: Vec<AttemptReport>,
}

/// What has happened so far.
#[derive(Default)]
struct Tried {
    /// Every failed attempt, in order.
    reports: Vec<AttemptReport>,
    /// Models that no endpoint needs to be asked about any more.
    given_up: Vec<ModelId>,
    /// How many were made: those without a credential were not.
    made: usize,
    /// What has failed in this round beside another attempt.
    raced: Vec<EndpointId>,
    /// What this round would rather not try.
    passed_over: Vec<EndpointId>,
    /// There is nothing better left: credentials that were refused lately are tried.
    anyway: bool,
    /// The last failure is of a class that leads to the next endpoint.
    leads_on: bool,
    /// The time, where somebody has just looked at the clock.
    now: Option<Now>,
}

// === impl Tried ===

impl Tried {
    /// Takes over what failed beside an attempt.
    fn beside(&mut self, reports: &mut Vec<AttemptReport>) {
        self.made += reports.len();
        self.raced
            .extend(reports.iter().map(|report| report.endpoint.clone()));
        self.reports.append(reports);
    }
}

// === impl Fallback ===

impl Fallback<'_> {
    /// Tries endpoints in the plan's order until one commits. When every one of them was limited and
    /// the wait is short, waits and goes through them again.
    pub(crate) async fn run(
        &self,
        chat: &ChatRequest,
        runs: &mut [Box<dyn Run>],
        stages: &mut Vec<StageReport>,
        record: &mut Record,
    ) -> Result<Box<Served>, GatewayError> {
        let mut tried = Tried {
            now: self.now,
            ..Tried::default()
        };
        let mut work = Work { chat, runs, stages };
        for number in 0.. {
            let before = tried.reports.len();
            // On the heap: two small pieces cost an allocator less than a large one.
            let round = Box::pin(self.round(&mut work, record, &mut tried));
            match round.await {
                ControlFlow::Break(Some(served)) => return Ok(served),
                ControlFlow::Break(None) => break,
                ControlFlow::Continue(()) => {}
            }
            let latest = tried.reports.get(before..).unwrap_or_default();
            let Some(wait) = self.wait_worth(number, latest) else {
                break;
            };
            if wait >= self.left(record.arrived(), self.parts.clock.now().tick) {
                break;
            }
            sleep(wait).await;
        }
        Err(self.failed(tried))
    }

    /// Once through the plan.
    ///
    /// An endpoint whose circuit is open is passed over, and so is one whose credentials were refused
    /// lately; when that leaves nothing to try, they are tried all the same, since a try costs less than
    /// a refusal. A circuit that is half open admits one probe; its guard stays with the record until
    /// the attempt's outcome is known.
    ///
    /// # Errors
    /// [`GatewayError::Attempts`] with every attempt; nothing has been shown to the client.
    async fn round(
        &self,
        work: &mut Work<'_>,
        record: &mut Record,
        tried: &mut Tried,
    ) -> ControlFlow<Option<Box<Served>>> {
        let before = tried.made;
        (tried.passed_over, tried.raced, tried.anyway) = (Vec::new(), Vec::new(), false);
        for planned in &self.plan.attempts {
            let now = self.now(&mut tried.now);
            let guard = match self.health.admit(&planned.endpoint.id, now.tick) {
                Admit::Skip(_) => {
                    tried.passed_over.push(planned.endpoint.id.clone());
                    continue;
                }
                Admit::Probe(guard) => Some(guard),
                Admit::Go => None,
            };
            record.probe(guard);
            tried.now = Some(now);
            self.endpoint(planned, work, record, tried).await?;
        }
        if tried.made == before {
            record.probe(None);
            tried.anyway = true;
            let passed_over = std::mem::take(&mut tried.passed_over);
            let again = |planned: &&Planned| passed_over.contains(&planned.endpoint.id);
            for planned in self.plan.attempts.iter().filter(again) {
                self.endpoint(planned, work, record, tried).await?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The time: what was just read, else what the clock says.
    fn now(&self, read: &mut Option<Now>) -> Now {
        read.take().unwrap_or_else(|| self.parts.clock.now())
    }

    /// How long to wait before the plan is gone through again: what the upstreams ask for, or a
    /// growing pause, with chance added so that clients do not come back all at once. `None` when
    /// waiting is not worth it.
    fn wait_worth(&self, round: u32, latest: &[AttemptReport]) -> Option<Duration> {
        let limited = |report: &AttemptReport| report.error.kind == ErrorType::RateLimitExceeded;
        if !self.may_repeat || round >= ROUNDS || latest.is_empty() || !latest.iter().all(limited) {
            return None;
        }
        let asked = latest
            .iter()
            .filter_map(|report| report.error.retry_after)
            .min();
        let wait = asked.unwrap_or(PAUSE * 2_u32.saturating_pow(round));
        (wait <= LONGEST_WAIT).then(|| wait + self.jitter())
    }

    /// Up to [`PAUSE`], by chance.
    fn jitter(&self) -> Duration {
        let micros = u64::try_from(PAUSE.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros((self.parts.chance)() % micros)
    }

    /// Everything that is tried at one endpoint: its credentials in turn, and a lone fault twice.
    /// Breaks with the reply, or with nothing when there is no more to try anywhere.
    async fn endpoint(
        &self,
        planned: &Planned,
        work: &mut Work<'_>,
        record: &mut Record,
        tried: &mut Tried,
    ) -> ControlFlow<Option<Box<Served>>> {
        let done = tried.raced.contains(&planned.endpoint.id);
        if done || tried.given_up.contains(&planned.model) {
            return ControlFlow::Continue(());
        }
        let mut keys = Keys::default();
        loop {
            let now = self.now(&mut tried.now);
            if tried.made >= self.most || self.left(record.arrived(), now.tick).is_zero() {
                return ControlFlow::Break(None);
            }
            keys.began = now;
            let kept = work.stages.len();
            keys.beside.room = tried.made + 1 < self.most;
            let with = (&mut keys, tried.anyway);
            let outcome = self.attempt(planned, work, record, with).await;
            tried.beside(&mut keys.beside.reports);
            let report = match outcome {
                Ok(served) => return ControlFlow::Break(Some(served)),
                // No other key is left: the last failure decides, where there was one.
                Err(None) if !keys.used.is_empty() && !tried.leads_on => {
                    return ControlFlow::Break(None);
                }
                Err(None) => return ControlFlow::Continue(()),
                Err(Some(report))
                    if keys.used.is_empty() && !tried.anyway && report.is_refusal() =>
                {
                    tried.passed_over.push(planned.endpoint.id.clone());
                    return ControlFlow::Continue(());
                }
                Err(Some(report)) => report,
            };
            // What plugins did for this endpoint was for nothing.
            work.stages.truncate(kept);
            if report.plugin.is_none() {
                record.attempt_failed(&report);
            }
            let kind = report.error.kind;
            let triggers = self.snapshot.settings.retries.fallback_on;
            tried.leads_on = triggers.cover(kind, report.network);
            tried.made += usize::from(!keys.used.is_empty() && report.plugin.is_none());
            tried.reports.push(*report);
            match self.next(kind, tried, &keys.used) {
                Next::OtherKey => {}
                Next::Again(wait) => {
                    keys.used.clear();
                    sleep(wait).await;
                }
                Next::Endpoint => return ControlFlow::Continue(()),
                Next::Model => {
                    tried.given_up.push(planned.model.clone());
                    return ControlFlow::Continue(());
                }
                Next::Stop => return ControlFlow::Break(None),
            }
        }
    }

    /// The conclusion from everything that was tried: the plugin's refusal where plugins failed before
    /// any endpoint was asked.
    fn failed(&self, tried: Tried) -> GatewayError {
        // Where no upstream was asked, none is to blame.
        let plugins = tried.reports.iter().map(|report| report.plugin.as_deref());
        if let Some(Some(first)) = plugins
            .collect::<Option<Vec<_>>>()
            .map(|all| all.first().copied())
        {
            return first.clone().into();
        }
        let requested = self.plan.requested.clone();
        GatewayError::Attempts(Box::new(AttemptsFailed::of(requested, tried.reports)))
    }

    /// What is left of the time for all attempts together. A streamed reply has no total limit, but
    /// its attempts before the first token have.
    fn left(&self, arrived: Tick, now: Tick) -> Duration {
        let spent = now.since(arrived);
        self.snapshot
            .settings
            .retries
            .deadline
            .saturating_sub(spent)
    }

    /// One attempt with one credential; `Err(None)` when no credential is left to try with, or the
    /// provider is not enabled any more. A second attempt beside it may serve in its place.
    async fn attempt(
        &self,
        planned: &Planned,
        work: &mut Work<'_>,
        record: &mut Record,
        (keys, anyway): (&mut Keys, bool),
    ) -> Result<Box<Served>, Option<Box<AttemptReport>>> {
        let side = match self.side(planned, (&keys.used, anyway), keys.began).await {
            Ok(side) => side,
            Err(_) if !keys.used.is_empty() => return Err(None),
            Err(none) => return Err(none),
        };
        keys.used.push(side.lease.credential.clone());
        let raced = self.raced(&side, work, record, &mut keys.beside);
        raced.await.map_err(Some)
    }

    /// Where to go after a failure of this kind: [`ErrorType::retry`], with two things that it does not
    /// know. A failure that concerns the credential leads to another credential first, and a whole
    /// reply that was late twice, after it was sent, is not asked for a third time.
    fn next(&self, kind: ErrorType, tried: &Tried, used: &[CredentialId]) -> Next {
        let credential = matches!(
            kind,
            ErrorType::Authentication
                | ErrorType::PermissionDenied
                | ErrorType::PaymentRequired
                | ErrorType::RateLimitExceeded
        );
        if credential {
            // Another key of the same provider may do; without one, `attempt` gives up by itself.
            return match used.len() {
                1..MAX_KEYS => Next::OtherKey,
                _ if tried.leads_on => Next::Endpoint,
                _ => Next::Stop,
            };
        }
        if !tried.leads_on {
            return Next::Stop;
        }
        // What a plugin cannot do for one endpoint it may do for another of the same model.
        if tried
            .reports
            .last()
            .is_some_and(|report| report.plugin.is_some())
        {
            return Next::Endpoint;
        }
        // Work that may have been done, and paid for, is repeated once at most.
        let late = |report: &&AttemptReport| {
            report.error.kind == ErrorType::Timeout && report.sent == Sent::Maybe
        };
        if self.whole && tried.reports.iter().filter(late).count() > 1 {
            return Next::Stop;
        }
        match kind.retry() {
            Retry::Elsewhere => Next::Endpoint,
            Retry::NextModel => Next::Model,
            Retry::Stop => Next::Stop,
            Retry::Next => self.again(tried).map_or(Next::Endpoint, Next::Again),
        }
    }

    /// After which wait the same endpoint is asked once more, after its first fault: the plan's only
    /// endpoint after any, the last one that is left after a connection that broke, since a server may
    /// close one that was kept just when it is used again. Never when the client wants no fallbacks. One
    /// that was silent until its time was up would be silent again, and one that asks for a long wait is
    /// taken at its word.
    fn again(&self, tried: &Tried) -> Option<Duration> {
        let latest = tried.reports.last()?;
        let of_it = |report: &&AttemptReport| report.endpoint == latest.endpoint;
        let first = tried.reports.iter().filter(of_it).count() == 1;
        let last = self.plan.attempts.last();
        let is_last = last.is_some_and(|last| last.endpoint.id == latest.endpoint);
        let lone = tried.reports.len() == 1 && self.plan.attempts.len() == 1;
        let broke = is_last && latest.network && latest.sent == Sent::Maybe;
        let late = latest.error.kind == ErrorType::Timeout && latest.error.status.is_none();
        let silent = late && latest.sent == Sent::Maybe;
        let wait = latest.error.retry_after.unwrap_or_default();
        let worth = first && (lone || broke) && !silent && wait <= LONGEST_WAIT;
        (self.may_repeat && worth).then(|| wait + self.jitter())
    }
}

/// How often the plan is gone through again when every endpoint was limited.
const ROUNDS: u32 = 2;
/// The first pause of a growing series, and the most that chance adds to any wait.
const PAUSE: Duration = Duration::from_millis(250);
/// A longer wait is the client's to make: it gets 429 and the time.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How many keys of one provider are tried for one endpoint.
const MAX_KEYS: usize = 4;

/// Where to go after a failure.
enum Next {
    /// The same endpoint with another credential, where there is one.
    OtherKey,
    /// The same endpoint, as before, after this wait.
    Again(Duration),
    /// The next endpoint.
    Endpoint,
    /// The next model.
    Model,
    /// Nowhere.
    Stop,
}
