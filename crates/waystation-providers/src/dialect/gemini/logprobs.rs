//! Log probabilities, from `logprobsResult` to the form of the contract. Numbers are copied as
//! they stand.
//!
//! The wire has two lists of the same length: `chosenCandidates`, the tokens of the answer, and
//! `topCandidates`, for each of them the likeliest ones. The contract has one list, with the
//! alternatives inside. Token ids are the model's own and stay; the bytes of a token, which the
//! contract has for tokens that are no whole characters, are those of its text.
//!
//! Source: <https://ai.google.dev/api/generate-content#LogprobsResult> (2026-08-22).

use bytes::Bytes;
use waystation_core::{Json, JsonText, Kind, ObjectWriter, RawJson};

/// The `logprobs` object of one piece; `None` when there is nothing in it.
pub(super) fn read(result: Json<'_>) -> Option<RawJson> {
    let list = |key: &str| result.get(key).into_iter().flat_map(Json::elements);
    list("chosenCandidates").next()?;
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    let content = object.key("content");
    content.push(b'[');
    let mut tops = list("topCandidates");
    for (place, chosen) in list("chosenCandidates").enumerate() {
        if place > 0 {
            content.push(b',');
        }
        let mut entry = ObjectWriter::open(content);
        token(chosen, &mut entry);
        let others = entry.key("top_logprobs");
        others.push(b'[');
        let top = tops.next().and_then(|top| top.get("candidates"));
        for (place, other) in top.into_iter().flat_map(Json::elements).enumerate() {
            if place > 0 {
                others.push(b',');
            }
            let mut entry = ObjectWriter::open(others);
            token(other, &mut entry);
            entry.close();
        }
        others.push(b']');
        entry.close();
    }
    content.push(b']');
    object.null("refusal");
    object.close();
    RawJson::parse(&Bytes::from(out)).ok()
}

/// One token: its text, its probability and its bytes.
fn token(found: Json<'_>, entry: &mut ObjectWriter<'_>) {
    let text = found
        .get("token")
        .and_then(Json::string)
        .unwrap_or_default();
    entry.text("token", &JsonText::of(&text));
    let probability = found.get("logProbability");
    let probability = probability.filter(|value| value.kind() == Kind::Number);
    // A certain token has the probability 0, which the wire leaves out.
    entry.raw("logprob", probability.map_or(b"0", Json::bytes));
    let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
    entry.raw("bytes", format!("[{}]", bytes.join(",")).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_get_the_contracts_form() {
        let wire = r#"{"chosenCandidates":[{"token":"Hi","tokenId":1,"logProbability":-6.79e-06},{"token":"\""}],
            "topCandidates":[{"candidates":[{"token":"Hi","logProbability":-6.79e-06}]}]}"#;
        let found = read(Json::parse(wire.as_bytes()).unwrap()).unwrap();
        let expected = r#"{"content":[{"token":"Hi","logprob":-6.79e-06,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-6.79e-06,"bytes":[72,105]}]},{"token":"\"","logprob":0,"bytes":[34],"top_logprobs":[]}],"refusal":null}"#;
        assert_eq!(found.bytes(), expected);
        assert_eq!(read(Json::parse(b"{}").unwrap()), None);
    }
}
