//! Whether a package's licences are among those that are allowed: expressions of SPDX with `OR`, `AND`,
//! `WITH` and brackets, and the older `/` for `OR`. What is allowed is told by the caller.

/// Whether `expression` can be kept with nothing but `allowed` licences. What cannot be read cannot.
pub(super) fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let kept = any(&mut words, allowed);
    kept == Some(true) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// Terms of which one is enough.
fn any(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    let mut kept = all(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        kept |= all(words, allowed)?;
    }
    Some(kept)
}

/// Terms that hold together.
fn all(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    let mut kept = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        kept &= one(words, allowed)?;
    }
    Some(kept)
}

/// A licence, or an expression in brackets.
fn one(words: &mut Words<'_>, allowed: &[String]) -> Option<bool> {
    let word = words.next()?;
    if word == "(" {
        let kept = any(words, allowed)?;
        return (words.next()? == ")").then_some(kept);
    }
    if matches!(word, ")" | "OR" | "AND" | "WITH") {
        return None;
    }
    // An exception gives leave beyond its licence, which is what is asked here.
    if words.next_if_eq(&"WITH").is_some() {
        words.next()?;
    }
    Some(allowed.iter().any(|known| known == word))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn one_of_several_is_enough_and_all_of_those_together_are_needed() {
        let allowed = ["MIT", "Apache-2.0", "ISC"].map(String::from);
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT/GPL-3.0", true),
            ("Apache-2.0 AND ISC", true),
            ("Apache-2.0 AND OpenSSL", false),
            ("(MIT OR GPL-3.0) AND ISC", true),
            ("MIT OR GPL-3.0 AND OpenSSL", true),
            ("(MIT OR GPL-3.0) AND OpenSSL", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("", false),
            ("MIT OR", false),
            ("(MIT", false),
            ("MIT ISC", false),
        ] {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        }
    }
}
