//! Addresses and credentials as headers: what every dialect over HTTP needs. Signs nothing.

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use waystation_core::{AuthScheme, EncodeError, HttpRequest, Lease};

/// `text` as one path segment or query value: letters, digits and `-_.~` as they are, every other
/// byte as `%XX` (RFC 3986, section 2.3). A segment of dots alone is encoded too, lest it climb.
pub(crate) fn percent(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let dots = text.bytes().all(|byte| byte == b'.');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || (matches!(byte, b'-' | b'_' | b'.' | b'~') && !dots) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.extend(HEX.get(usize::from(nibble)).copied().map(char::from));
            }
        }
    }
}

/// What a reply may be: a stream, or whole.
pub(crate) fn accept(stream: bool) -> HeaderValue {
    if stream {
        const { HeaderValue::from_static("text/event-stream") }
    } else {
        const { HeaderValue::from_static("application/json") }
    }
}

/// Adds the credential as its own scheme wants it, else as `usual` does, marked as a secret, so that
/// no log shows it. A lease without a secret adds nothing: such hosts need none.
///
/// # Errors
/// [`EncodeError::Credential`] for characters that no header can carry, or for a scheme that signs.
pub(crate) fn authorise(
    request: HttpRequest,
    usual: AuthScheme,
    lease: &Lease,
) -> Result<HttpRequest, EncodeError> {
    let Some(secret) = &lease.secret else {
        return Ok(request);
    };
    match lease.scheme_or(usual) {
        AuthScheme::Bearer | AuthScheme::GoogleOauth => {
            request.secret(AUTHORIZATION, "Bearer ", secret)
        }
        AuthScheme::XApiKey => {
            let name = const { HeaderName::from_static("x-api-key") };
            request.secret(name, "", secret)
        }
        AuthScheme::ApiKey => {
            let name = const { HeaderName::from_static("api-key") };
            request.secret(name, "", secret)
        }
        AuthScheme::XGoogApiKey => {
            let name = const { HeaderName::from_static("x-goog-api-key") };
            request.secret(name, "", secret)
        }
        AuthScheme::None => Ok(request),
        AuthScheme::Sigv4 => Err(EncodeError::Credential {
            expected: "an authentication scheme without signatures: bearer, api-key, x-api-key, \
                       x-goog-api-key or none",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_a_segment() {
        for (text, expected) in [
            ("gpt-5.4_x~1", "gpt-5.4_x~1"),
            ("a/b?c#d&e", "a%2Fb%3Fc%23d%26e"),
            ("..", "%2E%2E"),
            ("é %", "%C3%A9%20%25"),
        ] {
            let mut out = String::new();
            percent(text, &mut out);
            assert_eq!(out, expected);
        }
    }
}
