//! Plans without sending: what `waystation explain` and `POST /v1/route/explain` answer.
//!
//! The plan is the router's; here the request is read, the world is lent, and figures of a file may
//! take the place of live ones. Plugins are checked but not run, since some of them send.

use bytes::Bytes;
use waystation_core::{Ask, ChatRequest, InvalidRequest, ModelId, Seed};
use waystation_gateway::{GatewayError, Snapshot};
use waystation_router::{
    DecisionRecord, Explanation, HealthView, RoutingPolicy, World, ask, explain, plan, pool,
};

use crate::{app::App, preset};

/// What takes the place of the live state. The default replaces nothing.
#[derive(Debug, Default)]
pub struct Given {
    /// The seed; absent, a new one.
    pub seed: Option<Seed>,
    /// Health; absent, what was measured.
    pub health: Option<HealthView>,
    /// A decision record, which says all of it and more.
    pub record: Option<DecisionRecord>,
}

/// Plans one chat request and says why. A request that is refused is explained as well, and the
/// refusal itself, as the chat request would meet it, stands beside the explanation.
pub async fn of(app: &App, body: &Bytes, given: &Given) -> (Explanation, Option<GatewayError>) {
    let record = given.record.as_ref();
    let seed = record.map(DecisionRecord::seed).or(given.seed);
    let seed = seed.unwrap_or_else(|| Seed::new(app.chance()));
    let recorded = record.map(DecisionRecord::view);
    let snapshot = app.gateway().snapshot();
    match question(app, &snapshot, body, given).await {
        Ok(ask) => app.gateway().with_world(&snapshot, |world| {
            // A plan that is only looked at measures nothing; one that is made again did.
            let policy = RoutingPolicy {
                explore_ppm: record.map_or(0, |record| record.explore_ppm),
                ..world.policy.clone()
            };
            let health = recorded.as_ref().or(given.health.as_ref());
            let world = World {
                policy: &policy,
                now: record.map_or(world.now, DecisionRecord::now),
                health: health.unwrap_or(world.health),
                ..*world
            };
            let planned = plan(&ask, &world, seed);
            let explanation = explain(&planned, world.catalog);
            (explanation, planned.err().map(GatewayError::NoRoute))
        }),
        Err(refused) => {
            let explanation = Explanation::refused(&refused, seed.get());
            (explanation, Some(refused.into()))
        }
    }
}

/// What routing needs to know of the request.
async fn question(
    app: &App,
    snapshot: &Snapshot,
    body: &Bytes,
    given: &Given,
) -> Result<Ask, InvalidRequest> {
    let chat = preset::apply(ChatRequest::parse(body)?, &app.live().config.presets)?;
    let runs = snapshot.plugins.begin(&chat)?;
    snapshot.plugins.tools(&chat)?;
    let tokens = &*app.gateway().parts().tokens;
    let mut ask = ask(&chat, tokens, &snapshot.catalog, &snapshot.policy)?;
    runs.iter().for_each(|run| run.hint(&mut ask.hints));
    if let Some(record) = &given.record {
        record.fill(&mut ask);
    }
    let auto = |name: &ModelId| waystation_auto::Router::of(name).is_some();
    if ask.ranking.is_none() && ask.models.iter().filter_map(|m| m.name.as_ref()).any(auto) {
        let pool = app
            .gateway()
            .with_world(snapshot, |world| pool(&ask, world));
        ask.ranking = snapshot.ranker.rank(&ask, &chat, &pool).await.ok();
    }
    Ok(*ask)
}
