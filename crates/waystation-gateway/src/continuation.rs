//! Going on with an answer whose endpoint broke off, at an endpoint that is known to go on from given
//! words. Off unless the request or the operator asks for it, since two models' words then stand in one
//! text. Plain text alone is gone on with: never JSON, tools, reasoning or several answers, which a
//! seam would spoil.
//!
//! The words that the client has seen become a last message of the assistant, and the same model is
//! asked to go on from them. Who serves afterwards is told: chunks name it, the reply lists those before
//! it, and the record counts and charges all parts. When nobody goes on, the client gets the first
//! failure, as if nothing had been tried.

use std::{pin::Pin, sync::Arc};

use waystation_core::{
    ChatEvent, ChatRequest, Delta, Endpoint, EndpointId, ErrorType, Json, Modalities, ModelId,
    Prefill, RawJson, Retry, Run, StageReport, Tokens, UpstreamError,
};
use waystation_router::{HealthTable, Plan, Planned};

use crate::{
    Parts, Snapshot,
    echo::Echo,
    fallback::{Fallback, Served},
    rest::Rests,
    settle::{BYTES_PER_TOKEN, Record},
};

/// What is kept of a request while its answer may still have to be gone on with.
pub(crate) struct Continuation {
    /// Transport, clock and codecs.
    pub(crate) parts: Parts,
    /// The configuration that the request began with.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Where outcomes are recorded.
    pub(crate) health: Arc<HealthTable>,
    /// Credentials that are left alone.
    pub(crate) rests: Arc<Rests>,
    /// The request as the plugins left it.
    pub(crate) chat: ChatRequest,
    /// The plugins' runs.
    pub(crate) runs: Vec<Box<dyn Run>>,
    /// What the prompt is taken for.
    pub(crate) prompt: Tokens,
    /// What the model has written so far, escaped as it came.
    pub(crate) text: Vec<u8>,
}

/// An endpoint that began an answer and broke off, where another one went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continued {
    /// Display name of the provider.
    pub provider: Arc<str>,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// How it broke off.
    pub error: ErrorType,
}

/// The next part of an answer: what to ask, and whom.
pub(crate) struct Next {
    /// The request, with the words so far at its end.
    chat: ChatRequest,
    /// The endpoints that may go on, in the order of the request's own plan.
    plan: Plan,
    /// How many attempts are left of those that one request may make, over all of its parts.
    most: usize,
    /// White space at the end of the text: the host does not get it, and may write it again.
    pub(crate) seam: String,
}

/// Where an answer broke off.
pub(crate) struct Break<'a> {
    /// The plan of the request.
    pub(crate) plan: &'a Plan,
    /// The model that served.
    pub(crate) model: &'a ModelId,
    /// The endpoint that served.
    pub(crate) endpoint: &'a EndpointId,
    /// How it broke off.
    pub(crate) error: &'a UpstreamError,
    /// How many attempts were made so far.
    pub(crate) made: usize,
}

/// What became of a continuation.
pub(crate) struct Gone {
    /// What another break would need.
    pub(crate) continuation: Box<Continuation>,
    /// The request's record, which the attempts have written to.
    pub(crate) record: Box<Record>,
    /// `None` when nobody went on.
    pub(crate) served: Option<Box<Served>>,
    /// What plugins did for it.
    pub(crate) stages: Vec<StageReport>,
    /// White space that the client has, and that may come again.
    pub(crate) seam: String,
}

/// A continuation under way. It owns what it needs, so that who waits for it may look away.
pub(crate) type Going = Pin<Box<dyn Future<Output = Gone> + Send>>;

/// Longer answers, in bytes of escaped text, are not kept to be gone on with.
const LONGEST: usize = 256 * 1024;

/// Why the answer to a streamed request could not be gone on with, whoever breaks off.
pub(crate) fn obstacle(
    chat: &ChatRequest,
    plan: &Plan,
    snapshot: &Snapshot,
) -> Option<&'static str> {
    let sent = |key: &str| chat.get(key);
    let text = |format: Json<'_>| format.get("type").is_some_and(|kind| kind.is("text"));
    let reasons = chat.reasoning().and_then(|reasoning| reasoning.wanted());
    let known = |planned: &Planned| goes_on(snapshot, &planned.endpoint);
    if chat.tools().next().is_some() {
        Some("the request has tools")
    } else if sent("response_format").is_some_and(|format| !text(format)) {
        Some("the request wants another format than text")
    } else if sent("n").and_then(Json::u64).is_some_and(|n| n != 1) {
        Some("the request wants several answers")
    } else if sent("logprobs").and_then(Json::bool) == Some(true) {
        Some("the request wants logprobs")
    } else if chat.output_modalities() != Modalities::TEXT {
        Some("the request wants more than text")
    } else if reasons == Some(true) {
        Some("the request wants reasoning")
    } else if !plan.attempts.iter().any(known) {
        Some("no endpoint of the plan is known to go on from given words")
    } else {
        None
    }
}

/// Whether the endpoint is known to go on from given words.
fn goes_on(snapshot: &Snapshot, endpoint: &Endpoint) -> bool {
    let Some(route) = snapshot.routes.get(&endpoint.provider) else {
        return false;
    };
    let quirks = &route.wire(&endpoint.dialect).quirks;
    quirks.prefill_of(&endpoint.model) != Prefill::Unknown
}

// === impl Continuation ===

impl Continuation {
    /// Takes notice of events on their way to the client; `false` when the answer is more than plain
    /// text, or complete, and can be gone on with no longer.
    pub(crate) fn see(&mut self, events: &[ChatEvent]) -> bool {
        events.iter().all(|event| match event {
            ChatEvent::Delta(delta) => {
                let text = plain(delta);
                if let Some(content) = delta.content.as_ref().filter(|_| text) {
                    self.text.extend_from_slice(content.escaped());
                }
                text && self.text.len() <= LONGEST
            }
            ChatEvent::Finish(_) => false,
            _ => true,
        })
    }

    /// How to go on behind `broken`: the same model, at an endpoint that is known to go on from given
    /// words; where it broke off last, unless it fell silent. `None` when there is no such way.
    pub(crate) fn next(&self, broken: &Break<'_>) -> Option<Next> {
        let kind = broken.error.kind;
        let retries = &self.snapshot.settings.retries;
        let may = matches!(kind.retry(), Retry::Next | Retry::Elsewhere);
        let most = retries.max_attempts.checked_sub(broken.made);
        let most = most.filter(|most| *most > 0)?;
        if !may || !retries.fallback_on.cover(kind, false) {
            return None;
        }
        let (text, seam) = self.written()?;
        let written = Tokens::new(u64::try_from(text.len() / BYTES_PER_TOKEN).ok()?);
        let fits = |endpoint: &Endpoint| {
            let context = endpoint.context_length;
            context.is_none_or(|context| self.prompt + written < context)
        };
        let will = |planned: &&Planned| {
            let endpoint = &planned.endpoint;
            planned.model == *broken.model && fits(endpoint) && goes_on(&self.snapshot, endpoint)
        };
        let (same, others): (Vec<Planned>, Vec<Planned>) = broken
            .plan
            .attempts
            .iter()
            .filter(will)
            .cloned()
            .partition(|planned| planned.endpoint.id == *broken.endpoint);
        let same = same.into_iter().filter(|_| kind != ErrorType::Timeout);
        let mut plan = broken.plan.clone();
        plan.attempts = others.into_iter().chain(same).collect();
        if plan.attempts.is_empty() {
            return None;
        }
        let mut chat = self.chat.going_on_from(&text)?;
        lower(&mut chat, written)?;
        Some(Next {
            chat,
            plan,
            most,
            seam,
        })
    }

    /// The text so far without the white space at its end, which some hosts refuse there, and that
    /// white space. `None` when there is nothing to go on from, or the text ends inside a character.
    fn written(&self) -> Option<(String, String)> {
        let mut quoted = Vec::with_capacity(self.text.len() + 2);
        quoted.push(b'"');
        quoted.extend_from_slice(&self.text);
        quoted.push(b'"');
        let quoted = RawJson::parse(&quoted.into()).ok()?;
        let text = quoted.json().string()?;
        let kept = text.trim_end();
        if kept.is_empty() || kept.ends_with('\u{fffd}') {
            return None;
        }
        let seam = text.get(kept.len()..).unwrap_or_default();
        Some((kept.to_owned(), seam.to_owned()))
    }

    /// Works through the plan of the continuation: the same rules, budgets and circuits as for a first
    /// attempt, save that nothing is hedged. The record learns of every attempt that fails.
    pub(crate) async fn run(mut self: Box<Self>, next: Next, mut record: Box<Record>) -> Gone {
        let fallback = Fallback {
            parts: &self.parts,
            snapshot: &self.snapshot,
            health: &self.health,
            rests: (&self.rests, self.rests.known()),
            plan: &next.plan,
            prompt: self.prompt,
            may_repeat: true,
            whole: false,
            hedges: None,
            most: next.most,
            // What was sent is shown before the answer; this is in its midst.
            echo: &Echo::default(),
            now: None,
        };
        let mut stages = Vec::new();
        let served = fallback.run(&next.chat, &mut self.runs, &mut stages, &mut record);
        let served = served.await.ok();
        Gone {
            continuation: self,
            record,
            served,
            stages,
            seam: next.seam,
        }
    }
}

/// Lowers the limits on output by what is written already; `None` when nothing is left of them.
///
/// Counted by bytes, as everywhere where no provider counts: the answer may end a little early or late.
fn lower(chat: &mut ChatRequest, written: Tokens) -> Option<()> {
    for key in ["max_completion_tokens", "max_tokens"] {
        if let Some(limit) = chat.get(key).and_then(Json::u64) {
            let left = limit.checked_sub(written.get()).filter(|left| *left > 0)?;
            chat.set(key, RawJson::of(&left));
        }
    }
    Some(())
}

/// Whether a piece of an answer is text and nothing else.
fn plain(delta: &Delta) -> bool {
    let Delta {
        choice,
        content: _,
        reasoning,
        reasoning_details,
        refusal,
        tool_calls,
        annotations,
        images,
        audio,
        logprobs,
    } = delta;
    let none = |text: Option<&waystation_core::JsonText>| {
        text.is_none_or(waystation_core::JsonText::is_empty)
    };
    let more = [annotations, images, audio, logprobs];
    *choice == 0
        && none(reasoning.as_ref())
        && none(refusal.as_deref())
        && reasoning_details.is_none()
        && tool_calls.is_empty()
        && more.iter().all(|more| more.is_none())
}

/// Takes from `events`, the first of a continuation, what stands before the seam already: the white
/// space that the client has, and what the upstream says of the reply itself. `seam` is what is left
/// to be met; it is done with at the first character that is not its own.
pub(crate) fn join(seam: &mut String, events: &mut Vec<ChatEvent>) {
    events.retain(|event| !matches!(event, ChatEvent::Start(_)));
    for event in events {
        let ChatEvent::Delta(delta) = event else {
            continue;
        };
        let Some(content) = delta.content.as_mut().filter(|_| !seam.is_empty()) else {
            continue;
        };
        let text = content.decode();
        let met = seam.chars().zip(text.chars());
        let met: usize = met
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a.len_utf8())
            .sum();
        let rest = text.get(met..).unwrap_or_default();
        let left = if rest.is_empty() {
            seam.get(met..).unwrap_or_default()
        } else {
            ""
        };
        let left = left.to_owned();
        if met > 0 {
            *content = rest.into();
        }
        *seam = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is added to a text that ends in `seam`, when these pieces go on with it.
    fn joined(seam: &str, pieces: &[&str]) -> String {
        let mut seam = seam.to_owned();
        let mut all = String::new();
        for piece in pieces {
            let mut delta = Delta::of(0);
            delta.content = Some((*piece).into());
            let mut events = vec![
                ChatEvent::Start(Default::default()),
                ChatEvent::Delta(delta),
            ];
            join(&mut seam, &mut events);
            assert_eq!(events.len(), 1);
            if let Some(ChatEvent::Delta(delta)) = events.first() {
                all.push_str(&delta.content.as_ref().unwrap().decode());
            }
        }
        all
    }

    #[test]
    fn white_space_at_the_seam_stands_there_once() {
        assert_eq!(joined(" ", &[" b"]), "b");
        assert_eq!(joined(" ", &["b"]), "b");
        assert_eq!(joined("\n\n", &["\n", "\nb", "\nc"]), "b\nc");
        assert_eq!(joined("\n", &["\n\nb"]), "\nb");
        assert_eq!(joined("\n", &[" b", "\nc"]), " b\nc");
        assert_eq!(joined("", &[" b"]), " b");
        assert_eq!(joined(" ", &["", " b"]), "b");
    }

    #[test]
    fn limits_are_lowered_until_nothing_is_left() {
        let chat = |limit: u64| {
            let body = format!(
                r#"{{"messages":[{{"role":"user","content":"Hi"}}],"max_tokens":{limit}}}"#
            );
            ChatRequest::parse(&body.into()).unwrap()
        };
        let mut roomy = chat(100);
        lower(&mut roomy, Tokens::new(40)).unwrap();
        assert_eq!(roomy.max_output(), Some(Tokens::new(60)));
        assert_eq!(lower(&mut chat(40), Tokens::new(40)), None);
    }
}
