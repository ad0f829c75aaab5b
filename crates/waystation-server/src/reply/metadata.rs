//! `openrouter_metadata`: how a request was routed, for clients that ask for it with a header. It says
//! nothing of prompts, keys or addresses. Source: API contract, section 2.6.

use std::{fmt::Write as _, sync::Arc};

use http::{HeaderName, HeaderValue};
use waystation_core::{
    AttemptRecord, Endpoint, EndpointId, Headers, Note, ObjectWriter, StageReport,
};
use waystation_gateway::{AttemptReport, Continued, GatewayError, Reply, Settled, Snapshot};
use waystation_router::{NoRoute, Plan, Strategy};

use crate::head::firsts;

/// The headers that ask for it; any value but `enabled` does not.
static HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-openrouter-metadata"),
    HeaderName::from_static("x-openrouter-experimental-metadata"),
    HeaderName::from_static("x-waystation-metadata"),
];

/// The member of replies and of error envelopes.
pub const MEMBER: &str = "openrouter_metadata";

/// A client's wish for metadata, and the configuration that knows the providers' names.
#[derive(Clone, Debug)]
pub struct Metadata(Arc<Snapshot>);

/// One attempt, whichever way it ended.
struct Tried<'a> {
    provider: &'a str,
    endpoint: &'a EndpointId,
    status: u16,
    error: Option<&'static str>,
}

// === impl Metadata ===

impl Metadata {
    /// The wish, where one of the headers says `enabled`, in any case.
    #[must_use]
    pub fn wanted(headers: &Headers, snapshot: impl FnOnce() -> Arc<Snapshot>) -> Option<Self> {
        let enabled = |value: Option<&HeaderValue>| {
            let value = value.and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.trim().eq_ignore_ascii_case("enabled"))
        };
        let found = firsts(headers, HEADERS.each_ref());
        found.into_iter().any(enabled).then(|| Self(snapshot()))
    }

    /// Of a reply that is complete, or that broke off.
    #[must_use]
    pub fn served(&self, reply: &Reply, settled: &Settled) -> Vec<u8> {
        let mut tried: Vec<Tried<'_>> = reply.earlier.iter().map(Tried::recorded).collect();
        tried.push(Tried {
            provider: &reply.provider,
            endpoint: &reply.endpoint,
            status: 200,
            error: None,
        });
        let mut out = Vec::with_capacity(512);
        let mut object = ObjectWriter::open(&mut out);
        self.head(&reply.plan, Some(reply), &tried, &mut object);
        write_seams(&reply.continued_from, &mut object);
        write_pipeline(&reply.stages, &reply.notes, &mut object);
        if let Some(time) = settled.generation_time {
            object.number("generation_time", wide_ms(time));
        }
        object.close();
        out
    }

    /// Of a failure; `None` where there is nothing to tell: what was refused before it was routed, and
    /// faults of the gateway itself.
    #[must_use]
    pub fn failed(&self, error: &GatewayError) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(256);
        let mut object = ObjectWriter::open(&mut out);
        match error {
            _ if error.kind().status().as_u16() == 500 => return None,
            GatewayError::NoRoute(none) => write_none(none, &mut object),
            GatewayError::Attempts(failed) => {
                let tried: Vec<Tried<'_>> = failed.attempts.iter().map(Tried::reported).collect();
                self.head(failed.plan.as_deref()?, None, &tried, &mut object);
            }
            _ => return None,
        }
        object.close();
        Some(out)
    }

    /// Everything that a plan and its attempts say.
    fn head(
        &self,
        plan: &Plan,
        reply: Option<&Reply>,
        tried: &[Tried<'_>],
        object: &mut ObjectWriter<'_>,
    ) {
        let served = reply.map(|reply| &reply.endpoint);
        let planned = plan
            .attempts
            .iter()
            .find(|planned| Some(&planned.endpoint.id) == served);
        let strategy = match planned {
            Some(planned) if planned.entry > 0 => Strategy::Fallback,
            _ => plan.strategy,
        };
        let mut summary = format!("available={}", plan.attempts.len());
        if let (Some(reply), Some(planned)) = (reply, planned) {
            let _ = write!(summary, ", selected={}", reply.provider);
            let why: Vec<String> = planned.why.iter().map(ToString::to_string).collect();
            if !why.is_empty() {
                let _ = write!(summary, " ({})", why.join(", "));
            }
        }
        for failure in tried {
            if let Some(error) = failure.error {
                let _ = write!(summary, ", failed={} ({error})", failure.provider);
            }
        }
        let requested = plan.requested.first().map_or("", String::as_str);
        object
            .string("requested", requested)
            .string("strategy", strategy.as_str())
            .null("region")
            .string("summary", &summary)
            .number("attempt", wide(tried.len()))
            // Nothing is to be added to `usage.cost`, whoever's key it is.
            .bool("is_byok", false);
        let total = plan.attempts.len() + plan.trace.not_tried();
        let mut endpoints = object.object("endpoints");
        endpoints.number("total", wide(total));
        list(
            endpoints.key("available"),
            &plan.attempts,
            |planned, one| {
                let selected = Some(&planned.endpoint.id) == served;
                let provider = match reply {
                    Some(reply) if selected => &reply.provider,
                    _ => self.name(&planned.endpoint),
                };
                one.string("provider", provider)
                    .string("model", planned.model.as_str())
                    .string("endpoint", planned.endpoint.tag.as_str())
                    .bool("selected", selected);
            },
        );
        endpoints.close();
        list(object.key("attempts"), tried, |tried, one| {
            one.string("provider", tried.provider)
                .string("model", tried.model())
                .number("status", tried.status.into());
            if let Some(error) = tried.error {
                one.string("error_type", error);
            }
        });
        write_params(&plan.trace.unmatched, object);
    }

    /// A provider's display name.
    fn name<'a>(&'a self, endpoint: &'a Endpoint) -> &'a str {
        let route = self.0.routes.get(&endpoint.provider);
        route.map_or(endpoint.provider.as_str(), |route| &route.upstream.name)
    }
}

/// What a reply that more than one endpoint gave says of it where no metadata is wished for.
pub(super) fn seams(reply: &Reply) -> Option<Vec<u8>> {
    if reply.continued_from.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(128);
    let mut object = ObjectWriter::open(&mut out);
    write_seams(&reply.continued_from, &mut object);
    object.close();
    Some(out)
}

/// The endpoints that began the answer and broke off, first the first.
fn write_seams(continued: &[Continued], object: &mut ObjectWriter<'_>) {
    if continued.is_empty() {
        return;
    }
    list(object.key("continued_from"), continued, |from, one| {
        one.string("provider", &from.provider)
            .string("endpoint", from.endpoint.as_str())
            .string("error_type", from.error.as_str());
    });
}

// === impl Tried ===

impl<'a> Tried<'a> {
    fn recorded(record: &'a AttemptRecord) -> Self {
        let kind = record.error.map(|kind| kind.status().as_u16());
        Self {
            provider: &record.provider,
            endpoint: &record.endpoint,
            status: record.status.or(kind).unwrap_or(200),
            error: record.error.map(waystation_core::ErrorType::as_str),
        }
    }

    fn reported(report: &'a AttemptReport) -> Self {
        let kind = report.error.kind;
        Self {
            provider: &report.provider,
            endpoint: &report.endpoint,
            status: report
                .error
                .status
                .unwrap_or_else(|| kind.status().as_u16()),
            error: Some(kind.as_str()),
        }
    }

    fn model(&self) -> &str {
        let id = self.endpoint.as_str();
        id.split_once('|').map_or(id, |(model, _)| model)
    }
}

/// Nothing was submitted to anybody.
fn write_none(none: &NoRoute, object: &mut ObjectWriter<'_>) {
    let requested = none.requested.first().map_or("", String::as_str);
    object
        .string("requested", requested)
        .string("strategy", none.strategy.as_str())
        .null("region")
        .string("summary", &format!("available=0; {}", none.message))
        .number("attempt", 0)
        .bool("is_byok", false);
    let mut endpoints = object.object("endpoints");
    endpoints.number("total", wide(none.trace.not_tried()));
    endpoints.raw("available", b"[]");
    endpoints.close();
    write_params(&none.trace.unmatched, object);
}

fn write_params(unmatched: &[String], object: &mut ObjectWriter<'_>) {
    if unmatched.is_empty() {
        return;
    }
    let mut params = object.object("params");
    let names = waystation_core::RawJson::of(unmatched);
    params.json("unmatched_providers", &names);
    params.close();
}

/// Only stages that changed something, then what the provider's wire could not be told as it was asked:
/// a schema that became a tool, a parameter that was left out.
fn write_pipeline(stages: &[StageReport], notes: &[Note], object: &mut ObjectWriter<'_>) {
    if stages.is_empty() && notes.is_empty() {
        return;
    }
    let out = object.key("pipeline");
    out.push(b'[');
    for (place, stage) in stages.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let kind = match stage.plugin.as_str() {
            "response-healing" => "response_healing",
            "context-compression" => "context_compression",
            "server-tools" => "server_tools",
            _ => "plugin",
        };
        let mut one = ObjectWriter::open(out);
        one.string("type", kind)
            .string("name", stage.plugin.as_str())
            .string("summary", &stage.summary)
            .raw("cost_usd", stage.fee.to_string().as_bytes())
            .number("duration_ms", wide_ms(stage.took));
        if let Some(data) = &stage.data {
            one.json("data", data);
        }
        one.close();
    }
    for (place, note) in notes.iter().enumerate() {
        if place > 0 || !stages.is_empty() {
            out.push(b',');
        }
        let mut one = ObjectWriter::open(out);
        one.string("type", "adapter")
            .string("name", &note.field)
            .string("summary", &note.what);
        one.close();
    }
    out.push(b']');
}

fn wide_ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A list of objects.
fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&T, &mut ObjectWriter<'_>)) {
    out.push(b'[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let mut one = ObjectWriter::open(out);
        write(item, &mut one);
        one.close();
    }
    out.push(b']');
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
