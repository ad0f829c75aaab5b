//! The rules, one function each. A rule looks at one file and says what to do; it mends nothing.

use std::collections::BTreeSet;

use waystation_catalog::Catalog;

use super::source::{Count, Source};
use crate::failure::Failure;

/// Production lines of a file.
const FILE: usize = 500;
/// Lines of an inline test module.
const INLINE_TESTS: usize = 100;
/// Lines of code in a function.
const FUNCTION: usize = 70;
/// Least doc lines for a hundred lines of code.
const DOC_PERCENT: usize = 25;

/// File names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "types", "manager", "mod", "misc",
];

/// Crates that may know vendors: their facts, and imitations of them.
const KNOW_VENDORS: &[&str] = &["waystation-catalog", "waystation-sim"];

/// Names of vendors that are also words of the wire or of the language.
const ALSO_WORDS: &[&str] = &[
    "seed", "meta", "writer", "sail", "nova", "stealth", "together",
];

/// Marks of unfinished work. Split, so that this file does not hold them itself.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
];

/// Beginnings of paths that exist on one machine only, split for the same reason.
const MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
];

/// Every name by which the catalogue knows a vendor.
pub(super) fn vendors() -> Result<BTreeSet<String>, Failure> {
    let catalog = Catalog::bundled().map_err(Failure::new)?;
    let slugs = catalog
        .providers()
        .map(|provider| provider.upstream.slug.to_string());
    let authors = catalog.models().map(|model| model.id.author().to_owned());
    let known = slugs
        .chain(authors)
        .filter(|name| !ALSO_WORDS.contains(&name.as_str()));
    Ok(known.collect())
}

/// Every rule of one file.
pub(super) fn check(source: &Source, vendors: &BTreeSet<String>, findings: &mut Vec<String>) {
    opening(source, findings);
    name(source, findings);
    sizes(source, findings);
    functions(source, findings);
    unfinished(source, findings);
    attributes(source, findings);
    vendor_names(source, vendors, findings);
    paths(&source.path, &source.text, findings);
}

fn opening(source: &Source, findings: &mut Vec<String>) {
    if !source.text.starts_with("//!") {
        let path = &source.path;
        findings.push(format!(
            "{path}:1: open with `//!`: what the file is, and what it does not do"
        ));
    }
}

fn name(source: &Source, findings: &mut Vec<String>) {
    let stem = source
        .path
        .rsplit('/')
        .next()
        .and_then(|name| name.strip_suffix(".rs"));
    if stem.is_some_and(|stem| EMPTY_NAMES.contains(&stem)) {
        let path = &source.path;
        findings.push(format!(
            "{path}:1: name the file after what it holds (`foo.rs` beside `foo/`)"
        ));
    }
}

fn sizes(source: &Source, findings: &mut Vec<String>) {
    let path = &source.path;
    if source.production > FILE && !source.is_test() {
        let found = source.production;
        findings.push(format!(
            "{path}:{FILE}: {found} lines before its tests, at most {FILE}: split it"
        ));
    }
    if source.inline_tests > INLINE_TESTS && !source.is_test() {
        let (line, found) = (source.production + 1, source.inline_tests);
        let stem = path.trim_end_matches(".rs");
        findings.push(format!(
            "{path}:{line}: {found} lines of tests: move them to {stem}/tests.rs"
        ));
    }
}

fn functions(source: &Source, findings: &mut Vec<String>) {
    for function in source
        .functions
        .iter()
        .filter(|function| function.lines > FUNCTION)
    {
        let (line, name, lines) = (function.line, &function.name, function.lines);
        let path = &source.path;
        findings.push(format!(
            "{path}:{line}: `{name}` has {lines} lines, at most {FUNCTION}: split it"
        ));
    }
}

fn unfinished(source: &Source, findings: &mut Vec<String>) {
    for (line, text) in numbered(&source.text) {
        if UNFINISHED.iter().any(|mark| text.contains(mark)) {
            findings.push(format!(
                "{}:{line}: finish it, or file an issue",
                source.path
            ));
        }
    }
}

fn attributes(source: &Source, findings: &mut Vec<String>) {
    for (line, code) in numbered(&source.code) {
        if code.contains("#[ignore") {
            findings.push(format!(
                "{}:{line}: a test runs, or is not there",
                source.path
            ));
        }
        if code.contains("#[allow") || code.contains("#![allow") {
            let path = &source.path;
            findings.push(format!(
                "{path}:{line}: write #[expect(lint, reason = \"..\")]"
            ));
        }
    }
}

fn vendor_names(source: &Source, vendors: &BTreeSet<String>, findings: &mut Vec<String>) {
    let library = source.library();
    if source.is_test() || library.is_none_or(|name| KNOW_VENDORS.contains(&name)) {
        return;
    }
    for (line, text) in &source.literals {
        if *line <= source.production && vendors.contains(text) {
            findings.push(format!(
                "{}:{line}: {text:?} is a vendor; what is special about it belongs into its \
                 catalogue row",
                source.path
            ));
        }
    }
}

/// Paths of one machine, in any text.
pub(super) fn paths(path: &str, text: &str, findings: &mut Vec<String>) {
    for (line, text) in numbered(text) {
        // A path of a URL is none of a machine.
        let own = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '.');
        let found = |start: &&&str| text.match_indices(**start).any(|(at, _)| own(at));
        if let Some(start) = MACHINE.iter().find(found) {
            findings.push(format!("{path}:{line}: {start}.. is a path of one machine"));
        }
    }
}

/// A library crate has a doc line for every four lines of code.
pub(super) fn documented(name: &str, count: Count, findings: &mut Vec<String>) {
    if count.doc * 100 < count.code * DOC_PERCENT {
        let (doc, code) = (count.doc, count.code);
        findings.push(format!(
            "crates/{name}: {doc} doc lines for {code} lines of code, at least {DOC_PERCENT} %"
        ));
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let vendors = BTreeSet::from(["openai".to_owned()]);
        let mut findings = Vec::new();
        check(
            &Source::new(path.into(), text.into()),
            &vendors,
            &mut findings,
        );
        findings
    }

    #[test]
    fn a_good_file_has_no_findings() {
        let text = "//! Fine.\n\n// openai is mentioned.\nfn a() -> &'static str {\n    \"x\"\n}\n";
        assert_eq!(
            findings("crates/waystation-router/src/order.rs", text),
            Vec::<String>::new()
        );
    }

    #[test]
    fn every_rule_finds_its_fault() {
        let long = format!("fn long() {{\n{}}}\n", "    a();\n".repeat(71));
        let many = "//! x\n".repeat(501);
        let tests = format!(
            "//! x\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "\n".repeat(100)
        );
        for (text, fault) in [
            ("fn a() {}\n", "open with"),
            ("//! x\n#[ignore]\nfn a() {}\n", "a test runs"),
            ("//! x\n#[allow(dead_code)]\nfn a() {}\n", "#[expect"),
            (concat!("//! x\n// TO", "DO: later\n"), "finish it"),
            (
                "//! x\nfn a(p: &str) -> bool {\n    p == \"openai\"\n}\n",
                "is a vendor",
            ),
            (concat!("//! see /ho", "me/me/x\n"), "path of one machine"),
            (&format!("//! x\n{long}"), "`long` has 71 lines"),
            (&many, "501 lines before its tests"),
            (&tests, "move them to"),
        ] {
            let found = findings("crates/waystation-router/src/order.rs", text).join("\n");
            assert!(found.contains(fault), "{fault}: {found}");
        }
        assert!(findings("crates/x/src/utils.rs", "//! x\n")[0].contains("name the file"));
    }

    #[test]
    fn tests_and_the_catalogue_may_name_vendors() {
        let text = "//! x\nfn a(p: &str) -> bool {\n    p == \"openai\"\n}\n";
        for path in [
            "crates/waystation-catalog/src/x.rs",
            "crates/waystation-router/tests/x.rs",
        ] {
            assert_eq!(findings(path, text), Vec::<String>::new());
        }
    }
}
