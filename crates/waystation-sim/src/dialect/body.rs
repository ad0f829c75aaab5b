//! A request's body as every wire reads it: members by name, and refusals that name them. Leaves out
//! what the members mean: that is each wire's own.
//!
//! A member that is `null` is absent, as hosts have it. One of the wrong type is refused with its place
//! in the request (`generationConfig.candidateCount`), what was expected and what was found; one that
//! nobody knows is ignored, but counts in the hash, so that it may change the wording.
//!
//! Input tokens are a quarter of the bytes of all values at any depth, names of members aside; without
//! pictures, sound and files, which cost a fixed number each.

use http::{Method, StatusCode};
use waystation_core::{Json, Key, Kind};

use crate::{
    asked::{Choice, Tool, tokens},
    draw::{basis, fold},
    simulator::Arrival,
};

/// An object of a request; members that are `null` are absent.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    json: Json<'a>,
    /// Where it stands: `""` for the body itself, `generationConfig.` for that member.
    at: &'static str,
}

/// Why a request is not answered.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The reply's status.
    pub(super) status: StatusCode,
    /// What was expected, then what was found.
    pub(super) message: String,
    /// The offending member.
    pub(super) param: Option<String>,
    /// A word for programs, on wires that have one.
    pub(super) code: Option<&'static str>,
}

/// Members that hold something else than text, on any wire.
const BLOBS: &[&str] = &[
    "image_url",
    "input_audio",
    "video_url",
    "file",
    "file_data",
    "source",
    "inlineData",
    "inline_data",
    "fileData",
    "encrypted_content",
    "signature",
    "thoughtSignature",
];

// === impl Refusal ===

impl Refusal {
    /// A 400 about `param`; about the whole request when that is empty.
    pub(super) fn of(param: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
            param: (!param.is_empty()).then(|| param.into()),
            code: None,
        }
    }

    /// A 400 about a value of the wrong kind.
    pub(super) fn wrong(param: &str, expected: &str, found: Json<'_>) -> Self {
        let found = found.kind();
        let message = format!("invalid type for '{param}': expected {expected}, found {found}");
        Self {
            code: Some("invalid_type"),
            ..Self::of(param, message)
        }
    }

    /// A 400 about a member that has to be there.
    pub(super) fn missing(param: &str) -> Self {
        Self {
            code: Some("missing_required_parameter"),
            ..Self::of(param, format!("missing required parameter: '{param}'"))
        }
    }

    /// The message for wires without a place for the member: it stands in front, unless the message
    /// names it already.
    pub(super) fn told(&self) -> String {
        match &self.param {
            Some(param) if !self.message.contains(param.as_str()) => {
                format!("{param}: {}", self.message)
            }
            _ => self.message.clone(),
        }
    }
}

// === impl Body ===

impl<'a> Body<'a> {
    /// The body of a request, which has to be a POST of one JSON object.
    pub(super) fn of(arrival: &Arrival<'a>) -> Result<Self, Refusal> {
        if arrival.method != Method::POST {
            return Err(Refusal {
                status: StatusCode::METHOD_NOT_ALLOWED,
                ..Refusal::of("", format!("expected POST, found {}", arrival.method))
            });
        }
        match &arrival.body {
            Ok(body) if body.kind() == Kind::Object => Ok(Self {
                json: *body,
                at: "",
            }),
            Ok(body) => Err(Refusal::wrong("body", "an object", *body)),
            Err(error) => Err(Refusal::of("", format!("the body is not JSON: {error}"))),
        }
    }

    /// The object itself.
    pub(super) const fn json(self) -> Json<'a> {
        self.json
    }

    /// The member called `key`, unless it is `null`.
    pub(super) fn get(self, key: &str) -> Option<Json<'a>> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    /// A member that has to be an object. `at` is where its members stand, with a dot behind.
    pub(super) fn object(self, key: &str, at: &'static str) -> Result<Option<Self>, Refusal> {
        match self.get(key) {
            Some(json) if json.kind() == Kind::Object => Ok(Some(Self { json, at })),
            Some(other) => Err(Refusal::wrong(&self.path(key), "an object", other)),
            None => Ok(None),
        }
    }

    /// A member that has to be a boolean.
    pub(super) fn flag(self, key: &str) -> Result<Option<bool>, Refusal> {
        self.typed(key, "a boolean", Json::bool)
    }

    /// A member that has to be a whole number, not below zero.
    pub(super) fn whole(self, key: &str) -> Result<Option<u64>, Refusal> {
        self.typed(key, "a non-negative integer", Json::u64)
    }

    /// A limit: a whole number, at least 1.
    pub(super) fn limit(self, key: &str) -> Result<Option<u64>, Refusal> {
        match self.whole(key)? {
            Some(0) => {
                let message = format!("'{key}' must be at least 1, found 0");
                Err(Refusal::of(&self.path(key), message))
            }
            limit => Ok(limit),
        }
    }

    /// The elements of a member that has to be an array; none when it is absent.
    pub(super) fn list(self, key: &str) -> Result<impl Iterator<Item = Json<'a>>, Refusal> {
        let value = self.get(key);
        match value.filter(|value| value.kind() != Kind::Array) {
            Some(other) => Err(Refusal::wrong(&self.path(key), "an array", other)),
            None => Ok(value.into_iter().flat_map(Json::elements)),
        }
    }

    /// One text or several; none when the member is absent.
    pub(super) fn texts(self, key: &str) -> Result<Vec<String>, Refusal> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let text = |value: Json<'a>| value.string().map(std::borrow::Cow::into_owned);
        let texts: Option<Vec<String>> = match value.kind() {
            Kind::Array => value.elements().map(text).collect(),
            _ => text(value).map(|one| vec![one]),
        };
        let expected = "a string or an array of strings";
        texts.ok_or_else(|| Refusal::wrong(&self.path(key), expected, value))
    }

    /// Tokens of these members, pictures and the like aside.
    pub(super) fn tokens(self, keys: &[&str]) -> u64 {
        let members = keys.iter().filter_map(|key| self.get(key));
        tokens(members.map(text_bytes).sum())
    }

    /// Hash of everything that decides the answer: all members but `aside`, and `model` on wires that
    /// name it in their address.
    pub(super) fn hash(self, seed: u64, model: &str, aside: &[&str]) -> u64 {
        let decides = |key: &Key<'_>| !aside.iter().any(|aside| key.is(aside));
        let members = self.json.members().filter(|(key, _)| decides(key));
        let start = match model {
            "" => basis(seed),
            model => fold(basis(seed), model.as_bytes()),
        };
        members.fold(start, |hash, (key, value)| {
            fold(fold(hash, key.escaped()), value.bytes())
        })
    }

    /// A member, read by `read`.
    fn typed<T>(
        self,
        key: &str,
        expected: &str,
        read: impl Fn(Json<'a>) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let value = self.get(key).map(|value| {
            let found = read(value);
            found.ok_or_else(|| Refusal::wrong(&self.path(key), expected, value))
        });
        value.transpose()
    }

    /// A member's place in the request.
    fn path(self, key: &str) -> String {
        format!("{}{key}", self.at)
    }
}

/// The choice of a function by name, which has to be among the tools.
pub(super) fn named(param: &str, name: &str, tools: &[Tool<'_>]) -> Result<Choice, Refusal> {
    if tools.iter().any(|tool| tool.name == name) {
        return Ok(Choice::Named(name.into()));
    }
    let message = format!("tool choice {name:?} is not among 'tools'");
    Err(Refusal::of(param, message))
}

/// Bytes that a model would read of a value: its text, without pictures and the like.
fn text_bytes(value: Json<'_>) -> usize {
    match value.kind() {
        Kind::Array => value.elements().map(text_bytes).sum(),
        Kind::Object => {
            let told = value
                .members()
                .filter(|(key, _)| !BLOBS.iter().any(|blob| key.is(blob)));
            told.map(|(_, value)| text_bytes(value)).sum()
        }
        Kind::String => value.escaped().map_or(0, <[u8]>::len),
        Kind::Null | Kind::Bool | Kind::Number => value.bytes().len(),
    }
}
