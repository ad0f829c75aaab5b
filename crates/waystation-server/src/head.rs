//! The head of a request: several of its headers found in one walk. What they mean is not known here.

use http::{HeaderName, HeaderValue};
use waystation_core::Headers;

/// The first value of each of these headers, in one walk.
pub(crate) fn firsts<'h, const N: usize>(
    headers: &'h Headers,
    names: [&HeaderName; N],
) -> [Option<&'h HeaderValue>; N] {
    let mut found = [None; N];
    for (name, value) in headers.iter() {
        let slots = names.iter().zip(&mut found);
        for (_, slot) in slots.filter(|(wanted, _)| **wanted == name) {
            slot.get_or_insert(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use http::header::{HOST, ORIGIN, REFERER};

    use super::*;

    #[test]
    fn each_has_its_first_value_or_none() {
        let mut headers = Headers::default();
        headers.append(REFERER, HeaderValue::from_static("a"));
        headers.append(ORIGIN, HeaderValue::from_static("b"));
        headers.append(REFERER, HeaderValue::from_static("c"));
        let found = firsts(&headers, [&HOST, &REFERER, &ORIGIN]);
        let expected = [None, Some("a"), Some("b")];
        assert_eq!(
            found.map(|value| value.and_then(|value| value.to_str().ok())),
            expected
        );
    }
}
