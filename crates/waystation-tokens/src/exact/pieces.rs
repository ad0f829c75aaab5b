//! Cuts text into the pieces that tokens never reach beyond. How many tokens a piece is, is not known here.

use regex::Regex;

/// A vocabulary's way to cut.
pub(super) struct Cutter(Option<Regex>);

/// What both have in common: numbers of up to three digits, signs, line ends, spaces.
///
/// The patterns are those of the published tokenizers, but for one: `\s+(?!\S)` leaves the last of several
/// spaces to the word behind them, which is done in code. Source: `openai/tiktoken`,
/// `tiktoken_ext/openai_public.py`, read 2026-08.
const CL100K: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+";
const O200K: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+"
);

// === impl Cutter ===

impl Cutter {
    pub(super) fn cl100k() -> Self {
        Self(Regex::new(CL100K).ok())
    }

    pub(super) fn o200k() -> Self {
        Self(Regex::new(O200K).ok())
    }

    /// The pieces of a text, in order; together they are the text.
    ///
    /// A run of several spaces before a word leaves its last one to the word: `"a   b"` is `"a"`, two
    /// spaces, and `" b"`. A run that ends with a line end, or ends the text, is one piece.
    pub(super) fn pieces<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let found = self.0.as_ref()?.find_at(text, at)?;
            let mut piece = text.get(at..found.end())?;
            let spaces = piece.trim_start().is_empty() && !piece.ends_with(['\r', '\n']);
            if spaces && found.end() < text.len() {
                let last = piece.chars().next_back().map_or(0, char::len_utf8);
                let fewer = piece.get(..piece.len() - last)?;
                piece = if fewer.is_empty() { piece } else { fewer };
            }
            at += piece.len();
            Some(piece)
        })
    }
}
