//! The soft preferences: where some endpoints support what was sent, or have room for a prompt that
//! would have to be compressed, the others go. They never empty a group, unless the operator is
//! strict about tools.

use waystation_core::{Endpoint, Parameter, Tokens};

use crate::{Reason, Trace, detail::Told, order::Candidate, rules::Question};

/// The parameters that endpoints are preferred for. Source: API contract, section 3.4, D.
const PREFERRED: [Parameter; 4] = [
    Parameter::Tools,
    Parameter::ResponseFormat,
    Parameter::StructuredOutputs,
    Parameter::Verbosity,
];

/// Keeps, in each group, the endpoints that take what was sent, where there are any. `group` says
/// which candidates stand together: those of one model, or of one router.
pub(crate) fn prefer_parameters<'a>(
    question: &Question<'_>,
    live: &mut Vec<Candidate<'a>>,
    trace: &mut Trace,
    group: impl Fn(&Candidate<'a>) -> usize,
) {
    for parameter in PREFERRED {
        if !question.ask.parameters.has(parameter) {
            continue;
        }
        let takes = |candidate: &Candidate<'_>| candidate.endpoint.parameters.takes(parameter);
        if live.iter().all(takes) {
            continue;
        }
        let mut groups: Vec<usize> = live.iter().map(&group).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut supported = groups.clone();
        supported.retain(|of| live.iter().any(|c| group(c) == *of && takes(c)));
        let strict = question.world.policy.strict && parameter == Parameter::Tools;
        if supported.len() < groups.len() && !strict {
            let model = live.iter().find(|c| !supported.contains(&group(c)));
            if let Some(model) = model.map(|candidate| &candidate.model.id) {
                trace.notes.push(format!(
                    "{parameter}: no endpoint of {model} supports it, so it is not sent"
                ));
            }
        }
        live.retain(|candidate| {
            let goes = !takes(candidate) && (strict || supported.contains(&group(candidate)));
            if goes {
                let detail = Told::Parameter(parameter).into();
                trace.drop_endpoint(candidate.endpoint, Reason::Parameters, detail);
            }
            !goes
        });
    }
}

/// Where a prompt may be compressed, endpoints with at least half of the room that it needs go
/// before smaller ones, and the largest of all where there are none; where compression was not
/// asked for, those of the same group that need none go before those that do.
///
/// Source: API contract, section 7.4, 1.
pub(crate) fn prefer_room<'a>(
    question: &Question<'_>,
    live: &mut Vec<Candidate<'a>>,
    trace: &mut Trace,
    group: impl Fn(&Candidate<'a>) -> usize,
) {
    let needed = question.needed();
    let limit = |endpoint: &Endpoint| endpoint.context_length.unwrap_or(Tokens::new(u64::MAX));
    let fits = |candidate: &Candidate<'_>| needed <= limit(candidate.endpoint);
    if live.iter().all(fits) {
        return;
    }
    let half = Tokens::new(needed.get().div_ceil(2));
    let largest = live.iter().map(|candidate| limit(candidate.endpoint)).max();
    let least = half.min(largest.unwrap_or(half));
    let mut whole: Vec<usize> = Vec::new();
    if !question.ask.hints.compressible {
        whole.extend(live.iter().filter(|candidate| fits(candidate)).map(&group));
    }
    live.retain(|candidate| {
        let room = limit(candidate.endpoint);
        let stays = room >= least && (fits(candidate) || !whole.contains(&group(candidate)));
        if !stays {
            let detail = Told::Room(needed, room).into();
            trace.drop_endpoint(candidate.endpoint, Reason::ContextLength, detail);
        }
        stays
    });
}
