//! Exa: camel case, excerpts under `contents`, and the cost in the reply.

use http::HeaderName;
use waystation_core::{EncodeError, HttpRequest, Json, ObjectWriter, RawJson, Usd};

use super::{SearchHit, SearchQuery, SearchReply, SearchService, texts};

pub(super) fn request(
    service: &SearchService,
    query: &SearchQuery<'_>,
) -> Result<HttpRequest, EncodeError> {
    let mut body = Vec::new();
    let mut object = ObjectWriter::open(&mut body);
    object
        .string("query", query.text)
        .string("type", query.mode.unwrap_or("auto"))
        .number("numResults", wide(query.max_results));
    let include: Vec<&str> = query.domains.include().collect();
    let exclude: Vec<&str> = query.domains.exclude().collect();
    for (key, list) in [("includeDomains", include), ("excludeDomains", exclude)] {
        if !list.is_empty() {
            object.json(key, &RawJson::of(&list));
        }
    }
    // Text beside highlights would be billed twice.
    let mut contents = object.object("contents");
    let mut highlights = contents.object("highlights");
    highlights
        .string("query", query.text)
        .number("maxCharacters", wide(query.characters));
    highlights.close();
    contents.close();
    object.close();
    HttpRequest::post_json(&format!("{}/search", service.base_url), body.into())?.secret(
        HeaderName::from_static("x-api-key"),
        "",
        service.key()?,
    )
}

pub(super) fn read(reply: Json<'_>) -> SearchReply {
    let results = reply.get("results").into_iter().flat_map(Json::elements);
    let hits = results.filter_map(|result| {
        let excerpts = ["highlights", "text", "summary"]
            .into_iter()
            .map(|key| texts(result.get(key)))
            .find(|excerpts| !excerpts.is_empty());
        let excerpts = excerpts.unwrap_or_default();
        let hit = SearchHit::of(result.get("url"), result.get("title"), &excerpts)?;
        Some(hit.published(result.get("publishedDate")))
    });
    let total = reply.at(&["costDollars", "total"]);
    let charged = total.and_then(|total| Usd::from_decimal_rounded(&total.text()).ok());
    SearchReply {
        hits: hits.collect(),
        charged,
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
