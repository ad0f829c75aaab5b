//! What each member of a chat body may hold: one table, checked once when a body is parsed.
//! Source: API contract, section 1.2.

use std::borrow::Cow;

use super::{InvalidRequest, message::Talk, names::Names};
use crate::{Json, Key, Kind, Parameter};

/// What one member may hold. `null` is absence and never reaches a rule.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Any value: somebody else looks into it.
    Any,
    /// A string of at most this many characters.
    Text(usize),
    /// A boolean.
    Flag,
    /// A whole number in a range.
    Whole(i64, i64),
    /// A number in a closed range.
    Number(f64, f64),
    /// A number above the first and up to the second.
    Above(f64, f64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An array of strings, at most this many.
    Texts(usize),
    /// An object.
    Object,
    /// An array of objects.
    Objects,
    /// The messages.
    Messages,
    /// A rule of its own.
    Own(fn(&str, Json<'_>) -> Result<(), InvalidRequest>),
}

const MAX: usize = usize::MAX;

/// Every member that the gateway types at the top level.
pub(super) static FIELDS: [(&str, Rule); 53] = [
    ("model", Rule::Text(256)),
    ("models", Rule::Texts(64)),
    ("route", Rule::Word(&["fallback", "sort"])),
    ("messages", Rule::Messages),
    ("prompt", Rule::Any),
    ("stream", Rule::Flag),
    ("stream_options", Rule::Object),
    ("usage", Rule::Object),
    ("max_tokens", Rule::Whole(1, i64::MAX)),
    ("max_completion_tokens", Rule::Whole(1, i64::MAX)),
    ("temperature", Rule::Number(0.0, 2.0)),
    ("top_p", Rule::Above(0.0, 1.0)),
    ("top_k", Rule::Whole(0, i64::MAX)),
    ("min_p", Rule::Number(0.0, 1.0)),
    ("top_a", Rule::Number(0.0, 1.0)),
    ("frequency_penalty", Rule::Number(-2.0, 2.0)),
    ("presence_penalty", Rule::Number(-2.0, 2.0)),
    ("repetition_penalty", Rule::Above(0.0, 2.0)),
    ("seed", Rule::Whole(i64::MIN, i64::MAX)),
    ("stop", Rule::Own(check_stop)),
    ("logit_bias", Rule::Own(check_logit_bias)),
    ("logprobs", Rule::Flag),
    ("top_logprobs", Rule::Whole(0, 20)),
    ("n", Rule::Whole(1, 128)),
    ("user", Rule::Text(MAX)),
    ("session_id", Rule::Text(256)),
    ("prompt_cache_key", Rule::Text(MAX)),
    ("metadata", Rule::Own(check_metadata)),
    ("trace", Rule::Object),
    ("tools", Rule::Own(super::message::check_tools)),
    ("tool_choice", Rule::Own(check_tool_choice)),
    ("parallel_tool_calls", Rule::Flag),
    ("max_tool_calls", Rule::Whole(0, 30)),
    ("stop_server_tools_when", Rule::Objects),
    ("response_format", Rule::Own(check_response_format)),
    ("structured_outputs", Rule::Flag),
    ("reasoning", Rule::Object),
    ("reasoning_effort", Rule::Any),
    ("include_reasoning", Rule::Flag),
    (
        "verbosity",
        Rule::Word(&["low", "medium", "high", "xhigh", "max"]),
    ),
    ("prediction", Rule::Object),
    ("modalities", Rule::Texts(8)),
    ("audio", Rule::Object),
    ("image_config", Rule::Object),
    ("web_search_options", Rule::Object),
    ("cache_control", Rule::Object),
    // Providers have tiers of their own (`on_demand`), so words that routing does not know go through.
    ("service_tier", Rule::Text(64)),
    ("provider", Rule::Object),
    ("plugins", Rule::Own(check_plugins)),
    ("transforms", Rule::Texts(16)),
    ("preset", Rule::Text(256)),
    ("debug", Rule::Object),
    ("waystation", Rule::Object),
];

/// Which of them a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field(u8);

/// Their names, to find them by.
pub(super) static NAMES: Names<{ FIELDS.len() }> = Names::of({
    let mut names = [""; FIELDS.len()];
    let mut at = 0;
    while at < names.len() {
        #[expect(
            clippy::indexing_slicing,
            reason = "checked by the compiler: this runs at build"
        )]
        {
            names[at] = FIELDS[at].0;
        }
        at += 1;
    }
    names
});

/// The parameters that they are.
static PARAMETERS: [Option<Parameter>; FIELDS.len()] = {
    let mut parameters = [None; FIELDS.len()];
    let mut at = 0;
    while at < FIELDS.len() {
        #[expect(
            clippy::indexing_slicing,
            reason = "checked by the compiler: this runs at build"
        )]
        {
            parameters[at] = Parameter::at_build(FIELDS[at].0);
        }
        at += 1;
    }
    parameters
};

// === impl Field ===

impl Field {
    /// The one that `key` spells.
    #[inline]
    pub(super) fn of(key: Key<'_>) -> Option<Self> {
        NAMES.find(key).and_then(Self::numbered)
    }

    /// The one called `name`.
    #[inline]
    pub(super) fn called(name: &[u8]) -> Option<Self> {
        NAMES.at(name).and_then(Self::numbered)
    }

    fn numbered(number: usize) -> Option<Self> {
        u8::try_from(number).ok().map(Self)
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        NAMES.all().get(usize::from(self.0)).copied().unwrap_or("")
    }

    /// What it may hold.
    pub(super) fn rule(self) -> Rule {
        let field = FIELDS.get(usize::from(self.0));
        field.map_or(Rule::Any, |(_, rule)| *rule)
    }

    /// The parameter that it is.
    pub(super) fn parameter(self) -> Option<Parameter> {
        PARAMETERS.get(usize::from(self.0)).copied().flatten()
    }

    /// Its bit in a set of them.
    pub(super) const fn bit(self) -> u64 {
        const { assert!(FIELDS.len() <= 64) };
        1 << self.0
    }
}

/// Holds one value against its rule.
pub(super) fn check(field: &str, value: Json<'_>, rule: Rule) -> Result<(), InvalidRequest> {
    let bad = |expected: &str| Err(InvalidRequest::expected(field, expected, value));
    match rule {
        Rule::Any => Ok(()),
        Rule::Text(max) => text(field, value, max),
        Rule::Flag => flag(field, value).map(drop),
        Rule::Whole(low, high) => match value.i64() {
            Some(number) if (low..=high).contains(&number) => Ok(()),
            None if high == i64::MAX && value.u64().is_some() => Ok(()),
            _ if high == i64::MAX && low == i64::MIN => bad("a whole number"),
            _ if high == i64::MAX => bad(&format!("a whole number from {low} up")),
            _ => bad(&format!("a whole number from {low} to {high}")),
        },
        Rule::Number(low, high) => match value.f64() {
            Some(number) if (low..=high).contains(&number) => Ok(()),
            _ => bad(&format!("a number from {low} to {high}")),
        },
        Rule::Above(low, high) => match value.f64() {
            Some(number) if number > low && number <= high => Ok(()),
            _ => bad(&format!("a number above {low} and up to {high}")),
        },
        Rule::Word(words) => match value.string() {
            Some(text) if words.contains(&&*text) => Ok(()),
            _ => bad(&format!("one of {}", words.join(", "))),
        },
        Rule::Texts(max) => texts(field, value, max),
        Rule::Object if value.kind() == Kind::Object => Ok(()),
        Rule::Object => bad("an object"),
        Rule::Objects => objects(field, value),
        Rule::Messages => Talk::check(field, value).map(drop),
        Rule::Own(rule) => rule(field, value),
    }
}

/// A whole number from 0 up.
pub(super) fn whole(field: &str, value: Json<'_>) -> Result<u64, InvalidRequest> {
    value
        .u64()
        .ok_or_else(|| InvalidRequest::expected(field, "a whole number from 0 up", value))
}

/// A boolean.
pub(super) fn flag(field: &str, value: Json<'_>) -> Result<bool, InvalidRequest> {
    value
        .bool()
        .ok_or_else(|| InvalidRequest::expected(field, "true or false", value))
}

fn text(field: &str, value: Json<'_>, max: usize) -> Result<(), InvalidRequest> {
    let Some(text) = value.escaped() else {
        return Err(InvalidRequest::expected(field, "a string", value));
    };
    // No character takes less than a byte.
    if text.len() <= max {
        return Ok(());
    }
    match value.string().map_or(0, |text| text.chars().count()) {
        count if count > max => {
            let message = format!("expected at most {max} characters, found {count}");
            Err(InvalidRequest::new(field, message))
        }
        _ => Ok(()),
    }
}

fn texts(field: &str, value: Json<'_>, max: usize) -> Result<(), InvalidRequest> {
    if value.kind() != Kind::Array {
        return Err(InvalidRequest::expected(
            field,
            "an array of strings",
            value,
        ));
    }
    for (at, element) in value.elements().enumerate() {
        if at >= max {
            return Err(InvalidRequest::new(
                field,
                format!("expected at most {max} entries"),
            ));
        }
        if element.kind() != Kind::String {
            return Err(InvalidRequest::expected(
                format!("{field}[{at}]"),
                "a string",
                element,
            ));
        }
    }
    Ok(())
}

fn objects(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    if value.kind() != Kind::Array {
        return Err(InvalidRequest::expected(
            field,
            "an array of objects",
            value,
        ));
    }
    match value
        .elements()
        .enumerate()
        .find(|(_, element)| element.kind() != Kind::Object)
    {
        Some((at, found)) => Err(InvalidRequest::expected(
            format!("{field}[{at}]"),
            "an object",
            found,
        )),
        None => Ok(()),
    }
}

fn check_stop(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    if value.kind() == Kind::String {
        Ok(())
    } else {
        texts(field, value, 4)
    }
}

fn check_logit_bias(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    check(field, value, Rule::Object)?;
    for (key, bias) in value.members() {
        check(
            &format!("{field}.{}", key.name()),
            bias,
            Rule::Number(-100.0, 100.0),
        )?;
    }
    Ok(())
}

fn check_metadata(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    check(field, value, Rule::Object)?;
    for (at, (key, value)) in value.members().enumerate() {
        if at >= 16 {
            return Err(InvalidRequest::new(field, "expected at most 16 pairs"));
        }
        let name = key.name();
        if name.chars().count() > 64 {
            let message = format!("expected keys of at most 64 characters, found {name:?}");
            return Err(InvalidRequest::new(field, message));
        }
        text(&format!("{field}.{name}"), value, 512)?;
    }
    Ok(())
}

fn check_tool_choice(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    const WORDS: &str = "\"none\", \"auto\", \"required\" or an object with a type";
    let legal = match value.kind() {
        Kind::String => ["none", "auto", "required", "any"]
            .iter()
            .any(|word| value.is(word)),
        Kind::Object => value
            .get("type")
            .is_some_and(|kind| kind.kind() == Kind::String),
        _ => false,
    };
    if legal {
        Ok(())
    } else {
        Err(InvalidRequest::expected(field, WORDS, value))
    }
}

fn check_response_format(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    const TYPES: &[&str] = &["text", "json_object", "json_schema", "grammar", "python"];
    check(field, value, Rule::Object)?;
    let Some(kind) = value.get("type") else {
        let message = format!("expected a type: one of {}", TYPES.join(", "));
        return Err(InvalidRequest::new(field, message));
    };
    check(&format!("{field}.type"), kind, Rule::Word(TYPES))?;
    if kind.is("json_schema") {
        let schema = value
            .get("json_schema")
            .filter(|schema| schema.kind() == Kind::Object);
        if schema.is_none() {
            let message = "expected an object with name and schema";
            return Err(InvalidRequest::new(format!("{field}.json_schema"), message));
        }
    }
    Ok(())
}

fn check_plugins(field: &str, value: Json<'_>) -> Result<(), InvalidRequest> {
    objects(field, value)?;
    for (at, plugin) in value.elements().enumerate() {
        let path = format!("{field}[{at}]");
        unique_keys(&path, plugin, &["id", "enabled"])?;
        match plugin.get("id") {
            Some(id) => check(&format!("{path}.id"), id, Rule::Text(256))?,
            None => return Err(InvalidRequest::new(path, "expected an id")),
        }
    }
    Ok(())
}

/// Refuses keys that are there twice, or that differ from a known or another key by case alone: a
/// reader with other habits than ours would see a different request.
pub(super) fn unique_keys(
    path: &str,
    object: Json<'_>,
    known: &[&str],
) -> Result<(), InvalidRequest> {
    if are_plain(object) {
        return Ok(());
    }
    let capital = |name: &str| name.bytes().any(|byte| byte.is_ascii_uppercase());
    debug_assert!(!known.iter().any(|name| capital(name)));
    let mut seen: Vec<Cow<'_, str>> = Vec::with_capacity(16);
    let mut folded = std::collections::HashSet::new();
    let at = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    for (key, _) in object.members() {
        let name = key.name();
        // What is known has no capitals: a name without any cannot differ by case alone.
        let variant = if capital(&name) {
            known.iter().find(|known| known.eq_ignore_ascii_case(&name))
        } else {
            None
        };
        if let Some(right) = variant {
            return Err(InvalidRequest::new(
                at(&name),
                format!("did you mean {right:?}?"),
            ));
        }
        // Few keys are compared one by one; many are hashed, so that no body makes this quadratic.
        let twice = if seen.len() < 16 {
            seen.iter().any(|other| other.eq_ignore_ascii_case(&name))
        } else {
            if folded.is_empty() {
                folded.extend(seen.iter().map(|name| name.to_ascii_lowercase()));
            }
            !folded.insert(name.to_ascii_lowercase())
        };
        if twice {
            return Err(InvalidRequest::new(
                at(&name),
                "is there twice; send it once",
            ));
        }
        if seen.len() < 16 {
            seen.push(name);
        }
    }
    Ok(())
}

/// The most members of a body, and of one provider's options: they are looked up by name, each in the others.
const MOST_MEMBERS: usize = 1_024;

/// Refuses an object of so many members that looking them up would take long.
pub(super) fn few_members(path: &str, count: usize) -> Result<(), InvalidRequest> {
    if count <= MOST_MEMBERS {
        return Ok(());
    }
    let message = format!("expected at most {MOST_MEMBERS} members, found {count}");
    Err(InvalidRequest::new(path, message))
}

/// Whether the keys are few, without capitals and escapes, and different: nearly always, and told without
/// taking any of them out.
fn are_plain(object: Json<'_>) -> bool {
    const FEW: usize = 16;
    let mut seen: [&[u8]; FEW] = [&[]; FEW];
    for (at, (key, _)) in object.members().enumerate() {
        let key = key.escaped();
        let odd = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'\\';
        let (known, free) = seen.split_at_mut(at);
        let Some(slot) = free.first_mut() else {
            return false;
        };
        if key.iter().any(odd) || known.contains(&key) {
            return false;
        }
        *slot = key;
    }
    true
}
