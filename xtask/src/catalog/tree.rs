//! The source tree of the catalogue: its files in and out, and the rules that the crate itself does
//! not know (seeds, sorted files, rows in their author's file). It does not read the facts' origin.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Write},
    path::PathBuf,
};

use serde::Deserialize;
use waystation_catalog::{
    Catalog,
    source::{AliasRow, EndpointRow, LatestRow, LicenseRow, ModelRow, ProviderRow, Rows},
};

use super::write;
use crate::{
    failure::Failure,
    root::{files, read, root},
};

/// The tree, owned.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) models: Vec<ModelRow<'static>>,
    pub(crate) providers: Vec<ProviderRow<'static>>,
    pub(crate) latest: Vec<LatestRow<'static>>,
    pub(crate) aliases: Vec<AliasRow<'static>>,
    pub(crate) licenses: Vec<LicenseRow<'static>>,
    pub(crate) seeds: Vec<Seed>,
    /// Each file's text, by path.
    pub(super) texts: BTreeMap<PathBuf, String>,
}

/// A model whose promised context is pinned, and the providers whose key alone must serve it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seed {
    pub(crate) id: String,
    pub(crate) context_length: Option<u64>,
    pub(crate) vendors: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seeds {
    seed: Vec<Seed>,
}

fn data() -> PathBuf {
    root().join("crates/waystation-catalog/data")
}

/// The embedded form.
pub(crate) fn blob() -> PathBuf {
    data().join("catalog.json.gz")
}

/// Compresses as hard as it goes, without a time stamp, so that equal rows give equal bytes.
pub(crate) fn pack(json: &[u8]) -> Result<Vec<u8>, Failure> {
    let best = flate2::Compression::best();
    let mut packer = flate2::GzBuilder::new().mtime(0).write(Vec::new(), best);
    packer
        .write_all(json)
        .and_then(|()| packer.finish())
        .map_err(Failure::new)
}

pub(crate) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut json)?;
    Ok(json)
}

/// What rows of one model are sorted by.
pub(super) fn order<'a>(row: &'a EndpointRow<'_>) -> (&'a str, &'a str) {
    (&row.provider, row.variant.as_deref().unwrap_or_default())
}

// === impl Tree ===

impl Tree {
    /// Reads every file; one that is absent is empty.
    pub(crate) fn read() -> Result<Self, Failure> {
        let mut tree = Self::default();
        let mut paths: Vec<_> = ["providers.toml", "aliases.toml", "licenses.toml"]
            .map(|name| data().join(name))
            .into();
        if data().join("models").is_dir() {
            paths.extend(files(&data().join("models"), "toml")?);
        }
        for path in paths.into_iter().filter(|path| path.exists()) {
            // Rows borrow from their file, and a task lives no longer than they do.
            let text: &'static str = Box::leak(read(&path)?.into_boxed_str());
            let rows = Rows::from_toml(text).map_err(|error| Failure::at(&path, error))?;
            tree.models.extend(rows.model);
            tree.providers.extend(rows.provider);
            tree.latest.extend(rows.latest);
            tree.aliases.extend(rows.alias);
            tree.licenses.extend(rows.license);
            tree.texts.insert(path, text.to_owned());
        }
        let path = data().join("seeds.toml");
        let seeds: Seeds =
            toml::from_str(&read(&path)?).map_err(|error| Failure::at(&path, error))?;
        tree.seeds = seeds.seed;
        Ok(tree)
    }

    /// The text of every file, as it should be, by path.
    fn written(&self) -> BTreeMap<PathBuf, String> {
        let mut texts = BTreeMap::new();
        texts.insert(
            data().join("providers.toml"),
            write::providers(&self.providers),
        );
        texts.insert(
            data().join("aliases.toml"),
            write::aliases(&self.latest, &self.aliases),
        );
        texts.insert(
            data().join("licenses.toml"),
            write::licenses(&self.licenses),
        );
        let mut authors: BTreeMap<&str, Vec<&ModelRow<'_>>> = BTreeMap::new();
        for model in &self.models {
            let author = model.id.split('/').next().unwrap_or_default();
            authors.entry(author).or_default().push(model);
        }
        for (author, models) in authors {
            let path = data().join("models").join(format!("{author}.toml"));
            texts.insert(path, write::models(&models));
        }
        texts
    }

    /// Writes every file, and removes those of authors without models.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let texts = self.written();
        let folder = data().join("models");
        fs::create_dir_all(&folder).map_err(|error| Failure::at(&folder, error))?;
        for path in self.texts.keys().filter(|path| !texts.contains_key(*path)) {
            fs::remove_file(path).map_err(|error| Failure::at(path, error))?;
        }
        for (path, text) in texts {
            fs::write(&path, text).map_err(|error| Failure::at(&path, error))?;
        }
        Ok(())
    }

    /// Holds every file to the form in which an import would write it, so that diffs show facts.
    pub(crate) fn check_form(&self) -> Result<(), Failure> {
        let written = self.written();
        let mut findings = Vec::new();
        for (path, text) in &self.texts {
            let expected = written.get(path).map_or("", String::as_str);
            let lines = text.lines().zip(expected.lines());
            let equal = lines
                .clone()
                .take_while(|(found, wanted)| found == wanted)
                .count();
            if text != expected {
                let wanted = expected.lines().nth(equal).unwrap_or("the end of the file");
                findings.push(format!(
                    "{}:{}: expected {wanted}",
                    path.display(),
                    equal + 1
                ));
            }
        }
        Failure::of("catalog form", &findings)
    }

    /// The embedded form, before compression.
    pub(crate) fn embedded(&self) -> Result<Vec<u8>, Failure> {
        let rows = Rows {
            provider: self.providers.clone(),
            model: self.models.clone(),
            latest: self.latest.clone(),
            alias: self.aliases.clone(),
            license: self.licenses.clone(),
            ..Rows::default()
        };
        rows.compact().to_json().map_err(Failure::new)
    }

    /// The rules that the crate does not know: the seeds' pins and vendors, dates, sources.
    pub(crate) fn validate(&self, catalog: &Catalog) -> Result<(), Failure> {
        let mut findings = Vec::new();
        for seed in &self.seeds {
            let Some(model) = catalog.model(&seed.id) else {
                findings.push(format!("seed {}: there is no such model", seed.id));
                continue;
            };
            let context = model.context_length.map(|tokens| tokens.get());
            if context != seed.context_length {
                let wanted = seed.context_length;
                let id = &seed.id;
                findings.push(format!(
                    "{id}: expected context {wanted:?}, found {context:?}"
                ));
            }
            for vendor in &seed.vendors {
                let served = |tag: &str| {
                    model
                        .endpoints
                        .iter()
                        .any(|e| e.provider == tag && e.variant.is_none())
                };
                if !served(vendor) {
                    findings.push(format!("{}: {vendor} does not serve it", seed.id));
                }
            }
        }
        for row in &self.models {
            if row.sources.is_empty() || row.seen.is_empty() {
                findings.push(format!("{}: expected `sources` and `seen`", row.id));
            }
            if row.license.is_some() != row.license_source.is_some() {
                findings.push(format!(
                    "{}: expected `license` with `license_source`",
                    row.id
                ));
            }
            if !row.endpoint.is_sorted_by_key(order) {
                findings.push(format!(
                    "{}: expected endpoints by provider and variant",
                    row.id
                ));
            }
            for endpoint in &row.endpoint {
                let speed = &endpoint.speed;
                if !speed.is_unknown() && (speed.source.is_none() || speed.seen.is_none()) {
                    let provider = &endpoint.provider;
                    findings.push(format!(
                        "{}, {provider}: expected `speed.source` and `speed.seen`",
                        row.id
                    ));
                }
                if endpoint.sources.is_empty() || endpoint.seen.is_none() {
                    let provider = &endpoint.provider;
                    findings.push(format!(
                        "{}, {provider}: expected `sources` and `seen`",
                        row.id
                    ));
                }
            }
        }
        for row in &self.licenses {
            if row.because.is_none() || row.source.is_none() || row.seen.is_none() {
                findings.push(format!(
                    "license {}: expected `because`, `source` and `seen`",
                    row.id
                ));
            }
        }
        Failure::of("catalog", &findings)
    }
}
