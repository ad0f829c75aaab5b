//! Recorded exchanges of one dialect. They lie beside the workspace (`../shared/wire`, or where
//! `WAYSTATION_SHARED` says); without them there are none, and that is said.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// One recorded exchange.
pub(crate) struct Case {
    /// Provider and case.
    pub(crate) name: String,
    /// The provider's folder.
    pub(crate) provider: String,
    /// What the recorder says of it.
    pub(crate) meta: Value,
    /// What was sent, where that was recorded.
    pub(crate) request: Option<Value>,
    /// What came back.
    pub(crate) response: Vec<u8>,
}

impl Case {
    /// The status.
    pub(crate) fn status(&self) -> u16 {
        u16::try_from(self.meta["status"].as_u64().unwrap()).unwrap()
    }

    /// Whether the reply is a stream.
    pub(crate) fn streamed(&self) -> bool {
        self.meta["streaming"] == true
    }
}

fn shared() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "says where the recordings are")]
    let named = std::env::var("WAYSTATION_SHARED").ok().map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = named.unwrap_or(beside).join("wire/dev");
    if !root.is_dir() {
        println!("skipped: there are no recordings at {}", root.display());
        return None;
    }
    Some(root)
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Every exchange whose recorder calls its protocol `protocol`; at least `least`, if there are any.
pub(crate) fn cases(protocol: &str, least: usize) -> Vec<Case> {
    let Some(root) = shared() else {
        return Vec::new();
    };
    let mut cases = Vec::new();
    for folder in folders(&root).iter().flat_map(|provider| folders(provider)) {
        let json = |name: &str| -> Option<Value> {
            serde_json::from_slice(&fs::read(folder.join(name)).ok()?).ok()
        };
        let meta = json("meta.json").unwrap();
        if meta["protocol"] != protocol {
            continue;
        }
        let last = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let provider = last(folder.parent().unwrap());
        cases.push(Case {
            name: format!("{provider}/{}", last(&folder)),
            provider,
            request: json("request.json"),
            response: fs::read(folder.join(meta["response_file"].as_str().unwrap())).unwrap(),
            meta,
        });
    }
    assert!(cases.len() >= least, "found {} cases", cases.len());
    cases
}
