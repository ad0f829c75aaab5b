//! A committed reply on its way to the client: batches of events, through the plugins' output stages.
//! Writes no bytes; how events look to a client is the server's affair.

use std::sync::Arc;

use bytes::Bytes;
use waystation_core::{
    AttemptRecord, ChatEvent, EndpointId, ErrorType, GenerationId, ModelId, Note, OutputStage,
    PluginId, StageReport, UnixMs, UpstreamError,
};
use waystation_router::{Plan, Strategy};

use crate::{
    Continued,
    attempt::{Committed, Rest},
    continuation::{self, Break, Continuation, Going, Gone},
    fallback::Served,
    settle::{Record, Settled},
    steps::{Stepped, Stepping, Steps},
};

/// A reply that one endpoint has committed itself to.
///
/// Dropping it closes the upstream connection at once and settles the record as cancelled.
///
/// A whole reply is the same with all of its events in the first batches: fold them with
/// [`Answer`](waystation_core::Answer).
pub struct Reply {
    /// The generation.
    pub id: GenerationId,
    /// When the request came.
    pub created: UnixMs,
    /// The model that serves, without routing suffixes.
    pub model: ModelId,
    /// Display name of the provider that serves.
    pub provider: Arc<str>,
    /// How the model was found.
    pub strategy: Strategy,
    /// The reply is simulated.
    pub simulated: bool,
    /// What the client should know of how it was routed.
    pub warnings: Vec<String>,
    /// What encoding changed.
    pub notes: Vec<Note>,
    /// What plugins did.
    pub stages: Vec<StageReport>,
    /// The plan that was carried out.
    pub plan: Plan,
    /// The endpoint that serves.
    pub endpoint: EndpointId,
    /// The attempts that failed before.
    pub earlier: Vec<AttemptRecord>,
    /// The endpoints that began the answer and broke off, before the one that serves now. Grows while
    /// the reply is read.
    pub continued_from: Vec<Continued>,
    /// How often another endpoint has taken the answer over, behind a break or for a step: then what names
    /// who serves has changed.
    pub takeovers: usize,
    /// What was sent upstream, a body for each attempt, where the client asked to see it.
    pub echoes: Vec<Bytes>,
    events: Vec<ChatEvent>,
    rest: Option<Rest>,
    failure: Option<UpstreamError>,
    output: Vec<Box<dyn OutputStage>>,
    /// `None` only while the answer is being gone on with elsewhere.
    record: Option<Box<Record>>,
    /// How to go on should the answer break off.
    continuation: Option<Box<Continuation>>,
    /// Going on behind this failure.
    going: Option<(UpstreamError, Going)>,
    /// White space that a continuation may repeat.
    seam: String,
    /// How to go on when the answer calls tools of the gateway's.
    steps: Option<Box<Steps>>,
    /// Tools run, and the model is asked again.
    stepping: Option<Stepping>,
}

/// What a reply gives next.
#[derive(Debug)]
pub enum Batch {
    /// All events of one read; never empty. `Usage` is not among them: it comes with `Done`.
    Events(Vec<ChatEvent>),
    /// The reply is complete.
    Done(Box<Settled>),
    /// The reply broke off after its commitment.
    Failed {
        /// The kind.
        kind: ErrorType,
        /// `<provider>: <reason>`.
        message: String,
        /// What was consumed nevertheless.
        settled: Box<Settled>,
    },
}

// === impl Reply ===

impl Reply {
    /// What `served` has committed itself to, as far as its plan and its `record` know it; the record
    /// itself is [kept](Self::keep) when it is free.
    ///
    /// On the heap from here on: it is large, and goes through many hands.
    pub(crate) fn of(served: Box<Served>, plan: Plan, record: &Record) -> Box<Self> {
        let Served {
            committed:
                Committed {
                    events,
                    rest,
                    notes,
                },
            model,
            provider,
            endpoint,
        } = *served;
        Box::new(Self {
            id: record.id(),
            created: record.created(),
            model,
            provider,
            strategy: plan.strategy,
            simulated: false,
            warnings: plan.trace.notes.clone(),
            notes,
            stages: Vec::new(),
            plan,
            endpoint,
            echoes: Vec::new(),
            earlier: record.attempts(),
            events,
            rest,
            failure: None,
            output: Vec::new(),
            record: None,
            continuation: None,
            continued_from: Vec::new(),
            takeovers: 0,
            going: None,
            seam: String::new(),
            steps: None,
            stepping: None,
        })
    }

    /// The stages that its events go through.
    pub(crate) fn goes_through(&mut self, output: Vec<Box<dyn OutputStage>>) {
        self.output = output;
    }

    /// How to go on should the answer break off, or call tools of the gateway's.
    pub(crate) fn may_go_on(
        &mut self,
        continuation: Option<Box<Continuation>>,
        steps: Option<Box<Steps>>,
    ) {
        (self.continuation, self.steps) = (continuation, steps);
    }

    /// The record goes with the reply from now on.
    pub(crate) fn keep(&mut self, record: Box<Record>) {
        self.record = Some(record);
    }

    /// The next events. After `Done` or `Failed` there is nothing more to ask for.
    ///
    /// Cancel safe: a dropped call loses nothing.
    pub async fn next(&mut self) -> Batch {
        loop {
            if !self.events.is_empty() {
                let events = std::mem::take(&mut self.events);
                match self.through_stages(events) {
                    Ok(shown) if shown.is_empty() => continue,
                    Ok(shown) => return Batch::Events(shown),
                    Err(error) => return self.broke(&error),
                }
            }
            if let Some(error) = self.failure.take() {
                match self.go_on(&error) {
                    Some(going) => self.going = Some((error, going)),
                    None => return self.broke(&error),
                }
            }
            if let Some((error, going)) = &mut self.going {
                let (gone, error) = (going.await, error.clone());
                self.going = None;
                if !self.gone_on(gone, &error) {
                    return self.broke(&error);
                }
                continue;
            }
            if let Some(stepping) = &mut self.stepping {
                let stepped = stepping.await;
                self.stepping = None;
                match self.stepped(stepped) {
                    Ok(()) => continue,
                    Err(error) => return self.broke(&error),
                }
            }
            let Some(rest) = &mut self.rest else {
                self.stepping = self.step();
                if self.stepping.is_some() {
                    continue;
                }
                return self.finish();
            };
            match rest.next(&mut self.events).await {
                Ok(true) => {}
                Ok(false) => self.rest = None,
                Err(error) => {
                    // What was read before the failure is the client's; the failure comes after.
                    self.let_go();
                    self.failure = Some(error);
                }
            }
        }
    }

    /// Counts the events and leads them through the plugins' output stages.
    ///
    /// Events are counted as they came from upstream: what a plugin adds was not paid for.
    fn through_stages(&mut self, events: Vec<ChatEvent>) -> Result<Vec<ChatEvent>, UpstreamError> {
        let mut events = events;
        if let Some(record) = &mut self.record {
            for event in &events {
                record.see(event);
            }
        }
        if let Some(steps) = &mut self.steps {
            steps.see(&mut events);
        }
        if !self.continued_from.is_empty() {
            continuation::join(&mut self.seam, &mut events);
        }
        if let Some(continuation) = &mut self.continuation
            && !continuation.see(&events)
        {
            self.continuation = None;
        }
        for stage in &mut self.output {
            let mut out = Vec::with_capacity(events.len());
            for event in events {
                stage
                    .event(event, &mut out)
                    .map_err(|e| UpstreamError::new(e.kind, e.to_string()))?;
            }
            events = out;
        }
        events.retain(|event| !matches!(event, ChatEvent::Usage(_)));
        Ok(events)
    }

    /// The upstream is done; the stages may have kept something back. What a stage gives at its end
    /// goes through the stages behind it, before they end themselves.
    fn finish(&mut self) -> Batch {
        let steps = self.steps.take();
        self.stages.extend(steps.and_then(|steps| steps.report()));
        let mut held = Vec::new();
        let mut stages = std::mem::take(&mut self.output);
        while !stages.is_empty() {
            let mut stage = stages.remove(0);
            let mut out = Vec::new();
            let mut done = Ok(());
            for event in held.drain(..) {
                done = done.and_then(|()| stage.event(event, &mut out));
            }
            if let Err(error) = done.and_then(|()| stage.finish(&mut out)) {
                return self.broke(&UpstreamError::new(error.kind, error.message));
            }
            self.stages.extend(stage.report());
            held = out;
        }
        held.retain(|event| !matches!(event, ChatEvent::Usage(_)));
        if held.is_empty() {
            Batch::Done(Box::new(self.settled(Record::complete)))
        } else {
            Batch::Events(held)
        }
    }

    /// Closes the upstream connection; what it has counted by now is kept.
    fn let_go(&mut self) {
        let usage = self.rest.take().and_then(|rest| rest.reported());
        if let (Some(usage), Some(record)) = (usage, &mut self.record) {
            record.reported(usage);
        }
    }

    /// Closes the record.
    fn settled(&mut self, close: impl FnOnce(&mut Record) -> Settled) -> Settled {
        self.record
            .as_deref_mut()
            .map_or_else(Settled::default, close)
    }

    /// The next step, where the answer has called tools of the gateway's and nothing else.
    fn step(&mut self) -> Option<Stepping> {
        let steps = self.steps.take_if(|steps| steps.goes_on())?;
        let record = self.record.take()?;
        let at = (self.plan.clone(), self.endpoint.clone());
        Some(steps.step(record, at))
    }

    /// Takes over what became of a step.
    fn stepped(&mut self, stepped: Stepped) -> Result<(), UpstreamError> {
        self.earlier = stepped.record.attempts();
        self.record = Some(stepped.record);
        self.steps = Some(stepped.steps);
        let served = stepped.served;
        let served = served.map_err(|error| UpstreamError::new(error.kind(), error.to_string()))?;
        let Served {
            committed,
            model,
            provider,
            endpoint,
        } = *served;
        self.takeovers += usize::from(endpoint != self.endpoint);
        (self.model, self.provider, self.endpoint) = (model, provider, endpoint);
        // What is done for every step is told once.
        let known: Vec<PluginId> = self.stages.iter().map(|s| s.plugin.clone()).collect();
        let new = stepped
            .stages
            .into_iter()
            .filter(|stage| !known.contains(&stage.plugin));
        self.stages.extend(new);
        let Committed {
            events,
            rest,
            notes,
        } = committed;
        (self.events, self.rest) = (events, rest);
        self.notes.extend(notes);
        Ok(())
    }

    /// A way to go on with the answer behind `error`, where the client wishes it and there is one. The
    /// record goes along: should the client leave meanwhile, it settles as cancelled with all that was.
    fn go_on(&mut self, error: &UpstreamError) -> Option<Going> {
        let continuation = self.continuation.take()?;
        let broken = Break {
            plan: &self.plan,
            model: &self.model,
            endpoint: &self.endpoint,
            error,
            made: self.record.as_ref()?.made() + 1,
        };
        let next = continuation.next(&broken)?;
        let mut record = self.record.take()?;
        record.broke_off(error.kind);
        Some(Box::pin(continuation.run(next, record)))
    }

    /// Takes over what became of that; `false` when nobody went on.
    ///
    /// Provider and endpoint change here, and with a step.
    fn gone_on(&mut self, gone: Gone, error: &UpstreamError) -> bool {
        self.earlier = gone.record.attempts();
        self.record = Some(gone.record);
        let Some(served) = gone.served else {
            return false;
        };
        self.continued_from.push(Continued {
            provider: Arc::clone(&self.provider),
            endpoint: self.endpoint.clone(),
            error: error.kind,
        });
        let served = *served;
        self.takeovers += 1;
        (self.provider, self.endpoint) = (served.provider, served.endpoint);
        (self.seam, self.continuation) = (gone.seam, Some(gone.continuation));
        self.stages.extend(gone.stages);
        let Committed {
            events,
            rest,
            notes,
        } = served.committed;
        (self.events, self.rest) = (events, rest);
        self.notes.extend(notes);
        true
    }

    /// The reply ends here: upstream is let go, and what was consumed is settled.
    fn broke(&mut self, error: &UpstreamError) -> Batch {
        let message = format!("{}: {}", self.provider, error.message);
        self.end(error.kind, &message)
    }

    /// Ends the reply before it is complete, for a reason of the caller's, which its record names: upstream
    /// is let go, and what was consumed is settled. The last batch, always `Failed`.
    pub fn end(&mut self, kind: ErrorType, message: &str) -> Batch {
        self.let_go();
        self.output.clear();
        Batch::Failed {
            kind,
            message: message.to_owned(),
            settled: Box::new(self.settled(|record| record.fail(kind))),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply")
            .field("id", &self.id)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}
