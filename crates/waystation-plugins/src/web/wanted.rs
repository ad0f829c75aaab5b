//! What a request says about searching: the entry of the plugin, or the parameters of the tool. Says
//! nothing of who searches.

use waystation_core::{Json, Kind, RawJson};

use super::Domains;

/// Most results of one search, where nothing is said. Source: API contract, section 7.1.
const RESULTS: u64 = 5;
/// The most that may be asked for. Source: API contract, section 7.7.
const MOST_RESULTS: u64 = 25;
/// The longest excerpt of one page where nothing is said, in characters.
const CHARACTERS: u64 = 2_000;

/// What is said about a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Who is to search; `None` leaves that to the gateway.
    pub(crate) engine: Option<String>,
    /// How thoroughly, in the engine's own word.
    pub(crate) mode: Option<String>,
    /// The most results of one search.
    pub(crate) max_results: usize,
    /// The longest excerpt, in characters.
    pub(crate) characters: usize,
    /// Where to look.
    pub(crate) domains: Domains,
    /// The most searches.
    pub(crate) max_uses: Option<u64>,
    /// How much of the pages a search of the provider's own gives to the model.
    pub(crate) size: Option<String>,
    /// Where the person is, for a search of the provider's own.
    pub(crate) location: Option<RawJson>,
}

/// The names of the two lists of domains: the plugin's and the tool's differ.
pub(crate) const OF_PLUGIN: [&str; 2] = ["include_domains", "exclude_domains"];
/// The same for the tool.
pub(crate) const OF_TOOL: [&str; 2] = ["allowed_domains", "excluded_domains"];

// === impl Wanted ===

impl Wanted {
    /// Reads an entry. Members that it does not know are left alone.
    ///
    /// # Errors
    /// A sentence that names the member and what it should be.
    pub(crate) fn read(entry: Json<'_>, lists: [&str; 2]) -> Result<Self, String> {
        let size = text(entry, "search_context_size")?;
        let usual = match size.as_deref() {
            None => CHARACTERS,
            // Source: API contract, section 7.7, and the reference on Exa's context sizes.
            Some("low") => 5_000,
            Some("medium") => 15_000,
            Some("high") => 30_000,
            Some(other) => {
                return Err(format!(
                    "search_context_size: expected low, medium or high, found {other:?}"
                ));
            }
        };
        let [include, exclude] = lists;
        let domains = domains(entry, include, exclude)?;
        let count = |key, most| whole(entry, key, most);
        let results = count("max_results", MOST_RESULTS)?.unwrap_or(RESULTS);
        let characters = count("max_characters", 100_000)?.unwrap_or(usual);
        Ok(Self {
            engine: text(entry, "engine")?.filter(|engine| engine != "auto"),
            mode: text(entry, "mode")?,
            max_results: narrow(results),
            characters: narrow(characters),
            domains,
            max_uses: count("max_uses", u64::MAX)?,
            size,
            location: object(entry, "user_location")?,
        })
    }

    /// The marker that tells a codec to let its host search: see
    /// [`NativeSearch`](waystation_core::NativeSearch).
    pub(crate) fn marker(&self) -> RawJson {
        let mut out = Vec::new();
        let mut tool = waystation_core::ObjectWriter::open(&mut out);
        tool.string("type", "openrouter:web_search");
        let mut parameters = tool.object("parameters");
        parameters.string("engine", "native");
        let results = u64::try_from(self.max_results).unwrap_or(u64::MAX);
        parameters.number("max_results", results);
        if let Some(uses) = self.max_uses {
            parameters.number("max_uses", uses);
        }
        if let Some(size) = &self.size {
            parameters.string("search_context_size", size);
        }
        let include: Vec<&str> = self.domains.include().collect();
        let exclude: Vec<&str> = self.domains.exclude().collect();
        for (key, list) in OF_TOOL.into_iter().zip([include, exclude]) {
            if !list.is_empty() {
                parameters.json(key, &RawJson::of(&list));
            }
        }
        if let Some(location) = &self.location {
            parameters.json("user_location", location);
        }
        parameters.close();
        tool.close();
        RawJson::parse(&out.into()).unwrap_or_else(|_| RawJson::null())
    }
}

fn domains(entry: Json<'_>, include: &str, exclude: &str) -> Result<Domains, String> {
    let (wanted, unwanted) = (list(entry, include)?, list(entry, exclude)?);
    let all = wanted.len();
    Domains::new(&wanted, &unwanted).map_err(|bad| {
        let place = wanted.iter().position(|text| *text == bad);
        let at = match place.filter(|at| *at < all) {
            Some(at) => format!("{include}[{at}]"),
            None => {
                let at = unwanted.iter().position(|text| *text == bad);
                format!("{exclude}[{}]", at.unwrap_or_default())
            }
        };
        format!("{at}: expected a domain such as example.com, *.example.com or example.com/blog, found {bad:?}")
    })
}

/// A member that is neither absent nor `null`.
fn member<'a>(entry: Json<'a>, key: &str) -> Option<Json<'a>> {
    entry.get(key).filter(|value| !value.is_null())
}

/// A text, where there is one.
pub(crate) fn text(entry: Json<'_>, key: &str) -> Result<Option<String>, String> {
    let Some(value) = member(entry, key) else {
        return Ok(None);
    };
    let text = value.string().map(std::borrow::Cow::into_owned);
    text.map(Some)
        .ok_or_else(|| format!("{key}: expected a string, found {}", value.text()))
}

/// A flag, false where there is none.
pub(crate) fn flag(entry: Json<'_>, key: &str) -> Result<bool, String> {
    member(entry, key).map_or(Ok(false), |value| {
        value
            .bool()
            .ok_or_else(|| format!("{key}: expected true or false, found {}", value.text()))
    })
}

/// A whole number from 1 up, where there is one.
pub(crate) fn whole(entry: Json<'_>, key: &str, most: u64) -> Result<Option<u64>, String> {
    let Some(value) = member(entry, key) else {
        return Ok(None);
    };
    match value.u64() {
        Some(number) if (1..=most).contains(&number) => Ok(Some(number)),
        _ => {
            let range = match most {
                u64::MAX => "from 1 up".to_owned(),
                most => format!("from 1 to {most}"),
            };
            Err(format!(
                "{key}: expected a whole number {range}, found {}",
                value.text()
            ))
        }
    }
}

/// A list of texts; empty where there is none.
fn list(entry: Json<'_>, key: &str) -> Result<Vec<String>, String> {
    let Some(value) = member(entry, key) else {
        return Ok(Vec::new());
    };
    let bad = || {
        format!(
            "{key}: expected an array of domains, found {}",
            value.text()
        )
    };
    if value.kind() != Kind::Array {
        return Err(bad());
    }
    let texts = value.elements().map(Json::string);
    texts
        .map(|text| text.map(std::borrow::Cow::into_owned).ok_or_else(bad))
        .collect()
}

/// An object, where there is one.
fn object(entry: Json<'_>, key: &str) -> Result<Option<RawJson>, String> {
    let Some(value) = member(entry, key) else {
        return Ok(None);
    };
    if value.kind() != Kind::Object {
        let found = value.text();
        return Err(format!("{key}: expected an object, found {found}"));
    }
    let text = bytes::Bytes::copy_from_slice(value.bytes());
    Ok(RawJson::parse(&text).ok())
}

fn narrow(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
