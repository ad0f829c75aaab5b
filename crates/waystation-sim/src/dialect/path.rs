//! Addresses that name a model: `…/models/<m>:verb` of Google's hosts, `/model/<m>/verb` of Bedrock.

use std::borrow::Cow;

/// The model that a path names, decoded; `None` when it names none.
pub(super) fn model(path: &str) -> Option<Cow<'_, str>> {
    let google = path.rsplit_once("/models/");
    let google = google.and_then(|(_, rest)| Some(rest.rsplit_once(':')?.0));
    let name = google.or_else(|| {
        let (_, rest) = path.split_once("/model/")?;
        Some(rest.rsplit_once('/')?.0)
    })?;
    (!name.is_empty()).then(|| decode(name))
}

/// Undoes percent-encoding; what is none stays as it is.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::model;

    #[test]
    fn models_are_found_in_paths() {
        for (path, expected) in [
            (
                "/v1beta/models/gemini-3-flash:generateContent",
                Some("gemini-3-flash"),
            ),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:rawPredict",
                Some("claude@1"),
            ),
            ("/model/amazon.nova%3A0/converse", Some("amazon.nova:0")),
            (
                "/model/arn:aws:p/x%2/converse-stream",
                Some("arn:aws:p/x%2"),
            ),
            ("/model//converse", None),
            ("/v1/messages", None),
        ] {
            assert_eq!(model(path).as_deref(), expected, "{path}");
        }
    }
}
