//! A Rust file as tidy sees it: its lines by kind, its functions, its string literals, and where its
//! tests begin. It is a scanner, not a parser: it knows comments, literals and braces.

use std::ops::Range;

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Path below the workspace root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with the insides of comments and literals blanked, byte for byte.
    pub(crate) code: String,
    /// String literals: first line (from 1) and content.
    pub(crate) literals: Vec<(usize, String)>,
    /// Functions: first line (from 1), name, lines of code in the body.
    pub(crate) functions: Vec<Function>,
    /// Lines before the inline tests.
    pub(crate) production: usize,
    /// Lines of inline tests.
    pub(crate) inline_tests: usize,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) lines: usize,
}

/// Lines by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) code: usize,
    pub(crate) doc: usize,
}

// === impl Source ===

impl Source {
    pub(crate) fn new(path: String, text: String) -> Self {
        let (code, literals) = mask(&text);
        let lines = text.lines().count();
        let production = tests_begin(&code).unwrap_or(lines);
        let inline_tests = if code.contains("mod tests;") {
            0
        } else {
            lines - production
        };
        let functions = functions(&code);
        Self {
            path,
            text,
            code,
            literals,
            functions,
            production,
            inline_tests,
        }
    }

    /// Whether the whole file is test or bench code.
    pub(crate) fn is_test(&self) -> bool {
        let parts = || self.path.split('/');
        parts().any(|part| matches!(part, "tests" | "benches" | "tests.rs" | "fixtures"))
    }

    /// The name of the crate's folder, for files of library crates.
    pub(crate) fn library(&self) -> Option<&str> {
        self.path
            .strip_prefix("crates/")
            .and_then(|rest| rest.split('/').next())
    }

    /// Production lines, by kind.
    pub(crate) fn count(&self) -> Count {
        let mut count = Count::default();
        for (text, code) in self
            .text
            .lines()
            .zip(self.code.lines())
            .take(self.production)
        {
            let text = text.trim_start();
            if text.starts_with("///") || text.starts_with("//!") {
                count.doc += 1;
            } else if !code.trim().is_empty() {
                count.code += 1;
            }
        }
        count
    }
}

/// The number of lines before the inline test module.
fn tests_begin(code: &str) -> Option<usize> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    lines.iter().enumerate().position(|(at, line)| {
        let next = lines
            .iter()
            .skip(at + 1)
            .find(|next| !next.starts_with("#["));
        line.starts_with("#[cfg(test)]")
            && next
                .is_some_and(|next| next.starts_with("mod ") || next.starts_with("pub(crate) mod"))
    })
}

/// Every function with a body, nested ones too.
fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + 3..];
        let word = |c: &char| c.is_alphanumeric() || *c == '_';
        let name: String = rest.chars().take_while(word).collect();
        if let (false, Some(body)) = (name.is_empty(), body(code, at)) {
            let lines = code[body]
                .lines()
                .filter(|line| !line.trim().is_empty())
                .count();
            let line = code[..at].matches('\n').count() + 1;
            // The lines of the braces themselves are not body.
            found.push(Function {
                line,
                name,
                lines: lines.saturating_sub(2),
            });
        }
    }
    found
}

/// From the opening brace of the item that begins at `from` to the closing one; `None` for one that
/// ends in a semicolon.
fn body(code: &str, from: usize) -> Option<Range<usize>> {
    let (mut round, mut curly, mut open) = (0_i32, 0_i32, None);
    for (at, c) in code[from..].char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            ';' if round == 0 && curly == 0 => return None,
            '{' if round == 0 || curly > 0 => {
                open.get_or_insert(from + at);
                curly += 1;
            }
            '}' if curly > 0 => {
                curly -= 1;
                if curly == 0 {
                    return open.map(|open| open..from + at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Blanks comments and literals; gives the string literals too.
fn mask(text: &str) -> (String, Vec<(usize, String)>) {
    let mut code = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let previous = text[..at].chars().next_back();
        let end = at + token(rest, previous);
        let piece = &text[at..end];
        if let Some(content) = literal(piece) {
            literals.push((text[..at].matches('\n').count() + 1, content.to_owned()));
        }
        let kept = end == at + rest.chars().next().map_or(1, char::len_utf8);
        if kept {
            code.push_str(piece);
        } else {
            // A literal stays visible as code, a comment does not.
            let cover = if piece.starts_with('/') { ' ' } else { '_' };
            code.extend(piece.chars().flat_map(|c| {
                let cover = if c == '\n' { '\n' } else { cover };
                std::iter::repeat_n(cover, c.len_utf8())
            }));
        }
        at = end;
    }
    (code, literals)
}

/// The content of a string literal.
fn literal(piece: &str) -> Option<&str> {
    let inner = piece.trim_start_matches(['b', 'c', 'r']);
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    let inner = inner.get(hashes..)?.strip_prefix('"')?;
    inner.get(..inner.len().checked_sub(hashes + 1)?)
}

/// The length of the comment or literal that `rest` begins with, else of its first character.
fn token(rest: &str, previous: Option<char>) -> usize {
    let one = rest.chars().next().map_or(1, char::len_utf8);
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    let in_word = previous.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len();
    let prefix = if in_word || prefix > 2 { 0 } else { prefix };
    let tail = &rest[prefix..];
    let raw = rest[..prefix].contains('r');
    if raw {
        let hashes = tail.len() - tail.trim_start_matches('#').len();
        if tail[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = prefix + hashes + 1;
            return rest[body..]
                .find(&end)
                .map_or(rest.len(), |at| body + at + end.len());
        }
        return one;
    }
    if tail.starts_with('"') {
        return prefix + quoted(tail, '"');
    }
    if tail.starts_with('\'') && is_char(tail) {
        return prefix + quoted(tail, '\'');
    }
    one
}

/// Whether a quote begins a character and not a lifetime.
fn is_char(tail: &str) -> bool {
    let mut chars = tail.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => true,
        (Some(_), Some(next)) => next == '\'',
        _ => false,
    }
}

fn quoted(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == end => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_i32, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("crates/x/src/lib.rs".into(), text.into())
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        let it = source(
            "//! x {\nfn a<'a>(s: &'a str) -> char {\n    // }\n    let _ = r#\"}\"#;\n    '}'\n}\n",
        );
        assert_eq!(
            it.functions,
            [Function {
                line: 2,
                name: "a".into(),
                lines: 2
            }]
        );
        assert_eq!(it.literals, [(4, "}".into())]);
        assert_eq!(it.count(), Count { code: 4, doc: 1 });
    }

    #[test]
    fn inline_tests_are_no_production() {
        let it = source("fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
        assert_eq!((it.production, it.inline_tests), (2, 4));
        assert!(!it.is_test());
    }

    #[test]
    fn any_text_is_scanned_to_its_end() {
        for text in [
            "\"", "'", "/*", "r#\"", "b'", "'\\", "é'é'", "fn", "fn x(", "fn x() {", "r",
        ] {
            assert_eq!(source(text).code.len(), text.len(), "{text:?}");
        }
    }
}
