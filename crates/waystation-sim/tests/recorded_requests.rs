//! Requests that real clients sent to real providers, where they are at hand: whatever a provider
//! has answered, the simulator answers too. What it says is not looked at here.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test: what is not there fails it, and what is skipped is said"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use waystation_core::{HttpRequest, Json};
use waystation_sim::{Pacing, Simulator};

/// The recordings beside the workspace (`WAYSTATION_SHARED` names another folder).
fn recordings() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("WAYSTATION_SHARED").map_or_else(beside, PathBuf::from);
    let path = shared.join("wire/dev");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no {} here", path.display());
    None
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir()).collect()
}

/// Sends one recorded request; says what is wrong with the reply, if anything is.
fn trouble(case: &Path, meta: &Value) -> Option<String> {
    let body = fs::read(case.join("request.json")).ok()?;
    let sent: Value = serde_json::from_slice(&body).unwrap();
    let (path, query) = (meta["path"].as_str()?, meta["query"].as_str()?);
    let url = format!("https://recorded.invalid{path}?{query}");
    let request = HttpRequest::post_json(&url, body.into()).unwrap();
    let reply = Simulator::new(7)
        .with_pacing(Pacing::Instant)
        .handle(&request);
    // Nothing is kept, so that there is nothing to go on from.
    if sent
        .get("previous_response_id")
        .is_some_and(|id| !id.is_null())
    {
        return (reply.head.status != 404).then(|| "went on from nothing".into());
    }
    if reply.head.status != 200 {
        return Some(String::from_utf8_lossy(&reply.body()).into_owned());
    }
    let streams = reply.pieces.len() > 1;
    if Some(streams) != meta["streaming"].as_bool() {
        return Some(format!("streams: {streams}"));
    }
    let whole = !streams && Json::parse(&reply.body()).is_err();
    whole.then(|| "no JSON".into())
}

#[test]
fn what_providers_have_answered_is_answered() {
    let Some(root) = recordings() else {
        return;
    };
    let (mut asked, mut troubles) = (0, Vec::new());
    for case in folders(&root).iter().flat_map(|provider| folders(provider)) {
        let meta: Value =
            serde_json::from_slice(&fs::read(case.join("meta.json")).unwrap()).unwrap();
        let known = meta["protocol"] != "ollama-native-chat" && meta["status"] == 200;
        if known && meta["request_recorded"] == true {
            asked += 1;
            if let Some(trouble) = trouble(&case, &meta) {
                troubles.push(format!("{}: {trouble}", case.display()));
            }
        }
    }
    assert!(asked > 300, "{asked}");
    assert!(troubles.is_empty(), "{asked}:\n{}", troubles.join("\n"));
}
