//! Patterns of scripts: `*` stands for any text, everything else for itself.

/// Whether `text` fits `pattern`. Linear in the text for each star.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        // No star: the pattern is the text.
        return rest.is_empty();
    };
    for middle in parts {
        match rest.split_once(middle) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("gpt-*", "gpt-5.4"),
            ("*/chat/*", "/v1/chat/completions"),
            ("a*b*c", "a-b-b-c"),
            ("*a", "aaa"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", "ab"), ("a*a", "a"), ("*b*c", "cb")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
