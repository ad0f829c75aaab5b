//! SearXNG: a form in, JSON out. It has no count of results, so they are cut on our side.

use http::{HeaderValue, header};
use waystation_core::{EncodeError, HttpRequest, Json};

use super::{SearchHit, SearchQuery, SearchReply, SearchService, form, texts};

/// The query goes in the body, so that it does not end up in the access logs of proxies.
pub(super) fn request(
    service: &SearchService,
    query: &SearchQuery<'_>,
) -> Result<HttpRequest, EncodeError> {
    let words = plain(query.text);
    let operators = query.domains.operators();
    let text = format!("{words} {operators}");
    let body = form::encode(&[("q", text.trim()), ("format", "json")]);
    let mut request = HttpRequest::post_json(&format!("{}/search", service.base_url), body.into())?;
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers.insert(header::CONTENT_TYPE, form);
    match &service.api_key {
        // An instance behind a proxy that wants a key.
        Some(key) => request.secret(header::AUTHORIZATION, "Bearer ", key),
        None => Ok(request),
    }
}

/// The words of a query, without what would be commands there: `!engine`, `!!elsewhere`, `:language`,
/// `?engine`, `<timeout`.
fn plain(text: &str) -> String {
    let words = text.split_whitespace();
    let words = words.map(|word| word.trim_start_matches(['!', ':', '?', '<']));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

pub(super) fn read(reply: Json<'_>) -> SearchReply {
    let results = reply.get("results").into_iter().flat_map(Json::elements);
    let hits = results.filter_map(|result| {
        let excerpts = texts(result.get("content"));
        let hit = SearchHit::of(result.get("url"), result.get("title"), &excerpts)?;
        Some(hit.published(result.get("publishedDate")))
    });
    SearchReply {
        hits: hits.collect(),
        charged: None,
    }
}
