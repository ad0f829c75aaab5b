//! What each service is asked, byte for byte, and what is read of its replies.

use serde_json::{Value, json};
use waystation_core::{Json, Secret};

use super::*;

fn service(wire: SearchWire) -> SearchService {
    SearchService {
        name: "test",
        wire,
        base_url: "https://search.example/prefix".into(),
        api_key: Some(Secret::new("key-1")),
        zdr: false,
        price: None,
    }
}

fn query<'a>(text: &'a str, domains: &'a Domains) -> SearchQuery<'a> {
    SearchQuery {
        text,
        max_results: 3,
        domains,
        mode: None,
        characters: 20,
    }
}

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn searxng_gets_words_and_no_commands() {
    let domains = Domains::new(["a.example", "*.b.example/x"], ["c.example"]).unwrap();
    let request = service(SearchWire::Searxng)
        .request(&query("!!g :en what? <3 is 1<2 \n!", &domains))
        .unwrap();
    assert_eq!(request.url, "https://search.example/prefix/search");
    assert_eq!(
        request.body,
        "q=g+en+what%3F+3+is+1%3C2+site%3Aa.example+OR+site%3Ab.example%2Fx+-site%3Ac.example&format=json"
    );
    assert_eq!(
        request.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
}

#[test]
fn exa_gets_both_lists_and_says_what_it_charges() {
    let domains = Domains::new(["a.example"], ["https://c.example/"]).unwrap();
    let exa = service(SearchWire::Exa);
    let request = exa.request(&query("tea", &domains)).unwrap();
    assert_eq!(request.headers["x-api-key"], "key-1");
    assert!(request.headers["x-api-key"].is_sensitive());
    assert_eq!(
        body(&request),
        json!({"query": "tea", "type": "auto", "numResults": 3, "includeDomains": ["a.example"],
            "excludeDomains": ["c.example"],
            "contents": {"highlights": {"query": "tea", "maxCharacters": 20}}})
    );
    let reply = br#"{"results": [{"url": "https://a.example/1", "title": null, "highlights": ["One", "Two"],
        "publishedDate": "2026-01-02"}, {"url": "https://c.example/"}], "costDollars": {"total": 0.007}}"#;
    let read = exa.read(Json::parse(reply).unwrap(), &query("tea", &domains));
    assert_eq!(read.charged, Some("0.007".parse().unwrap()));
    let [hit] = &*read.hits else {
        panic!("{read:?}")
    };
    assert_eq!(hit.title, "https://a.example/1");
    assert_eq!(hit.content, "One\n[...]\nTwo");
    assert_eq!(hit.published.as_deref(), Some("2026-01-02"));
}

#[test]
fn tavily_and_brave_get_queries_of_a_length_that_they_take() {
    let domains = Domains::new([""; 0], ["c.example"]).unwrap();
    let long = "wörd ".repeat(200);
    let request = service(SearchWire::Tavily)
        .request(&query(&long, &domains))
        .unwrap();
    assert_eq!(
        body(&request)["query"].as_str().unwrap().chars().count(),
        400
    );
    assert_eq!(body(&request)["exclude_domains"], json!(["c.example"]));
    assert_eq!(request.headers["authorization"], "Bearer key-1");
    let request = service(SearchWire::Brave)
        .request(&query(&long, &domains))
        .unwrap();
    assert_eq!(request.method, http::Method::GET);
    assert_eq!(request.headers["x-subscription-token"], "key-1");
    let sent = request.url.query().unwrap();
    assert!(sent.starts_with("q=w%C3%B6rd+") && sent.contains("+-site%3Ac.example&count=3"));
    assert!(sent.matches('+').count() < 50);
}

#[test]
fn brave_descriptions_lose_their_marks() {
    let domains = Domains::default();
    let reply = br#"{"web": {"results": [{"url": "https://a.example", "title": "R&amp;D",
        "description": "<strong>Tea</strong> &amp;lt;", "extra_snippets": ["more"]}]}}"#;
    let read = service(SearchWire::Brave).read(Json::parse(reply).unwrap(), &query("t", &domains));
    assert_eq!(read.hits[0].title, "R&D");
    assert_eq!(read.hits[0].content, "Tea &lt;\n[...]\nmore");
}

#[test]
fn pages_come_once_and_excerpts_are_cut_at_a_word() {
    let domains = Domains::default();
    let reply = json!({"results": [
        {"url": "https://a.example/x/", "title": "A", "content": "one two three four five"},
        {"url": "http://www.a.example/x?utm_source=t#top", "title": "the same"},
        {"url": "javascript:alert(1)", "title": "no page"},
        {"url": "https://b.example/a b", "title": "no address"},
        {"url": 3}, {}, "text",
        {"url": "https://b.example", "title": " "},
    ]});
    let text = reply.to_string();
    let read = service(SearchWire::Searxng)
        .read(Json::parse(text.as_bytes()).unwrap(), &query("t", &domains));
    let urls: Vec<&str> = read.hits.iter().map(|hit| &*hit.url).collect();
    assert_eq!(urls, ["https://a.example/x/", "https://b.example"]);
    assert_eq!(read.hits[0].content, "one two three four…");
}

#[test]
fn a_key_that_is_missing_is_told_before_anything_is_sent() {
    let domains = Domains::default();
    let mut exa = service(SearchWire::Exa);
    exa.api_key = None;
    assert!(exa.request(&query("tea", &domains)).is_err());
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            Just(json!("https://a.example/x")),
            "https?://[a-c.]{1,9}(/[a-c]{0,4})?".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let key = prop_oneof![
                Just("results".to_owned()),
                Just("url".to_owned()),
                Just("content".to_owned()),
                Just("highlights".to_owned()),
                Just("web".to_owned()),
                "[a-z]{1,4}",
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever a service answers, what is read of it keeps to what was asked for.
        #[test]
        fn any_reply_is_read_within_what_was_asked_for(reply in anything(), wire in 0..4_usize) {
            let wires = [SearchWire::Searxng, SearchWire::Exa, SearchWire::Tavily, SearchWire::Brave];
            let domains = Domains::new([""; 0], ["c.example", "*.a"]).unwrap();
            let query = query("tea", &domains);
            let text = reply.to_string();
            let read = service(wires[wire]).read(Json::parse(text.as_bytes()).unwrap(), &query);
            prop_assert!(read.hits.len() <= query.max_results);
            for hit in &read.hits {
                prop_assert!(domains.allow(&hit.url) && hit.url.starts_with("http"));
                prop_assert!(hit.content.chars().count() <= query.characters + 1);
            }
        }

        /// Whatever is asked, a request can be made of it, and nothing of it is a header or an address.
        #[test]
        fn any_question_can_be_asked(text in ".{0,600}", wire in 0..4_usize) {
            let wires = [SearchWire::Searxng, SearchWire::Exa, SearchWire::Tavily, SearchWire::Brave];
            let domains = Domains::default();
            let request = service(wires[wire]).request(&query(&text, &domains));
            let request = request.unwrap();
            prop_assert_eq!(request.url.host(), Some("search.example"));
        }

        /// Exclusion is stronger, and what neither scheme nor `www.` change is one page.
        #[test]
        fn excluded_pages_are_never_allowed(host in "[a-z]{1,8}\\.example", path in "[a-z/]{0,9}") {
            let url = format!("https://{host}/{path}");
            let both = Domains::new([&host], [&host]).unwrap();
            prop_assert!(!both.allow(&url));
            let only = Domains::new([host.to_uppercase()], [""; 0]).unwrap();
            let (same, other) = (format!("http://www.{host}:80/{path}"), format!("https://not{host}/"));
            prop_assert!(only.allow(&url) && only.allow(&same) && !only.allow(&other));
            let fragment = format!("{same}#top");
            prop_assert_eq!(identity(&url), identity(&fragment));
        }
    }
}
