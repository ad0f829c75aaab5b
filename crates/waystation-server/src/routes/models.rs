//! `/v1/models`, `/v1/model/…`, `/v1/models/…`, `/v1/models/…/endpoints`, `/v1/providers`: the catalogue as
//! OpenRouter's clients read it, and OpenAI's. Chooses nothing and asks nobody upstream. Source: API contract,
//! sections 8 and 13.

mod endpoint;
mod model;
mod query;
mod row;
mod sort;
#[cfg(test)]
pub(in crate::routes) mod tests;
mod view;

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    response::Response,
};
use http::StatusCode;
use waystation_core::{ErrorType, ModelRef, ObjectWriter};

use crate::{app::App, auth::Caller, error};
use query::{BadQuery, Query};
use row::Row;
use view::View;

/// Where the list is, in links to its other pages.
const LIST: &str = "/api/v1/models";

/// `GET /v1/models`: the rows that the query asks for, a page of them when it has `offset` or
/// `limit`.
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(raw): RawQuery,
) -> Response {
    let raw = raw.unwrap_or_default();
    let query = match Query::parse(&raw) {
        Ok(query) => query,
        Err(bad) => return refuse(&bad),
    };
    let view = View::of(&app, &caller);
    let mut rows = found(&view, &query);
    sort::sort(&mut rows, query.sort, &view);
    let total = rows.len();
    let page = rows
        .into_iter()
        .skip(query.offset)
        .take(query.limit.unwrap_or(usize::MAX));
    let mut out = Vec::with_capacity(total.min(query.limit.unwrap_or(total)) * 1_500);
    let mut object = ObjectWriter::open(&mut out);
    object.string("object", "list");
    array(object.key("data"), page, |row, out| model::write(&row, out));
    object.number("total_count", count_of(total));
    let mut links = object.object("links");
    match query.next(&raw, total) {
        Some(next) => links.string("next", &format!("{LIST}?{next}")),
        None => links.null("next"),
    };
    links.close();
    object.close();
    error::json(StatusCode::OK, out)
}

/// `GET /v1/models/count`: how many rows the same query finds.
pub async fn count(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(raw): RawQuery,
) -> Response {
    let query = match Query::parse(&raw.unwrap_or_default()) {
        Ok(query) => query,
        Err(bad) => return refuse(&bad),
    };
    let found = found(&View::of(&app, &caller), &query).len();
    data(|out| {
        let mut object = ObjectWriter::open(out);
        object.number("count", count_of(found));
        object.close();
    })
}

/// `GET /v1/model/{author}/{slug}`: one row, by any spelling that a chat request may use.
pub async fn one(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((author, slug)): Path<(String, String)>,
) -> Response {
    let view = View::of(&app, &caller);
    match resolve(&view, &format!("{author}/{slug}")) {
        Ok(row) => data(|out| model::write(&row, out)),
        Err(response) => *response,
    }
}

/// `GET /v1/models/{author}/{slug}`: the same row as OpenAI's clients retrieve a model, without `data`
/// around it. Source: OpenAI's API reference, "Retrieve model", read on 2026-11-27.
pub async fn retrieve(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((author, slug)): Path<(String, String)>,
) -> Response {
    retrieved(&View::of(&app, &caller), &format!("{author}/{slug}"))
}

/// `GET /v1/models/{id}`: the same by clients that write the slash of an id as `%2F`.
pub async fn retrieve_by_id(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Response {
    retrieved(&View::of(&app, &caller), &id)
}

/// `GET /v1/models/{author}/{slug}/endpoints`: who serves a model.
pub async fn endpoints(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((author, slug)): Path<(String, String)>,
) -> Response {
    let view = View::of(&app, &caller);
    match resolve(&view, &format!("{author}/{slug}")) {
        Ok(row) => data(|out| endpoint::write_list(&row, &view, out)),
        Err(response) => *response,
    }
}

/// `GET /v1/providers`: every provider of the catalogue.
pub async fn providers(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let view = View::of(&app, &caller);
    let providers = view.catalog().providers();
    data(|out| {
        array(out, providers, |provider, out| {
            let mut object = ObjectWriter::open(out);
            object.string("name", &provider.upstream.name);
            object.string("slug", provider.upstream.slug.as_str());
            text(
                &mut object,
                "privacy_policy_url",
                provider.privacy_policy_url.as_deref(),
            );
            text(
                &mut object,
                "terms_of_service_url",
                provider.terms_of_service_url.as_deref(),
            );
            text(
                &mut object,
                "status_page_url",
                provider.status_page_url.as_deref(),
            );
            text(
                &mut object,
                "headquarters",
                provider.headquarters.as_deref(),
            );
            match &provider.datacenters {
                Some(places) => texts(
                    object.key("datacenters"),
                    places.iter().map(|place| &**place),
                ),
                None => {
                    object.null("datacenters");
                }
            }
            object.bool("available", view.is_usable(&provider.upstream.slug));
            object.close();
        });
    })
}

/// The rows that a query finds, in the catalogue's order.
fn found<'a>(view: &'a View, query: &Query) -> Vec<Row<'a>> {
    let providers: BTreeSet<_> = query
        .providers
        .iter()
        .flat_map(|name| view.catalog().providers_named(name))
        .collect();
    let mut rows = view.rows();
    rows.retain(|row| {
        (row.available || !view.lists_available_only()) && query.takes(row, &providers, view)
    });
    rows
}

/// A row alone, or the reply that says that there is none.
fn retrieved(view: &View, id: &str) -> Response {
    match resolve(view, id) {
        Ok(row) => {
            let mut out = Vec::with_capacity(2_048);
            model::write(&row, &mut out);
            error::json(StatusCode::OK, out)
        }
        Err(response) => *response,
    }
}

/// The row that a path names, or the reply that says that there is none.
fn resolve<'a>(view: &'a View, spelled: &str) -> Result<Row<'a>, Box<Response>> {
    let reference: ModelRef = spelled.parse().map_err(|error| {
        let message = format!("{spelled:?} is no model id: {error}");
        Box::new(error::plain(ErrorType::InvalidRequest, &message))
    })?;
    view.row(&reference).ok_or_else(|| {
        let nearest = view.catalog().suggest(spelled);
        let hint = nearest.map_or_else(String::new, |id| format!("; did you mean {id}?"));
        let message = format!("there is no model {spelled}{hint}");
        Box::new(error::plain(ErrorType::NotFound, &message))
    })
}

fn refuse(bad: &BadQuery) -> Response {
    error::plain(ErrorType::InvalidRequest, &bad.to_string())
}

/// `{"data": …}` with what `write` writes.
pub(super) fn data(write: impl FnOnce(&mut Vec<u8>)) -> Response {
    let mut out = Vec::with_capacity(4_096);
    let mut object = ObjectWriter::open(&mut out);
    write(object.key("data"));
    object.close();
    error::json(StatusCode::OK, out)
}

/// A JSON array with what `write` writes of each item.
pub(super) fn array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// An array of texts that are this project's words and catalogue names, quoted.
fn texts<'a>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'a str>) {
    array(out, texts, |text, out| {
        out.extend_from_slice(waystation_core::JsonText::of(text).quoted().bytes());
    });
}

/// A text, or `null`.
pub(super) fn text(object: &mut ObjectWriter<'_>, key: &str, text: Option<&str>) {
    match text {
        Some(text) => object.string(key, text),
        None => object.null(key),
    };
}

/// A number, or `null`.
pub(super) fn number(object: &mut ObjectWriter<'_>, key: &str, number: Option<u64>) {
    match number {
        Some(number) => object.number(key, number),
        None => object.null(key),
    };
}

fn count_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
