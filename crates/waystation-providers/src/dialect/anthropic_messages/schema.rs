//! JSON Schemas as structured output takes them: objects without `additionalProperties` get the
//! `false` that the wire insists on, and limits that it refuses are dropped. The rest is byte-exact;
//! what a schema means, nobody here knows.
//!
//! Source: <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, the page's
//! list of what schemas cannot say (2026-10).

use waystation_core::{Json, Kind, ObjectWriter};

use crate::array::ArrayWriter;

/// Limits that are refused wherever they stand.
const LIMITS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// Writes `schema` as it is taken, and says whether a limit was dropped. The depth is bounded by
/// what the request's own check allows.
pub(super) fn write(schema: Json<'_>, out: &mut Vec<u8>) -> bool {
    if schema.kind() != Kind::Object {
        out.extend_from_slice(schema.bytes());
        return false;
    }
    let mut dropped = false;
    let mut object = ObjectWriter::open(out);
    for (key, value) in schema.members() {
        let name = key.name();
        let few = || value.u64().is_some_and(|items| items <= 1);
        if LIMITS.contains(&&*name) || (name == "minItems" && !few()) {
            dropped = true;
            continue;
        }
        let out = object.escaped_key(key.escaped());
        dropped |= match &*name {
            "properties" | "$defs" | "definitions" => each(value, out),
            "items" | "anyOf" | "allOf" | "oneOf" | "not" => within(value, out),
            _ => {
                out.extend_from_slice(value.bytes());
                false
            }
        };
    }
    let is_object = schema.get("type").is_some_and(|kind| kind.is("object"));
    if is_object && schema.get("additionalProperties").is_none() {
        object.bool("additionalProperties", false);
    }
    object.close();
    dropped
}

/// Schemas by name.
fn each(schemas: Json<'_>, out: &mut Vec<u8>) -> bool {
    if schemas.kind() != Kind::Object {
        out.extend_from_slice(schemas.bytes());
        return false;
    }
    let mut dropped = false;
    let mut object = ObjectWriter::open(out);
    for (key, schema) in schemas.members() {
        dropped |= write(schema, object.escaped_key(key.escaped()));
    }
    object.close();
    dropped
}

/// A schema, or a list of them.
fn within(value: Json<'_>, out: &mut Vec<u8>) -> bool {
    if value.kind() != Kind::Array {
        return write(value, out);
    }
    let mut dropped = false;
    let mut array = ArrayWriter::open(out);
    for schema in value.elements() {
        dropped |= write(schema, array.next());
    }
    array.close();
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_and_limits_go() {
        let schema = br##"{"type":"object","properties":{"minimum":{"type":"integer","minimum":1},
            "list":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"object","properties":{}}},
            "any":{"anyOf":[{"type":"string","maxLength":3},{"$ref":"#/$defs/x"}]}},
            "$defs":{"x":{"type":"object","additionalProperties":false}}}"##;
        let mut out = Vec::new();
        assert!(write(Json::parse(schema).unwrap(), &mut out));
        let expected = r##"{"type":"object","properties":{"minimum":{"type":"integer"},"list":{"type":"array","minItems":1,"items":{"type":"object","properties":{},"additionalProperties":false}},"any":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/x"}]}},"$defs":{"x":{"type":"object","additionalProperties":false}},"additionalProperties":false}"##;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
