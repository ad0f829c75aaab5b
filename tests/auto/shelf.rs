//! A small catalogue whose models differ in price, in what they take, and in who made them.

use serde_json::{Value, json};
use waystation_sim::{ReplayTransport, fixtures};
use waystation_tests::{Setup, Station, Whole, asking};

/// An easy prompt, and a hard one.
pub(crate) const EASY: &str = "Hi, how are you?";
pub(crate) const HARD: &str = "Implement a lock-free queue in Rust, prove that it is correct step by \
    step, and analyse its complexity and its edge cases.\n```rust\nstruct Queue;\n```";

/// Five models: id, price, and further members.
const MODELS: [(&str, &str, &str); 5] = [
    ("acme/tiny", "0.1", "context_length = 9000"),
    ("openai/gpt-5-small", "0.5", ""),
    (
        "anthropic/claude-mid",
        "2",
        "input_modalities = [\"text\", \"image\"]",
    ),
    ("openai/gpt-5.9", "8", ""),
    (
        "anthropic/claude-top",
        "30",
        "input_modalities = [\"text\", \"image\"]",
    ),
];

/// The shelf, with TOML laid over it.
pub(crate) fn shelf(more: &str) -> Station {
    shelf_over(more, answering())
}

/// The same over this upstream.
pub(crate) fn shelf_over(more: &str, upstream: ReplayTransport) -> Station {
    let mut config = String::from(
        "[catalog]\nbundled = false\n[providers.p]\nname = \"P\"\ndialect = \"openai-chat\"\n\
         base_url = \"http://p.mock/v1\"\napi_key = \"key-of-p-do-not-tell\"\n",
    );
    for (id, price, members) in MODELS {
        let tools = if id.starts_with("openai/") {
            "tools"
        } else {
            "seed"
        };
        let input = if members.contains("image") {
            ""
        } else {
            "input_modalities = [\"text\"]\n"
        };
        config.push_str(&format!(
            "[[models]]\nid = \"{id}\"\nsupported_parameters = [\"{tools}\"]\n{input}{members}\n[[models.endpoints]]\nprovider = \"p\"\n\
             model = \"m\"\nprice = {{ prompt = \"{price}\", completion = \"{price}\" }}\n"
        ));
    }
    Setup::empty().config(&config).config(more).start(upstream)
}

/// An upstream that always answers.
pub(crate) fn answering() -> ReplayTransport {
    ReplayTransport::answering(|_, _| fixtures::answer("Hi", 20, 2))
}

/// A request for `openrouter/auto` with this prompt.
pub(crate) fn auto(prompt: &str, more: Value) -> Value {
    of("openrouter/auto", prompt, more)
}

/// The same for any router.
pub(crate) fn of(router: &str, prompt: &str, more: Value) -> Value {
    let mut body = asking(
        router,
        json!({"messages": [{"role": "user", "content": prompt}]}),
    );
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    body
}

/// Settings of one plugin.
pub(crate) fn with(plugin: &str, mut settings: Value) -> Value {
    settings["id"] = json!(plugin);
    json!({"plugins": [settings]})
}

/// The model that answers.
pub(crate) async fn chosen(station: &Station, body: Value) -> String {
    let reply = station.chat(body).await.ok();
    reply["model"].as_str().expect("a model").to_owned()
}

/// A reply with metadata.
pub(crate) async fn explained(station: &Station, body: Value) -> Whole {
    let path = "/v1/chat/completions";
    let mut request = Station::request(http::Method::POST, path, body.to_string());
    let enabled = "enabled".parse().expect("a value");
    request
        .headers_mut()
        .insert("x-openrouter-metadata", enabled);
    station.whole(request).await
}
