//! Which of the two hosts, which model of it, and the address. Authentication is elsewhere.

use waystation_core::{AuthScheme, EncodeError, Target};

use crate::address::percent;

/// A host of this wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site<'a> {
    /// The Gemini API, with a key.
    Studio,
    /// Vertex. Without a project it is its express mode, where the key names the project.
    Vertex(Option<&'a str>),
}

/// What a model's name tells of what it takes.
///
/// Rows of the catalogue say which parameters a model takes, not in which spelling: budgets came
/// with 2.5, levels with 3. Names without a number (`gemini-flash-latest`) are the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// The generation, in tenths: 25 for 2.5.
    pub(super) generation: u32,
    /// One of the large models.
    pub(super) pro: bool,
    /// One of the small models.
    pub(super) lite: bool,
}

// === impl Site ===

impl<'a> Site<'a> {
    /// The host that a target is.
    ///
    /// # Errors
    /// [`EncodeError::Address`] for Vertex with a token and without a project.
    pub(super) fn of(to: &Target<'a>) -> Result<Self, EncodeError> {
        let project = to.upstream.settings.project.as_deref();
        let project = project.filter(|project| !project.is_empty());
        let token = to.upstream.auth == AuthScheme::GoogleOauth;
        let named = host(&to.upstream.base_url).ends_with("aiplatform.googleapis.com");
        match project {
            Some(_) => Ok(Self::Vertex(project)),
            None if token => Err(EncodeError::Address {
                setting: "project",
                reason: "expected the Google Cloud project that serves the model, found none"
                    .into(),
            }),
            None if named => Ok(Self::Vertex(None)),
            None => Ok(Self::Studio),
        }
    }

    /// Whether this is Vertex.
    pub(super) const fn is_vertex(self) -> bool {
        matches!(self, Self::Vertex(_))
    }

    /// The address. A trailing slash of the base is nothing, a path prefix in it stays; what comes
    /// from the catalogue or the operator is encoded as one segment and cannot climb out of it.
    pub(super) fn url(self, to: &Target<'_>, stream: bool) -> String {
        let base = to.upstream.base_url.trim_end_matches('/');
        let model = &*to.endpoint.upstream_model;
        let mut url = String::with_capacity(base.len() + model.len() + 160);
        url.push_str(base);
        let usual = if self.is_vertex() { "v1" } else { "v1beta" };
        let version = to.upstream.settings.api_version.as_deref().unwrap_or(usual);
        url.push('/');
        percent(version, &mut url);
        if let Self::Vertex(project) = self {
            if let Some(project) = project {
                url.push_str("/projects/");
                percent(project, &mut url);
                url.push_str("/locations/");
                let region = to.upstream.settings.region.as_deref();
                percent(region.unwrap_or("global"), &mut url);
            }
            url.push_str("/publishers/google");
        }
        url.push_str("/models/");
        percent(model.strip_prefix("models/").unwrap_or(model), &mut url);
        url.push_str(if stream {
            ":streamGenerateContent?alt=sse"
        } else {
            ":generateContent"
        });
        url
    }
}

/// The host name in an address.
pub(super) fn host(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
    let authority = behind.get(..end).unwrap_or_default();
    let name = authority
        .rsplit_once('@')
        .map_or(authority, |(_, name)| name);
    name.split_once(':').map_or(name, |(name, _)| name)
}

// === impl Family ===

impl Family {
    /// Reads a model's name.
    pub(super) fn of(model: &str) -> Self {
        const NEWEST: u32 = 30;
        let number = model.split_once("gemini-").map_or("", |(_, behind)| behind);
        let mut digits = number
            .split(['-', '@'])
            .next()
            .unwrap_or_default()
            .split('.');
        let major: Option<u32> = digits.next().and_then(|text| text.parse().ok());
        let minor: u32 = digits
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        let generation = major.map(|major| major.saturating_mul(10).saturating_add(minor.min(9)));
        Self {
            generation: generation.unwrap_or(NEWEST),
            pro: model.contains("-pro"),
            lite: model.contains("-lite"),
        }
    }

    /// Whether the model takes levels of thinking rather than budgets.
    pub(super) const fn takes_levels(self) -> bool {
        self.generation >= 30
    }

    /// Whether calls that it is shown must carry a signature.
    pub(super) const fn wants_signatures(self) -> bool {
        self.generation >= 30
    }

    /// Whether results of functions may hold media, and functions may stand beside a format.
    pub(super) const fn is_third(self) -> bool {
        self.generation >= 30
    }

    /// Whether the model's host fetches public addresses for it.
    pub(super) const fn fetches(self) -> bool {
        self.generation >= 25
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_families() {
        for (name, generation, pro, lite) in [
            ("gemini-2.5-flash-lite", 25, false, true),
            ("gemini-2.0-flash-001", 20, false, false),
            ("gemini-3.1-pro-preview", 31, true, false),
            ("gemini-3-flash-preview", 30, false, false),
            ("gemini-flash-latest", 30, false, false),
            ("models/gemini-1.5-pro", 15, true, false),
            ("someone-elses", 30, false, false),
        ] {
            let found = Family::of(name);
            assert_eq!(
                (found.generation, found.pro, found.lite),
                (generation, pro, lite),
                "{name}"
            );
        }
    }

    #[test]
    fn hosts_are_found_in_addresses() {
        for (url, expected) in [
            (
                "https://us-central1-aiplatform.googleapis.com/p",
                "us-central1-aiplatform.googleapis.com",
            ),
            ("http://a:b@127.0.0.1:8080?x", "127.0.0.1"),
            ("youtu.be/x", "youtu.be"),
        ] {
            assert_eq!(host(url), expected);
        }
    }
}
