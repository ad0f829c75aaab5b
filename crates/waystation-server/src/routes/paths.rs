//! What a path that nobody answers may have been meant to be: words for the client. It routes nothing.

/// The paths that a client may ask for, without what stands before them, and the methods that they take.
const KNOWN: [(&str, &str); 12] = [
    ("/v1/chat/completions", "POST"),
    ("/v1/route/explain", "POST"),
    ("/v1/feedback", "GET and POST"),
    ("/v1/models", GET),
    ("/v1/models/count", GET),
    ("/v1/models/user", GET),
    ("/v1/providers", GET),
    ("/v1/generation", GET),
    ("/v1/auth/key", GET),
    ("/v1/key", GET),
    ("/health", GET),
    ("/ready", GET),
];

const GET: &str = "GET";

/// Ways to ask a model that other servers have.
const OTHER_WAYS: [&str; 3] = ["/messages", "/responses", "/completions"];

/// Behind "there is no …": the path that was probably meant.
///
/// What stands before a known path is what a base address has too little or too much, so that a path is
/// known by its end.
pub(super) fn meant(path: &str) -> Option<String> {
    let path = path.trim_end_matches('/').to_ascii_lowercase();
    let known = KNOWN.iter().map(|(known, _)| *known).find(|known| {
        let tail = known.strip_prefix("/v1").unwrap_or(known);
        path.ends_with(tail)
    });
    if let Some(known) = known {
        return Some(format!("; did you mean {known}?"));
    }
    if OTHER_WAYS.iter().any(|way| path.ends_with(way)) {
        return Some("; this version is asked at /v1/chat/completions".to_owned());
    }
    if path == "/metrics" {
        return Some("; metrics are at the listener [server] admin_listen".to_owned());
    }
    None
}

/// The methods of a path that is there.
pub(super) fn takes(path: &str) -> &'static str {
    let path = path.strip_prefix("/api").unwrap_or(path);
    let known = KNOWN.iter().find(|(known, _)| *known == path);
    known.map_or(GET, |(_, methods)| methods)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_by_its_end() {
        for (path, known) in [
            ("/chat/completions", "/v1/chat/completions"),
            ("/v1/chat/completions/", "/v1/chat/completions"),
            ("/v1/v1/chat/completions", "/v1/chat/completions"),
            ("/openai/V1/Models", "/v1/models"),
            ("//v1/models/count", "/v1/models/count"),
            ("/v1/health", "/health"),
        ] {
            let told = meant(path).unwrap_or_default();
            assert_eq!(told, format!("; did you mean {known}?"), "{path}");
        }
        for way in ["/v1/messages", "/v1/responses", "/v1/completions"] {
            assert!(
                meant(way).unwrap().ends_with("at /v1/chat/completions"),
                "{way}"
            );
        }
        for strange in [
            "/",
            "/v1",
            "/favicon.ico",
            "/v1/models/a/b/c",
            "/v1/modelsx",
        ] {
            assert_eq!(meant(strange), None, "{strange}");
        }
    }
}
