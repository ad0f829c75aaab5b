//! What was learned, as data: standardised figures, a few small networks for the need of a strong
//! model, one linear head for difficulty and one for tasks. It is read from bytes and applied; how it
//! was learned is `xtask/src/auto`'s, and what it is worth stands in `data/MODEL_CARD.md`.
//!
//! The form of the bytes: a mark, then rows of f32, the lowest byte first, each behind its length; lists
//! of rows likewise. Whatever does not fit the figures and tasks of this build is refused as a whole.

mod blend;
mod residual;

use std::sync::LazyLock;

use crate::{
    arithmetic::{exp, logistic, number},
    prompt::{FEATURES, Kind},
};

pub use blend::Blend;
pub(crate) use residual::Place;
pub use residual::Residual;

/// The weights of this build.
static BUNDLED: LazyLock<Weights> = LazyLock::new(|| {
    // A test reads them in every build, so that this default is never seen.
    Weights::from_bytes(include_bytes!("../data/weights.bin")).unwrap_or_default()
});

/// What the bytes begin with; the digit is the version of the form.
const MAGIC: &[u8; 8] = b"wsauto3\n";
/// Standardised figures are bounded to so many deviations.
const BOUND: f32 = 3.0;
/// A share of the prompts, from a score that is roughly normal: the logistic function's scale.
const NORMAL: f32 = 1.702;

/// Everything that was learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// The mean of each figure over the training prompts.
    pub mean: Vec<f32>,
    /// One divided by its deviation.
    pub scale: Vec<f32>,
    /// Networks that estimate how much likelier a strong model is right than a weak one.
    pub nets: Vec<Net>,
    /// Wider networks over fewer figures, of the same use: they know mathematics better and subjects worse.
    pub wide: Vec<Net>,
    /// How hard a prompt is for every model, in logits.
    pub hardness: Vec<f32>,
    /// How the parts of the difficulty are put together.
    pub blend: Blend,
    /// One row for each task, in the order of [`Task::LEARNED`](crate::Task::LEARNED).
    pub tasks: Vec<Vec<f32>>,
    /// What was learned of single models.
    pub residual: Residual,
}

/// A network of two layers with two outputs.
///
/// The first layer passes on what is above 0; the second is bent by [`bent`], which needs no exponential.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Net {
    /// A row for each unit: one weight for each figure, then the constant.
    pub hidden: Vec<Vec<f32>>,
    /// The second layer, likewise.
    pub latent: Vec<Vec<f32>>,
    /// The logits of the strong and of the weak model, likewise.
    pub out: Vec<Vec<f32>>,
}

/// What the weights say of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judgement {
    /// The need for a strong model: roughly the share of prompts that need one less.
    pub(crate) difficulty: f32,
    /// How much harder than the usual prompt it is for every model, in logits.
    pub(crate) hardness: f32,
    /// The share of each learned task, in the order of the weights.
    pub(crate) tasks: Vec<f32>,
    /// The prompt as single models are judged at it.
    pub(crate) place: Place,
}

// === impl Weights ===

impl Weights {
    /// Those of this build.
    #[must_use]
    pub fn bundled() -> &'static Self {
        &BUNDLED
    }

    /// What they say of a prompt's figures.
    pub(crate) fn judge(&self, figures: &[f32; FEATURES]) -> Judgement {
        let input = self.standardised(figures);
        let logits: Vec<f32> = self.tasks.iter().map(|head| row(head, &input)).collect();
        let (difficulty, hardness) = self.needs(figures, &input);
        Judgement {
            difficulty,
            hardness,
            tasks: shares(&logits),
            place: self.residual.place(&self.nets, &input, hardness),
        }
    }

    /// The need for a strong model alone, from 0 to 1.
    #[must_use]
    pub fn difficulty(&self, figures: &[f32; FEATURES]) -> f32 {
        self.needs(figures, &self.standardised(figures)).0
    }

    /// Difficulty and hardness.
    fn needs(&self, figures: &[f32; FEATURES], input: &[f32]) -> (f32, f32) {
        let hardness = row(&self.hardness, input);
        let kind = Kind::of(figures);
        let parts = [
            mean_gap(&self.nets, input),
            mean_gap(&self.wide, input),
            kind.length(figures),
            hardness,
        ];
        let score = self.blend.of(parts, kind) + blend::COMBINED * kind.combined(figures);
        (logistic(score * NORMAL), hardness)
    }

    /// The figures as the heads take them.
    #[must_use]
    pub fn standardised(&self, figures: &[f32; FEATURES]) -> Vec<f32> {
        let scaled = figures.iter().zip(&self.mean).zip(&self.scale);
        scaled
            .map(|((value, mean), scale)| ((value - mean) * scale).clamp(-BOUND, BOUND))
            .collect()
    }

    /// The form that [`from_bytes`](Self::from_bytes) reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.row(&self.mean);
        out.row(&self.scale);
        out.nets(&self.nets);
        out.nets(&self.wide);
        out.row(&self.hardness);
        out.row(self.blend.0.as_flattened());
        out.matrix(&self.tasks);
        let residual = &self.residual;
        out.text(&residual.names.join("\n"));
        out.size(residual.outs.len());
        residual.outs.iter().for_each(|rows| out.matrix(rows));
        out.matrix(&residual.usual);
        out.matrix(&residual.centres);
        out.matrix(&residual.radii);
        out.0
    }

    /// Reads weights; `None` when the bytes are no weights, or none for the figures and tasks of this
    /// build.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut read = Reader(bytes.strip_prefix(MAGIC)?);
        let (mean, scale) = (read.row()?, read.row()?);
        let (nets, wide) = (read.nets()?, read.nets()?);
        let hardness = read.row()?;
        let blend = read.row()?;
        let (blend, []) = blend.as_chunks::<2>() else {
            return None;
        };
        let blend = Blend(blend.try_into().ok()?);
        let tasks = read.matrix()?;
        let residual = Residual {
            names: read.text()?.lines().map(Into::into).collect(),
            outs: (0..read.size()?)
                .map(|_| read.matrix())
                .collect::<Option<_>>()?,
            usual: read.matrix()?,
            centres: read.matrix()?,
            radii: read.matrix()?,
        };
        let weights = Self {
            mean,
            scale,
            nets,
            wide,
            hardness,
            blend,
            tasks,
            residual,
        };
        (read.0.is_empty() && weights.fit()).then_some(weights)
    }

    /// Whether they are for the figures and tasks of this build.
    fn fit(&self) -> bool {
        let wide = |rows: &[Vec<f32>], width: usize| rows.iter().all(|row| row.len() == width + 1);
        let net = |net: &Net| {
            wide(&net.hidden, FEATURES)
                && wide(&net.latent, net.hidden.len())
                && wide(&net.out, net.latent.len())
                && net.out.len() == 2
        };
        self.mean.len() == FEATURES
            && self.scale.len() == FEATURES
            && self.hardness.len() == FEATURES + 1
            && self.tasks.len() == crate::Task::LEARNED.len()
            && wide(&self.tasks, FEATURES)
            && self.nets.iter().chain(&self.wide).all(net)
            && self.residual.fits(&self.nets, FEATURES)
    }
}

// === impl Net ===

impl Net {
    /// How much likelier the strong model is right than the weak one.
    #[must_use]
    pub fn gap(&self, input: &[f32]) -> f32 {
        let latent = self.latent(input);
        let mut out = self.out.iter().map(|unit| logistic(row(unit, &latent)));
        out.next().unwrap_or_default() - out.next().unwrap_or_default()
    }

    /// The second layer.
    #[must_use]
    pub fn latent(&self, input: &[f32]) -> Vec<f32> {
        let hidden = self.hidden.iter().map(|unit| row(unit, input).max(0.0));
        let hidden: Vec<f32> = hidden.collect();
        let latent = self.latent.iter().map(|unit| bent(row(unit, &hidden)));
        latent.collect()
    }
}

/// The mean of what networks say.
#[must_use]
pub fn mean_gap(nets: &[Net], input: &[f32]) -> f32 {
    let gaps: f32 = nets.iter().map(|net| net.gap(input)).sum();
    gaps / number(nets.len().max(1))
}

/// A bounded value of the same sign: the second layer's bend.
#[must_use]
pub fn bent(value: f32) -> f32 {
    value / (1.0 + value.abs())
}

/// One unit: the sum of products in their order, eight at a time, and the constant. The order is
/// fixed, so that every platform gets the same bits.
#[must_use]
pub fn row(weights: &[f32], input: &[f32]) -> f32 {
    let constant = weights.get(input.len()).copied().unwrap_or_default();
    let (weights, _) = weights
        .split_at_checked(input.len())
        .unwrap_or((weights, &[]));
    let ((eights, rest), (inputs, last)) = (weights.as_chunks::<8>(), input.as_chunks::<8>());
    let mut lanes = [0.0_f32; 8];
    for (weights, input) in eights.iter().zip(inputs) {
        add_products(&mut lanes, weights, input);
    }
    add_products(&mut lanes, rest, last);
    lanes.iter().fold(constant, |sum, lane| sum + lane)
}

/// Adds one product to each lane.
fn add_products(lanes: &mut [f32; 8], weights: &[f32], input: &[f32]) {
    for ((lane, weight), value) in lanes.iter_mut().zip(weights).zip(input) {
        *lane += weight * value;
    }
}

/// Logits as shares of one.
fn shares(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| exp(logit - most)).collect();
    let all: f32 = powers.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    powers.into_iter().map(|power| power / all).collect()
}

/// Appends sizes and numbers, the lowest byte first.
struct Writer(Vec<u8>);

// === impl Writer ===

impl Writer {
    /// A number of things, as four bytes.
    fn size(&mut self, size: usize) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.0.extend(size.to_le_bytes());
    }

    /// Numbers behind their count.
    fn row(&mut self, row: &[f32]) {
        self.size(row.len());
        self.0
            .extend(row.iter().flat_map(|value| value.to_le_bytes()));
    }

    /// A text behind its length.
    fn text(&mut self, text: &str) {
        self.size(text.len());
        self.0.extend(text.bytes());
    }

    /// Networks behind their count.
    fn nets(&mut self, nets: &[Net]) {
        self.size(nets.len());
        for net in nets {
            self.matrix(&net.hidden);
            self.matrix(&net.latent);
            self.matrix(&net.out);
        }
    }

    /// Rows behind their count.
    fn matrix(&mut self, rows: &[Vec<f32>]) {
        self.size(rows.len());
        rows.iter().for_each(|row| self.row(row));
    }
}

/// Takes them off again.
struct Reader<'a>(&'a [u8]);

// === impl Reader ===

impl Reader<'_> {
    /// A number of things.
    fn size(&mut self) -> Option<usize> {
        let (size, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        usize::try_from(u32::from_le_bytes(*size)).ok()
    }

    /// Numbers; their count is checked against what is there before anything is reserved.
    fn row(&mut self) -> Option<Vec<f32>> {
        let length = self.size()?.checked_mul(4)?;
        let (row, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let (values, _) = row.as_chunks::<4>();
        Some(
            values
                .iter()
                .map(|value| f32::from_le_bytes(*value))
                .collect(),
        )
    }

    /// A text.
    fn text(&mut self) -> Option<String> {
        let length = self.size()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    /// Networks.
    fn nets(&mut self) -> Option<Vec<Net>> {
        let net = |read: &mut Self| {
            Some(Net {
                hidden: read.matrix()?,
                latent: read.matrix()?,
                out: read.matrix()?,
            })
        };
        (0..self.size()?).map(|_| net(self)).collect()
    }

    /// Rows.
    fn matrix(&mut self) -> Option<Vec<Vec<f32>>> {
        (0..self.size()?).map(|_| self.row()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_this_build_can_be_read() {
        let bytes = include_bytes!("../data/weights.bin");
        let weights = Weights::from_bytes(bytes).expect("weights for these figures and tasks");
        assert!(weights.fit() && !weights.nets.is_empty());
        assert!(bytes.len() < 5_000_000);
        assert_eq!(weights.to_bytes(), bytes);
    }

    /// Where only what is known may count, more steps are never easier.
    #[test]
    fn a_story_with_more_steps_is_harder() {
        let story = |steps: usize| {
            let more = " Then she buys 3 more bags of 14 marbles each.".repeat(steps);
            let text = format!("Mia has 20 marbles.{more} How many marbles does she have now?");
            Weights::bundled().difficulty(&crate::figures(&text))
        };
        for steps in 1..8 {
            assert!(story(steps) < story(steps + 1), "{steps}");
        }
    }

    /// Of stories of about one length, the one with more quantities has more steps.
    #[test]
    fn a_story_with_more_quantities_is_harder_than_one_with_more_words() {
        let of = |text: &str| Weights::bundled().difficulty(&crate::figures(text));
        let many = "Mia has 20 marbles in 4 bags. She wins 6 more and gives 9 to Tom and 5 to Ann. \
                    How many marbles does she have now?";
        let few = "Mia has 20 marbles in bags of cloth. She wins some more and gives 9 to her friend Tom. \
                   How many marbles did she win?";
        assert!(of(many) > of(few), "{} {}", of(many), of(few));
    }

    /// Two things to be judged at once are harder than either, whatever they are about.
    #[test]
    fn a_question_whose_answers_combine_two_judgements_is_among_the_hardest() {
        let of = |text: &str| Weights::bundled().difficulty(&crate::figures(text));
        for (one, two) in [
            (
                "I kept the wallet that I had found on the bus.",
                "I fed the ducks in the park.",
            ),
            (
                "Every finite group of prime order is cyclic.",
                "Every abelian group is cyclic.",
            ),
            (
                "Lions are cats.",
                "Wolves hunt in packs when the prey is larger than they are.",
            ),
        ] {
            let stem = format!("Which of the two is right?\nCase 1 | {one}\nCase 2 | {two}\n");
            let both = of(&format!(
                "{stem}A. Right, Right\nB. Right, Wrong\nC. Wrong, Right\nD. Wrong, Wrong\nAnswer:"
            ));
            let plain = of(&format!(
                "{stem}A. Only the earlier\nB. The latter alone\nC. Both of them\nD. Neither case\nAnswer:"
            ));
            assert!(both > plain && both > 0.8, "{one}: {both} {plain}");
        }
    }

    #[test]
    fn what_is_no_weights_is_refused() {
        let bytes = include_bytes!("../data/weights.bin");
        for wrong in [
            &b""[..],
            b"wsauto3\n",
            &bytes[1..],
            &bytes[..bytes.len() - 1],
        ] {
            assert_eq!(Weights::from_bytes(wrong), None);
        }
        let mut huge = MAGIC.to_vec();
        huge.extend(u32::MAX.to_le_bytes());
        assert_eq!(Weights::from_bytes(&huge), None);
    }
}
