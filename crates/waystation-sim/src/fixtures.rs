//! Small worlds for tests: catalogues of mock providers, chat bodies, scripted answers, credentials.
//!
//! Everything here is synthetic: no real model, provider or price. Names that do not parse are a
//! mistake in the test, so these functions panic on them.
#![expect(
    clippy::expect_used,
    reason = "a fixture that cannot be made is a failed test, and says why"
)]

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::{
    AuthScheme, CredentialId, Credentials, Lease, ModelId, NoCredential, Price, ProviderSlug,
    Secret, Tokens, UsdPerMTok,
};

use crate::{Reply, SimReply};

/// The model of [`catalog`], served by mock providers `a`, `b` and `c`.
pub const M: &str = "acme/m";
/// The first model of [`two_models`], served by `a` and `b`.
pub const X: &str = "acme/x";
/// The second model of [`two_models`], served by `b` and `c`.
pub const Y: &str = "acme/y";

/// Builds a synthetic catalogue.
///
/// ```
/// use waystation_sim::fixtures::Shelf;
///
/// let catalog = Shelf::new()
///     .endpoint("acme/fast", "a", "0.10")
///     .endpoint("acme/fast", "b", "0.20")
///     .change_endpoint("acme/fast", "b", |endpoint| endpoint.context_length = None)
///     .catalog();
/// let model = catalog.model("acme/fast").expect("on the shelf");
/// assert_eq!(model.endpoints.len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Shelf(Changes);

/// Credentials of some providers, or of all: each has one key, `key-of-<slug>`.
///
/// ```
/// use waystation_core::Credentials;
/// use waystation_sim::fixtures::Keys;
///
/// // B has endpoints but no credential, so that its endpoints are no candidates.
/// let keys = Keys::of(["a", "c"]);
/// assert!(keys.has(&"a".parse()?) && !keys.has(&"b".parse()?));
/// # Ok::<(), waystation_core::ParseNameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Keys(Option<Vec<ProviderSlug>>);

/// The catalogue of the contract's checklist (section 12): model [`M`] with mock providers A, B and
/// C at 1, 2 and 3 dollars per million tokens, prompt and completion alike.
///
/// # Panics
/// Never: the names are right.
///
/// ```
/// use waystation_sim::fixtures;
///
/// let catalog = fixtures::catalog();
/// let model = catalog.model(fixtures::M).expect("the fixture's model");
/// let tags: Vec<_> = model.endpoints.iter().map(|endpoint| endpoint.tag.as_str()).collect();
/// assert_eq!(tags, ["a", "b", "c"]);
/// ```
#[must_use]
pub fn catalog() -> Catalog {
    Shelf::new()
        .endpoint(M, "a", "1")
        .endpoint(M, "b", "2")
        .endpoint(M, "c", "3")
        .catalog()
}

/// Two models that share a provider: [`X`] from A at 1 and B at 2 dollars, [`Y`] from B at 0.5 and
/// C at 3 dollars.
///
/// # Panics
/// Never: the names are right.
#[must_use]
pub fn two_models() -> Catalog {
    Shelf::new()
        .endpoint(X, "a", "1")
        .endpoint(X, "b", "2")
        .endpoint(Y, "b", "0.5")
        .endpoint(Y, "c", "3")
        .catalog()
}

/// The host of a mock provider: `a.mock` for `a`. For [`ReplayTransport::at`](crate::ReplayTransport::at).
#[must_use]
pub fn host(provider: &str) -> String {
    format!("{provider}.mock")
}

/// The body of a chat request with one message.
///
/// ```
/// use waystation_core::ChatRequest;
/// use waystation_sim::fixtures;
///
/// let chat = ChatRequest::parse(&fixtures::chat(fixtures::M, "Hi"))?;
/// assert_eq!(chat.model().as_deref(), Some(fixtures::M));
/// # Ok::<(), waystation_core::InvalidRequest>(())
/// ```
#[must_use]
pub fn chat(model: &str, prompt: &str) -> Bytes {
    chat_with(model, prompt, json!({}))
}

/// The same with further members, which replace those of the same name.
///
/// ```
/// use serde_json::json;
/// use waystation_core::ChatRequest;
/// use waystation_sim::fixtures;
///
/// let more = json!({"stream": true, "provider": {"order": ["b"]}});
/// let chat = ChatRequest::parse(&fixtures::chat_with(fixtures::M, "Hi", more))?;
/// assert!(chat.stream());
/// # Ok::<(), waystation_core::InvalidRequest>(())
/// ```
#[must_use]
pub fn chat_with(model: &str, prompt: &str, more: Value) -> Bytes {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": prompt}]});
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body.to_string().into()
}

/// A whole openai-chat reply that says `text`, with these token counts.
///
/// ```
/// use waystation_sim::{ReplayTransport, fixtures};
///
/// // A is over its limit, so B has to serve.
/// let upstreams = ReplayTransport::hosts()
///     .at(&fixtures::host("a"), [fixtures::error(429, "slow down").header("retry-after", "2")])
///     .at(&fixtures::host("b"), [fixtures::answer("Hello", 5, 2)]);
/// ```
#[must_use]
pub fn answer(text: &str, prompt_tokens: u64, completion_tokens: u64) -> Reply {
    let body = json!({
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": CREATED,
        "model": "mock",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }],
        "usage": usage(prompt_tokens, completion_tokens),
    });
    Reply::json(200, body.to_string())
}

/// The same as a stream: a role chunk, a chunk for each of `pieces`, a finish chunk, a chunk with
/// the usage alone, `[DONE]`.
///
/// ```
/// use waystation_sim::fixtures;
///
/// // An upstream that dies after its first words:
/// let dying = fixtures::answer_stream(&["Hel", "lo"], 5, 2).cut_after(400);
/// ```
#[must_use]
pub fn answer_stream(pieces: &[&str], prompt_tokens: u64, completion_tokens: u64) -> Reply {
    let chunk = |choices: Value| {
        json!({
            "id": "chatcmpl-mock",
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": "mock",
            "choices": choices,
        })
    };
    let choice = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]))
    };
    let mut last = chunk(json!([]));
    if let Value::Object(last) = &mut last {
        last.insert("usage".into(), usage(prompt_tokens, completion_tokens));
    }
    let role = choice(json!({"role": "assistant", "content": ""}), Value::Null);
    let words = pieces
        .iter()
        .map(|piece| choice(json!({"content": piece}), Value::Null));
    let ends = [choice(json!({}), json!("stop")), last];
    let chunks = std::iter::once(role).chain(words).chain(ends);
    let events = chunks
        .map(|chunk| chunk.to_string())
        .chain(["[DONE]".into()]);
    SimReply::sse(events).into()
}

/// An error of this status in OpenAI's envelope, of type `mock_error`.
#[must_use]
pub fn error(status: u16, message: &str) -> Reply {
    let error = json!({"message": message, "type": "mock_error", "param": null, "code": null});
    Reply::json(status, json!({ "error": error }).to_string())
}

/// When every answer of these fixtures was made, in seconds since 1970.
const CREATED: u64 = crate::TEST_EPOCH_MS / 1000;

/// The member `usage`, without details.
fn usage(prompt: u64, completion: u64) -> Value {
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    })
}

// === impl Shelf ===

impl Shelf {
    /// An empty shelf.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A provider that speaks openai-chat at `https://<slug>.mock/v1`, takes a bearer key and is
    /// called by its slug in capitals. [`endpoint`](Self::endpoint) adds those that it needs.
    ///
    /// # Panics
    /// When `slug` is no provider slug.
    #[must_use]
    pub fn provider(mut self, slug: &str) -> Self {
        let parsed: ProviderSlug = slug.parse().expect("a provider slug");
        if self.0.providers.iter().any(|known| known.slug == parsed) {
            return self;
        }
        let mut provider = ProviderChange::new(parsed);
        provider.name = Some(slug.to_uppercase());
        provider.dialect = Some("openai-chat".parse().expect("a dialect"));
        provider.base_url = Some(format!("https://{}/v1", host(slug)));
        provider.auth = Some(AuthScheme::Bearer);
        self.0.providers.push(provider);
        self
    }

    /// An endpoint of `model` at `provider` that asks `price` dollars per million tokens, prompt
    /// and completion alike; model and provider are added when they are new. Context 128,000
    /// tokens, answers up to 16,384, every parameter.
    ///
    /// # Panics
    /// When one of the texts is not what it should be.
    #[must_use]
    pub fn endpoint(self, model: &str, provider: &str, price: &str) -> Self {
        let mut this = self.provider(provider);
        let id: ModelId = model.parse().expect("a model id");
        let price: UsdPerMTok = price.parse().expect("a price");
        let mut endpoint = EndpointChange::new(provider.parse().expect("a provider slug"));
        endpoint.price = Price::simple(price, price);
        endpoint.context_length = Some(Tokens::new(128_000));
        endpoint.max_output = Some(Tokens::new(16_384));
        match this.0.models.iter_mut().find(|known| known.id == id) {
            Some(known) => known.endpoints.push(endpoint),
            None => {
                let mut new = ModelChange::new(id);
                new.context_length = Some(Tokens::new(128_000));
                new.max_output = Some(Tokens::new(16_384));
                new.endpoints.push(endpoint);
                this.0.models.push(new);
            }
        }
        this
    }

    /// Changes a model that is on the shelf.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn change_model(mut self, model: &str, change: impl FnOnce(&mut ModelChange)) -> Self {
        let mut models = self.0.models.iter_mut();
        let found = models.find(|known| known.id.as_str() == model);
        change(found.expect("a model on the shelf"));
        self
    }

    /// Changes the endpoint of `model` at `provider`.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn change_endpoint(
        self,
        model: &str,
        provider: &str,
        change: impl FnOnce(&mut EndpointChange),
    ) -> Self {
        self.change_model(model, |model| {
            let mut endpoints = model.endpoints.iter_mut();
            let found = endpoints.find(|known| known.provider == *provider);
            change(found.expect("an endpoint on the shelf"));
        })
    }

    /// Changes a provider that is on the shelf.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn change_provider(mut self, slug: &str, change: impl FnOnce(&mut ProviderChange)) -> Self {
        let mut providers = self.0.providers.iter_mut();
        let found = providers.find(|known| known.slug == *slug);
        change(found.expect("a provider on the shelf"));
        self
    }

    /// Everything on the shelf, to lay over another catalogue.
    #[must_use]
    pub fn changes(self) -> Changes {
        self.0
    }

    /// Everything on the shelf as a catalogue.
    ///
    /// # Panics
    /// When the parts do not fit together.
    #[must_use]
    pub fn catalog(self) -> Catalog {
        let (catalog, _) = Catalog::empty()
            .with(self.0)
            .expect("parts that fit together");
        catalog
    }
}

// === impl Keys ===

impl Keys {
    /// A key for every provider.
    #[must_use]
    pub const fn all() -> Self {
        Self(None)
    }

    /// Keys for these providers alone.
    ///
    /// # Panics
    /// When one of the texts is no provider slug.
    #[must_use]
    pub fn of<'s>(providers: impl IntoIterator<Item = &'s str>) -> Self {
        let parsed = providers
            .into_iter()
            .map(|slug| slug.parse().expect("a provider slug"));
        Self(Some(parsed.collect()))
    }
}

#[async_trait]
impl Credentials for Keys {
    async fn lease(
        &self,
        provider: &ProviderSlug,
        exclude: &[CredentialId],
    ) -> Result<Lease, NoCredential> {
        let credential = provider.as_str().parse();
        match credential {
            Ok(credential) if self.has(provider) && !exclude.contains(&credential) => {
                let secret = Secret::new(&format!("key-of-{provider}"));
                Ok(Lease::new(credential, Some(secret)))
            }
            _ => Err(NoCredential::None {
                provider: provider.to_string(),
            }),
        }
    }

    fn has(&self, provider: &ProviderSlug) -> bool {
        self.0.as_ref().is_none_or(|some| some.contains(provider))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use waystation_core::{HttpRequest, Json, PoolKey, SendLimits, Transport};

    use super::*;
    use crate::ReplayTransport;

    #[test]
    fn the_shelf_holds_what_was_put_on_it() {
        let catalog = catalog();
        let model = catalog.model(M).unwrap();
        let prices: Vec<String> = model
            .endpoints
            .iter()
            .map(|endpoint| endpoint.price.rates.prompt.unwrap().to_string())
            .collect();
        assert_eq!(prices, ["1", "2", "3"]);
        let provider = catalog.provider("b").unwrap();
        assert_eq!(&*provider.upstream.name, "B");
        assert_eq!(provider.upstream.base_url, "https://b.mock/v1");
        assert_eq!(two_models().models().count(), 2);
    }

    #[tokio::test]
    async fn answers_are_what_codecs_expect() {
        let stream = answer_stream(&["He", "llo"], 3, 2);
        let transport = ReplayTransport::queue([answer("Hi", 1, 1), stream, error(503, "down")]);
        let request = HttpRequest::post_json("https://a.mock/v1/x", chat(M, "Hi")).unwrap();
        let limits = SendLimits {
            connect: std::time::Duration::from_secs(1),
            head: None,
            pool: PoolKey("a".into()),
        };
        let mut bodies = Vec::new();
        for _ in 0..3 {
            let sent = transport
                .send(request.clone(), limits.clone())
                .await
                .unwrap();
            let pieces: Vec<_> = sent.body.map(Result::unwrap).collect().await;
            bodies.push(String::from_utf8(pieces.concat()).unwrap());
        }
        assert!(Json::parse(bodies[0].as_bytes()).is_ok() && bodies[2].contains("down"));
        assert_eq!(bodies[1].matches("data: {").count(), 5);
        assert!(bodies[1].ends_with("data: [DONE]\n\n"));
    }

    #[tokio::test]
    async fn keys_are_lent_once() {
        let slug = "a".parse().unwrap();
        let keys = Keys::of(["a"]);
        let lease = keys.lease(&slug, &[]).await.unwrap();
        assert_eq!(lease.secret.unwrap().expose(), "key-of-a");
        assert!(keys.lease(&slug, &[lease.credential]).await.is_err());
        assert!(!keys.has(&"b".parse().unwrap()) && Keys::all().has(&slug));
    }
}
