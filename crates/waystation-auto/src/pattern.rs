//! Patterns of model ids: `*` stands for anything, everything else for itself.

/// Whether `id` is meant by `pattern`. Takes time in proportion to both lengths, whatever the stars.
///
/// ```
/// use waystation_auto::matches;
///
/// assert!(matches("anthropic/*", "anthropic/claude"));
/// assert!(matches("*/claude-*", "anthropic/claude-9"));
/// assert!(!matches("openai/gpt-5", "openai/gpt-5-mini"));
/// ```
#[must_use]
pub fn matches(pattern: &str, id: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == id;
    };
    let Some(mut left) = id.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('*').map_or(("", rest), |(m, t)| (m, t));
    // The first place that fits leaves most for the rest.
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        match left.split_once(piece) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything_and_the_rest_for_itself() {
        for (pattern, id, fits) in [
            ("*", "a/b", true),
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*", "a/", true),
            ("*/b*d", "a/bcd", true),
            ("*/b*d", "a/bce", false),
            ("a*a", "a", false),
            ("a*b*a", "aba", true),
            ("a**a", "aa", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, id), fits, "{pattern} {id}");
        }
    }
}
