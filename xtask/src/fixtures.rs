//! `fixtures plugins`: holds the plugins to their bars over the shared sets of cases, where they are at
//! hand. The bars stand in the tests; here is only which tests they are.

use crate::{ci, failure::Failure};

/// The tests that know the bars: package, target, and the start of their names.
const PLUGINS: [(&str, &str, &str); 2] = [
    ("waystation-tests", "plugins", "cases"),
    ("waystation-server", "documents", "no_document"),
];

/// Repairs, conversations and documents; prints their figures.
pub(crate) fn plugins() -> Result<(), Failure> {
    for (package, target, names) in PLUGINS {
        let arguments = [
            "test",
            "--quiet",
            "--locked",
            "--package",
            package,
            "--test",
            target,
            "--",
            names,
            "--nocapture",
        ];
        ci::cargo(&arguments)?;
    }
    println!("fixtures: ok");
    Ok(())
}
