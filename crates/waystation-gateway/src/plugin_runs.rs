//! What the gateway does with the runs of a request beside calling them: endpoints that they cannot
//! serve, the order of what they do to replies, what they have spent, and an end to waiting for the
//! services that they ask. What a plugin does is not known here.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use tokio::time::timeout;
use waystation_core::{
    BodyStream, HttpRequest, HttpStream, OutputStage, Phase, PluginError, Run, SendLimits, Sent,
    Spent, Transport, TransportError,
};
use waystation_router::{NoRoute, Plan, Reason};

use crate::{
    GatewayError, Parts,
    steps::{self, Tools},
};

/// The network as plugins see it: who sets a limit on the head of a response need not watch the clock
/// himself, and a body that falls silent ends.
#[derive(Clone, Copy)]
pub(crate) struct Patient<'a>(&'a Parts);

/// The longest silence in the body of a service's reply.
const SILENCE: Duration = Duration::from_secs(10);

/// Takes the endpoints out of a plan that a run cannot serve. What was dropped is not in the plan's
/// trace: the router knows nothing of it.
///
/// # Errors
/// The refusal of the first one, where none is left.
pub(crate) fn permit(plan: &mut Plan, runs: &[Box<dyn Run>]) -> Result<(), PluginError> {
    let mut refusal = None;
    plan.attempts.retain(|planned| {
        let refused = runs.iter().find_map(|run| run.refuses(&planned.endpoint));
        let fine = refused.is_none();
        // The first one speaks of the endpoint that was wanted most.
        refusal = refusal.take().or(refused);
        fine
    });
    match refusal {
        Some(refusal) if plan.attempts.is_empty() => Err(refusal),
        _ => Ok(()),
    }
}

/// Why a request has no endpoint: where kinds of content are all that is in the way, what a plugin knows
/// of them says more than which endpoints do not take them.
///
/// Where something else dropped an endpoint too (a price, a name), the router's account stands: relaxing
/// that may be enough. A file of an old format, sent to a model that takes none: 400 with what to save it
/// as, where the router would say 404.
pub(crate) fn unrouted(runs: &[Box<dyn Run>]) -> impl Fn(Box<NoRoute>) -> GatewayError {
    |none| {
        let is_content = none.excluded_by == [Reason::Modality.excluded_by()];
        let advice = || runs.iter().find_map(|run| run.lacks());
        match is_content.then(advice).flatten() {
            Some(advice) => advice.into(),
            None => GatewayError::NoRoute(none),
        }
    }
}

/// The stages that a reply goes through, those that look at the text as it leaves behind the others,
/// and those of the gateway's tools behind all.
pub(crate) fn output(runs: &mut [Box<dyn Run>], tools: &Tools) -> Vec<Box<dyn OutputStage>> {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for run in runs {
        let stages = if run.looks_last() {
            &mut last
        } else {
            &mut first
        };
        stages.extend(run.output());
    }
    first.append(&mut last);
    first.extend(steps::output(tools));
    first
}

/// What the runs have spent by now: searches and fees, for attempts that failed too. Asked once when
/// attempts are over, and again after each step.
pub(crate) fn spent(runs: &[Box<dyn Run>]) -> Spent {
    runs.iter().map(|run| run.spent()).sum()
}

// === impl Patient ===

impl<'a> Patient<'a> {
    /// The network for plugins.
    pub(crate) const fn of(parts: &'a Parts) -> Self {
        Self(parts)
    }
}

#[async_trait]
impl Transport for Patient<'_> {
    async fn send(
        &self,
        request: HttpRequest,
        limits: SendLimits,
    ) -> Result<HttpStream, TransportError> {
        let deadline = limits.head;
        let sending = self.0.transport.send(request, limits);
        let sent = match deadline {
            None => sending.await,
            Some(deadline) => {
                let left = deadline.left(self.0.clock.now().tick);
                let late = |_| Err(late(Phase::Head));
                timeout(left, sending).await.unwrap_or_else(late)
            }
        }?;
        Ok(HttpStream {
            head: sent.head,
            body: watched(sent.body),
        })
    }
}

/// A body that ends when it has been silent for too long.
fn watched(body: BodyStream) -> BodyStream {
    let pieces = stream::unfold(Some(body), |body| async {
        let mut body = body?;
        match timeout(SILENCE, body.next()).await {
            Ok(Some(piece)) => Some((piece, Some(body))),
            Ok(None) => None,
            Err(_) => Some((Err(late(Phase::Body)), None)),
        }
    });
    Box::pin(pieces)
}

fn late(phase: Phase) -> TransportError {
    TransportError {
        phase,
        sent: Sent::Maybe,
        timed_out: true,
        message: "it took too long".into(),
    }
}
