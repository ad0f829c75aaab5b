//! What tests of files have in common: models that take files and models that do not, a sandbox that
//! counts, files behind addresses, and files made here.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::{
    Document, DocumentJob, FetchError, FetchLimits, Fetched, Fetcher, ParseError, Sandbox,
};
use waystation_plugins::read_foreign;
use waystation_server::app::{App, Outside};
use waystation_sim::{ReplayTransport, TokioClock, fixtures};
use waystation_tests::{Setup, Station, asking};

/// Reads in this process, and counts.
#[derive(Debug, Default)]
pub(crate) struct InProcess(pub(crate) AtomicUsize);

#[async_trait]
impl Sandbox for InProcess {
    async fn parse(&self, job: DocumentJob) -> Result<Document, ParseError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        read_foreign(&job.bytes, job.kind, &job.limits)
    }
}

/// `acme/text` at A takes text, `acme/reader` at B files, `acme/eyes` at C images.
pub(crate) const MODELS: &str = r#"
    [[models]]
    id = "acme/text"
    context_length = 128000
    input_modalities = ["text"]
    [[models.endpoints]]
    provider = "a"
    model = "text-at-a"
    price = { prompt = "1", completion = "1" }
    [[models]]
    id = "acme/reader"
    context_length = 128000
    input_modalities = ["text", "file"]
    [[models.endpoints]]
    provider = "b"
    model = "reader-at-b"
    price = { prompt = "1", completion = "1" }
    [[models]]
    id = "acme/eyes"
    context_length = 128000
    input_modalities = ["text", "image"]
    [[models.endpoints]]
    provider = "c"
    model = "eyes-at-c"
    price = { prompt = "1", completion = "1" }
"#;

/// Files of the web, and which were asked for.
#[derive(Debug, Default)]
pub(crate) struct Web {
    files: Vec<(&'static str, &'static str, Vec<u8>)>,
    pub(crate) asked: Mutex<Vec<(String, FetchLimits)>>,
}

impl Web {
    /// Addresses, media types and bytes.
    pub(crate) fn of(files: Vec<(&'static str, &'static str, Vec<u8>)>) -> Arc<Self> {
        Arc::new(Self {
            files,
            asked: Mutex::default(),
        })
    }
}

#[async_trait]
impl Fetcher for Web {
    #[expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]
    async fn fetch(&self, address: &str, limits: FetchLimits) -> Result<Fetched, FetchError> {
        self.asked
            .lock()
            .expect("no panic")
            .push((address.to_owned(), limits));
        let found = self.files.iter().find(|(known, ..)| *known == address);
        let (_, media_type, bytes) = found.ok_or_else(|| FetchError {
            reason: "its server answered 404".into(),
        })?;
        Ok(Fetched {
            bytes: bytes.clone().into(),
            media_type: (*media_type).to_owned(),
        })
    }
}

/// A station whose sandbox is this process.
pub(crate) fn station(upstream: ReplayTransport) -> (Station, Arc<InProcess>) {
    with(upstream, "", None)
}

/// The same with more configuration, and files of the web.
pub(crate) fn with(
    upstream: ReplayTransport,
    config: &str,
    web: Option<Arc<Web>>,
) -> (Station, Arc<InProcess>) {
    let setup = Setup::mocks().config(MODELS).config(config);
    let resolved = setup.resolve().expect("a configuration");
    let (upstream, sandbox) = (Arc::new(upstream), Arc::new(InProcess::default()));
    let transport = Arc::<ReplayTransport>::clone(&upstream);
    let held = Arc::<InProcess>::clone(&sandbox);
    let outside = Outside {
        sandbox: Some(held),
        fetcher: web.map(|web| web as Arc<dyn Fetcher>),
    };
    let app = App::composed(resolved, transport, Arc::new(TokioClock::new()), outside);
    (Station::new(app, upstream), sandbox)
}

/// A station whose upstreams say that they have read.
pub(crate) fn answering() -> (Station, Arc<InProcess>) {
    station(ReplayTransport::answering(|_, _| {
        fixtures::answer("Read.", 5, 2)
    }))
}

/// A PDF of one page with this text, without compression.
pub(crate) fn pdf(text: &str) -> Vec<u8> {
    let content = format!("BT /F1 24 Tf 72 700 Td ({text}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!(
            "<< /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", at + 1).bytes());
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for place in places {
        file.extend(format!("{place:010} 00000 n \n").bytes());
    }
    file.extend(format!("trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").bytes());
    file
}

/// As data URLs spell bytes.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let word = three
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let sign = SIGNS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() {
                char::from(sign)
            } else {
                '='
            });
        }
    }
    out
}

/// A question about a PDF.
pub(crate) fn asked(model: &str, bytes: &[u8], more: Value) -> Value {
    let data = format!("data:application/pdf;base64,{}", base64(bytes));
    asked_about(
        model,
        &json!({"filename": "keel.pdf", "file_data": data}),
        more,
    )
}

/// A question about a file.
pub(crate) fn asked_about(model: &str, file: &Value, more: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "What does it say?"},
        {"type": "file", "file": file},
    ]}]});
    body.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    asking(model, body)
}

/// The parts of the first message, of the latest call.
pub(crate) fn parts(station: &Station) -> Vec<Value> {
    let bodies = station.bodies();
    let content = &bodies.last().expect("a call")["messages"][0]["content"];
    content.as_array().expect("parts").clone()
}
