//! The wish to reason, as the model's generation wants it: `thinking` with a budget or adaptive, and
//! `output_config.effort`. What thinking excludes is decided here too, so that a request which says
//! both leaves as one that is answered.
//!
//! Source: API contract, sections 1.2 and 1.4; OpenRouter's migration guides for Claude 4.6, 4.7 and
//! Sonnet 5 (2026-06-22): an effort without a budget is adaptive thinking with that effort,
//! `verbosity` wins over it.
//!
//! | the client says | models with budgets | models that adapt |
//! |---|---|---|
//! | nothing | nothing | nothing; from 5 on they think all the same |
//! | `enabled: true` | half of the limit as budget | `adaptive` |
//! | an effort | its share of the limit | `adaptive` with that effort |
//! | `max_tokens` | that budget, at least 1024 | 4.6: that budget; later the nearest effort |
//! | `effort: "none"`, `enabled: false` | nothing | from 5 on `disabled`, else nothing |
//! | `exclude: true` | no change: the reader hides it | its text is not asked for |
//!
//! A budget lies below the limit on output. With a limit of the client's own the budget is cut, or
//! left out below 1025 tokens; without one the limit grows above the budget. Thinking gives way to a
//! forced tool, and a budget to a conversation whose last turn has lost its thinking, as it does when
//! another model made that turn: both would be refused.

use waystation_core::{Effort, Json, Message, Note, ObjectWriter, Parameter, Role};

use super::{FORMAT, generation::Generation};
use crate::{
    demand::{Demand, note},
    ran,
    thought::{Block, Thought},
};

/// The least budget that is taken, in tokens.
const MIN_BUDGET: u64 = 1024;
/// What is left for the answer when a budget sets the limit on output.
const ANSWER: u64 = 4096;
/// The limit on output when neither the request nor the catalogue gives one.
const USUAL_OUTPUT: u64 = 4096;

/// How a request is to be thought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) struct Thinking {
    /// What `thinking` says.
    pub(in crate::dialect) mode: Mode,
    /// `output_config.effort`.
    pub(in crate::dialect) effort: Option<&'static str>,
    /// `max_tokens`, which thinking is a part of.
    pub(in crate::dialect) limit: u64,
}

/// What `thinking` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Mode {
    /// Nothing: the model does what it does unasked.
    Unsaid,
    /// `disabled`.
    Off,
    /// `enabled`, with this many tokens: from 1024 up, below the limit on output.
    Budget(u64),
    /// `adaptive`.
    Adaptive {
        /// The text of thinking is asked for: newer models send the signature alone unasked.
        ask: bool,
    },
}

// === impl Thinking ===

impl Thinking {
    /// Decides for one request. `forced` says that the client wants a tool to be called: thinking
    /// gives way to that.
    pub(in crate::dialect) fn of(
        demand: &Demand<'_>,
        generation: Generation,
        forced: bool,
        notes: &mut Vec<Note>,
    ) -> Self {
        let said = demand.limit();
        let mut limit = said.unwrap_or_else(|| default_limit(demand));
        let mut mode = Self::wished(demand, generation);
        if forced && mode.is_on() {
            let what = "left out: it excludes a forced choice of a tool";
            note(notes, "reasoning", what);
            mode = Mode::Unsaid;
        }
        if let Mode::Budget(budget) = mode {
            mode = match (budget < limit, said) {
                (true, _) => mode,
                (false, None) => {
                    limit = budget.saturating_add(ANSWER);
                    mode
                }
                (false, Some(_)) if limit > MIN_BUDGET => {
                    note(notes, "reasoning", "cut to what max_tokens leaves room for");
                    Mode::Budget(limit - 1)
                }
                (false, Some(_)) => {
                    note(
                        notes,
                        "reasoning",
                        "left out: max_tokens has no room for it",
                    );
                    Mode::Unsaid
                }
            };
        }
        if matches!(mode, Mode::Budget(_)) && lacks_thinking(demand) {
            let what = "left out: the last turn of the assistant came without its thinking";
            note(notes, "reasoning", what);
            mode = Mode::Unsaid;
        }
        Self {
            mode,
            effort: effort(demand, generation, mode),
            limit,
        }
    }

    /// What the client's wish comes to, before anything else is looked at.
    fn wished(demand: &Demand<'_>, generation: Generation) -> Mode {
        let Some(wish) = demand.reasoning else {
            return Mode::Unsaid;
        };
        match wish.wanted() {
            None => Mode::Unsaid,
            Some(false) if generation.thinks_unasked() => Mode::Off,
            Some(false) => Mode::Unsaid,
            Some(true) if wish.max_tokens.is_some() && generation.takes_budget() => {
                Mode::Budget(demand.budget().unwrap_or_default().max(MIN_BUDGET))
            }
            Some(true) if generation.is_adaptive() => Mode::Adaptive {
                ask: generation.hides_thinking() && !wish.exclude,
            },
            Some(true) => Mode::Budget(demand.budget().unwrap_or_default().max(MIN_BUDGET)),
        }
    }
}

// === impl Mode ===

impl Mode {
    /// Whether thinking was asked for.
    pub(in crate::dialect) const fn is_on(self) -> bool {
        matches!(self, Self::Budget(_) | Self::Adaptive { .. })
    }

    /// Writes the member `thinking`, if there is anything to say.
    pub(in crate::dialect) fn write(self, out: &mut Vec<u8>) -> bool {
        let mut object = match self {
            Self::Unsaid => return false,
            _ => ObjectWriter::open(out),
        };
        match self {
            Self::Unsaid => {}
            Self::Off => {
                object.string("type", "disabled");
            }
            Self::Budget(tokens) => {
                object.string("type", "enabled");
                object.number("budget_tokens", tokens);
            }
            Self::Adaptive { ask } => {
                object.string("type", "adaptive");
                if ask {
                    object.string("display", "summarized");
                }
            }
        }
        object.close();
        true
    }
}

/// `verbosity` where it was sent, else the level of adaptive thinking.
fn effort(demand: &Demand<'_>, generation: Generation, mode: Mode) -> Option<&'static str> {
    let said = demand.get(Parameter::Verbosity).and_then(Json::string);
    if let Some(wished) = said.and_then(|word| Effort::named(&word)) {
        return generation.effort(wished);
    }
    let wish = demand.reasoning?;
    let levelled = wish.effort.is_some() || wish.max_tokens.is_some();
    let adaptive = matches!(mode, Mode::Adaptive { .. }) && levelled;
    generation.effort(demand.effort().filter(|_| adaptive)?)
}

/// The longest answer of the endpoint, as far as the context has room beside the prompt: a wish for
/// more is refused by models that know both. Two bytes a token is more than any prompt needs.
fn default_limit(demand: &Demand<'_>) -> u64 {
    let endpoint = demand.to.endpoint;
    let longest = endpoint.max_output.map_or(USUAL_OUTPUT, |max| max.get());
    let room = endpoint.context_length.map_or(longest, |context| {
        context.get().saturating_sub(demand.chat.prompt_bytes() / 2)
    });
    longest.min(room.max(USUAL_OUTPUT))
}

/// Whether the assistant's last turn is still going on, in a tool loop or as words to be continued,
/// and has no thinking in front. With a budget that is refused.
fn lacks_thinking(demand: &Demand<'_>) -> bool {
    let mut turn = None;
    for message in demand.chat.messages() {
        match message.role() {
            Role::Assistant => turn = Some(message),
            Role::User => turn = None,
            Role::System | Role::Developer | Role::Tool | Role::Function => {}
        }
    }
    let native = |turn: &Message<'_>| {
        let mut parts = turn.content().parts();
        parts.any(|part| matches!(&*part.kind(), "thinking" | "redacted_thinking"))
    };
    turn.is_some_and(|turn| !native(&turn) && !Block::all(turn.json(), FORMAT).iter().any(is_whole))
}

/// Whether a block can go back: thinking needs its signature.
pub(in crate::dialect) fn is_whole(block: &Block<'_>) -> bool {
    match block.thought {
        Thought::Text => block.signature.is_some(),
        Thought::Encrypted => !block.text.is_empty(),
        Thought::Summary => false,
        Thought::Ran => {
            let step = ["arguments", "result"];
            step.into_iter()
                .any(|key| ran::held(block.detail, key).is_some())
        }
    }
}
