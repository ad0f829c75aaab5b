//! Reads foreign documents in a child process of this very program (`waystation __parse`), so that no
//! document can take the gateway down: the child has no environment, limits its own time and memory
//! before it reads a byte, and is killed when it is late or nobody waits for it any more. This file
//! knows the pipe between the two; what is in a document is [`waystation_plugins`]'s.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    thread,
    time::Duration,
};

use async_trait::async_trait;
use rlimit::Resource;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    sync::Semaphore,
    time::timeout,
};
use waystation_core::{Document, DocumentJob, DocumentKind, DocumentLimits, ParseError, Sandbox};
use waystation_plugins::{FileKind, MOST_TEXT, read_document, read_foreign};

/// The command that the child is started with.
pub const COMMAND: &str = "__parse";

/// The memory that a child may map, in bytes: its own program and all that a document makes of it.
const MEMORY: u64 = 512 * 1024 * 1024;

/// The stack of the thread that reads.
const STACK: usize = 16 * 1024 * 1024;

/// How much longer than its own limit a child is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// The most bytes that a child answers: a text, and the few before it.
const MOST_ANSWER: u64 = MOST_TEXT as u64 + 64;

/// What stands for "no pages".
const NO_PAGES: u32 = u32::MAX;

/// Starts a child for each document; at most one for each core.
#[derive(Debug)]
pub struct ChildSandbox {
    program: PathBuf,
    places: Semaphore,
}

/// The sandbox of this program; `None` where it does not know where it is.
#[must_use]
pub fn of_this_program() -> Option<Arc<dyn Sandbox>> {
    let program = std::env::current_exe().ok()?;
    Some(Arc::new(ChildSandbox::new(program)))
}

// === impl ChildSandbox ===

impl ChildSandbox {
    /// Starts children as `program __parse`.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            program,
            places: Semaphore::new(cores),
        }
    }

    /// Hands the document to a child and takes its answer; the child dies with this future.
    async fn ask(&self, job: &DocumentJob) -> io::Result<Vec<u8>> {
        let mut child = Command::new(&self.program)
            .arg(COMMAND)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let send = async {
            // A child that gives up early closes its end; its answer says why.
            let head = head(job);
            let _ = input.write_all(&head).await;
            let _ = input.write_all(&job.bytes).await;
            drop(input);
        };
        let mut answer = Vec::new();
        let mut output = output.take(MOST_ANSWER);
        let (_, read) = tokio::join!(send, output.read_to_end(&mut answer));
        read?;
        child.wait().await?;
        Ok(answer)
    }
}

#[async_trait]
impl Sandbox for ChildSandbox {
    async fn parse(&self, job: DocumentJob) -> Result<Document, ParseError> {
        let size = u64::try_from(job.bytes.len()).unwrap_or(u64::MAX);
        if size > job.limits.bytes {
            let most = job.limits.bytes;
            return Err(refused(format!(
                "expected at most {most} bytes, found {size}"
            )));
        }
        // The place is given back when the child is gone, whoever ended it.
        let _place = self.places.acquire().await;
        let limit = job.limits.time;
        match timeout(limit + GRACE, self.ask(&job)).await {
            Ok(Ok(answer)) => understood(&answer),
            Ok(Err(error)) => Err(refused(format!("the reader could not be started: {error}"))),
            Err(_) => Err(refused(format!(
                "reading it takes longer than {} s",
                limit.as_secs()
            ))),
        }
    }
}

fn refused(reason: impl Into<String>) -> ParseError {
    ParseError {
        reason: reason.into(),
    }
}

// What goes through the pipe: the kind, the most pages, the seconds and the length, then the bytes;
// back come 0 and the pages and the text, or 1 and a reason. Numbers are big-endian.

fn head(job: &DocumentJob) -> Vec<u8> {
    let kind = match job.kind {
        DocumentKind::Pdf => b'p',
        DocumentKind::Archive => b'a',
        DocumentKind::Rtf => b'r',
        DocumentKind::Html => b'h',
        DocumentKind::Table => b'c',
        _ => b't',
    };
    let mut head = vec![kind];
    head.extend_from_slice(&job.limits.pages.to_be_bytes());
    head.extend_from_slice(&job.limits.time.as_secs().max(1).to_be_bytes());
    let length = u64::try_from(job.bytes.len()).unwrap_or(u64::MAX);
    head.extend_from_slice(&length.to_be_bytes());
    head
}

/// Reads a child's answer. One that broke off comes from a child that ran into its limits, or died.
fn understood(answer: &[u8]) -> Result<Document, ParseError> {
    match answer.split_first() {
        Some((0, rest)) => {
            let (pages, text) = rest.split_first_chunk::<4>().ok_or_else(gave_up)?;
            let pages = u32::from_be_bytes(*pages);
            let text = std::str::from_utf8(text).map_err(|_| gave_up())?;
            Ok(Document {
                text: text.to_owned(),
                pages: (pages != NO_PAGES).then_some(pages),
            })
        }
        Some((1, reason)) => Err(refused(String::from_utf8_lossy(reason))),
        _ => Err(gave_up()),
    }
}

fn gave_up() -> ParseError {
    refused("the reader gave up: it takes too much time or memory, or is damaged")
}

/// The child's side: limits itself, reads one document from standard input, and answers on standard
/// output.
///
/// # Errors
/// Where the pipe breaks or the limits cannot be set.
pub fn run() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut kind = [0_u8; 1];
    let (mut pages, mut seconds, mut length) = ([0_u8; 4], [0_u8; 8], [0_u8; 8]);
    input.read_exact(&mut kind)?;
    input.read_exact(&mut pages)?;
    input.read_exact(&mut seconds)?;
    input.read_exact(&mut length)?;
    let limits = DocumentLimits {
        bytes: u64::from_be_bytes(length),
        pages: u32::from_be_bytes(pages),
        time: Duration::from_secs(u64::from_be_bytes(seconds)),
    };
    let seconds = limits.time.as_secs();
    for (what, most) in [
        (Resource::CPU, seconds),
        (Resource::AS, MEMORY),
        (Resource::CORE, 0),
        (Resource::FSIZE, 0),
    ] {
        rlimit::setrlimit(what, most, most)?;
    }
    let mut bytes = Vec::new();
    input.take(limits.bytes).read_to_end(&mut bytes)?;
    // A thread of its own: its panic is an answer, and its stack is large.
    let reader = thread::Builder::new().stack_size(STACK);
    let reader = reader.spawn(move || read(kind, &bytes, &limits))?;
    let read = reader.join().unwrap_or_else(|_| Err(gave_up()));
    let mut answer = Vec::new();
    match read {
        Ok(document) if document.text.len() > MOST_TEXT => {
            answer.push(1);
            let reason = format!("expected at most {MOST_TEXT} bytes of text");
            answer.extend_from_slice(reason.as_bytes());
        }
        Ok(document) => {
            answer.push(0);
            answer.extend_from_slice(&document.pages.unwrap_or(NO_PAGES).to_be_bytes());
            answer.extend_from_slice(document.text.as_bytes());
        }
        Err(error) => {
            answer.push(1);
            answer.extend_from_slice(error.reason.as_bytes());
        }
    }
    // Written to the descriptor itself: standard output's own buffer is looked through for lines.
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    output.write_all(&answer)?;
    output.flush()
}

fn read(kind: [u8; 1], bytes: &[u8], limits: &DocumentLimits) -> Result<Document, ParseError> {
    match &kind {
        b"p" => read_foreign(bytes, DocumentKind::Pdf, limits),
        b"a" => read_foreign(bytes, DocumentKind::Archive, limits),
        b"r" => read_foreign(bytes, DocumentKind::Rtf, limits),
        b"h" => read_document(bytes, FileKind::Html),
        b"c" => read_document(bytes, FileKind::Table),
        _ => read_document(bytes, FileKind::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_broke_off_is_a_refusal() {
        let text =
            |answer: &[u8]| understood(answer).map(|document| (document.text, document.pages));
        assert_eq!(
            text(&[0, 0, 0, 0, 2, b'h', b'i']),
            Ok(("hi".into(), Some(2)))
        );
        assert_eq!(text(&[0, 255, 255, 255, 255]), Ok((String::new(), None)));
        assert_eq!(text(b"\x01too long").unwrap_err().reason, "too long");
        for broken in [&b""[..], &[0], &[0, 0, 0, 0, 1, 0xff], &[7]] {
            assert!(text(broken).unwrap_err().reason.contains("gave up"));
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_refusal() {
        let sandbox = ChildSandbox::new("/nowhere/waystation".into());
        let job = DocumentJob {
            bytes: "x".into(),
            kind: DocumentKind::Pdf,
            limits: DocumentLimits {
                bytes: 9,
                pages: 1,
                time: Duration::from_secs(1),
            },
        };
        let refused = sandbox.parse(job.clone()).await.unwrap_err();
        assert!(refused.reason.contains("could not be started"), "{refused}");
        let job = DocumentJob {
            bytes: "0123456789".into(),
            ..job
        };
        assert!(
            sandbox
                .parse(job)
                .await
                .unwrap_err()
                .reason
                .contains("at most 9 bytes")
        );
    }
}
