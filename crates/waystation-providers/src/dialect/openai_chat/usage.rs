//! Token counts, under the several names that hosts give them. Counts replace each other, they are
//! never added over chunks. What a request costs by them is reckoned elsewhere.
//!
//! | count | names, the first that is there |
//! |---|---|
//! | cached | `prompt_tokens_details.cached_tokens`, `prompt_cache_hit_tokens` (DeepSeek), `cached_tokens` (Together), `num_cached_tokens` (Mistral), `cache_read_input_tokens` (Doubleword) |
//! | cache write | `prompt_tokens_details.cache_write_tokens` (OpenRouter), `.cache_creation_tokens`, `cache_creation_input_tokens` |
//! | reasoning | `completion_tokens_details.reasoning_tokens`, `reasoning_tokens` |
//! | searches | `server_tool_use_details.web_search_requests`, `server_tool_use.web_search_requests`, `num_search_queries` |
//! | charge | `cost`, `cost.total_cost` |

use waystation_core::{Json, Kind, Tokens, Usage, Usd};

/// Reads a `usage` object; `None` when it counts nothing: an empty object, which some hosts send
/// with every chunk, must not replace counts that came before.
pub(super) fn read(json: Json<'_>) -> Option<Usage> {
    let count = |path: &[&str]| json.at(path).and_then(Json::u64).map(Tokens::new);
    let first = |paths: &[&[&str]]| paths.iter().find_map(|path| count(path));
    let (prompt, completion) = (count(&["prompt_tokens"]), count(&["completion_tokens"]));
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let mut usage = Usage::default();
    usage.prompt = prompt.unwrap_or_default();
    usage.completion = completion.unwrap_or_default();
    usage.total = count(&["total_tokens"]);
    usage.cached = first(&[
        &["prompt_tokens_details", "cached_tokens"],
        &["prompt_cache_hit_tokens"],
        &["cached_tokens"],
        &["num_cached_tokens"],
        &["cache_read_input_tokens"],
    ]);
    usage.cache_write = first(&[
        &["prompt_tokens_details", "cache_write_tokens"],
        &["prompt_tokens_details", "cache_creation_tokens"],
        &["cache_creation_input_tokens"],
    ]);
    usage.cache_write_1h = count(&["cache_creation", "ephemeral_1h_input_tokens"]);
    usage.prompt_audio = count(&["prompt_tokens_details", "audio_tokens"]);
    usage.prompt_video = count(&["prompt_tokens_details", "video_tokens"]);
    usage.reasoning = first(&[
        &["completion_tokens_details", "reasoning_tokens"],
        &["reasoning_tokens"],
    ]);
    let answer = |key| count(&["completion_tokens_details", key]);
    usage.completion_audio = answer("audio_tokens");
    usage.completion_image = answer("image_tokens");
    usage.accepted_prediction = answer("accepted_prediction_tokens");
    usage.rejected_prediction = answer("rejected_prediction_tokens");
    usage.web_searches = [
        &["server_tool_use_details", "web_search_requests"][..],
        &["server_tool_use", "web_search_requests"],
        &["num_search_queries"],
    ]
    .into_iter()
    .find_map(|path| json.at(path).and_then(Json::u64));
    usage.upstream_cost = cost(json);
    add_what_is_apart(&mut usage);
    Some(usage)
}

/// What the host says it charges: a number, or an object with a total. Read from the number's text,
/// never through a float; an amount that is none (negative, not a number) is no amount.
fn cost(json: Json<'_>) -> Option<Usd> {
    let cost = json.get("cost")?;
    let amount = match cost.kind() {
        Kind::Object => cost.get("total_cost")?,
        _ => cost,
    };
    let text = match amount.kind() {
        Kind::Number => amount.text(),
        _ => amount.string()?,
    };
    Usd::from_decimal_rounded(&text).ok()
}

/// xAI counts reasoning beside the answer instead of inside it, and Mistral audio beside the prompt.
/// The total tells.
fn add_what_is_apart(usage: &mut Usage) {
    let reasoning = usage.reasoning.unwrap_or_default();
    let audio = usage.prompt_audio.unwrap_or_default();
    if reasoning > Tokens::ZERO && usage.total == Some(usage.sum() + reasoning) {
        usage.completion = usage.completion + reasoning;
    } else if audio > Tokens::ZERO && usage.total == Some(usage.sum() + audio) {
        usage.prompt = usage.prompt + audio;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(text: &str) -> Usage {
        read(Json::parse(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn other_names_are_understood() {
        let found =
            usage(r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":4}"#);
        assert_eq!(found.cached, Some(Tokens::new(4)));
        let found = usage(
            r#"{"prompt_tokens":9,"completion_tokens":1,"num_cached_tokens":3,"prompt_tokens_details":null}"#,
        );
        assert_eq!(found.cached, Some(Tokens::new(3)));
    }

    #[test]
    fn reasoning_beside_the_answer_is_added_to_it() {
        let apart = r#"{"prompt_tokens":12,"completion_tokens":2,"total_tokens":334,"completion_tokens_details":{"reasoning_tokens":320}}"#;
        assert_eq!(usage(apart).completion, Tokens::new(322));
        let inside = r#"{"prompt_tokens":12,"completion_tokens":322,"total_tokens":334,"completion_tokens_details":{"reasoning_tokens":320}}"#;
        assert_eq!(usage(inside).completion, Tokens::new(322));
    }

    #[test]
    fn audio_beside_the_prompt_is_added_to_it() {
        let apart = r#"{"prompt_tokens":11,"completion_tokens":15,"total_tokens":401,"prompt_tokens_details":{"audio_tokens":375}}"#;
        assert_eq!(usage(apart).prompt, Tokens::new(386));
    }

    #[test]
    fn charges_are_read_from_their_text() {
        let cost =
            |text: &str| usage(&format!(r#"{{"prompt_tokens":1,"cost":{text}}}"#)).upstream_cost;
        assert_eq!(cost("0.001156").unwrap().to_string(), "0.001156");
        assert_eq!(cost("1.2e-05").unwrap().to_string(), "0.000012");
        assert_eq!(
            cost(r#"{"total_cost":0.005}"#).unwrap().to_string(),
            "0.005"
        );
        assert_eq!((cost("null"), cost("-1")), (None, None));
        assert!(read(Json::parse(b"{}").unwrap()).is_none());
    }
}
