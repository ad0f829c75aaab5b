//! Who searches, and the search itself: a service of the operator's is asked, within limits of time
//! and size. Where results go is not decided here.

use std::{future::poll_fn, sync::Arc, time::Duration};

use waystation_core::{
    BodyStream, ChatRequest, Cx, DataCollection, Deadline, Endpoint, Json, NativeSearch, PoolKey,
    ProviderPreferences, SendLimits, Spent,
};

use super::{SearchHit, SearchQuery, SearchService, engine::SearchReply, wanted::Wanted};

/// How long one search may take, from the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long opening the connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// The longest reply of a service, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;

/// The search services of one gateway, and what its operator demands of them.
///
/// The order is that of preference for requests that name no engine.
///
/// ```
/// use std::sync::Arc;
/// use waystation_plugins::{Defaults, Registry, SearchService, SearchWire, Web, WebSearch};
///
/// let searxng = SearchService {
///     name: "searxng", wire: SearchWire::Searxng, base_url: "http://127.0.0.1:8888".into(),
///     api_key: None, zdr: true, price: None,
/// };
/// let search = Arc::new(WebSearch { services: vec![searxng], private: false });
/// let registry = Registry::default().with(Arc::new(Web { search }), Defaults::default());
/// assert!(registry.ids().any(|id| *id == "web"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct WebSearch {
    /// The services.
    pub services: Vec<SearchService>,
    /// Every prompt is to be treated as if it said `zdr: true`.
    pub private: bool,
}

/// Who searches for one request, and how.
#[derive(Clone, Debug)]
pub(crate) struct Seeker {
    /// What the request wants.
    pub(crate) wanted: Wanted,
    /// Which engine it names.
    engine: Named,
    /// The services that may be asked, most wanted first.
    services: Vec<SearchService>,
    /// Why none may be asked, where there is none.
    none: String,
}

/// The engine that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// None.
    Any,
    /// The endpoint.
    Native,
    /// A service of the operator's.
    Service,
}

/// Who searches.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine<'a> {
    /// The endpoint itself.
    Native,
    /// A service of the operator's.
    Service(&'a SearchService),
}

/// The names of engines that requests may use, whether or not this gateway has them.
///
/// Source: API contract, section 7.1, and the own ones.
const KNOWN: [&str; 5] = ["native", "searxng", "exa", "tavily", "brave"];

// === impl WebSearch ===

impl WebSearch {
    /// Who may search for `chat`, as it wants it.
    ///
    /// # Errors
    /// A sentence that names the member, and what to change: the engine does not exist, is not
    /// configured, or may not see this prompt.
    pub(crate) fn seeker(&self, chat: &ChatRequest, wanted: Wanted) -> Result<Seeker, String> {
        let private = self.private || demands_privacy(chat);
        let may = |service: &&SearchService| !private || service.zdr;
        let (engine, services) = match wanted.engine.as_deref() {
            None => (Named::Any, self.services.iter().filter(may).collect()),
            Some("native") => (Named::Native, Vec::new()),
            Some(name) => {
                let service = self.services.iter().find(|service| service.name == name);
                let service = service.ok_or_else(|| self.missing(name))?;
                if !may(&service) {
                    return Err(format!(
                        "engine: {name:?} may not see this prompt, which wants zero data retention; declare `zdr = true` under [plugins.web] {name} if it promises that, or name another engine"
                    ));
                }
                (Named::Service, vec![service])
            }
        };
        let none = if private && !self.services.is_empty() {
            "web_unavailable: none of the configured search services may see this prompt, which wants zero data retention; declare `zdr = true` under [plugins.web] for one that promises it, or use a model whose provider searches itself"
        } else {
            "web_unavailable: this gateway has no search service; configure one under [plugins.web], such as searxng = { base_url = \"http://127.0.0.1:8888\" } or a key of exa, tavily or brave, or use a model whose provider searches itself"
        };
        Ok(Seeker {
            wanted,
            engine,
            services: services.into_iter().cloned().collect(),
            none: none.to_owned(),
        })
    }

    /// A service is named that is not there.
    fn missing(&self, name: &str) -> String {
        let here: Vec<&str> = self.services.iter().map(|service| service.name).collect();
        let here = if here.is_empty() {
            "none is".to_owned()
        } else {
            format!("configured: {}", here.join(", "))
        };
        if KNOWN.contains(&name) {
            return format!(
                "engine: {name:?} is not configured ({here}); add it under [plugins.web], or leave the engine out"
            );
        }
        let known = KNOWN.join(", ");
        format!("engine: expected one of {known}, found {name:?} ({here})")
    }
}

/// Whether a prompt may go only where nothing is kept. Preferences that make no sense are refused
/// before any plugin is asked.
fn demands_privacy(chat: &ChatRequest) -> bool {
    let wishes = ProviderPreferences::of(chat).unwrap_or_default();
    wishes.zdr || wishes.data_collection == Some(DataCollection::Deny)
}

// === impl Seeker ===

impl Seeker {
    /// Who searches, where this endpoint answers: the endpoint itself where it can and nothing else
    /// was named, else the first service.
    ///
    /// # Errors
    /// Why nobody can.
    pub(crate) fn engine(&self, to: &Endpoint) -> Result<Engine<'_>, String> {
        let native = self.native(to);
        match (self.engine, self.services.first()) {
            (Named::Native, _) => native.map(|()| Engine::Native),
            (Named::Any, None) if to.search.is_some() => native.map(|()| Engine::Native),
            (Named::Any, _) if native.is_ok() => Ok(Engine::Native),
            (_, Some(service)) => Ok(Engine::Service(service)),
            (_, None) => Err(self.none.clone()),
        }
    }

    /// The service to ask whichever endpoint answers.
    pub(crate) fn service(&self) -> Option<&SearchService> {
        self.services.first()
    }

    /// Why none may be asked.
    pub(crate) fn none(&self) -> &str {
        &self.none
    }

    /// Whether the endpoint can search as it is wanted. A list of domains not to search is ignored by
    /// providers that take only the other one, as they do it themselves. Source: API contract, 7.1.
    fn native(&self, to: &Endpoint) -> Result<(), String> {
        let (provider, domains) = (&to.provider, &self.wanted.domains);
        let include = domains.include().next().is_some();
        let exclude = domains.exclude().next().is_some();
        let reason = match to.search {
            None => {
                "has no search of its own for this model; leave the engine out, or name a service"
            }
            Some(NativeSearch::Plain) if include || exclude => {
                "searches without lists of domains; leave them out, or name a search service as engine"
            }
            // A service honours the list that such a provider would ignore.
            Some(NativeSearch::Include)
                if exclude && self.engine == Named::Any && !self.services.is_empty() =>
            {
                "ignores domains that are not to be searched"
            }
            Some(NativeSearch::Either) if include && exclude => {
                "takes one list of domains, to search or not to; leave one out, or name a search service as engine"
            }
            Some(_) => return Ok(()),
        };
        Err(format!("engine: native: {provider} {reason}"))
    }

    /// Asks a service. The failure is a sentence for metadata: it names neither address nor key.
    pub(crate) async fn ask(
        &self,
        service: &SearchService,
        text: &str,
        cx: &Cx<'_>,
    ) -> (Result<Vec<SearchHit>, String>, Spent) {
        let query = SearchQuery {
            text,
            max_results: self.wanted.max_results,
            domains: &self.wanted.domains,
            mode: self.wanted.mode.as_deref(),
            characters: self.wanted.characters,
        };
        match ask(service, &query, cx).await {
            Ok(reply) => {
                let spent = Spent {
                    fee: reply.charged.or(service.price).unwrap_or_default(),
                    searches: 1,
                    ..Spent::default()
                };
                (Ok(reply.hits), spent)
            }
            Err(reason) => (Err(reason), Spent::default()),
        }
    }
}

/// One exchange with a service.
async fn ask(
    service: &SearchService,
    query: &SearchQuery<'_>,
    cx: &Cx<'_>,
) -> Result<SearchReply, String> {
    let name = service.name;
    let request = service
        .request(query)
        .map_err(|error| format!("{name} cannot be asked: {error}"))?;
    let deadline = Deadline::after(cx.clock.now().tick, PATIENCE);
    let limits = SendLimits {
        connect: CONNECT,
        head: Some(deadline),
        pool: PoolKey(Arc::from(format!("plugins.web.{name}"))),
    };
    let sent = cx.transport.send(request, limits).await;
    let reply = sent.map_err(|error| format!("{name} did not answer: {error}"))?;
    let status = reply.head.status;
    if !status.is_success() {
        return Err(service.complaint(status.as_u16()));
    }
    let body = read(reply.body, || deadline.left(cx.clock.now().tick).is_zero()).await;
    let body = body.map_err(|reason| format!("{name}: {reason}"))?;
    match Json::parse(&body) {
        Ok(json) => Ok(service.read(json, query)),
        Err(_) => Err(format!("{name} did not answer in JSON")),
    }
}

/// The body of a reply, within its limits.
async fn read(mut body: BodyStream, late: impl Fn() -> bool) -> Result<Vec<u8>, String> {
    let mut whole = Vec::new();
    while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let piece = piece.map_err(|error| format!("the reply broke off: {error}"))?;
        whole.extend_from_slice(&piece);
        if whole.len() > LONGEST {
            return Err(format!("the reply is longer than {LONGEST} bytes"));
        }
        if late() {
            return Err(format!("the reply took longer than {PATIENCE:?}"));
        }
    }
    Ok(whole)
}
