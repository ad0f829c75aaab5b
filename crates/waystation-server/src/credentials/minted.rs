//! A credential that expires and is had anew: the token at hand, when the next one is due, and that
//! only one is asked for at a time. Who finds a token at hand waits for nobody, not even while it is replaced.

use std::{fmt, time::Duration};

use arc_swap::ArcSwap;
use waystation_core::{CredentialId, Secret, Tick};

use super::{
    aws::Aws,
    call::{Minted, World},
    entra::Entra,
    google::Google,
};

/// A token is replaced so long before it expires, or a fifth of its lifetime where that is less.
const AHEAD: Duration = Duration::from_secs(300);
/// After a failure nobody asks again for so long.
const PAUSE: Duration = Duration::from_secs(10);
/// A token that is younger is not replaced when it is refused: a new one would be refused as well.
const FRESH: Duration = Duration::from_secs(60);

/// Who asks for tokens.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Google's.
    Google(Google),
    /// AWS's.
    Aws(Aws),
    /// An application of Microsoft Entra.
    Entra(Entra),
}

/// An identity with the token that it has now.
pub(super) struct Mint {
    name: CredentialId,
    identity: Identity,
    state: ArcSwap<State>,
    /// Held while a token is asked for. Who waits for it has none, and waits for the token.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    /// How many tokens were refused: each makes the credential another one.
    refused: u32,
    held: Option<Held>,
    /// When and why the last one could not be had.
    failed: Option<(Tick, String)>,
}

#[derive(Clone)]
struct Held {
    secret: Secret,
    asked: Tick,
    due: Tick,
    expires: Tick,
}

// === impl Identity ===

impl Identity {
    async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        match self {
            Self::Google(google) => google.mint(world).await,
            Self::Aws(aws) => aws.mint(world).await,
            Self::Entra(entra) => entra.mint(world).await,
        }
    }
}

// === impl Mint ===

impl Mint {
    pub(super) fn new(name: CredentialId, identity: Identity) -> Self {
        Self {
            name,
            identity,
            state: ArcSwap::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The credential as it is called now.
    pub(super) fn id(&self) -> CredentialId {
        self.named(self.state.load().refused)
    }

    fn named(&self, refused: u32) -> CredentialId {
        if refused == 0 {
            return self.name.clone();
        }
        // A name that is at its longest stays; its tokens then rest together.
        let numbered = format!("{}@{refused}", self.name).parse();
        numbered.unwrap_or_else(|_| self.name.clone())
    }

    /// The token at hand. Waits for one when there is none, or none that still holds.
    ///
    /// # Errors
    /// Why none could be had, now or a moment ago.
    #[expect(
        clippy::disallowed_methods,
        reason = "who has no token waits for the token, whoever asks for it"
    )]
    pub(super) async fn lend(&self, world: World<'_>) -> Result<Secret, String> {
        if let Some(secret) = self.valid(world.clock.now().tick) {
            return Ok(secret);
        }
        let _asking = self.asking.lock().await;
        let now = world.clock.now().tick;
        // Somebody else may have asked in the meantime.
        if let Some(secret) = self.valid(now) {
            return Ok(secret);
        }
        if let Some(reason) = self.failed_lately(now) {
            return Err(reason);
        }
        self.ask(world).await
    }

    /// Replaces the token where that is due. One that was never asked for is not.
    ///
    /// # Errors
    /// Why there is no new one. The old one is lent as long as it holds.
    pub(super) async fn renew(&self, world: World<'_>) -> Result<(), String> {
        let now = world.clock.now().tick;
        let is_due = |held: &Held| now >= held.due;
        let due = self.state.load().held.as_ref().is_some_and(is_due);
        if !due || self.failed_lately(now).is_some() {
            return Ok(());
        }
        let Ok(_asking) = self.asking.try_lock() else {
            return Ok(());
        };
        self.ask(world).await.map(drop)
    }

    /// The upstream does not know the credential called `id`: where that is the token at hand, and
    /// not a fresh one, there will be another.
    pub(super) fn refused(&self, id: &CredentialId, now: Tick) -> bool {
        let is_this = |state: &State| self.named(state.refused) == *id;
        let is_old = |held: &Held| now.since(held.asked) >= FRESH;
        let goes = |state: &State| is_this(state) && state.held.as_ref().is_some_and(is_old);
        let state = self.state.load();
        if goes(&state) {
            // Of two that say it at once, one is heard.
            self.change(|state| {
                if goes(state) {
                    (state.refused, state.held) = (state.refused.wrapping_add(1), None);
                }
            });
        }
        is_this(&state)
    }

    async fn ask(&self, world: World<'_>) -> Result<Secret, String> {
        let asked = world.clock.now().tick;
        let minted = self.identity.mint(world).await;
        match minted {
            Ok(Minted { secret, lifetime }) => {
                let ahead = AHEAD.min(lifetime / 5);
                let held = Held {
                    secret: secret.clone(),
                    asked,
                    due: asked.plus(lifetime.saturating_sub(ahead)),
                    expires: asked.plus(lifetime),
                };
                self.change(|state| (state.held, state.failed) = (Some(held.clone()), None));
                Ok(secret)
            }
            Err(reason) => {
                let failed = (world.clock.now().tick, reason.clone());
                self.change(|state| state.failed = Some(failed.clone()));
                tracing::warn!(credential = %self.name, "no new token: {reason}");
                Err(reason)
            }
        }
    }

    fn valid(&self, now: Tick) -> Option<Secret> {
        let state = self.state.load();
        let held = state.held.as_ref().filter(|held| now < held.expires);
        held.map(|held| held.secret.clone())
    }

    fn failed_lately(&self, now: Tick) -> Option<String> {
        let state = self.state.load();
        let failed = state.failed.as_ref();
        let lately = failed.filter(|(when, _)| now.since(*when) < PAUSE);
        lately.map(|(_, reason)| reason.clone())
    }

    /// Publishes a state with this change; `change` is made again where somebody else was quicker.
    fn change(&self, change: impl Fn(&mut State)) {
        self.state.rcu(|state| {
            let mut next = State::clone(state);
            change(&mut next);
            next
        });
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mint").field(&self.name).finish()
    }
}
