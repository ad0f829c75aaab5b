//! One row of the matrix: a fault, and what must be seen of it in each of four cells.

use std::time::Duration;

use serde_json::json;
use waystation_sim::{ReplayTransport, Reply};

use crate::{
    exchange::{Exchange, Seen, exchange, station},
    fault::{TOKENS, good, said},
};

/// A fault of A's and the four cells.
pub(crate) struct Row {
    name: String,
    /// What A replies, the last one for ever.
    replies: Box<dyn Fn(bool) -> Vec<Reply>>,
    /// Streamed: with another endpoint, and alone.
    streamed: Option<[Cell; 2]>,
    whole: Option<[Cell; 2]>,
}

/// What must be seen.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    want: Want,
    asked: &'static str,
    after: u64,
    failures: Vec<u64>,
    wait: Option<u64>,
}

#[derive(Clone, Debug)]
enum Want {
    /// The answer of this endpoint, with this finish reason.
    Answer(char, String, &'static str),
    /// A's first tokens, then an error of this type.
    Broken(&'static str, usize),
    /// An error of this status and type.
    Error(u64, &'static str),
}

/// What chance may add to the waits of one request.
const CHANCE: Duration = Duration::from_millis(600);
/// From when on a stream that has nothing to say sends comments.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// A serves.
pub(crate) fn a(asked: &'static str) -> Cell {
    Cell::new(Want::Answer('a', said('a', TOKENS), "stop"), asked)
}

/// B serves.
pub(crate) fn b(asked: &'static str) -> Cell {
    Cell::new(Want::Answer('b', said('b', TOKENS), "stop"), asked)
}

/// A serves this many tokens and breaks off; nobody else is asked.
pub(crate) fn broken(kind: &'static str, tokens: usize) -> Cell {
    Cell::new(Want::Broken(kind, tokens), "a")
}

/// Nobody serves.
pub(crate) fn error(status: u64, kind: &'static str, asked: &'static str) -> Cell {
    Cell::new(Want::Error(status, kind), asked)
}

/// A fault: what A replies when it is asked for a stream, or not.
pub(crate) fn row(name: &str, replies: impl Fn(bool) -> Vec<Reply> + 'static) -> Row {
    Row {
        name: name.to_owned(),
        replies: Box::new(replies),
        streamed: None,
        whole: None,
    }
}

// === impl Row ===

impl Row {
    pub(crate) fn streamed(mut self, with: Cell, alone: Cell) -> Self {
        self.streamed = Some([with, alone]);
        self
    }

    pub(crate) fn whole(mut self, with: Cell, alone: Cell) -> Self {
        self.whole = Some([with, alone]);
        self
    }

    pub(crate) fn both(self, with: Cell, alone: Cell) -> Self {
        self.streamed(with.clone(), alone.clone())
            .whole(with, alone)
    }

    /// Runs every cell of these rows and tells of all that do not hold.
    pub(crate) async fn hold(rows: impl IntoIterator<Item = Self>) {
        let mut wrong = Vec::new();
        for row in rows {
            for (streamed, cells) in [(true, &row.streamed), (false, &row.whole)] {
                let cells = cells
                    .as_ref()
                    .unwrap_or_else(|| panic!("{}: no cells", row.name));
                for (only, cell) in [(json!(["A", "B"]), &cells[0]), (json!(["A"]), &cells[1])] {
                    let transport = ReplayTransport::hosts()
                        .at("a.mock", (row.replies)(streamed))
                        .at("b.mock", [good('b', streamed)]);
                    let station = station(transport);
                    let wish = json!({"provider": {"only": only.clone()}});
                    let exchange = exchange(&station, streamed, wish).await;
                    if let Err(why) = cell.check(&exchange, streamed) {
                        let how = if streamed { "streamed" } else { "whole" };
                        wrong.push(format!("{} ({how}, {only}): {why}", row.name));
                    }
                }
            }
        }
        assert!(
            wrong.is_empty(),
            "{} cells:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }
}

// === impl Cell ===

impl Cell {
    const fn new(want: Want, asked: &'static str) -> Self {
        Self {
            want,
            asked,
            after: 0,
            failures: Vec::new(),
            wait: None,
        }
    }

    /// It ends after so many milliseconds of virtual time, and what chance adds.
    pub(crate) const fn after(mut self, ms: u64) -> Self {
        self.after = ms;
        self
    }

    /// `previous_errors` has these statuses.
    pub(crate) fn failures(mut self, statuses: &[u64]) -> Self {
        self.failures = statuses.to_vec();
        self
    }

    /// `Retry-After` says so many seconds; without this there is none.
    pub(crate) const fn wait(mut self, seconds: u64) -> Self {
        self.wait = Some(seconds);
        self
    }

    /// The answer has this text.
    pub(crate) fn text(mut self, said: &str) -> Self {
        if let Want::Answer(_, text, _) = &mut self.want {
            said.clone_into(text);
        }
        self
    }

    /// The answer ends after so many tokens, for this reason.
    pub(crate) fn finish(mut self, why: &'static str, tokens: usize) -> Self {
        if let Want::Answer(letter, text, finish) = &mut self.want {
            (*text, *finish) = (said(*letter, tokens), why);
        }
        self
    }

    fn check(&self, got: &Exchange, streamed: bool) -> Result<(), String> {
        let after = Duration::from_millis(self.after);
        // A failure after the first comment is told in band: the status was sent with the comment.
        let in_band = streamed && got.took >= KEEPALIVE;
        let want = match &self.want {
            Want::Answer(letter, text, finish) => Seen::Answer {
                provider: letter.to_ascii_uppercase().to_string(),
                text: text.clone(),
                finish: (*finish).to_owned(),
            },
            Want::Broken(kind, tokens) => Seen::Broken {
                provider: "A".to_owned(),
                text: said('a', *tokens),
                kind: (*kind).to_owned(),
            },
            Want::Error(status, kind) => Seen::Error {
                status: *status,
                kind: (*kind).to_owned(),
                in_band,
            },
        };
        let wait = self.wait.filter(|_| !in_band);
        for (holds, what) in [
            (got.seen == want, format!("expected {want:?}")),
            (
                got.asked == self.asked,
                format!("expected {:?} to be asked", self.asked),
            ),
            (
                got.took >= after && got.took <= after + CHANCE,
                format!("expected it to take {after:?}"),
            ),
            (
                got.failures() == self.failures,
                format!("expected failures {:?}", self.failures),
            ),
            (
                got.retry_after == wait,
                format!("expected Retry-After {wait:?}"),
            ),
            (
                !in_band || got.comments > 0,
                "expected comments while there was nothing to say".to_owned(),
            ),
        ] {
            if !holds {
                let (seen, asked, took) = (&got.seen, &got.asked, got.took);
                let rest = (got.failures(), got.retry_after);
                return Err(format!(
                    "{what}, found {seen:?}, {asked:?}, {took:?}, {rest:?}"
                ));
            }
        }
        Ok(())
    }
}
