//! The small seams to everything else that is not pure: time, records, credentials, token counts,
//! the document sandbox, files behind addresses and the auto router.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Ask, AuthScheme, ChatRequest, CredentialId, Document, Entry, ModelId, NoCredential, Now,
    ParseError, ProviderSlug, Ranking, Secret, Tokens, plugin::DocumentJob,
};

/// Tells the time: monotonic and wall.
pub trait Clock: Send + Sync {
    /// Both clocks, read together.
    fn now(&self) -> Now;
}

/// Keeps records of what was served.
///
/// # Laws
/// `record` never blocks and never fails a request; a ledger that is full forgets the oldest.
pub trait Ledger: Send + Sync {
    /// Keeps what `entry` says. A later entry with the same id replaces the earlier.
    fn record(&self, entry: &Entry);
}

/// Counts tokens.
pub trait TokenCounter: Send + Sync {
    /// The fewest and the most tokens that `bytes` bytes of text can be.
    fn bounds(&self, bytes: u64) -> (Tokens, Tokens);

    /// The likely number of tokens in `bytes` bytes of text, where the text itself is not at hand.
    fn estimate(&self, bytes: u64) -> Tokens;

    /// Counts the tokens of `text`, stopping early once `limit` is exceeded. An implementation
    /// that guesses errs on the low side, so that nothing that fits is refused.
    fn count_till(&self, text: &str, limit: Tokens) -> Tokens;

    /// No fewer tokens than [`count_till`](Self::count_till) finds in the text that `json` spells: a JSON
    /// string, or what stands between its quotes. For long texts, where counting would take long: an
    /// implementation may stop where what it has seen and the bytes that it has not come to `enough` at most.
    fn at_most(&self, json: &[u8], _enough: Tokens) -> Tokens {
        self.bounds(u64::try_from(json.len()).unwrap_or(u64::MAX)).1
    }

    /// As [`estimate`](Self::estimate), for a model whose own counts may be known.
    fn estimate_of(&self, _model: &ModelId, bytes: u64) -> Tokens {
        self.estimate(bytes)
    }

    /// Takes notice that `model` counted `tokens` in a prompt of `bytes` bytes of text.
    fn learn(&self, _model: &ModelId, _bytes: u64, _tokens: Tokens) {}

    /// What `model`, whose vocabulary is of this family (`GPT`), makes of `text`, stopping early once
    /// `limit` is exceeded. `None` where the vocabulary is not at hand; asking may bring it there for
    /// later, and never waits for it.
    fn exact_till(
        &self,
        _model: &ModelId,
        _family: &str,
        _text: &str,
        _limit: Tokens,
    ) -> Option<Tokens> {
        None
    }
}

/// Hands out the credentials of providers.
///
/// # Laws
/// `lease` waits only on first use; a refreshed credential is there before the old one expires.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// A credential of `provider`, not one of `exclude`.
    ///
    /// # Errors
    /// [`NoCredential`] when none is left.
    async fn lease(
        &self,
        provider: &ProviderSlug,
        exclude: &[CredentialId],
    ) -> Result<Lease, NoCredential>;

    /// The same, where it can be had at once; `None` says nothing.
    fn at_hand(&self, _provider: &ProviderSlug, _exclude: &[CredentialId]) -> Option<Lease> {
        None
    }

    /// Whether `provider` has any credential, or needs none: whether its endpoints are candidates.
    fn has(&self, provider: &ProviderSlug) -> bool;

    /// Takes notice that `provider` does not know `credential`. One that can be had anew is from then
    /// on lent under another name; for others this changes nothing.
    fn refused(&self, _provider: &ProviderSlug, _credential: &CredentialId) {}

    /// Takes notice of what was used with `credential`, where tokens per minute are limited.
    fn spent(&self, _provider: &ProviderSlug, _credential: &CredentialId, _tokens: Tokens) {}
}

/// A credential, lent for one attempt.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Which one, by name.
    pub credential: CredentialId,
    /// The key or token; `None` where the provider needs none.
    pub secret: Option<Secret>,
    /// How it travels, where that is not as the provider's keys usually do.
    pub scheme: Option<AuthScheme>,
}

// === impl Lease ===

impl Lease {
    /// A credential that travels as its provider's keys usually do.
    #[must_use]
    pub const fn new(credential: CredentialId, secret: Option<Secret>) -> Self {
        Self {
            credential,
            secret,
            scheme: None,
        }
    }

    /// How it travels to a provider whose keys usually go by `usual`.
    #[must_use]
    pub fn scheme_or(&self, usual: AuthScheme) -> AuthScheme {
        self.scheme.unwrap_or(usual)
    }
}

/// Reads foreign documents where they can do no harm.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Reads one document.
    ///
    /// # Errors
    /// [`ParseError`] when it cannot be read within its limits.
    async fn parse(&self, job: DocumentJob) -> Result<Document, ParseError>;
}

/// Fetches files that users name by address.
///
/// # Laws
/// - Where private networks are not allowed, nothing but public addresses is ever connected to,
///   whatever a name resolves to at whichever time, and wherever a redirect leads.
/// - Nothing of the gateway's goes along: no credential, no cookie, no proxy.
/// - Errors name no address: those of the inside are not the user's to know.
#[async_trait]
pub trait Fetcher: std::fmt::Debug + Send + Sync {
    /// Fetches the file at `address`.
    ///
    /// # Errors
    /// [`FetchError`] for what may not be fetched, is not there, or is over the limits.
    async fn fetch(&self, address: &str, limits: FetchLimits) -> Result<Fetched, FetchError>;
}

/// Limits on one fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// The largest file, in bytes.
    pub bytes: u64,
    /// How long it may take, redirects and all.
    pub time: Duration,
    /// Addresses of private networks, and other ports than those of the web, may be fetched.
    pub private: bool,
}

/// A file, fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its bytes.
    pub bytes: Bytes,
    /// What its server calls it: `application/pdf`. Empty where it says nothing.
    pub media_type: String,
}

/// Why a file could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it could not be fetched: {reason}")]
pub struct FetchError {
    /// What stood in the way.
    pub reason: String,
}

/// Ranks models for a request: the embedded auto router, or a hosted judge.
#[async_trait]
pub trait Ranker: Send + Sync {
    /// Orders `pool` for this request, best first.
    ///
    /// # Errors
    /// [`RankError`] when no order could be had; the caller falls back to a default.
    async fn rank(
        &self,
        ask: &Ask,
        chat: &ChatRequest,
        pool: &[ModelId],
    ) -> Result<Ranking, RankError>;
}

/// Why no ranking could be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no ranking: {reason}")]
pub struct RankError {
    /// What stood in the way.
    pub reason: String,
}

const _: fn(&dyn Clock, &dyn Ledger, &dyn TokenCounter) = |_, _, _| {};
const _: fn(&dyn Credentials, &dyn Sandbox, &dyn Ranker, &dyn Fetcher) = |_, _, _, _| {};
