//! Reads a document and prints its text: `cargo run -p waystation-plugins --features documents
//! --example read -- FILE`. It runs in this very process: give it no file that you do not trust.

use std::{env, error::Error, fs, io::Write as _, path::Path, time::Duration};

use waystation_core::DocumentLimits;
use waystation_plugins::{FileKind, read_document, read_foreign};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("expected the name of a file")?;
    let bytes = fs::read(&path)?;
    let name = Path::new(&path).file_name().unwrap_or_default();
    let kind = FileKind::of(&bytes, &name.to_string_lossy(), "");
    let limits = DocumentLimits {
        bytes: 64 << 20,
        pages: 2_000,
        time: Duration::from_secs(10),
    };
    let read = match kind.sandboxed() {
        Some(kind) => read_foreign(&bytes, kind, &limits)?,
        None => read_document(&bytes, kind)?,
    };
    Ok(std::io::stdout().write_all(read.text.as_bytes())?)
}
