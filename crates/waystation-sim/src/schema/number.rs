//! Numbers within bounds. Floats are fine here: these are no amounts of money.
//!
//! Tried in this order, and the first that is legal is taken: the number that the prompt speaks of, the
//! one that is liked, then with a step (`multipleOf`, or 1 for integers) the multiples of it nearest to
//! the wish and just inside either bound, and 0; without a step the middle between the bounds, or one
//! away from the only bound. Bounds that leave no number get one that breaks them.

use super::facets::Facets;

/// JSON text of a number that `facets` allow: the one `spoken` of in the prompt, else `liked`, else
/// the nearest that fits.
pub(super) fn make(facets: &Facets<'_>, spoken: Option<i64>, liked: i64, whole: bool) -> String {
    let bounds = Bounds::of(facets, whole);
    for candidate in spoken.into_iter().chain([liked]) {
        #[expect(clippy::cast_precision_loss, reason = "numbers of prompts are small")]
        let near = candidate as f64;
        if bounds.hold(near) {
            return candidate.to_string();
        }
    }
    text(bounds.nearest(spoken.is_none().then_some(liked)))
}

/// Where a number may lie.
struct Bounds {
    /// The greatest of the lower bounds; `f64::MIN` without any.
    low: f64,
    /// The least of the upper bounds; `f64::MAX` without any.
    high: f64,
    /// The bound itself is no legal value.
    open_low: bool,
    /// The same for the upper bound.
    open_high: bool,
    /// 0 where any number will do.
    step: f64,
}

// === impl Bounds ===

impl Bounds {
    /// Joins the bounds of all facets; the strictest of each counts. `whole` makes the step a whole
    /// number.
    fn of(facets: &Facets<'_>, whole: bool) -> Self {
        let closed_low = facets.largest("minimum").unwrap_or(f64::MIN);
        let closed_high = facets.smallest("maximum").unwrap_or(f64::MAX);
        let open_low = facets.largest("exclusiveMinimum").unwrap_or(f64::MIN);
        let open_high = facets.smallest("exclusiveMaximum").unwrap_or(f64::MAX);
        let step = facets.largest("multipleOf").filter(|step| *step > 0.0);
        Self {
            low: closed_low.max(open_low),
            high: closed_high.min(open_high),
            open_low: open_low > f64::MIN && open_low >= closed_low,
            open_high: open_high < f64::MAX && open_high <= closed_high,
            step: match step {
                Some(step) if whole => whole_step(step),
                Some(step) => step,
                None if whole => 1.0,
                None => 0.0,
            },
        }
    }

    /// Whether the lower bound allows `number`.
    fn above_low(&self, number: f64) -> bool {
        number > self.low || (!self.open_low && number >= self.low)
    }

    /// Whether the upper bound allows `number`.
    fn below_high(&self, number: f64) -> bool {
        number < self.high || (!self.open_high && number <= self.high)
    }

    /// Whether `number` lies within both bounds and is a multiple of the step, give or take what
    /// floats lose.
    fn hold(&self, number: f64) -> bool {
        let multiple = self.step <= 0.0 || {
            let times = number / self.step;
            (times - times.round()).abs() < 1e-9
        };
        multiple && self.above_low(number) && self.below_high(number)
    }

    /// A legal number, where there is one: a multiple of the step just inside a bound, else the
    /// middle.
    fn nearest(&self, liked: Option<i64>) -> f64 {
        if self.step > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "the wish is a small number")]
            let wish = liked.unwrap_or(1) as f64;
            let from_wish = (wish / self.step).ceil() * self.step;
            let from_low = (self.low / self.step).ceil() * self.step;
            let from_high = (self.high / self.step).floor() * self.step;
            let candidates = [
                from_wish,
                from_low,
                from_low + self.step,
                from_high,
                from_high - self.step,
                0.0,
            ];
            let legal = candidates.into_iter().filter(|number| number.is_finite());
            return legal
                .into_iter()
                .find(|number| self.hold(*number))
                .unwrap_or(from_wish);
        }
        match (self.low > f64::MIN, self.high < f64::MAX) {
            (true, true) => self.low / 2.0 + self.high / 2.0,
            (true, false) => self.low + 1.0,
            (false, true) => self.high - 1.0,
            (false, false) => 1.0,
        }
    }
}

/// The smallest whole number that is a multiple of `step`, for steps with up to six places.
fn whole_step(step: f64) -> f64 {
    let times = (1..=1_000_000_u32).map(f64::from);
    let mut wholes = times.map(|times| step * times);
    wholes
        .find(|product| (product - product.round()).abs() < 1e-9)
        .map_or(step, f64::round)
}

/// A float as JSON, without a trailing `.0`.
fn text(number: f64) -> String {
    let number = if number.is_finite() { number } else { 0.0 };
    // Products such as 3 x 0.1 show their binary tail; fifteen digits hide it.
    let rounded: f64 = format!("{number:.15e}").parse().unwrap_or(number);
    let shorter: f64 = format!("{number:.14e}").parse().unwrap_or(rounded);
    format!("{shorter}")
}
