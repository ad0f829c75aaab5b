//! OpenAI chat completions, and the many hosts that speak it with an accent. The accents are
//! [`Quirks`](waystation_core::Quirks); here is where requests go and who reads the reply.
//!
//! Wire reference: <https://platform.openai.com/docs/api-reference/chat> (2026-08-22), and recorded
//! traffic of twenty hosts.

mod call;
mod choice;
mod citation;
mod field;
mod message;
mod reader;
mod reasoning;
mod request;
mod search;
mod think;
mod usage;

use bytes::Bytes;
use http::header::ACCEPT;
use waystation_core::{Call, ChatPath, ChatRequest, Codec, EncodeError, HttpRequest, Note, Target};

use super::OpenAiResponses;
use crate::{
    address::{accept, authorise, percent},
    search::Search,
};

/// The id of this dialect, as catalogue rows and configs name it: the `dialect` key of a provider
/// in `waystation.toml`, and the key of the table of dialects.
pub const OPENAI_CHAT: &str = "openai-chat";

/// The codec of OpenAI chat completions.
///
/// # What leaves
/// Members of the request leave byte for byte, unknown ones included, except:
/// - `model` is what the host calls the model (on Azure, the deployment).
/// - What only a gateway understands stays: `models`, `route`, `provider`, `plugins`, `preset`,
///   `transforms`, `session_id`, `usage`, `debug`, `waystation`, `trace`, `max_tool_calls` and
///   `stop_server_tools_when`; likewise tools of the types `openrouter:*` and `waystation:*`.
/// - `user` and `metadata` stay too: they speak of the gateway's client to the gateway. A host
///   that is to have them gets them through `provider.options`.
/// - Parameters that the endpoint does not list are left out.
/// - `stream_options`, the limit on output, the wish to reason and the service tier are written as
///   the host wants them.
/// - A native search of the web is asked for as the host has it; hosts that search on their
///   Responses API only get the whole request there, and their reply is read accordingly.
/// - Of messages only those are rewritten that hold something the host would refuse.
/// - `provider.options[slug]` of the endpoint's provider is merged in, over what was sent, except
///   for what the gateway answers for (`model`, `messages`, `stream`, `stream_options`).
///
/// # Where it goes
/// `{base_url}/chat/completions`; on Azure `{base_url}/openai/v1/chat/completions`, or, when the
/// operator names an API version, the deployment's own address with that version. The credential
/// travels in the header of the provider's scheme and is marked as a secret.
///
/// # What comes back
/// The body's first byte tells a stream from a whole reply, so that a host which streams unasked,
/// or does not stream when asked, is read all the same. Deltas come out as they arrive. How a
/// choice ended, and the counts, come out when the reply is complete: at `[DONE]`, or at the end of
/// the body when every choice has a finish reason; some hosts never send `[DONE]`. A body that ends
/// before is an error. A line of a stream that is no JSON is skipped.
///
/// # Errors
/// Encoding fails for an address that is none, a credential that no header can carry, and a scheme
/// that signs requests. It never fails for what a client asked: that was checked before.
///
/// # Limits
/// 8 MiB an event, 64 MiB a whole reply, 64 KiB of a failure's body, 128 choices, 1024 tool calls a
/// choice. What is larger is no answer of a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiChat;

impl Codec for OpenAiChat {
    fn encode(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Call, EncodeError> {
        let wish = Search::of(chat, to.endpoint.parameters);
        if let Some(search::Form::Responses) = wish.and_then(|wish| search::form(&wish, to)) {
            return OpenAiResponses.encode(chat, to);
        }
        let mut notes = Vec::new();
        let model = upstream_model(to);
        let body = request::write(chat, to, model, &mut notes);
        let request = post(chat, to, model, body)?;
        Ok(Call {
            request,
            reader: Box::new(reader::ChatReader::expecting(chat, to)),
            notes,
        })
    }
}

/// What the host calls the model: on Azure, the operator's deployment of it.
fn upstream_model<'a>(to: &Target<'a>) -> &'a str {
    let named = &*to.endpoint.upstream_model;
    match to.upstream.quirks.chat_path {
        ChatPath::Plain => named,
        ChatPath::Azure => {
            let deployments = &to.upstream.settings.deployments;
            deployments
                .get(to.endpoint.model.as_str())
                .or_else(|| deployments.get(named))
                .map_or(named, String::as_str)
        }
    }
}

/// The HTTP request around a body: address, what is accepted in return, and the credential.
fn post(
    chat: &ChatRequest,
    to: &Target<'_>,
    model: &str,
    body: Bytes,
) -> Result<HttpRequest, EncodeError> {
    let url = match to.upstream.quirks.chat_path {
        ChatPath::Plain => to.upstream.base_url.at("/chat/completions")?,
        ChatPath::Azure => HttpRequest::address(&azure(to, model))?,
    };
    let mut request = HttpRequest::post_json_to(url, body);
    request.headers.insert(ACCEPT, accept(chat.stream()));
    authorise(request, to.upstream.auth, to.lease)
}

/// The address on Azure. A trailing slash of the base is nothing, a path prefix in it stays; what comes
/// from the catalogue or the operator is encoded as one segment and cannot climb out of it.
fn azure(to: &Target<'_>, model: &str) -> String {
    let base = to.upstream.base_url.trim_end_matches('/');
    let mut url = String::with_capacity(base.len() + model.len() + 80);
    url.push_str(base);
    match to.upstream.settings.api_version.as_deref() {
        None => url.push_str("/openai/v1/chat/completions"),
        Some(version) => {
            url.push_str("/openai/deployments/");
            percent(model, &mut url);
            url.push_str("/chat/completions?api-version=");
            percent(version, &mut url);
        }
    }
    url
}

/// Says in a note what encoding changed.
fn note(notes: &mut Vec<Note>, field: &str, what: impl Into<String>) {
    notes.push(Note {
        field: field.into(),
        what: what.into(),
    });
}
