//! Names of headers as they come. What they mean is not known here.

use http::{HeaderName, header};

/// A header's name. Those that nearly every head has, in the two spellings that there are for them, cost a
/// comparison; the others are looked up letter by letter.
///
/// # Errors
/// [`httparse::Error::HeaderName`] for what is no name.
pub fn name(bytes: &[u8]) -> Result<HeaderName, httparse::Error> {
    Ok(match bytes {
        b"Host" | b"host" => header::HOST,
        b"Date" | b"date" => header::DATE,
        b"Accept" | b"accept" => header::ACCEPT,
        b"User-Agent" | b"user-agent" => header::USER_AGENT,
        b"Connection" | b"connection" => header::CONNECTION,
        b"Content-Type" | b"content-type" => header::CONTENT_TYPE,
        b"Authorization" | b"authorization" => header::AUTHORIZATION,
        b"Content-Length" | b"content-length" => header::CONTENT_LENGTH,
        b"Accept-Encoding" | b"accept-encoding" => header::ACCEPT_ENCODING,
        b"Transfer-Encoding" | b"transfer-encoding" => header::TRANSFER_ENCODING,
        _ => HeaderName::from_bytes(bytes).map_err(|_| httparse::Error::HeaderName)?,
    })
}
