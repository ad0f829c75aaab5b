//! What the simulated search finds.

use serde_json::Value;
use waystation_core::HttpRequest;

use super::*;
use crate::{Pacing, Simulator};

fn ask(form: &str) -> (u16, Value) {
    let mut request =
        HttpRequest::post_json(&format!("{SEARCH}/search"), form.to_owned().into()).unwrap();
    let simulator = Simulator::new(1).with_pacing(Pacing::Instant);
    let posted = simulator.handle(&request);
    request.url = format!("{SEARCH}/search?{form}").parse().unwrap();
    (request.method, request.body) = (Method::GET, bytes::Bytes::new());
    let got = simulator.handle(&request);
    assert_eq!(posted.body(), got.body(), "GET and POST say the same");
    let body = serde_json::from_slice(&posted.body()).unwrap();
    (posted.head.status.as_u16(), body)
}

fn urls(q: &str) -> Vec<String> {
    let (status, body) = ask(&format!("q={q}&format=json"));
    assert_eq!(status, 200);
    let results = body["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["url"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn pages_are_found_by_their_words() {
    assert_eq!(
        urls("What+is+the+weather+in+Oslo%3F")[0],
        "https://www.weather.example/oslo"
    );
    assert_eq!(
        urls("%E6%9D%B1%E4%BA%AC")[0],
        "https://travel.example.org/tokyo/ja"
    );
    assert!(
        urls("xyzzy")[0].ends_with("/simulation"),
        "something is always found"
    );
    assert!(pages().len() > 20);
}

#[test]
fn sites_are_kept_to() {
    let rust = urls("rust+site%3Ablog.example.net/rust+-site:blog.example.net/rust/async");
    assert_eq!(rust, ["https://blog.example.net/rust/errors"]);
    let two = urls("prices+site:markets.example.com+OR+site:weather.example");
    assert!(
        two.iter()
            .all(|url| url.contains("markets.") || url.contains("weather."))
    );
    assert!(urls("weather+site:nowhere.example").is_empty());
}

#[test]
fn a_form_without_json_or_a_query_is_refused() {
    assert_eq!(ask("q=tea").0, 403);
    assert_eq!(ask("q=tea&format=html").0, 403);
    assert_eq!(ask("q=+&format=json").0, 400);
    assert_eq!(ask("%zz=%&&&=&format=json").0, 400);
}
