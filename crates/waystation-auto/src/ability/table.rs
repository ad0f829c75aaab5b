//! The rows of abilities that this build knows: from outcomes, from a public list of puzzles, and from what
//! makers and leaderboards publish. It says what stands there; what is made of it is `ability.rs`'s.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::LazyLock,
};

use super::{Ability, Basis, Field};
use crate::arithmetic::logit;

/// The rows of this build.
static BUNDLED: LazyLock<Abilities> =
    LazyLock::new(|| Abilities::with_outcomes(include_str!("../../data/measured.txt")));

/// What is measured in another field than the task's says less: so much more deviation, in logits.
const ELSEWHERE: f32 = 0.3;
/// The deviation of an ability that is made of published shares.
const PUBLISHED: f32 = 0.4;
/// Who guesses gets this share of GPQA's questions right.
const GUESSED_RIGHT: f32 = 0.25;

/// The rows that are known, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Abilities(HashMap<String, Row>);

/// One measured row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// By field; general is always there.
    logits: BTreeMap<u8, f32>,
    /// How unsure they are.
    deviation: f32,
    /// Who measured, and when.
    source: &'static str,
}

/// In which columns candidates are compared at a field that has a near one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// In the field's own: everybody was measured there.
    Own,
    /// In the near field's: everybody was measured there, and not everybody in the own.
    Near,
    /// In the middle of both, or in whichever there is.
    Both,
}

/// From a published share to a logit on the scale of `measured.txt`: a constant, and a factor for the share's
/// own logit. Set by hand so that models which both know agree, on the whole.
#[derive(Clone, Copy, Debug)]
struct Scale {
    constant: f32,
    factor: f32,
}

/// GPQA Diamond, less what guessing gives; AIME 2025; SWE-bench Verified.
const SCIENCE: Scale = Scale {
    constant: 2.6,
    factor: 0.8,
};
const CONTEST: Scale = Scale {
    constant: 2.6,
    factor: 0.6,
};
const REPAIR: Scale = Scale {
    constant: 2.8,
    factor: 1.0,
};

// === impl Abilities ===

impl Abilities {
    /// Those of this build.
    #[must_use]
    pub fn bundled() -> &'static Self {
        &BUNDLED
    }

    /// Those of this build with other outcomes: what the router would know had it learned from these, which is how sets of prompts are
    /// measured that it must not have seen. `outcomes` is of the form of `data/measured.txt`; lines that are not are left out.
    #[must_use]
    pub fn with_outcomes(outcomes: &'static str) -> Self {
        let outcomes = lines(outcomes).filter_map(measured);
        let puzzles = lines(include_str!("../../data/abilities.txt")).filter_map(measured);
        let shares = lines(include_str!("../../data/published.txt")).filter_map(published);
        let mut table = HashMap::new();
        // A row of a later file counts more; of one file the first, since those behind it are of the same model at some host.
        for rows in [outcomes.collect::<Vec<_>>(), puzzles.collect()] {
            let mut seen = HashSet::new();
            for (name, row) in rows {
                let short = undated(&name).to_owned();
                table.entry(short).or_insert_with(|| row.clone());
                if seen.insert(name.clone()) {
                    table.insert(name, row);
                }
            }
        }
        // What is published of one release says nothing of those before it.
        table.extend(shares);
        Self(table)
    }

    /// What is known of the model with this id.
    pub(super) fn row(&self, id: &str) -> Option<&Row> {
        let name = spelled(id);
        let find = |name: &str| self.0.get(name).or_else(|| self.0.get(undated(name)));
        // The same model, served faster for a higher price.
        find(&name).or_else(|| find(name.strip_suffix("-fast")?))
    }
}

// === impl Compared ===

impl Compared {
    /// For candidates with these rows. Benchmarks differ in how hard they are, so that who was measured on one
    /// does not compare well with who was measured on another.
    pub(crate) fn of<'a>(rows: &(impl Iterator<Item = &'a Row> + Clone), field: Field) -> Self {
        let known = |field: Field| {
            let known = |row: &Row| row.logits.contains_key(&field.column());
            rows.clone().all(known)
        };
        match field.near() {
            Some(_) if known(field) => Self::Own,
            Some(near) if known(near) => Self::Near,
            _ => Self::Both,
        }
    }

    /// The field that abilities are then taken from, on the whole.
    pub(crate) fn field(self, own: Field) -> Field {
        match self {
            Self::Near => own.near().unwrap_or(own),
            Self::Own | Self::Both => own,
        }
    }
}

// === impl Scale ===

impl Scale {
    /// The logit of a share. Shares near 0 and 1 say little more than less extreme ones.
    fn logit(self, share: f32) -> f32 {
        self.constant + self.factor * logit(share.clamp(0.03, 0.97))
    }
}

// === impl Row ===

impl Row {
    /// The general column.
    pub(super) fn general(&self) -> f32 {
        let general = self.logits.get(&Field::General.column());
        general.copied().unwrap_or_default()
    }

    /// Whether it says something of a field, or of its near one.
    pub(super) fn knows(&self, field: Field) -> bool {
        let known = |field: Field| self.logits.contains_key(&field.column());
        known(field) || field.near().is_some_and(known)
    }

    /// How unsure the row is.
    pub(super) const fn deviation(&self) -> f32 {
        self.deviation
    }

    /// Between the general column and the one of the field, or the middle of that and of its neighbour:
    /// knowing and working out go together, and who was measured in one of them must compare with who was
    /// in the other. Where all candidates have one of the two columns, that one counts.
    pub(super) fn ability(&self, field: Field, confidence: f32, compared: Compared) -> Ability {
        let of = |field: Field| self.logits.get(&field.column()).copied();
        let general = self.general();
        let (own, near) = (of(field), field.near().and_then(of));
        let known = match (own, near, compared) {
            (Some(own), Some(near), Compared::Both) => Some((own + near) / 2.0),
            (own, near, Compared::Near) => near.or(own),
            (own, near, _) => own.or(near),
        };
        let special = known.map_or(0.0, |known| known - general);
        Ability {
            mean: general + gate(confidence) * special,
            deviation: self.deviation + if own.is_some() { 0.0 } else { ELSEWHERE },
            basis: Basis::Measured(self.source),
            measured: None,
            told: false,
        }
    }
}

/// How much a field counts: nothing up to a confidence of a half, then more and more.
fn gate(confidence: f32) -> f32 {
    ((confidence - 0.5) * 2.0).clamp(0.0, 1.0)
}

/// An id as the tables spell it, so that the spellings of different houses meet: without author and
/// variant, hyphens for dots and low lines.
#[must_use]
pub fn spelled(id: &str) -> String {
    let slug = id.split_once('/').map_or(id, |(_, slug)| slug);
    let slug = slug.split_once([':', '@']).map_or(slug, |(slug, _)| slug);
    slug.to_ascii_lowercase().replace(['.', '_'], "-")
}

/// The same without a date or a build number at its end.
fn undated(name: &str) -> &str {
    let mut rest = name;
    while let Some((head, tail)) = rest.rsplit_once('-') {
        let digits = tail.len() >= 2 && tail.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (tail.len() == 2 && rest.len() == name.len() && !name.contains("-20")) {
            break;
        }
        rest = head;
    }
    rest
}

/// The lines of a file that are no remarks.
fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

/// `name | general code math knowledge reasoning | deviation | source`, where `-` is unknown.
fn measured(line: &'static str) -> Option<(String, Row)> {
    let mut parts = line.split('|').map(str::trim);
    let (name, logits, deviation, source) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let columns = (0_u8..).zip(logits.split_whitespace());
    let logits = columns.filter_map(|(at, text)| Some((at, text.parse().ok()?)));
    let row = Row {
        logits: logits.collect(),
        deviation: deviation.parse().ok()?,
        source,
    };
    Some((spelled(name), row))
}

/// `name | GPQA Diamond, AIME 2025, SWE-bench Verified | source`, shares in percent, where `-` is unknown.
fn published(line: &'static str) -> Option<(String, Row)> {
    let mut parts = line.split('|').map(str::trim);
    let (name, shares, source) = (parts.next()?, parts.next()?, parts.next()?);
    let mut shares = shares
        .split_whitespace()
        .map(|text| Some(text.parse::<f32>().ok()? / 100.0));
    let [science, contest, repair] = [(); 3].map(|()| shares.next().flatten());
    let beyond = |share: f32| (share - GUESSED_RIGHT) / (1.0 - GUESSED_RIGHT);
    let science = science.map(|share| SCIENCE.logit(beyond(share)));
    let contest = contest.map(|share| CONTEST.logit(share));
    let repair = repair.map(|share| REPAIR.logit(share));
    // Questions of science count twice: they are nearest to anything.
    let known = [science, science, contest, repair].into_iter().flatten();
    let (sum, count) = known.fold((0.0, 0.0), |(sum, count), one| (sum + one, count + 1.0));
    let fields = [
        (Field::General, (count > 0.0).then(|| sum / count)),
        (Field::Code, repair),
        (Field::Math, contest),
        (Field::Knowledge, science),
        (Field::Reasoning, science),
    ];
    let logits = fields.into_iter();
    let row = Row {
        logits: logits
            .filter_map(|(field, logit)| Some((field.column(), logit?)))
            .collect(),
        deviation: PUBLISHED,
        source,
    };
    (count > 0.0).then(|| (spelled(name), row))
}

#[cfg(test)]
mod tests;
