//! Replies as JSON and as server-sent events: the client's side of the wire. What upstreams say is
//! read elsewhere; here it is only written, text still escaped as it came.

mod metadata;
mod sse;
mod whole;

pub use metadata::{MEMBER as METADATA, Metadata};
pub use sse::{Held, Waiting, body as sse_body};
pub use whole::completion;

use waystation_core::{Cost, ObjectWriter, Tokens, Usd};
use waystation_gateway::Settled;

/// Writes `usage` with the cost beside it. Amounts are exact decimal literals; what is unknown is
/// `null`, never 0. Source: API contract, sections 1.7 and 9.1.
pub(crate) fn write_usage(settled: &Settled, out: &mut Vec<u8>) {
    let usage = &settled.usage;
    let mut object = ObjectWriter::open(out);
    object
        .number("prompt_tokens", usage.prompt.get())
        .number("completion_tokens", usage.completion.get())
        .number("total_tokens", usage.total_tokens().get());
    let mut details = object.object("prompt_tokens_details");
    details.number("cached_tokens", usage.cached.unwrap_or_default().get());
    optional(&mut details, "cache_write_tokens", usage.cache_write);
    details.number("audio_tokens", usage.prompt_audio.unwrap_or_default().get());
    optional(&mut details, "video_tokens", usage.prompt_video);
    details.close();
    let mut details = object.object("completion_tokens_details");
    details.number(
        "reasoning_tokens",
        usage.reasoning.unwrap_or_default().get(),
    );
    optional(&mut details, "audio_tokens", usage.completion_audio);
    optional(&mut details, "image_tokens", usage.completion_image);
    optional(
        &mut details,
        "accepted_prediction_tokens",
        usage.accepted_prediction,
    );
    optional(
        &mut details,
        "rejected_prediction_tokens",
        usage.rejected_prediction,
    );
    details.close();
    write_cost(&mut object, settled);
    write_searches(&mut object, settled);
    if usage.estimated {
        object.bool("estimated", true);
    }
    object.close();
}

/// `cost`, `is_byok`, `cost_details`. The gateway charges no fee of its own: `cost` is what the
/// provider and the services of plugins charge, so nothing is to be added to it.
fn write_cost(object: &mut ObjectWriter<'_>, settled: &Settled) {
    let fees = settled.spent.fee;
    amount(object, "cost", settled.total.map(|total| total + fees));
    object.bool("is_byok", false);
    let mut details = object.object("cost_details");
    let part = |part: fn(&Cost) -> Usd| settled.cost.as_ref().map(part);
    amount(&mut details, "upstream_inference_cost", settled.total);
    let prompt = part(|cost| cost.prompt);
    amount(&mut details, "upstream_inference_prompt_cost", prompt);
    let completion = part(|cost| cost.completion);
    amount(
        &mut details,
        "upstream_inference_completions_cost",
        completion,
    );
    if let Some(hedge) = settled.hedge {
        amount(&mut details, "hedge_cost", Some(hedge));
    }
    if let Some(continued) = settled.continued {
        amount(&mut details, "continued_cost", Some(continued));
    }
    if fees != Usd::ZERO {
        amount(&mut details, "plugin_fees", Some(fees));
    }
    details.close();
}

/// Searches of the provider and of the gateway, and calls of the gateway's tools, in both spellings
/// that clients know.
fn write_searches(object: &mut ObjectWriter<'_>, settled: &Settled) {
    let spent = settled.spent;
    let searches = settled.usage.web_searches;
    if searches.is_none() && spent.searches == 0 && spent.tool_calls_requested == 0 {
        return;
    }
    let searches = searches.unwrap_or_default().saturating_add(spent.searches);
    let mut inner = object.object("server_tool_use");
    inner.number("web_search_requests", searches);
    inner.close();
    let mut inner = object.object("server_tool_use_details");
    if spent.tool_calls_requested > 0 {
        inner
            .number("tool_calls_requested", spent.tool_calls_requested)
            .number("tool_calls_executed", spent.tool_calls_executed);
    }
    inner.number("web_search_requests", searches);
    inner.close();
}

fn optional(object: &mut ObjectWriter<'_>, key: &str, count: Option<Tokens>) {
    if let Some(count) = count {
        object.number(key, count.get());
    }
}

fn amount(object: &mut ObjectWriter<'_>, key: &str, amount: Option<Usd>) {
    let Some(amount) = amount else {
        object.null(key);
        return;
    };
    amount.write(object.key(key));
}
