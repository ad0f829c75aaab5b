//! What may be in the dependency tree, as `deny.toml` says it: licences, registries, crates that nobody
//! may have and crates that only some may. `cargo deny check` reads the same file and knows more; this
//! is what can be held without it, on the platform at hand. Advisories are not looked at.

use std::{collections::BTreeMap, fs};

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};
use serde::Deserialize;

use super::licence;
use crate::{failure::Failure, root::root};

/// The parts of `deny.toml` that are held here.
#[derive(Debug, Deserialize)]
pub(super) struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

/// A crate that nobody may depend on, but for its wrappers.
#[derive(Debug, Deserialize)]
struct Banned {
    name: String,
    #[serde(default)]
    wrappers: Vec<String>,
}

// === impl Rules ===

impl Rules {
    /// Reads `deny.toml`.
    pub(super) fn read() -> Result<Self, Failure> {
        let path = root().join("deny.toml");
        let text = fs::read_to_string(&path).map_err(|error| Failure::at(&path, error))?;
        toml::from_str(&text).map_err(|error| Failure::at(&path, error))
    }

    /// What is wrong with the packages that are built here, with all features on.
    pub(super) fn findings(&self) -> Result<Vec<String>, Failure> {
        let metadata = resolved()?;
        let names: BTreeMap<_, _> = metadata
            .packages
            .iter()
            .map(|package| (&package.id, package.name.as_str()))
            .collect();
        let mut findings: Vec<String> = metadata
            .packages
            .iter()
            .flat_map(|package| self.of_package(package))
            .collect();
        let nodes = metadata.resolve.map(|resolve| resolve.nodes);
        for node in nodes.unwrap_or_default() {
            let from = names.get(&node.id).copied().unwrap_or_default();
            for to in &node.dependencies {
                let to = names.get(to).copied().unwrap_or_default();
                findings.extend(self.of_edge(from, to));
            }
        }
        Ok(findings)
    }

    fn of_package(&self, package: &Package) -> Vec<String> {
        let name = &package.name;
        let licence = package.license.as_deref().unwrap_or_default();
        let mut findings = Vec::new();
        if !licence::is_allowed(licence, &self.licenses.allow) {
            findings.push(format!(
                "{name}: the licence {licence:?} is not among those of deny.toml"
            ));
        }
        if let Some(source) = &package.source
            && !source.is_crates_io()
        {
            findings.push(format!("{name}: comes from {source}, not from crates.io"));
        }
        findings
    }

    /// What is wrong with one crate's need of another.
    fn of_edge(&self, from: &str, to: &str) -> Option<String> {
        let banned = self.bans.deny.iter().find(|banned| banned.name == to)?;
        let owners = &banned.wrappers;
        if owners.iter().any(|owner| owner == from) {
            return None;
        }
        Some(if owners.is_empty() {
            format!("{from} -> {to}: deny.toml wants it nowhere")
        } else {
            format!("{from} -> {to}: only {} may", owners.join(", "))
        })
    }
}

/// What cargo knows of the workspace and of all that it is built from.
fn resolved() -> Result<Metadata, Failure> {
    let host = std::process::Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output();
    let host = String::from_utf8_lossy(&host.map_err(Failure::new)?.stdout)
        .trim()
        .to_owned();
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked", "--filter-platform", &host].map(String::from))
        .exec()
        .map_err(Failure::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_keeps_to_the_rules() {
        let findings = Rules::read().unwrap().findings().unwrap();
        assert_eq!(findings, Vec::<String>::new());
    }

    #[test]
    fn what_the_rules_do_not_allow_is_found() {
        let mut rules = Rules::read().unwrap();
        rules.licenses.allow.retain(|known| known != "ISC");
        rules.bans.deny.retain(|banned| banned.name != "reqwest");
        rules.bans.deny.push(Banned {
            name: "reqwest".into(),
            wrappers: vec!["waystation-server".into()],
        });
        let found = rules.findings().unwrap().join("\n");
        assert!(
            found.contains("waystation-transport -> reqwest: only waystation-server may"),
            "{found}"
        );
        assert!(
            found.contains("the licence \"Apache-2.0 AND ISC\""),
            "{found}"
        );
        let nowhere = rules.of_edge("reqwest", "native-tls");
        assert_eq!(
            nowhere.as_deref(),
            Some("reqwest -> native-tls: deny.toml wants it nowhere")
        );
    }
}
