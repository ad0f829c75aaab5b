//! Pure codecs between the OpenAI chat vocabulary and the wires of LLM providers.
//!
//! A codec writes a [`ChatRequest`](waystation_core::ChatRequest) for one endpoint and makes the
//! reader of its reply. It opens no socket, reads no clock and keeps nothing between calls; the
//! same arguments always give the same bytes. Providers are data: what differs between two hosts of
//! one dialect is a field of [`Quirks`](waystation_core::Quirks), never code here.
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderMap, StatusCode};
//! use waystation_core::*;
//! use waystation_providers::{OPENAI_CHAT, codec};
//! # let endpoint = waystation_providers::doc::endpoint();
//! # let upstream = waystation_providers::doc::upstream();
//! # let lease = waystation_providers::doc::lease();
//!
//! let body = br#"{"model": "acme/fast", "messages": [{"role": "user", "content": "Hi"}]}"#;
//! let chat = ChatRequest::parse(&body.as_slice().into())?;
//! let to = Target { upstream: &upstream, endpoint: &endpoint, lease: &lease, now: UnixMs::new(0) };
//!
//! let codec = codec(&OPENAI_CHAT.parse()?).ok_or("no such dialect")?;
//! let mut call = codec.encode(&chat, &to)?;
//! assert_eq!(call.request.url, "https://api.example.com/v1/chat/completions");
//! let sent = br#"{"model":"fast-70b","messages":[{"role": "user", "content": "Hi"}]}"#;
//! assert_eq!(call.request.body, &sent[..]);
//!
//! let mut events = Vec::new();
//! call.reader.head(&ReplyHead { status: StatusCode::OK, headers: HeaderMap::new() })?;
//! let reply = r#"{"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}"#;
//! call.reader.push(&Bytes::from(reply), &mut events)?;
//! call.reader.finish(&mut events)?;
//! let answer = Answer::of(events);
//! assert_eq!(answer.choices[0].content().unwrap().decode(), "Hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod body;
mod dialect;
mod fault;
mod sse;

pub use dialect::{DIALECTS, OPENAI_CHAT, OpenAiChat, codec};
pub use sse::{MAX_EVENT_BYTES, SseError, SseEvent, SseParser};
