//! `layers`: which crate may import which, and what the pure ones must never pull in. The tables are
//! in the root manifest, `[workspace.metadata.layers]` and `[workspace.metadata.pure]`; this task only
//! holds the dependencies to them. Dev-dependencies are free. What may be in the tree as a whole is in
//! `deny.toml`.

mod licence;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use serde::Deserialize;

use crate::{failure::Failure, root::root};
use tree::Rules;

/// The tables of the root manifest.
#[derive(Debug, Deserialize)]
pub(crate) struct Tables {
    layers: BTreeMap<String, Vec<String>>,
    pub(crate) pure: Pure,
}

/// Crates whose dependency closure is held free of others.
#[derive(Debug, Deserialize)]
pub(crate) struct Pure {
    pub(crate) crates: Vec<String>,
    forbidden: Vec<String>,
}

/// Holds edges and closures to the tables.
pub(crate) fn check() -> Result<(), Failure> {
    let metadata = metadata()?;
    let tables = tables(&metadata)?;
    let mut findings = edges(&metadata, &tables);
    findings.extend(Rules::read()?.findings()?);
    for name in &tables.pure.crates {
        for found in closure(name)?.intersection(&tables.pure.forbidden.iter().cloned().collect()) {
            findings.push(format!(
                "{name}: its dependencies contain {found}; `cargo tree -p {name} -e normal,build \
                 -i {found} --all-features` shows the way in"
            ));
        }
    }
    Failure::of("layers", &findings)?;
    println!("layers: ok");
    Ok(())
}

/// What cargo knows of the workspace, its members only.
pub(crate) fn metadata() -> Result<Metadata, Failure> {
    let manifest = root().join("Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .map_err(Failure::new)
}

pub(crate) fn tables(metadata: &Metadata) -> Result<Tables, Failure> {
    serde_json::from_value(metadata.workspace_metadata.clone())
        .map_err(|error| Failure::new(format!("Cargo.toml, [workspace.metadata]: {error}")))
}

fn edges(metadata: &Metadata, tables: &Tables) -> Vec<String> {
    let members: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(allowed) = tables.layers.get(name) else {
            findings.push(format!(
                "{name}: expected a line in [workspace.metadata.layers]"
            ));
            continue;
        };
        let lasting = package
            .dependencies
            .iter()
            .filter(|edge| edge.kind != DependencyKind::Development);
        for edge in lasting {
            let to = edge.name.as_str();
            let may = allowed.iter().any(|known| known == "*" || known == to);
            if members.contains(to) && !may {
                findings.push(format!(
                    "{name} -> {to}: not in [workspace.metadata.layers]; a new edge is a design \
                     decision"
                ));
            }
        }
    }
    findings
}

/// Every crate that `name` needs to build, itself included, with all of its features on. Features
/// are resolved for it alone, since other members' wishes are not its own.
fn closure(name: &str) -> Result<BTreeSet<String>, Failure> {
    let arguments = [
        "tree",
        "--package",
        name,
        "--edges",
        "normal,build",
        "--all-features",
    ];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--target", "all", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .map_err(Failure::new)?;
    if !output.status.success() {
        return Err(Failure::new(String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(Into::into)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_keep_to_the_table() {
        let metadata = metadata().unwrap();
        let tables = tables(&metadata).unwrap();
        assert_eq!(edges(&metadata, &tables), Vec::<String>::new());
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_found() {
        let metadata = metadata().unwrap();
        let mut tables = tables(&metadata).unwrap();
        tables
            .layers
            .insert("waystation-catalog".into(), Vec::new());
        tables.layers.remove("waystation-tokens");
        let found = edges(&metadata, &tables).join("\n");
        assert!(
            found.contains("waystation-catalog -> waystation-core"),
            "{found}"
        );
        assert!(
            found.contains("waystation-tokens: expected a line"),
            "{found}"
        );
    }
}
