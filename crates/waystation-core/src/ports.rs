//! The small seams to everything else that is not pure: time, records, credentials, token counts,
//! the document sandbox and the auto router.

use async_trait::async_trait;

use crate::{
    Ask, ChatRequest, CredentialId, Document, Entry, ModelId, NoCredential, Now, ParseError,
    ProviderSlug, Ranking, Secret, Tokens, plugin::DocumentJob,
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
    /// Keeps `entry`. A later entry with the same id replaces the earlier.
    fn record(&self, entry: Entry);
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

    /// Whether `provider` has any credential, or needs none: whether its endpoints are candidates.
    fn has(&self, provider: &ProviderSlug) -> bool;
}

/// A credential, lent for one attempt.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Which one, by name.
    pub credential: CredentialId,
    /// The key or token; `None` where the provider needs none.
    pub secret: Option<Secret>,
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
const _: fn(&dyn Credentials, &dyn Sandbox, &dyn Ranker) = |_, _, _| {};
