//! Repairs what a model wrote where JSON was wanted. It asks nobody, invents nothing, and says when
//! it cannot help. When and on which replies it runs is [`crate::ResponseHealing`]'s business.

mod candidate;
mod fit;
mod keyword;
mod limits;
mod parser;
mod text;
mod value;
mod word;

use std::borrow::Cow;

use fit::{Fit, Schema};
use parser::{Doubts, Parser, Place};
use value::Value;
use waystation_core::{Json, Kind};

/// What became of a text.
///
/// The text is borrowed unless it was mended: what is in order costs one reading and no copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed<'a> {
    /// The text: repaired, or as it was.
    pub text: Cow<'a, str>,
    /// Which of the two, and why.
    pub outcome: Outcome,
}

/// How a repair ended.
///
/// ```
/// use waystation_plugins::{Outcome, heal};
///
/// assert_eq!(heal(r#"{"a":  1}"#, None).outcome, Outcome::Untouched);
/// assert_eq!(heal(r#"{"a": 1"#, None).outcome, Outcome::Mended);
/// assert_eq!(heal("I cannot say.", None).outcome, Outcome::Failed);
/// assert_eq!(heal("3", None).outcome, Outcome::Failed); // JSON, but neither object nor array
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The text was what was wanted. It is the same, byte for byte.
    Untouched,
    /// The text was damaged, and is mended.
    Mended,
    /// The text cannot be mended without inventing something. It is the same, byte for byte.
    Failed,
}

/// One place in a reply, read.
#[derive(Clone, Debug)]
struct Reading<'a> {
    /// The value, its unquoted words not decided yet.
    value: Value,
    /// What is to be said against it.
    doubts: Doubts,
    /// The very text, where that is valid JSON already.
    verbatim: Option<&'a str>,
    /// A word follows without a space.
    glued: bool,
}

/// Repairs `text`, so that it is JSON and, where one is given, fits `schema`.
///
/// Understood are code fences, prose and thinking around the JSON, several candidates (the first
/// that fits `schema`, or else the last object), missing and superfluous commas, brackets and
/// quotes, unquoted keys and words, single and typographic quotes, comments, literals of Python and
/// JavaScript, control tokens and JSON within a string. With a schema, values are converted where
/// nothing is lost (`"1"` to `1`, `Bug` to the enum's `bug`), and members that it forbids go.
/// Without one, the result is an object or an array.
///
/// Nothing is invented: a missing required member, an enum value that does not exist, or text that
/// breaks off within a value is [`Outcome::Failed`] when there is a schema to hold it against; keys
/// are never added. A text that is valid comes back byte for byte, and so does one that cannot be
/// helped. Linear in the size of `text`; at most 128 levels deep.
///
/// ```
/// use waystation_core::Json;
/// use waystation_plugins::{Outcome, heal};
///
/// let healed = heal("Sure!\n```json\n{name: 'Ada', tags: [\"a\" \"b\",],}\n```", None);
/// assert_eq!(healed.text, r#"{"name": "Ada", "tags": ["a", "b"]}"#);
///
/// let schema = br#"{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}"#;
/// let schema = Json::parse(schema)?;
/// assert_eq!(heal(r#"{"n": "3"}"#, Some(schema)).text, r#"{"n": 3}"#);
/// assert_eq!(heal(r#"{"n": "many"}"#, Some(schema)).outcome, Outcome::Failed);
/// # Ok::<(), waystation_core::ScanError>(())
/// ```
///
/// Source: API contract, section 7.3, 2026-11-22.
#[must_use]
pub fn heal<'a>(text: &'a str, schema: Option<Json<'_>>) -> Healed<'a> {
    let schema = schema.map(Schema::of);
    let found = match Json::parse(text.as_bytes()) {
        Ok(json) => match of_valid(json, schema.as_ref()) {
            Verdict::Good => return Healed::same(text, Outcome::Untouched),
            Verdict::Better(value) => Some(value),
            Verdict::Bad => None,
        },
        Err(_) => of_damaged(text, schema.as_ref()),
    };
    found.map_or_else(
        || Healed::same(text, Outcome::Failed),
        |text| Healed {
            text: text.into(),
            outcome: Outcome::Mended,
        },
    )
}

/// What is to be said of valid JSON.
enum Verdict {
    /// It is what was wanted: not a byte changes.
    Good,
    /// It is JSON, and this is what was wanted.
    Better(String),
    /// It is JSON, and nothing that was wanted can be made of it.
    Bad,
}

/// Valid JSON that may not be what was wanted.
///
/// Without a schema that is anything but an object or an array; a string that holds one is opened,
/// once. With a schema, whatever fits at no cost is good, and conversions are the schema's to make.
/// A plain word in prose is taken for an enum's or a boolean's where it is the only one there.
fn of_valid(json: Json<'_>, schema: Option<&Schema<'_>>) -> Verdict {
    let Some(schema) = schema else {
        // An object within a string was encoded once too often.
        return match json.kind() {
            Kind::Object | Kind::Array => Verdict::Good,
            Kind::String => {
                let inner = json.string().unwrap_or_default();
                match Json::parse(inner.as_bytes()).map(Json::kind) {
                    Ok(Kind::Object | Kind::Array) => Verdict::Better(inner.trim().to_owned()),
                    _ => Verdict::Bad,
                }
            }
            _ => Verdict::Bad,
        };
    };
    match schema.fit(&Value::of(json)) {
        Some(Fit { cost: 0, .. }) => Verdict::Good,
        Some(fit) => Verdict::Better(fit.value.settled().to_json()),
        None => schema
            .mentioned(&json.string().unwrap_or_default())
            .map_or(Verdict::Bad, |value| Verdict::Better(value.to_json())),
    }
}

/// Looks for what was meant in text that is no JSON.
///
/// In this order, and the first that gives something wins:
/// 1. the reply unescaped, where every quote in it is escaped;
/// 2. the reply as it is, without thinking and control tokens;
/// 3. with a schema, the whole of it as one word: `yes` for a boolean, `Bug` for an enum, and then
///    the one word in its prose that the schema has;
/// 4. without a schema, numbers in lines.
fn of_damaged(text: &str, schema: Option<&Schema<'_>>) -> Option<String> {
    let answer = candidate::answer(text);
    let unescaped = candidate::unescaped(answer);
    let found = unescaped.and_then(|text| pick(&readings(&text), schema));
    let found = found.or_else(|| pick(&readings(answer), schema));
    found.or_else(|| match schema {
        Some(schema) => {
            let fit = schema
                .fit(&Value::Bare(answer.to_owned()))
                .map(|fit| fit.value.settled());
            Some(fit.or_else(|| schema.mentioned(answer))?.to_json())
        }
        None => numbers(answer),
    })
}

/// Lines or lists of plain numbers are an array.
///
/// `1\n2\n3` becomes `[1, 2, 3]`. A single number is none: the reply may be about it.
fn numbers(text: &str) -> Option<String> {
    let items: Vec<&str> = text.split([',', '\n']).map(str::trim).collect();
    let items: Vec<&str> = items.into_iter().filter(|item| !item.is_empty()).collect();
    let values: Option<Vec<Value>> = items.iter().map(|item| value::number(item)).collect();
    let values = values.filter(|values| values.len() > 1)?;
    Some(Value::List(values).to_json())
}

/// Every place in `text` where an object or an array can be read, best place first.
///
/// A reply that starts with a bracket is read from there; else what stands in fences is read, and
/// else whatever begins with a bracket anywhere in the prose.
fn readings(text: &str) -> Vec<Reading<'_>> {
    if text.starts_with(['{', '[', '(']) {
        let all = roots(text);
        if all.first().is_some_and(|first| !first.doubts.hopeless) {
            return all;
        }
    }
    let fenced: Vec<Reading<'_>> = candidate::fences(text)
        .into_iter()
        .flat_map(roots)
        .filter(|reading| !reading.doubts.hopeless)
        .collect();
    if fenced.is_empty() {
        roots(text)
    } else {
        fenced
    }
}

/// The values that stand side by side in `text`. Values with nothing but commas between them are
/// one array.
fn roots(text: &str) -> Vec<Reading<'_>> {
    let mut found: Vec<Reading<'_>> = Vec::new();
    let mut next = if text.starts_with('(') {
        Some(0)
    } else {
        candidate::opener(text, 0)
    };
    let mut joined = 0;
    while let Some(at) = next.filter(|_| found.len() < candidate::most()) {
        let (reading, end) = read(text, at);
        let hopeless = reading.doubts.hopeless;
        // A brace in prose may hide a true one behind it; what breaks off hides nothing whole.
        let from = if hopeless && !reading.doubts.cut {
            at + 1
        } else {
            end
        };
        next = candidate::opener(text, from);
        found.push(reading);
        let between = next.and_then(|next| text.get(end..next));
        if !hopeless && between.is_some_and(|gap| gap.trim() == ",") {
            joined += 1;
        }
    }
    if joined > 0 && joined + 1 == found.len() {
        let doubts = found.iter().fold(Doubts::default(), |sum, reading| Doubts {
            cut: sum.cut | reading.doubts.cut,
            dropped: sum.dropped | reading.doubts.dropped,
            hopeless: sum.hopeless | reading.doubts.hopeless,
        });
        let items = found.drain(..).map(|reading| reading.value).collect();
        found.push(Reading {
            value: Value::List(items),
            doubts,
            verbatim: None,
            glued: false,
        });
    }
    found
}

/// Reads the value at byte `at`; also gives where it ended.
///
/// The end is always behind `at`, so that whoever goes on from there comes to an end.
fn read(text: &str, at: usize) -> (Reading<'_>, usize) {
    let mut parser = Parser::new(text, at);
    let value = parser.value(Place::Root);
    let end = parser.at;
    let slice = text.get(at..end).unwrap_or_default();
    let rest = text.get(end..).unwrap_or_default();
    // What is valid is what it says: only in damaged text may a number have been meant as a word.
    let valid = Json::parse(slice.as_bytes()).ok();
    let reading = Reading {
        value: valid.map_or_else(|| value.unwrap_or(Value::Null), Value::of),
        doubts: parser.doubts,
        verbatim: valid.map(|_| slice),
        glued: rest.starts_with(char::is_alphanumeric),
    };
    (reading, end.max(at + 1))
}

/// The best reading, as JSON.
///
/// Without a schema: the last object that has members, else the last container that is not empty,
/// else the first; models think aloud first and answer last. With one: what fits at the least cost,
/// the first of several; what breaks off is not held against a schema, since the part that is
/// missing may be the part that matters.
fn pick(readings: &[Reading<'_>], schema: Option<&Schema<'_>>) -> Option<String> {
    let able = readings.iter().filter(|reading| !reading.doubts.hopeless);
    let Some(schema) = schema else {
        let able: Vec<&Reading<'_>> = able
            .filter(|reading| !reading.glued && reading.value.is_container())
            .collect();
        let last = |wanted: fn(&Value) -> bool| {
            able.iter()
                .rev()
                .find(|reading| wanted(&reading.value))
                .copied()
        };
        let filled = |value: &Value| !value.is_empty();
        let object = last(|value| matches!(value, Value::Object(members) if !members.is_empty()));
        let best = object
            .or_else(|| last(filled))
            .or_else(|| able.first().copied())?;
        return Some(best.text());
    };
    let whole: Vec<&Reading<'_>> = able.filter(|reading| !reading.doubts.cut).collect();
    let fits = whole.iter().filter_map(|reading| {
        let fit = schema.fit(&reading.value)?;
        Some((fit, reading.verbatim))
    });
    // Several objects side by side may be the elements of the array that is wanted.
    let all = || {
        let objects = whole
            .iter()
            .filter(|reading| matches!(reading.value, Value::Object(_)));
        let all: Vec<Value> = objects.map(|reading| reading.value.clone()).collect();
        let several = all.len() > 1 && all.len() == whole.len();
        let fit = several.then(|| schema.fit(&Value::List(all))).flatten()?;
        Some((fit, None))
    };
    let (fit, verbatim) = fits.chain(all()).min_by_key(|(fit, _)| fit.cost)?;
    Some(match (fit.cost, verbatim) {
        (0, Some(text)) => text.to_owned(),
        _ => fit.value.settled().to_json(),
    })
}

// === impl Reading ===

impl Reading<'_> {
    /// As it stood in the reply where that was JSON, and else as the parser understood it.
    fn text(&self) -> String {
        self.verbatim
            .map_or_else(|| self.value.clone().settled().to_json(), str::to_owned)
    }
}

// === impl Healed ===

impl<'a> Healed<'a> {
    /// The text as it came, with what is to be said of it.
    const fn same(text: &'a str, outcome: Outcome) -> Self {
        Self {
            text: Cow::Borrowed(text),
            outcome,
        }
    }
}
