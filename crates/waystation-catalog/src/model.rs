//! A model: what the catalogue knows of it, and the endpoints that serve it. Choosing among them is
//! the router's work, not done here.

use std::sync::Arc;

use waystation_core::{Endpoint, Modalities, ModelId, ParameterSet, Tag, Tokens};

use crate::{Endpoints, Speed};

/// One model. Facts that no source states are `None`, never a guess.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Model {
    /// `author/slug`.
    pub id: ModelId,
    /// The permanent id; the same as `id` where no other is known.
    pub canonical_slug: ModelId,
    /// Display name.
    pub name: Arc<str>,
    /// A sentence about it.
    pub description: Arc<str>,
    /// Release, in seconds since 1970 (midnight UTC of the day).
    pub created: Option<u64>,
    /// Promised context, prompt and answer together. An endpoint may have less; its own limit is
    /// the one that a request must fit.
    pub context_length: Option<Tokens>,
    /// The longest answer.
    pub max_output: Option<Tokens>,
    /// Kinds of input.
    pub input: Modalities,
    /// Kinds of output.
    pub output: Modalities,
    /// Family of the tokenizer: `GPT`, `Claude`, `Other`.
    pub tokenizer: Option<Arc<str>>,
    /// Request parameters that it takes.
    pub parameters: ParameterSet,
    /// Last date of its training data, `YYYY-MM-DD`.
    pub knowledge_cutoff: Option<Arc<str>>,
    /// The day on which it goes away, `YYYY-MM-DD`.
    pub expiration_date: Option<Arc<str>>,
    /// It reasons before it answers.
    pub reasoning: bool,
    /// Its reasoning cannot be switched off. `false` where nobody says so.
    pub reasoning_mandatory: bool,
    /// Its weights are public.
    pub open_weights: Option<bool>,
    /// The licence of its weights, where a source states it: `apache-2.0`.
    pub license: Option<Arc<str>>,
    /// Other models may be trained on what it writes: by its licence, or by the operator's word.
    pub distillable: Option<bool>,
    /// The id stands for a choice among other models.
    pub router: bool,
    /// No current list has it any more.
    pub deprecated: bool,
    /// Who serves it, in the catalogue's order. Tags are unique among them.
    pub endpoints: Endpoints,
    /// How fast endpoints are said to be, by tag. Most say nothing.
    pub speeds: Vec<(Tag, Speed)>,
    /// The newest date on which a source had it, `YYYY-MM-DD`; empty for a model of the operator's.
    pub as_of: Arc<str>,
    /// Where the facts were read.
    pub sources: Arc<[Arc<str>]>,
}

// === impl Model ===

impl Model {
    /// The static variants in which it is served, each once: `free`, `fast`. A variant is asked for
    /// as `id:variant`.
    ///
    /// ```
    /// let catalog = waystation_catalog::Catalog::bundled()?;
    /// let served = catalog.models().filter(|model| model.variants().contains(&"free")).count();
    /// assert!(served > 10);
    /// # Ok::<(), waystation_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn variants(&self) -> Vec<&str> {
        let mut variants: Vec<&str> = self
            .endpoints
            .iter()
            .filter_map(|endpoint| endpoint.variant.as_deref())
            .collect();
        variants.sort_unstable();
        variants.dedup();
        variants
    }

    /// The endpoint called `tag`.
    #[must_use]
    pub fn endpoint(&self, tag: &str) -> Option<&Endpoint> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.tag.as_str() == tag)
    }
}
