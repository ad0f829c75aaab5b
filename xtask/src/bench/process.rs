//! Programs that a measurement runs: started, looked at in `/proc`, and ended with their handle.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::failure::Failure;

/// A program that is killed with its handle.
pub(crate) struct Running(Child);

/// Ticks of `/proc/PID/stat` in a second: fixed on Linux, whatever the kernel's own clock does.
const TICKS: u64 = 100;

impl Drop for Running {
    fn drop(&mut self) {
        // A server that is asked to end ends its own children; one that is killed may not.
        let id = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        for _ in 0..50 {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// === impl Running ===

impl Running {
    /// Starts `command` with its output thrown away.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn();
        let name = command.get_program().to_string_lossy().into_owned();
        child
            .map(Self)
            .map_err(|error| Failure::new(format!("{name} cannot be started: {error}")))
    }

    /// User and system time of the process and its children.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let mut ticks = 0;
        for id in self.all() {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).map_err(Failure::new)?;
            // The second field is a name in brackets, which may hold spaces.
            let fields = stat.rsplit(')').next().unwrap_or_default();
            let mut fields = fields.split_whitespace().skip(11);
            for field in [fields.next(), fields.next()] {
                let field = field.and_then(|field| field.parse::<u64>().ok());
                ticks += field.ok_or_else(|| Failure::new("/proc/PID/stat has no times"))?;
            }
        }
        Ok(Duration::from_millis(ticks * 1_000 / TICKS))
    }

    /// Resident memory in MB.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let path = format!("/proc/{}/status", self.0.id());
        let status = fs::read_to_string(path).map_err(Failure::new)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes
            .map(|kilobytes| kilobytes / 1_000.0)
            .ok_or_else(|| Failure::new("/proc/PID/status has no VmRSS"))
    }

    /// The process, and the processes that it has started.
    fn all(&self) -> Vec<u32> {
        let own = self.0.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|id| id.parse().ok());
        std::iter::once(own).chain(children).collect()
    }
}
