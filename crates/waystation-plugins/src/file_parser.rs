//! `file-parser`: files in prompts become text for models that take no files. How a file is read is
//! [`crate::read_document`]'s, or the sandbox's; here is which, when, and what is said of it.

mod attachment;
mod rewrite;

use std::time::Duration;

use async_trait::async_trait;
use attachment::{Attachment, Source};
use bytes::Bytes;
use waystation_core::{
    AskHints, ChatEvent, ChatRequest, Cx, Delta, DocumentJob, DocumentLimits, Endpoint, ErrorType,
    Json, Modality, Options, OutputStage, Plugin, PluginError, PluginId, RawJson, Run, StageReport,
    Usd,
};

use crate::{FileKind, documents::MOST_TEXT, read_document};

const ID: &str = "file-parser";

/// What reading one document may take.
const LIMITS: DocumentLimits = DocumentLimits {
    bytes: 64 * 1024 * 1024,
    pages: 2_000,
    time: Duration::from_secs(10),
};

/// The plugin `file-parser`.
///
/// Acts on every request with a `file` part, listed or not. Text, markdown, JSON, CSV and HTML in a
/// data URL (or in bare base64) are read here; PDF, Office, OpenDocument, EPUB and RTF in the sandbox,
/// where [`sandboxed`](Self::sandboxed) says that it reads them. An endpoint that takes files gets a PDF as it came unless the entry names an
/// engine in `pdf.engine`: `cloudflare-ai` and `pdf-text` are the own reader, `native` is the
/// endpoint. The text takes the part's place between `<file name="...">` and `</file>`.
///
/// The reply has an annotation for each file that was read, with the SHA-256 of its bytes; sent back
/// in an assistant message, it takes the place of reading the same file again. Files by address or
/// by id, and formats that are not read here, go only to endpoints that take files.
///
/// Register it as enabled: it does nothing for requests without files.
///
/// ```
/// use waystation_core::{AskHints, ChatRequest, Modality, Options, Plugin, RawJson};
/// use waystation_plugins::FileParser;
///
/// let body = br#"{"messages": [{"role": "user", "content": [{"type": "file", "file":
///     {"filename": "a.csv", "file_data": "data:text/csv;base64,YSxiCjEsMgo="}}]}]}"#;
/// let chat = ChatRequest::parse(&body.as_slice().into())?;
/// let options = Options { entry: RawJson::of(&[("id", "file-parser")]) };
/// let (parser, mut hints) = (FileParser::default(), AskHints::default());
/// parser.begin(&chat, &options)?.expect("there is a file").hint(&mut hints);
/// assert!(hints.handled.has(Modality::File), "a model without file input will do");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: API contract, section 7.2, 2026-11-22.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileParser {
    /// There is a sandbox, and it reads what [`FileKind::sandboxed`] names.
    pub sandboxed: bool,
}

/// Who reads PDFs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    /// The endpoint where it takes files, and else the own reader.
    Either,
    /// The endpoint.
    Native,
    /// The own reader.
    Own,
}

/// At work on one request.
struct Parsing {
    engine: Engine,
    sandboxed: bool,
    files: Vec<Attachment>,
    /// Which files the attempt under way got as text.
    sent: Vec<usize>,
}

/// Adds the annotations to a reply.
struct Annotate {
    annotations: Option<RawJson>,
}

// === impl FileParser ===

impl Plugin for FileParser {
    fn id(&self) -> PluginId {
        PluginId::from_static(ID)
    }

    fn begin(
        &self,
        chat: &ChatRequest,
        options: &Options,
    ) -> Result<Option<Box<dyn Run>>, PluginError> {
        let engine = engine(options)?;
        let files = Attachment::all(chat);
        if files.is_empty() {
            return Ok(None);
        }
        Ok(Some(Box::new(Parsing {
            engine,
            sandboxed: self.sandboxed,
            files,
            sent: Vec::new(),
        })))
    }
}

/// The engine that the entry names.
fn engine(options: &Options) -> Result<Engine, PluginError> {
    let named = options.entry.json().at(&["pdf", "engine"]);
    let Some(named) = named.filter(|named| !named.is_null()) else {
        return Ok(Engine::Either);
    };
    match named.string().as_deref() {
        Some("native") => Ok(Engine::Native),
        Some("cloudflare-ai" | "pdf-text") => Ok(Engine::Own),
        Some("mistral-ocr") => Err(refused(
            "pdf.engine: this build has no OCR; use \"cloudflare-ai\" for PDFs with text, or \"native\" with a model that takes files",
        )),
        _ => Err(refused(format!(
            "pdf.engine: expected one of native, cloudflare-ai, pdf-text, mistral-ocr, found {}",
            named.text()
        ))),
    }
}

fn refused(message: impl Into<String>) -> PluginError {
    PluginError {
        kind: ErrorType::InvalidRequest,
        plugin: PluginId::from_static(ID),
        message: message.into(),
    }
}

// === impl Parsing ===

#[async_trait]
impl Run for Parsing {
    async fn prepare(
        &mut self,
        chat: &mut ChatRequest,
        _: &mut AskHints,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        // What is cheap to read and goes as text wherever it goes is read once, here, so that its
        // errors are the request's and not an endpoint's.
        for file in &mut self.files {
            let Source::Inline(kind) = file.source else {
                continue;
            };
            if kind.sandboxed().is_some() || matches!(kind, FileKind::Foreign(_)) {
                continue;
            }
            let bytes = file.bytes(chat).map_err(refused)?;
            if !file.recall(chat, &bytes) {
                let read = read_document(&bytes, kind);
                let read = read.map_err(|error| refused(format!("{}: {error}", file.title())))?;
                file.keep(&read.text);
            }
        }
        Ok(())
    }

    fn hint(&self, hints: &mut AskHints) {
        let able = |file: &Attachment| match file.source {
            Source::Inline(FileKind::Pdf) => self.sandboxed && self.engine != Engine::Native,
            Source::Inline(FileKind::Archive | FileKind::Rtf) => self.sandboxed,
            Source::Inline(FileKind::Foreign(_)) | Source::Elsewhere => false,
            Source::Inline(_) => true,
        };
        if self.files.iter().all(able) {
            hints.handled = hints.handled.with(Modality::File);
        }
    }

    async fn adapt(
        &mut self,
        chat: &mut ChatRequest,
        to: &Endpoint,
        cx: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        self.sent.clear();
        let started = cx.clock.now().tick;
        let native = to.input.has(Modality::File);
        for at in 0..self.files.len() {
            if self.wants_text(at, native) {
                self.read(at, chat, cx).await?;
                self.sent.push(at);
            }
        }
        rewrite::in_place(chat, &self.files, &self.sent);
        if !self.sent.is_empty() {
            let names: Vec<String> = self.sent_files().map(Attachment::title).collect();
            cx.stage(StageReport {
                plugin: PluginId::from_static(ID),
                summary: format!("read {}", names.join(", ")),
                data: Some(RawJson::of(&serde_json::json!({ "files": names.len() }))),
                fee: Usd::ZERO,
                took: cx.clock.now().tick.since(started),
            });
        }
        Ok(())
    }

    fn salvage(&self) -> Option<RawJson> {
        rewrite::annotations(self.files.iter())
    }

    fn output(&mut self) -> Option<Box<dyn OutputStage>> {
        let annotations = rewrite::annotations(self.sent_files())?;
        Some(Box::new(Annotate {
            annotations: Some(annotations),
        }))
    }
}

impl Parsing {
    fn sent_files(&self) -> impl Iterator<Item = &Attachment> {
        self.sent.iter().filter_map(|at| self.files.get(*at))
    }

    /// Whether a file goes to this endpoint as text.
    fn wants_text(&self, at: usize, native: bool) -> bool {
        let Some(file) = self.files.get(at) else {
            return false;
        };
        match file.source {
            Source::Inline(FileKind::Pdf) => match self.engine {
                Engine::Native => false,
                Engine::Own => true,
                Engine::Either => !native,
            },
            // Few of the endpoints that take files take these.
            Source::Inline(FileKind::Archive | FileKind::Rtf) => self.sandboxed || !native,
            Source::Inline(FileKind::Foreign(_)) | Source::Elsewhere => !native,
            Source::Inline(_) => true,
        }
    }

    /// Makes sure that the file's text is there.
    async fn read(
        &mut self,
        at: usize,
        chat: &ChatRequest,
        cx: &Cx<'_>,
    ) -> Result<(), PluginError> {
        let Some(file) = self.files.get_mut(at) else {
            return Ok(());
        };
        if file.is_read() {
            return Ok(());
        }
        let kind = match file.source {
            Source::Inline(kind) => kind,
            Source::Elsewhere => {
                return Err(refused(format!(
                    "{}: a file by address or id goes only to models that take files; send it as a data URL",
                    file.title()
                )));
            }
        };
        let bytes = file.bytes(chat).map_err(refused)?;
        if file.recall(chat, &bytes) {
            return Ok(());
        }
        let failed =
            |error: waystation_core::ParseError| refused(format!("{}: {error}", file.title()));
        let document = match kind.sandboxed() {
            Some(kind) => {
                let job = DocumentJob {
                    bytes: Bytes::from(bytes),
                    kind,
                    limits: LIMITS,
                };
                cx.sandbox.parse(job).await.map_err(failed)?
            }
            None => read_document(&bytes, kind).map_err(failed)?,
        };
        if document.text.trim().is_empty() {
            let reason = match kind {
                FileKind::Pdf => {
                    "it has no text layer, so only OCR (\"mistral-ocr\") or a model that takes files can read it"
                }
                _ => "it holds no text",
            };
            return Err(refused(format!("{}: {reason}", file.title())));
        }
        if document.text.len() > MOST_TEXT {
            return Err(refused(format!(
                "{}: its text is over {MOST_TEXT} bytes",
                file.title()
            )));
        }
        file.keep(&document.text);
        Ok(())
    }
}

// === impl Annotate ===

impl OutputStage for Annotate {
    fn event(&mut self, event: ChatEvent, out: &mut Vec<ChatEvent>) -> Result<(), PluginError> {
        // Before the end of the first choice, so that streams and whole replies have them alike.
        if matches!(&event, ChatEvent::Finish(finish) if finish.choice == 0)
            && let Some(annotations) = self.annotations.take()
        {
            let mut delta = Delta::of(0);
            delta.annotations = Some(annotations);
            out.push(ChatEvent::Delta(delta));
        }
        out.push(event);
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<ChatEvent>) -> Result<(), PluginError> {
        Ok(())
    }
}

/// The `file` parts of a message's content, with their places in it.
fn file_parts(message: Json<'_>) -> impl Iterator<Item = (usize, Json<'_>)> {
    let parts = message.get("content").into_iter().flat_map(Json::elements);
    parts
        .enumerate()
        .filter(|(_, part)| part.get("type").is_some_and(|kind| kind.is("file")))
}

#[cfg(test)]
mod tests;
