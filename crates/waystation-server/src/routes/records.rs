//! `GET /v1/generation` and `GET /v1/key`: what the ledger knows, for the key that asks. Another
//! key's generation does not exist. Source: API contract, section 8.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Query, RawQuery, State},
    response::Response,
};
use http::Uri;
use waystation_core::{
    AttemptRecord, EndpointId, Entry, ErrorType, GenerationId, JsonText, ObjectWriter, RawJson,
    Tokens, UnixMs, Usd,
};

use super::models::{array, data, number, text};
use crate::{app::App, auth::Caller, error};

/// Keys of a generation that this gateway has nothing to say to yet; clients want them there.
const NOT_KEPT: [&str; 14] = [
    "app_id",
    "cache_discount",
    "external_user",
    "moderation_latency",
    "num_fetches",
    "num_input_audio_prompt",
    "num_media_completion",
    "num_media_prompt",
    "num_search_results",
    "preset_id",
    "response_cache_source_id",
    "service_tier",
    "web_search_engine",
    "workspace_id",
];

/// `GET /v1/generation?id=…`; with `&record=true` the decision record is part of it, from which
/// `waystation explain --record` makes the plan again.
pub async fn generation(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(raw): RawQuery,
) -> Response {
    let raw = raw.unwrap_or_default();
    let Some(id) = parameter(&raw, "id") else {
        let message = "id: expected the id of a generation, as /v1/generation?id=gen-…, found none";
        return error::plain(ErrorType::InvalidRequest, message);
    };
    let entry = id
        .parse::<GenerationId>()
        .ok()
        .and_then(|id| app.ledger().get(&id));
    match entry.filter(|entry| entry.key == caller.key) {
        Some(entry) => {
            let recorded = parameter(&raw, "record").as_deref() == Some("true");
            data(|out| write(&entry, recorded, out))
        }
        None => {
            let id: String = id.chars().take(100).collect();
            let message =
                format!("there is no generation {id:?}; the latest ones are kept in memory");
            error::plain(ErrorType::NotFound, &message)
        }
    }
}

/// `GET /v1/key`, `GET /v1/auth/key`: what the caller's key has spent. Keys have no limits yet.
pub async fn key(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Response {
    let usage = app.ledger().usage(caller.key.as_ref(), app.now());
    data(|out| {
        let mut object = ObjectWriter::open(out);
        object.string("label", caller.key.as_deref().unwrap_or("no key"));
        object
            .null("limit")
            .null("limit_remaining")
            .null("limit_reset");
        amount(&mut object, "usage", Some(usage.total));
        amount(&mut object, "usage_daily", Some(usage.daily));
        amount(&mut object, "usage_weekly", Some(usage.weekly));
        amount(&mut object, "usage_monthly", Some(usage.monthly));
        for key in [
            "byok_usage",
            "byok_usage_daily",
            "byok_usage_weekly",
            "byok_usage_monthly",
        ] {
            object.number(key, 0);
        }
        for key in [
            "include_byok_in_limit",
            "is_free_tier",
            "is_management_key",
            "is_provisioning_key",
        ] {
            object.bool(key, false);
        }
        for key in [
            "expires_at",
            "creator_user_id",
            "organization_id",
            "workspace_id",
        ] {
            object.null(key);
        }
        object.raw("allowed_data_regions", br#"["global"]"#);
        object.raw("budgets", b"[]").null("effective_budget");
        // -1 is how OpenRouter's API says that there is no limit.
        object.raw(
            "free_model_daily_requests",
            br#"{"limit":-1,"remaining":-1,"used":0}"#,
        );
        let mut rate = object.object("rate_limit");
        rate.raw("requests", b"-1").string("interval", "10s");
        rate.string("note", "this gateway limits no key's rate");
        rate.close();
        object.close();
    })
}

/// A parameter of a query string, unless it is empty.
fn parameter(raw: &str, name: &str) -> Option<String> {
    let uri: Uri = format!("/?{raw}").parse().ok()?;
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    let (_, text) = pairs.0.into_iter().find(|(key, _)| key == name)?;
    Some(text).filter(|text| !text.is_empty())
}

/// An upstream's word, as it stood there.
fn escaped(object: &mut ObjectWriter<'_>, name: &str, word: Option<&JsonText>) {
    match word {
        Some(word) => object.text(name, word),
        None => object.null(name),
    };
}

fn write(entry: &Entry, recorded: bool, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.string("id", entry.id.as_str());
    escaped(&mut object, "upstream_id", entry.upstream_id.as_ref());
    text(&mut object, "request_id", entry.request_id.as_deref());
    text(&mut object, "session_id", entry.session_id.as_deref());
    object
        .string("created_at", &iso8601(entry.created))
        .string("api_type", "completions");
    let model = entry.model.as_ref().map(|model| model.as_str());
    object.string("model", model.unwrap_or(&entry.requested));
    text(&mut object, "provider_name", entry.provider.as_deref());
    text(
        &mut object,
        "router",
        entry.router.as_ref().map(|router| router.as_str()),
    );
    object
        .bool("streamed", entry.streamed)
        .bool("cancelled", entry.cancelled);
    text(
        &mut object,
        "finish_reason",
        entry.finish.map(waystation_core::FinishReason::as_str),
    );
    let native = entry.native_finish.as_ref();
    escaped(&mut object, "native_finish_reason", native);
    write_tokens(entry, &mut object);
    write_costs(entry, &mut object);
    number(&mut object, "latency", entry.latency.map(ms));
    number(
        &mut object,
        "generation_time",
        entry.generation_time.map(ms),
    );
    object
        .bool("is_byok", false)
        .string("data_region", "global");
    text(&mut object, "http_referer", entry.referer.as_deref());
    object.string("origin", entry.referer.as_deref().unwrap_or_default());
    text(&mut object, "user_agent", entry.user_agent.as_deref());
    text(
        &mut object,
        "error_type",
        entry.error.map(ErrorType::as_str),
    );
    object
        // A text, since it is above what a JavaScript number holds exactly.
        .string("seed", &entry.seed.to_string())
        .bool("simulated", entry.simulated);
    for key in NOT_KEPT {
        object.null(key);
    }
    if recorded {
        match &entry.decision {
            Some(decision) => object.json("decision_record", &decision.told()),
            None => object.null("decision_record"),
        };
    }
    array(
        object.key("provider_responses"),
        &entry.attempts,
        write_attempt,
    );
    object.close();
}

/// Unknown is null, never 0.
fn write_costs(entry: &Entry, object: &mut ObjectWriter<'_>) {
    let total = entry.total.map(|total| total + entry.spent.fee);
    amount(object, "total_cost", total);
    amount(object, "usage", total);
    amount(object, "upstream_inference_cost", entry.total);
    if entry.hedge_cost.is_some() {
        amount(object, "hedge_cost", entry.hedge_cost);
    }
    if !entry.continued_from.is_empty() {
        amount(object, "continued_cost", entry.continued_cost);
        let from = entry.continued_from.iter().map(EndpointId::as_str);
        let from: Vec<&str> = from.collect();
        object.json("continued_from", &RawJson::of(&from));
    }
}

/// The counts are the provider's own; no second tokenizer counts them again.
fn write_tokens(entry: &Entry, object: &mut ObjectWriter<'_>) {
    let usage = &entry.usage;
    for key in ["tokens_prompt", "native_tokens_prompt"] {
        object.number(key, usage.prompt.get());
    }
    for key in ["tokens_completion", "native_tokens_completion"] {
        object.number(key, usage.completion.get());
    }
    let part = |part: Option<Tokens>| part.map(Tokens::get);
    number(object, "native_tokens_reasoning", part(usage.reasoning));
    number(object, "native_tokens_cached", part(usage.cached));
    number(
        object,
        "native_tokens_completion_images",
        part(usage.completion_image),
    );
}

fn write_attempt(attempt: &AttemptRecord, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.string("provider_name", &attempt.provider);
    object.string("endpoint_id", attempt.endpoint.as_str());
    number(&mut object, "status", attempt.status.map(u64::from));
    object
        .number("latency", ms(attempt.took))
        .bool("is_byok", false);
    text(
        &mut object,
        "error_type",
        attempt.error.map(ErrorType::as_str),
    );
    object.close();
}

/// An exact decimal number, or `null`.
fn amount(object: &mut ObjectWriter<'_>, key: &str, amount: Option<Usd>) {
    match amount {
        Some(amount) => object.raw(key, amount.to_string().as_bytes()),
        None => object.null(key),
    };
}

fn ms(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// `2026-11-10T08:30:00.125Z`.
fn iso8601(at: UnixMs) -> String {
    let (date, ms) = (at.date(), at.get() % 86_400_000);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    let ms = ms % 1_000;
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests;
