//! What a measurement stands on: the mock upstream twice (a stream in one write, and in a write for
//! each event), nginx before both where it is installed, and the gateway with a client key, two
//! bundled providers and one of the configuration.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use super::{
    load::{KEY, now},
    process::Running,
};
use crate::failure::Failure;

/// Everything that runs.
pub(crate) struct Stage {
    binary: PathBuf,
    folder: PathBuf,
    mocks: [(Running, u16); 2],
    nginx: Option<(Running, u16, u16)>,
    gateway: (Running, u16),
    started: Duration,
}

// === impl Stage ===

impl Stage {
    /// Starts everything, the gateway last.
    pub(crate) fn set(binary: &Path) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("waystation-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| Failure::at(&folder, error))?;
        let mocks = [mock(binary, false)?, mock(binary, true)?];
        let ports = [mocks[0].1, mocks[1].1];
        let nginx = nginx(&folder, ports)?;
        let (gateway, started) = gateway(binary, &folder, ports)?;
        Ok(Self {
            binary: binary.to_owned(),
            folder,
            mocks,
            nginx,
            gateway,
            started,
        })
    }

    /// The gateway, and where it listens.
    pub(crate) const fn gateway(&self) -> (&Running, u16) {
        (&self.gateway.0, self.gateway.1)
    }

    /// nginx, and where it listens for either mock.
    pub(crate) fn nginx(&self) -> Option<(&Running, u16, u16)> {
        self.nginx
            .as_ref()
            .map(|(nginx, one, two)| (nginx, *one, *two))
    }

    /// Starts another gateway like the one that runs.
    pub(crate) fn another(&self) -> Result<((Running, u16), Duration), Failure> {
        gateway(
            &self.binary,
            &self.folder,
            [self.mocks[0].1, self.mocks[1].1],
        )
    }

    /// How long the gateway took from its start to its first connection.
    pub(crate) const fn started(&self) -> Duration {
        self.started
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Left-overs in the folder for temporary files harm nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A chat body with a prompt of about `bytes` bytes.
pub(crate) fn chat(model: &str, bytes: usize, stream: bool) -> String {
    let text = "The quick brown fox says \\\"hello\\\" to the lazy dog.\\n";
    let text = text.repeat(bytes.div_ceil(text.len()));
    let stream = if stream { ",\"stream\":true" } else { "" };
    format!(
        r#"{{"model":"{model}","messages":[{{"role":"system","content":"You are a terse assistant."}},{{"role":"user","content":"{text}"}}],"temperature":0.7,"max_tokens":256{stream}}}"#
    )
}

/// A chat body with a picture of about `bytes` bytes of base64.
pub(crate) fn picture(model: &str, bytes: usize) -> String {
    // What begins every PNG, and more of the same: nobody looks further.
    let data = "iVBORw0KGgoAAAANSUhEUgAA".repeat(bytes.div_ceil(24));
    format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":[{{"type":"text","text":"What is this?"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}],"max_tokens":256}}"#
    )
}

fn mock(binary: &Path, piecemeal: bool) -> Result<(Running, u16), Failure> {
    let port = free_port()?;
    let mut command = Command::new(binary);
    command.args([
        "mock",
        "--at-once",
        "--listen",
        &format!("127.0.0.1:{port}"),
    ]);
    if piecemeal {
        command.arg("--piecemeal");
    }
    let running = Running::start(&mut command)?;
    listening(port, "the mock upstream")?;
    Ok((running, port))
}

/// nginx as a proxy that does nothing: connections to the upstream are kept, nothing is buffered on
/// disk, nothing is logged.
fn nginx(folder: &Path, mocks: [u16; 2]) -> Result<Option<(Running, u16, u16)>, Failure> {
    if Command::new("nginx").arg("-v").output().is_err() {
        return Ok(None);
    }
    let ports = [free_port()?, free_port()?];
    let here = folder.display();
    let mut servers = String::new();
    for (number, (port, mock)) in ports.into_iter().zip(mocks).enumerate() {
        servers.push_str(&format!(
            "upstream up{number} {{ server 127.0.0.1:{mock}; keepalive 64; keepalive_requests 100000000; }}\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://up{number}; \
             proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off; }} }}\n"
        ));
    }
    let conf = format!(
        "daemon off; worker_processes auto; pid {here}/nginx.pid; error_log {here}/error.log crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 100000000; client_max_body_size 64m; \
         client_body_buffer_size 8m; client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; \
         fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n{servers}}}\n"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, conf).map_err(|error| Failure::at(&path, error))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(&path);
    let running = Running::start(&mut command)?;
    listening(ports[0], "nginx")?;
    Ok(Some((running, ports[0], ports[1])))
}

fn gateway(
    binary: &Path,
    folder: &Path,
    mocks: [u16; 2],
) -> Result<((Running, u16), Duration), Failure> {
    let port = free_port()?;
    let config = format!(
        "[server]\nlisten = '127.0.0.1:{port}'\nadmin_listen = 'off'\n\
         [auth]\nkeys = ['{KEY}']\n\
         [limits]\nmax_concurrent = 4096\n\
         [providers.openai]\napi_key = 'sk-bench'\nbase_url = 'http://127.0.0.1:{one}/v1'\n\
         [providers.anthropic]\napi_key = 'sk-bench'\nbase_url = 'http://127.0.0.1:{one}'\n\
         [providers.pieces]\nname = 'Pieces'\ndialect = 'openai-chat'\napi_key = 'sk-bench'\n\
         base_url = 'http://127.0.0.1:{two}/v1'\n\
         [[models]]\nid = 'bench/pieces'\ncontext_length = 4000000\n\
         [[models.endpoints]]\nprovider = 'pieces'\nmodel = 'pieces'\n\
         price = {{ prompt = '0.10', completion = '0.40' }}\n",
        one = mocks[0],
        two = mocks[1],
    );
    let path = folder.join(format!("waystation-{port}.toml"));
    fs::write(&path, config).map_err(|error| Failure::at(&path, error))?;
    let mut command = Command::new(binary);
    command.args(["serve", "--config"]).arg(&path).env_clear();
    let begin = now();
    let running = Running::start(&mut command)?;
    listening(port, "the gateway")?;
    Ok(((running, port), begin.elapsed()))
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::new)?;
    Ok(listener.local_addr().map_err(Failure::new)?.port())
}

/// Waits until somebody listens.
fn listening(port: u16, who: &str) -> Result<(), Failure> {
    let begin = now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if begin.elapsed() > Duration::from_secs(10) {
            return Err(Failure::new(format!("{who} does not listen")));
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}
