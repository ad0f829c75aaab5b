//! Logarithm, exponential and their kin, out of sums and products in a fixed order, so that every
//! platform gets the same bits. Good to about five digits. It calls no mathematical library.

/// The logarithm to base 2 of a number from 1 up; 0 for smaller ones.
///
/// The exponent is exact; within one octave a cubic stands for the logarithm, within 0.001.
pub(crate) fn log2(value: f32) -> f32 {
    if value <= 1.0 {
        return 0.0;
    }
    let bits = value.to_bits();
    let exponent = i16::try_from(bits >> 23).unwrap_or(i16::MAX) - 127;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000) - 1.0;
    let octave = mantissa * (1.423_1 + mantissa * (-0.582_08 + mantissa * 0.158_98));
    f32::from(exponent) + octave
}

/// e to the power of `value`, bounded to 2^±60.
pub(crate) fn exp(value: f32) -> f32 {
    let scaled = (value * std::f32::consts::LOG2_E).clamp(-60.0, 60.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within ±61, and rounding down is meant"
    )]
    let whole = (scaled + 64.0) as i32 - 64;
    #[expect(clippy::cast_precision_loss, reason = "within ±61")]
    let rest = (scaled - whole as f32) * std::f32::consts::LN_2;
    let series = 1.0
        + rest
            * (1.0 + rest * (0.5 + rest * (0.166_666_67 + rest * (0.041_666_67 + rest * 0.008_9))));
    let power = u32::try_from(whole + 127).unwrap_or_default() << 23;
    series * f32::from_bits(power)
}

/// The logistic function: from a logit to a share.
pub(crate) fn logistic(logit: f32) -> f32 {
    1.0 / (1.0 + exp(-logit))
}

/// The inverse of [`logistic`], for shares away from 0 and 1.
pub(crate) fn logit(share: f32) -> f32 {
    let share = share.clamp(0.001, 0.999);
    (log2(share * 1_024.0) - log2((1.0 - share) * 1_024.0)) * std::f32::consts::LN_2
}

/// The bits of a hash, mixed so that each of them is as good as the others (the finisher of splitmix64).
pub(crate) const fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A count as a share of how much there could be: 0, 1/2, 2/3, 3/4 and so on.
pub(crate) fn saturated(count: u16) -> f32 {
    let count = f32::from(count);
    count / (1.0 + count)
}

/// A size as a number; exact up to 16 million, and larger ones differ in nothing that matters here.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) const fn number(size: usize) -> f32 {
    size as f32
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers of tests")]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_those_of_the_books() {
        for step in 1..4_000 {
            let value = step as f32 * 0.37;
            assert!(
                (log2(value.max(1.0)) - value.max(1.0).log2()).abs() < 0.002,
                "{value}"
            );
        }
        for step in -300..300 {
            let value = step as f32 * 0.05;
            assert!((exp(value) / value.exp() - 1.0).abs() < 1e-3, "{value}");
            assert!((logistic(value) - 1.0 / (1.0 + (-value).exp())).abs() < 1e-3);
        }
    }

    #[test]
    fn what_cannot_be_is_bounded() {
        assert_eq!(log2(-1.0).to_bits(), 0.0_f32.to_bits());
        assert!(exp(1e9).is_finite() && exp(-1e9) > 0.0 && exp(f32::NAN).is_nan());
    }

    /// The bits themselves, so that another platform, compiler or flag cannot differ unseen.
    #[test]
    fn the_bits_are_the_same_everywhere() {
        let all = [log2(3.0), log2(1_000.0), exp(-1.5), exp(0.3), logistic(0.7)];
        let bits = all.map(f32::to_bits);
        let known = [
            1_070_268_122,
            1_092_579_763,
            1_046_772_626,
            1_068_288_047,
            1_059_786_469,
        ];
        assert_eq!(bits, known);
    }
}
