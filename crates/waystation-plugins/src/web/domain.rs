//! Domains to search and not to search: how they are written, and which addresses they name. Reads
//! no request.

use std::borrow::Cow;

/// Which addresses may be among results.
///
/// ```
/// use waystation_plugins::Domains;
///
/// let domains = Domains::new(["example.com", "*.acme.org", "blog.net/rust"], ["example.com/ads"])?;
/// assert!(domains.allow("https://www.example.com/a?b=c"));
/// assert!(domains.allow("http://docs.acme.org") && !domains.allow("https://acme.org/"));
/// assert!(domains.allow("https://blog.net/rust/1") && !domains.allow("https://blog.net/rusty"));
/// assert!(!domains.allow("https://example.com/ads/1"));
/// assert!(Domains::new(["not a domain"], [""; 0]).is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domains {
    include: Vec<Rule>,
    exclude: Vec<Rule>,
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// As engines are told: without scheme and trailing slash.
    text: String,
    /// The host, in lower case, without `*.` and `www.`.
    host: String,
    /// Only hosts below it.
    below: bool,
    /// The beginning of the path, without slashes at its ends; empty for any path.
    path: String,
}

// === impl Domains ===

impl Domains {
    /// Reads two lists. An entry is `example.com` (with all below it), `*.example.com` (only what is
    /// below) or `example.com/blog` (this part of it). An empty list of the first kind includes all.
    ///
    /// # Errors
    /// The first entry that is none of these, as it came.
    pub fn new<T: AsRef<str>, U: AsRef<str>>(
        include: impl IntoIterator<Item = T>,
        exclude: impl IntoIterator<Item = U>,
    ) -> Result<Self, String> {
        let read = |text: &str| Rule::read(text).ok_or_else(|| text.to_owned());
        let include = include.into_iter().map(|text| read(text.as_ref()));
        let exclude = exclude.into_iter().map(|text| read(text.as_ref()));
        Ok(Self {
            include: include.collect::<Result<_, _>>()?,
            exclude: exclude.collect::<Result<_, _>>()?,
        })
    }

    /// Whether an address may be among the results. Exclusion is stronger.
    #[must_use]
    pub fn allow(&self, url: &str) -> bool {
        let (host, path) = parts(url);
        let names = |rule: &Rule| rule.names(&host, path);
        (self.include.is_empty() || self.include.iter().any(names))
            && !self.exclude.iter().any(names)
    }

    /// The entries to search, as engines are told.
    pub fn include(&self) -> impl Iterator<Item = &str> {
        self.include.iter().map(|rule| &*rule.text)
    }

    /// The entries not to search, as engines are told.
    pub fn exclude(&self) -> impl Iterator<Item = &str> {
        self.exclude.iter().map(|rule| &*rule.text)
    }

    /// Whether nothing is included or excluded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// What engines with the operators of most search engines can be told: `site:` and `-site:`. Their
    /// results are held against the lists all the same.
    pub(crate) fn operators(&self) -> String {
        let site = |rule: &Rule, minus: &str| {
            let path = if rule.path.is_empty() { "" } else { "/" };
            format!("{minus}site:{}{path}{}", rule.host, rule.path)
        };
        let include: Vec<String> = self.include.iter().map(|rule| site(rule, "")).collect();
        let exclude = self.exclude.iter().map(|rule| site(rule, "-"));
        let include = (!include.is_empty()).then(|| include.join(" OR "));
        let all: Vec<String> = include.into_iter().chain(exclude).collect();
        all.join(" ")
    }
}

// === impl Rule ===

impl Rule {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let text = text.trim_end_matches('/');
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let (host, below) = match host.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (host, false),
        };
        let host = bare(host).into_owned();
        let label = |label: &str| {
            let legal = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
            !label.is_empty() && label.chars().all(legal)
        };
        let legal = host.split('.').all(label) && !path.chars().any(char::is_whitespace);
        legal.then(|| Self {
            text: text.to_owned(),
            host,
            below,
            path: path.to_owned(),
        })
    }

    fn names(&self, host: &str, path: &str) -> bool {
        let within = host
            .strip_suffix(&*self.host)
            .is_some_and(|front| front.ends_with('.') || (front.is_empty() && !self.below));
        let beyond = path.strip_prefix(&*self.path);
        within
            && (self.path.is_empty()
                || beyond.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

/// Host and path of an address, as rules compare them: no user, port, query or fragment.
fn parts(url: &str) -> (Cow<'_, str>, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    };
    (bare(host), path)
}

/// A host in lower case, without `www.` and without the dot at its end.
fn bare(host: &str) -> Cow<'_, str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let lower: Cow<'_, str> = if host.chars().any(char::is_uppercase) {
        Cow::Owned(host.to_lowercase())
    } else {
        Cow::Borrowed(host)
    };
    match lower {
        Cow::Borrowed(host) => Cow::Borrowed(host.strip_prefix("www.").unwrap_or(host)),
        Cow::Owned(host) => Cow::Owned(host.strip_prefix("www.").unwrap_or(&host).to_owned()),
    }
}

/// An address as it is compared with another: neither scheme, `www.`, fragment, the marks of where a
/// link was clicked, nor a slash at the end make a difference.
pub(crate) fn identity(url: &str) -> String {
    let (host, path) = parts(url);
    let query = url.split('#').next().and_then(|url| url.split_once('?'));
    let telling = query.map_or("", |(_, query)| query).split('&');
    let telling: Vec<&str> = telling
        .filter(|pair| !pair.is_empty() && !pair.starts_with("utm_"))
        .collect();
    let path = path.trim_end_matches('/');
    format!("{host}/{path}?{}", telling.join("&"))
}
