//! Makes JSON that satisfies a JSON schema: what a model would answer in JSON mode, or call a tool
//! with.
//!
//! Understood: `$ref` within the document, `allOf`, `anyOf` and `oneOf` (the first that can end),
//! `const`, `enum`, `default`, `examples`, `type` (also lists), objects (`properties`, `required`,
//! `additionalProperties`, `minProperties`), arrays (`items`, `prefixItems`, `minItems`,
//! `maxItems`, `uniqueItems`), numbers (bounds, `multipleOf`) and strings (lengths, `format`,
//! simple `pattern`s). Not understood, and so not always satisfied: `not`, `if`,
//! `patternProperties`, `contains`, and a `oneOf` whose first branch implies another.
//! Source: JSON Schema 2020-12, <https://json-schema.org/draft/2020-12> (2026-06).
//!
//! # How a value comes about
//!
//! 1. The schema is joined with all that holds for the same value ([`facets`]): what `$ref` and `allOf`
//!    name, one branch of `anyOf` and `oneOf`. Bounds of all of them count, the strictest first.
//! 2. A value that is spelled out is taken as it is: `const`; of an `enum` the one that the prompt
//!    mentions, else by turns; then `default`; then `examples`, if their type is right.
//! 3. Otherwise the type decides, `null` last. A schema without a type gets the one that its other
//!    keys speak of, and else a string.
//! 4. Strings and numbers are taken from the prompt where it has some that fit, so that an answer looks
//!    as if it had listened: a `city` gets the name behind `in`, a `query` the whole prompt.
//!
//! # How it ends
//!
//! A schema may refer to itself, or be made to hurt. There are two limits on depth and two on the number
//! of values: past the first (6 levels, 300 values) only what must be is made, and branches that end
//! are preferred; past the second (40 levels, 5000 values) everything is `null`, whether the schema
//! allows that or not. So the work is bounded whatever a client sends.
//!
//! Nothing is checked against the schema afterwards: a test does that, over generated schemas.

mod facets;
mod number;
mod pattern;
mod string;

use std::cell::Cell;

use waystation_core::{Json, Kind, ObjectWriter};

use crate::{draw::Draw, prompt::Prompt};
use facets::{Facets, Type};

/// What a value is wanted for.
pub(crate) struct Wish<'p> {
    prompt: &'p Prompt<'p>,
    /// Properties that are not required are wanted too.
    optional: bool,
    seed: u64,
}

/// A place in the value that is made.
#[derive(Clone, Copy)]
struct Spot<'n> {
    /// The property's name; an array's name for its elements.
    name: &'n str,
    /// Which element of an array.
    nth: usize,
    depth: usize,
}

/// Makes one value; lives as long as that takes.
struct Maker<'a, 'p> {
    /// Where references point into.
    root: Json<'a>,
    wish: &'p Wish<'p>,
    /// Values made so far.
    made: Cell<usize>,
}

/// From here on only what must be is made.
const DEEP: usize = 6;
/// And after so many values.
const MANY: usize = 300;
/// From here on `null` stands for everything: a schema that can never end must end.
const ABYSS: usize = 40;
/// And after so many values.
const FLOOD: usize = 5_000;

// === impl Wish ===

impl<'p> Wish<'p> {
    /// A whole answer: every property.
    pub(crate) const fn whole(prompt: &'p Prompt<'p>, seed: u64) -> Self {
        Self {
            prompt,
            optional: true,
            seed,
        }
    }

    /// Arguments of a call: what is required; everything where nothing is.
    pub(crate) const fn arguments(prompt: &'p Prompt<'p>, seed: u64) -> Self {
        Self {
            prompt,
            optional: false,
            seed,
        }
    }
}

/// JSON text of a value that `schema` allows.
pub(crate) fn satisfy(schema: Json<'_>, wish: &Wish<'_>) -> String {
    let maker = Maker {
        root: schema,
        wish,
        made: Cell::new(0),
    };
    let mut out = Vec::new();
    let top = Spot {
        name: "",
        nth: 0,
        depth: 0,
    };
    maker.write(schema, top, &mut out);
    String::from_utf8(out).unwrap_or_else(|_| "null".into())
}

// === impl Spot ===

impl<'n> Spot<'n> {
    /// The property called `name` of the object at this place.
    const fn property(self, name: &'n str) -> Self {
        Self {
            name,
            nth: self.nth,
            depth: self.depth + 1,
        }
    }

    /// The `nth` element of the array at this place.
    const fn element(self, nth: usize) -> Self {
        Self {
            name: self.name,
            nth,
            depth: self.depth + 1,
        }
    }
}

// === impl Maker ===

impl<'a> Maker<'a, '_> {
    /// Writes a value for `schema`. Recursion is bounded by [`ABYSS`], the number of values by
    /// [`FLOOD`], whatever the schema says.
    fn write(&self, schema: Json<'a>, at: Spot<'_>, out: &mut Vec<u8>) {
        self.made.set(self.made.get() + 1);
        if at.depth > ABYSS || self.made.get() > FLOOD {
            out.extend_from_slice(b"null");
            return;
        }
        let deep = at.depth > DEEP || self.made.get() > MANY;
        let facets = Facets::of(schema, self.root, deep);
        if let Some(fixed) = self.fixed(&facets, at) {
            out.extend_from_slice(fixed.bytes());
            return;
        }
        match facets.wanted_type(deep) {
            Type::Null => out.extend_from_slice(b"null"),
            Type::Boolean if at.nth.is_multiple_of(2) => out.extend_from_slice(b"true"),
            Type::Boolean => out.extend_from_slice(b"false"),
            Type::Integer => out.extend_from_slice(self.number(&facets, at, true).as_bytes()),
            Type::Number => out.extend_from_slice(self.number(&facets, at, false).as_bytes()),
            Type::String => {
                let text = string::make(&facets, at, self.wish.prompt);
                let quoted = waystation_core::JsonText::of(&text).quoted();
                out.extend_from_slice(quoted.bytes());
            }
            Type::Array => self.array(&facets, at, deep, out),
            Type::Object => self.object(&facets, at, deep, out),
        }
    }

    /// A value that the schema spells out.
    fn fixed(&self, facets: &Facets<'a>, at: Spot<'_>) -> Option<Json<'a>> {
        if let Some(only) = facets.get("const") {
            return Some(only);
        }
        if let Some(list) = facets.get("enum") {
            let spoken = list
                .elements()
                .find(|value| value.string().is_some_and(|v| self.wish.prompt.holds(&v)));
            let count = list.elements().count().max(1);
            return spoken
                .filter(|_| at.nth == 0)
                .or_else(|| list.elements().nth(at.nth % count));
        }
        let examples = facets
            .get("examples")
            .filter(|list| list.kind() == Kind::Array);
        let example = examples.and_then(|list| list.elements().nth(at.nth));
        let default = facets.get("default").filter(|_| at.nth == 0);
        default
            .or(example)
            .filter(|value| facets.types().any(|kind| kind.fits(*value)))
    }

    /// A number, from the prompt where it has one; elements of one array differ.
    fn number(&self, facets: &Facets<'a>, at: Spot<'_>, whole: bool) -> String {
        let name = crate::draw::fold(self.wish.seed, at.name.as_bytes());
        let liked = i64::try_from(Draw::new(name).within(1, 10)).unwrap_or(1);
        let spoken = self.wish.prompt.numbers().nth(at.nth);
        let nth = i64::try_from(at.nth).unwrap_or_default();
        number::make(facets, spoken, liked.saturating_add(nth), whole)
    }

    /// An array: as many elements as are liked, within `minItems` and `maxItems`.
    fn array(&self, facets: &Facets<'a>, at: Spot<'_>, deep: bool, out: &mut Vec<u8>) {
        let first: Vec<Json<'a>> = facets
            .get("prefixItems")
            .into_iter()
            .flat_map(Json::elements)
            .collect();
        let rest = facets.get("items");
        let least = facets.largest_whole("minItems").unwrap_or(0);
        let most = facets.smallest_whole("maxItems").unwrap_or(u64::MAX);
        let closed = rest.is_some_and(|items| items.bool() == Some(false));
        let liked = match (deep, first.len()) {
            (true, _) => 0,
            (false, 0) if closed => 0,
            (false, 0) => self.liked_elements(facets, at),
            (false, some) => some,
        };
        let count = u64::try_from(liked).unwrap_or(0).max(least).min(most);
        let count = usize::try_from(count).unwrap_or(0).min(FLOOD);
        out.push(b'[');
        for nth in 0..count {
            if nth > 0 {
                out.push(b',');
            }
            let any = Json::parse(b"{}").unwrap_or(self.root);
            let schema = first.get(nth).copied().or(rest).unwrap_or(any);
            self.write(schema, at.element(nth), out);
        }
        out.push(b']');
    }

    /// How many elements an array gets when it may have any number: one, or two where they are sure
    /// to differ.
    fn liked_elements(&self, facets: &Facets<'a>, at: Spot<'_>) -> usize {
        let unique = facets.get("uniqueItems").and_then(Json::bool);
        if unique == Some(true) || at.depth > 2 {
            1
        } else {
            2
        }
    }

    /// An object: its properties in the schema's order, then required ones that the schema does not
    /// describe, then made-up ones till there are `minProperties`.
    fn object(&self, facets: &Facets<'a>, at: Spot<'_>, deep: bool, out: &mut Vec<u8>) {
        let required: Vec<_> = facets
            .all("required")
            .flat_map(Json::elements)
            .filter_map(Json::string)
            .collect();
        let wanted = !deep && (self.wish.optional || required.is_empty());
        let mut written: Vec<Vec<u8>> = Vec::new();
        let mut object = ObjectWriter::open(out);
        for (key, schema) in facets.all("properties").flat_map(Json::members) {
            let name = key.name();
            let needed = required.contains(&name);
            let closed = schema.bool() == Some(false);
            if closed || !(needed || wanted) || written.iter().any(|done| done == key.escaped()) {
                continue;
            }
            written.push(key.escaped().to_vec());
            self.write(
                schema,
                at.property(&name),
                object.escaped_key(key.escaped()),
            );
        }
        let any = Json::parse(b"{}").unwrap_or(self.root);
        let more = facets.get("additionalProperties");
        let more = more
            .filter(|more| more.kind() == Kind::Object)
            .unwrap_or(any);
        let least = facets.largest_whole("minProperties").unwrap_or(0);
        let least = usize::try_from(least).unwrap_or(0).min(FLOOD);
        let missing = required.iter().map(ToString::to_string);
        let padding = (1..=least).map(|nth| format!("key{nth}"));
        for (place, name) in missing.chain(padding).enumerate() {
            let key = waystation_core::JsonText::of(&name);
            let known = written.iter().any(|done| done == key.escaped());
            if known || (place >= required.len() && written.len() >= least) {
                continue;
            }
            written.push(key.escaped().to_vec());
            self.write(more, at.property(&name), object.escaped_key(key.escaped()));
        }
        object.close();
    }
}

#[cfg(test)]
mod tests;
