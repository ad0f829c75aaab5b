//! How fast an endpoint is said to be: by its host, or by the operator. Nothing is measured here, and
//! what a figure is good for is the router's to say.

use crate::RowError;

/// From here up a speed is a slip of the unit.
const FASTEST: f64 = 100_000.0;
/// Likewise for seconds to the first token.
const SLOWEST: f64 = 3_600.0;

/// Speeds that somebody states of one endpoint. They stand in for measurements until there are some.
///
/// ```
/// use waystation_catalog::Speed;
///
/// let speed = Speed { throughput_tps: Some(500.0), latency_s: None };
/// assert!(speed.checked().is_ok());
/// assert!(Speed { throughput_tps: Some(0.0), ..speed }.checked().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Speed {
    /// Answer tokens per second.
    pub throughput_tps: Option<f64>,
    /// Seconds to the first token.
    pub latency_s: Option<f64>,
}

// === impl Speed ===

impl Speed {
    /// The speed, where its figures can be speeds: above 0, below 100,000 tokens per second, below an
    /// hour to the first token.
    ///
    /// # Errors
    /// [`RowError::Unknown`] names the field.
    pub fn checked(self) -> Result<Self, RowError> {
        within("throughput_tps", self.throughput_tps, FASTEST)?;
        within("latency_s", self.latency_s, SLOWEST)?;
        Ok(self)
    }
}

/// Holds one figure to its bounds.
fn within(field: &str, figure: Option<f64>, most: f64) -> Result<(), RowError> {
    match figure {
        // Not a number is within nothing.
        Some(figure) if !(figure > 0.0 && figure < most) => Err(RowError::Unknown {
            expected: format!("`speed.{field}` to be a number above 0 and below {most}"),
            found: figure.to_string(),
        }),
        _ => Ok(()),
    }
}
