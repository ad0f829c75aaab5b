//! `file-parser`: files in prompts become text for models that take no files. How a file is read is
//! [`crate::read_document`]'s, the sandbox's, or an OCR service's; here is which, when, and what is said
//! of it.

mod annotation;
mod attachment;
mod ocr;
mod rewrite;

use std::{collections::HashMap, sync::Arc, time::Duration};

use annotation::Annotate;
use async_trait::async_trait;
use attachment::{Attachment, Content, Parts, Source};
use bytes::Bytes;
pub use ocr::OcrService;
use waystation_core::{
    AskHints, ChatRequest, Cx, DataCollection, DocumentJob, DocumentLimits, Endpoint, ErrorType,
    FetchLimits, Fetcher, Json, Kind, Modality, Options, OutputStage, Plugin, PluginError,
    PluginId, ProviderPreferences, RawJson, Run, Spent, StageReport, Usd,
};

use crate::{
    FileKind,
    documents::{ENCRYPTED, MOST_TEXT, is_encrypted_office},
    read_document,
};

const ID: &str = "file-parser";

/// What reading one document may take.
const LIMITS: DocumentLimits = DocumentLimits {
    bytes: 64 * 1024 * 1024,
    pages: 2_000,
    time: Duration::from_secs(10),
};

/// The largest text that is read in this process, in bytes: what is larger would keep others waiting.
const MOST_HERE: usize = 1024 * 1024;

/// The most files that one request may have fetched.
const MOST_FETCHED: usize = 16;

/// The plugin `file-parser`.
///
/// Acts on every request with a `file` part, listed or not. Text, markdown, JSON, CSV and HTML in a
/// data URL (or in bare base64) are read here; PDF, Office, OpenDocument, EPUB and RTF in the sandbox,
/// where [`sandboxed`](Self::sandboxed) says that it reads what [`FileKind::sandboxed`] names. An
/// endpoint that takes files gets a PDF as it came unless the entry names an engine in `pdf.engine`:
/// `cloudflare-ai` and `pdf-text` are the own reader, `native` is the endpoint, `mistral-ocr` is the
/// [OCR service](Self::ocr). The text takes the part's place between `<file name="...">` and `</file>`.
///
/// Files behind an address of the web are [fetched](Self::fetch) for endpoints that take no files, and
/// where an engine is named.
///
/// The reply has an annotation for each file that was read, with the SHA-256 of its bytes; sent back
/// in an assistant message, it takes the place of reading the same file again. Files by id, and formats
/// that are not read here, go only to endpoints that take files.
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
#[derive(Clone, Debug, Default)]
pub struct FileParser {
    /// There is a sandbox, and it reads what [`FileKind::sandboxed`] names.
    pub sandboxed: bool,
    /// Who fetches files by address, and within which limits; `None` leaves them to endpoints.
    pub fetch: Option<(Arc<dyn Fetcher>, FetchLimits)>,
    /// Who reads scans for requests that ask for it.
    pub ocr: Option<OcrService>,
    /// Every prompt is to be treated as if it said `zdr: true`.
    pub private: bool,
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
    /// The OCR service.
    Ocr,
}

/// At work on one request.
struct Parsing {
    engine: Engine,
    parser: FileParser,
    files: Vec<Attachment>,
    /// Which files the attempt under way got as text.
    sent: Vec<usize>,
    /// Those that could not be read: they are not tried again for the next endpoint.
    failed: HashMap<usize, PluginError>,
    /// What OCR did, for each file that it read.
    recognised: HashMap<usize, StageReport>,
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
        if engine == Engine::Ocr {
            self.may_ask(chat)?;
        }
        let files = Attachment::all(chat);
        if files.is_empty() {
            return Ok(None);
        }
        let named = files.iter().filter(|file| file.source == Source::Address);
        let named = named.count();
        if self.fetch.is_some() && named > MOST_FETCHED {
            return Err(refused(format!(
                "expected at most {MOST_FETCHED} files by address, found {named}"
            )));
        }
        Ok(Some(Box::new(Parsing {
            engine,
            parser: self.clone(),
            files,
            sent: Vec::new(),
            failed: HashMap::new(),
            recognised: HashMap::new(),
        })))
    }
}

impl FileParser {
    /// Whether there is an OCR service that may see this prompt.
    fn may_ask(&self, chat: &ChatRequest) -> Result<(), PluginError> {
        let ocr = self.ocr.as_ref().ok_or_else(|| {
            refused(
                "pdf.engine: \"mistral-ocr\" is not configured; set [plugins.file-parser] mistral_ocr = { api_key = \"...\" }, or use \"cloudflare-ai\" for PDFs with text",
            )
        })?;
        // Preferences that make no sense are refused before any plugin is asked.
        let wishes = ProviderPreferences::of(chat).unwrap_or_default();
        let private = wishes.zdr || wishes.data_collection == Some(DataCollection::Deny);
        if (self.private || private) && !ocr.zdr {
            return Err(refused(
                "pdf.engine: \"mistral-ocr\" may not see this prompt, which wants zero data retention; declare `zdr = true` under [plugins.file-parser] mistral_ocr if it promises that, or use \"cloudflare-ai\"",
            ));
        }
        Ok(())
    }
}

/// The engine that the entry names.
fn engine(options: &Options) -> Result<Engine, PluginError> {
    let named = options.get("pdf").and_then(|pdf| pdf.get("engine"));
    let Some(named) = named.filter(|named| !named.is_null()) else {
        return Ok(Engine::Either);
    };
    match named.string().as_deref() {
        Some("native") => Ok(Engine::Native),
        Some("cloudflare-ai" | "pdf-text") => Ok(Engine::Own),
        Some("mistral-ocr") => Ok(Engine::Ocr),
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
        cx: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        // What goes as text wherever it goes and is cheap to read is read here, so that errors are the
        // request's and not an endpoint's. What costs time or money waits for the first endpoint that
        // needs it: a request that nobody can serve costs neither.
        let parts = Parts::of(chat);
        for at in 0..self.files.len() {
            let source = self.files.get(at).map(|file| file.source);
            match source {
                Some(Source::Inline(FileKind::Text | FileKind::Html | FileKind::Table)) => {
                    self.read(at, &parts, cx).await?;
                }
                // Which no model could read either.
                Some(Source::Inline(FileKind::Foreign(_))) => self.is_open(at, &parts)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn hint(&self, hints: &mut AskHints) {
        let sandboxed = self.parser.sandboxed;
        let own = self.engine != Engine::Native;
        let able = |file: &Attachment| match file.source {
            Source::Inline(FileKind::Pdf) => own && (sandboxed || self.engine == Engine::Ocr),
            Source::Inline(FileKind::Archive | FileKind::Rtf) => sandboxed,
            Source::Address => own && sandboxed && self.parser.fetch.is_some(),
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
        let parts = Parts::of(chat);
        for at in 0..self.files.len() {
            if self.wants_text(at, native) {
                self.read_once(at, &parts, cx).await?;
                self.sent.push(at);
            }
        }
        rewrite::in_place(chat, &self.files, &self.sent, to.input.has(Modality::Image));
        if !self.sent.is_empty() {
            for at in &self.sent {
                if let Some(report) = self.recognised.get(at) {
                    cx.stage(report.clone());
                }
            }
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

    fn spent(&self) -> Spent {
        Spent {
            fee: self.recognised.values().map(|report| report.fee).sum(),
            ..Spent::default()
        }
    }

    fn salvage(&self) -> Option<RawJson> {
        annotation::of(self.files.iter())
    }

    fn lacks(&self) -> Option<PluginError> {
        // No text model would do: what else is tried is told with the reason.
        let foreign = self.files.iter().find_map(|file| match file.source {
            Source::Inline(kind @ FileKind::Foreign(_)) => Some((file, kind)),
            _ => None,
        });
        let (file, kind) = foreign?;
        let error = read_document(&[], kind).err()?;
        Some(refused(format!("{}: {error}", file.title())))
    }

    fn output(&mut self) -> Option<Box<dyn OutputStage>> {
        let annotations = annotation::of(self.sent_files())?;
        Some(Box::new(Annotate::with(annotations)))
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
            Source::Inline(FileKind::Pdf) | Source::Address => match self.engine {
                Engine::Native => false,
                Engine::Own | Engine::Ocr => true,
                Engine::Either => !native,
            },
            // Few of the endpoints that take files take these.
            Source::Inline(FileKind::Archive | FileKind::Rtf) => self.parser.sandboxed || !native,
            Source::Inline(FileKind::Foreign(_)) | Source::Elsewhere => !native,
            Source::Inline(_) => true,
        }
    }

    /// Refuses an Office file with a password.
    fn is_open(&self, at: usize, parts: &Parts<'_>) -> Result<(), PluginError> {
        let Some(file) = self.files.get(at) else {
            return Ok(());
        };
        let bytes = file.bytes(parts).map_err(refused)?;
        if is_encrypted_office(&bytes) {
            return Err(refused(format!("{}: {ENCRYPTED}", file.title())));
        }
        Ok(())
    }

    /// Makes sure that the file's text is there; a second time it fails as it did the first time.
    async fn read_once(
        &mut self,
        at: usize,
        parts: &Parts<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        if let Some(error) = self.failed.get(&at) {
            return Err(error.clone());
        }
        let read = self.read(at, parts, cx).await;
        if let Err(error) = &read {
            self.failed.insert(at, error.clone());
        }
        read
    }

    /// Makes sure that the file's text is there.
    async fn read(
        &mut self,
        at: usize,
        parts: &Parts<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        let Some(file) = self.files.get_mut(at).filter(|file| !file.is_read()) else {
            return Ok(());
        };
        let title = file.title();
        let failed = |reason: String| refused(format!("{title}: {reason}"));
        if let Some(address) = file
            .address(parts)
            .filter(|_| file.source == Source::Address)
        {
            let (fetcher, limits) = self.parser.fetch.as_ref().ok_or_else(|| {
                failed(
                    "a file by address goes only to models that take files; send it as a data URL"
                        .into(),
                )
            })?;
            let fetched = fetcher.fetch(&address, *limits).await;
            file.arrived(fetched.map_err(|error| failed(error.to_string()))?);
        }
        let Source::Inline(kind) = file.source else {
            return Err(failed(
                "a file by id goes only to models that take files; send it as a data URL".into(),
            ));
        };
        let bytes = file.bytes(parts).map_err(refused)?;
        if file.recall(parts, &bytes) {
            return Ok(());
        }
        let content = match (self.engine, kind) {
            (Engine::Ocr, FileKind::Pdf) => self.recognised(at, &bytes, cx).await?,
            _ => self.parsed(bytes, kind, cx).await.map_err(failed)?,
        };
        let failed = |reason: String| refused(format!("{title}: {reason}"));
        if content.text.trim().is_empty() {
            let reason = match (self.engine, kind) {
                (Engine::Ocr, _) | (_, FileKind::Text | FileKind::Html | FileKind::Table) => {
                    "it holds no text"
                }
                (_, FileKind::Pdf) => {
                    "it has no text layer, so only OCR (\"pdf\": {\"engine\": \"mistral-ocr\"}) or a model that takes files can read it"
                }
                _ => "it holds no text",
            };
            return Err(failed(reason.into()));
        }
        if content.text.len() > MOST_TEXT {
            return Err(failed(format!("its text is over {MOST_TEXT} bytes")));
        }
        if let Some(file) = self.files.get_mut(at) {
            file.keep(content);
        }
        Ok(())
    }

    /// The text of a file by our own readers, here or in the sandbox.
    async fn parsed(&self, bytes: Bytes, kind: FileKind, cx: &Cx<'_>) -> Result<Content, String> {
        let long = self.parser.sandboxed && bytes.len() > MOST_HERE;
        let document = match kind.sandboxed().or(kind.plain().filter(|_| long)) {
            Some(kind) => {
                let limits = LIMITS;
                let job = DocumentJob {
                    bytes,
                    kind,
                    limits,
                };
                cx.sandbox.parse(job).await
            }
            None => read_document(&bytes, kind),
        };
        let document = document.map_err(|error| error.to_string())?;
        Ok(Content {
            text: document.text,
            images: Vec::new(),
        })
    }

    /// The text of a PDF by the OCR service.
    async fn recognised(
        &mut self,
        at: usize,
        bytes: &[u8],
        cx: &Cx<'_>,
    ) -> Result<Content, PluginError> {
        let title = self
            .files
            .get(at)
            .map(Attachment::title)
            .unwrap_or_default();
        let started = cx.clock.now().tick;
        let Some(ocr) = &self.parser.ocr else {
            return Err(refused("pdf.engine: \"mistral-ocr\" is not configured"));
        };
        let reading = ocr.read(bytes, cx).await.map_err(|reason| PluginError {
            kind: ErrorType::ProviderUnavailable,
            plugin: PluginId::from_static(ID),
            message: format!("{title}: mistral-ocr: {reason}"),
        })?;
        let (pages, fee) = (reading.pages, ocr.fee(reading.pages));
        let report = StageReport {
            plugin: PluginId::from_static(ID),
            summary: format!("mistral-ocr read {title}: {pages} pages"),
            data: Some(RawJson::of(
                &serde_json::json!({ "engine": "mistral-ocr", "pages": pages }),
            )),
            fee,
            took: cx.clock.now().tick.since(started),
        };
        self.recognised.insert(at, report);
        Ok(reading.content)
    }
}

/// The `file` parts of a message's content, with their places in it.
fn file_parts(message: Json<'_>) -> impl Iterator<Item = (usize, Json<'_>)> {
    let listed = message.get("content");
    // Nearly always it is a text.
    let listed = listed.filter(|content| content.kind() == Kind::Array);
    listed
        .into_iter()
        .flat_map(Json::elements)
        .enumerate()
        .filter(|(_, part)| part.get("type").is_some_and(|kind| kind.is("file")))
}

#[cfg(test)]
mod tests;
