//! The text that Prometheus reads: families of samples, each with its help and its kind. Source:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4 (2026-11).

use std::fmt::{Display, Write as _};

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by bounds, with sum and count.
    Histogram,
}

/// A page of families.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    family: &'static str,
}

// === impl Page ===

impl Page {
    /// Begins a family. Name and help are this project's own: a line each, without backslashes.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        // Writing to a string cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A sample of the family; `suffix` is empty but in histograms.
    pub(super) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        for (place, (name, value)) in labels.iter().enumerate() {
            self.text.push(if place == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_cannot_leave_their_quotes() {
        let mut page = Page::default();
        page.family("x_total", Kind::Counter, "Help.");
        page.sample("", &[("name", "a\"b\\c\nd")], 1);
        page.sample("", &[], 2);
        let text = "# HELP x_total Help.\n# TYPE x_total counter\n\
                    x_total{name=\"a\\\"b\\\\c\\nd\"} 1\nx_total 2\n";
        assert_eq!(page.into_text(), text);
    }
}
