//! The load: `wrk` where it is installed, else threads of our own that ask and read. One connection
//! at a given rate is always our own, since `wrk` cannot be paced. It knows as much HTTP as that takes.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::failure::Failure;

/// The key that the gateway under test knows.
pub(crate) const KEY: &str = "bench-key-0123456789abcdef";

/// What is asked, over and over.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) port: u16,
    pub(crate) body: &'a str,
    pub(crate) connections: usize,
    pub(crate) each: Duration,
}

/// What came of it.
pub(crate) struct Measured {
    pub(crate) requests: u64,
}

/// One reply.
#[derive(Clone, Copy)]
pub(crate) struct Timed {
    /// From the first byte sent to the first byte of a body.
    pub(crate) first: Duration,
    /// To the last.
    pub(crate) whole: Duration,
}

// === impl Load ===

impl Load<'_> {
    /// As many requests as are answered in the time.
    pub(crate) fn run(&self) -> Result<Measured, Failure> {
        if wrk_is_installed() {
            self.wrk()
        } else {
            self.own()
        }
    }

    fn wrk(&self) -> Result<Measured, Failure> {
        let script = std::env::temp_dir().join(format!("waystation-bench-{}.lua", self.port));
        let body = script.with_extension("json");
        fs::write(&body, self.body).map_err(|error| Failure::at(&body, error))?;
        let text = format!(
            "wrk.method = 'POST'\n\
             wrk.headers['content-type'] = 'application/json'\n\
             wrk.headers['authorization'] = 'Bearer {KEY}'\n\
             local file = io.open('{}', 'rb'); wrk.body = file:read('*a'); file:close()\n\
             function done(summary)\n\
             local e = summary.errors\n\
             local failed = e.connect + e.read + e.write + e.status + e.timeout\n\
             io.write(string.format('counted %d %d\\n', summary.requests, failed))\n\
             end\n",
            body.display()
        );
        fs::write(&script, text).map_err(|error| Failure::at(&script, error))?;
        // wrk's shortest run is a second.
        let seconds = self.each.as_secs().max(1);
        let output = Command::new("wrk")
            .args([
                "-t1",
                &format!("-c{}", self.connections),
                &format!("-d{seconds}s"),
                "-s",
            ])
            .arg(&script)
            .arg(format!(
                "http://127.0.0.1:{}/v1/chat/completions",
                self.port
            ))
            .output()
            .map_err(Failure::new)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let counted = text.lines().find_map(|line| line.strip_prefix("counted "));
        let mut numbers = counted
            .unwrap_or_default()
            .split(' ')
            .map(str::parse::<u64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(requests)), Some(Ok(0))) => Ok(Measured { requests }),
            (Some(Ok(_)), Some(Ok(failed))) => {
                Err(Failure::new(format!("{failed} requests failed")))
            }
            _ => Err(Failure::new(format!("wrk says: {text}"))),
        }
    }

    fn own(&self) -> Result<Measured, Failure> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let ask = || {
                let mut client = Client::connect(self.port)?;
                let mut count = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    client.ask(self.body)?;
                    count += 1;
                }
                Ok::<u64, Failure>(count)
            };
            let askers: Vec<_> = (0..self.connections).map(|_| scope.spawn(ask)).collect();
            thread::sleep(self.each);
            stop.store(true, Ordering::Relaxed);
            let mut requests = 0;
            for asker in askers {
                requests += asker
                    .join()
                    .map_err(|_| Failure::new("a client panicked"))??;
            }
            Ok(Measured { requests })
        })
    }

    /// Every reply's times, at so many requests a second over all connections together.
    #[expect(clippy::disallowed_methods, reason = "threads of one task")]
    pub(crate) fn paced(&self, rate: u32) -> Result<Vec<Timed>, Failure> {
        let connections = u32::try_from(self.connections).unwrap_or(1).max(1);
        let pause = Duration::from_secs(1) * connections / rate.max(1);
        let all = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let ask = |number: u32| {
                let mut client = Client::connect(self.port)?;
                let mut times = Vec::new();
                let begin = now() + pause * number / connections;
                let mut next = begin;
                while next < begin + self.each {
                    thread::sleep(next.saturating_duration_since(now()));
                    times.push(client.ask(self.body)?);
                    next += pause;
                }
                if let Ok(mut all) = all.lock() {
                    all.append(&mut times);
                }
                Ok::<(), Failure>(())
            };
            let askers: Vec<_> = (0..connections)
                .map(|number| scope.spawn(move || ask(number)))
                .collect();
            askers.into_iter().try_for_each(|asker| {
                asker
                    .join()
                    .map_err(|_| Failure::new("a client panicked"))?
            })
        })?;
        all.into_inner()
            .map_err(|_| Failure::new("a client panicked"))
    }
}

/// The value that this share, in parts per hundred, does at least as well as; in milliseconds.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = times.len().saturating_sub(1) * percent / 100;
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// The generator that runs use.
pub(crate) fn generator() -> &'static str {
    if wrk_is_installed() {
        "wrk -t1 -c16"
    } else {
        "16 threads of its own"
    }
}

fn wrk_is_installed() -> bool {
    let output = Command::new("wrk").arg("-v").output();
    output.is_ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock itself"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// One connection that is kept.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

// === impl Client ===

impl Client {
    fn connect(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(Failure::new)?;
        stream.set_nodelay(true).map_err(Failure::new)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Asks once, and reads to the end of the reply.
    fn ask(&mut self, body: &str) -> Result<Timed, Failure> {
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: \
             application/json\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let begin = now();
        self.stream
            .write_all(request.as_bytes())
            .map_err(Failure::new)?;
        self.buffer.clear();
        let mut first = None;
        let mut piece = [0; 32 * 1024];
        loop {
            let count = self.stream.read(&mut piece).map_err(Failure::new)?;
            self.buffer
                .extend_from_slice(piece.get(..count).unwrap_or_default());
            let Some((head, body)) = parts(&self.buffer) else {
                if count == 0 {
                    return Err(Failure::new("the connection was closed"));
                }
                continue;
            };
            if !head.starts_with("http/1.1 200") {
                let body = String::from_utf8_lossy(body).into_owned();
                return Err(Failure::new(format!(
                    "an answer was not 200: {head}\n{body}"
                )));
            }
            if first.is_none() && !body.is_empty() {
                first = Some(begin.elapsed());
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let done = match length.and_then(|length| length.parse::<usize>().ok()) {
                Some(length) => body.len() >= length,
                None => body.ends_with(b"0\r\n\r\n"),
            };
            if done {
                let whole = begin.elapsed();
                let first = first.unwrap_or(whole);
                return Ok(Timed { first, whole });
            }
            if count == 0 {
                return Err(Failure::new("the connection was closed"));
            }
        }
    }
}

/// Head, in lower case, and what there is of the body.
fn parts(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(4).position(|found| found == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).to_ascii_lowercase();
    Some((head, bytes.get(end + 4..)?))
}
