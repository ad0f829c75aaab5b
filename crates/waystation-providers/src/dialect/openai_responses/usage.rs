//! Token counts. What a request costs by them is reckoned elsewhere.
//!
//! | count | where it stands |
//! |---|---|
//! | prompt, cached, written to the cache | `input_tokens`, `input_tokens_details.cached_tokens`, `.cache_write_tokens` |
//! | answer, reasoning | `output_tokens`, `output_tokens_details.reasoning_tokens` |
//! | searches | `server_side_tool_usage_details.web_search_calls` of xAI, else the searches in the output |
//! | charge | `cost_in_usd_ticks` of xAI |
//!
//! Cached tokens lie inside the prompt and reasoning inside the answer, at every recorded host.

use waystation_core::{Json, Tokens, Usage, Usd};

/// Femto-dollars in one of xAI's ticks, of which ten thousand million are a dollar. Source: recorded
/// bills against published prices, 2026-08.
const TICK: u128 = 100_000;

/// Reads the `usage` of a response; `None` when it counts nothing. `searches` is how many searches
/// the output tells of, for hosts that do not count them.
pub(super) fn read(json: Json<'_>, searches: u64) -> Option<Usage> {
    let count = |path: &[&str]| json.at(path).and_then(Json::u64);
    let tokens = |path: &[&str]| count(path).map(Tokens::new);
    let (prompt, completion) = (tokens(&["input_tokens"]), tokens(&["output_tokens"]));
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let mut usage = Usage::default();
    usage.prompt = prompt.unwrap_or_default();
    usage.completion = completion.unwrap_or_default();
    usage.total = tokens(&["total_tokens"]);
    usage.cached = tokens(&["input_tokens_details", "cached_tokens"]);
    usage.cache_write = tokens(&["input_tokens_details", "cache_write_tokens"]);
    usage.prompt_audio = tokens(&["input_tokens_details", "audio_tokens"]);
    usage.reasoning = tokens(&["output_tokens_details", "reasoning_tokens"]);
    usage.completion_audio = tokens(&["output_tokens_details", "audio_tokens"]);
    usage.completion_image = tokens(&["output_tokens_details", "image_tokens"]);
    let counted = count(&["server_side_tool_usage_details", "web_search_calls"]);
    usage.web_searches = counted.or((searches > 0).then_some(searches));
    let ticks = count(&["cost_in_usd_ticks"]);
    usage.upstream_cost = ticks.map(|ticks| Usd::from_femtos(u128::from(ticks) * TICK));
    Some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_a_ten_thousand_millionth_of_a_dollar() {
        let text = br#"{"input_tokens":283,"output_tokens":278,"cost_in_usd_ticks":9143500}"#;
        let usage = read(Json::parse(text).unwrap(), 2).unwrap();
        assert_eq!(usage.upstream_cost.unwrap().to_string(), "0.00091435");
        assert_eq!(usage.web_searches, Some(2));
    }
}
