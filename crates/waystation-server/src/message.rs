//! A request and its answer, as the connection and the routes that are asked most hand them over: headers
//! as a list, a body that is whole as bytes. The router, and what stands behind it, know `http`'s.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use hyper::body::Body as HttpBody;
use waystation_core::{GenerationId, Headers};

use crate::reply::Lent;

/// A request.
#[derive(Debug)]
pub(crate) struct Asked<B> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: Headers,
    pub(crate) body: B,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// `content-type`, where it is not among the headers.
    pub(crate) kind: Option<&'static str>,
    pub(crate) headers: Headers,
    /// The ids of the request and of what it generated: headers too, but written from where they stand.
    pub(crate) ids: Ids,
    pub(crate) body: Content,
}

/// What an answer can be found by. Their alphabets are those of names.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    pub(crate) request: Option<Arc<str>>,
    pub(crate) generation: Option<GenerationId>,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of it; empty when it has been handed out.
    Whole(Lent),
    /// It comes as it is made.
    Coming(Body),
}

/// The header with a request's id.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header with a generation's id.
static GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");

// === impl Asked ===

impl<B> Asked<B> {
    /// The head of a request that goes on to the router.
    pub(crate) fn head(request: &Request<B>) -> Asked<()> {
        Asked {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().into(),
            body: (),
        }
    }
}

impl<B> From<Request<B>> for Asked<B> {
    fn from(request: Request<B>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: (&head.headers).into(),
            body,
        }
    }
}

impl<B> From<Asked<B>> for Request<B> {
    fn from(asked: Asked<B>) -> Self {
        let mut request = Self::new(asked.body);
        *request.method_mut() = asked.method;
        *request.uri_mut() = asked.uri;
        *request.version_mut() = asked.version;
        *request.headers_mut() = asked.headers.into();
        request
    }
}

// === impl Answer ===

impl Answer {
    /// 200 with a body of this kind.
    pub(crate) fn of(kind: &'static str, body: Content) -> Self {
        Self {
            status: StatusCode::OK,
            kind: Some(kind),
            headers: Headers::default(),
            ids: Ids::default(),
            body,
        }
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            kind: None,
            headers: (&head.headers).into(),
            ids: Ids::default(),
            body: Content::Coming(body),
        }
    }
}

impl From<Answer> for Response {
    fn from(mut answer: Answer) -> Self {
        if let Some(kind) = answer.kind {
            let kind = HeaderValue::from_static(kind);
            answer.headers.insert(header::CONTENT_TYPE, kind);
        }
        for (name, id) in answer.ids.iter() {
            if let Ok(id) = HeaderValue::from_str(id) {
                answer.headers.insert(name.clone(), id);
            }
        }
        let body = match answer.body {
            Content::Whole(text) => Body::from(Bytes::from(text)),
            Content::Coming(body) => body,
        };
        let mut response = Self::new(body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers.into();
        response
    }
}

// === impl Ids ===

impl Ids {
    /// Each that is there, and its header.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static HeaderName, &str)> {
        let generation = self.generation.as_ref().map(GenerationId::as_str);
        let ids = [
            (&GENERATION_ID, generation),
            (&REQUEST_ID, self.request.as_deref()),
        ];
        ids.into_iter().filter_map(|(name, id)| Some((name, id?)))
    }
}

// === impl Content ===

impl Content {
    /// How long it is, where that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Whole(text) => Some(text.as_ref().len() as u64),
            Self::Coming(body) => body.size_hint().exact(),
        }
    }
}
