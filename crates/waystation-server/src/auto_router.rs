//! The auto router, as the configuration wants it. What it decides is its own business.

use std::sync::Arc;

use waystation_auto::{AutoRouter, Defaults, Learned, Operator, Override, Overrides, Router, Task};
use waystation_catalog::Catalog;
use waystation_core::{Credentials, Json, Ranker, RawJson, Transport};
use waystation_gateway::Judge;

use crate::config::Config;

/// The name of the hosted judge, as engine and as service.
const JUDGE: &str = "notdiamond";

/// The embedded router over `catalog`, behind the hosted judge where the operator wants that and there
/// is a network to ask it over.
///
/// `learned` outlives configurations: it is read only where this one lets feedback count.
pub(crate) fn ranker(
    config: &Config,
    catalog: Arc<Catalog>,
    credentials: Arc<dyn Credentials>,
    learned: &Arc<Learned>,
    network: Option<Arc<dyn Transport>>,
) -> Arc<dyn Ranker> {
    let mut embedded = AutoRouter::new(catalog, operator(config))
        .priced_by(Arc::new(move |provider| credentials.has(provider)));
    if counts_feedback(config) {
        embedded = embedded.taught_by(Arc::clone(learned));
    }
    let embedded = Arc::new(embedded);
    let plugin = config.plugins.get(Router::Auto.plugin());
    let plugin = plugin.filter(|plugin| {
        let engine = plugin.options.json().get("engine");
        engine.is_some_and(|engine| engine.is(JUDGE))
    });
    let service = plugin.and_then(|plugin| plugin.services.get(JUDGE));
    match (service, network) {
        (Some(service), Some(transport)) => Arc::new(Judge {
            transport,
            base_url: service.base_url.clone(),
            api_key: service.api_key.clone(),
            denied: config.routing.zdr || config.routing.deny_data_collection,
            embedded,
        }),
        _ => embedded,
    }
}

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
    let options = operator.auto.options.as_ref();
    let explore = options.and_then(|options| options.json().get("explore")?.f64());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share between 0 and 1 in parts per million fits"
    )]
    let explore_ppm = (explore.unwrap_or_default().clamp(0.0, 1.0) * 1_000_000.0) as u32;
    operator.explore_ppm = explore_ppm;
    operator
}

/// Whether scores move what is thought of models: `[plugins.auto-router] feedback`.
pub(crate) fn counts_feedback(config: &Config) -> bool {
    let plugin = config.plugins.get(Router::Auto.plugin());
    let given = plugin.and_then(|plugin| plugin.options.json().get("feedback"));
    given.and_then(Json::bool) == Some(true)
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
