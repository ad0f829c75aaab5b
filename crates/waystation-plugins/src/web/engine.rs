//! Search services: what each is asked, and what it answers. Requests are made and replies are read
//! here; nothing is sent.

mod brave;
mod exa;
mod form;
mod searxng;
mod tavily;

use http::{HeaderValue, header};
use waystation_core::{EncodeError, HttpRequest, Json, Secret, Usd};

use super::{Domains, domain::identity};

/// A search service of the operator's.
#[derive(Clone, Debug)]
pub struct SearchService {
    /// The name that requests use for it.
    pub name: &'static str,
    /// What it speaks.
    pub wire: SearchWire,
    /// Where it is, without a slash at the end; a path prefix is kept.
    pub base_url: String,
    /// Its key, where it wants one.
    pub api_key: Option<Secret>,
    /// It promises zero data retention, so prompts that demand that may go there.
    pub zdr: bool,
    /// What one search costs, where the service does not say so itself.
    pub price: Option<Usd>,
}

/// The interfaces of search services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchWire {
    /// SearXNG's JSON form. Source: <https://docs.searxng.org/dev/search_api.html>, 2026-11-22.
    Searxng,
    /// Exa's search with highlights. Source: exa-py 2.27.0, 2026-11-22.
    Exa,
    /// Tavily's search. Source: tavily-python 0.8.5, 2026-11-22.
    Tavily,
    /// Brave's web search. Source: third-party clients, 2026-11-22.
    Brave,
}

/// One question to a search service.
#[derive(Clone, Debug)]
pub struct SearchQuery<'a> {
    /// What to look for.
    pub text: &'a str,
    /// The most results.
    pub max_results: usize,
    /// Where to look.
    pub domains: &'a Domains,
    /// How thoroughly, in the service's own word.
    pub mode: Option<&'a str>,
    /// The longest excerpt, in characters.
    pub characters: usize,
}

/// One result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchHit {
    /// The page's address.
    pub url: String,
    /// Its title; the address where it has none.
    pub title: String,
    /// What of it answers the question; excerpts are joined with lines of `[...]`.
    pub content: String,
    /// When it was published, as the service says it.
    pub published: Option<String>,
}

/// What a search service answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchReply {
    /// The results, best first.
    pub hits: Vec<SearchHit>,
    /// What the service says that it charges.
    pub charged: Option<Usd>,
}

/// Between two excerpts of one page. Source: API contract, section 7.1.
const CUT: &str = "\n[...]\n";

// === impl SearchService ===

impl SearchService {
    /// The request that asks `query`.
    ///
    /// ```
    /// use waystation_plugins::{Domains, SearchQuery, SearchService, SearchWire};
    ///
    /// let service = SearchService {
    ///     name: "searxng", wire: SearchWire::Searxng, base_url: "http://127.0.0.1:8888".into(),
    ///     api_key: None, zdr: true, price: None,
    /// };
    /// let domains = Domains::default();
    /// let query = SearchQuery { text: "rust & tea", max_results: 5, domains: &domains, mode: None, characters: 900 };
    /// assert_eq!(service.request(&query)?.body, "q=rust+%26+tea&format=json");
    /// let reply = br#"{"results": [{"url": "https://a.example/", "title": "A", "content": "Tea."}]}"#;
    /// assert_eq!(service.read(waystation_core::Json::parse(reply)?, &query).hits[0].title, "A");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError`] for an address or a key that cannot be used.
    pub fn request(&self, query: &SearchQuery<'_>) -> Result<HttpRequest, EncodeError> {
        let mut request = match self.wire {
            SearchWire::Searxng => searxng::request(self, query),
            SearchWire::Exa => exa::request(self, query),
            SearchWire::Tavily => tavily::request(self, query),
            SearchWire::Brave => brave::request(self, query),
        }?;
        let json = HeaderValue::from_static("application/json");
        request.headers.insert(header::ACCEPT, json);
        Ok(request)
    }

    /// Reads a reply: at most as many results as were asked for, each page once, from domains that may
    /// be, with excerpts no longer than asked for. What is no reply has no results.
    #[must_use]
    pub fn read(&self, reply: Json<'_>, query: &SearchQuery<'_>) -> SearchReply {
        let found = match self.wire {
            SearchWire::Searxng => searxng::read(reply),
            SearchWire::Exa => exa::read(reply),
            SearchWire::Tavily => tavily::read(reply),
            SearchWire::Brave => brave::read(reply),
        };
        let mut seen: Vec<String> = Vec::new();
        let mut hits = Vec::new();
        for mut hit in found.hits {
            let web = hit.url.starts_with("https://") || hit.url.starts_with("http://");
            let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>');
            let clean = !hit.url.contains(odd);
            let identity = identity(&hit.url);
            if !web || !clean || !query.domains.allow(&hit.url) || seen.contains(&identity) {
                continue;
            }
            seen.push(identity);
            hit.shorten(query.characters);
            hits.push(hit);
            if hits.len() >= query.max_results {
                break;
            }
        }
        SearchReply {
            hits,
            charged: found.charged,
        }
    }

    /// What a reply of this status means, and what to do about it.
    pub(crate) fn complaint(&self, status: u16) -> String {
        let name = self.name;
        match (self.wire, status) {
            (SearchWire::Searxng, 403) => {
                format!(
                    "{name} answered 403: list `json` under `search: formats:` of its settings.yml"
                )
            }
            (_, 401 | 403) => format!("{name} answered {status}: it refuses the key"),
            (_, 402) => format!("{name} answered 402: the account has no credit left"),
            (_, 429) => format!("{name} answered 429: it is over its limit"),
            _ => format!("{name} answered {status}"),
        }
    }

    /// Its key, which it cannot do without.
    fn key(&self) -> Result<&Secret, EncodeError> {
        self.api_key.as_ref().ok_or(EncodeError::Credential {
            expected: "an api_key",
        })
    }
}

// === impl SearchHit ===

impl SearchHit {
    /// A result as its members say it; `None` without an address.
    fn of(url: Option<Json<'_>>, title: Option<Json<'_>>, excerpts: &[String]) -> Option<Self> {
        let url = url.and_then(Json::string)?.into_owned();
        let title = title.and_then(Json::string).unwrap_or_default();
        let title = title.trim();
        let excerpts: Vec<&str> = excerpts
            .iter()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
            .collect();
        Some(Self {
            title: if title.is_empty() {
                url.clone()
            } else {
                title.to_owned()
            },
            url,
            content: excerpts.join(CUT),
            published: None,
        })
    }

    /// The same, published then.
    fn published(mut self, date: Option<Json<'_>>) -> Self {
        let date = date.and_then(Json::string);
        self.published = date.map(|date| date.trim().to_owned());
        self.published.take_if(|date| date.is_empty());
        self
    }

    /// Cuts the excerpt, at a word where there is one.
    fn shorten(&mut self, characters: usize) {
        let Some((end, _)) = self.content.char_indices().nth(characters) else {
            return;
        };
        let kept = self.content.get(..end).unwrap_or_default();
        let word = kept.rfind(char::is_whitespace).filter(|at| *at > end / 2);
        self.content.truncate(word.unwrap_or(end));
        self.content.push('…');
    }
}

/// The texts of a list, or the one text.
fn texts(value: Option<Json<'_>>) -> Vec<String> {
    let Some(value) = value else {
        return Vec::new();
    };
    let one = value.string().map(std::borrow::Cow::into_owned);
    let many = value.elements().filter_map(Json::string);
    one.into_iter()
        .chain(many.map(std::borrow::Cow::into_owned))
        .collect()
}

#[cfg(test)]
mod tests;
