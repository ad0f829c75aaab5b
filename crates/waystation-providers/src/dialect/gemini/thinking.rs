//! The wish to reason as `thinkingConfig`. Models of the third generation take levels, earlier ones
//! budgets; a wish in the other measure is converted by the contract's ratios (section 1.4) and
//! moved to the nearest value that the model takes.
//!
//! | models | takes | off |
//! |---|---|---|
//! | 2.5 Pro | budgets from 128 to 32,768 | never |
//! | 2.5 Flash | budgets from 1 to 24,576 | budget 0 |
//! | 2.5 Flash-Lite | budgets from 512 to 24,576; off unless asked | budget 0 |
//! | 3 Flash and smaller | `minimal`, `low`, `medium`, `high` | `minimal` is the least |
//! | 3 Pro | `low`, `high` | never |
//! | 3.1 Pro and later | `low`, `medium`, `high` | never |
//!
//! A budget that the client names goes to any of them, as a budget: levels and budgets exclude each
//! other, and the third generation still takes budgets. Thoughts are shown when reasoning is asked
//! for, unless they are to be hidden.
//! Source: <https://ai.google.dev/gemini-api/docs/thinking> (2026-08-22).

use waystation_core::{ChatRequest, Effort, EncodeError, Note, ObjectWriter, Reasoning, Target};

use super::{note, site::Family, unsupported};

/// The answer length that budgets are reckoned against when neither the request nor the catalogue
/// gives one.
const USUAL_OUTPUT: u64 = 32_768;

/// The `thinkingConfig` of a request; `None` when it says nothing about reasoning.
///
/// # Errors
/// [`EncodeError::Unsupported`] when reasoning is to be off and the model cannot do without.
pub(super) fn config(
    chat: &ChatRequest,
    to: &Target<'_>,
    notes: &mut Vec<Note>,
) -> Result<Option<Vec<u8>>, EncodeError> {
    let Some(wish) = chat.reasoning() else {
        return Ok(None);
    };
    let Some(wanted) = wish.wanted() else {
        return Ok(None);
    };
    let family = Family::of(&to.endpoint.upstream_model);
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    if wanted {
        let output = chat.max_output().or(to.endpoint.max_output);
        let output = output.map_or(USUAL_OUTPUT, |tokens| tokens.get());
        measure(&wish, family, output, &mut object, notes);
        object.bool("includeThoughts", !wish.exclude);
    } else {
        off(&wish, family, &to.endpoint.upstream_model, &mut object)?;
    }
    object.close();
    Ok(Some(out))
}

/// How much: a level, a budget, or the host's own choice for a bare switch.
fn measure(
    wish: &Reasoning,
    family: Family,
    output: u64,
    object: &mut ObjectWriter<'_>,
    notes: &mut Vec<Note>,
) {
    if let Some(budget) = wish.max_tokens {
        let fitting = fit(budget, family);
        if fitting != budget {
            note(
                notes,
                "reasoning.max_tokens",
                format!("{fitting}: the nearest budget that the model takes"),
            );
        }
        object.number("thinkingBudget", fitting);
        return;
    }
    match wish.effort {
        Some(effort) if family.takes_levels() => {
            object.string("thinkingLevel", level(effort, family));
        }
        Some(effort) => {
            object.number("thinkingBudget", fit(effort.budget(output), family));
        }
        // The small models of 2.5 think only when told to; -1 leaves the amount to them.
        None if family.lite && !family.takes_levels() => {
            object.raw("thinkingBudget", b"-1");
        }
        None => {}
    }
}

/// No thinking, or as little as the model can do with.
fn off(
    wish: &Reasoning,
    family: Family,
    model: &str,
    object: &mut ObjectWriter<'_>,
) -> Result<(), EncodeError> {
    let field = match (wish.effort, wish.max_tokens) {
        (Some(Effort::None), _) => "reasoning.effort",
        (_, Some(0)) => "reasoning.max_tokens",
        _ => "reasoning.enabled",
    };
    if family.pro && family.generation >= 25 {
        let reason =
            format!("{model} always reasons; expected a level from low up or no wish at all");
        return Err(unsupported(field, reason));
    }
    if family.takes_levels() {
        object.string("thinkingLevel", "minimal");
    } else {
        object.number("thinkingBudget", 0);
    }
    Ok(())
}

/// The nearest budget that a model takes.
fn fit(budget: u64, family: Family) -> u64 {
    let (low, high) = match (family.pro, family.lite) {
        (true, _) => (128, 32_768),
        (_, true) => (512, 24_576),
        _ => (1, 24_576),
    };
    budget.clamp(low, high)
}

/// The nearest level that a model takes.
const fn level(effort: Effort, family: Family) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal if family.pro => "low",
        Effort::None | Effort::Minimal => "minimal",
        Effort::Low => "low",
        // The first large model of the third generation knew two levels only.
        Effort::Medium if family.pro && family.generation == 30 => "high",
        Effort::Medium => "medium",
        Effort::High | Effort::Xhigh | Effort::Max => "high",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_budgets_are_those_of_the_model() {
        let of = Family::of;
        assert_eq!(
            level(Effort::Minimal, of("gemini-3-flash-preview")),
            "minimal"
        );
        assert_eq!(level(Effort::Minimal, of("gemini-3.1-pro-preview")), "low");
        assert_eq!(level(Effort::Medium, of("gemini-3-pro-preview")), "high");
        assert_eq!(
            level(Effort::Medium, of("gemini-3.1-pro-preview")),
            "medium"
        );
        assert_eq!(level(Effort::Max, of("gemini-3-flash-preview")), "high");
        assert_eq!(fit(100_000, of("gemini-2.5-flash")), 24_576);
        assert_eq!(fit(1, of("gemini-2.5-pro")), 128);
        assert_eq!(fit(1, of("gemini-2.5-flash-lite")), 512);
    }
}
