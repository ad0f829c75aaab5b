//! The laws that heads of requests and configuration files are held to, whatever their bytes are: for
//! the targets in `fuzz/`, and for the seeds of those in the end-to-end tests.

use std::{cell::OnceCell, str};

use http::{HeaderName, HeaderValue, Method, header::HOST};
use serde_json::json;
use waystation_server::config::{self, Environment, Flags};
use waystation_sim::{ReplayTransport, fixtures};

use crate::{Setup, Station, Whole, ask};

/// What must not be seen in a refusal.
const SECRET: &str = "sk-do-not-tell-anybody";

/// A configuration file: taken, or refused with a message for each error, none of which shows a secret
/// that the file took from the environment.
///
/// # Errors
/// The law that it breaks.
pub fn config(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let env = Environment::from_iter([("SECRET", SECRET)]);
    let read = || config::from_text("waystation.toml", &text, &Flags::default(), &env);
    let Err(errors) = read() else { return Ok(()) };
    if errors
        .all()
        .iter()
        .any(|error| error.to_string().is_empty())
    {
        return Err(format!("refused without a word: {errors:?}"));
    }
    if errors.to_string().contains(SECRET) {
        return Err(format!("tells a secret: {errors}"));
    }
    match read() {
        Err(again) if again.to_string() == errors.to_string() => Ok(()),
        _ => Err(format!("refused in other words the second time: {errors}")),
    }
}

/// A request's head, a header on each line: answered, never with a fault of the gateway's own, with a
/// request id that is safe to log; a refusal is the envelope. A first line `GET /path` asks for that.
///
/// # Errors
/// The law that it breaks.
pub fn headers(input: &[u8]) -> Result<(), String> {
    thread_local! {
        static STATION: OnceCell<(tokio::runtime::Runtime, Station)> = const { OnceCell::new() };
    }
    STATION.with(|station| {
        let (runtime, station) = station.get_or_init(started);
        let (path, heads) = head(input);
        let (method, body) = match path {
            Some(_) => (Method::GET, String::new()),
            None => (Method::POST, ask(json!({})).to_string()),
        };
        let path = path.unwrap_or("/v1/chat/completions");
        if path.parse::<http::uri::PathAndQuery>().is_err() {
            return Ok(());
        }
        let mut request = Station::request(method, path, body);
        for (name, value) in heads {
            // A second `host` never gets here: the HTTP server refuses it.
            if name == HOST {
                request.headers_mut().insert(name, value);
            } else {
                request.headers_mut().append(name, value);
            }
        }
        answered(&runtime.block_on(station.whole(request)))
    })
}

fn started() -> (tokio::runtime::Runtime, Station) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let upstream = ReplayTransport::answering(|_, _| fixtures::answer("Hi", 5, 2));
    let station = {
        let _inside = runtime.enter();
        Setup::mocks().start(upstream)
    };
    (runtime, station)
}

fn head(input: &[u8]) -> (Option<&str>, Vec<(HeaderName, HeaderValue)>) {
    let (mut path, mut heads) = (None, Vec::new());
    for line in input.split(|byte| *byte == b'\n') {
        if let Some(wanted) = line.strip_prefix(b"GET ") {
            path = str::from_utf8(wanted)
                .ok()
                .filter(|path| path.starts_with('/'));
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            heads.push((name, value));
        }
    }
    (path, heads)
}

fn answered(got: &Whole) -> Result<(), String> {
    if got.status == 500 || got.status > 504 && got.status != 508 {
        return Err(format!("{}: {}", got.status, got.text()));
    }
    let refused = got.status >= 400 && got.status != 405;
    if refused && !got.text().contains("\"error\"") {
        return Err(format!(
            "{} without an envelope: {}",
            got.status,
            got.text()
        ));
    }
    let id = got.header("x-request-id").unwrap_or_default();
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if id.is_empty() || !id.bytes().all(sane) {
        return Err(format!("an id that may not be logged: {id:?}"));
    }
    Ok(())
}
