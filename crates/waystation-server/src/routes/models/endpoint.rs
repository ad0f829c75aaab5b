//! The endpoint rows of `/v1/models/…/endpoints`. Source: API contract, section 8 and, for the keys
//! that must be there, section 13.

use std::io::Write as _;

use waystation_core::{Endpoint, ObjectWriter, Parameter, Quantization, ServiceTier};
use waystation_router::{Measured, Percentiles};

use super::{array, model, number, row::Row, text, texts, view::View};

/// The endpoint fails more often than it should.
const FAILING: &[u8] = b"-1";
/// The endpoint rests: its breaker is open.
const RESTING: &[u8] = b"-2";
/// Uptimes need a day of counted minutes, which are not kept.
const UPTIMES: [&str; 3] = ["uptime_last_5m", "uptime_last_30m", "uptime_last_1d"];

/// Writes a model and who serves it.
pub(super) fn write_list(row: &Row<'_>, view: &View, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.string("id", &row.id).string("name", &row.name);
    object.number("created", row.model.created.unwrap_or_default());
    object.string("description", &row.model.description);
    model::write_architecture(row, object.key("architecture"));
    array(object.key("endpoints"), &row.endpoints, |endpoint, out| {
        write(row, endpoint, view, out);
    });
    object.close();
}

fn write(row: &Row<'_>, endpoint: &Endpoint, view: &View, out: &mut Vec<u8>) {
    let provider = view.catalog().provider(endpoint.provider.as_str());
    let provider = provider.map_or(endpoint.provider.as_str(), |known| &*known.upstream.name);
    let mut object = ObjectWriter::open(out);
    object.string("name", &format!("{provider} | {}", row.id));
    object
        .string("model_id", &row.id)
        .string("model_name", &row.name);
    object
        .string("provider_name", provider)
        .string("tag", endpoint.tag.as_str());
    // Clients demand a number here: 0 where nobody states one.
    let context = endpoint.context_length.or(row.context).unwrap_or_default();
    object.number("context_length", context.get());
    let output = endpoint.max_output.map(|tokens| tokens.get());
    number(&mut object, "max_completion_tokens", output);
    object.null("max_prompt_tokens");
    model::write_price(&endpoint.price, object.key("pricing"));
    let quantization = endpoint.quantization.unwrap_or(Quantization::Unknown);
    object.string("quantization", quantization.as_str());
    let parameters = endpoint
        .parameters
        .iter()
        .map(|parameter| parameter.as_str());
    texts(object.key("supported_parameters"), parameters);
    write_tool_choice(endpoint, &mut object);
    object.bool("supports_implicit_caching", caches_by_itself(endpoint));
    object.bool("supports_diarization", false);
    object.raw("native_tools", b"{}");
    text(
        &mut object,
        "service_tier",
        endpoint.service_tier.and_then(tier),
    );
    write_measured(view.measured(endpoint), &mut object);
    object.bool("available", view.serves(endpoint));
    object.close();
}

/// Which values of `tool_choice` are taken: all where the parameter is, else only the one that says
/// nothing.
fn write_tool_choice(endpoint: &Endpoint, object: &mut ObjectWriter<'_>) {
    let (tools, choice) = (Parameter::Tools, Parameter::ToolChoice);
    let choice = endpoint.parameters.has(choice);
    let mut inner = object.object("supports_tool_choice");
    inner.bool("auto", choice || endpoint.parameters.has(tools));
    inner
        .bool("none", choice)
        .bool("required", choice)
        .bool("function", choice);
    inner.close();
}

/// A provider that charges less for what it has cached, and nothing for caching it, caches without
/// being asked to.
fn caches_by_itself(endpoint: &Endpoint) -> bool {
    let rates = &endpoint.price.rates;
    let free_writes = rates.cache_write.is_none() && rates.cache_write_1h.is_none();
    free_writes && rates.cache_read.is_some() && rates.cache_read < rates.prompt
}

/// The tier that is sold, under its one name; `None` for an ordinary endpoint.
const fn tier(tier: ServiceTier) -> Option<&'static str> {
    match tier {
        ServiceTier::Auto | ServiceTier::Default => None,
        ServiceTier::Fast => Some(ServiceTier::Priority.as_str()),
        ServiceTier::Flex | ServiceTier::Priority | ServiceTier::Scale | ServiceTier::Ultrafast => {
            Some(tier.as_str())
        }
    }
}

/// What was measured. The figures are those of the last five minutes, which is how long they are
/// kept one by one.
fn write_measured(measured: Option<Measured>, object: &mut ObjectWriter<'_>) {
    let status: &[u8] = match &measured {
        Some(measured) if measured.open => RESTING,
        Some(measured) if measured.outage() => FAILING,
        _ => b"0",
    };
    object.raw("status", status);
    for uptime in UPTIMES {
        object.null(uptime);
    }
    let measured = measured.unwrap_or_default();
    write_percentiles(measured.latency, 1_000.0, "latency_last_30m", object);
    write_percentiles(measured.throughput, 1.0, "throughput_last_30m", object);
}

fn write_percentiles(
    percentiles: Option<Percentiles>,
    unit: f64,
    key: &str,
    object: &mut ObjectWriter<'_>,
) {
    let Percentiles { p50, p75, p90, p99 } = percentiles.unwrap_or_default();
    let (Some(p50), Some(p75), Some(p90), Some(p99)) = (p50, p75, p90, p99) else {
        object.null(key);
        return;
    };
    let mut inner = object.object(key);
    for (key, figure) in [("p50", p50), ("p75", p75), ("p90", p90), ("p99", p99)] {
        let figure = if figure.is_finite() {
            figure * unit
        } else {
            0.0
        };
        // Writing to a Vec cannot fail.
        let _ = write!(inner.key(key), "{figure:.3}");
    }
    inner.close();
}
