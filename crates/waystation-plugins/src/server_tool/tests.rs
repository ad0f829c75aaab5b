//! Which tools of a request are the gateway's, and what is wrong with those that are not.

use super::*;
use crate::{SearchService, SearchWire};

fn searching() -> Arc<WebSearch> {
    Arc::new(WebSearch {
        services: vec![SearchService {
            name: "searxng",
            wire: SearchWire::Searxng,
            base_url: "http://search.mock".into(),
            api_key: None,
            zdr: false,
            price: None,
        }],
        private: false,
    })
}

fn read(tools: &str, search: &Arc<WebSearch>) -> Result<Vec<NamedTool>, InvalidRequest> {
    let body =
        format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}], "tools": {tools}}}"#);
    super::tools(&ChatRequest::parse(&body.into()).unwrap(), search)
}

fn names(tools: &str, search: &Arc<WebSearch>) -> Vec<(usize, String)> {
    let tools = read(tools, search).unwrap();
    tools.into_iter().map(|tool| (tool.at, tool.name)).collect()
}

#[test]
fn tools_of_the_gateway_are_found_by_both_prefixes() {
    let all = r#"[{"type": "function", "function": {"name": "f"}}, {"type": "openrouter:web_search"},
        {"type": "waystation:datetime"}, {"type": "mcp"}]"#;
    let expected = [(1, "web_search".to_owned()), (2, "datetime".to_owned())];
    assert_eq!(names(all, &searching()), expected);
}

#[test]
fn a_function_of_the_clients_keeps_its_name() {
    let both = r#"[{"type": "function", "function": {"name": "web_search"}}, {"type": "openrouter:web_search"}]"#;
    assert_eq!(
        names(both, &searching()),
        [(1, "gateway_web_search".to_owned())]
    );
}

#[test]
fn search_tools_of_openai_are_the_gateways_where_it_can_search() {
    let tool = r#"[{"type": "web_search", "filters": {"allowed_domains": ["a.example"]}}]"#;
    assert_eq!(names(tool, &searching()).len(), 1);
    assert_eq!(names(tool, &Arc::default()), []);
}

#[test]
fn what_is_wrong_is_named() {
    for (tools, expected) in [
        (
            r#"[{"type": "openrouter:bash"}]"#,
            "tools[0].type: this gateway has no tool \"openrouter:bash\"",
        ),
        (
            r#"[{"type": "openrouter:datetime"}, {"type": "waystation:datetime"}]"#,
            "tools[1]: is there twice",
        ),
        (
            r#"[{"type": "openrouter:datetime", "parameters": {"timezone": "Mars"}}]"#,
            "tools[0].parameters: timezone: expected a name",
        ),
        (
            r#"[{"type": "openrouter:web_search", "parameters": {"max_results": 30}}]"#,
            "tools[0].parameters: max_results: expected",
        ),
        (
            r#"[{"type": "openrouter:web_search", "parameters": {"engine": "exa"}}]"#,
            "\"exa\" is not configured",
        ),
        (
            r#"[{"type": "web_search", "filters": {"allowed_domains": ["a b"]}}]"#,
            "allowed_domains[0]",
        ),
    ] {
        let error = read(tools, &searching()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
