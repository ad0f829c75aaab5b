//! Tavily: snake case and a bearer key.

use http::header;
use waystation_core::{EncodeError, HttpRequest, Json, ObjectWriter, RawJson};

use super::{SearchHit, SearchQuery, SearchReply, SearchService, texts};

/// The longest query that it takes, in characters.
const LONGEST: usize = 400;

pub(super) fn request(
    service: &SearchService,
    query: &SearchQuery<'_>,
) -> Result<HttpRequest, EncodeError> {
    let mut body = Vec::new();
    let mut object = ObjectWriter::open(&mut body);
    let text: String = query.text.chars().take(LONGEST).collect();
    let depth = query
        .mode
        .filter(|mode| matches!(*mode, "basic" | "advanced" | "fast" | "ultra-fast"));
    object
        .string("query", &text)
        .string("search_depth", depth.unwrap_or("basic"))
        .number(
            "max_results",
            u64::try_from(query.max_results.min(20)).unwrap_or(20),
        );
    let include: Vec<&str> = query.domains.include().collect();
    let exclude: Vec<&str> = query.domains.exclude().collect();
    for (key, list) in [("include_domains", include), ("exclude_domains", exclude)] {
        if !list.is_empty() {
            object.json(key, &RawJson::of(&list));
        }
    }
    object.close();
    HttpRequest::post_json(&format!("{}/search", service.base_url), body.into())?.secret(
        header::AUTHORIZATION,
        "Bearer ",
        service.key()?,
    )
}

pub(super) fn read(reply: Json<'_>) -> SearchReply {
    let results = reply.get("results").into_iter().flat_map(Json::elements);
    let hits = results.filter_map(|result| {
        let excerpts = texts(result.get("content"));
        let hit = SearchHit::of(result.get("url"), result.get("title"), &excerpts)?;
        Some(hit.published(result.get("published_date")))
    });
    SearchReply {
        hits: hits.collect(),
        charged: None,
    }
}
