//! Replies as JSON and as server-sent events: the client's side of the wire. What upstreams say is
//! read elsewhere; here it is only written, text still escaped as it came.

mod buffer;
mod metadata;
mod sse;
mod whole;

pub(crate) use buffer::Lent;
pub use metadata::{MEMBER as METADATA, Metadata};
pub use sse::{Held, Waiting, body as sse_body};
pub(crate) use whole::completion;

use waystation_core::{Tokens, Usd, write_number};
use waystation_gateway::Settled;

/// Writes `usage` with the cost beside it. Amounts are exact decimal literals; what is unknown is
/// `null`, never 0. Source: API contract, sections 1.7 and 9.1.
pub(crate) fn write_usage(settled: &Settled, out: &mut Vec<u8>) {
    let usage = &settled.usage;
    let known = |count: Option<Tokens>| count.unwrap_or_default().get();
    let optional = |out: &mut Vec<u8>, name, count: Option<Tokens>| {
        if let Some(count) = count {
            number(out, name, count.get());
        }
    };
    number(out, r#"{"prompt_tokens":"#, usage.prompt.get());
    number(out, r#","completion_tokens":"#, usage.completion.get());
    number(out, r#","total_tokens":"#, usage.total_tokens().get());
    let cached = r#","prompt_tokens_details":{"cached_tokens":"#;
    number(out, cached, known(usage.cached));
    optional(out, r#","cache_write_tokens":"#, usage.cache_write);
    number(out, r#","audio_tokens":"#, known(usage.prompt_audio));
    optional(out, r#","video_tokens":"#, usage.prompt_video);
    let reasoning = r#"},"completion_tokens_details":{"reasoning_tokens":"#;
    number(out, reasoning, known(usage.reasoning));
    optional(out, r#","audio_tokens":"#, usage.completion_audio);
    optional(out, r#","image_tokens":"#, usage.completion_image);
    let accepted = r#","accepted_prediction_tokens":"#;
    optional(out, accepted, usage.accepted_prediction);
    let rejected = r#","rejected_prediction_tokens":"#;
    optional(out, rejected, usage.rejected_prediction);
    out.push(b'}');
    write_cost(settled, out);
    write_searches(settled, out);
    if usage.estimated {
        out.extend_from_slice(br#","estimated":true"#);
    }
    out.push(b'}');
}

/// `cost`, `is_byok`, `cost_details`. The gateway charges no fee of its own: `cost` is what the
/// provider and the services of plugins charge, so nothing is to be added to it.
fn write_cost(settled: &Settled, out: &mut Vec<u8>) {
    let (fees, cost) = (settled.spent.fee, settled.cost.as_ref());
    let total = settled.total.map(|total| total + fees);
    amount(out, r#","cost":"#, total);
    let upstream = r#","is_byok":false,"cost_details":{"upstream_inference_cost":"#;
    amount(out, upstream, settled.total);
    let prompt = r#","upstream_inference_prompt_cost":"#;
    amount(out, prompt, cost.map(|cost| cost.prompt));
    let completion = r#","upstream_inference_completions_cost":"#;
    amount(out, completion, cost.map(|cost| cost.completion));
    if settled.hedge.is_some() {
        amount(out, r#","hedge_cost":"#, settled.hedge);
    }
    if settled.continued.is_some() {
        amount(out, r#","continued_cost":"#, settled.continued);
    }
    if fees != Usd::ZERO {
        amount(out, r#","plugin_fees":"#, Some(fees));
    }
    out.push(b'}');
}

/// Searches of the provider and of the gateway, and calls of the gateway's tools, in both spellings
/// that clients know.
fn write_searches(settled: &Settled, out: &mut Vec<u8>) {
    let spent = settled.spent;
    let searches = settled.usage.web_searches;
    if searches.is_none() && spent.searches == 0 && spent.tool_calls_requested == 0 {
        return;
    }
    let searches = searches.unwrap_or_default().saturating_add(spent.searches);
    let plain = r#","server_tool_use":{"web_search_requests":"#;
    number(out, plain, searches);
    out.extend_from_slice(br#"},"server_tool_use_details":{"#);
    if spent.tool_calls_requested > 0 {
        number(
            out,
            r#""tool_calls_requested":"#,
            spent.tool_calls_requested,
        );
        number(out, r#","tool_calls_executed":"#, spent.tool_calls_executed);
        out.push(b',');
    }
    number(out, r#""web_search_requests":"#, searches);
    out.push(b'}');
}

/// A count, behind all that stands before it.
fn number(out: &mut Vec<u8>, before: &str, count: u64) {
    out.extend_from_slice(before.as_bytes());
    write_number(count, out);
}

/// An amount, likewise.
fn amount(out: &mut Vec<u8>, before: &str, amount: Option<Usd>) {
    out.extend_from_slice(before.as_bytes());
    match amount {
        Some(amount) => amount.write(out),
        None => out.extend_from_slice(b"null"),
    }
}
