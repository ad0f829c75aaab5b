//! Plans without sending: what `waystation explain` and `POST /v1/route/explain` answer.
//!
//! The plan is the router's; here the request is read, the world is lent, and figures of a file may
//! take the place of live ones. Plugins are checked but not run, since some of them send.

use bytes::Bytes;
use serde::Deserialize;
use waystation_core::{
    Ask, ChatRequest, EndpointId, InvalidRequest, ModelId, Now, Ranking, Seed, Tick, UnixMs,
};
use waystation_gateway::{GatewayError, Snapshot};
use waystation_router::{
    Explanation, HealthRow, HealthView, RoutingPolicy, World, ask, explain, plan, pool,
};

use crate::{app::App, preset};

/// What takes the place of the live state. The default replaces nothing.
#[derive(Debug, Default)]
pub struct Given {
    /// The seed; absent, a new one.
    pub seed: Option<Seed>,
    /// The time; absent, the clock's.
    pub now: Option<Now>,
    /// Health; absent, what was measured.
    pub health: Option<HealthView>,
    /// The endpoint that served the conversation before.
    pub sticky: Option<EndpointId>,
    /// The auto router's order; absent, it is asked.
    pub ranking: Option<Ranking>,
}

/// A decision record: everything beside request, config and catalogue that a plan came from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecord {
    /// Version of the catalogue.
    #[serde(default)]
    pub catalog: Option<String>,
    /// The seed.
    pub seed: u64,
    /// When the plan was made, in microseconds of the process's monotonic clock.
    #[serde(default)]
    pub tick_us: u64,
    /// When the plan was made, in milliseconds since 1970.
    #[serde(default)]
    pub unix_ms: u64,
    /// The endpoint that had served the conversation before.
    #[serde(default)]
    pub sticky: Option<String>,
    /// The auto router's order of models.
    #[serde(default)]
    pub ranking: Option<Vec<ModelId>>,
    /// Health of the candidates, in the schema of `--health`.
    #[serde(default)]
    pub health: Vec<HealthRow>,
}

// === impl DecisionRecord ===

impl DecisionRecord {
    /// The state to plan from.
    ///
    /// # Errors
    /// The message of an endpoint id that is none.
    pub fn given(self) -> Result<Given, waystation_core::ParseNameError> {
        let sticky = self.sticky.as_deref().map(str::parse).transpose()?;
        Ok(Given {
            seed: Some(Seed::new(self.seed)),
            now: Some(Now {
                tick: Tick::from_micros(self.tick_us),
                unix: UnixMs::new(self.unix_ms),
            }),
            health: Some(HealthView::fixed(self.health)),
            sticky,
            ranking: self.ranking.map(|models| Ranking { models, task: None }),
        })
    }
}

/// Plans one chat request and says why. A request that is refused is explained as well, and the
/// refusal itself, as the chat request would meet it, stands beside the explanation.
pub async fn of(app: &App, body: &Bytes, given: &Given) -> (Explanation, Option<GatewayError>) {
    let seed = given.seed.unwrap_or_else(|| Seed::new(app.chance()));
    let snapshot = app.gateway().snapshot();
    match question(app, &snapshot, body, given).await {
        Ok(ask) => app.gateway().with_world(&snapshot, |world| {
            // A plan that is only looked at measures nothing.
            let policy = RoutingPolicy {
                explore_ppm: 0,
                ..world.policy.clone()
            };
            let world = World {
                policy: &policy,
                now: given.now.unwrap_or(world.now),
                health: given.health.as_ref().unwrap_or(world.health),
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
    drop(snapshot.plugins.begin(&chat)?);
    let mut ask = ask(&chat, &*app.gateway().parts().tokens, &snapshot.policy)?;
    ask.sticky = given.sticky.clone();
    ask.ranking = given.ranking.clone();
    let auto = |name: &ModelId| name.slug() == "auto";
    if ask.ranking.is_none() && ask.models.iter().filter_map(|m| m.name.as_ref()).any(auto) {
        let pool = app.gateway().with_world(snapshot, pool);
        ask.ranking = snapshot.ranker.rank(&ask, &chat, &pool).await.ok();
    }
    Ok(ask)
}
