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
use waystation_catalog::{Catalog, Changes, EndpointChange, ModelChange, ProviderChange};
use waystation_core::{
    AuthScheme, CredentialId, Credentials, Lease, ModelId, NoCredential, ObjectWriter, Price,
    ProviderSlug, Secret, Tokens, UsdPerMTok,
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
#[derive(Clone, Debug)]
pub struct Keys(Option<Vec<ProviderSlug>>);

/// The catalogue of the contract's checklist (section 12): model [`M`] with mock providers A, B and
/// C at 1, 2 and 3 dollars per million tokens, prompt and completion alike.
///
/// # Panics
/// Never: the names are right.
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
    chat_with(model, prompt, |_| {})
}

/// The same with further members: `|body| { body.bool("stream", true); }`.
#[must_use]
pub fn chat_with(model: &str, prompt: &str, more: impl FnOnce(&mut ObjectWriter<'_>)) -> Bytes {
    let mut out = Vec::new();
    let mut body = ObjectWriter::open(&mut out);
    body.string("model", model);
    let list = body.key("messages");
    list.push(b'[');
    let mut message = ObjectWriter::open(list);
    message.string("role", "user").string("content", prompt);
    message.close();
    list.push(b']');
    more(&mut body);
    body.close();
    out.into()
}

/// A whole openai-chat reply that says `text`, with these token counts.
#[must_use]
pub fn answer(text: &str, prompt_tokens: u64, completion_tokens: u64) -> Reply {
    let mut out = Vec::new();
    let mut body = ObjectWriter::open(&mut out);
    head(&mut body, "chat.completion");
    let list = body.key("choices");
    list.push(b'[');
    let mut choice = ObjectWriter::open(list);
    choice.number("index", 0);
    let mut message = choice.object("message");
    message.string("role", "assistant").string("content", text);
    message.close();
    choice.string("finish_reason", "stop");
    choice.close();
    list.push(b']');
    usage(&mut body, prompt_tokens, completion_tokens);
    body.close();
    Reply::json(200, out)
}

/// The same as a stream: a role chunk, a chunk for each of `pieces`, finish, usage, `[DONE]`.
#[must_use]
pub fn answer_stream(pieces: &[&str], prompt_tokens: u64, completion_tokens: u64) -> Reply {
    let mut events = vec![chunk(&[("role", "assistant"), ("content", "")], None)];
    events.extend(
        pieces
            .iter()
            .map(|piece| chunk(&[("content", piece)], None)),
    );
    events.push(chunk(&[], Some("stop")));
    let mut out = Vec::new();
    let mut body = ObjectWriter::open(&mut out);
    head(&mut body, "chat.completion.chunk");
    body.raw("choices", b"[]");
    usage(&mut body, prompt_tokens, completion_tokens);
    body.close();
    events.push(String::from_utf8_lossy(&out).into_owned());
    events.push("[DONE]".into());
    SimReply::sse(events).into()
}

/// An error of this status in OpenAI's envelope.
#[must_use]
pub fn error(status: u16, message: &str) -> Reply {
    let mut out = Vec::new();
    let mut body = ObjectWriter::open(&mut out);
    let mut error = body.object("error");
    error
        .string("message", message)
        .string("type", "mock_error")
        .null("param")
        .null("code");
    error.close();
    body.close();
    Reply::json(status, out)
}

fn head(body: &mut ObjectWriter<'_>, object: &str) {
    body.string("id", "chatcmpl-mock")
        .string("object", object)
        .number("created", crate::TEST_EPOCH_MS / 1000)
        .string("model", "mock");
}

fn usage(body: &mut ObjectWriter<'_>, prompt: u64, completion: u64) {
    let mut usage = body.object("usage");
    usage
        .number("prompt_tokens", prompt)
        .number("completion_tokens", completion)
        .number("total_tokens", prompt + completion);
    usage.close();
}

fn chunk(delta: &[(&str, &str)], finish: Option<&str>) -> String {
    let mut out = Vec::new();
    let mut body = ObjectWriter::open(&mut out);
    head(&mut body, "chat.completion.chunk");
    let list = body.key("choices");
    list.push(b'[');
    let mut choice = ObjectWriter::open(list);
    choice.number("index", 0);
    let mut inside = choice.object("delta");
    for (key, text) in delta {
        inside.string(key, text);
    }
    inside.close();
    match finish {
        Some(reason) => choice.string("finish_reason", reason),
        None => choice.null("finish_reason"),
    };
    choice.close();
    list.push(b']');
    body.close();
    String::from_utf8_lossy(&out).into_owned()
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
            Ok(credential) if self.has(provider) && !exclude.contains(&credential) => Ok(Lease {
                credential,
                secret: Some(Secret::new(&format!("key-of-{provider}"))),
            }),
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
    use waystation_core::Json;

    use super::*;

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

    #[test]
    fn bodies_are_json() {
        let body = chat_with(M, "say \"hi\"", |body| {
            body.bool("stream", true);
        });
        assert_eq!(
            Json::parse(&body).unwrap().get("stream").unwrap().bool(),
            Some(true)
        );
        assert!(Json::parse(chunk(&[("content", "a")], Some("stop")).as_bytes()).is_ok());
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
