//! The router behind core's seams: it ranks for the gateway, and its settings are checked where those of
//! plugins are, before anything is routed.

use async_trait::async_trait;
use waystation_core::{
    Ask, ChatRequest, ErrorType, ModelId, Options, Plugin, PluginError, PluginId, RankError,
    Ranker, Ranking, Run,
};

use crate::{AutoRouter, Router, Settings};

/// The plugin that holds the settings of one router. It has nothing to run: the router reads them.
#[derive(Clone, Copy, Debug)]
pub struct RouterSettings(pub Router);

/// The router is the first one that the question names; a request may name ordinary models beside it.
#[async_trait]
impl Ranker for AutoRouter {
    async fn rank(
        &self,
        ask: &Ask,
        chat: &ChatRequest,
        pool: &[ModelId],
    ) -> Result<Ranking, RankError> {
        let names = ask.models.iter().filter_map(|model| model.name.as_ref());
        let router = names
            .into_iter()
            .find_map(Router::of)
            .unwrap_or(Router::Auto);
        let settings = self.settings(router, chat);
        let settings = settings.map_err(|error| RankError {
            reason: error.to_string(),
        })?;
        let decision = self.decide(ask, chat, (router, &settings), pool);
        Ok(Ranking {
            models: decision.models(),
            task: Some(decision.features.task.to_string()),
            data: Some(decision.data()),
        })
    }
}

impl Plugin for RouterSettings {
    fn id(&self) -> PluginId {
        PluginId::from_static(self.0.plugin())
    }

    /// Checks the options; there is never a run. A wrong setting is the client's 400, before anything is
    /// routed.
    fn begin(
        &self,
        _: &ChatRequest,
        options: &Options,
    ) -> Result<Option<Box<dyn Run>>, PluginError> {
        match Settings::read(options.entry.json()) {
            Ok(_) => Ok(None),
            Err(error) => Err(PluginError {
                kind: ErrorType::InvalidRequest,
                plugin: self.id(),
                message: format!("{}: {}", error.field, error.message),
            }),
        }
    }
}
