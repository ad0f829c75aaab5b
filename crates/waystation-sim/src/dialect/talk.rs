//! A conversation while a wire reads it: whose word is the last one, and what the person wrote. The
//! wires differ in where results of tools and pictures stand; what comes of them is the same.

use waystation_core::Json;

use crate::asked::{Last, Media};

/// What is known of a conversation, turn by turn.
pub(super) struct Talk {
    /// The text of the person's last turn.
    pub(super) prompt: String,
    /// Who spoke last.
    pub(super) last: Last,
    /// What else the person's last turn holds.
    pub(super) media: Media,
}

// === impl Talk ===

impl Talk {
    /// Nobody has spoken yet.
    pub(super) const fn new() -> Self {
        Self {
            prompt: String::new(),
            last: Last::Person,
            media: Media {
                images: 0,
                audio: 0,
                videos: 0,
                files: 0,
            },
        }
    }

    /// The person speaks.
    pub(super) fn person(&mut self, prompt: String, media: Media) {
        (self.prompt, self.media, self.last) = (prompt, media, Last::Person);
    }

    /// The operator instructs.
    pub(super) fn operator(&mut self) {
        self.last = Last::Person;
    }

    /// The model speaks, thinks or calls.
    pub(super) fn model(&mut self) {
        self.last = Last::Model;
    }

    /// A tool answers; results that follow one another belong together.
    pub(super) fn result(&mut self, text: String) {
        match &mut self.last {
            Last::Tools(results) => results.push(text),
            Last::Person | Last::Model => self.last = Last::Tools(vec![text]),
        }
    }
}

/// The text of content that is a string or a list of parts, which have it in their member `text`.
pub(super) fn text_of(content: Json<'_>) -> String {
    if let Some(text) = content.string() {
        return text.into_owned();
    }
    let texts = content.elements().filter_map(|part| part.get("text"));
    texts.filter_map(Json::string).collect()
}
