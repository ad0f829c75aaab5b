//! A sketch of a distribution: counts in logarithmic buckets, six to the doubling, so that every
//! percentile is right within 6 %. Fixed size; it knows nothing of time.

/// Six buckets to the doubling over 21 doublings: 0.5 ms to 1,000 s, or 0.1 to 200,000 tokens per
/// second, by the unit that [`LOWEST`] stands for.
const BUCKETS: usize = 128;
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

/// Fewer values have no tail.
const FEWEST: u64 = 8;

/// Counts by bucket.
#[derive(Clone, Debug)]
pub(super) struct Sketch([u16; BUCKETS]);

/// What several sketches come to.
#[derive(Debug)]
pub(super) struct Distribution {
    counts: [u32; BUCKETS],
    total: u64,
}

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
}

// === impl Distribution ===

impl<'s> FromIterator<&'s Sketch> for Distribution {
    fn from_iter<I: IntoIterator<Item = &'s Sketch>>(sketches: I) -> Self {
        let mut counts = [0; BUCKETS];
        for sketch in sketches {
            for (sum, count) in counts.iter_mut().zip(sketch.0) {
                *sum += u32::from(count);
            }
        }
        let total = counts.iter().copied().map(u64::from).sum();
        Self { counts, total }
    }
}

impl Distribution {
    /// The value that `share` per cent of the counted ones do not exceed; `None` without any.
    pub(super) fn percentile(&self, share: u32) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        // The rank of the wanted value, at least the first.
        let rank = (self.total * u64::from(share)).div_ceil(100).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(middle(at));
            }
        }
        None
    }

    /// The value that 95 of 100 do not exceed; `None` where there were too few to speak of a tail.
    pub(super) fn tail(&self) -> Option<f64> {
        (self.total >= FEWEST)
            .then(|| self.percentile(95))
            .flatten()
    }
}

/// Which bucket a value falls in. No logarithm, so that platforms agree: doubling is exact, and so every
/// end here is bit for bit the one of [`lower_end`].
fn bucket(value: f64) -> usize {
    let (mut bucket, mut end) = (0, LOWEST);
    while bucket + STEPS.len() < BUCKETS && end + end <= value {
        (bucket, end) = (bucket + STEPS.len(), end + end);
    }
    let reached = STEPS.iter().filter(|step| end * **step <= value).count();
    (bucket + reached.saturating_sub(1)).min(BUCKETS - 1)
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

    fn of(values: impl IntoIterator<Item = f64>) -> Distribution {
        let mut sketch = Sketch::default();
        values.into_iter().for_each(|value| sketch.add(value));
        [&sketch].into_iter().collect()
    }

    proptest! {
        #[test]
        fn a_value_comes_back_within_six_per_cent(value in 0.0006_f64..1_000.0) {
            let back = of([value]).percentile(50).unwrap();
            prop_assert!((back / value - 1.0).abs() < 0.0613, "{back} for {value}");
        }

        #[test]
        fn a_value_lies_between_the_ends_of_its_bucket(exponent in -5.0_f64..7.0, end in 0..BUCKETS) {
            for value in [10_f64.powf(exponent), lower_end(end)] {
                let at = bucket(value);
                prop_assert!(at == 0 || lower_end(at) <= value, "{value} in {at}");
                prop_assert!(at == BUCKETS - 1 || value < lower_end(at + 1), "{value} in {at}");
            }
        }
    }

    #[test]
    fn percentiles_grow_with_their_share_and_few_values_have_no_tail() {
        let hundred = of((1..=100).map(f64::from));
        let at = |share| hundred.percentile(share).unwrap();
        assert!((at(50) - 50.0).abs() < 4.0 && (at(90) - 90.0).abs() < 7.0);
        assert!((hundred.tail().unwrap() - 95.0).abs() < 7.0);
        assert_eq!(of([]).percentile(50), None);
        assert_eq!(of([1.0; 7]).tail(), None);
        assert!(of([1.0; 8]).tail().is_some());
    }
}
