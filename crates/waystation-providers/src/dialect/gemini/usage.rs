//! Token counts. The wire repeats them in every chunk, cumulative, and leaves some out of some
//! chunks: each count's latest word stands, nothing is added over chunks.
//!
//! | count | made of |
//! |---|---|
//! | prompt | `promptTokenCount` and `toolUsePromptTokenCount` |
//! | completion | `candidatesTokenCount` and `thoughtsTokenCount` |
//! | reasoning | `thoughtsTokenCount` |
//! | cached | `cachedContentTokenCount`, inside `promptTokenCount` already |
//! | total | `totalTokenCount`, thoughts included |
//! | searches | the queries in the grounding metadata |
//! | audio, video, images | the entries of `promptTokensDetails` and `candidatesTokensDetails` |

use waystation_core::{Json, Tokens, Usage};

/// The counts so far, under the wire's names: what they come to is reckoned at the end, since each of
/// them may still change. Counts of the tier and of the traffic's kind are no tokens and stay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    prompt: Option<u64>,
    tool_prompt: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    prompt_audio: Option<u64>,
    prompt_video: Option<u64>,
    audio: Option<u64>,
    image: Option<u64>,
}

// === impl Counts ===

impl Counts {
    /// Takes one `usageMetadata`.
    pub(super) fn take(&mut self, json: Json<'_>) {
        for (key, value) in json.members() {
            let count = match key.escaped() {
                b"promptTokenCount" => &mut self.prompt,
                b"toolUsePromptTokenCount" => &mut self.tool_prompt,
                b"candidatesTokenCount" => &mut self.candidates,
                b"thoughtsTokenCount" => &mut self.thoughts,
                b"totalTokenCount" => &mut self.total,
                b"cachedContentTokenCount" => &mut self.cached,
                b"promptTokensDetails" => {
                    modalities(value, |modality, count| match modality {
                        b"AUDIO" => self.prompt_audio = Some(count),
                        b"VIDEO" => self.prompt_video = Some(count),
                        _ => {}
                    });
                    continue;
                }
                b"candidatesTokensDetails" => {
                    modalities(value, |modality, count| match modality {
                        b"AUDIO" => self.audio = Some(count),
                        b"IMAGE" => self.image = Some(count),
                        _ => {}
                    });
                    continue;
                }
                _ => continue,
            };
            *count = value.u64().or(*count);
        }
    }

    /// The counts of a reply that is broken off here. Some hosts tell those of the answer at the end
    /// only.
    pub(super) fn so_far(&self) -> Option<Usage> {
        let mut usage = self.usage(None)?;
        usage.estimated = self.candidates.is_none();
        Some(usage)
    }

    /// The usage that they make; `None` when nothing was counted.
    pub(super) fn usage(&self, searches: Option<u64>) -> Option<Usage> {
        if self.prompt.is_none() && self.candidates.is_none() && self.total.is_none() {
            return None;
        }
        let sum = |one: Option<u64>, other: Option<u64>| {
            let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
            Tokens::new(one.saturating_add(other))
        };
        let tokens = |count: Option<u64>| count.map(Tokens::new);
        let mut usage = Usage::default();
        usage.prompt = sum(self.prompt, self.tool_prompt);
        usage.completion = sum(self.candidates, self.thoughts);
        usage.total = tokens(self.total);
        usage.cached = tokens(self.cached);
        usage.prompt_audio = tokens(self.prompt_audio);
        usage.prompt_video = tokens(self.prompt_video);
        usage.reasoning = tokens(self.thoughts);
        usage.completion_audio = tokens(self.audio);
        usage.completion_image = tokens(self.image);
        usage.web_searches = searches;
        Some(usage)
    }
}

/// Reads a list of counts, each with its modality.
fn modalities(details: Json<'_>, mut each: impl FnMut(&[u8], u64)) {
    for entry in details.elements() {
        let (mut modality, mut count) = (None, None);
        for (key, value) in entry.members() {
            match key.escaped() {
                b"modality" => modality = value.escaped(),
                b"tokenCount" => count = value.u64(),
                _ => {}
            }
        }
        if let (Some(modality), Some(count)) = (modality, count) {
            each(modality, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_counts_replace_earlier_ones_each_on_its_own() {
        let mut counts = Counts::default();
        let mut take = |text: &str| counts.take(Json::parse(text.as_bytes()).unwrap());
        take(r#"{"trafficType":"ON_DEMAND"}"#);
        take(
            r#"{"promptTokenCount":8,"candidatesTokenCount":2,"thoughtsTokenCount":5,"totalTokenCount":15}"#,
        );
        take(
            r#"{"promptTokenCount":9,"toolUsePromptTokenCount":100,"candidatesTokenCount":4,"totalTokenCount":118,
            "cachedContentTokenCount":3,"promptTokensDetails":[{"modality":"TEXT","tokenCount":7},{"modality":"AUDIO","tokenCount":2}]}"#,
        );
        let usage = counts.usage(Some(2)).unwrap();
        assert_eq!(
            (usage.prompt, usage.completion),
            (Tokens::new(109), Tokens::new(9))
        );
        assert_eq!(usage.total, Some(usage.sum()));
        assert_eq!(
            (usage.cached, usage.prompt_audio),
            (Some(Tokens::new(3)), Some(Tokens::new(2)))
        );
        assert_eq!(usage.reasoning, Some(Tokens::new(5)));
        assert_eq!(usage.web_searches, Some(2));
        assert_eq!(Counts::default().usage(None), None);
    }
}
