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

/// The names of one count that were found, the most trusted first.
type Names<const N: usize> = [Option<u64>; N];

/// Where in the counts a name stands.
#[derive(Clone, Copy)]
enum Group {
    Top,
    Prompt,
    Completion,
    Creation,
    ToolDetails,
    Tools,
}

/// Everything that is looked for, by name. Found in one walk: a look for each name would cost more than
/// reading the rest of a reply.
#[derive(Default)]
struct Found {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Names<5>,
    cache_write: Names<3>,
    cache_write_1h: Option<u64>,
    prompt_audio: Option<u64>,
    prompt_video: Option<u64>,
    reasoning: Names<2>,
    completion_audio: Option<u64>,
    completion_image: Option<u64>,
    accepted_prediction: Option<u64>,
    rejected_prediction: Option<u64>,
    searches: Names<3>,
    cost: Option<Usd>,
}

/// Reads a `usage` object; `None` when it counts nothing: an empty object, which some hosts send
/// with every chunk, must not replace counts that came before.
pub(super) fn read(json: Json<'_>) -> Option<Usage> {
    let found = Found::of(json);
    if found.prompt.is_none() && found.completion.is_none() {
        return None;
    }
    let tokens = |count: Option<u64>| count.map(Tokens::new);
    let mut usage = Usage::default();
    usage.prompt = tokens(found.prompt).unwrap_or_default();
    usage.completion = tokens(found.completion).unwrap_or_default();
    usage.total = tokens(found.total);
    usage.cached = tokens(first(found.cached));
    usage.cache_write = tokens(first(found.cache_write));
    usage.cache_write_1h = tokens(found.cache_write_1h);
    usage.prompt_audio = tokens(found.prompt_audio);
    usage.prompt_video = tokens(found.prompt_video);
    usage.reasoning = tokens(first(found.reasoning));
    usage.completion_audio = tokens(found.completion_audio);
    usage.completion_image = tokens(found.completion_image);
    usage.accepted_prediction = tokens(found.accepted_prediction);
    usage.rejected_prediction = tokens(found.rejected_prediction);
    usage.web_searches = first(found.searches);
    usage.upstream_cost = found.cost;
    add_what_is_apart(&mut usage);
    Some(usage)
}

fn first<const N: usize>(names: Names<N>) -> Option<u64> {
    names.into_iter().flatten().next()
}

// === impl Group ===

impl Group {
    /// The group of that name.
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"prompt_tokens_details" => Self::Prompt,
            b"completion_tokens_details" => Self::Completion,
            b"cache_creation" => Self::Creation,
            b"server_tool_use_details" => Self::ToolDetails,
            b"server_tool_use" => Self::Tools,
            _ => return None,
        })
    }
}

// === impl Found ===

impl Found {
    fn of(json: Json<'_>) -> Self {
        let mut found = Self::default();
        for (key, value) in json.members() {
            let name = key.spelled();
            match Group::of(&name) {
                None if &*name == b"cost" => found.cost = cost(value),
                None => found.take(Group::Top, &name, value),
                Some(group) => {
                    for (key, value) in value.members() {
                        found.take(group, &key.spelled(), value);
                    }
                }
            }
        }
        found
    }

    fn take(&mut self, group: Group, name: &[u8], value: Json<'_>) {
        let ([cached, hit, together, mistral, read], [write, creation, anthropic]) =
            (&mut self.cached, &mut self.cache_write);
        let ([reasoning, apart], [details, tool_use, queries]) =
            (&mut self.reasoning, &mut self.searches);
        let place = match (group, name) {
            (Group::Top, b"prompt_tokens") => &mut self.prompt,
            (Group::Top, b"completion_tokens") => &mut self.completion,
            (Group::Top, b"total_tokens") => &mut self.total,
            (Group::Top, b"prompt_cache_hit_tokens") => hit,
            (Group::Top, b"cached_tokens") => together,
            (Group::Top, b"num_cached_tokens") => mistral,
            (Group::Top, b"cache_read_input_tokens") => read,
            (Group::Top, b"cache_creation_input_tokens") => anthropic,
            (Group::Top, b"reasoning_tokens") => apart,
            (Group::Top, b"num_search_queries") => queries,
            (Group::Prompt, b"cached_tokens") => cached,
            (Group::Prompt, b"cache_write_tokens") => write,
            (Group::Prompt, b"cache_creation_tokens") => creation,
            (Group::Prompt, b"audio_tokens") => &mut self.prompt_audio,
            (Group::Prompt, b"video_tokens") => &mut self.prompt_video,
            (Group::Creation, b"ephemeral_1h_input_tokens") => &mut self.cache_write_1h,
            (Group::Completion, b"reasoning_tokens") => reasoning,
            (Group::Completion, b"audio_tokens") => &mut self.completion_audio,
            (Group::Completion, b"image_tokens") => &mut self.completion_image,
            (Group::Completion, b"accepted_prediction_tokens") => &mut self.accepted_prediction,
            (Group::Completion, b"rejected_prediction_tokens") => &mut self.rejected_prediction,
            (Group::ToolDetails, b"web_search_requests") => details,
            (Group::Tools, b"web_search_requests") => tool_use,
            _ => return,
        };
        *place = place.or_else(|| value.u64());
    }
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
