//! The keywords of a JSON Schema, each part of it read once: one pass over its members takes the place
//! of a search for every keyword at every value. What the keywords mean is not known here.

use std::{collections::HashMap, rc::Rc};

use regex_lite::Regex;
use waystation_core::{Json, Kind};

/// What one part of a schema says.
#[derive(Debug, Default)]
pub(super) struct Keywords<'a> {
    /// `$ref`.
    pub(super) reference: Option<Json<'a>>,
    /// `anyOf`, or else `oneOf`.
    pub(super) branches: Option<Json<'a>>,
    /// `allOf`.
    pub(super) parts: Option<Json<'a>>,
    /// `const`.
    pub(super) constant: Option<Json<'a>>,
    /// `enum`.
    pub(super) choice: Option<Json<'a>>,
    /// `type`.
    pub(super) kind: Option<Json<'a>>,
    /// `properties`.
    pub(super) properties: Option<Json<'a>>,
    /// `additionalProperties`.
    pub(super) others: Option<Json<'a>>,
    /// `required`.
    pub(super) required: Option<Json<'a>>,
    /// `prefixItems`.
    pub(super) first: Option<Json<'a>>,
    /// `items`.
    pub(super) items: Option<Json<'a>>,
    /// The bounds on single values, by name; few parts have any.
    bounds: Vec<(&'static str, Json<'a>)>,
    /// `pattern`, made ready once.
    pub(super) pattern: Option<Regex>,
}

/// The names of bounds.
const BOUNDS: [&str; 11] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];

/// The parts of one schema that were read.
///
/// A part is known by where it stands in the schema's text, which does not move while it is borrowed.
#[derive(Debug, Default)]
pub(super) struct Pages<'a>(HashMap<usize, Rc<Keywords<'a>>>);

// === impl Keywords ===

impl<'a> Keywords<'a> {
    /// Reads a part. Of two keywords with one name the first counts.
    fn of(schema: Json<'a>) -> Self {
        let mut found = Self::default();
        let mut one_of = None;
        for (key, value) in schema.members() {
            let name = key.name();
            let slot = match &*name {
                "$ref" => &mut found.reference,
                "anyOf" => &mut found.branches,
                "oneOf" => &mut one_of,
                "allOf" => &mut found.parts,
                "const" => &mut found.constant,
                "enum" => &mut found.choice,
                "type" => &mut found.kind,
                "properties" => &mut found.properties,
                "additionalProperties" => &mut found.others,
                "required" => &mut found.required,
                "prefixItems" => &mut found.first,
                "items" => &mut found.items,
                "pattern" => {
                    // A pattern that this engine does not know bounds nothing.
                    let pattern = value.string();
                    found.pattern = pattern.and_then(|pattern| Regex::new(&pattern).ok());
                    continue;
                }
                other => {
                    if let Some(bound) = BOUNDS.iter().find(|bound| **bound == other) {
                        found.bounds.push((bound, value));
                    }
                    continue;
                }
            };
            slot.get_or_insert(value);
        }
        found.branches = found.branches.or(one_of);
        found
    }

    /// A bound, where the part has it.
    pub(super) fn bound(&self, name: &str) -> Option<Json<'a>> {
        let mut bounds = self.bounds.iter();
        bounds
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    /// Whether anything bounds single values.
    pub(super) const fn is_bounded(&self) -> bool {
        !self.bounds.is_empty() || self.pattern.is_some()
    }
}

// === impl Pages ===

impl<'a> Pages<'a> {
    /// The keywords of a part, which is an object.
    pub(super) fn of(&mut self, schema: Json<'a>) -> Rc<Keywords<'a>> {
        debug_assert_eq!(schema.kind(), Kind::Object, "only objects have keywords");
        let place = schema.bytes().as_ptr().addr();
        let page = self.0.entry(place);
        Rc::clone(page.or_insert_with(|| Rc::new(Keywords::of(schema))))
    }
}
