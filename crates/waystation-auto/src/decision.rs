//! What a decision says of itself: to the gateway as an order of models, to people and records as
//! JSON. How it came about is `rank.rs`'s.

use waystation_core::{ModelId, ObjectWriter, RawJson, Usd};

use crate::{Basis, Features};

/// The most models that a ranking names: far more than are ever tried.
const RANKED: usize = 24;
/// How many of them metadata and records tell of.
const SHOWN: usize = 8;

/// One model, scored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scored {
    /// The model.
    pub model: ModelId,
    /// How well it is likely to do, from 0 to 1, with caution. It orders models; it is no probability.
    pub quality: f32,
    /// What to hold against a price where somebody weighs quality and cost in their own way: a ladder on which every
    /// candidate is the best for some weight of the cost, whatever is thought of it. It counts for nothing here, and is the
    /// quality itself unless the router was asked for it ([`AutoRouter::reaching`](crate::AutoRouter::reaching)).
    pub reach: f64,
    /// How unsure its ability is, in logits.
    pub deviation: f32,
    /// Where the ability comes from.
    pub basis: Basis,
    /// How far feedback moved the ability, in logits; 0 where there was none.
    pub shift: f32,
    /// What the answer is expected to cost at the catalogue's price; `None` is unknown.
    pub cost: Option<Usd>,
    /// Quality less cost as they are weighed for this request; higher is better.
    pub score: f32,
    /// How likely this model was to be put first, given the request: 1 for the first and 0 for the rest
    /// unless the operator lets the router try others.
    pub propensity: f32,
}

/// What a request was judged to be and who should answer it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// The prompt.
    pub features: Features,
    /// The models that may answer, in the order in which they are to be tried.
    pub ranked: Vec<Scored>,
}

// === impl Decision ===

impl Decision {
    /// The models, as many as are worth naming.
    #[must_use]
    pub fn models(&self) -> Vec<ModelId> {
        self.ranked
            .iter()
            .take(RANKED)
            .map(|scored| scored.model.clone())
            .collect()
    }

    /// What metadata and the record say of it: task, difficulty, a hash of the prompt's figures, and the
    /// first candidates with what spoke for them. No part of the prompt is in it.
    #[must_use]
    pub fn data(&self) -> RawJson {
        let mut out = Vec::with_capacity(1_024);
        let mut object = ObjectWriter::open(&mut out);
        object
            .string("task_type", self.features.task.as_str())
            .raw("difficulty", decimal(self.features.difficulty).as_bytes())
            .string("features", &format!("{:016x}", self.features.fingerprint))
            .number(
                "eligible",
                u64::try_from(self.ranked.len()).unwrap_or(u64::MAX),
            );
        let list = object.key("candidates");
        list.push(b'[');
        for (at, scored) in self.ranked.iter().take(SHOWN).enumerate() {
            if at > 0 {
                list.push(b',');
            }
            scored.write(list);
        }
        list.push(b']');
        object.close();
        RawJson::parse(&out.into()).unwrap_or_else(|_| RawJson::of(&()))
    }
}

// === impl Scored ===

impl Scored {
    /// Writes it as an object.
    fn write(&self, out: &mut Vec<u8>) {
        let mut one = ObjectWriter::open(out);
        one.string("model", self.model.as_str())
            .raw("quality", decimal(self.quality).as_bytes())
            .raw("score", decimal(self.score).as_bytes());
        match self.cost {
            Some(cost) => one.raw("cost_usd", cost.to_string().as_bytes()),
            None => one.null("cost_usd"),
        };
        one.raw("propensity", format!("{:.6}", self.propensity).as_bytes());
        if self.shift.abs() >= 0.000_05 {
            one.raw("shift", decimal(self.shift).as_bytes());
        }
        one.string("basis", &self.basis.to_string());
        one.close();
    }
}

/// Four digits: the fifth would say nothing.
fn decimal(value: f32) -> String {
    format!("{value:.4}")
}
