//! The head of a request out of the bytes that have arrived. Pure, and fuzzed (`xtask/src/fuzz`); strict
//! where doubt would let one request be read as two.
//!
//! Names and values are checked once, and values stay in the memory that they came in. Source: RFC 9112,
//! sections 2 to 6 and 9; RFC 9110, sections 7.2 and 10.1.1.

use std::{
    cell::RefCell,
    mem::{self, MaybeUninit},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use waystation_core::Headers;

use super::{
    field,
    framing::{self, Announced, Framing, FramingError},
};

/// A request's head, and how to read what follows.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    /// What is asked for.
    pub(super) uri: Uri,
    /// It speaks HTTP/1.0.
    pub(super) old: bool,
    pub(super) headers: Headers,
    /// Where the body ends.
    pub(super) framing: Framing,
    /// The client may send another request behind this one.
    pub(super) keep: bool,
    /// It waits for a word before it sends the body.
    pub(super) expects: bool,
}

/// Why bytes are no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// They are no HTTP/1 request.
    #[error(
        "the head is no HTTP/1.1 request ({0}): send a request line and `name: value` lines that end in CR LF"
    )]
    Syntax(#[from] httparse::Error),
    /// A line ends where others see none.
    #[error("a line of the head ends in a bare line feed: end lines in CR LF")]
    BareLineFeed,
    /// It is of another HTTP.
    #[error(
        "this version of HTTP is not spoken here: send HTTP/1.1, or HTTP/2 from the first byte"
    )]
    Version,
    /// It is larger than this.
    #[error("the head is larger than {0} bytes; see [server] max_head_bytes")]
    TooLarge(usize),
    /// It has more than [`MAX_HEADERS`] headers.
    #[error("the head has more than 100 headers: send fewer")]
    TooMany,
    /// What is asked for has no form that a request may have.
    #[error(
        "the request's target is no path: send one that begins with `/`, of at most 65,534 bytes"
    )]
    Target,
    /// HTTP/1.1 wants one `host`, and no reader may choose among several.
    #[error("expected one header `host` with a name and perhaps a port: send it once")]
    Host,
    /// The body's end cannot be told.
    #[error(
        "{0}: say once how long the body is, by content-length or by `transfer-encoding: chunked`"
    )]
    Framing(#[from] FramingError),
}

/// The most headers.
const MAX_HEADERS: usize = 100;

/// A longer target is not remembered.
const LONG: usize = 256;

thread_local! {
    /// The target that was read last: those of a gateway are few, and reading one costs ten times as much
    /// as comparing it.
    static LAST: RefCell<Uri> = RefCell::default();
}

/// What the headers say to the connection.
#[derive(Default)]
struct Said {
    announced: Announced,
    hosts: usize,
    close: bool,
    keep_alive: bool,
    expects: bool,
}

// === impl HeadError ===

impl HeadError {
    /// The status that it is told with.
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::TooLarge(_) | Self::TooMany => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Framing(FramingError::Coding) => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

// === impl Head ===

impl Head {
    /// Takes a head of at most `largest` bytes out of `input`, and with it what has come behind it;
    /// `None` when it is not complete. `seen` bytes of it were there when this was asked before.
    ///
    /// # Errors
    /// [`HeadError`] when it is none.
    pub(super) fn take(
        input: &mut BytesMut,
        seen: usize,
        largest: usize,
    ) -> Result<Option<(Self, Bytes)>, HeadError> {
        // Empty lines before a request are skipped: some clients send one behind a body.
        while input.starts_with(b"\r\n") {
            input.advance(2);
        }
        if input.first() == Some(&b'\n') {
            return Err(HeadError::BareLineFeed);
        }
        // What has come is gone through once, however small the pieces are in which it comes.
        if seen == 0 || framing::may_end(input, seen) {
            let bytes = mem::take(input).freeze();
            match Self::first(&bytes)? {
                Some((_, size)) if size > largest => return Err(HeadError::TooLarge(largest)),
                Some((head, size)) => {
                    let mut behind = bytes;
                    behind.advance(size);
                    return Ok(Some((head, behind)));
                }
                // Nobody else has it.
                None => *input = bytes.into(),
            }
        }
        if input.len() >= largest {
            return Err(HeadError::TooLarge(largest));
        }
        Ok(None)
    }

    /// The head at the front, and its size in bytes; `None` when it is not complete.
    fn first(bytes: &Bytes) -> Result<Option<(Self, usize)>, HeadError> {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut found = httparse::Request::new(&mut []);
        let parsed = found.parse_with_uninit_headers(bytes, &mut lines);
        let parsed = parsed.map_err(|error| match error {
            httparse::Error::TooManyHeaders => HeadError::TooMany,
            httparse::Error::Version if is_of_another_version(bytes) => HeadError::Version,
            error => HeadError::Syntax(error),
        })?;
        let httparse::Status::Complete(size) = parsed else {
            return Ok(None);
        };
        if !bytes
            .get(..size)
            .is_some_and(|head| head.ends_with(b"\r\n\r\n"))
        {
            return Err(HeadError::BareLineFeed);
        }
        let mut headers = Headers::with_room(found.headers.len());
        let mut said = Said::default();
        for header in found.headers.iter() {
            // What stands before a name is the end of the line before.
            let begin = header.name.as_ptr().addr() - bytes.as_ptr().addr();
            if !bytes
                .get(..begin)
                .is_some_and(|before| before.ends_with(b"\r\n"))
            {
                return Err(HeadError::BareLineFeed);
            }
            let name = field::name(header.name.as_bytes())?;
            said.header(&name, header.value)?;
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value))
                .map_err(|_| httparse::Error::HeaderValue)?;
            headers.append(name, value);
        }
        let old = found.version == Some(0);
        let method = found.method.unwrap_or_default();
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| httparse::Error::Token)?;
        let uri = target(&method, found.path.unwrap_or_default())?;
        if said.hosts > 1 || (said.hosts == 0 && !old) {
            return Err(HeadError::Host);
        }
        if old && said.announced.is_coded() {
            // HTTP/1.0 has no chunks: whoever sends some does not know what it says.
            return Err(FramingError::Coding.into());
        }
        let framing = Framing::of_request(said.announced)?;
        let head = Self {
            method,
            uri,
            old,
            headers,
            framing,
            keep: !said.close && (!old || said.keep_alive),
            expects: said.expects && !old,
        };
        Ok(Some((head, size)))
    }
}

// === impl Said ===

impl Said {
    /// Takes one header down.
    fn header(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), HeadError> {
        if *name == header::HOST {
            self.hosts += 1;
            if !value.iter().all(|byte| is_of_a_host(*byte)) {
                return Err(HeadError::Host);
            }
        } else if *name == header::CONTENT_LENGTH {
            self.announced.length(value)?;
        } else if *name == header::TRANSFER_ENCODING {
            self.announced.coding(value);
        } else if *name == header::CONNECTION {
            for option in value.split(|byte| *byte == b',') {
                let option = option.trim_ascii();
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if *name == header::EXPECT {
            self.expects = value.eq_ignore_ascii_case(b"100-continue");
        }
        Ok(())
    }
}

/// Whether the first line names a version that is well formed, and another one.
fn is_of_another_version(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let version = words.next().and_then(|word| word.strip_prefix(b"HTTP/"));
    let digits = |text: &[u8]| match text {
        [major] => major.is_ascii_digit(),
        [major, b'.', minor] => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    };
    version.is_some_and(digits) && words.next().is_none()
}

/// What is asked for: a path, `*` of a server as a whole, a whole address, or where CONNECT would go.
fn target(method: &Method, text: &str) -> Result<Uri, HeadError> {
    LAST.with_borrow_mut(|last| {
        // Only a path is kept, and it has one form for every method.
        if last.path() == text && last.query().is_none() {
            return Ok(last.clone());
        }
        // Of its own memory: what is kept does not keep a request.
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let uri = Uri::from_maybe_shared(bytes).map_err(|_| HeadError::Target)?;
        let fits = match (uri.scheme(), uri.authority()) {
            (None, None) if uri.path().starts_with('/') => {
                if text.len() <= LONG && uri.query().is_none() {
                    *last = uri.clone();
                }
                true
            }
            (None, None) => *method == Method::OPTIONS,
            (None, Some(_)) => *method == Method::CONNECT,
            (Some(_), _) => true,
        };
        if fits {
            Ok(uri)
        } else {
            Err(HeadError::Target)
        }
    })
}

/// What a name, an address and a port are written with. Source: RFC 3986, section 3.2.2.
const fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'$'..=b'.' | b':' | b';' | b'=' | b'[' | b']' | b'_' | b'~'
        )
}
