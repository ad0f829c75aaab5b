//! The seam to plugins: registered once, alive per request.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    ChatEvent, ChatRequest, Clock, Endpoint, ErrorType, InvalidRequest, Json, PluginId, RawJson,
    Sandbox, TokenCounter, Transport, Usd, ask::AskHints,
};

/// A plugin, registered once.
///
/// # Laws
/// - `begin` is cheap and pure: it decides whether there is something to do.
/// - What one request's run does is invisible to every other request.
pub trait Plugin: fmt::Debug + Send + Sync {
    /// The id that requests name.
    fn id(&self) -> PluginId;

    /// Starts a run, or returns `None` when there is nothing to do for this request.
    ///
    /// # Errors
    /// [`PluginError`] for options that make no sense.
    fn begin(
        &self,
        chat: &ChatRequest,
        options: &Options,
    ) -> Result<Option<Box<dyn Run>>, PluginError>;
}

/// All plugins of a gateway: what a request asks for, turned into runs.
///
/// # Laws
/// - `begin` is pure: the same request gives the same runs, in the documented order.
/// - A request that names no plugin, where none is on by default, gives no runs.
pub trait Plugins: Send + Sync {
    /// Starts the runs that `chat` and the operator's defaults ask for, in the order in which they
    /// prepare; their output stages are composed in the same order.
    ///
    /// # Errors
    /// [`InvalidRequest`] for a plugin that does not exist, that this build does not have, or whose
    /// options make no sense.
    fn begin(&self, chat: &ChatRequest) -> Result<Vec<Box<dyn Run>>, InvalidRequest>;

    /// The tools of `chat` that the gateway runs itself, by the names that the model is shown.
    ///
    /// # Errors
    /// [`InvalidRequest`] for a tool of the gateway's that does not exist, or whose parameters make no
    /// sense.
    fn tools(&self, chat: &ChatRequest) -> Result<Vec<NamedTool>, InvalidRequest> {
        let _ = chat;
        Ok(Vec::new())
    }
}

/// A tool of the gateway's, and what the model calls it.
pub struct NamedTool {
    /// Its place among the request's `tools`.
    pub at: usize,
    /// The name of the function, which no function of the client's has.
    pub name: String,
    /// The type that the client asked for: `openrouter:web_search`.
    pub kind: String,
    /// The tool, for this request alone.
    pub tool: Box<dyn ServerTool>,
}

/// A plugin at work on one request.
#[async_trait]
pub trait Run: Send {
    /// Once, before planning: endpoint-independent work only; may add routing hints.
    ///
    /// # Errors
    /// [`PluginError`] ends the request.
    async fn prepare(
        &mut self,
        chat: &mut ChatRequest,
        hints: &mut AskHints,
        cx: &mut Cx<'_>,
    ) -> Result<(), PluginError>;

    /// Per attempt, on a copy of the request: what depends on the endpoint.
    ///
    /// # Errors
    /// [`PluginError`] ends the attempt.
    async fn adapt(
        &mut self,
        chat: &mut ChatRequest,
        to: &Endpoint,
        cx: &mut Cx<'_>,
    ) -> Result<(), PluginError>;

    /// Whether [`prepare`](Self::prepare) has anything to do. Where it has not, it need not be called.
    fn prepares(&self) -> bool {
        true
    }

    /// Whether [`adapt`](Self::adapt) has anything to do for this endpoint, likewise.
    fn adapts(&self, to: &Endpoint) -> bool {
        let _ = to;
        true
    }

    /// What is asked of the endpoint before anything was prepared: asked once, before `prepare`, and
    /// also where a plan is only looked at.
    fn hint(&self, hints: &mut AskHints) {
        let _ = hints;
    }

    /// Why the run cannot do its work with this endpoint, where that is known before any attempt.
    /// Endpoints that a run refuses are not tried; where that leaves none, the request ends with the
    /// refusal.
    fn refuses(&self, to: &Endpoint) -> Option<PluginError> {
        let _ = to;
        None
    }

    /// What the client may change where every endpoint was dropped for a kind of content that the run
    /// cannot spare them.
    fn lacks(&self) -> Option<PluginError> {
        None
    }

    /// What has been paid for the request so far, for attempts that failed too.
    fn spent(&self) -> Spent {
        Spent::default()
    }

    /// Whether its output stage looks at the text as it leaves, and so stands behind the others.
    fn looks_last(&self) -> bool {
        false
    }

    /// What a client may send again after every attempt failed, so that work is not done twice: a JSON
    /// array of annotations.
    fn salvage(&self) -> Option<RawJson> {
        None
    }

    /// One stage per committed reply: a failed attempt never reaches it.
    fn output(&mut self) -> Option<Box<dyn OutputStage>> {
        None
    }
}

/// Looks at the events of a committed reply; whole replies go through it as events too.
pub trait OutputStage: Send {
    /// Takes one event and gives on what is to go on.
    ///
    /// # Errors
    /// [`PluginError`] ends the reply.
    fn event(&mut self, event: ChatEvent, out: &mut Vec<ChatEvent>) -> Result<(), PluginError>;

    /// The reply is complete.
    ///
    /// # Errors
    /// [`PluginError`] ends the reply.
    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), PluginError>;

    /// What the stage has done to the reply; asked once, after `finish`. `None` when nothing.
    fn report(&mut self) -> Option<StageReport> {
        None
    }
}

/// A tool that the gateway runs itself, such as `openrouter:web_search`.
#[async_trait]
pub trait ServerTool: Send + Sync {
    /// The function that the model is shown.
    fn schema(&self) -> ToolSchema;

    /// Runs one call. A failure is a result that the model reads, not a failed request.
    async fn call(&self, arguments: &RawJson, cx: &mut Cx<'_>) -> ToolOutcome;

    /// Where the endpoint itself does what the tool does: the entry of `tools` that tells its codec so.
    /// Else the model is shown a function.
    fn native(&self, to: &Endpoint) -> Option<RawJson> {
        let _ = to;
        None
    }

    /// Why the tool cannot do its work for this endpoint, where that is known before any attempt.
    fn refuses(&self, to: &Endpoint) -> Option<PluginError> {
        let _ = to;
        None
    }

    /// What looks at the final answer: it may tell where results of the calls are cited.
    fn output(&self) -> Option<Box<dyn OutputStage>> {
        None
    }
}

/// A function as a model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSchema {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: RawJson,
}

/// What one call of a server tool gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutcome {
    /// What the model reads.
    pub content: String,
    /// Whether it failed.
    pub failed: bool,
    /// What it cost.
    pub spent: Spent,
}

/// What plugins and tools of the gateway have consumed beside the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Fees.
    pub fee: Usd,
    /// Searches of the web.
    pub searches: u64,
    /// Calls of the gateway's tools that the model asked for.
    pub tool_calls_requested: u64,
    /// Those that were run.
    pub tool_calls_executed: u64,
}

/// The options of one plugin for one request: the request's entry over the operator's.
#[derive(Clone, Debug)]
pub struct Options {
    /// The request's entry, `id` and `enabled` included.
    pub entry: RawJson,
}

// === impl Options ===

impl Options {
    /// The option of that name.
    ///
    /// ```
    /// use waystation_core::{Options, RawJson};
    ///
    /// let entry = RawJson::parse(&r#"{"id":"web","engine":"exa"}"#.into())?;
    /// assert!(Options { entry }.get("engine").is_some_and(|engine| engine.is("exa")));
    /// # Ok::<(), waystation_core::ScanError>(())
    /// ```
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Json<'_>> {
        let entry = self.entry.bytes();
        // Nearly always the entry says nothing but whose it is.
        let bare = entry.starts_with(br#"{"id":"#) && !entry.contains(&b',');
        if bare && key != "id" {
            return None;
        }
        self.entry.json().get(key)
    }
}

/// What a plugin may use while it works.
pub struct Cx<'a> {
    /// The network.
    pub transport: &'a dyn Transport,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where foreign documents are parsed.
    pub sandbox: &'a dyn Sandbox,
    /// Token counts.
    pub tokens: &'a dyn TokenCounter,
    stages: &'a mut Vec<StageReport>,
}

/// One stage that changed something, for metadata and accounting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageReport {
    /// The plugin.
    pub plugin: PluginId,
    /// One line on what it did.
    pub summary: String,
    /// Figures for metadata, a JSON object.
    pub data: Option<RawJson>,
    /// What it costs, apart from the model.
    pub fee: Usd,
    /// How long it took.
    pub took: Duration,
}

/// Why a plugin ended a request or an attempt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{plugin}: {message}")]
pub struct PluginError {
    /// The kind, which decides the status.
    pub kind: ErrorType,
    /// The plugin.
    pub plugin: PluginId,
    /// What went wrong and what to change.
    pub message: String,
}

/// Kinds of document that a sandbox reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DocumentKind {
    /// PDF.
    Pdf,
    /// An archive of parts: Office, OpenDocument, EPUB. Which one, its parts say.
    Archive,
    /// RTF.
    Rtf,
    /// HTML.
    Html,
    /// Rows of cells, with one of the usual signs between them.
    Table,
    /// Plain text of any sort.
    Text,
}

/// Limits on what reading one document may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of input.
    pub bytes: u64,
    /// Pages.
    pub pages: u32,
    /// Time.
    pub time: Duration,
}

/// A document, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its text.
    pub text: String,
    /// How many pages it has, for kinds that have pages.
    pub pages: Option<u32>,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document could not be read: {reason}")]
pub struct ParseError {
    /// What stood in the way.
    pub reason: String,
}

// === impl Spent ===

impl std::ops::Add for Spent {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            fee: self.fee + more.fee,
            searches: self.searches.saturating_add(more.searches),
            tool_calls_requested: self
                .tool_calls_requested
                .saturating_add(more.tool_calls_requested),
            tool_calls_executed: self
                .tool_calls_executed
                .saturating_add(more.tool_calls_executed),
        }
    }
}

impl std::iter::Sum for Spent {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), std::ops::Add::add)
    }
}

impl fmt::Debug for NamedTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedTool")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

// === impl Cx ===

impl<'a> Cx<'a> {
    /// Lends the parts that plugins may use.
    pub fn new(
        transport: &'a dyn Transport,
        clock: &'a dyn Clock,
        sandbox: &'a dyn Sandbox,
        tokens: &'a dyn TokenCounter,
        stages: &'a mut Vec<StageReport>,
    ) -> Self {
        Self {
            transport,
            clock,
            sandbox,
            tokens,
            stages,
        }
    }

    /// Reports that a stage changed something.
    pub fn stage(&mut self, report: StageReport) {
        self.stages.push(report);
    }
}

impl fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("stages", &self.stages)
            .finish_non_exhaustive()
    }
}

/// A document, waiting to be read.
#[derive(Clone, Debug)]
pub struct DocumentJob {
    /// The bytes.
    pub bytes: Bytes,
    /// What they are.
    pub kind: DocumentKind,
    /// How much reading them may take.
    pub limits: DocumentLimits,
}

const _: fn(&dyn Plugin, &dyn Run, &dyn OutputStage, &dyn ServerTool) = |_, _, _, _| {};
const _: fn(&dyn Plugins) = |_| {};
