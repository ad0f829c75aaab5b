//! Brave: a GET with the query in its address, and descriptions with marks of HTML in them.

use http::{HeaderName, Method};
use waystation_core::{EncodeError, HttpRequest, Json};

use super::{SearchHit, SearchQuery, SearchReply, SearchService, form, texts};

/// The longest query that it takes, in characters and in words.
const LONGEST: (usize, usize) = (400, 50);

pub(super) fn request(
    service: &SearchService,
    query: &SearchQuery<'_>,
) -> Result<HttpRequest, EncodeError> {
    let operators = query.domains.operators();
    let room = LONGEST.0.saturating_sub(operators.chars().count() + 1);
    let words = LONGEST.1.saturating_sub(operators.split(' ').count());
    let words: Vec<&str> = query.text.split_whitespace().take(words).collect();
    let words: String = words.join(" ").chars().take(room).collect();
    let text = format!("{words} {operators}");
    let count = query.max_results.clamp(1, 20).to_string();
    let pairs = [
        ("q", text.trim()),
        ("count", &*count),
        ("extra_snippets", "true"),
    ];
    let query = form::encode(&pairs);
    let url = format!("{}/res/v1/web/search?{query}", service.base_url);
    let mut request = HttpRequest::post_json(&url, bytes::Bytes::new())?;
    request.method = Method::GET;
    request.headers.remove(http::header::CONTENT_TYPE);
    request.secret(
        HeaderName::from_static("x-subscription-token"),
        "",
        service.key()?,
    )
}

pub(super) fn read(reply: Json<'_>) -> SearchReply {
    let results = ["web", "news"]
        .into_iter()
        .filter_map(|kind| reply.at(&[kind, "results"]))
        .flat_map(Json::elements);
    let hits = results.filter_map(|result| {
        let mut excerpts = texts(result.get("description"));
        excerpts.extend(texts(result.get("extra_snippets")));
        let excerpts: Vec<String> = excerpts.iter().map(|text| unmarked(text)).collect();
        let mut hit = SearchHit::of(result.get("url"), result.get("title"), &excerpts)?;
        hit.title = unmarked(&hit.title);
        Some(hit.published(result.get("page_age").or_else(|| result.get("age"))))
    });
    SearchReply {
        hits: hits.collect(),
        charged: None,
    }
}

/// Text without the marks of found words, and with its entities read.
fn unmarked(text: &str) -> String {
    let text = text.replace("<strong>", "").replace("</strong>", "");
    // The ampersand last: what it hides is text.
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text, |text, (entity, character)| {
        text.replace(entity, character)
    })
}
