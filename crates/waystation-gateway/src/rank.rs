//! Asks the auto router, where a request names it. What it answers is data for the plan.

use waystation_core::{Ask, ChatRequest, ModelId, PluginId, Ranking, StageReport, Usd};
use waystation_router::Conversation;

use crate::{Snapshot, chat::Gateway};

/// The ids that leave the choice of the model to the gateway, and the plugins that hold their settings.
/// Source: API contract, section 6.
const ROUTERS: &[(&str, &str)] = &[
    ("openrouter/auto", "auto-router"),
    ("waystation/auto", "auto-router"),
    ("openrouter/auto-beta", "auto-beta-router"),
    ("waystation/auto-beta", "auto-beta-router"),
    ("openrouter/pareto-code", "pareto-router"),
    ("waystation/pareto-code", "pareto-router"),
];

/// A router that was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Its id.
    pub(crate) router: ModelId,
    /// What metadata says of its choice; `None` when it gave none.
    pub(crate) stage: Option<StageReport>,
}

/// The auto router among the models of `ask`, and the plugin that holds its settings.
pub(crate) fn wanted(ask: &Ask) -> Option<(ModelId, &'static str)> {
    let mut wanted = ask.models.iter().filter_map(|model| model.name.as_ref());
    let of = |name: &ModelId| ROUTERS.iter().find(|(id, _)| *id == name.as_str());
    wanted.find_map(|name| Some((name.clone(), of(name)?.1)))
}

/// Puts the ranking of the `wanted` router into `ask`.
///
/// The pool is exactly the models that have an endpoint which passes every rule of the request. A
/// ranker that fails never fails the request: the pool itself is then the default set, in its own
/// order. A ranking without models stands: then nobody may answer.
pub(crate) async fn rank(
    (gateway, snapshot): (&Gateway, &Snapshot),
    (ask, conversation): (&mut Ask, Option<&Conversation>),
    chat: &ChatRequest,
    (router, plugin): (ModelId, &'static str),
) -> Asked {
    let pool = gateway.with_world(snapshot, |world| waystation_router::pool(ask, world));
    let start = gateway.parts().clock.now().tick;
    // The router is told who answered last; the plan keeps to its own reasons for staying.
    let stuck = ask.sticky.clone();
    let last = conversation.and_then(|known| gateway.picks().recall(known, start));
    ask.sticky = stuck.clone().or_else(|| last.map(|last| last.endpoint));
    let ranked = snapshot.ranker.rank(ask, chat, &pool).await;
    ask.sticky = stuck;
    let ranking = ranked.unwrap_or_else(|error| {
        tracing::warn!(%error, "the auto router gave no ranking");
        Ranking {
            models: pool,
            ..Ranking::default()
        }
    });
    let first = ranking.models.first();
    let stage = ranking.data.clone().map(|data| StageReport {
        plugin: PluginId::from_static(plugin),
        summary: match (&ranking.task, first) {
            (Some(task), Some(model)) => format!("{task}: {model} first"),
            _ => "no model may answer".to_owned(),
        },
        data: Some(data),
        fee: Usd::ZERO,
        took: gateway.parts().clock.now().tick.since(start),
    });
    ask.ranking = Some(ranking);
    Asked { router, stage }
}
