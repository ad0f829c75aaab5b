//! The simulator: one pure function from an upstream request to a reply.
//!
//! It reads no clock and no random source and keeps nothing but the counters that scripted faults
//! need (`nth`, `first`, `every`).
//!
//! A request goes through four steps: its path chooses the wire, the wire says which model is asked for
//! and whether to stream, the script is asked whether something is to go wrong, and then the wire
//! answers or the rule does. The script sees a request before its body was found to be right, so that
//! garbage can be met with a scripted 503 as well.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use http::{Method, header};
use waystation_core::{HttpRequest, Json, ScanError};

use crate::{
    Pacing, SimReply, dialect,
    faults::{Script, Seen},
    pacing::Tempo,
};

/// Answers upstream requests in the dialect that their path names.
///
/// Equal requests get equal replies from simulators with the same seed; streamed and whole replies
/// to the same request say the same.
///
/// ```
/// use waystation_core::{HttpRequest, Json};
/// use waystation_sim::{Pacing, Simulator};
///
/// let body = br#"{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}"#;
/// let request = HttpRequest::post_json(
///     "https://sim.invalid/v1/chat/completions",
///     body.as_slice().into(),
/// )?;
/// let reply = Simulator::new(7).with_pacing(Pacing::Instant).handle(&request);
/// assert_eq!(reply.head.status, 200);
/// let body = reply.body();
/// assert!(Json::parse(&body)?.get("object").is_some_and(|object| object.is("chat.completion")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Simulator {
    /// Decides words, numbers and paces.
    seed: u64,
    /// Whether replies take time.
    pacing: Pacing,
    /// What goes wrong.
    script: Script,
    /// How many requests each rule of the script has matched.
    counts: Vec<AtomicU64>,
}

/// One request as dialects look at it.
pub(crate) struct Arrival<'a> {
    /// The method; the wires take POST alone.
    pub(crate) method: &'a Method,
    /// Without query.
    pub(crate) path: &'a str,
    /// What stands behind the `?`; empty when nothing does.
    pub(crate) query: &'a str,
    /// From the address, else from the `host` header; without port.
    pub(crate) host: &'a str,
    /// The body, checked once.
    pub(crate) body: Result<Json<'a>, ScanError>,
    /// The body, unchecked.
    pub(crate) raw: &'a [u8],
    /// The simulator's seed.
    pub(crate) seed: u64,
    pacing: Pacing,
}

// === impl Simulator ===

impl Simulator {
    /// A simulator without faults, at a live pace. The seed decides words, numbers and paces.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            pacing: Pacing::Live,
            script: Script::EMPTY,
            counts: Vec::new(),
        }
    }

    /// Sets faults, with their counters at zero.
    #[must_use]
    pub fn with_script(mut self, script: Script) -> Self {
        self.counts = (0..script.len()).map(|_| AtomicU64::new(0)).collect();
        self.script = script;
        self
    }

    /// Sets the pace. Delays of the script stand in addition to it.
    ///
    /// ```
    /// use waystation_core::HttpRequest;
    /// use waystation_sim::{Pacing, Simulator, fixtures};
    ///
    /// let url = "https://sim.invalid/v1/chat/completions";
    /// let request = HttpRequest::post_json(url, fixtures::chat("m", "Hi"))?;
    /// let live = Simulator::new(1).handle(&request);
    /// let instant = Simulator::new(1).with_pacing(Pacing::Instant).handle(&request);
    /// assert!(live.duration().as_millis() > 200 && instant.duration().is_zero());
    /// assert_eq!(live.body(), instant.body());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_pacing(mut self, pacing: Pacing) -> Self {
        self.pacing = pacing;
        self
    }

    /// Answers one request. Every request gets a reply: an unknown path a 404, a malformed body a
    /// 400, each in the envelope of its dialect.
    #[must_use]
    pub fn handle(&self, request: &HttpRequest) -> SimReply {
        let arrival = Arrival::of(request, self);
        let dialect = dialect::of(arrival.path);
        let seen = Seen {
            path: arrival.path,
            host: arrival.host,
            model: &dialect.model(&arrival),
            stream: dialect.streams(&arrival),
        };
        let fault = self.script.fault(&seen, self.seed, |rule| self.count(rule));
        let mark = |reply: SimReply| reply.with_header(crate::reply::SIMULATED_HEADER, "true");
        match fault {
            Some(fault) => {
                let (reply, error) = (
                    || dialect.answer(&arrival),
                    |status, message: &str| dialect.error(status, message),
                );
                mark(fault.apply(reply, error))
            }
            None => mark(dialect.answer(&arrival)),
        }
    }

    /// Counts a request that `rule` matches; the first is 1.
    fn count(&self, rule: usize) -> u64 {
        let count = self.counts.get(rule);
        count.map_or(0, |count| count.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("seed", &self.seed)
            .field("pacing", &self.pacing)
            .field("script", &self.script)
            .finish_non_exhaustive()
    }
}

// === impl Arrival ===

impl<'a> Arrival<'a> {
    /// Takes a request apart; its body is checked here, once.
    fn of(request: &'a HttpRequest, simulator: &Simulator) -> Self {
        let header = request.headers.get(header::HOST);
        let named = header.and_then(|host| host.to_str().ok()).unwrap_or("");
        let named = match named.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => named,
        };
        Self {
            method: &request.method,
            path: request.url.path(),
            query: request.url.query().unwrap_or_default(),
            host: request.url.host().unwrap_or(named),
            body: Json::parse(&request.body),
            raw: &request.body,
            seed: simulator.seed,
            pacing: simulator.pacing,
        }
    }

    /// The pace of `model` at this host.
    pub(crate) fn tempo(&self, model: &str) -> Tempo {
        Tempo::of(self.pacing, self.seed, self.host, model)
    }
}

#[cfg(test)]
mod tests;
