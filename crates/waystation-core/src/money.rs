//! Money as integers. A price is nano-dollars per million tokens, an amount is femto-dollars, and
//! one nano-dollar per million tokens *is* one femto-dollar per token: cost is one multiplication.
//!
//! Rounding happens in two named places only, half to even at one femto-dollar:
//! [`UsdPerMTok::scaled`] (a price multiplier, applied when rows are loaded) and
//! [`Usd::from_decimal_rounded`] (an amount that an upstream reports). Caps are cut off, which changes
//! nothing of what is below them. Everything else is exact or refused.

use std::{fmt, iter::Sum, ops::Add, str::FromStr};

use crate::{Tokens, json::write_number};

/// Femto-dollars in one dollar.
const FEMTO: u128 = 1_000_000_000_000_000;
/// Nano-dollars in one dollar.
const NANO: u128 = 1_000_000_000;

/// A price in nano-dollars per million tokens; $0.10 per million is 100,000,000.
///
/// ```
/// use waystation_core::{Tokens, UsdPerMTok};
///
/// let price: UsdPerMTok = "0.15".parse()?;
/// assert_eq!(price.of(Tokens::new(1_000)).to_string(), "0.00015");
/// # Ok::<(), waystation_core::ParseMoneyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UsdPerMTok(u64);

/// An amount in femto-dollars. The largest, about 3.4e23 dollars, cannot be reached: additions and
/// multiplications saturate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(u128);

/// Why a text is not an amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseMoneyError {
    /// Not a decimal number.
    #[error("expected a decimal number of dollars such as \"0.10\", found {0:?}")]
    NotDecimal(String),
    /// Below zero.
    #[error("expected a number of dollars from 0 up, found {0:?}")]
    Negative(String),
    /// More decimal places than the unit holds.
    #[error("{text:?} has more than {places} decimal places")]
    TooFine {
        /// The text.
        text: String,
        /// The most decimal places.
        places: usize,
    },
    /// A factor that is no decimal number, or one that is none from 0 to the largest.
    #[error(
        "expected a factor such as \"0.92\", a decimal number from 0 to 18446744073, found {0:?}"
    )]
    NotFactor(String),
    /// Above what the unit holds.
    #[error("{0:?} is too large for a price")]
    TooLarge(String),
}

// === impl UsdPerMTok ===

impl UsdPerMTok {
    /// No charge. A legal price, and not the same as an unknown one.
    pub const ZERO: Self = Self(0);

    /// From nano-dollars per million tokens.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// In nano-dollars per million tokens, which are also femto-dollars per token.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// What `tokens` cost at this price: exact.
    #[must_use]
    pub const fn of(self, tokens: Tokens) -> Usd {
        Usd((self.0 as u128).saturating_mul(tokens.get() as u128))
    }

    /// The price of one token.
    #[must_use]
    pub const fn per_token(self) -> Usd {
        Usd(self.0 as u128)
    }

    /// The price times `multiplier`, rounded half to even at one nano-dollar per million tokens.
    ///
    /// # Errors
    /// [`ParseMoneyError::TooLarge`] when the product does not fit.
    pub fn scaled(self, multiplier: Multiplier) -> Result<Self, ParseMoneyError> {
        let product = u128::from(self.0) * u128::from(multiplier.0);
        let (whole, rest) = (product / NANO, product % NANO);
        let up = rest * 2 > NANO || (rest * 2 == NANO && whole % 2 == 1);
        u64::try_from(whole + u128::from(up))
            .map(Self)
            .map_err(|_| ParseMoneyError::TooLarge(format!("{self} x {multiplier}")))
    }
}

impl UsdPerMTok {
    /// Reads a cap on a price: finer decimal places are cut off, and a cap above every price is the
    /// highest. A price is at most the cap exactly when it is at most what this gives, since prices
    /// are whole nano-dollars; programs that multiply floats send `0.15000000000000002`.
    ///
    /// # Errors
    /// [`ParseMoneyError`] when the text is no decimal number, or a negative one.
    ///
    /// ```
    /// use waystation_core::UsdPerMTok;
    ///
    /// let cap = UsdPerMTok::cap("0.15000000000000002")?;
    /// assert_eq!(cap, "0.15".parse()?);
    /// # Ok::<(), waystation_core::ParseMoneyError>(())
    /// ```
    pub fn cap(text: &str) -> Result<Self, ParseMoneyError> {
        let nanos = floor(text, 9)?;
        Ok(Self(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

impl FromStr for UsdPerMTok {
    type Err = ParseMoneyError;

    /// Reads dollars per million tokens, at most nine decimal places.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let nanos = decimal(text, 9)?;
        u64::try_from(nanos)
            .map(Self)
            .map_err(|_| ParseMoneyError::TooLarge(text.into()))
    }
}

impl fmt::Display for UsdPerMTok {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, u128::from(self.0), NANO, 9)
    }
}

// === impl Usd ===

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From femto-dollars.
    #[must_use]
    pub const fn from_femtos(femtos: u128) -> Self {
        Self(femtos)
    }

    /// In femto-dollars.
    #[must_use]
    pub const fn femtos(self) -> u128 {
        self.0
    }

    /// `count` times the amount.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count as u128))
    }

    /// The difference, or nothing when `other` is larger.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Appends what `Display` shows, in fewer steps.
    ///
    /// ```
    /// use waystation_core::Usd;
    ///
    /// for femtos in [0, 1, 1_500_000_000, 1_000_000_000_000_000, u64::MAX.into(), u128::MAX] {
    ///     let (amount, mut out) = (Usd::from_femtos(femtos), Vec::new());
    ///     amount.write(&mut out);
    ///     assert_eq!(out, amount.to_string().into_bytes());
    /// }
    /// ```
    pub fn write(self, out: &mut Vec<u8>) {
        match u64::try_from(self.0) {
            Ok(femtos) => write_femtos(femtos, out),
            Err(_) => decimal_parts(self.0, FEMTO, 15, |part| {
                out.extend_from_slice(part.as_bytes());
            }),
        }
    }

    /// Reads a cap on an amount, as [`UsdPerMTok::cap`] does: cut off at one femto-dollar.
    ///
    /// # Errors
    /// [`ParseMoneyError`] when the text is no decimal number, or a negative one.
    pub fn cap(text: &str) -> Result<Self, ParseMoneyError> {
        floor(text, 15).map(Self)
    }

    /// Reads an amount that somebody else computed, exponents included, rounding half to even at
    /// one femto-dollar.
    ///
    /// # Errors
    /// [`ParseMoneyError`] when the text is no decimal number, negative or above 1e12 dollars.
    pub fn from_decimal_rounded(text: &str) -> Result<Self, ParseMoneyError> {
        let (digits, scale) = split_decimal(text)?;
        // `digits` counts units of 10^-scale dollars; bring it to 10^-15.
        let not_decimal = || ParseMoneyError::NotDecimal(text.into());
        let too_large = || ParseMoneyError::TooLarge(text.into());
        let shift = 15 - i64::from(scale);
        if shift >= 0 {
            let power = 10_u128.checked_pow(u32::try_from(shift).map_err(|_| not_decimal())?);
            return power
                .and_then(|p| digits.checked_mul(p))
                .map(Self)
                .ok_or_else(too_large);
        }
        let power = 10_u128.checked_pow(u32::try_from(-shift).map_err(|_| not_decimal())?);
        let Some(power) = power else {
            return Ok(Self::ZERO);
        };
        let (whole, rest) = (digits / power, digits % power);
        let half = power / 2;
        let up = rest > half || (rest == half && whole % 2 == 1);
        Ok(Self(whole + u128::from(up)))
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl FromStr for Usd {
    type Err = ParseMoneyError;

    /// Reads dollars, at most fifteen decimal places.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decimal(text, 15).map(Self)
    }
}

impl fmt::Display for Usd {
    /// Plain decimal dollars, as short as exact: a legal JSON number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, FEMTO, 15)
    }
}

/// A factor for prices, with nine decimal places: `0.92` for a negotiated discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiplier(u64);

impl FromStr for Multiplier {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseMoneyError::NotFactor(text.into());
        let nanos = decimal(text, 9).map_err(|error| match error {
            ParseMoneyError::TooFine { .. } => error,
            _ => wrong(),
        })?;
        u64::try_from(nanos).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Multiplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, u128::from(self.0), NANO, 9)
    }
}

macro_rules! serde_as_decimal_text {
    ($($name:ident),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_decimal_text!(UsdPerMTok, Usd, Multiplier);

/// Reads an exact decimal with at most `places` places as a count of the smallest unit.
fn decimal(text: &str, places: usize) -> Result<u128, ParseMoneyError> {
    let (digits, scale) = split_decimal(text)?;
    let missing = i64::try_from(places).unwrap_or(i64::MAX) - i64::from(scale);
    if missing < 0 {
        let excess = 10_u128.checked_pow(u32::try_from(-missing).unwrap_or(u32::MAX));
        return match excess {
            Some(power) if digits % power == 0 => Ok(digits / power),
            None if digits == 0 => Ok(0),
            _ => Err(ParseMoneyError::TooFine {
                text: text.into(),
                places,
            }),
        };
    }
    10_u128
        .checked_pow(u32::try_from(missing).unwrap_or(u32::MAX))
        .and_then(|power| digits.checked_mul(power))
        .ok_or_else(|| ParseMoneyError::TooLarge(text.into()))
}

/// Reads a decimal, cut off at `places` places, as a count of the smallest unit; the largest count where
/// there are more.
fn floor(text: &str, places: usize) -> Result<u128, ParseMoneyError> {
    let (digits, scale) = split_decimal(text)?;
    let missing = i64::try_from(places).unwrap_or(i64::MAX) - i64::from(scale);
    let power = 10_u128.checked_pow(u32::try_from(missing.unsigned_abs()).unwrap_or(u32::MAX));
    Ok(match power {
        _ if digits == 0 => 0,
        Some(power) if missing < 0 => digits / power,
        Some(power) => digits.saturating_mul(power),
        None if missing < 0 => 0,
        None => u128::MAX,
    })
}

/// Splits `12.5e-3` into the digits `125` and the scale 4, so that it is 125 x 10^-4.
fn split_decimal(text: &str) -> Result<(u128, i32), ParseMoneyError> {
    let bad = || ParseMoneyError::NotDecimal(text.into());
    let body = text.trim();
    if let Some(rest) = body.strip_prefix('-') {
        let zero = rest.bytes().any(|b| b.is_ascii_digit())
            && rest.bytes().all(|b| b == b'0' || b == b'.');
        return if zero {
            Ok((0, 0))
        } else {
            Err(ParseMoneyError::Negative(text.into()))
        };
    }
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| bad())?),
        None => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || (mantissa.contains('.') && fraction.is_empty()) {
        return Err(bad());
    }
    let mut digits: u128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return Err(bad());
        }
        digits = digits
            .checked_mul(10)
            .and_then(|d| d.checked_add(u128::from(byte - b'0')))
            .ok_or_else(|| ParseMoneyError::TooLarge(text.into()))?;
    }
    let scale = i32::try_from(fraction.len()).map_err(|_| bad())?;
    scale
        .checked_sub(exponent)
        .map(|scale| (digits, scale))
        .ok_or_else(bad)
}

fn write_decimal(
    f: &mut fmt::Formatter<'_>,
    units: u128,
    unit: u128,
    places: usize,
) -> fmt::Result {
    let mut told = Ok(());
    decimal_parts(units, unit, places, |part| {
        told = told.and_then(|()| f.write_str(part));
    });
    told
}

/// Appends an amount that fits into a word, as nearly all do.
fn write_femtos(femtos: u64, out: &mut Vec<u8>) {
    const DOLLAR: u64 = 1_000_000_000_000_000;
    match femtos / DOLLAR {
        0 => out.push(b'0'),
        whole => write_number(whole, out),
    }
    let mut rest = femtos % DOLLAR;
    if rest == 0 {
        return;
    }
    let mut places = 15_usize;
    // Prices of whole nano-dollars end in so many zeros at least.
    if rest.is_multiple_of(1_000_000) {
        (rest, places) = (rest / 1_000_000, 9);
    }
    while rest.is_multiple_of(10) {
        (rest, places) = (rest / 10, places - 1);
    }
    let mut text = *b".000000000000000";
    let digits = text.get_mut(1..=places).unwrap_or_default();
    for place in digits.iter_mut().rev() {
        // What stands before the first digit is zeros already.
        if rest == 0 {
            break;
        }
        let [digit, ..] = (rest % 10).to_le_bytes();
        (*place, rest) = (b'0' + digit, rest / 10);
    }
    // All sixteen are written, and those behind the last taken back: copies of one length are one step.
    let end = out.len() + 1 + places;
    out.extend_from_slice(&text);
    out.truncate(end);
}

/// Tells `units` of which `unit` make one, with at most `places` places, in parts.
fn decimal_parts(units: u128, unit: u128, places: usize, mut tell: impl FnMut(&str)) {
    const ZEROS: &str = ".000000000000000";
    let (mut before, mut behind) = (itoa::Buffer::new(), itoa::Buffer::new());
    // What fits into a word is divided as one: amounts nearly always do.
    let (whole, rest, digits) = match (u64::try_from(units), u64::try_from(unit)) {
        (Ok(units), Ok(unit)) => {
            let rest = units % unit;
            (
                before.format(units / unit),
                u128::from(rest),
                behind.format(rest),
            )
        }
        _ => {
            let rest = units % unit;
            (before.format(units / unit), rest, behind.format(rest))
        }
    };
    tell(whole);
    if rest == 0 {
        return;
    }
    let zeros = places.saturating_sub(digits.len());
    tell(ZEROS.get(..=zeros).unwrap_or(ZEROS));
    let ending = digits.bytes().rev().take_while(|digit| *digit == b'0');
    let significant = digits.len() - ending.count();
    tell(digits.get(..significant).unwrap_or(digits));
}

#[cfg(test)]
mod tests;
