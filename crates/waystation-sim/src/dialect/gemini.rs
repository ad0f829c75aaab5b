//! Gemini's `generateContent` as a server, on AI Studio's addresses and on Vertex's. Of Google's own
//! tools it acts out the search of the web.
//!
//! Source: <https://ai.google.dev/api/generate-content> (2026-08) and recorded replies of both hosts.
//!
//! # What is read
//!
//! | member | what comes of it |
//! |---|---|
//! | `contents` | roles `user` (or none), `model`, `function`; `functionResponse` parts are results |
//! | `systemInstruction` | counted as input |
//! | `tools[].functionDeclarations` | functions, with `parametersJsonSchema` or else `parameters` |
//! | `tools[].googleSearch`, `googleSearchRetrieval` | a search that the host runs |
//! | `toolConfig.functionCallingConfig` | `mode`, and `allowedFunctionNames`, which leave only those |
//! | `generationConfig` | `candidateCount` (1 to 8), `maxOutputTokens`, `stopSequences`, `responseMimeType`, schemas, `responseLogprobs`, `thinkingConfig` |
//!
//! Each in camel case or in snake case, as Google's own servers take them.
//!
//! # What is written
//!
//! Every chunk of a stream is a response of its own: one candidate with one part, and the counts so
//! far, so that the last chunk has the final ones. Several candidates take turns.
//! With `alt=sse` they are events with CRLF line ends, without names and without `[DONE]`; otherwise
//! one JSON array that grows, `[{…}`, `,{…}`, `]`. The candidate's last chunk has `finishReason`.
//! Source: <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent> (2026-08).
//!
//! Calls come whole, never in pieces, and end in `STOP` like everything else: a client tells by the
//! parts. Models of the third generation give their calls ids; all that thought sign a part with
//! `thoughtSignature`.
//!
//! A search is told of in `groundingMetadata` on the candidate's last chunk: its query, the pages, and
//! which bytes of the words rest on which page. Usage does not count it.
//! Source: <https://ai.google.dev/gemini-api/docs/google-search> (2026-08).
//!
//! `candidatesTokenCount` leaves out `thoughtsTokenCount`; `totalTokenCount` has both.
//!
//! Errors are `{"error":{"code","message","status"}}`, `status` being Google's word for the code.
//!
//! A script treats the growing array as a whole reply, since it is one JSON document to its readers:
//! `cut_after_events` leaves half of its first piece.

mod candidate;
mod request;

use std::borrow::Cow;

use bytes::Bytes;
use http::{StatusCode, header};
use waystation_core::ObjectWriter;

use super::{
    Dialect,
    answer::{Answer, Flow, array, object},
    path,
};
use crate::{
    SimReply,
    asked::{Asked, tokens},
    mind::Said,
    pacing::Tempo,
    simulator::Arrival,
};
use candidate::{Candidate, Piece};
use request::Question;

/// The wire.
pub(super) struct Gemini;

/// Answers with what the wire wants to know of the question.
struct Reply<'a> {
    asked: &'a Asked<'a>,
    /// One answer for each candidate.
    answers: Vec<Answer<'a>>,
    /// Thoughts are shown.
    shown: bool,
    /// Log probabilities are wanted, with so many alternatives.
    logprobs: Option<u64>,
}

/// Tokens written so far.
#[derive(Clone, Copy, Default)]
struct Written {
    thoughts: u64,
    candidates: u64,
}

/// What streaming addresses end in.
const STREAM: &str = ":streamGenerateContent";

// === impl Gemini ===

impl Dialect for Gemini {
    fn serves(&self, path: &str) -> bool {
        path.ends_with(":generateContent") || path.ends_with(STREAM)
    }

    fn model<'a>(&self, arrival: &Arrival<'a>) -> Cow<'a, str> {
        path::model(arrival.path).unwrap_or_default()
    }

    fn streams(&self, arrival: &Arrival<'_>) -> bool {
        arrival.path.ends_with(STREAM)
    }

    fn answer(&self, arrival: &Arrival<'_>) -> SimReply {
        let question = match request::read(arrival, self.model(arrival)) {
            Ok(question) => question,
            Err(refusal) => return self.error(refusal.status, &refusal.told()),
        };
        let Question { asked, n, .. } = &question;
        let tempo = arrival.tempo(&asked.model);
        let reply = Reply {
            asked,
            answers: (0..*n)
                .map(|choice| Answer::in_objects(asked, choice))
                .collect(),
            shown: question.shown,
            logprobs: question.logprobs,
        };
        match (self.streams(arrival), arrival.query.contains("alt=sse")) {
            (false, _) => reply.whole(tempo),
            (true, true) => reply.events(tempo),
            (true, false) => reply.array(tempo),
        }
    }

    /// Source of the words: <https://cloud.google.com/apis/design/errors> (2026-06).
    fn error(&self, status: StatusCode, message: &str) -> SimReply {
        let word = match status.as_u16() {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            409 => "ABORTED",
            429 => "RESOURCE_EXHAUSTED",
            499 => "CANCELLED",
            501 => "UNIMPLEMENTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            400..=499 => "INVALID_ARGUMENT",
            _ => "INTERNAL",
        };
        let mut out = Vec::new();
        object(&mut out, |body| {
            let mut error = body.object("error");
            error
                .number("code", u64::from(status.as_u16()))
                .string("message", message)
                .string("status", word);
            error.close();
        });
        SimReply::json(status, out)
    }
}

// === impl Reply ===

impl Reply<'_> {
    /// The reply whole, due when its longest candidate would have come.
    fn whole(&self, tempo: Tempo) -> SimReply {
        let mut out = Vec::with_capacity(1024);
        object(&mut out, |object| {
            let candidates = self.candidates();
            array(object.key("candidates"), &candidates, |candidate, out| {
                candidate.write(&candidate.pieces(false), true, out);
            });
            self.rest(self.written(), object);
        });
        let mut whole = SimReply::json(StatusCode::OK, out);
        let took = self.answers.iter().map(|answer| answer.took(tempo));
        whole.delay = took.max().unwrap_or_default();
        whole
    }

    /// The reply as server-sent events, whose lines end as Google's do.
    fn events(&self, tempo: Tempo) -> SimReply {
        let mut flow = Flow::sse(tempo);
        for (bytes, chunk) in self.chunks() {
            let event = [b"data: ", chunk.as_slice(), b"\r\n\r\n"].concat();
            flow.push(bytes, event);
        }
        flow.close()
    }

    /// The reply as one array that grows, for those who do not ask for events.
    fn array(&self, tempo: Tempo) -> SimReply {
        let head = SimReply::status(StatusCode::OK)
            .with_header(header::CONTENT_TYPE, "application/json; charset=UTF-8");
        let mut flow = Flow::over(head, tempo);
        for (place, (bytes, chunk)) in self.chunks().into_iter().enumerate() {
            let before: &[u8] = if place == 0 { b"[" } else { b",\r\n" };
            flow.push(bytes, [before, &chunk].concat());
        }
        flow.push(0, Bytes::from_static(b"]"));
        flow.close()
    }

    /// Everything that a stream sends, with the bytes of text in it. Candidates take turns.
    fn chunks(&self) -> Vec<(usize, Vec<u8>)> {
        let candidates = self.candidates();
        let mut lanes: Vec<(&Candidate<'_>, Vec<Piece<'_>>)> = candidates
            .iter()
            .map(|candidate| (candidate, candidate.pieces(true)))
            .collect();
        let rounds = lanes.iter().map(|(_, pieces)| pieces.len()).max();
        let (mut chunks, mut left) = (Vec::new(), lanes.len());
        let (mut thought, mut said) = (0, 0);
        for round in 0..rounds.unwrap_or_default() {
            for (candidate, pieces) in &mut lanes {
                let Some(piece) = pieces.get(round) else {
                    continue;
                };
                let last = round + 1 == pieces.len();
                left -= usize::from(last);
                let counter = if piece.is_thought() {
                    &mut thought
                } else {
                    &mut said
                };
                *counter += piece.bytes();
                let written = match left {
                    0 => self.written(),
                    _ => Written {
                        thoughts: tokens(thought),
                        candidates: tokens(said),
                    },
                };
                let mut out = Vec::new();
                object(&mut out, |object| {
                    array(object.key("candidates"), [piece], |piece, out| {
                        candidate.write(std::slice::from_ref(piece), last, out);
                    });
                    self.rest(written, object);
                });
                chunks.push((piece.bytes(), out));
            }
        }
        chunks
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        let answers = self.answers.iter().enumerate();
        let candidates = answers.map(|(index, answer)| Candidate {
            index,
            answer,
            shown: self.shown,
            logprobs: self.logprobs,
        });
        candidates.collect()
    }

    /// Tokens of the whole reply.
    fn written(&self) -> Written {
        let thoughts = self.answers.iter().map(Answer::thoughts).sum();
        let all: u64 = self.answers.iter().map(|one| Said::tokens(&one.said)).sum();
        Written {
            thoughts,
            candidates: all - thoughts,
        }
    }

    /// The members behind the candidates: counts, model, id.
    fn rest(&self, written: Written, object: &mut ObjectWriter<'_>) {
        let prompt = self.asked.prompt_tokens;
        let mut usage = object.object("usageMetadata");
        usage
            .number("promptTokenCount", prompt)
            .number("candidatesTokenCount", written.candidates)
            .number(
                "totalTokenCount",
                prompt + written.candidates + written.thoughts,
            );
        array(usage.key("promptTokensDetails"), [prompt], |count, out| {
            object_of_text(count, out);
        });
        if written.thoughts > 0 {
            usage.number("thoughtsTokenCount", written.thoughts);
        }
        usage.close();
        let id = self.answers.first().map_or(0, |answer| answer.id);
        object
            .string("modelVersion", &self.asked.model)
            .string("responseId", &format!("sim{id:016x}"));
    }
}

/// So many tokens of text.
fn object_of_text(count: u64, out: &mut Vec<u8>) {
    object(out, |detail| {
        detail
            .string("modality", "TEXT")
            .number("tokenCount", count);
    });
}

#[cfg(test)]
mod tests;
