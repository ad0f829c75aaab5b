//! What is made satisfies its schema: held by a checker of its own.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::strategies::any_schema;

/// Whether `value` satisfies `schema`, for the keys that the maker understands.
fn satisfies(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let fail = |why: &str| Err(format!("{why}: {value} against {schema}"));
    if let Some(allowed) = schema.as_bool() {
        return if allowed {
            Ok(())
        } else {
            fail("false allows nothing")
        };
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).unwrap();
        satisfies(value, target, root)?;
    }
    for part in schema
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        satisfies(value, part, root)?;
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(key).and_then(Value::as_array)
            && !branches
                .iter()
                .any(|branch| satisfies(value, branch, root).is_ok())
        {
            return fail(key);
        }
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return fail("const");
    }
    let list = schema.get("enum").and_then(Value::as_array);
    if list.is_some_and(|list| !list.contains(value)) {
        return fail("enum");
    }
    if !type_holds(value, schema) {
        return fail("type");
    }
    if !bounds_hold(value, schema) {
        return fail("bounds");
    }
    if let (Value::Object(members), Some(object)) = (value, schema.as_object()) {
        let required = object.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(key) {
                return fail("required");
            }
        }
        for (key, member) in members {
            match (
                schema["properties"].get(key),
                object.get("additionalProperties"),
            ) {
                (Some(schema), _) | (None, Some(schema)) => satisfies(member, schema, root)?,
                (None, None) => {}
            }
        }
    }
    if let Value::Array(elements) = value {
        let first = schema.get("prefixItems").and_then(Value::as_array);
        for (at, element) in elements.iter().enumerate() {
            let place = first.and_then(|first| first.get(at));
            if let Some(schema) = place.or_else(|| schema.get("items")) {
                satisfies(element, schema, root)?;
            }
        }
    }
    Ok(())
}

fn type_holds(value: &Value, schema: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match schema.get("type") {
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn bounds_hold(value: &Value, schema: &Value) -> bool {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let within = |size: Option<f64>, low: &str, high: &str| {
        let Some(size) = size else { return true };
        bound(low).is_none_or(|low| size >= low) && bound(high).is_none_or(|high| size <= high)
    };
    let count = |size: usize| Some(f64::from(u32::try_from(size).unwrap()));
    let number = value.as_f64();
    let distinct = |list: &Vec<Value>| {
        let mut seen: Vec<&Value> = Vec::new();
        list.iter().all(|one| {
            !seen.contains(&one) && {
                seen.push(one);
                true
            }
        })
    };
    let unique = schema.get("uniqueItems").and_then(Value::as_bool) == Some(true);
    within(number, "minimum", "maximum")
        && number.is_none_or(|n| bound("exclusiveMinimum").is_none_or(|low| n > low))
        && number.is_none_or(|n| bound("exclusiveMaximum").is_none_or(|high| n < high))
        && number.is_none_or(|n| {
            bound("multipleOf").is_none_or(|step| (n / step - (n / step).round()).abs() < 1e-6)
        })
        && within(
            value.as_str().and_then(|s| count(s.chars().count())),
            "minLength",
            "maxLength",
        )
        && within(
            value.as_array().and_then(|a| count(a.len())),
            "minItems",
            "maxItems",
        )
        && within(
            value.as_object().and_then(|o| count(o.len())),
            "minProperties",
            "maxProperties",
        )
        && (!unique || value.as_array().is_none_or(distinct))
}

fn make(schema: &Value, prompt: &str, optional: bool) -> Value {
    let text = schema.to_string();
    let prompt = Prompt::of(prompt);
    let wish = if optional {
        Wish::whole(&prompt, 7)
    } else {
        Wish::arguments(&prompt, 7)
    };
    let made = satisfy(Json::parse(text.as_bytes()).unwrap(), &wish);
    serde_json::from_str(&made).unwrap_or_else(|error| panic!("{error}: {made}"))
}

fn held(schema: &Value) -> Value {
    let made = make(schema, "Give me 3 facts about \"Ada\" from New York", true);
    satisfies(&made, schema, schema).unwrap();
    made
}

proptest! {
    #[test]
    fn any_schema_is_satisfied(schema in any_schema(), prompt in ".{0,40}", optional: bool) {
        let made = make(&schema, &prompt, optional);
        prop_assert_eq!(satisfies(&made, &schema, &schema), Ok(()));
    }

    #[test]
    fn no_text_as_a_schema_does_harm(keys in prop::collection::vec("(type|enum|items|\\$ref|allOf|anyOf|minItems|minimum|pattern|required|properties)", 0..6), value in "(1|-3|null|\\[\\]|\\{\\}|\"#\"|\\[1,\"a\"\\]|\"\\^a\\+\"|99999999999)") {
        let members: Vec<String> = keys.iter().map(|key| format!("\"{key}\":{value}")).collect();
        let text = format!("{{{}}}", members.join(","));
        let prompt = Prompt::of("");
        let made = satisfy(Json::parse(text.as_bytes()).unwrap(), &Wish::whole(&prompt, 1));
        prop_assert!(Json::parse(made.as_bytes()).is_ok(), "{}", made);
    }
}

#[test]
fn references_and_combinations_are_followed() {
    held(&json!({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer", "minimum": 3}}}));
    held(&json!({"allOf": [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"b": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}}, "required": ["b"]},
    ]}));
    held(
        &json!({"anyOf": [{"type": "array", "items": {"const": 4}, "minItems": 2}, {"type": "null"}]}),
    );
}

#[test]
fn recursive_schemas_come_to_an_end() {
    let tree = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#"}},
            "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            "twin": {"$ref": "#"},
        },
        "required": ["name", "children", "next"],
        "additionalProperties": false,
    });
    assert!(held(&tree).to_string().len() < 200_000);
    // One that can never end does end, though it satisfies nobody.
    let endless = json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]});
    make(&endless, "", true);
    make(&json!({"$ref": "#"}), "", true);
    make(
        &json!({"type": "array", "minItems": 4_000_000_000_u64}),
        "",
        true,
    );
}

#[test]
fn arguments_are_taken_from_the_prompt() {
    let schema = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
            "note": {"type": "string"},
        },
        "required": ["city", "unit", "days"],
    });
    let made = make(
        &schema,
        "What will the weather be in New York for 3 days, in Fahrenheit?",
        false,
    );
    assert_eq!(
        made,
        json!({"city": "New York", "unit": "fahrenheit", "days": 3})
    );
}

#[test]
fn formats_and_patterns_are_met() {
    let made = held(&json!({"type": "object", "properties": {
        "when": {"type": "string", "format": "date"},
        "mail": {"type": "string", "format": "email"},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-\\d+$"},
        "many": {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": true},
    }}));
    assert_eq!(made["when"], "2026-01-01");
    assert_eq!(made["mail"], "ada@example.com");
    assert_eq!(made["code"], "AAA-0");
}
