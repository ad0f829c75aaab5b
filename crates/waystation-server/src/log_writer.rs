//! Where log lines go: to standard error, at once, but for a thread that serves requests. That one
//! keeps its lines until it has nothing else to do, which under load saves a system call a request and
//! otherwise delays nothing: a thread without work writes before it waits, and does not wait for another
//! that writes, but leaves it its lines. What a line looks like is another module's.

use std::{
    cell::RefCell,
    io::{self, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use crossbeam_queue::SegQueue;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept are written when they come to this many bytes, work or no work.
const MOST: usize = 16 * 1024;
/// So many lots of lines are left to a thread that writes; beyond, standard error is too slow for the load, and
/// whoever comes waits for it.
const MOST_LEFT: usize = 256;

/// Whose turn it is to write what threads have kept.
static PEN: Pen = Pen::new();

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

/// One thread writes at a time, and also what others would have written meanwhile.
#[derive(Debug)]
struct Pen {
    taken: AtomicBool,
    left: SegQueue<Vec<u8>>,
}

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
        PEN.write(lines, to_stderr);
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
        to_stderr(&line);
    }
}

fn to_stderr(lines: &[u8]) {
    // Whoever closed standard error does not want them.
    let _ = io::stderr().write_all(lines);
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

// === impl Pen ===

impl Pen {
    const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            left: SegQueue::new(),
        }
    }

    /// Writes `lines` by `out`, or leaves them to whoever writes now. When all that were called at the same
    /// time have returned, all is written, and each thread's lines in their order.
    fn write(&self, lines: &[u8], out: impl Fn(&[u8])) {
        if self.left.is_empty() && self.take() {
            out(lines);
            self.put_down();
        } else if self.left.len() < MOST_LEFT {
            self.left.push(lines.to_vec());
        } else {
            out(lines);
        }
        // Whoever leaves lines sees that somebody has the pen: they look behind themselves when they put it
        // down.
        while !self.left.is_empty() && self.take() {
            while let Some(lines) = self.left.pop() {
                out(&lines);
            }
            self.put_down();
        }
    }

    fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::AcqRel)
    }

    /// Both swap, so that who puts it down sees what was left by who found it taken.
    fn put_down(&self) {
        self.taken.swap(false, Ordering::AcqRel);
    }
}

// === impl Line ===

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

    /// Whoever writes is alone with it, and when all are done nothing is left.
    #[test]
    fn threads_leave_their_lines_to_the_one_that_writes() {
        let (pen, alone, paper) = (Pen::new(), AtomicBool::new(false), SegQueue::new());
        let out = |lines: &[u8]| {
            assert!(!alone.swap(true, Ordering::AcqRel));
            paper.push(lines.to_vec());
            alone.store(false, Ordering::Release);
        };
        std::thread::scope(|threads| {
            for thread in 0..4_u8 {
                let (pen, out) = (&pen, &out);
                threads.spawn(move || (0..200).for_each(|line| pen.write(&[thread, line], out)));
            }
        });
        let written: Vec<Vec<u8>> = paper.into_iter().collect();
        assert_eq!(written.len(), 800);
        for thread in 0..4 {
            let own = written.iter().filter(|line| line[0] == thread);
            assert!(own.map(|line| line[1]).eq(0..200));
        }
    }

    #[test]
    fn who_finds_the_pen_taken_does_not_wait() {
        let (pen, paper) = (Pen::new(), SegQueue::new());
        assert!(pen.take());
        pen.write(b"one", |_| panic!("there are two pens"));
        pen.put_down();
        pen.write(b"two", |lines| paper.push(lines.to_vec()));
        assert_eq!(paper.into_iter().collect::<Vec<_>>(), [b"one", b"two"]);
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
