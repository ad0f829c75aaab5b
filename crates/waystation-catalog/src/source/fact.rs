//! Facts with a source of their own: speeds that hosts state, and what licences permit. Here they are
//! texts and numbers; a figure or a name that cannot be is found out when a catalogue is made of them.

use serde::{Deserialize, Serialize};

use super::Text;

/// How fast an endpoint is, in its host's own words. The figures are the host's, none is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpeedRow<'a> {
    /// Answer tokens per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput_tps: Option<f64>,
    /// Seconds to the first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_s: Option<f64>,
    /// Where it was read. Not embedded.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
    /// Date of that. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Text<'a>>,
}

/// A licence of weights, and whether it lets other models be trained on what they write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LicenseRow<'a> {
    /// Its name in rows of models: `apache-2.0`.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// Its full name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Other models may be trained on answers. Absent: its text leaves it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distillable: Option<bool>,
    /// Why, with the conditions that come with it. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Text<'a>>,
    /// Its text. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
    /// When that was decided. Not embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Text<'a>>,
}

// === impl SpeedRow, LicenseRow ===

impl SpeedRow<'_> {
    /// Whether no figure is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.throughput_tps.is_none() && self.latency_s.is_none()
    }

    /// Leaves the figures only.
    pub(super) fn compact(&mut self) {
        (self.source, self.seen) = (None, None);
    }
}

impl LicenseRow<'_> {
    /// Leaves what the gateway needs.
    pub(super) fn compact(&mut self) {
        (self.because, self.source, self.seen) = (None, None, None);
    }
}
