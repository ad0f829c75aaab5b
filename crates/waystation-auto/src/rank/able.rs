//! Who can take a request at all. What is better for it is not decided here.

use waystation_catalog::Model;
use waystation_core::{Ask, Tokens};

/// Whether the model takes the kinds of content and the size of the request.
///
/// The pool of a gateway has been through this already, endpoint by endpoint; a pool that was given by hand
/// has not.
pub(super) fn can_take(model: &Model, ask: &Ask) -> bool {
    let fits = |limit: Option<Tokens>, wanted| limit.is_none_or(|limit| wanted <= limit);
    let size = ask.prompt_at_least + ask.max_output.unwrap_or_default();
    let needed = ask
        .input
        .iter()
        .filter(|kind| !ask.hints.handled.has(*kind));
    model.input.covers(needed.collect())
        && model.output.covers(ask.output)
        && (ask.hints.compressible || fits(model.context_length, size))
        && fits(model.max_output, ask.max_output.unwrap_or_default())
}
