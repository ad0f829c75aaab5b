//! The auto router, as the configuration wants it. What it decides is its own business.

use waystation_auto::{Defaults, Operator, Override, Overrides, Router, Task};
use waystation_core::{Json, RawJson};

use crate::config::Config;

/// What the configuration says of the routers.
#[must_use]
pub(crate) fn operator(config: &Config) -> Operator {
    let of = |router: Router| {
        let plugin = config.plugins.get(router.plugin());
        plugin.map_or_else(Defaults::default, |plugin| Defaults {
            options: Some(plugin.options.clone()),
            prevent_overrides: plugin.prevent_overrides,
        })
    };
    let mut operator = Operator::default();
    operator.auto = of(Router::Auto);
    operator.auto_beta = of(Router::AutoBeta);
    operator.pareto = of(Router::ParetoCode);
    operator.abilities = abilities(operator.auto.options.as_ref());
    operator
}

/// `[plugins.auto-router] quality`: by pattern of ids, or by pattern and task with a space between.
fn abilities(options: Option<&RawJson>) -> Overrides {
    let quality = options.and_then(|options| options.json().get("quality"));
    let lines = quality.into_iter().flat_map(Json::members);
    let line = |(key, value): (waystation_core::Key<'_>, Json<'_>)| {
        let key = key.name();
        let (pattern, task) = key.split_once(' ').unwrap_or((&key, ""));
        #[expect(clippy::cast_possible_truncation, reason = "it was an f32 in the file")]
        let quality = value.f64()? as f32;
        Some(Override {
            pattern: pattern.to_owned(),
            task: Task::named(task),
            quality,
        })
    };
    Overrides::new(lines.filter_map(line).collect())
}
