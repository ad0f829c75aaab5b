//! Fits a value to a JSON Schema: checks it, and converts where nothing is lost. It adds no member
//! and makes up no value.
//!
//! Understood are `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`,
//! `items`, `prefixItems`, `anyOf`, `oneOf`, `allOf`, local `$ref`s and the bounds of
//! [`super::limits`]; other keywords bound nothing. Source: JSON Schema 2020-12, and the subset
//! that structured outputs take (platform.openai.com, "Structured model outputs", read 2025-08).

use std::borrow::Cow;

use waystation_core::{Json, Kind};

use super::{
    keyword::{Keywords, Pages},
    limits,
    parser::{Parser, Place},
    value::{Value, literal, number, put},
    word::{plain, words},
};

/// How deep `$ref`s and combinators may lead without going into the value.
const MAX_DEPTH: usize = 160;

/// How many comparisons one fit may take; a schema that needs more fits nothing.
const FUEL: u32 = 400_000;

/// A schema, at its root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema<'a> {
    root: Json<'a>,
}

/// A value that fits, and what it took.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    /// The value, converted.
    pub(super) value: Value,
    /// How much was converted; 0 is nothing.
    pub(super) cost: u32,
}

/// The cost of a conversion that changes the spelling only.
const SPELLING: u32 = 1;
/// The cost of one that changes the kind.
const KIND: u32 = 2;
/// The cost of one that takes a wrapping off or puts one on, or drops a forbidden member.
const SHAPE: u32 = 8;

/// Fits parts; counts the work.
struct Fitter<'a> {
    root: Json<'a>,
    pages: Pages<'a>,
    fuel: u32,
}

/// What fits, or `None`: nothing here fits in part.
type Fitted = Option<Fit>;

// === impl Schema ===

impl<'a> Schema<'a> {
    /// A schema.
    pub(super) const fn of(root: Json<'a>) -> Self {
        Self { root }
    }

    /// Fits `value`; `None` where that would take an invention.
    pub(super) fn fit(&self, value: &Value) -> Fitted {
        let mut fitter = Fitter {
            root: self.root,
            pages: Pages::default(),
            fuel: FUEL,
        };
        let fit = fitter.fit(value, self.root, 0);
        fit.or_else(|| fitter.unwrapped(value, self.root))
    }

    /// The one word that `prose` can mean, where a choice of words, or yes or no, is wanted and
    /// only one of them is there.
    pub(super) fn mentioned(&self, prose: &str) -> Option<Value> {
        let fitter = Fitter {
            root: self.root,
            pages: Pages::default(),
            fuel: 0,
        };
        let name = self.root.get("$ref").and_then(Json::string);
        let root = match name {
            Some(name) => fitter.resolve(&name)?,
            None => self.root,
        };
        let wanted: Vec<Value> = if root.get("type").is_some_and(|kind| kind.is("boolean")) {
            vec![Value::Bool(true), Value::Bool(false)]
        } else {
            let one = root.get("const").into_iter();
            let list = root.get("enum").into_iter().flat_map(Json::elements);
            one.chain(list)
                .filter(|word| word.kind() == Kind::String)
                .map(Value::of)
                .collect()
        };
        let prose = format!(" {} ", words(prose));
        let mut there = wanted.into_iter().filter(|wanted| {
            let word = match wanted {
                Value::Text(word) => words(word),
                other => other.to_json(),
            };
            !word.is_empty() && prose.contains(&format!(" {word} "))
        });
        let only = there.next()?;
        there.next().is_none().then_some(only)
    }
}

// === impl Fit ===

impl Fit {
    const fn of(value: Value, cost: u32) -> Self {
        Self { value, cost }
    }

    fn dearer(mut self, by: u32) -> Self {
        self.cost += by;
        self
    }
}

// === impl Fitter ===

impl<'a> Fitter<'a> {
    fn fit(&mut self, value: &Value, schema: Json<'a>, depth: usize) -> Fitted {
        self.fuel = self.fuel.checked_sub(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        if schema.kind() != Kind::Object {
            let open = schema.bool() != Some(false);
            return open.then(|| Fit::of(value.clone(), 0));
        }
        let said = self.pages.of(schema);
        if let Some(name) = said.reference.and_then(Json::string) {
            let target = self.resolve(&name)?;
            return self.fit(value, target, depth + 1);
        }
        let mut chosen: Fitted = None;
        if let Some(branches) = said.branches {
            chosen = Some(self.cheapest(value, branches, depth)?);
        }
        for part in said.parts.into_iter().flat_map(Json::elements) {
            let before = chosen.as_ref().map_or(value, |fit| &fit.value);
            let more = self.fit(before, part, depth + 1)?;
            chosen = Some(more.dearer(chosen.map_or(0, |fit| fit.cost)));
        }
        let (value, cost) = chosen
            .as_ref()
            .map_or((value, 0), |fit| (&fit.value, fit.cost));
        if let Some(wanted) = said.constant {
            return Some(choose(value, std::iter::once(wanted))?.dearer(cost));
        }
        if let Some(wanted) = said.choice {
            return Some(choose(value, wanted.elements())?.dearer(cost));
        }
        let fit = self.of_kind(value, &said, depth)?.dearer(cost);
        let good = !said.is_bounded() || limits::keeps_to(&said, &fit.value);
        good.then_some(fit)
    }

    /// The branch that costs least; the first of several.
    fn cheapest(&mut self, value: &Value, branches: Json<'a>, depth: usize) -> Fitted {
        let mut best: Fitted = None;
        for branch in branches.elements() {
            if let Some(fit) = self.fit(value, branch, depth + 1)
                && best.as_ref().is_none_or(|best| fit.cost < best.cost)
            {
                best = Some(fit);
            }
        }
        best
    }

    /// Fits the kind that `type` names, or one of several.
    fn of_kind(&mut self, value: &Value, said: &Keywords<'a>, depth: usize) -> Fitted {
        let Some(kind) = said.kind else {
            return self.any_kind(value, said, depth);
        };
        let one = (kind.kind() != Kind::Array).then_some(kind);
        let mut best: Fitted = None;
        for kind in one.into_iter().chain(kind.elements()) {
            let kind = kind.string().unwrap_or_default();
            let fit = match &*kind {
                "string" => as_text(value),
                "integer" => as_number(value).filter(|fit| is_whole(&fit.value)),
                "number" => as_number(value),
                "boolean" => as_bool(value),
                "null" => as_null(value),
                "array" => self.as_list(value, said, depth),
                "object" => self.as_object(value, said, depth),
                _ => None,
            };
            if let Some(fit) = fit
                && best.as_ref().is_none_or(|best| fit.cost < best.cost)
            {
                best = Some(fit);
            }
        }
        best
    }

    /// A schema without `type`: its keywords say what it is about.
    fn any_kind(&mut self, value: &Value, said: &Keywords<'a>, depth: usize) -> Fitted {
        match value {
            Value::Object(_) => self.as_object(value, said, depth),
            Value::List(_) => self.as_list(value, said, depth),
            _ if said.properties.is_some() => self.as_object(value, said, depth),
            _ => Some(Fit::of(value.clone(), 0)),
        }
    }

    fn as_list(&mut self, value: &Value, said: &Keywords<'a>, depth: usize) -> Fitted {
        let (items, cost): (Cow<'_, [Value]>, u32) = match value {
            Value::List(items) => (Cow::Borrowed(items), 0),
            Value::Text(text) => match encoded(text) {
                Some(Value::List(items)) => (Cow::Owned(items), SHAPE),
                _ => (Cow::Borrowed(std::slice::from_ref(value)), SHAPE),
            },
            Value::Null => return None,
            one => (Cow::Borrowed(std::slice::from_ref(one)), SHAPE),
        };
        let first = said.first.map(|list| list.elements().collect::<Vec<_>>());
        let (first, rest) = (first.unwrap_or_default(), said.items);
        let mut fit = Fit::of(Value::Null, cost);
        let mut fitted = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let item = match first.get(at).copied().or(rest) {
                Some(schema) => self.fit(item, schema, depth + 1)?,
                None => Fit::of(item.clone(), 0),
            };
            fit.cost += item.cost;
            fitted.push(item.value);
        }
        fit.value = Value::List(fitted);
        Some(fit)
    }

    fn as_object(&mut self, value: &Value, said: &Keywords<'a>, depth: usize) -> Fitted {
        match value {
            Value::Object(members) => self.members(members, said, depth),
            Value::Text(text) => {
                let inner = encoded(text).filter(|inner| matches!(inner, Value::Object(_)))?;
                Some(self.as_object(&inner, said, depth)?.dearer(SHAPE))
            }
            _ => None,
        }
    }

    fn members(
        &mut self,
        members: &[(String, Value)],
        said: &Keywords<'a>,
        depth: usize,
    ) -> Fitted {
        let (properties, others) = (said.properties, said.others);
        let mut fit = Fit::of(Value::Null, 0);
        let mut fitted = Vec::with_capacity(members.len());
        for (key, value) in members {
            let known = properties.and_then(|list| list.get(key));
            let (name, wanted) = match known {
                Some(wanted) => (key.clone(), Some(wanted)),
                None => match similar(key, members, properties) {
                    Some((name, wanted)) => {
                        fit.cost += SPELLING;
                        (name, Some(wanted))
                    }
                    None => (key.clone(), others),
                },
            };
            let value = match wanted {
                Some(schema) if schema.bool() == Some(false) => {
                    fit.cost += SHAPE;
                    continue;
                }
                Some(schema) => self.fit(value, schema, depth + 1)?,
                None => Fit::of(value.clone(), 0),
            };
            fit.cost += value.cost;
            put(&mut fitted, name, value.value);
        }
        let required = said.required.into_iter().flat_map(Json::elements);
        let has = |name: Json<'_>| fitted.iter().any(|(key, _)| name.is(key));
        if !required.into_iter().all(has) {
            return None;
        }
        fit.value = Value::Object(fitted);
        Some(fit)
    }

    /// What the schema wants may be within what is there: the only member of an object, the only
    /// element of an array, or the `properties` of an echoed schema.
    fn unwrapped(&mut self, value: &Value, schema: Json<'a>) -> Fitted {
        let inner = match value {
            Value::Object(members) => match members.as_slice() {
                [(_, inner)] => inner,
                many => {
                    let echo = many.iter().find(|(key, _)| key == "properties");
                    let typed = many.iter().any(|(key, _)| key == "type");
                    &echo.filter(|_| typed)?.1
                }
            },
            Value::List(items) => match items.as_slice() {
                [inner] => inner,
                _ => return None,
            },
            _ => return None,
        };
        let fit = inner.is_container().then(|| self.fit(inner, schema, 0))?;
        Some(fit?.dearer(SHAPE))
    }

    /// The part of the schema that a local reference names.
    fn resolve(&self, name: &str) -> Option<Json<'a>> {
        let path = name.strip_prefix('#')?;
        path.split('/')
            .filter(|part| !part.is_empty())
            .try_fold(self.root, |at, part| {
                let part = part.replace("~1", "/").replace("~0", "~");
                match at.kind() {
                    Kind::Array => at.elements().nth(part.parse().ok()?),
                    _ => at.get(&part),
                }
            })
    }
}

/// A container that is spelled out within a string.
fn encoded(text: &str) -> Option<Value> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    if let Ok(json) = Json::parse(text.as_bytes()) {
        return Some(Value::of(json));
    }
    let mut parser = Parser::new(text, 0);
    let value = parser.value(Place::Root)?;
    let sure = parser.doubts == super::Doubts::default() && parser.rest().trim().is_empty();
    // A string that merely looks like an object is a string.
    let quoted = text.contains('"');
    (sure && quoted).then_some(value)
}

/// A number becomes its digits, a word itself, a list of one text that text; else nothing fits.
fn as_text(value: &Value) -> Fitted {
    match value {
        Value::Text(_) => Some(Fit::of(value.clone(), 0)),
        Value::Bare(word) => {
            let cost = if literal(word).is_some() { KIND } else { 0 };
            Some(Fit::of(Value::Text(word.clone()), cost))
        }
        Value::Number(digits) => Some(Fit::of(Value::Text(digits.clone()), KIND)),
        Value::List(items) => match items.as_slice() {
            [Value::Text(text)] => Some(Fit::of(Value::Text(text.clone()), SHAPE)),
            _ => None,
        },
        _ => None,
    }
}

/// A text becomes a number where the whole of it spells one.
fn as_number(value: &Value) -> Fitted {
    match value {
        Value::Number(_) => Some(Fit::of(value.clone(), 0)),
        Value::Bare(word) => spelled(word).map(|number| Fit::of(number, 0)),
        Value::Text(text) => spelled(text.trim()).map(|number| Fit::of(number, KIND)),
        _ => None,
    }
}

/// A number, also one with commas between thousands.
fn spelled(word: &str) -> Option<Value> {
    if let Some(number) = number(word) {
        return Some(number);
    }
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let mut groups = whole.trim_start_matches('-').split(',');
    let first = groups
        .next()
        .filter(|first| (1..=3).contains(&first.len()))?;
    let grouped = groups.clone().count() > 0 && groups.all(|group| group.len() == 3);
    let digits = first.bytes().all(|byte| byte.is_ascii_digit());
    let plain = word.replace(',', "");
    (grouped && digits && !fraction.contains(','))
        .then(|| number(&plain))
        .flatten()
}

/// Whether a number is an integer by value: `3.0` and `1e2` are.
fn is_whole(value: &Value) -> bool {
    let Value::Number(digits) = value else {
        return false;
    };
    let integral = digits
        .trim_start_matches('-')
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    integral
        || digits
            .parse::<f64>()
            .is_ok_and(|number| number.fract() == 0.0)
}

/// `yes`, `no`, `1` and `0` are understood too, in any case.
fn as_bool(value: &Value) -> Fitted {
    let of_word = |word: &str| match word.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" => Some(true),
        "false" | "no" => Some(false),
        _ => None,
    };
    let (found, cost) = match value {
        Value::Bool(_) => return Some(Fit::of(value.clone(), 0)),
        Value::Bare(word) => (of_word(word), 0),
        Value::Text(text) => (of_word(text), KIND),
        Value::Number(digits) => match digits.parse::<f64>() {
            Ok(0.0) => (Some(false), KIND),
            Ok(1.0) => (Some(true), KIND),
            _ => (None, 0),
        },
        _ => (None, 0),
    };
    found.map(|found| Fit::of(Value::Bool(found), cost))
}

fn as_null(value: &Value) -> Fitted {
    match value {
        Value::Null => Some(Fit::of(Value::Null, 0)),
        Value::Bare(word) if literal(word) == Some(Value::Null) => Some(Fit::of(Value::Null, 0)),
        _ => None,
    }
}

/// The one of `wanted` that `value` is, or must mean: differing in case, quotes or space only.
fn choose<'a>(value: &Value, wanted: impl Iterator<Item = Json<'a>> + Clone) -> Fitted {
    let settled = value.clone().settled();
    let same = |wanted: &Value| same(wanted, &settled);
    if let Some(exact) = wanted.clone().map(Value::of).find(same) {
        return Some(Fit::of(exact, 0));
    }
    let word = match value {
        Value::Text(word) | Value::Bare(word) => word,
        Value::Number(digits) => digits,
        Value::List(items) => match items.as_slice() {
            [one] => return Some(choose(one, wanted)?.dearer(SHAPE)),
            _ => return None,
        },
        _ => return None,
    };
    let spelling = plain(word);
    let mut meant = wanted.map(Value::of).filter(|wanted| match wanted {
        Value::Text(text) => plain(text) == spelling,
        other => plain(&other.to_json()) == spelling,
    });
    let only = meant.next()?;
    meant.next().is_none().then(|| Fit::of(only, SPELLING))
}

/// Equality of JSON values: numbers by value.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b
                || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a.total_cmp(&b).is_eq())
        }
        _ => a == b,
    }
}

/// The property that `key` must mean, when only one is spelled alike and it is not there itself.
fn similar<'a>(
    key: &str,
    members: &[(String, Value)],
    properties: Option<Json<'a>>,
) -> Option<(String, Json<'a>)> {
    let wanted = plain(key);
    let mut alike = properties?
        .members()
        .filter(|(name, _)| plain(&name.name()) == wanted);
    let (name, schema) = alike.next()?;
    let name = name.name().into_owned();
    let free = members.iter().all(|(key, _)| *key != name);
    (free && alike.next().is_none()).then_some((name, schema))
}
