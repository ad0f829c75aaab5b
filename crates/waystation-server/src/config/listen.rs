//! Addresses to listen at, and the rules about who may reach them. Opens no socket.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Serialize, Serializer};

/// A host and a port to listen at: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`.
///
/// ```
/// use waystation_server::config::Listen;
///
/// let listen: Listen = "[::1]:8080".parse()?;
/// assert!(listen.is_loopback() && listen.port() == 8080);
/// assert_eq!(listen.to_string(), "[::1]:8080");
/// # Ok::<(), waystation_server::config::ParseListenError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listen {
    host: String,
    port: u16,
}

/// A text that is no address to listen at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected host:port such as 127.0.0.1:8080, found {found:?}")]
pub struct ParseListenError {
    /// The text.
    pub found: String,
}

// === impl Listen ===

impl Listen {
    /// Where the data plane listens unless told otherwise.
    #[must_use]
    pub fn default_data_plane() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8080,
        }
    }

    /// The host, an IP address or a name, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 0 lets the system choose.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address to connect to from this machine: loopback where it listens everywhere.
    #[must_use]
    pub fn reachable(&self) -> Self {
        let host = match ip(&self.host) {
            Some(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1".into(),
            Some(IpAddr::V6(ip)) if ip.is_unspecified() => "::1".into(),
            _ => self.host.clone(),
        };
        Self {
            host,
            port: self.port,
        }
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether a request to `base_url` would come back to this listener.
    #[must_use]
    pub fn is_target_of(&self, base_url: &str) -> bool {
        let Some((host, port)) = host_and_port(base_url) else {
            return false;
        };
        if port != self.port || port == 0 {
            return false;
        }
        let unspecified = |host: &str| ip(host).is_some_and(|ip| ip.is_unspecified());
        let here = |host: &str| is_loopback(host) || unspecified(host);
        host.eq_ignore_ascii_case(&self.host)
            || (ip(&host).is_some() && ip(&host) == ip(&self.host))
            || (here(&host) && here(&self.host))
    }
}

impl FromStr for Listen {
    type Err = ParseListenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseListenError { found: text.into() };
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().map_err(|_| bad())?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let legal = match bare {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            }
        };
        if !legal {
            return Err(bad());
        }
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What wires put behind an address. In an address it would be there twice.
const LEAVES: [&str; 4] = [
    "/chat/completions",
    "/v1/messages",
    "/v1/responses",
    "/v1/embeddings",
];

/// Why `url` is not an `http` or `https` address of a service, in words; `None` when it is one.
pub(super) fn url_fault(url: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some("expected an address such as https://host/v1, found no scheme");
    };
    if !matches!(scheme, "http" | "https") {
        return Some("expected an address that begins with http:// or https://");
    }
    if rest.contains(['?', '#']) {
        return Some("expected an address without `?` and `#`");
    }
    if rest.contains('@') {
        return Some("expected an address without user and password; keys go into api_key");
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("expected an address without spaces");
    }
    let path = rest.trim_end_matches('/').to_ascii_lowercase();
    if LEAVES.iter().any(|leaf| path.ends_with(leaf)) {
        return Some(
            "expected the address that requests go below, such as https://host/v1: leave out what \
             follows it, such as /chat/completions",
        );
    }
    match host_and_port(url) {
        Some((host, _)) if !host.is_empty() => None,
        _ => Some("expected an address with a host and, if any, a port from 0 to 65535"),
    }
}

/// The host, without brackets, and the port of an `http` or `https` address.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let default = if scheme.eq_ignore_ascii_case("https") {
        443
    } else {
        80
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    if let Some(v6) = authority.strip_prefix('[') {
        let (host, port) = v6.split_once(']')?;
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None => default,
        };
        return Some((host.into(), port));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => Some((host.into(), port.parse().ok()?)),
        None => Some((authority.into(), default)),
    }
}

fn ip(host: &str) -> Option<IpAddr> {
    host.parse().ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || ip(host).is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(text: &str) -> Listen {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_read_and_printed_alike() {
        for text in ["127.0.0.1:8080", "[::1]:0", "localhost:80", "0.0.0.0:65535"] {
            assert_eq!(listen(text).to_string(), text);
        }
        for bad in [
            "",
            "8080",
            ":8080",
            "127.0.0.1",
            "::1:8080",
            "a b:1",
            "h:65536",
            "http://h:1",
        ] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_loopback_is_loopback() {
        for here in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "LocalHost:1"] {
            assert!(listen(here).is_loopback(), "{here}");
        }
        for there in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.com:1"] {
            assert!(!listen(there).is_loopback(), "{there}");
        }
    }

    #[test]
    fn an_address_that_comes_back_is_seen() {
        for (own, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
            ("127.0.0.1:8080", "http://localhost:8080"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
            ("localhost:8080", "http://[::1]:8080/v1"),
            ("127.0.0.1:80", "http://localhost/v1"),
            ("gateway.example:443", "https://Gateway.example/v1"),
        ] {
            assert!(listen(own).is_target_of(url), "{own} {url}");
        }
        for (own, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:11434/v1"),
            ("127.0.0.1:8080", "https://api.openai.com/v1"),
            ("0.0.0.0:8080", "http://10.0.0.9:8080/v1"),
        ] {
            assert!(!listen(own).is_target_of(url), "{own} {url}");
        }
    }

    #[test]
    fn addresses_of_services_are_checked() {
        for good in [
            "https://api.openai.com/v1",
            "http://[::1]:8000",
            "http://h:1/a/b",
        ] {
            assert_eq!(url_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "api.openai.com",
            "ftp://h",
            "https://",
            "http://h:x",
            "http://h?a",
            "http://u:p@h",
        ] {
            assert!(url_fault(bad).is_some(), "{bad}");
        }
    }
}
