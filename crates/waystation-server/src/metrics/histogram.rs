//! A histogram of durations with fixed bounds: from a twentieth of a second, below which the
//! gateway's own work would be seen, to the longest time limit.

use std::time::Duration;

use super::exposition::Page;

/// Upper bounds in milliseconds, inclusive, and as labels in seconds.
const BOUNDS: [(u64, &str); 14] = [
    (50, "0.05"),
    (100, "0.1"),
    (250, "0.25"),
    (500, "0.5"),
    (1_000, "1"),
    (2_500, "2.5"),
    (5_000, "5"),
    (10_000, "10"),
    (20_000, "20"),
    (30_000, "30"),
    (60_000, "60"),
    (120_000, "120"),
    (300_000, "300"),
    (600_000, "600"),
];

/// How many durations lie within each bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Not cumulative; the last is what lies beyond every bound.
    buckets: [u64; BOUNDS.len() + 1],
    micros: u128,
}

// === impl Histogram ===

impl Histogram {
    pub(super) fn add(&mut self, took: Duration) {
        let place = BOUNDS
            .iter()
            .position(|(ms, _)| took <= Duration::from_millis(*ms));
        if let Some(bucket) = self.buckets.get_mut(place.unwrap_or(BOUNDS.len())) {
            *bucket += 1;
        }
        self.micros += took.as_micros();
    }

    /// Writes the samples under one label; none when nothing was added.
    pub(super) fn write(&self, label: (&str, &str), page: &mut Page) {
        let count: u64 = self.buckets.iter().sum();
        if count == 0 {
            return;
        }
        let mut below = 0;
        for ((_, bound), bucket) in BOUNDS.iter().zip(&self.buckets) {
            below += bucket;
            page.sample("_bucket", &[label, ("le", bound)], below);
        }
        page.sample("_bucket", &[label, ("le", "+Inf")], count);
        let (seconds, micros) = (self.micros / 1_000_000, self.micros % 1_000_000);
        page.sample("_sum", &[label], format_args!("{seconds}.{micros:06}"));
        page.sample("_count", &[label], count);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::exposition::Kind, *};

    #[test]
    fn buckets_are_cumulative_and_end_with_everything() {
        let mut histogram = Histogram::default();
        for ms in [50, 51, 700_000] {
            histogram.add(Duration::from_millis(ms));
        }
        let mut page = Page::default();
        page.family("x", Kind::Histogram, "Help.");
        histogram.write(("p", "a"), &mut page);
        let text = page.into_text();
        assert!(text.contains("x_bucket{p=\"a\",le=\"0.05\"} 1\n"));
        assert!(text.contains("x_bucket{p=\"a\",le=\"600\"} 2\n"));
        assert!(text.contains("x_bucket{p=\"a\",le=\"+Inf\"} 3\n"));
        assert!(text.ends_with("x_sum{p=\"a\"} 700.101000\nx_count{p=\"a\"} 3\n"));
    }
}
