//! A schema with everything that also holds for the same value: what `$ref` and `allOf` name, and
//! one branch of `anyOf` and `oneOf`.
//!
//! Joining is a walk over a stack of at most 64 schemas; one that refers to itself fills the rest with
//! itself, which changes nothing but time. Branches are chosen without regard to the other facets, so
//! that an `anyOf` whose first branch contradicts a neighbouring key gives a value that fails.
//!
//! References stay inside the document: `#/$defs/leaf` is found, an address is not fetched, and a name
//! that leads nowhere is as good as absent.

use waystation_core::{Json, Kind};

/// The schemas that one value has to satisfy together.
pub(super) struct Facets<'a>(Vec<Json<'a>>);

/// The seven types of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number without a fraction: `3`, and by the standard `3.0` too.
    Integer,
    /// Any number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// A map from names to values.
    Object,
}

/// The most schemas that are joined: a reference may lead to itself.
const MAX_FACETS: usize = 64;

// === impl Facets ===

impl<'a> Facets<'a> {
    /// Joins what holds together with `schema`. `deep`: of branches that can end at once, one of
    /// those is taken.
    pub(super) fn of(schema: Json<'a>, root: Json<'a>, deep: bool) -> Self {
        let mut facets = Vec::new();
        let mut waiting = vec![schema];
        while let Some(next) = waiting.pop() {
            if facets.len() >= MAX_FACETS {
                break;
            }
            facets.push(next);
            let named = next.get("$ref").and_then(Json::string);
            waiting.extend(named.and_then(|name| resolve(root, &name)));
            waiting.extend(next.get("allOf").into_iter().flat_map(Json::elements));
            for key in ["anyOf", "oneOf"] {
                waiting.extend(next.get(key).and_then(|list| branch(list, deep)));
            }
        }
        Self(facets)
    }

    /// The first that says anything about `key`.
    pub(super) fn get(&self, key: &str) -> Option<Json<'a>> {
        self.0.iter().find_map(|facet| facet.get(key))
    }

    /// All that say anything about `key`.
    pub(super) fn all(&self, key: &'static str) -> impl Iterator<Item = Json<'a>> {
        self.0.iter().filter_map(move |facet| facet.get(key))
    }

    /// The strictest lower bound called `key`.
    pub(super) fn largest(&self, key: &'static str) -> Option<f64> {
        self.all(key).filter_map(Json::f64).reduce(f64::max)
    }

    /// The strictest upper bound called `key`.
    pub(super) fn smallest(&self, key: &'static str) -> Option<f64> {
        self.all(key).filter_map(Json::f64).reduce(f64::min)
    }

    /// The strictest lower bound on a count.
    pub(super) fn largest_whole(&self, key: &'static str) -> Option<u64> {
        self.all(key).filter_map(Json::u64).max()
    }

    /// The strictest upper bound on a count.
    pub(super) fn smallest_whole(&self, key: &'static str) -> Option<u64> {
        self.all(key).filter_map(Json::u64).min()
    }

    /// The types that the value may have: as said, else as the other keys suggest.
    pub(super) fn types(&self) -> impl Iterator<Item = Type> {
        let mut said: Vec<Type> = Vec::new();
        for list in self.all("type") {
            let of_list = list.elements().filter_map(Type::named);
            let here: Vec<Type> = of_list.chain(Type::named(list)).collect();
            if said.is_empty() {
                said = here;
            } else {
                said.retain(|kind| here.iter().any(|other| other.covers(*kind)));
            }
        }
        if said.is_empty() {
            said.push(self.suggested());
        }
        said.into_iter()
    }

    /// The type to make: not `null` when there is a choice, and nothing that nests when `deep`.
    pub(super) fn wanted_type(&self, deep: bool) -> Type {
        let types: Vec<Type> = self.types().collect();
        let liked = |kind: &&Type| match kind {
            Type::Null => deep,
            Type::Array | Type::Object => !deep,
            Type::Boolean | Type::Integer | Type::Number | Type::String => true,
        };
        let first = types.iter().find(liked).or_else(|| types.first());
        first.copied().unwrap_or(Type::String)
    }

    /// The type that the other keys speak of: `minimum` of a number, `items` of an array. A string when
    /// they say nothing, since that is what most properties of tools are.
    fn suggested(&self) -> Type {
        const HINTS: [(&str, Type); 16] = [
            ("properties", Type::Object),
            ("required", Type::Object),
            ("additionalProperties", Type::Object),
            ("minProperties", Type::Object),
            ("items", Type::Array),
            ("prefixItems", Type::Array),
            ("minItems", Type::Array),
            ("maxItems", Type::Array),
            ("uniqueItems", Type::Array),
            ("minimum", Type::Number),
            ("maximum", Type::Number),
            ("exclusiveMinimum", Type::Number),
            ("exclusiveMaximum", Type::Number),
            ("multipleOf", Type::Number),
            ("pattern", Type::String),
            ("format", Type::String),
        ];
        let hint = HINTS.iter().find(|(key, _)| self.get(key).is_some());
        hint.map_or(Type::String, |(_, kind)| *kind)
    }
}

// === impl Type ===

impl Type {
    /// The type of that name, in capitals too, as Gemini's own schemas have it; nothing for a value
    /// that names none.
    fn named(json: Json<'_>) -> Option<Self> {
        match &*json.string()?.to_ascii_lowercase() {
            "null" => Some(Self::Null),
            "boolean" => Some(Self::Boolean),
            "integer" => Some(Self::Integer),
            "number" => Some(Self::Number),
            "string" => Some(Self::String),
            "array" => Some(Self::Array),
            "object" => Some(Self::Object),
            _ => None,
        }
    }

    /// Whether every value of `other` is one of this type.
    fn covers(self, other: Self) -> bool {
        self == other || (self == Self::Number && other == Self::Integer)
    }

    /// Whether `value` is of this type.
    pub(super) fn fits(self, value: Json<'_>) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Boolean => value.kind() == Kind::Bool,
            Self::Integer => value.i64().is_some() || value.u64().is_some(),
            Self::Number => value.kind() == Kind::Number,
            Self::String => value.kind() == Kind::String,
            Self::Array => value.kind() == Kind::Array,
            Self::Object => value.kind() == Kind::Object,
        }
    }
}

/// The branch to take: the first; when `deep`, the first that neither refers nor nests.
fn branch(list: Json<'_>, deep: bool) -> Option<Json<'_>> {
    let ends = |schema: &Json<'_>| {
        let nests = ["$ref", "properties", "items", "allOf", "anyOf", "oneOf"];
        nests.iter().all(|key| schema.get(key).is_none())
    };
    let ending = list.elements().find(ends).filter(|_| deep);
    ending.or_else(|| list.elements().next())
}

/// The value that `#/a/b` points to in `root`. Source: RFC 6901 (JSON Pointer), section 6.
fn resolve<'a>(root: Json<'a>, reference: &str) -> Option<Json<'a>> {
    let pointer = reference.strip_prefix('#')?;
    let mut steps = pointer.split('/');
    if !steps.next()?.is_empty() {
        return None;
    }
    steps.try_fold(root, |value, step| {
        let name = step.replace("~1", "/").replace("~0", "~");
        match value.kind() {
            Kind::Array => value.elements().nth(name.parse().ok()?),
            _ => value.get(&name),
        }
    })
}
