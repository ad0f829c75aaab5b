//! One attempt with all that belongs to it: its credential, the request as its endpoint gets it, and
//! what its end says of both. What is tried after it is decided elsewhere.

use std::{future::poll_fn, sync::Arc};

use waystation_core::{
    ChatRequest, CredentialId, Cx, Effort, Endpoint, ErrorType, Lease, Now, RawJson, Sent, Tick,
    Tokens, UpstreamError,
};
use waystation_router::{Outcome, Planned};

use super::{Fallback, Served, Work};
use crate::{
    AttemptReport, Route,
    attempt::{Attempt, Committed, Failed},
    plugin_runs::Patient,
    rest::{self, Use},
};

/// One attempt: where, with which credential, since when.
pub(super) struct Side<'a> {
    /// Where.
    pub(super) planned: &'a Planned,
    /// The provider's display name.
    pub(super) provider: Arc<str>,
    /// Address, time limits and permits of the provider.
    pub(super) route: &'a Arc<Route>,
    /// The credential.
    pub(super) lease: Lease,
    /// When it began.
    pub(super) started: Tick,
    /// The time, where nobody has waited since it was read.
    read: Option<Now>,
}

/// A wish for as little reasoning as there can be, as a request says it.
#[derive(serde::Serialize)]
struct Least {
    /// The level.
    effort: &'static str,
    /// Whether the client wants to see none of it, as it said.
    exclude: bool,
}

// === impl Side ===

impl Side<'_> {
    fn by(&self) -> Use<'_> {
        Use {
            provider: &self.planned.endpoint.provider,
            credential: &self.lease.credential,
            model: &self.planned.endpoint.model,
        }
    }
}

impl Fallback<'_> {
    /// Leases a credential that is not among the `used` ones and does not rest; `anyway` takes one that
    /// was refused lately.
    ///
    /// A provider whose credentials all rest at this moment is a failed attempt that was not made, so
    /// that the report names it: `rate_limit_exceeded` with the wait where a limit is why. `Err(None)`
    /// when the provider is not enabled any more.
    pub(super) async fn side<'s>(
        &'s self,
        planned: &'s Planned,
        (used, anyway): (&[CredentialId], bool),
        began: Now,
    ) -> Result<Side<'s>, Option<Box<AttemptReport>>> {
        let (endpoint, started) = (&planned.endpoint, began.tick);
        let Some(route) = self.snapshot.routes.get(&endpoint.provider) else {
            return Err(None);
        };
        let provider = Arc::clone(&route.upstream.name);
        let (rests, known) = self.rests;
        let mut resting = rests.of((&endpoint.provider, &endpoint.model), started, known);
        resting.retain(|(_, rest)| rest.limited || !anyway);
        let exclude: Vec<CredentialId> = used
            .iter()
            .cloned()
            .chain(resting.iter().map(|(id, _)| id.clone()))
            .collect();
        let credentials = &self.snapshot.credentials;
        let mut waited = false;
        let leased = match credentials.at_hand(&endpoint.provider, &exclude) {
            Some(lease) => Ok(lease),
            None => {
                let mut lease = credentials.lease(&endpoint.provider, &exclude);
                let lease = poll_fn(|cx| {
                    let polled = lease.as_mut().poll(cx);
                    waited |= polled.is_pending();
                    polled
                });
                lease.await
            }
        };
        match leased {
            Ok(lease) => Ok(Side {
                planned,
                provider,
                route,
                lease,
                started,
                read: (!waited).then_some(began),
            }),
            Err(error) => {
                let error = rest::no_lease(&rest::resting_or(error, &resting, started));
                let report = self.report(planned, (&provider, started), error);
                Err(Some(Box::new(report)))
            }
        }
    }

    /// The plugins' part for this endpoint; what is left is the call itself. A plugin that fails says
    /// nothing of the endpoint, and its time is none of the endpoint's.
    ///
    /// A provider that has as many requests under way as it may is a failed attempt that sent
    /// nothing: the next endpoint is tried at once, nobody queues.
    pub(super) async fn prepared<'s>(
        &'s self,
        side: &'s Side<'_>,
        work: &mut Work<'_>,
        arrived: Tick,
    ) -> Result<(Attempt<'s>, ChatRequest), Failed> {
        let (endpoint, route) = (&side.planned.endpoint, side.route);
        let Some(permit) = route.permits.take(1) else {
            return Err(Failed::busy(route));
        };
        let Some(codec) = self.parts.codecs.get(&endpoint.dialect) else {
            let message = format!("no codec for {}", endpoint.dialect);
            return Err(Failed::of(UpstreamError::garbage(message)));
        };
        let mut chat = self.fitted(work.chat, endpoint);
        let network = Patient::of(self.parts);
        let (stages, mut read) = (&mut *work.stages, side.read);
        for run in work.runs.iter_mut().filter(|run| run.adapts(endpoint)) {
            let (parts, clock) = (self.parts, &*self.parts.clock);
            let mut cx = Cx::new(&network, clock, &*parts.sandbox, &*parts.tokens, stages);
            let adapted = run.adapt(&mut chat, endpoint, &mut cx).await;
            adapted?;
            read = None;
        }
        // What plugins and a credential took is time of the request, and not of the endpoint.
        let now = read.unwrap_or_else(|| self.parts.clock.now());
        let model = || self.snapshot.catalog.model(endpoint.model.as_str());
        let attempt = Attempt {
            // Whole replies are waited for alike.
            thinks: chat.stream() && model().is_some_and(|model| model.reasoning),
            transport: &*self.parts.transport,
            hop: self.parts.hop.as_ref(),
            codec,
            route,
            endpoint,
            lease: &side.lease,
            echo: self.echo,
            now,
            left: self.left(arrived, now.tick),
            permit,
        };
        Ok((attempt, chat))
    }

    /// The request as this endpoint is to get it: with the service tier that it sells, and, where the
    /// operator wishes it, a limit on output lowered to its own.
    fn fitted(&self, chat: &ChatRequest, endpoint: &Endpoint) -> ChatRequest {
        // Members share memory, so a copy is cheap, and what one endpoint needs stays with it.
        let mut chat = chat.clone();
        let sells_tiers = || {
            let model = self.snapshot.catalog.model(endpoint.model.as_str());
            let mut others = model.iter().flat_map(|model| &model.endpoints);
            others.any(|e| e.provider == endpoint.provider && e.service_tier.is_some())
        };
        match endpoint.service_tier {
            Some(tier) => chat.set("service_tier", RawJson::of(&tier)),
            // Where tiers are endpoints of their own, this one is not to be billed as one of them.
            None if chat.get("service_tier").is_some() && sells_tiers() => {
                chat.remove("service_tier");
            }
            None => {}
        }
        self.reasoning_as_it_must(&mut chat, endpoint);
        if self.snapshot.policy.clamp_max_tokens
            && let Some(wanted) = chat.max_output()
            && let Some(limit) = self.room(endpoint).filter(|limit| wanted > *limit)
        {
            for key in ["max_completion_tokens", "max_tokens"] {
                if chat.get(key).is_some() {
                    chat.set(key, RawJson::of(&limit.get()));
                }
            }
        }
        chat
    }

    /// A wish for no reasoning becomes one for little at a model that cannot do without: whoever named
    /// it directly was refused before. `low` is the least that every such model knows. Source: API
    /// contract, section 1.4.
    fn reasoning_as_it_must(&self, chat: &mut ChatRequest, endpoint: &Endpoint) {
        let wish = chat.reasoning();
        let Some(wish) = wish.filter(|wish| wish.wanted() == Some(false)) else {
            return;
        };
        let model = self.snapshot.catalog.model(endpoint.model.as_str());
        if model.is_some_and(|model| model.reasoning_mandatory) {
            chat.remove("reasoning_effort");
            chat.remove("include_reasoning");
            let least = Least {
                effort: Effort::Low.as_str(),
                exclude: wish.exclude,
            };
            chat.set("reasoning", RawJson::of(&least));
        }
    }

    /// The longest answer that the endpoint gives to this prompt: its own limit, else its model's, and
    /// what the prompt, as it is estimated, leaves of the context. `None` where nothing is known.
    fn room(&self, endpoint: &Endpoint) -> Option<Tokens> {
        let model = || self.snapshot.catalog.model(endpoint.model.as_str());
        let output = endpoint
            .max_output
            .or_else(|| model().and_then(|model| model.max_output));
        let left = endpoint.context_length.map(|context| {
            // Estimates err: a sixteenth of the prompt stays free.
            let prompt = self.prompt.get();
            let left = context.get().saturating_sub(prompt + prompt / 16);
            Tokens::new(left.max(1))
        });
        [output, left].into_iter().flatten().min()
    }

    /// Takes notice of how an attempt ended: its credential and its endpoint are known by it.
    pub(super) fn ended(
        &self,
        side: &Side<'_>,
        outcome: Result<Committed, Failed>,
    ) -> Result<Box<Served>, Box<AttemptReport>> {
        let (rests, _) = self.rests;
        match outcome {
            Ok(committed) => {
                rests.served(side.by());
                Ok(Box::new(Served {
                    committed,
                    model: side.planned.model.clone(),
                    provider: Arc::clone(&side.provider),
                    endpoint: side.planned.endpoint.id.clone(),
                }))
            }
            Err(Failed {
                error,
                sent,
                network,
                ours,
                plugin,
            }) => {
                let begun = (&side.provider, side.started);
                if ours || plugin.is_some() {
                    // It says nothing of the endpoint, which was not asked.
                    let mut report = self.report(side.planned, begun, error);
                    (report.network, report.plugin) = (network, plugin);
                    return Err(Box::new(report));
                }
                let now = self.parts.clock.now().tick;
                rests.failed(side.by(), &error, now);
                if error.kind == ErrorType::Authentication && sent == Sent::Maybe {
                    let Use {
                        provider,
                        credential,
                        ..
                    } = side.by();
                    self.snapshot.credentials.refused(provider, credential);
                }
                let endpoint = &side.planned.endpoint.id;
                let outcome = Outcome::failed(error.kind, now);
                self.health.record(endpoint, outcome);
                let mut report = self.report(side.planned, begun, error);
                (report.sent, report.network) = (sent, network);
                Err(Box::new(report))
            }
        }
    }

    /// What is kept of a failed attempt.
    fn report(
        &self,
        planned: &Planned,
        (provider, started): (&Arc<str>, Tick),
        error: UpstreamError,
    ) -> AttemptReport {
        AttemptReport {
            provider: Arc::clone(provider),
            endpoint: planned.endpoint.id.clone(),
            model: planned.model.clone(),
            error,
            sent: Sent::Nothing,
            network: false,
            plugin: None,
            took: self.parts.clock.now().tick.since(started),
        }
    }
}
