//! Exact counts by the vocabularies that are published: which model has which, and whether it has been
//! loaded. They are embedded as the lists of tokens that they are, 2 MB, and counted by tables that are
//! built from them on first need; time is linear in the text, whatever it is.

mod pieces;
mod table;

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use pieces::Cutter;
use table::Table;
use waystation_core::{ModelId, Tokens};

/// The family, as the catalogue calls it, whose vocabularies are published.
const FAMILY: &str = "GPT";
/// Its models before the larger vocabulary, by what their names begin with. Source: the table of
/// encodings in `openai/tiktoken`, `model.py`, read 2026-08.
const OLDER: &[&str] = &["gpt-3.5", "gpt-4-", "text-embedding-"];
/// One of them whose name begins like those of newer ones.
const OLDEST: &str = "gpt-4";
/// Text is counted in pieces of about so many bytes, between which the limit is looked at.
const PIECE: usize = 16 << 10;

/// A published vocabulary. Once loaded it stays: 13 MB for the larger, less for the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// `cl100k_base`, 100,000 entries.
    Cl100k,
    /// `o200k_base`, 200,000 entries.
    O200k,
}

/// Whether one vocabulary is there.
#[derive(Debug)]
struct Loaded {
    wanted: AtomicBool,
    tokenizer: OnceLock<Tokenizer>,
}

/// A vocabulary that is there.
struct Tokenizer {
    cutter: Cutter,
    table: Table,
}

static CL100K: Loaded = Loaded::not_yet();
static O200K: Loaded = Loaded::not_yet();

// === impl Vocabulary ===

impl Vocabulary {
    /// The vocabulary of a model whose tokenizer is of this family.
    #[must_use]
    pub fn of(model: &ModelId, family: &str) -> Option<Self> {
        let base = model.base();
        let name = base.slug();
        let older = name == OLDEST || OLDER.iter().any(|start| name.starts_with(start));
        match (family == FAMILY, older) {
            (false, _) => None,
            (true, true) => Some(Self::Cl100k),
            (true, false) => Some(Self::O200k),
        }
    }

    /// Loads it, which takes 50 ms for the larger and 20 ms for the smaller; at once when it is there.
    pub fn load(self) {
        self.loaded().tokenizer.get_or_init(|| match self {
            Self::Cl100k => Tokenizer {
                cutter: Cutter::cl100k(),
                table: Table::unpacked(include_bytes!(concat!(env!("OUT_DIR"), "/cl100k"))),
            },
            Self::O200k => Tokenizer {
                cutter: Cutter::o200k(),
                table: Table::unpacked(include_bytes!(concat!(env!("OUT_DIR"), "/o200k"))),
            },
        });
    }

    /// Whether it has been loaded.
    #[must_use]
    pub fn is_loaded(self) -> bool {
        self.loaded().tokenizer.get().is_some()
    }

    /// The tokens of `text`, exactly, or more than `limit`. `None` until it is [loaded](Self::load).
    ///
    /// Words that providers put around messages are not counted, and special tokens are text.
    #[must_use]
    pub fn count_till(self, text: &str, limit: Tokens) -> Option<Tokens> {
        let tokenizer = self.loaded().tokenizer.get()?;
        let (mut count, mut bytes) = (0_usize, 0);
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        for piece in tokenizer.cutter.pieces(text) {
            count = count.saturating_add(tokenizer.table.tokens(piece.as_bytes()));
            bytes += piece.len();
            if bytes >= PIECE {
                bytes = 0;
                if count > limit {
                    break;
                }
            }
        }
        Some(Tokens::new(u64::try_from(count).unwrap_or(u64::MAX)))
    }

    /// Whether this call is the one that should have it loaded: the first.
    pub(crate) fn is_wanted(self) -> bool {
        !self.loaded().wanted.swap(true, Ordering::Relaxed)
    }

    const fn loaded(self) -> &'static Loaded {
        match self {
            Self::Cl100k => &CL100K,
            Self::O200k => &O200K,
        }
    }
}

// === impl Loaded ===

impl Loaded {
    const fn not_yet() -> Self {
        Self {
            wanted: AtomicBool::new(false),
            tokenizer: OnceLock::new(),
        }
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").finish_non_exhaustive()
    }
}
