//! Starts the release binary, as a user does, and prints how long it took to listen and how much
//! memory it holds when idle, after a thousand requests, and after that again at rest.
//!
//! Goals: listening within 60 ms of its start with the whole catalogue, at most 25 MB resident when
//! idle. Build it first: `cargo build --release`. `WAYSTATION_BIN` names another binary.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How often it is started.
const STARTS: usize = 15;
/// How many requests it is asked.
const REQUESTS: usize = 1_000;

/// A gateway that is killed with its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The binary beside this one: both are in the same target folder.
fn binary() -> Option<PathBuf> {
    let named = env::var_os("WAYSTATION_BIN").map(PathBuf::from);
    let beside = || {
        Some(
            env::current_exe()
                .ok()?
                .parent()?
                .parent()?
                .join("waystation"),
        )
    };
    named.or_else(beside).filter(|path| path.exists())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures with the clock itself"
)]
fn start(binary: &PathBuf) -> (Running, SocketAddr, Duration) {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let begin = Instant::now();
    let child = Command::new(binary)
        .args([
            "serve",
            "--simulate",
            "--admin-listen",
            "off",
            "--listen",
            &address.to_string(),
        ])
        .current_dir(env::temp_dir())
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let running = Running(child);
    while TcpStream::connect(address).is_err() {
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "it does not listen"
        );
        sleep(Duration::from_micros(200));
    }
    (running, address, begin.elapsed())
}

/// Resident memory in MB; `None` where the system does not tell.
fn resident(running: &Running) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", running.0.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1_000.0)
}

/// Asks for a list that is short: what is measured is what stays behind.
fn ask(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "GET /v1/models/count HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

fn megabytes(what: Option<f64>) -> String {
    what.map_or("unknown".to_owned(), |mb| format!("{mb:.1} MB"))
}

fn main() {
    if env::args().any(|argument| argument == "--test") {
        return;
    }
    let Some(binary) = binary() else {
        println!("start: no release binary here; build it with `cargo build --release`");
        return;
    };
    let mut times: Vec<f64> = (0..STARTS)
        .map(|_| start(&binary).2.as_secs_f64() * 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "start/listening            median {:.1} ms, best {:.1} ms, worst {:.1} ms   (goal: 60 ms)",
        times[STARTS / 2],
        times[0],
        times[STARTS - 1],
    );
    let (running, address, _) = start(&binary);
    sleep(Duration::from_millis(500));
    println!(
        "start/resident, idle       {}   (goal: 25 MB)",
        megabytes(resident(&running))
    );
    for _ in 0..REQUESTS {
        ask(address);
    }
    println!(
        "start/resident, after {REQUESTS} requests   {}",
        megabytes(resident(&running))
    );
}
