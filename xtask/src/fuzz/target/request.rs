//! The body of a chat request, from its bytes to the question it asks and to the bytes that go to a
//! host of every dialect.

use std::sync::LazyLock;

use bytes::Bytes;
use waystation_catalog::Catalog;
use waystation_core::{ChatRequest, Codec, Json, Kind};
use waystation_router::{RoutingPolicy, ask};
use waystation_tokens::ByteBounds;

use super::host::Host;

/// Refusing: a body that is refused names the member, where there is one. Keeping: one that is taken reads the same when
/// it is written again. Encoding: the same request makes the same bytes, and they are JSON.
pub(super) fn request(input: &[u8]) -> Result<(), String> {
    static CATALOG: LazyLock<Option<Catalog>> = LazyLock::new(|| Catalog::bundled().ok());
    let body = Bytes::copy_from_slice(input);
    let chat = match ChatRequest::parse(&body) {
        Ok(chat) => chat,
        Err(refused) if refused.field.is_empty() && is_object(input) => {
            return Err(format!("refused without a name: {refused:?}"));
        }
        Err(_) => return Ok(()),
    };
    let again = chat.to_json();
    ChatRequest::parse(&Bytes::copy_from_slice(again.bytes()))
        .map_err(|refused| format!("taken, and refused when written again: {refused}"))?;
    let catalog = CATALOG.as_ref().ok_or("the bundled catalogue is broken")?;
    let asked = ask(&chat, &ByteBounds, catalog, &RoutingPolicy::default());
    if let Err(refused) = asked
        && refused.field.is_empty()
    {
        return Err(format!("refused without a name: {refused:?}"));
    }
    for (name, codec) in waystation_providers::DIALECTS {
        let host = Host::of(name)?;
        encoded(*codec, &chat, &host).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

fn is_object(body: &[u8]) -> bool {
    Json::parse(body).is_ok_and(|json| json.kind() == Kind::Object)
}

fn encoded(codec: &dyn Codec, chat: &ChatRequest, host: &Host) -> Result<(), String> {
    let (first, second) = match (
        codec.encode(chat, &host.target()),
        codec.encode(chat, &host.target()),
    ) {
        (Ok(first), Ok(second)) => (first.request, second.request),
        (Err(first), Err(second)) if first == second => return Ok(()),
        _ => return Err("taken once and refused once".into()),
    };
    if first.body != second.body || first.url != second.url || first.headers != second.headers {
        return Err("the same request made other bytes".into());
    }
    match Json::parse(&first.body) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("sends no JSON: {error:?}")),
    }
}
