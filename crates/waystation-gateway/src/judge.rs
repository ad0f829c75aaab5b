//! A hosted judge of prompts, asked over HTTP, before the embedded router's order. It only recommends:
//! filters, settings and fallbacks are the embedded router's, and its order stands whenever the judge
//! may not be asked, is late or makes no sense.
//!
//! Wire: `POST /v2/modelRouter/modelSelect?type=openrouter`, as the `notdiamond` package 1.7.0 has it.

use std::{fmt, future::poll_fn, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use waystation_core::{
    Ask, BodyStream, ChatRequest, DataCollection, HttpRequest, Json, ModelId, ObjectWriter,
    PoolKey, RankError, Ranker, Ranking, RawJson, Secret, SendLimits, Transport,
};

/// The longest that a request waits for the judge.
const PATIENCE: Duration = Duration::from_millis(500);
/// The longest reply that is read, in bytes.
const LONGEST: usize = 65_536;
/// The judge's name in settings and metadata.
const NAME: &str = "notdiamond";

/// A ranker that lets a hosted judge choose among the embedded router's candidates.
///
/// Nothing is sent where a request, or the operator for all of them, demands zero data retention or
/// denies data collection. Prompts are sent with `hash_content`, which asks not to keep them.
pub struct Judge {
    /// The network.
    pub transport: Arc<dyn Transport>,
    /// Where the judge is; no trailing slash.
    pub base_url: String,
    /// Its key.
    pub api_key: Option<Secret>,
    /// The operator denies data collection, or demands zero retention, for every request.
    pub denied: bool,
    /// Whose candidates it chooses among.
    pub embedded: Arc<dyn Ranker>,
}

#[async_trait]
impl Ranker for Judge {
    async fn rank(
        &self,
        ask: &Ask,
        chat: &ChatRequest,
        pool: &[ModelId],
    ) -> Result<Ranking, RankError> {
        let mut ranking = self.embedded.rank(ask, chat, pool).await?;
        if ranking.models.len() < 2 || !self.may_ask(ask) {
            return Ok(ranking);
        }
        let asked = tokio::time::timeout(PATIENCE, self.ask(chat, &ranking.models)).await;
        let late = || Err(format!("no answer within {PATIENCE:?}"));
        let account = match asked.unwrap_or_else(|_| late()) {
            Ok(model) => {
                if let Some(at) = ranking.models.iter().position(|known| *known == model) {
                    let first = ranking.models.remove(at);
                    ranking.models.insert(0, first);
                }
                ("model", model.to_string())
            }
            Err(reason) => {
                tracing::warn!(%reason, "the judge was no help; the embedded router decides");
                ("failed", reason)
            }
        };
        ranking.data = Some(with_account(ranking.data.as_ref(), &account));
        Ok(ranking)
    }
}

// === impl Judge ===

impl Judge {
    /// Whether the prompt may be shown to somebody else.
    ///
    /// The judge's own promises do not matter here: whoever says that data must not be kept has named
    /// the providers' data policies, not a third party's.
    fn may_ask(&self, ask: &Ask) -> bool {
        let wishes = &ask.wishes;
        let denies = wishes.zdr || wishes.data_collection == Some(DataCollection::Deny);
        !self.denied && !denies
    }

    /// Asks which of `candidates` should answer, once: a second try would not fit into the deadline.
    ///
    /// # Errors
    /// What stood in the way, for the log and for metadata. It holds no key and no part of the prompt.
    async fn ask(&self, chat: &ChatRequest, candidates: &[ModelId]) -> Result<ModelId, String> {
        let url = format!(
            "{}/v2/modelRouter/modelSelect?type=openrouter",
            self.base_url
        );
        let request = HttpRequest::post_json(&url, body(chat, candidates));
        let mut request = request.map_err(|error| error.to_string())?;
        if let Some(key) = &self.api_key {
            let name = http::header::AUTHORIZATION;
            let keyed = request.secret(name, "Bearer ", key);
            request = keyed.map_err(|error| error.to_string())?;
        }
        let limits = SendLimits {
            connect: PATIENCE,
            head: None,
            pool: PoolKey(Arc::from("plugins.auto-router.notdiamond")),
        };
        let sent = self.transport.send(request, limits).await;
        let reply = sent.map_err(|error| error.to_string())?;
        if !reply.head.status.is_success() {
            return Err(format!(
                "it answered with status {}",
                reply.head.status.as_u16()
            ));
        }
        let read = read(reply.body).await?;
        chosen(&read, candidates).ok_or_else(|| "it chose none of the candidates".to_owned())
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// The question: the candidates, the messages as they are, and the tools.
///
/// Candidates are those of the embedded router, so that nobody is recommended whom the request's filters
/// or the settings leave out.
fn body(chat: &ChatRequest, candidates: &[ModelId]) -> Bytes {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    let list = object.key("llm_providers");
    list.push(b'[');
    for (at, model) in candidates.iter().enumerate() {
        if at > 0 {
            list.push(b',');
        }
        let mut one = ObjectWriter::open(list);
        one.string("model", model.as_str());
        one.close();
    }
    list.push(b']');
    for key in ["messages", "tools"] {
        if let Some(value) = chat.get(key) {
            object.raw(key, value.bytes());
        }
    }
    object.bool("hash_content", true);
    object.close();
    out.into()
}

/// The first recommendation that is a candidate: `{"providers": [{"provider", "model"}]}`, where the
/// model may be spelled with its author or without.
///
/// `None` for a reply that names none of the candidates, or that is no JSON.
fn chosen(reply: &[u8], candidates: &[ModelId]) -> Option<ModelId> {
    let json = Json::parse(reply).ok()?;
    let providers = json.get("providers").into_iter().flat_map(Json::elements);
    let mut named = providers.filter_map(|one| {
        let model = one.get("model").and_then(Json::string)?;
        let author = one
            .get("provider")
            .and_then(Json::string)
            .unwrap_or_default();
        let full = format!("{author}/{model}");
        let is = |known: &&ModelId| known.as_str() == &*model || known.as_str() == full;
        candidates.iter().find(is)
    });
    named.next().cloned()
}

/// The body of a reply, within its limit. Whoever waits for it holds the time limit.
///
/// # Errors
/// What broke, or that it is too long.
async fn read(mut body: BodyStream) -> Result<Vec<u8>, String> {
    let mut whole = Vec::new();
    while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let piece = piece.map_err(|error| error.to_string())?;
        whole.extend_from_slice(&piece);
        if whole.len() > LONGEST {
            return Err(format!("its answer is longer than {LONGEST} bytes"));
        }
    }
    Ok(whole)
}

/// What the embedded router said, and what became of asking the judge.
///
/// The embedded router's figures stay as they were: the judge gives none.
fn with_account(data: Option<&RawJson>, (key, value): &(&str, String)) -> RawJson {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    for (key, value) in data.into_iter().flat_map(|data| data.json().members()) {
        object
            .escaped_key(key.escaped())
            .extend_from_slice(value.bytes());
    }
    let mut judge = object.object("judge");
    judge.string("engine", NAME).string(key, value);
    judge.close();
    object.close();
    RawJson::parse(&out.into()).unwrap_or_else(|_| RawJson::of(&()))
}
