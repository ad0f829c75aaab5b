//! The bounds of a JSON Schema on single values: lengths, ranges, patterns. Kinds and shapes are
//! [`super::fit`]'s.

use waystation_core::Json;

use super::{keyword::Keywords, value::Value};

/// Whether `value` keeps to the bounds that `schema` sets for its kind. What is not understood
/// (formats, patterns in a foreign spelling) bounds nothing.
///
/// Lengths of strings are counted in characters, not in bytes. Bounds only refuse: a value is never
/// clipped, padded or rounded to keep to them.
pub(super) fn keeps_to(schema: &Keywords<'_>, value: &Value) -> bool {
    let count = |key: &str| {
        let bound = schema.bound(key).and_then(Json::u64);
        bound.map(|bound| usize::try_from(bound).unwrap_or(usize::MAX))
    };
    let within = |length: usize, least: &str, most: &str| {
        count(least).is_none_or(|least| length >= least)
            && count(most).is_none_or(|most| length <= most)
    };
    match value {
        Value::Text(text) => {
            within(text.chars().count(), "minLength", "maxLength") && matches(schema, text)
        }
        Value::List(items) => within(items.len(), "minItems", "maxItems"),
        Value::Object(members) => within(members.len(), "minProperties", "maxProperties"),
        Value::Number(digits) => in_range(schema, digits),
        Value::Null | Value::Bool(_) | Value::Bare(_) => true,
    }
}

/// Whether a number is within `minimum`, `maximum`, their exclusive forms and `multipleOf`. Compared
/// as floating point: only the comparison is inexact beyond 2^53, the digits stay.
fn in_range(schema: &Keywords<'_>, digits: &str) -> bool {
    let Ok(number) = digits.parse::<f64>() else {
        return true;
    };
    let bound = |key: &str| schema.bound(key).and_then(Json::f64);
    bound("minimum").is_none_or(|least| number >= least)
        && bound("maximum").is_none_or(|most| number <= most)
        && bound("exclusiveMinimum").is_none_or(|least| number > least)
        && bound("exclusiveMaximum").is_none_or(|most| number < most)
        && bound("multipleOf").is_none_or(|step| step <= 0.0 || (number / step).fract() == 0.0)
}

/// Whether a text has the `pattern` anywhere in it, as JSON Schema means it. A pattern that this
/// engine does not know (look-around, back references) bounds nothing; matching is linear, so that
/// no pattern of a request can stall a reply.
fn matches(schema: &Keywords<'_>, text: &str) -> bool {
    let pattern = schema.pattern.as_ref();
    pattern.is_none_or(|pattern| pattern.is_match(text))
}
