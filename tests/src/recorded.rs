//! Recorded exchanges with real providers, where they are at hand: one folder for each, with the
//! request, the very bytes of the reply, and what is known of both. They are no part of the project.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Case {
    /// `provider/name`.
    pub name: String,
    /// The wire.
    pub protocol: String,
    /// The HTTP status of the reply.
    pub status: u16,
    /// Whether it is a stream.
    pub streaming: bool,
    /// The body that was sent.
    pub request: Value,
    /// The bytes that came back.
    pub reply: Vec<u8>,
    /// The reply's `content-type`.
    pub content_type: String,
}

/// The folder of shared material beside the workspace (`WAYSTATION_SHARED` names another), when it
/// is there. Says so on the test's output when it is not.
#[must_use]
pub fn shared(part: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("WAYSTATION_SHARED").map_or_else(beside, PathBuf::from);
    let path = folder.join(part);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no {} here", path.display());
    None
}

/// Every exchange recorded on this wire, by name; empty when there are none here.
///
/// # Panics
/// When a folder is not what it should be.
#[must_use]
pub fn cases(protocol: &str) -> Vec<Case> {
    let Some(root) = shared("wire/dev") else {
        return Vec::new();
    };
    let mut cases: Vec<Case> = folders(&root)
        .iter()
        .flat_map(|provider| folders(provider))
        .map(|folder| Case::read(&folder))
        .filter(|case| case.protocol == protocol)
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.is_dir()).collect()
}

// === impl Case ===

impl Case {
    fn read(folder: &Path) -> Self {
        let json = |name: &str| -> Option<Value> {
            let text = fs::read(folder.join(name)).ok()?;
            Some(serde_json::from_slice(&text).expect("JSON"))
        };
        let meta = json("meta.json").expect("a meta.json");
        let word = |key: &str| meta[key].as_str().unwrap_or_default().to_owned();
        let status = meta["status"].as_u64().expect("a status");
        let base = |path: &Path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        };
        let provider = base(folder.parent().expect("a provider"));
        let streaming = meta["streaming"].as_bool().unwrap_or_default();
        Self {
            name: format!("{provider}/{}", base(folder)),
            protocol: word("protocol"),
            status: u16::try_from(status).expect("a status"),
            streaming,
            request: json("request.json").unwrap_or_default(),
            reply: fs::read(folder.join(word("response_file"))).expect("a reply"),
            content_type: word("content_type"),
        }
    }
}
