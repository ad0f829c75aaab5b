//! Every recorded exchange of the dialect, read and written, against a second, small reading of the
//! same bytes by `serde_json`; conversations turn by turn; and what no recording shows. The
//! recordings lie beside the workspace; without them their tests say that they were skipped.
#![cfg(test)]

#[path = "gemini/convert.rs"]
mod convert;
#[path = "support/heard.rs"]
mod heard;
#[path = "gemini/laws.rs"]
mod laws;
#[path = "gemini/messages.rs"]
mod messages;
#[path = "support/recorded.rs"]
mod recorded;
#[path = "gemini/recordings.rs"]
mod recordings;
#[path = "gemini/replies.rs"]
mod replies;
#[path = "support/reply.rs"]
mod reply;
#[path = "gemini/requests.rs"]
mod requests;
#[path = "support/target.rs"]
mod target;
#[path = "gemini/witness.rs"]
mod witness;

use target::Host;
use waystation_core::{AuthScheme, Quirks};

/// AI Studio, serving `model`.
fn studio(model: &str) -> Host {
    let mut host = Host::new("google-ai-studio", model).with(Quirks::default());
    host.endpoint.dialect = waystation_providers::GEMINI.parse().unwrap();
    host.upstream.base_url = "https://generativelanguage.googleapis.com".into();
    host.upstream.auth = AuthScheme::XGoogApiKey;
    host
}

/// Vertex, serving `model`.
fn vertex(model: &str) -> Host {
    let mut host = Host::new("google-vertex", model);
    host.endpoint.dialect = waystation_providers::GEMINI.parse().unwrap();
    host.upstream.base_url = "https://us-central1-aiplatform.googleapis.com".into();
    host.upstream.auth = AuthScheme::GoogleOauth;
    host.upstream.settings.project = Some("some-project".into());
    host.upstream.settings.region = Some("us-central1".into());
    host
}
