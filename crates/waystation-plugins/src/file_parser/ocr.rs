//! The OCR service of the operator's: what it is asked, and what it answers. Whether it may be asked is
//! decided elsewhere; so is what becomes of the text.
//!
//! The document goes as a data URL, also where the request named an address: so the same bytes are read
//! that are hashed, and the service learns no address of the user's. Pictures stand in the text as
//! `![name](name)`, in the order in which they follow it.
//!
//! Source: plugin reference, section 2b, 2026-11-22.

use std::{fmt, future::poll_fn, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use waystation_core::{
    BodyStream, Cx, Deadline, HttpRequest, Json, ObjectWriter, PoolKey, Secret, SendLimits, Usd,
};

use super::attachment::Content;

/// The model that is asked. Source: plugin reference, section 2b, 2026-11-22.
const MODEL: &str = "mistral-ocr-latest";

/// How long reading one document may take, from the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long opening the connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The longest reply, in bytes: pictures come in it.
const LONGEST: usize = 64 * 1024 * 1024;

/// The most pictures that are kept of one document. Source: API contract, section 7.2.
pub(super) const MOST_IMAGES: usize = 8;

/// A service that reads pictures of pages.
///
/// It is asked in the form of Mistral's `POST /v1/ocr`, which others have too. It sees the documents of
/// requests that name it as their engine, and no other; requests that want no data kept go to it only
/// where [`zdr`](Self::zdr) says that it promises so.
#[derive(Clone)]
pub struct OcrService {
    /// Where it is: `https://api.mistral.ai`, with or without `/v1`.
    pub base_url: String,
    /// The operator's key.
    pub api_key: Option<Secret>,
    /// Zero data retention is promised.
    pub zdr: bool,
    /// What one page costs; `None` where nobody said.
    pub price: Option<Usd>,
}

/// What a service read.
#[derive(Debug)]
pub(super) struct Reading {
    /// The pages' text and pictures.
    pub(super) content: Content,
    /// How many pages are billed.
    pub(super) pages: u64,
}

// === impl OcrService ===

impl OcrService {
    /// What so many pages cost.
    pub(super) fn fee(&self, pages: u64) -> Usd {
        self.price.map_or(Usd::ZERO, |price| price.times(pages))
    }

    /// Has a PDF read. The failure is a sentence that names neither address nor key.
    pub(super) async fn read(&self, pdf: &[u8], cx: &Cx<'_>) -> Result<Reading, String> {
        let request = self.request(pdf)?;
        let deadline = Deadline::after(cx.clock.now().tick, PATIENCE);
        let limits = SendLimits {
            connect: CONNECT,
            head: Some(deadline),
            pool: PoolKey(Arc::from("plugins.file-parser.mistral_ocr")),
        };
        let reply = cx.transport.send(request, limits).await;
        let reply = reply.map_err(|error| format!("the service did not answer: {error}"))?;
        let status = reply.head.status.as_u16();
        let body = body(reply.body, || deadline.left(cx.clock.now().tick).is_zero()).await;
        match status {
            200 => {}
            401 | 403 => return Err("the service refuses the gateway's key".to_owned()),
            402 => return Err("the service wants to be paid".to_owned()),
            413 | 422 | 400 => {
                return Err(format!(
                    "the service cannot read the document: it answered {status}"
                ));
            }
            429 => return Err("the service is asked too often".to_owned()),
            other => return Err(format!("the service answered {other}")),
        }
        let body = body?;
        let json = Json::parse(&body).map_err(|_| "the service did not answer in JSON")?;
        reading(json).ok_or_else(|| "the service answered without pages".to_owned())
    }

    /// The question: the whole document, and its pictures with the answer.
    fn request(&self, pdf: &[u8]) -> Result<HttpRequest, String> {
        let mut out = Vec::with_capacity(pdf.len() / 3 * 4 + 256);
        let mut ask = ObjectWriter::open(&mut out);
        ask.string("model", MODEL);
        let mut document = ask.object("document");
        document.string("type", "document_url");
        let data = format!("data:application/pdf;base64,{}", STANDARD.encode(pdf));
        document.string("document_url", &data);
        document.close();
        ask.raw("include_image_base64", b"true");
        ask.number("image_limit", u64::try_from(MOST_IMAGES).unwrap_or(8));
        ask.close();
        let base = self.base_url.trim_end_matches('/').trim_end_matches("/v1");
        let request = HttpRequest::post_json(&format!("{base}/v1/ocr"), Bytes::from(out));
        let request = request.map_err(|_| "the service's address is wrong".to_owned())?;
        let Some(key) = &self.api_key else {
            return Ok(request);
        };
        let request = request.secret(AUTHORIZATION, "Bearer ", key);
        request.map_err(|_| "the service's key fits into no header".to_owned())
    }
}

/// The body of a reply, within its limits.
async fn body(mut body: BodyStream, late: impl Fn() -> bool) -> Result<Vec<u8>, String> {
    let mut whole = Vec::new();
    while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let piece = piece.map_err(|_| "the service's answer broke off".to_owned())?;
        whole.extend_from_slice(&piece);
        if whole.len() > LONGEST {
            return Err(format!(
                "the service's answer is longer than {LONGEST} bytes"
            ));
        }
        if late() {
            return Err("the service's answer took too long".to_owned());
        }
    }
    Ok(whole)
}

/// The pages of an answer; `None` where there are none. Pictures beyond those that are kept are
/// dropped; the text that mentions them stays.
fn reading(json: Json<'_>) -> Option<Reading> {
    let pages = json.get("pages")?;
    let mut content = Content::default();
    let mut count = 0;
    for page in pages.elements() {
        count += 1;
        for part in ["header", "markdown", "footer"] {
            let text = page.get(part).and_then(Json::string).unwrap_or_default();
            if !text.trim().is_empty() {
                if !content.text.is_empty() {
                    content.text.push_str("\n\n");
                }
                content.text.push_str(text.trim());
            }
        }
        let images = page.get("images").into_iter().flat_map(Json::elements);
        for image in images.filter_map(|image| image.get("image_base64")?.string()) {
            if content.images.len() < MOST_IMAGES && !image.is_empty() {
                content.images.push(if image.starts_with("data:") {
                    image.into_owned()
                } else {
                    format!("data:image/jpeg;base64,{image}")
                });
            }
        }
    }
    let billed = json.at(&["usage_info", "pages_processed"]);
    (count > 0).then(|| Reading {
        content,
        pages: billed.and_then(Json::u64).unwrap_or(count),
    })
}

impl fmt::Debug for OcrService {
    /// Without the address, which may name a tenant, and without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OcrService")
            .field("zdr", &self.zdr)
            .field("price", &self.price)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_in_order_and_pictures_within_their_limit() {
        let images: Vec<_> = (0..6)
            .map(|n| serde_json::json!({"id": "i", "image_base64": format!("aGk{n}")}))
            .collect();
        let page =
            |text: &str| serde_json::json!({"markdown": text, "images": images, "header": null});
        let answer =
            serde_json::json!({"pages": [page("one"), page(" "), page("three")]}).to_string();
        let read = reading(Json::parse(answer.as_bytes()).unwrap()).unwrap();
        assert_eq!(read.content.text, "one\n\nthree");
        assert_eq!(read.content.images.len(), MOST_IMAGES);
        assert_eq!(read.content.images[0], "data:image/jpeg;base64,aGk0");
        assert_eq!(read.pages, 3);
        for none in ["{}", r#"{"pages": []}"#, "[]"] {
            assert!(reading(Json::parse(none.as_bytes()).unwrap()).is_none());
        }
    }

    #[test]
    fn the_address_may_end_in_v1_and_the_key_is_hidden() {
        for base in ["https://ocr.test", "https://ocr.test/v1/"] {
            let service = OcrService {
                base_url: base.into(),
                api_key: Some(Secret::new("key-of-ocr-do-not-tell")),
                zdr: false,
                price: None,
            };
            let request = service.request(b"%PDF").unwrap();
            assert_eq!(request.url.to_string(), "https://ocr.test/v1/ocr");
            let said = format!("{request:?} {service:?}");
            assert!(!said.contains("do-not-tell"), "{said}");
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(
                body["document"]["document_url"],
                "data:application/pdf;base64,JVBERg=="
            );
            assert_eq!(
                (&body["image_limit"], &body["model"]),
                (&8.into(), &MODEL.into())
            );
        }
    }
}
