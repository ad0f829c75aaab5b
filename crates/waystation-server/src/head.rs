//! The head of a request: several of its headers found in one walk. What they mean is not known here.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The first value of each of these headers. A head has few headers, so that one walk costs less than a
/// look-up, which hashes, for each name.
pub(crate) fn firsts<'h, const N: usize>(
    headers: &'h HeaderMap,
    names: [&HeaderName; N],
) -> [Option<&'h HeaderValue>; N] {
    let names = names.map(HeaderName::as_str);
    let mut found = [None; N];
    for (name, value) in headers {
        let name = name.as_str();
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
        let mut headers = HeaderMap::new();
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
