//! What a request says about plugins: its `plugins` list, the legacy `transforms`, and the suffix
//! `:online`. It does not know which plugins exist.

use std::borrow::Cow;

use waystation_core::{ChatRequest, InvalidRequest, Json, ModelRef};

/// One plugin that a request speaks of.
#[derive(Clone, Debug)]
pub(crate) struct Wish<'a> {
    /// The id, as spelled.
    pub(crate) id: Cow<'a, str>,
    /// The member that speaks of it, for errors: `plugins[0]`.
    pub(crate) field: String,
    /// Listing a plugin turns it on, unless the entry says `enabled: false`.
    pub(crate) enabled: bool,
    /// The entry itself; `None` where the wish comes from elsewhere than `plugins`.
    pub(crate) entry: Option<Json<'a>>,
}

/// The wishes of `chat`, each id once: the last entry wins, and an entry wins over `transforms` and
/// `:online`.
///
/// # Errors
/// [`InvalidRequest`] for an `enabled` that is no boolean, or a transform that does not exist.
pub(crate) fn wishes(chat: &ChatRequest) -> Result<Vec<Wish<'_>>, InvalidRequest> {
    let mut wishes = Vec::new();
    wishes.extend(of_suffix(chat));
    wishes.extend(of_transforms(chat)?);
    let Some(entries) = chat.get("plugins") else {
        return Ok(wishes);
    };
    for (at, entry) in entries.elements().enumerate() {
        let wish = of_entry(at, entry)?;
        wishes.retain(|other: &Wish<'_>| other.id != wish.id);
        wishes.push(wish);
    }
    Ok(wishes)
}

/// One entry of `plugins`. An entry without an id gets the empty one, which no plugin has: the
/// registry refuses it and lists those that there are.
fn of_entry(at: usize, entry: Json<'_>) -> Result<Wish<'_>, InvalidRequest> {
    let field = format!("plugins[{at}]");
    let enabled = match entry.get("enabled").filter(|enabled| !enabled.is_null()) {
        None => true,
        Some(enabled) => enabled.bool().ok_or_else(|| {
            InvalidRequest::expected(format!("{field}.enabled"), "true or false", enabled)
        })?,
    };
    let id = entry.get("id").and_then(Json::string).unwrap_or_default();
    Ok(Wish {
        id,
        field,
        enabled,
        entry: Some(entry),
    })
}

/// `transforms: ["middle-out"]` turns compression on, an empty list turns it off. Source: API
/// contract, section 1.2.
fn of_transforms(chat: &ChatRequest) -> Result<Option<Wish<'_>>, InvalidRequest> {
    let Some(transforms) = chat.get("transforms") else {
        return Ok(None);
    };
    let mut enabled = false;
    for (at, transform) in transforms.elements().enumerate() {
        if !transform.is("middle-out") {
            let field = format!("transforms[{at}]");
            return Err(InvalidRequest::expected(field, "\"middle-out\"", transform));
        }
        enabled = true;
    }
    Ok(Some(Wish {
        id: Cow::Borrowed("context-compression"),
        field: "transforms".into(),
        enabled,
        entry: None,
    }))
}

/// `author/model:online` is the same as listing `web`. Source: API contract, section 4.2.
fn of_suffix(chat: &ChatRequest) -> Option<Wish<'_>> {
    let online = |text: Cow<'_, str>| {
        // Most have no suffix at all.
        let reference = || text.parse::<ModelRef>().ok();
        text.contains(':') && reference().is_some_and(|reference| reference.online)
    };
    let field = if chat.model().is_some_and(online) {
        "model"
    } else if chat.models().any(online) {
        "models"
    } else {
        return None;
    };
    Some(Wish {
        id: Cow::Borrowed("web"),
        field: field.into(),
        enabled: true,
        entry: None,
    })
}
