//! The model object, and the price object that endpoint rows share with it. Source: API contract,
//! section 8, rows "Model object" and "pricing.overrides[]", and section 13 for the keys that must
//! be there.

use waystation_core::{ObjectWriter, Price, Rates, UsdPerMTok};

use super::{array, number, row::Row, text, texts};

/// The price of what has no known price. The key must be a text, 0 would be a lie, and OpenRouter's
/// own list says this of its routers.
const UNKNOWN: &str = "-1";

/// Writes a row as the list and `/v1/model/…` have it.
pub(super) fn write(row: &Row<'_>, out: &mut Vec<u8>) {
    let model = row.model;
    let mut object = ObjectWriter::open(out);
    object
        .string("id", &row.id)
        .string("object", "model")
        .string("canonical_slug", &row.canonical);
    object.string("name", &row.name);
    // Clients demand a number: 0 where no source has the day.
    object.number("created", model.created.unwrap_or_default());
    // With `object`, what OpenAI's clients demand of a model.
    let author = row.id.split('/').next().unwrap_or_default();
    object.string("owned_by", author.trim_start_matches('~'));
    object.string("description", &model.description);
    number(
        &mut object,
        "context_length",
        row.context.map(|tokens| tokens.get()),
    );
    object.null("hugging_face_id");
    text(
        &mut object,
        "knowledge_cutoff",
        model.knowledge_cutoff.as_deref(),
    );
    text(
        &mut object,
        "expiration_date",
        model.expiration_date.as_deref(),
    );
    write_architecture(row, object.key("architecture"));
    let unknown = Price::default();
    write_price(
        row.best.map_or(&unknown, |best| &best.price),
        object.key("pricing"),
    );
    write_top_provider(row, &mut object);
    object.null("per_request_limits");
    let parameters = model.parameters.iter().map(|parameter| parameter.as_str());
    texts(object.key("supported_parameters"), parameters);
    object.null("default_parameters").null("supported_voices");
    if model.reasoning && !model.router {
        let mut reasoning = object.object("reasoning");
        // No list of efforts: every effort is taken, and mapped to what the model has.
        reasoning
            .bool("mandatory", model.reasoning_mandatory)
            .null("supported_efforts")
            .null("default_effort");
        reasoning.close();
    }
    if row.alias {
        let mut target = object.object("alias_target");
        target
            .string("slug", model.id.as_str())
            .string("name", &model.name);
        target.close();
    }
    let mut links = object.object("links");
    links.string("details", &format!("/api/v1/models/{}/endpoints", row.id));
    links.close();
    object.bool("available", row.available);
    object.close();
}

/// Writes `architecture`.
pub(super) fn write_architecture(row: &Row<'_>, out: &mut Vec<u8>) {
    let model = row.model;
    let mut object = ObjectWriter::open(out);
    object.string("modality", &format!("{}->{}", model.input, model.output));
    texts(
        object.key("input_modalities"),
        model.input.iter().map(|kind| kind.as_str()),
    );
    texts(
        object.key("output_modalities"),
        model.output.iter().map(|kind| kind.as_str()),
    );
    object.string("tokenizer", model.tokenizer.as_deref().unwrap_or("Other"));
    object.null("instruct_type");
    object.close();
}

/// The limits of the endpoint that stands for the row. Nothing is moderated on the way.
fn write_top_provider(row: &Row<'_>, object: &mut ObjectWriter<'_>) {
    let best = row.best;
    let context = best.and_then(|best| best.context_length).or(row.context);
    let output = best
        .and_then(|best| best.max_output)
        .or(row.model.max_output);
    let mut top = object.object("top_provider");
    number(
        &mut top,
        "context_length",
        context.map(|tokens| tokens.get()),
    );
    number(
        &mut top,
        "max_completion_tokens",
        output.map(|tokens| tokens.get()),
    );
    top.bool("is_moderated", false);
    top.close();
}

/// Writes a price: decimal texts in USD per token, fees in USD. Charges that are not known are left
/// out, the two that must be there say [`UNKNOWN`].
pub(super) fn write_price(price: &Price, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    let Rates {
        prompt, completion, ..
    } = price.rates;
    object.string(
        "prompt",
        &per_token(prompt).unwrap_or_else(|| UNKNOWN.into()),
    );
    object.string(
        "completion",
        &per_token(completion).unwrap_or_else(|| UNKNOWN.into()),
    );
    let fees = [
        ("request", price.request),
        ("image", price.image),
        ("web_search", price.web_search),
    ];
    for (key, fee) in fees {
        if let Some(fee) = fee {
            object.string(key, &fee.to_string());
        }
    }
    write_rates(&price.rates, &mut object);
    object.number("discount", 0);
    if !price.tiers.is_empty() {
        array(object.key("overrides"), &price.tiers, |tier, out| {
            let mut object = ObjectWriter::open(out);
            object.number("min_prompt_tokens", tier.above.get());
            for (key, rate) in [
                ("prompt", tier.rates.prompt),
                ("completion", tier.rates.completion),
            ] {
                if let Some(rate) = per_token(rate) {
                    object.string(key, &rate);
                }
            }
            write_rates(&tier.rates, &mut object);
            object.close();
        });
    }
    object.close();
}

/// The charges per token that few models have.
fn write_rates(rates: &Rates, object: &mut ObjectWriter<'_>) {
    let rates = [
        ("audio", rates.audio),
        ("internal_reasoning", rates.reasoning),
        ("input_cache_read", rates.cache_read),
        ("input_cache_write", rates.cache_write),
        ("input_cache_write_1h", rates.cache_write_1h),
    ];
    for (key, rate) in rates {
        if let Some(rate) = per_token(rate) {
            object.string(key, &rate);
        }
    }
}

fn per_token(rate: Option<UsdPerMTok>) -> Option<String> {
    rate.map(|rate| rate.per_token().to_string())
}
