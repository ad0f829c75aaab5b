//! The wish to reason, spelled as the host spells it. The client's three spellings have been taken
//! out of the body; exactly one goes back in.
//!
//! Levels and budgets are converted by the contract's ratios (section 1.4). What a spelling cannot
//! say is left out: a host that takes levels is not told to hide its reasoning, the reader hides
//! it. A level that a model lacks is not mapped here: rows do not say which levels there are.

use waystation_core::{ChatRequest, Effort, ObjectWriter, Reasoning, ReasoningRequest, Target};

/// The answer length that budgets are reckoned against when neither the request nor the catalogue
/// gives one.
const USUAL_OUTPUT: u64 = 32_768;

/// Writes the wish, unless the request says nothing of it. Members that are `taken`, because the
/// client spelled them for this very host, are left to the client.
pub(super) fn write(
    chat: &ChatRequest,
    to: &Target<'_>,
    object: &mut ObjectWriter<'_>,
    taken: impl Fn(&str) -> bool,
) {
    let Some(wish) = chat.reasoning() else {
        return;
    };
    let output = chat
        .max_output()
        .or(to.endpoint.max_output)
        .map_or(USUAL_OUTPUT, |tokens| tokens.get());
    match to.upstream.quirks.reasoning {
        ReasoningRequest::Effort => {
            if let Some(effort) = effort(&wish, output) {
                object.string("reasoning_effort", effort.as_str());
            }
        }
        ReasoningRequest::Object => whole_object(chat, &wish, object),
        ReasoningRequest::EnableThinking => {
            let Some(wanted) = wish.wanted() else {
                return;
            };
            if !taken("enable_thinking") {
                object.bool("enable_thinking", wanted);
            }
            if let Some(budget) = budget(&wish, output).filter(|_| wanted)
                && !taken("thinking_budget")
            {
                object.number("thinking_budget", budget);
            }
        }
        ReasoningRequest::Thinking => {
            if let Some(wanted) = wish.wanted().filter(|_| !taken("thinking")) {
                let word = if wanted { "enabled" } else { "disabled" };
                let mut thinking = object.object("thinking");
                thinking.string("type", word);
                thinking.close();
            }
        }
        ReasoningRequest::Never => {}
    }
}

/// The level asked for; a budget becomes the nearest level, a bare switch the usual one.
fn effort(wish: &Reasoning, output: u64) -> Option<Effort> {
    match (wish.wanted()?, wish.effort, wish.max_tokens) {
        (false, _, _) => Some(Effort::None),
        (true, Some(effort), _) => Some(effort),
        (true, None, Some(budget)) => Some(Effort::nearest(budget, output)),
        (true, None, None) => Some(Effort::Medium),
    }
}

/// The budget asked for, in tokens; a bare switch leaves it to the host.
fn budget(wish: &Reasoning, output: u64) -> Option<u64> {
    wish.max_tokens
        .or_else(|| wish.effort.map(|effort| effort.budget(output)))
}

/// The client's own object, completed by what it said in the older spellings.
fn whole_object(chat: &ChatRequest, wish: &Reasoning, object: &mut ObjectWriter<'_>) {
    let sent = chat.get("reasoning");
    let mut inner = object.object("reasoning");
    for (key, value) in sent.into_iter().flat_map(|sent| sent.members()) {
        inner
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    let lacks = |key: &str| sent.and_then(|sent| sent.get(key)).is_none();
    if let Some(effort) = wish.effort.filter(|_| lacks("effort")) {
        inner.string("effort", effort.as_str());
    }
    if wish.exclude && lacks("exclude") {
        inner.bool("exclude", true);
    }
    if let Some(enabled) = wish.enabled.filter(|_| lacks("enabled")) {
        inner.bool("enabled", enabled);
    }
    inner.close();
}
