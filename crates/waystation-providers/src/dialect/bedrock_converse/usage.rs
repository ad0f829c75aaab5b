//! Token counts. Converse counts the prompt without what was read from the cache and written to it;
//! here the prompt is all of it. Some models repeat the counts under names that end in `Count`.
//!
//! | count | where it stands |
//! |---|---|
//! | prompt | `inputTokens` + `cacheReadInputTokens` + `cacheWriteInputTokens` |
//! | cached, written | `cacheReadInputTokens`, `cacheWriteInputTokens` |
//! | written for an hour | `cacheDetails[]` with `ttl: "1h"` |
//! | answer, total | `outputTokens`, `totalTokens` |

use waystation_core::{Json, Tokens, Usage};

/// Reads the `usage` of a reply; `None` when it counts nothing.
pub(super) fn read(json: Json<'_>) -> Option<Usage> {
    let count = |key: &str| json.get(key).and_then(Json::u64).map(Tokens::new);
    let plain = count("inputTokens");
    let answer = count("outputTokens");
    if plain.is_none() && answer.is_none() {
        return None;
    }
    let mut usage = Usage::default();
    usage.cached = count("cacheReadInputTokens").or_else(|| count("cacheReadInputTokenCount"));
    usage.cache_write =
        count("cacheWriteInputTokens").or_else(|| count("cacheWriteInputTokenCount"));
    let (cached, written) = (usage.cached, usage.cache_write);
    usage.prompt =
        plain.unwrap_or_default() + cached.unwrap_or_default() + written.unwrap_or_default();
    usage.completion = answer.unwrap_or_default();
    usage.total = count("totalTokens");
    let details = json
        .get("cacheDetails")
        .into_iter()
        .flat_map(Json::elements);
    usage.cache_write_1h = details
        .filter(|detail| detail.get("ttl").is_some_and(|ttl| ttl.is("1h")))
        .find_map(|detail| detail.get("inputTokens").and_then(Json::u64))
        .map(Tokens::new);
    Some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_are_a_part_of_the_prompt() {
        let text = br#"{"inputTokens":12,"outputTokens":250,"totalTokens":1290,"cacheReadInputTokens":1000,"cacheWriteInputTokens":28,"cacheDetails":[{"ttl":"1h","inputTokens":28}]}"#;
        let usage = read(Json::parse(text).unwrap()).unwrap();
        assert_eq!(usage.prompt, Tokens::new(1040));
        assert_eq!(usage.total, Some(usage.sum()));
        assert_eq!(usage.cache_write_1h, Some(Tokens::new(28)));
    }
}
