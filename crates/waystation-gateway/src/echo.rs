//! The bodies that went upstream, for a client that asks to see them (`debug.echo_upstream_body`).
//! They are kept while the request runs and nowhere else; how a client is shown them is not here.
//! Source: API contract, section 2.6.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use waystation_core::{ChatRequest, Json, Secret};

/// What stands in the place of a credential.
const STRUCK: &str = "***";

/// The bodies of one request's attempts, in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    /// Nobody asked: nothing is kept.
    wanted: bool,
    /// Attempts may run beside each other, in one task: the lock is never found taken.
    bodies: Mutex<Vec<Bytes>>,
}

// === impl Echo ===

impl Echo {
    /// For one request. Whole replies have no place for an echo, so that they get none.
    pub(crate) fn of(chat: &ChatRequest) -> Self {
        let asked = || {
            let debug = chat.get("debug")?;
            debug.get("echo_upstream_body").and_then(Json::bool)
        };
        Self {
            wanted: chat.stream() && asked() == Some(true),
            bodies: Mutex::default(),
        }
    }

    /// Keeps what is sent with `secret`. Credentials travel in headers; one that a client has put
    /// into its own messages is struck out.
    pub(crate) fn keep(&self, body: &Bytes, secret: Option<&Secret>) {
        if !self.wanted {
            return;
        }
        let mut body = body.clone();
        let told = secret
            .map(Secret::expose)
            .filter(|secret| !secret.is_empty());
        if let (Some(secret), Ok(text)) = (told, std::str::from_utf8(&body))
            && text.contains(secret)
        {
            body = Bytes::from(text.replace(secret, STRUCK));
        }
        self.lock().push(body);
    }

    /// Everything that was sent, in its order. What is taken is not there any more: a client is shown
    /// each body once.
    pub(crate) fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut *self.lock())
    }

    /// The list; one that a panic left behind is as good as any.
    #[expect(
        clippy::disallowed_methods,
        reason = "one request's own: its attempts run in one task, and find it free"
    )]
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Bytes>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(body: &str) -> Echo {
        Echo::of(&ChatRequest::parse(&Bytes::copy_from_slice(body.as_bytes())).unwrap())
    }

    #[test]
    fn bodies_are_kept_for_streams_that_ask_and_without_credentials() {
        let asked = echo(
            r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true,"debug":{"echo_upstream_body":true}}"#,
        );
        asked.keep(&"{\"a\":1}".into(), None);
        asked.keep(&"{\"a\":\"key-1\"}".into(), Some(&Secret::new("key-1")));
        assert_eq!(asked.take(), ["{\"a\":1}", "{\"a\":\"***\"}"]);
        let whole = echo(
            r#"{"messages":[{"role":"user","content":"Hi"}],"debug":{"echo_upstream_body":true}}"#,
        );
        whole.keep(&"{}".into(), None);
        assert!(whole.take().is_empty());
    }
}
