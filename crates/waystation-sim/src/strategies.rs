//! Generators for property tests (feature `proptest`): schemas, requests and cuts.
//!
//! Values are small; what matters is that they vary.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Map, Value, json};

/// A JSON schema that some value satisfies, at most four levels deep: objects, arrays, enums,
/// constants, bounded numbers and strings, `anyOf` and references to `#/$defs/leaf`.
pub fn any_schema() -> impl Strategy<Value = Value> {
    inner_schema().prop_map(|mut schema| {
        if let Value::Object(members) = &mut schema {
            let leaf = json!({"leaf": {"type": "string", "minLength": 2, "maxLength": 5}});
            members.insert("$defs".into(), leaf);
        }
        schema
    })
}

/// Schemas without others inside; each can be satisfied.
fn leaf_schema() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"type": "null"})),
        Just(json!({"type": "boolean"})),
        Just(json!({"$ref": "#/$defs/leaf"})),
        (-50_i64..50, 0_i64..100).prop_map(
            |(low, more)| json!({"type": "integer", "minimum": low, "maximum": low + more})
        ),
        (-50_i64..50, 1_i64..9).prop_map(
            |(low, step)| json!({"type": "integer", "exclusiveMinimum": low, "multipleOf": step})
        ),
        (-5.0_f64..5.0, 0.1_f64..9.0).prop_map(
            |(low, more)| json!({"type": "number", "minimum": low, "exclusiveMaximum": low + more})
        ),
        (0_u64..12, 0_u64..12).prop_map(
            |(low, more)| json!({"type": "string", "minLength": low, "maxLength": low + more})
        ),
        vec("[a-z]{1,6}", 1..4).prop_map(|words| json!({"enum": words})),
        any::<i32>().prop_map(|number| json!({"const": number})),
    ]
}

/// Schemas that nest, built from the leaves up.
fn inner_schema() -> impl Strategy<Value = Value> {
    leaf_schema().prop_recursive(4, 24, 4, |inner| {
        let members = vec(("[a-z]{1,5}", inner.clone(), any::<bool>()), 0..4);
        prop_oneof![
            members.prop_map(object_schema),
            (inner.clone(), 0_u64..3, 0_u64..3).prop_map(|(items, low, more)| {
                json!({"type": "array", "items": items, "minItems": low, "maxItems": low + more})
            }),
            vec(inner, 1..3).prop_map(|branches| json!({"anyOf": branches})),
        ]
    })
}

/// A closed object with these properties: name, schema, whether it is required.
fn object_schema(members: Vec<(String, Value, bool)>) -> Value {
    let mut properties = Map::new();
    let mut required: Vec<String> = Vec::new();
    for (name, schema, needed) in members {
        if needed && !required.contains(&name) {
            required.push(name.clone());
        }
        properties.insert(name, schema);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The body of a legal chat request, with some of the usual options.
/// Each is accepted by [`ChatRequest::parse`](waystation_core::ChatRequest::parse).
pub fn any_chat_body() -> impl Strategy<Value = Value> {
    let message = (
        prop_oneof![Just("user"), Just("assistant"), Just("system")],
        ".{0,30}",
    )
        .prop_map(|(role, content)| json!({"role": role, "content": content}));
    let options = (
        any::<bool>(),
        prop::option::of(1_u64..60),
        prop::option::of(0.0_f64..2.0),
        prop::option::of("[a-z ]{1,4}"),
    );
    (vec(message, 1..5), "[a-z]{1,8}/[a-z0-9.-]{1,12}", options).prop_map(
        |(messages, model, (stream, max_tokens, temperature, stop))| {
            let mut body = json!({"model": model, "messages": messages, "stream": stream});
            let given = [
                ("max_tokens", max_tokens.map(Value::from)),
                ("temperature", temperature.map(Value::from)),
                ("stop", stop.map(Value::from)),
            ];
            for (key, value) in given {
                if let (Some(value), Value::Object(members)) = (value, &mut body) {
                    members.insert(key.into(), value);
                }
            }
            body
        },
    )
}

/// Ways to cut bytes of any length; see [`Cuts::apply`].
pub fn any_cuts() -> impl Strategy<Value = Cuts> {
    vec(any::<Index>(), 0..12).prop_map(Cuts)
}

/// Places to cut at, as shares of a length that is known later.
///
/// ```
/// use proptest::prelude::*;
/// use waystation_sim::strategies::any_cuts;
///
/// // The law of every reader: where the network cuts does not matter.
/// proptest!(|(cuts in any_cuts())| {
///     let stream = b"data: {}\n\ndata: [DONE]\n\n";
///     prop_assert_eq!(cuts.apply(stream).concat(), stream);
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Cuts(Vec<Index>);

// === impl Cuts ===

impl Cuts {
    /// The pieces of `bytes`, in order; together they are `bytes`. Some may be empty.
    #[must_use]
    pub fn apply<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut places: Vec<usize> = self
            .0
            .iter()
            .map(|cut| cut.index(bytes.len() + 1))
            .collect();
        places.sort_unstable();
        let mut pieces = Vec::with_capacity(places.len() + 1);
        let mut from = 0;
        for place in places.into_iter().chain([bytes.len()]) {
            pieces.push(bytes.get(from..place).unwrap_or_default());
            from = place;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn cuts_lose_nothing(bytes in vec(any::<u8>(), 0..50), cuts in any_cuts()) {
            prop_assert_eq!(cuts.apply(&bytes).concat(), bytes);
        }

        #[test]
        fn chat_bodies_are_legal(body in any_chat_body()) {
            let text = body.to_string().into();
            prop_assert!(waystation_core::ChatRequest::parse(&text).is_ok(), "{}", body);
        }
    }
}
