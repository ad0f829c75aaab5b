//! Asks the auto router, where a request names it.

use waystation_core::{Ask, ChatRequest, ModelId, Ranking};

use crate::{Snapshot, chat::Gateway};

/// The ids that leave the choice of the model to the gateway.
const AUTO: &[&str] = &["openrouter/auto", "waystation/auto"];

/// Puts a ranking into `ask` when one of its models is an auto router; gives that router's id.
///
/// The pool is exactly the models that have an endpoint with a credential and a codec. A ranker that
/// fails never fails the request: the pool itself is then the default set, in its own order.
pub(crate) async fn where_wanted(
    gateway: &Gateway,
    snapshot: &Snapshot,
    ask: &mut Ask,
    chat: &ChatRequest,
) -> Option<ModelId> {
    let wanted = ask.models.iter().filter_map(|model| model.name.as_ref());
    let router = wanted
        .into_iter()
        .find(|name| AUTO.contains(&name.as_str()))?
        .clone();
    let pool = gateway.with_world(snapshot, waystation_router::pool);
    let ranking = match snapshot.ranker.rank(ask, chat, &pool).await {
        Ok(ranking) => ranking,
        Err(error) => {
            tracing::warn!(%error, "the auto router gave no ranking");
            Ranking {
                models: pool,
                task: None,
            }
        }
    };
    ask.ranking = Some(ranking);
    Some(router)
}
