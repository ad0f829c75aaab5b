//! Microsoft Entra: a token for an application, by its client secret. Reads no environment.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! read 2026-08.

use std::sync::Arc;

use waystation_core::Secret;

use super::call::{Minted, World, address_fault};

/// Where applications sign in, unless the operator's cloud is another.
pub const AUTHORITY: &str = "https://login.microsoftonline.com";
/// What tokens are for.
const SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// An application that may use the models.
#[derive(Clone, Debug)]
pub struct Entra {
    token_uri: Arc<str>,
    client: Arc<str>,
    secret: Secret,
}

// === impl Entra ===

impl Entra {
    /// An application of `tenant` that signs in at `authority`.
    ///
    /// # Errors
    /// What was expected of an address or a tenant that cannot be.
    pub fn new(
        authority: &str,
        tenant: &str,
        (client, secret): (&str, &str),
    ) -> Result<Self, String> {
        let authority = authority.trim_end_matches('/');
        if let Some(fault) = address_fault(authority) {
            return Err(fault.into());
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if tenant.is_empty() || !tenant.bytes().all(legal) {
            return Err("expected a tenant's id or domain: letters, digits, `-` and `.`".into());
        }
        Ok(Self {
            token_uri: format!("{authority}/{tenant}/oauth2/v2.0/token").into(),
            client: client.into(),
            secret: Secret::new(secret),
        })
    }

    /// Asks for a token.
    pub(super) async fn mint(&self, world: World<'_>) -> Result<Minted, String> {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", &*self.client),
            ("client_secret", self.secret.expose()),
            ("scope", SCOPE),
        ];
        let minted = world.grant(&self.token_uri, &fields).await;
        minted.map_err(|reason| {
            format!("{reason}; look at AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET")
        })
    }
}
