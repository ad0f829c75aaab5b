//! Where log lines go: to standard error, at once, but for a thread that serves requests. That one
//! keeps its lines until it has nothing else to do, which under load saves a system call a request and
//! otherwise delays nothing: a thread without work writes before it waits. What a line looks like is
//! another module's.

use std::{
    cell::RefCell,
    io::{self, Write as _},
};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept are written when they come to this many bytes, work or no work.
const MOST: usize = 16 * 1024;

thread_local! {
    /// The lines that this thread keeps; `None` for one that writes at once.
    static KEPT: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Makes writers of log lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lines;

/// Writes one line.
#[derive(Debug)]
pub(crate) struct Line;

/// Keeps this thread's lines from now on. It must [`release`] them before it waits.
pub(crate) fn keep() {
    KEPT.with(|kept| kept.replace(Some(Vec::with_capacity(MOST))));
}

/// Writes what this thread has kept.
pub(crate) fn release() {
    KEPT.with(|kept| {
        let mut kept = kept.borrow_mut();
        let Some(lines) = kept.as_mut().filter(|lines| !lines.is_empty()) else {
            return;
        };
        // Whoever closed standard error does not want them.
        let _ = io::stderr().write_all(lines);
        lines.clear();
    });
}

/// What this thread has kept, for tests: it keeps nothing more.
#[cfg(test)]
pub(crate) fn taken() -> Vec<u8> {
    KEPT.with(|kept| kept.replace(None)).unwrap_or_default()
}

/// Writes what this thread has kept, and keeps nothing more.
pub(crate) fn end() {
    release();
    KEPT.with(|kept| kept.replace(None));
}

/// Writes one line that `fill` appends to a buffer, where the thread keeps lines to the others.
pub(crate) fn write(fill: impl Fn(&mut Vec<u8>)) {
    if !kept(&fill) {
        let mut line = Vec::new();
        fill(&mut line);
        // Whoever closed standard error does not want it.
        let _ = io::stderr().write_all(&line);
    }
}

/// Whether the line is kept.
fn kept(fill: impl FnOnce(&mut Vec<u8>)) -> bool {
    let full = KEPT.with(|kept| {
        kept.borrow_mut().as_mut().map(|lines| {
            fill(lines);
            lines.len() >= MOST
        })
    });
    if full == Some(true) {
        release();
    }
    full.is_some()
}

impl MakeWriter<'_> for Lines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line
    }
}

impl io::Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !kept(|lines| lines.extend_from_slice(line)) {
            io::stderr().write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length() -> Option<usize> {
        KEPT.with(|kept| kept.borrow().as_ref().map(Vec::len))
    }

    fn keeps(line: &[u8]) -> bool {
        kept(|lines| lines.extend_from_slice(line))
    }

    #[test]
    fn lines_are_kept_by_threads_that_said_so_until_they_wait_or_are_many() {
        assert!(!keeps(b"at once\n"));
        keep();
        assert!(keeps(b"one\n") && keeps(b"two\n"));
        assert_eq!(length(), Some(8));
        release();
        assert_eq!(length(), Some(0));
        assert!(keeps(&[b'\n'; MOST]));
        assert_eq!(length(), Some(0));
        let elsewhere = std::thread::spawn(|| keeps(b"at once\n"));
        assert!(!elsewhere.join().unwrap());
        end();
        assert_eq!((length(), keeps(b"at once\n")), (None, false));
    }
}
