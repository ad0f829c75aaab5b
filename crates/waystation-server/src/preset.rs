//! Presets: partial chat bodies of the config, laid under a request that names one.
//! What the merged request means is everybody else's business.

use std::collections::BTreeMap;

use bytes::Bytes;
use waystation_core::{
    ChatRequest, ErrorType, InvalidRequest, Json, JsonText, ModelRef, ObjectWriter, PresetSlug,
    RawJson, nearest,
};

/// The preset that a request names, and what is left of its `model`.
struct Named {
    slug: PresetSlug,
    /// The member that names it.
    field: &'static str,
    /// `model` without its preset; `None` when nothing else is in it.
    model: Option<String>,
    /// Suffixes of a preset that names the model: `:nitro` of `@preset/careful:nitro`.
    suffixes: String,
}

/// The member of a preset that is an instruction. No chat body has one of this name.
pub(crate) const SYSTEM: &str = "system";

/// Lays the preset that `chat` names under it: `preset: "x"`, `model: "@preset/x"` or
/// `model: "author/model@preset/x"`.
///
/// Members of the request win as a whole; only tools are united, the preset's first, and of two
/// with one name the request's stays. The preset's `system` goes before the messages of a request that
/// has no instruction of its own. A request that names no preset comes back as it is. Source: API
/// contract, section 4.4.
///
/// # Errors
/// [`InvalidRequest`] for a preset that does not exist, or when what the merger gives is no chat
/// request.
pub fn apply(
    chat: ChatRequest,
    presets: &BTreeMap<PresetSlug, RawJson>,
) -> Result<ChatRequest, InvalidRequest> {
    let Some(named) = named(&chat)? else {
        return Ok(chat);
    };
    let Some(preset) = presets.get(&named.slug) else {
        return Err(unknown(&named, presets));
    };
    if !named.suffixes.is_empty() && preset.json().get("model").is_none() {
        let message = format!(
            "the preset {:?} names no model that {} could be a suffix of",
            named.slug.as_str(),
            named.suffixes
        );
        return Err(InvalidRequest::new("model", message));
    }
    let mut body = Vec::new();
    let mut out = ObjectWriter::open(&mut body);
    if let Some(model) = &named.model {
        out.string("model", model);
    }
    for (key, value) in preset.json().members() {
        let name = key.name();
        let given = name == "preset"
            || name == SYSTEM
            || (name == "model" && named.model.is_some())
            || (name != "model" && chat.get(&name).is_some());
        if !given && name == "model" && !named.suffixes.is_empty() {
            let model = value.string().unwrap_or_default();
            out.string("model", &format!("{model}{}", named.suffixes));
        } else if !given {
            out.raw(&name, value.bytes());
        } else if name == "tools" {
            out.raw("tools", &tools(value, &chat));
        }
    }
    let united = preset.json().get("tools").is_some();
    let system = preset.json().get(SYSTEM).and_then(Json::string);
    let system = system.filter(|_| !is_instructed(&chat));
    for (key, value) in chat.members() {
        let skipped = matches!(key, b"model" | b"preset") || (united && key == b"tools");
        let out = match &system {
            _ if skipped => continue,
            Some(system) if key == b"messages" => {
                out.raw("messages", &instructed(system, value));
                continue;
            }
            _ => out.escaped_key(key),
        };
        out.extend_from_slice(value.bytes());
    }
    out.close();
    ChatRequest::parse(&Bytes::from(body))
}

/// Whether a request has an instruction of its own.
fn is_instructed(chat: &ChatRequest) -> bool {
    let messages = chat.get("messages").into_iter().flat_map(Json::elements);
    let mut roles = messages.filter_map(|message| message.get("role"));
    roles.any(|role| role.is("system") || role.is("developer"))
}

/// `messages` behind an instruction.
fn instructed(system: &str, messages: Json<'_>) -> Vec<u8> {
    let mut list = b"[".to_vec();
    let mut first = ObjectWriter::open(&mut list);
    first.string("role", "system").string("content", system);
    first.close();
    for message in messages.elements() {
        list.push(b',');
        list.extend_from_slice(message.bytes());
    }
    list.push(b']');
    list
}

fn named(chat: &ChatRequest) -> Result<Option<Named>, InvalidRequest> {
    // Most models have no `@`, not even an escaped one: nothing is decoded for them.
    let may = |model: &Json<'_>| model.bytes().iter().any(|b| matches!(b, b'@' | b'\\'));
    let reference = chat
        .get("model")
        .filter(may)
        .and_then(Json::string)
        .filter(|model| model.contains("@preset/"))
        .map(|model| model.parse::<ModelRef>())
        .transpose()
        .map_err(|error| InvalidRequest::new("model", error.to_string()))?;
    let in_model = reference.and_then(|mut reference| {
        let slug = reference.preset.take()?;
        // Without a name, what is left of it is suffixes.
        let rest = reference.to_string();
        Some(match reference.name {
            Some(_) => (slug, Some(rest), String::new()),
            None => (slug, None, rest),
        })
    });
    let member = chat.get("preset").and_then(Json::string);
    Ok(match (member, in_model) {
        (Some(name), in_model) => {
            let slug = name
                .strip_prefix("@preset/")
                .unwrap_or(&name)
                .parse()
                .map_err(|error| InvalidRequest::new("preset", format!("{error}")))?;
            let (model, suffixes) = match in_model {
                Some((_, model, suffixes)) => (model, suffixes),
                None => (chat.model().map(Into::into), String::new()),
            };
            Some(Named {
                slug,
                field: "preset",
                model,
                suffixes,
            })
        }
        (None, Some((slug, model, suffixes))) => Some(Named {
            slug,
            field: "model",
            model,
            suffixes,
        }),
        (None, None) => None,
    })
}

fn unknown(named: &Named, presets: &BTreeMap<PresetSlug, RawJson>) -> InvalidRequest {
    let slug = named.slug.as_str();
    let near = nearest(slug, presets.keys().map(PresetSlug::as_str));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    InvalidRequest {
        kind: ErrorType::NotFound,
        field: named.field.into(),
        message: format!("there is no preset {slug:?}{hint}"),
    }
}

/// The tools of both, the preset's first.
fn tools(preset: Json<'_>, chat: &ChatRequest) -> Vec<u8> {
    let own: Vec<Json<'_>> = chat.tools().collect();
    let replaced = |tool: &Json<'_>| own.iter().any(|other| identity(*other) == identity(*tool));
    let under = preset.elements().filter(|tool| !replaced(tool));
    let mut out = vec![b'['];
    for (place, tool) in under.chain(own.iter().copied()).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(tool.bytes());
    }
    out.push(b']');
    out
}

/// What makes two tools one: a function's name, any other tool's type.
fn identity(tool: Json<'_>) -> Option<JsonText> {
    let name = tool.at(&["function", "name"]).or_else(|| tool.get("type"));
    name.and_then(Json::string).map(|name| JsonText::of(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presets() -> BTreeMap<PresetSlug, RawJson> {
        let body = r#"{"model": "a/b", "temperature": 0.1, "top_p": 0.5,
            "tools": [{"type": "function", "function": {"name": "f", "description": "preset"}},
                      {"type": "function", "function": {"name": "g"}}]}"#;
        let body = RawJson::parse(&body.into()).unwrap();
        BTreeMap::from([("careful".parse().unwrap(), body)])
    }

    fn merged(rest: &str) -> Result<String, InvalidRequest> {
        let messages = r#""messages": [{"role": "user", "content": "Hi"}]"#;
        let body = format!("{{{rest}, {messages}}}");
        let chat = ChatRequest::parse(&body.into())?;
        let json = apply(chat, &presets())?.to_json();
        Ok(String::from_utf8(json.bytes().to_vec()).unwrap())
    }

    #[test]
    fn the_three_spellings_are_equal() {
        let spelled = merged(r#""model": "x/y@preset/careful""#).unwrap();
        assert_eq!(
            spelled,
            merged(r#""model": "x/y", "preset": "careful""#).unwrap()
        );
        assert!(spelled.contains(r#""model":"x/y""#) && spelled.contains(r#""top_p":0.5"#));
        let bare = merged(r#""model": "@preset/careful""#).unwrap();
        assert!(
            bare.contains(r#""model":"a/b""#) && !bare.contains("preset/"),
            "{bare}"
        );
    }

    #[test]
    fn members_of_the_request_win_and_tools_are_united() {
        let tool = r#"{"type": "function", "function": {"name": "f", "description": "own"}}"#;
        let rest = format!(r#""model": "@preset/careful", "temperature": 1, "tools": [{tool}]"#);
        let chat = ChatRequest::parse(&merged(&rest).unwrap().into()).unwrap();
        assert_eq!(chat.get("temperature").and_then(Json::u64), Some(1));
        let names = chat
            .tools()
            .filter_map(|tool| tool.at(&["function", "name"])?.string());
        assert_eq!(names.collect::<Vec<_>>(), ["g", "f"]);
        let own = chat.tools().nth(1).unwrap();
        assert!(own.at(&["function", "description"]).unwrap().is("own"));
    }

    #[test]
    fn the_instruction_of_a_preset_goes_before_messages_that_have_none() {
        let body = RawJson::parse(&r#"{"model": "a/b", "system": "Be \"brief\""}"#.into()).unwrap();
        let presets = BTreeMap::from([("brief".parse().unwrap(), body)]);
        let sent = |messages: &str| {
            let body = format!(r#"{{"model": "@preset/brief", {messages}}}"#);
            let chat = ChatRequest::parse(&body.into()).unwrap();
            let chat = apply(chat, &presets).unwrap();
            assert!(chat.get("system").is_none());
            chat.get("messages").unwrap().text().into_owned()
        };
        let user = r#"{"role": "user", "content": "Hi"}"#;
        let first = r#"{"role":"system","content":"Be \"brief\""}"#;
        assert_eq!(
            sent(&format!(r#""messages": [{user}]"#)),
            format!("[{first},{user}]")
        );
        assert!(sent(r#""prompt": "Hi""#).starts_with(&format!("[{first},")));
        for role in ["system", "developer"] {
            let own = format!(r#"[{{"role": "{role}", "content": "Long"}},{user}]"#);
            assert_eq!(sent(&format!(r#""messages": {own}"#)), own);
        }
    }

    #[test]
    fn an_unknown_preset_is_not_found_and_the_nearest_is_named() {
        let refused = merged(r#""model": "a/b@preset/carefull""#).unwrap_err();
        assert_eq!(refused.kind, ErrorType::NotFound);
        assert!(
            refused.message.contains("did you mean \"careful\"?"),
            "{refused}"
        );
    }

    #[test]
    fn a_request_without_preset_stays_as_it_is() {
        assert!(
            merged(r#""model": "a/b", "x":  1"#)
                .unwrap()
                .contains("\"x\":1")
        );
    }
}
