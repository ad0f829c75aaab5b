//! What requests get from a registry, by example.

#![expect(clippy::disallowed_methods, reason = "a test keeps what it saw")]

use std::sync::Mutex;

use async_trait::async_trait;
use waystation_core::{AskHints, Cx, Endpoint, ErrorType};

use super::*;

/// Notes the options that it was begun with.
#[derive(Debug)]
struct Recorder {
    id: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Plugin for Recorder {
    fn id(&self) -> PluginId {
        self.id.parse().unwrap()
    }

    fn begin(
        &self,
        _: &ChatRequest,
        options: &Options,
    ) -> Result<Option<Box<dyn Run>>, PluginError> {
        let entry = options.entry.json();
        if entry.get("bad").is_some() {
            return Err(PluginError {
                kind: ErrorType::InvalidRequest,
                plugin: self.id(),
                message: "expected no bad".into(),
            });
        }
        self.seen.lock().unwrap().push(entry.text().into_owned());
        Ok(Some(Box::new(Idle)))
    }
}

struct Idle;

#[async_trait]
impl Run for Idle {
    async fn prepare(
        &mut self,
        _: &mut ChatRequest,
        _: &mut AskHints,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        Ok(())
    }

    async fn adapt(
        &mut self,
        _: &mut ChatRequest,
        _: &Endpoint,
        _: &mut Cx<'_>,
    ) -> Result<(), PluginError> {
        Ok(())
    }
}

const FOUR: [&str; 4] = [
    "response-healing",
    "web",
    "context-compression",
    "file-parser",
];

/// What the four plugins are begun with when `members` is sent.
fn begun(defaults: &Defaults, members: &str) -> Result<Vec<String>, InvalidRequest> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut registry = Registry::default();
    for id in FOUR {
        let plugin = Recorder {
            id,
            seen: Arc::clone(&seen),
        };
        registry = registry.with(Arc::new(plugin), defaults.clone());
    }
    let body = format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}]{members}}}"#);
    let chat = ChatRequest::parse(&body.into())?;
    let runs = registry.begin(&chat)?;
    let seen = seen.lock().unwrap().clone();
    assert_eq!(runs.len(), seen.len());
    Ok(seen)
}

fn off() -> Defaults {
    Defaults::default()
}

fn on(options: &'static str, prevent_overrides: bool) -> Defaults {
    Defaults {
        enabled: true,
        prevent_overrides,
        options: Some(RawJson::parse(&options.into()).unwrap()),
    }
}

#[test]
fn four_plugins_run_in_the_documented_order_whatever_the_order_of_the_list() {
    let members = r#", "plugins": [{"id": "response-healing"}, {"id": "context-compression"}, {"id": "web"}, {"id": "file-parser"}]"#;
    let seen = begun(&off(), members).unwrap();
    let expected = [
        "file-parser",
        "web",
        "context-compression",
        "response-healing",
    ];
    assert_eq!(seen, expected.map(|id| format!(r#"{{"id":"{id}"}}"#)));
}

#[test]
fn nothing_runs_that_nobody_asked_for() {
    assert_eq!(begun(&off(), "").unwrap(), Vec::<String>::new());
    let off_by_name = r#", "plugins": [{"id": "web", "enabled": false}]"#;
    assert_eq!(begun(&on("{}", false), off_by_name).unwrap().len(), 3);
}

#[test]
fn a_request_overrides_the_operator_member_by_member_unless_prevented() {
    let members = r#", "plugins": [{"id": "web", "max_results": 3}]"#;
    let options = r#"{"max_results": 5, "engine": "searxng"}"#;
    let seen = begun(&on(options, false), members).unwrap();
    assert!(seen.contains(&r#"{"id":"web","engine":"searxng","max_results":3}"#.into()));
    let seen = begun(&on(options, true), members).unwrap();
    assert!(seen.contains(&r#"{"id":"web","max_results":5,"engine":"searxng"}"#.into()));
    let off_by_name = r#", "plugins": [{"id": "web", "enabled": false}]"#;
    assert_eq!(begun(&on("{}", true), off_by_name).unwrap().len(), 4);
}

#[test]
fn of_two_entries_with_one_id_the_last_wins() {
    let members = r#", "plugins": [{"id": "web", "a": 1}, {"id": "web", "b": 2}]"#;
    assert_eq!(
        begun(&off(), members).unwrap(),
        [r#"{"id":"web","b":2}"#.to_owned()]
    );
}

#[test]
fn transforms_and_online_are_older_spellings() {
    let of = |members: &str| begun(&off(), members).unwrap();
    assert_eq!(
        of(r#", "transforms": ["middle-out"]"#),
        [r#"{"id":"context-compression"}"#]
    );
    assert_eq!(of(r#", "model": "a/b:free:online""#), [r#"{"id":"web"}"#]);
    assert_eq!(
        begun(&on("{}", false), r#", "transforms": []"#)
            .unwrap()
            .len(),
        3
    );
    let refused = begun(&off(), r#", "transforms": ["middle"]"#).unwrap_err();
    assert_eq!(refused.field, "transforms[0]");
}

#[test]
fn an_unknown_plugin_is_refused_with_the_known_ids() {
    let refused = begun(&off(), r#", "plugins": [{"id": "websearch"}]"#).unwrap_err();
    assert_eq!(refused.kind, ErrorType::InvalidRequest);
    assert_eq!(refused.field, "plugins[0].id");
    assert!(
        refused.message.contains("known ids are web, web-fetch"),
        "{refused}"
    );
    let disabled = r#", "plugins": [{"id": "nonsense", "enabled": false}]"#;
    assert!(begun(&off(), disabled).is_err());
}

#[test]
fn a_known_plugin_that_is_not_built_is_accepted_only_to_turn_it_off() {
    let refused = begun(&off(), r#", "plugins": [{"id": "fusion"}]"#).unwrap_err();
    assert!(
        refused.message.contains("this build does not have"),
        "{refused}"
    );
    let disabled = r#", "plugins": [{"id": "fusion", "enabled": false}]"#;
    assert_eq!(begun(&off(), disabled).unwrap(), Vec::<String>::new());
}

#[test]
fn bad_options_name_the_entry() {
    let refused = begun(&off(), r#", "plugins": [{"id": "web", "bad": 1}]"#).unwrap_err();
    assert_eq!(
        (refused.field.as_str(), refused.message.as_str()),
        ("plugins[0]", "web: expected no bad")
    );
    let refused = begun(&off(), r#", "plugins": [{"id": "web", "enabled": "no"}]"#).unwrap_err();
    assert_eq!(refused.field, "plugins[0].enabled");
}
