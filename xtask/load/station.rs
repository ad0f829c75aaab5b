//! The processes under load: the mock, and the gateway before it, each on a free port, both ended with
//! this value. Looks at them from outside, through `/proc`.

use std::{
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{net::TcpStream, time::sleep};

use crate::Failure;

/// A running gateway and its upstream.
pub(crate) struct Station {
    gateway: Process,
    _mock: Process,
    folder: PathBuf,
    /// Where the gateway listens.
    pub(crate) authority: String,
}

/// A process that ends with this value.
struct Process(Child);

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// Resident memory, in KiB.
    pub(crate) kib: u64,
    /// Open files.
    pub(crate) files: usize,
}

// === impl Station ===

impl Station {
    /// Starts both. `script` is the mock's, `config` more of the gateway's; the model `acme/load` is
    /// served by A and, dearer, by B, which call it `a` and `b`.
    pub(crate) async fn start(binary: &str, script: &str, config: &str) -> Result<Self, Failure> {
        let binary = fs::canonicalize(binary)?;
        let folder = std::env::temp_dir().join(format!("waystation-load-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let (mock_port, port) = (free_port()?, free_port()?);
        fs::write(folder.join("faults.toml"), script)?;
        let mut text = format!(
            "[server]\nlisten = '127.0.0.1:{port}'\nadmin_listen = 'off'\n[catalog]\nbundled = false\n\
             [routing]\nsort = 'price'\n[limits]\nmax_concurrent = 20000\n{config}\n\
             [[models]]\nid = 'acme/load'\n"
        );
        for (price, slug) in ["a", "b"].into_iter().enumerate() {
            let price = price + 1;
            write!(
                text,
                "[[models.endpoints]]\nprovider = '{slug}'\nmodel = '{slug}'\n\
                 price = {{ prompt = '{price}', completion = '{price}' }}\n"
            )?;
        }
        for slug in ["a", "b"] {
            write!(
                text,
                "[providers.{slug}]\nname = '{slug}'\ndialect = 'openai-chat'\n\
                 base_url = 'http://127.0.0.1:{mock_port}/v1'\napi_key = 'key-of-{slug}'\n"
            )?;
        }
        fs::write(folder.join("waystation.toml"), text)?;
        let start = |arguments: &[&str], log: &str| -> Result<Process, Failure> {
            let log = fs::File::create(folder.join(log))?;
            let mut command = Command::new(&binary);
            command.args(arguments).current_dir(&folder).env_clear();
            command.env("WAYSTATION_LOG", "warn");
            command
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log);
            Ok(Process(command.spawn()?))
        };
        let mock_at = format!("127.0.0.1:{mock_port}");
        let mock = start(
            &[
                "mock",
                "--instant",
                "--listen",
                &mock_at,
                "--script",
                "faults.toml",
            ],
            "mock.log",
        )?;
        let gateway = start(&["serve", "--config", "waystation.toml"], "gateway.log")?;
        let authority = format!("127.0.0.1:{port}");
        for at in [&mock_at, &authority] {
            listening(at).await?;
        }
        Ok(Self {
            gateway,
            _mock: mock,
            folder,
            authority,
        })
    }

    /// What the gateway holds now.
    pub(crate) fn held(&self) -> Result<Held, Failure> {
        let id = self.gateway.0.id();
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        let kib = kib.ok_or("the gateway is gone")?.parse()?;
        let files = fs::read_dir(format!("/proc/{id}/fd"))?.count();
        Ok(Held { kib, files })
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        // What is left behind is in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Until somebody listens there.
async fn listening(at: &str) -> Result<(), Failure> {
    for _ in 0..500 {
        if TcpStream::connect(at).await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err(format!("nobody listens at {at}").into())
}
