//! Who is asking: client keys, compared in constant time, and the rules for a gateway without keys.

use std::sync::Arc;

use http::header;
use subtle::ConstantTimeEq as _;
use waystation_core::{Headers, Secret};

/// The keys that clients may present.
#[derive(Clone, Debug, Default)]
pub struct ClientKeys {
    keys: Vec<(Arc<str>, Secret)>,
}

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key's name; `None` where no keys are configured.
    pub key: Option<Arc<str>>,
}

/// Why somebody may not ask.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No key was sent.
    #[error("no key was sent; send `Authorization: Bearer <key>`")]
    Missing,
    /// The key is not one of ours.
    #[error("the key is not valid here")]
    Wrong,
}

/// What stands before a key. Schemes are of any case: RFC 9110, section 11.1.
const BEARER: &[u8] = b"Bearer ";

// === impl ClientKeys ===

impl ClientKeys {
    /// Named keys.
    #[must_use]
    pub const fn new(keys: Vec<(Arc<str>, Secret)>) -> Self {
        Self { keys }
    }

    /// Whether anybody may ask.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.keys.is_empty()
    }

    /// The caller behind these headers: `Authorization: Bearer K`, or `x-api-key: K`.
    ///
    /// Every key is compared, whichever matches, so that time tells nothing.
    ///
    /// # Errors
    /// [`Denied`] when keys are configured and none matches.
    pub fn caller(&self, headers: &Headers) -> Result<Caller, Denied> {
        if self.is_open() {
            return Ok(Caller { key: None });
        }
        let sent = headers
            .get(header::AUTHORIZATION)
            .or_else(|| headers.get("x-api-key"))
            .ok_or(Denied::Missing)?;
        let sent = sent.as_bytes();
        let sent = match sent.split_at_checked(BEARER.len()) {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case(BEARER) => key,
            _ => sent,
        };
        let mut found = None;
        for (name, key) in &self.keys {
            if bool::from(key.expose().as_bytes().ct_eq(sent.trim_ascii())) {
                found = Some(Arc::clone(name));
            }
        }
        found.map_or(Err(Denied::Wrong), |name| Ok(Caller { key: Some(name) }))
    }
}

/// Whether the `Host` that a request names is this machine's loopback. A page that has its name
/// point here (DNS rebinding) names another.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn keys() -> ClientKeys {
        ClientKeys::new(vec![
            ("a".into(), Secret::new("secret-number-one")),
            ("b".into(), Secret::new("secret-number-two")),
        ])
    }

    fn sent(name: &'static str, value: &str) -> Headers {
        Headers::from_iter([(
            header::HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )])
    }

    #[test]
    fn a_known_key_names_its_caller() {
        let caller = keys()
            .caller(&sent("authorization", "Bearer secret-number-two"))
            .unwrap();
        assert_eq!(caller.key.as_deref(), Some("b"));
        let caller = keys()
            .caller(&sent("x-api-key", "secret-number-one"))
            .unwrap();
        assert_eq!(caller.key.as_deref(), Some("a"));
    }

    #[test]
    fn anything_else_is_denied() {
        assert_eq!(keys().caller(&Headers::default()), Err(Denied::Missing));
        assert_eq!(
            keys().caller(&sent("authorization", "Bearer secret-number-on")),
            Err(Denied::Wrong)
        );
        assert_eq!(
            keys().caller(&sent("authorization", "Bearer ")),
            Err(Denied::Wrong)
        );
        assert_eq!(
            ClientKeys::default().caller(&Headers::default()),
            Ok(Caller { key: None })
        );
    }

    #[test]
    fn only_loopback_names_are_loopback() {
        for host in [
            "127.0.0.1:8080",
            "localhost",
            "[::1]:80",
            "LOCALHOST:1",
            "127.9.9.9",
        ] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "10.0.0.1:8080",
            "127.0.0.1.nip.io",
            "",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
