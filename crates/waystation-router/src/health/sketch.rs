//! A sketch of a distribution: counts in logarithmic buckets, six to the doubling, so that every
//! percentile is right within 6 %. Fixed size; it knows nothing of time.

/// Six buckets to the doubling over 21 doublings: 0.5 ms to 1,000 s, or 0.1 to 200,000 tokens per
/// second, by the unit that [`LOWEST`] stands for.
pub(super) const BUCKETS: usize = 128;
/// Upper end of the first bucket.
const LOWEST: f64 = 0.0005;
/// 2^(k/6) for k = 0..5.
const STEPS: [f64; 6] = [
    1.0,
    1.122_462_048_309_373,
    1.259_921_049_894_873_2,
    std::f64::consts::SQRT_2,
    1.587_401_051_968_199_4,
    1.781_797_436_280_678_6,
];

/// Counts by bucket.
#[derive(Clone, Debug)]
pub(super) struct Sketch([u16; BUCKETS]);

impl Default for Sketch {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

// === impl Sketch ===

impl Sketch {
    /// Counts one value.
    pub(super) fn add(&mut self, value: f64) {
        if let Some(count) = self.0.get_mut(bucket(value)) {
            *count = count.saturating_add(1);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0 = [0; BUCKETS];
    }

    /// Adds the counts to `sums`.
    pub(super) fn add_to(&self, sums: &mut [u32; BUCKETS]) {
        for (sum, count) in sums.iter_mut().zip(self.0) {
            *sum += u32::from(count);
        }
    }
}

/// The value that `share` per cent of the counted ones do not exceed; `None` without any.
pub(super) fn percentile(sums: &[u32; BUCKETS], share: u32) -> Option<f64> {
    let total: u64 = sums.iter().copied().map(u64::from).sum();
    if total == 0 {
        return None;
    }
    // The rank of the wanted value, at least the first.
    let rank = (total * u64::from(share)).div_ceil(100).max(1);
    let mut seen = 0;
    for (at, count) in sums.iter().enumerate() {
        seen += u64::from(*count);
        if seen >= rank {
            return Some(middle(at));
        }
    }
    None
}

/// Lower ends only grow, so halving finds the bucket; no logarithm, so that platforms agree.
fn bucket(value: f64) -> usize {
    let (mut low, mut high) = (0, BUCKETS - 1);
    while low < high {
        let middle = usize::midpoint(low, high + 1);
        if lower_end(middle) <= value {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

fn lower_end(bucket: usize) -> f64 {
    let mut end = LOWEST * STEPS.get(bucket % 6).copied().unwrap_or(1.0);
    for _ in 0..bucket / 6 {
        end += end;
    }
    end
}

fn middle(bucket: usize) -> f64 {
    (lower_end(bucket) + lower_end(bucket + 1)) * 0.5
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_comes_back_within_six_per_cent(value in 0.0006_f64..1_000.0) {
            let mut sums = [0; BUCKETS];
            let mut sketch = Sketch::default();
            sketch.add(value);
            sketch.add_to(&mut sums);
            let back = percentile(&sums, 50).unwrap();
            prop_assert!((back / value - 1.0).abs() < 0.0613, "{back} for {value}");
        }
    }

    #[test]
    fn percentiles_grow_with_their_share() {
        let (mut sums, mut sketch) = ([0; BUCKETS], Sketch::default());
        (1..=100).for_each(|value| sketch.add(f64::from(value)));
        sketch.add_to(&mut sums);
        let at = |share| percentile(&sums, share).unwrap();
        assert!((at(50) - 50.0).abs() < 4.0 && (at(90) - 90.0).abs() < 7.0);
        assert_eq!(percentile(&[0; BUCKETS], 50), None);
    }
}
