//! Hedging: a stream whose first token is late gets a second attempt beside it, and the first of the
//! two to show something serves. Off unless the request or the operator asks for it, since the one
//! that is let go may have been paid for.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::timeout;
use waystation_core::{ChatRequest, InvalidRequest, Json, Kind, Tick};
use waystation_router::{Admit, Plan, Planned};

use super::{Beside, Fallback, Served, Work, side::Side};
use crate::{
    AttemptReport, Retries, Snapshot,
    attempt::{Failed, First},
    continuation,
    settle::Record,
};

/// What may still be spent on second attempts. Each request that wants one earns a tenth, so that in
/// the long run one of ten is hedged at most: a provider that is slow for everybody does not get
/// twice the load.
#[derive(Debug)]
pub(crate) struct Hedges(AtomicU32);

/// What a request says in its member `waystation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Wishes {
    /// A slow stream may get a second attempt.
    pub(crate) hedge: bool,
    /// A stream that broke off may be continued elsewhere.
    pub(crate) continued: bool,
}

/// Tenths that one second attempt costs.
const PRICE: u32 = 10;
/// Tenths that can be saved, and are there at the start.
const SAVINGS: u32 = 100;
/// When a second attempt begins where the endpoint's speed is not known.
const UNMEASURED: Duration = Duration::from_secs(2);
/// It never begins earlier.
const EARLIEST: Duration = Duration::from_millis(50);

// === impl Wishes ===

impl Wishes {
    /// Reads `waystation` of a request; what it does not say is the operator's word.
    ///
    /// # Errors
    /// [`InvalidRequest`] for a member that does not exist or is no boolean.
    pub(crate) fn of(chat: &ChatRequest, retries: &Retries) -> Result<Self, InvalidRequest> {
        let mut wishes = Self {
            hedge: retries.hedge,
            continued: retries.continued,
        };
        for (key, value) in chat.get("waystation").into_iter().flat_map(Json::members) {
            let key = key.name();
            let wish = match &*key {
                "hedge" => &mut wishes.hedge,
                "continue" => &mut wishes.continued,
                other => {
                    let known = ["hedge", "continue"];
                    return Err(InvalidRequest::unknown_key("waystation", other, known));
                }
            };
            match value.kind() {
                Kind::Null => {}
                Kind::Bool => *wish = value.bool() == Some(true),
                _ => {
                    let field = format!("waystation.{key}");
                    return Err(InvalidRequest::expected(field, "a boolean", value));
                }
            }
        }
        Ok(wishes)
    }
}

impl Wishes {
    /// Whether the text is to be gone on with when it breaks off. A wish that cannot be fulfilled is
    /// noted, so that the client knows.
    pub(crate) fn continues(self, chat: &ChatRequest, plan: &mut Plan, of: &Snapshot) -> bool {
        if !self.continued || !chat.stream() {
            return false;
        }
        let obstacle = continuation::obstacle(chat, plan, of);
        if let (Some(obstacle), true) = (obstacle, chat.get("waystation").is_some()) {
            let note = format!("waystation.continue: without effect, since {obstacle}");
            plan.trace.notes.push(note);
        }
        obstacle.is_none()
    }
}

// === impl Hedges ===

impl Default for Hedges {
    fn default() -> Self {
        Self(AtomicU32::new(SAVINGS))
    }
}

impl Hedges {
    /// A request wants hedging.
    pub(crate) fn earn(&self) {
        self.change(|saved| (saved < SAVINGS).then_some(saved + 1));
    }

    /// Whether a second attempt may begin.
    fn spend(&self) -> bool {
        self.change(|saved| saved.checked_sub(PRICE))
    }

    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.fetch_update(set, fetch, change).is_ok()
    }
}

impl Fallback<'_> {
    /// Runs an attempt, with a second one beside it when it is late. The record names the one that
    /// serves; the other is dropped, which closes its connection, and what it cost is kept. An attempt
    /// that fails while the other goes on is put into `beside`.
    pub(super) async fn raced(
        &self,
        side: &Side<'_>,
        work: &mut Work<'_>,
        record: &mut Record,
        beside: &mut Beside,
    ) -> Result<Box<Served>, Box<AttemptReport>> {
        let before = work.stages.len();
        let (attempt, own) = match self.prepared(side, work, record.arrived()).await {
            Ok(prepared) => prepared,
            Err(failed) => return self.ended(side, Err(failed)),
        };
        let own_side = (side, attempt.now.tick);
        begin(record, own_side);
        let first = attempt.first(&own);
        let hedge = self.hedge(side.planned).filter(|_| beside.room);
        let Some(hedge) = hedge else {
            return self.ended(side, first.await);
        };
        let ahead = (own_side, first, before);
        // On the heap: few are hedged, and every attempt would be of that size.
        Box::pin(self.hedged(ahead, hedge, work, (record, beside))).await
    }

    /// An attempt under way, and a second one beside it when it is late.
    async fn hedged(
        &self,
        (own_side, mut first, before): ((&Side<'_>, Tick), First<'_>, usize),
        (after, planned): (Duration, &Planned),
        work: &mut Work<'_>,
        (record, beside): (&mut Record, &mut Beside),
    ) -> Result<Box<Served>, Box<AttemptReport>> {
        let (side, arrived) = (own_side.0, record.arrived());
        if let Ok(outcome) = timeout(after, &mut first).await {
            return self.ended(side, outcome);
        }
        let kept = work.stages.len();
        let Some(other) = self.second(planned).await else {
            return self.ended(side, first.await);
        };
        let Ok((attempt, own)) = self.prepared(&other, work, arrived).await else {
            work.stages.truncate(kept);
            return self.ended(side, first.await);
        };
        let other_side = (&other, attempt.now.tick);
        let mut second = attempt.first(&own);
        let (led, outcome) = tokio::select! {
            biased;
            outcome = &mut first => (true, outcome),
            outcome = &mut second => (false, outcome),
        };
        let (ahead, behind) = if led {
            (own_side, other_side)
        } else {
            (other_side, own_side)
        };
        let (serving, outcome) = match outcome {
            Ok(committed) => {
                let (beaten, since) = behind;
                record.beaten(&beaten.planned.endpoint, &beaten.provider, since);
                (ahead, Ok(committed))
            }
            Err(failed) => {
                self.gone(ahead.0, failed, record, &mut beside.reports);
                let outcome = if led { second.await } else { first.await };
                (behind, outcome)
            }
        };
        begin(record, serving);
        let (serving, _) = serving;
        // What plugins did for the other one was for nothing.
        if std::ptr::eq(serving, side) {
            work.stages.truncate(kept);
        } else {
            work.stages.drain(before..kept);
        }
        self.ended(serving, outcome)
    }

    /// When a second attempt begins beside one at `planned`, and where: the next endpoint of the same
    /// model that is not failing, else the same one.
    fn hedge<'s>(&'s self, planned: &'s Planned) -> Option<(Duration, &'s Planned)> {
        self.hedges?;
        let now = self.parts.clock.now().tick;
        let is_this = |other: &&Planned| other.endpoint.id == planned.endpoint.id;
        let behind = self
            .plan
            .attempts
            .iter()
            .skip_while(|other| !is_this(other));
        let other = behind.skip(1).find(|other| {
            let healthy = || matches!(self.health.admit(&other.endpoint.id, now), Admit::Go);
            other.model == planned.model && healthy()
        });
        let tail = self.health.first_token_tail(&planned.endpoint.id, now);
        let after = tail.unwrap_or(UNMEASURED).max(EARLIEST);
        Some((after, other.unwrap_or(planned)))
    }

    /// A second attempt, where the budget and the provider's credentials allow one.
    async fn second<'s>(&'s self, planned: &'s Planned) -> Option<Side<'s>> {
        let now = self.parts.clock.now();
        let side = self.side(planned, (&[], false), now).await.ok()?;
        self.hedges?.spend().then_some(side)
    }

    /// An attempt has failed, and the one beside it goes on.
    fn gone(
        &self,
        side: &Side<'_>,
        failed: Failed,
        record: &mut Record,
        beside: &mut Vec<AttemptReport>,
    ) {
        if let Err(report) = self.ended(side, Err(failed)) {
            record.attempt_failed(&report);
            beside.push(*report);
        }
    }
}

/// The record names this attempt as the one under way since then: plugins have done their part.
///
/// What they took is not counted among the endpoint's times, and a client that goes away while they are at
/// work is charged for no prompt.
fn begin(record: &mut Record, (side, since): (&Side<'_>, Tick)) {
    let with = (&side.lease.credential, since);
    record.attempt(&side.planned.endpoint, &side.provider, with);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_ten_is_hedged_in_the_long_run() {
        let hedges = Hedges::default();
        let spent = (0..1_000).filter(|_| {
            hedges.earn();
            hedges.spend()
        });
        // A tenth of all, and what was saved at the start.
        assert_eq!(spent.count(), 109);
    }

    #[test]
    fn wishes_are_booleans_with_known_names() {
        let wishes = |text: &str| {
            let body = format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}]{text}}}"#);
            Wishes::of(
                &ChatRequest::parse(&body.into()).unwrap(),
                &Retries::default(),
            )
        };
        assert_eq!(wishes("").unwrap(), Wishes::default());
        assert!(
            wishes(r#","waystation":{"hedge":true,"continue":null}"#)
                .unwrap()
                .hedge
        );
        let wrong = wishes(r#","waystation":{"hedge":1}"#).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "waystation.hedge: expected a boolean, found 1"
        );
        let unknown = wishes(r#","waystation":{"hegde":true}"#).unwrap_err();
        assert!(
            unknown.to_string().contains("did you mean \"hedge\"?"),
            "{unknown}"
        );
    }
}
