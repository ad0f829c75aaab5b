//! `catalog`: facts in, reviewable TOML, one compact blob out. Rows are validated by the crate that
//! ships them; here are only the rules of the source tree.

mod import;
mod listing;
mod tree;
mod write;

use std::{collections::BTreeMap, fs, path::Path};

use waystation_catalog::Catalog;
use waystation_core::Trust;

use crate::failure::Failure;
use tree::Tree;

/// Reads the facts below `from` into the source tree.
pub(crate) fn import(from: &Path) -> Result<(), Failure> {
    let old = Tree::read()?;
    let (new, report) = import::run(from, &old)?;
    new.write()?;
    for line in report {
        println!("{line}");
    }
    build()
}

/// Makes the embedded form.
pub(crate) fn build() -> Result<(), Failure> {
    let tree = Tree::read()?;
    let json = tree.embedded()?;
    let packed = tree::pack(&json)?;
    tree.validate(&Catalog::from_gzip(&packed).map_err(Failure::new)?)?;
    let path = tree::blob();
    fs::write(&path, &packed).map_err(|error| Failure::at(&path, error))?;
    println!(
        "catalog: {} bytes of JSON in {} bytes of gzip",
        json.len(),
        packed.len()
    );
    Ok(())
}

/// Validates the source tree and compares the embedded form with it. What is compared is what the
/// blob unpacks to, so that another version of the compressor makes no difference.
pub(crate) fn check() -> Result<(), Failure> {
    let tree = Tree::read()?;
    tree.check_form()?;
    let json = tree.embedded()?;
    let packed = tree::pack(&json)?;
    tree.validate(&Catalog::from_gzip(&packed).map_err(Failure::new)?)?;
    let path = tree::blob();
    let committed = fs::read(&path).map_err(|error| Failure::at(&path, error))?;
    if tree::unpack(&committed).map_err(|error| Failure::at(&path, error))? != json {
        let why = "is not what the source tree gives; run `cargo xtask catalog build`";
        return Err(Failure::at(&path, why));
    }
    println!("catalog: ok");
    Ok(())
}

/// Prints what the catalogue holds.
pub(crate) fn stats() -> Result<(), Failure> {
    let catalog = Catalog::bundled().map_err(Failure::new)?;
    let endpoints: Vec<_> = catalog
        .models()
        .flat_map(|model| &model.endpoints)
        .collect();
    let mut dialects: BTreeMap<&str, usize> = BTreeMap::new();
    let mut trusts: BTreeMap<Trust, usize> = BTreeMap::new();
    for endpoint in &endpoints {
        *dialects.entry(endpoint.dialect.as_str()).or_default() += 1;
        *trusts.entry(endpoint.trust).or_default() += 1;
    }
    println!("version    {}", catalog.version());
    println!("models     {}", catalog.models().count());
    println!("providers  {}", catalog.providers().count());
    println!("endpoints  {}", endpoints.len());
    println!("latest     {}", catalog.latest_aliases().count());
    for (trust, count) in trusts {
        println!("  {:<24} {count}", trust.to_string());
    }
    for (dialect, count) in dialects {
        println!("  {dialect:<24} {count}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_embedded_form_is_what_the_source_tree_gives() {
        if let Err(failure) = super::check() {
            panic!("{failure}");
        }
    }
}
