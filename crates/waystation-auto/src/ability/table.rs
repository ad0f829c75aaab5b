//! The rows of abilities that this build knows: from outcomes, from a public list of puzzles, and from what
//! makers and leaderboards publish. It says what stands there; what is made of it is `ability.rs`'s.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use super::{Ability, Basis, Field};
use crate::arithmetic::logit;

/// The rows of this build.
static TABLE: LazyLock<HashMap<String, Row>> = LazyLock::new(table);

/// What is measured in another field than the task's says less: so much more deviation, in logits.
const ELSEWHERE: f32 = 0.3;
/// The deviation of an ability that is made of published shares.
const PUBLISHED: f32 = 0.4;
/// Who guesses gets this share of GPQA's questions right.
const GUESSED_RIGHT: f32 = 0.25;

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

/// What is known of the model with this id.
pub(super) fn row(id: &str) -> Option<&'static Row> {
    let name = spelled(id);
    let find = |name: &str| TABLE.get(name).or_else(|| TABLE.get(undated(name)));
    // The same model, served faster for a higher price.
    find(&name).or_else(|| find(name.strip_suffix("-fast")?))
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

/// Reads the files of `data`; a row of a later one counts more.
fn table() -> HashMap<String, Row> {
    let outcomes = lines(include_str!("../../data/measured.txt")).filter_map(measured);
    let puzzles = lines(include_str!("../../data/abilities.txt")).filter_map(measured);
    let shares = lines(include_str!("../../data/published.txt")).filter_map(published);
    let mut table = HashMap::new();
    for (name, row) in outcomes.chain(puzzles) {
        let short = undated(&name).to_owned();
        table.entry(short).or_insert_with(|| row.clone());
        table.insert(name, row);
    }
    // What is published of one release says nothing of those before it.
    table.extend(shares);
    table
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
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_with_and_without_a_date() {
        for name in [
            "gpt-4o-2024-08-06",
            "gpt-4o",
            "claude-3-5-sonnet-20241022",
            "gpt-4-1106-preview",
            "claude-opus-4-6",
        ] {
            assert!(TABLE.contains_key(name), "{name}");
        }
        assert_eq!(undated("gpt-4o-2024-08-06"), "gpt-4o");
        assert_eq!(undated("claude-3-5-sonnet-20241022"), "claude-3-5-sonnet");
        assert_eq!(undated("o1-mini"), "o1-mini");
        assert_eq!(undated("llama-3-70b"), "llama-3-70b");
        assert_eq!(spelled("acme/Fast_1.5:free"), "fast-1-5");
    }

    #[test]
    fn every_line_of_the_files_is_a_row_with_its_source_and_date() {
        let text = [
            include_str!("../../data/measured.txt"),
            include_str!("../../data/abilities.txt"),
            include_str!("../../data/published.txt"),
        ];
        let all = text.into_iter().flat_map(lines).count();
        assert!(all > 150, "{all}");
        for line in text.into_iter().flat_map(lines) {
            let id = line.split('|').next().unwrap().trim();
            let row = row(&format!("any/{id}")).unwrap_or_else(|| panic!("{line}"));
            assert!(row.source.contains(", 202"), "{line}");
            let general = row.logits[&Field::General.column()];
            assert!((-2.0..5.0).contains(&general), "{line}: {general}");
        }
    }

    #[test]
    fn what_is_published_of_a_release_is_not_said_of_an_earlier_one() {
        assert!(row("mistralai/devstral-small-2512").is_some());
        assert_eq!(
            row("anthropic/claude-opus-4.7-fast"),
            row("anthropic/claude-opus-4.7")
        );
        assert!(row("mistralai/devstral-small-2505").is_none());
        assert!(row("anthropic/claude-opus-4.5-20251101").is_some());
    }

    #[test]
    fn published_shares_keep_their_order_on_the_one_scale() {
        let general = |name: &str| {
            row(name)
                .unwrap()
                .ability(Field::Reasoning, 1.0, Compared::Both)
                .mean
        };
        let order = [
            "llama-3.1-8b-instruct",
            "gpt-4.1",
            "claude-sonnet-4",
            "gpt-5",
            "claude-opus-4.7",
        ];
        for pair in order.windows(2) {
            assert!(general(pair[0]) < general(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn candidates_are_compared_where_all_of_them_were_measured() {
        let rows = |names: &[&str]| -> Vec<&'static Row> {
            names.iter().map(|name| row(name).unwrap()).collect()
        };
        let of = |names: &[&str], field| Compared::of(&rows(names).into_iter(), field);
        let (one, other) = ("gpt-4-1106-preview", "mixtral-8x7b-instruct");
        assert_eq!(of(&[one, other], Field::Knowledge), Compared::Own);
        assert_eq!(of(&[one, "yi-34b-chat"], Field::Knowledge), Compared::Near);
        assert_eq!(
            of(&[one, "gpt-4o-2024-08-06"], Field::Knowledge),
            Compared::Both
        );
        assert_eq!(of(&[one, other], Field::Code), Compared::Both);
        let gap = |compared| {
            let mean = |name| {
                row(name)
                    .unwrap()
                    .ability(Field::Knowledge, 1.0, compared)
                    .mean
            };
            mean(one) - mean("yi-34b-chat")
        };
        assert!(gap(Compared::Near) > gap(Compared::Both));
    }
}
