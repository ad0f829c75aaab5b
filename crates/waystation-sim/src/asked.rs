//! What a request asks of a simulated model, whatever wire it came on.
//!
//! Dialects fill it; [`crate::mind`] answers it.

use std::borrow::Cow;

use waystation_core::Json;

/// One question to a simulated model.
pub(crate) struct Asked<'a> {
    /// The upstream's name of the model.
    pub(crate) model: Cow<'a, str>,
    /// The text of the last message of the person.
    pub(crate) prompt: String,
    /// Who spoke last.
    pub(crate) last: Last,
    /// Functions that may be called.
    pub(crate) tools: Vec<Tool<'a>>,
    /// Whether they are to be called.
    pub(crate) choice: Choice,
    /// More than one call at once is fine.
    pub(crate) parallel: bool,
    /// The host's own search of the web is wished for.
    pub(crate) search: bool,
    /// The form of the answer.
    pub(crate) format: Format<'a>,
    /// The longest answer in tokens, reasoning included.
    pub(crate) limit: Option<u64>,
    /// Texts before which the answer ends.
    pub(crate) stop: Vec<String>,
    /// Reasoning is wanted.
    pub(crate) reasoning: bool,
    /// What else the last message of the person holds.
    pub(crate) media: Media,
    /// Tokens of everything that the model reads.
    pub(crate) prompt_tokens: u64,
    /// Hash of the question: equal questions get equal answers.
    pub(crate) key: u64,
}

/// Who spoke last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// The person, or the operator.
    Person,
    /// Tools: their results since the model's turn, in order.
    Tools(Vec<String>),
    /// The model itself: its words are to be continued.
    Model,
}

/// One function that may be called.
pub(crate) struct Tool<'a> {
    /// The function's name.
    pub(crate) name: Cow<'a, str>,
    /// What it says that it is for; may be empty.
    pub(crate) description: Cow<'a, str>,
    /// The schema of its arguments.
    pub(crate) parameters: Option<Json<'a>>,
}

/// Whether tools are to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// They are not.
    None,
    /// Where the prompt speaks of one.
    Auto,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// The form of the answer.
pub(crate) enum Format<'a> {
    /// Plain words.
    Text,
    /// Any JSON object.
    Object,
    /// JSON that a schema allows.
    Schema(Json<'a>),
}

/// Parts of a message that are no text, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Media {
    /// Pictures.
    pub(crate) images: u64,
    /// Pieces of sound.
    pub(crate) audio: u64,
    /// Films.
    pub(crate) videos: u64,
    /// Documents.
    pub(crate) files: u64,
}

// === impl Media ===

impl Media {
    /// `1 image, 2 files`; nothing when there are none.
    pub(crate) fn words(self) -> Option<String> {
        let count = |number: u64, one: &str, many: &str| match number {
            0 => None,
            1 => Some(format!("1 {one}")),
            more => Some(format!("{more} {many}")),
        };
        let parts = [
            count(self.images, "image", "images"),
            count(self.audio, "audio clip", "audio clips"),
            count(self.videos, "video", "videos"),
            count(self.files, "file", "files"),
        ];
        let words: Vec<String> = parts.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// What the parts are taken to cost in tokens: 85 each, OpenAI's charge of a low-detail image.
    /// Source: <https://platform.openai.com/docs/guides/images-vision> (2026-06).
    pub(crate) const fn tokens(self) -> u64 {
        85 * (self.images + self.audio + self.videos + self.files)
    }
}

/// Tokens of a text of so many bytes, as the simulator counts: four bytes each, rounded up.
pub(crate) fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}
