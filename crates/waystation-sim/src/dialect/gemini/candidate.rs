//! One candidate: its parts, whole or in pieces, and how it ended.
//!
//! The signature stands on the first of the calls; without calls, on the last part, which is where the
//! hosts put it. Clients send it back on the same part.
//! Source: <https://ai.google.dev/gemini-api/docs/thought-signatures> (2026-08).

use waystation_core::{FinishReason, JsonText, ObjectWriter};

use crate::{
    dialect::answer::{Answer, array, object},
    draw::{Draw, fold},
    mind::{self, Called},
};

/// One answer on its way to the wire.
pub(super) struct Candidate<'a> {
    pub(super) index: usize,
    pub(super) answer: &'a Answer<'a>,
    /// Thoughts are shown.
    pub(super) shown: bool,
    /// Log probabilities are wanted, with so many alternatives.
    pub(super) logprobs: Option<u64>,
}

/// A part, or a piece of one.
pub(super) struct Piece<'a> {
    holds: Holds<'a>,
    /// The signature of the thoughts, on the first call or the end of the words.
    signature: Option<String>,
}

/// What a part holds.
enum Holds<'a> {
    Thought(&'a str),
    Text(&'a str),
    /// A call, with its place among the calls.
    Call(usize, &'a Called),
}

// === impl Candidate ===

impl Candidate<'_> {
    /// The parts, at least one; `cut` into the pieces of a stream, calls excepted, which come whole.
    pub(super) fn pieces(&self, cut: bool) -> Vec<Piece<'_>> {
        let said = &self.answer.said;
        let split = |text| -> Vec<&str> {
            if cut {
                mind::pieces(text).collect()
            } else {
                vec![text]
            }
        };
        let piece = |holds| Piece {
            holds,
            signature: None,
        };
        let mut pieces = Vec::new();
        if self.shown && !said.reasoning.is_empty() {
            let thoughts = split(&said.reasoning).into_iter().map(Holds::Thought);
            pieces.extend(thoughts.map(piece));
        }
        if let Some(text) = self.answer.text() {
            pieces.extend(split(text).into_iter().map(Holds::Text).map(piece));
        }
        let calls = said.calls.iter().enumerate();
        pieces.extend(calls.map(|(nth, call)| piece(Holds::Call(nth, call))));
        // Behind calls a stream ends with a chunk of its own.
        if pieces.is_empty() || (cut && !said.calls.is_empty()) {
            pieces.push(piece(Holds::Text("")));
        }
        if self.is_signed() {
            let called = pieces.iter().position(|piece| piece.is_call());
            let last = pieces.len() - 1;
            if let Some(piece) = pieces.get_mut(called.unwrap_or(last)) {
                piece.signature = Some(self.answer.seal());
            }
        }
        pieces
    }

    /// Writes the candidate with these parts. `last`: nothing comes behind them.
    pub(super) fn write(&self, pieces: &[Piece<'_>], last: bool, out: &mut Vec<u8>) {
        let said = &self.answer.said;
        object(out, |candidate| {
            let mut content = candidate.object("content");
            array(content.key("parts"), pieces, |piece, out| {
                self.part(piece, out);
            });
            content.string("role", "model");
            content.close();
            if last {
                let reason = match said.finish {
                    FinishReason::Length => "MAX_TOKENS",
                    // Calls end in it too.
                    _ => "STOP",
                };
                candidate.string("finishReason", reason);
                if said.finish == FinishReason::ToolCalls {
                    candidate.string("finishMessage", "Model generated function call(s).");
                }
                self.grounding(candidate);
            }
            candidate.number("index", u64::try_from(self.index).unwrap_or_default());
            let texts = pieces.iter().filter_map(|piece| match piece.holds {
                Holds::Text(text) => Some(text),
                Holds::Thought(_) | Holds::Call(..) => None,
            });
            let told: Vec<&str> = texts.flat_map(mind::pieces).collect();
            if let Some(top) = self.logprobs.filter(|_| !told.is_empty()) {
                self.logprobs(top, &told, candidate);
            }
        });
    }

    /// One part.
    fn part(&self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        object(out, |part| {
            match &piece.holds {
                Holds::Thought(text) => {
                    part.string("text", text).bool("thought", true);
                }
                Holds::Text(text) => {
                    part.string("text", text);
                }
                Holds::Call(nth, call) => {
                    let mut function = part.object("functionCall");
                    if self.is_third() {
                        function.string("id", &format!("sim{:012x}", self.answer.name(*nth)));
                    }
                    function
                        .string("name", &call.name)
                        .raw("args", call.arguments.as_bytes());
                    function.close();
                }
            }
            if let Some(signature) = &piece.signature {
                part.string("thoughtSignature", signature);
            }
        });
    }

    /// `groundingMetadata`, where a search was run.
    fn grounding(&self, candidate: &mut ObjectWriter<'_>) {
        let Some(search) = &self.answer.said.search else {
            return;
        };
        let mut grounding = candidate.object("groundingMetadata");
        let query = JsonText::of(&search.query);
        array(grounding.key("webSearchQueries"), [query], |query, out| {
            out.extend_from_slice(query.quoted().bytes());
        });
        let chunks = grounding.key("groundingChunks");
        array(chunks, &search.sources, |source, out| {
            object(out, |chunk| {
                let mut web = chunk.object("web");
                web.string("uri", &source.url).string("title", source.host);
                web.close();
            });
        });
        let text = self.answer.text().unwrap_or_default();
        let supports = grounding.key("groundingSupports");
        array(supports, search.cited(text), |cited, out| {
            let count = |bytes| u64::try_from(bytes).unwrap_or_default();
            object(out, |support| {
                let mut segment = support.object("segment");
                segment
                    .number("startIndex", count(cited.bytes.start))
                    .number("endIndex", count(cited.bytes.end))
                    .string("text", text.get(cited.bytes).unwrap_or_default());
                segment.close();
                let index = format!("[{}]", cited.nth);
                support.raw("groundingChunkIndices", index.as_bytes());
            });
        });
        grounding.close();
    }

    /// `logprobsResult` of a run of tokens.
    fn logprobs(&self, top: u64, told: &[&str], candidate: &mut ObjectWriter<'_>) {
        let least = |token: &str| {
            let hash = fold(self.answer.id, token.as_bytes());
            Draw::new(hash).within(1, 900)
        };
        let mut result = candidate.object("logprobsResult");
        array(result.key("topCandidates"), told, |token, out| {
            object(out, |tops| {
                array(tops.key("candidates"), 0..top, |rank, out| {
                    let other = match rank {
                        0 => (*token).to_owned(),
                        _ => format!("{token}{rank}"),
                    };
                    probability(&other, least(token) + rank * 1_500, out);
                });
            });
        });
        array(result.key("chosenCandidates"), told, |token, out| {
            probability(token, least(token), out);
        });
        result.close();
    }

    /// Whether the model gives ids to its calls, and signs them: since its third generation.
    fn is_third(&self) -> bool {
        self.answer.asked.model.contains("gemini-3")
    }

    fn is_signed(&self) -> bool {
        let said = &self.answer.said;
        !said.reasoning.is_empty() || (self.is_third() && !said.calls.is_empty())
    }
}

// === impl Piece ===

impl Piece<'_> {
    /// Bytes of what a model wrote in it.
    pub(super) fn bytes(&self) -> usize {
        match &self.holds {
            Holds::Thought(text) | Holds::Text(text) => text.len(),
            Holds::Call(_, call) => call.name.len() + call.arguments.len(),
        }
    }

    pub(super) const fn is_thought(&self) -> bool {
        matches!(self.holds, Holds::Thought(_))
    }

    const fn is_call(&self) -> bool {
        matches!(self.holds, Holds::Call(..))
    }
}

/// One token with its log probability of minus so many thousandths.
fn probability(token: &str, thousandths: u64, out: &mut Vec<u8>) {
    let number = format!("-{}.{:03}", thousandths / 1000, thousandths % 1000);
    object(out, |entry| {
        entry
            .string("token", token)
            .raw("logProbability", number.as_bytes());
    });
}
