//! The soft preference for parameters: where some endpoints of a group support what was sent, the
//! others go. It never empties a group, unless the operator is strict about tools.

use waystation_core::Parameter;

use crate::{Reason, Trace, order::Candidate, rules::Question};

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
                let detail = format!("it does not take {parameter}");
                trace.drop_endpoint(candidate.endpoint, Reason::Parameters, detail);
            }
            !goes
        });
    }
}
