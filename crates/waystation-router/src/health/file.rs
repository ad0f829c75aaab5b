//! Health from a file (`--health FILE`), in place of live statistics. Opening the file is the
//! caller's.

use super::{HealthRow, HealthView, Percentiles, Recent};

/// Why a text is no health file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthFileError {
    /// Not JSON of the expected shape; the message has line and column.
    #[error("expected an array of {{model, endpoint, latency_s, throughput_tps, last_30s}}: {0}")]
    Shape(#[from] serde_json::Error),
    /// A figure that cannot be.
    #[error("row {row} ({model}, {endpoint}): {problem}")]
    Figure {
        /// Which row, from 0.
        row: usize,
        /// Its model.
        model: String,
        /// Its endpoint.
        endpoint: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

// === impl HealthView ===

impl HealthView {
    /// Reads a health file. Source: `interfaces`, "Explain".
    ///
    /// ```
    /// use waystation_core::Tick;
    /// use waystation_router::HealthView;
    ///
    /// let text = r#"[{"model": "acme/fast", "endpoint": "my-vllm", "latency_s": {"p50": 0.4},
    ///                 "last_30s": {"requests": 4, "errors": 2}}]"#;
    /// let view = HealthView::from_json(text.as_bytes())?;
    /// let measured = view.of(&"acme/fast|my-vllm".parse()?, Tick::default()).ok_or("no row")?;
    /// assert!(measured.outage());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`HealthFileError`] for a wrong shape, an unknown key, or a negative figure.
    pub fn from_json(text: &[u8]) -> Result<Self, HealthFileError> {
        let rows: Vec<HealthRow> = serde_json::from_slice(text)?;
        for (at, row) in rows.iter().enumerate() {
            if let Some(problem) = problem(row) {
                return Err(HealthFileError::Figure {
                    row: at,
                    model: row.model.to_string(),
                    endpoint: row.endpoint.to_string(),
                    problem,
                });
            }
        }
        Ok(Self::fixed(rows))
    }
}

/// What is wrong with the figures of a row: none may be negative, and nobody fails more often than
/// they are asked.
fn problem(row: &HealthRow) -> Option<&'static str> {
    let figures = |of: Option<Percentiles>| {
        let Percentiles { p50, p75, p90, p99 } = of.unwrap_or_default();
        [p50, p75, p90, p99].into_iter().flatten()
    };
    if figures(row.latency_s).any(|figure| figure < 0.0) {
        return Some("latency_s: expected seconds from 0 up, found a negative number");
    }
    if figures(row.throughput_tps).any(|figure| figure < 0.0) {
        return Some(
            "throughput_tps: expected tokens per second from 0 up, found a negative number",
        );
    }
    if row.latency_estimate_s.is_some_and(|figure| figure < 0.0) {
        return Some("latency_estimate_s: expected seconds from 0 up, found a negative number");
    }
    if row
        .throughput_estimate_tps
        .is_some_and(|figure| figure < 0.0)
    {
        return Some(
            "throughput_estimate_tps: expected tokens per second from 0 up, found a negative number",
        );
    }
    let impossible = |of: Option<Recent>| of.is_some_and(|of| of.errors > of.requests);
    if impossible(row.tool_calls) {
        return Some("tool_calls: more errors than requests");
    }
    impossible(row.last_30s).then_some("last_30s: more errors than requests")
}
