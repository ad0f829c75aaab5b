//! `tidy`: the house rules that no lint knows. Every finding says where it is and how to mend it.
//! What rustfmt and clippy check is not checked again.

mod rules;
mod source;

use std::{collections::BTreeMap, path::Path};

use crate::{
    failure::Failure,
    root::{files, read, root},
};
use source::{Count, Source};

/// Folders with sources of the project.
const FOLDERS: &[&str] = &["crates", "tests", "benches", "xtask"];

/// Holds all sources to the rules.
pub(crate) fn check() -> Result<(), Failure> {
    let sources = sources()?;
    let vendors = rules::vendors()?;
    let mut findings = Vec::new();
    for source in &sources {
        rules::check(source, &vendors, &mut findings);
    }
    let binary = |name: &str| {
        root()
            .join("crates")
            .join(name)
            .join("src/main.rs")
            .exists()
    };
    for (name, mut count) in libraries(&sources) {
        if binary(name) {
            continue;
        }
        count.doc += front_page(name)?;
        rules::documented(name, count, &mut findings);
    }
    for (path, text) in papers()? {
        rules::paths(&path, &text, &mut findings);
    }
    findings.sort();
    Failure::of("tidy", &findings)?;
    println!("tidy: ok, {} files", sources.len());
    Ok(())
}

/// Prints the sizes of every crate.
pub(crate) fn stats() -> Result<(), Failure> {
    let sources = sources()?;
    println!(
        "{:<24} {:>5} {:>7} {:>8} {:>8} {:>7} {:>7} {:>8}",
        "crate", "files", "code", "file p95", "file max", "fn p95", "fn max", "doc/code"
    );
    let counts = libraries(&sources);
    for (name, count) in counts {
        let own: Vec<&Source> = sources
            .iter()
            .filter(|source| source.library() == Some(name) && !source.is_test())
            .collect();
        let (file_p95, file_max) = spread(own.iter().map(|source| source.production));
        let (fn_p95, fn_max) = spread(
            own.iter()
                .flat_map(|source| &source.functions)
                .map(|function| function.lines),
        );
        println!(
            "{name:<24} {:>5} {:>7} {file_p95:>8} {file_max:>8} {fn_p95:>7} {fn_max:>7} {:>7}%",
            own.len(),
            count.code,
            count.doc * 100 / count.code.max(1),
        );
    }
    Ok(())
}

fn spread(sizes: impl Iterator<Item = usize>) -> (usize, usize) {
    let mut sizes: Vec<usize> = sizes.collect();
    sizes.sort_unstable();
    let p95 = sizes.len().saturating_sub(1) * 95 / 100;
    (
        sizes.get(p95).copied().unwrap_or_default(),
        sizes.last().copied().unwrap_or_default(),
    )
}

/// Production lines of every library crate.
fn libraries(sources: &[Source]) -> BTreeMap<&str, Count> {
    let mut libraries: BTreeMap<&str, Count> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        if let Some(name) = source.library() {
            let (count, own) = (libraries.entry(name).or_default(), source.count());
            count.code += own.code;
            count.doc += own.doc;
        }
    }
    libraries
}

/// Lines of the README, where it is the crate's front page.
fn front_page(name: &str) -> Result<usize, Failure> {
    let folder = root().join("crates").join(name);
    if !read(&folder.join("src/lib.rs"))?.contains("include_str!(\"../README.md\")") {
        return Ok(0);
    }
    Ok(read(&folder.join("README.md"))?
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count())
}

fn sources() -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for folder in FOLDERS {
        for path in files(&root().join(folder), "rs")? {
            sources.push(Source::new(below_root(&path), read(&path)?));
        }
    }
    Ok(sources)
}

/// Texts other than sources: manifests and documents.
fn papers() -> Result<Vec<(String, String)>, Failure> {
    let mut papers = Vec::new();
    for extension in ["md", "toml"] {
        for path in files(&root(), extension)? {
            papers.push((below_root(&path), read(&path)?));
        }
    }
    Ok(papers)
}

fn below_root(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}
