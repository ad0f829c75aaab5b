//! Levels that the operator gives models, and measures of the same models, as one estimate. Where prompts are
//! foreign to what was measured, the levels stand alone.

use super::{Candidate, Field, Place, number};

/// What a measure counts beside a level, where prompts such as this one were measured.
const MEASURED: f32 = 0.75;
/// From this density on prompts were measured; below it they are the more foreign the thinner it is.
const DENSE: f32 = 0.33;

/// Moves the levels towards what was measured for the task, as far as training prompts lie densely there.
///
/// A level says how well a model does on the operator's usual prompts, a measure how it compares with others at prompts
/// such as those that were measured. What the measures have in common counts for nobody: they are on another scale.
pub(super) fn lay_measures_on_levels(able: &mut [Candidate<'_>], place: &Place) {
    let beyond = |one: &Candidate<'_>| Some(one.ability.measured? - one.ability.mean);
    let all: Vec<f32> = able.iter().filter_map(beyond).collect();
    let common = all.iter().sum::<f32>() / number(all.len().max(1));
    let known = (place.density() / DENSE).min(1.0);
    for one in able {
        // One kind of code is much like another.
        let known = if one.field == Field::Code { 1.0 } else { known };
        if let Some(beyond) = beyond(one) {
            one.ability.mean += MEASURED * known * (beyond - common);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use waystation_catalog::{Catalog, Model};

    use super::*;
    use crate::{Ability, Basis};

    fn candidate(model: &Model, field: Field, level: f32, measured: Option<f32>) -> Candidate<'_> {
        Candidate {
            model,
            ability: Ability {
                mean: level,
                deviation: 0.0,
                basis: Basis::Operator,
                measured,
                told: false,
            },
            field,
            learned: None,
            general: level,
            shift: 0.0,
            cost: None,
            compared: None,
        }
    }

    /// The means after measures were laid on levels of 0 and 0, of models measured 1 apart.
    fn means(field: Field, place: &Place) -> [f32; 2] {
        let catalog = Arc::new(Catalog::bundled().unwrap());
        let model = catalog.models().next().unwrap();
        let mut able =
            [Some(2.0), Some(1.0)].map(|measured| candidate(model, field, 0.0, measured));
        lay_measures_on_levels(&mut able, place);
        able.map(|one| one.ability.mean)
    }

    #[test]
    fn on_foreign_prompts_levels_stand_alone_unless_the_field_is_code() {
        let foreign = Place::default();
        let [one, other] = means(Field::Reasoning, &foreign);
        assert!(one.abs() + other.abs() < 1e-6, "{one} {other}");
        let [one, other] = means(Field::Code, &foreign);
        assert!((one - MEASURED / 2.0).abs() < 1e-6 && (one + other).abs() < 1e-6);
    }

    #[test]
    fn a_level_without_a_measure_beside_it_stays() {
        let catalog = Catalog::bundled().unwrap();
        let model = catalog.models().next().unwrap();
        let mut able = [
            candidate(model, Field::Code, 0.4, None),
            candidate(model, Field::Code, 0.0, Some(1.0)),
        ];
        lay_measures_on_levels(&mut able, &Place::default());
        let [one, other] = able.map(|one| one.ability.mean);
        assert!((one - 0.4).abs() + other.abs() < 1e-6, "{one} {other}");
    }
}
