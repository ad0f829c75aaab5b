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

/// Counts as they are found, in one walk: a look for each name would cost more than reading the rest of a
/// reply.
#[derive(Default)]
struct Found {
    usage: Usage,
    prompt: Option<Tokens>,
    completion: Option<Tokens>,
    /// How trusted the names are by which the counts were found that have several: the less, the more.
    cached: Rank,
    cache_write: Rank,
    reasoning: Rank,
    searches: Rank,
}

/// The place of a name among those of one count, the most trusted first.
struct Rank(u8);

/// Reads a `usage` object into `usage`; changes nothing when it counts nothing: an empty object, which some
/// hosts send with every chunk, must not replace counts that came before.
pub(super) fn read(json: Json<'_>, usage: &mut Option<Box<Usage>>) {
    let mut found = Found::default();
    for (key, value) in json.members() {
        match key.escaped() {
            b"prompt_tokens_details" => found.each(value, Found::of_prompt),
            b"completion_tokens_details" => found.each(value, Found::of_completion),
            b"cache_creation" => found.each(value, Found::of_creation),
            b"server_tool_use_details" => found.each(value, |found, name, value| {
                found.searched(0, name, value);
            }),
            b"server_tool_use" => found.each(value, |found, name, value| {
                found.searched(1, name, value);
            }),
            b"cost" => found.usage.upstream_cost = cost(value),
            name => found.top(name, value),
        }
    }
    if found.prompt.is_none() && found.completion.is_none() {
        return;
    }
    found.usage.prompt = found.prompt.unwrap_or_default();
    found.usage.completion = found.completion.unwrap_or_default();
    add_what_is_apart(&mut found.usage);
    match usage {
        Some(before) => **before = found.usage,
        None => *usage = Some(Box::new(found.usage)),
    }
}

// === impl Rank ===

impl Default for Rank {
    fn default() -> Self {
        Self(u8::MAX)
    }
}

// === impl Found ===

impl Found {
    /// Takes the members of a group.
    #[inline]
    fn each(&mut self, group: Json<'_>, take: impl Fn(&mut Self, &[u8], Json<'_>)) {
        for (key, value) in group.members() {
            take(self, key.escaped(), value);
        }
    }

    fn top(&mut self, name: &[u8], value: Json<'_>) {
        let usage = &mut self.usage;
        match name {
            b"prompt_tokens" => once(&mut self.prompt, value),
            b"completion_tokens" => once(&mut self.completion, value),
            b"total_tokens" => once(&mut usage.total, value),
            b"prompt_cache_hit_tokens" => self.cached.take(1, &mut usage.cached, value),
            b"cached_tokens" => self.cached.take(2, &mut usage.cached, value),
            b"num_cached_tokens" => self.cached.take(3, &mut usage.cached, value),
            b"cache_read_input_tokens" => self.cached.take(4, &mut usage.cached, value),
            b"cache_creation_input_tokens" => {
                self.cache_write.take(2, &mut usage.cache_write, value);
            }
            b"reasoning_tokens" => self.reasoning.take(1, &mut usage.reasoning, value),
            b"num_search_queries" => self.searched(2, b"web_search_requests", value),
            _ => {}
        }
    }

    fn of_prompt(&mut self, name: &[u8], value: Json<'_>) {
        let usage = &mut self.usage;
        match name {
            b"cached_tokens" => self.cached.take(0, &mut usage.cached, value),
            b"cache_write_tokens" => self.cache_write.take(0, &mut usage.cache_write, value),
            b"cache_creation_tokens" => self.cache_write.take(1, &mut usage.cache_write, value),
            b"audio_tokens" => once(&mut usage.prompt_audio, value),
            b"video_tokens" => once(&mut usage.prompt_video, value),
            _ => {}
        }
    }

    fn of_completion(&mut self, name: &[u8], value: Json<'_>) {
        let usage = &mut self.usage;
        match name {
            b"reasoning_tokens" => self.reasoning.take(0, &mut usage.reasoning, value),
            b"audio_tokens" => once(&mut usage.completion_audio, value),
            b"image_tokens" => once(&mut usage.completion_image, value),
            b"accepted_prediction_tokens" => once(&mut usage.accepted_prediction, value),
            b"rejected_prediction_tokens" => once(&mut usage.rejected_prediction, value),
            _ => {}
        }
    }

    fn of_creation(&mut self, name: &[u8], value: Json<'_>) {
        if name == b"ephemeral_1h_input_tokens" {
            once(&mut self.usage.cache_write_1h, value);
        }
    }

    fn searched(&mut self, rank: u8, name: &[u8], value: Json<'_>) {
        let counts = name == b"web_search_requests" && rank < self.searches.0;
        if let Some(count) = value.u64().filter(|_| counts) {
            (self.usage.web_searches, self.searches.0) = (Some(count), rank);
        }
    }
}

// === impl Rank ===

impl Rank {
    /// Takes the count that `value` is by a name of this `rank` if none more trusted was there.
    fn take(&mut self, rank: u8, count: &mut Option<Tokens>, value: Json<'_>) {
        if let Some(found) = value.u64().filter(|_| rank < self.0) {
            (*count, self.0) = (Some(Tokens::new(found)), rank);
        }
    }
}

/// Takes the count that `value` is, unless there is one.
fn once(count: &mut Option<Tokens>, value: Json<'_>) {
    *count = count.or_else(|| value.u64().map(Tokens::new));
}

/// What the host says it charges: a number, or an object with a total. Read from the number's text,
/// never through a float; an amount that is none (negative, not a number) is no amount.
fn cost(cost: Json<'_>) -> Option<Usd> {
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
        let mut usage = None;
        read(Json::parse(text.as_bytes()).unwrap(), &mut usage);
        *usage.unwrap()
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
        let mut before = Some(Box::default());
        read(Json::parse(b"{}").unwrap(), &mut before);
        assert!(before.is_some_and(|usage| usage.is_empty()));
    }
}
