//! Why an endpoint stands where it stands in a plan, in words that read back. It orders nothing.

use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use waystation_core::{ServiceTier, SortBy, SortShortcut, Trust};

/// Why an endpoint stands where it stands. `Display` is what `explain` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// Named in `order`, at this place from 0: `order[0]`.
    Order(u16),
    /// In the rest behind `order`: `unlisted`.
    Unlisted,
    /// Sorted: `sort:price`.
    Sort(SortBy),
    /// Because of a suffix: `:nitro`.
    Shortcut(SortShortcut),
    /// A draw weighted by price: `draw`.
    Draw,
    /// It costs nothing, so it goes before all that cost: `free`.
    Free,
    /// Its price is unknown, so it goes behind all whose price is known: `price:unknown`.
    PriceUnknown,
    /// Nothing was measured, so it goes behind what was: `unmeasured`.
    Unmeasured,
    /// Behind firmer rows: `trust:low`.
    Trust(Trust),
    /// Failing now: `outage`.
    Outage,
    /// Its tool calls fail more often than those of the others: `tool_errors`.
    ToolErrors,
    /// An aggregator, behind what the operator's own keys reach: `shared`.
    Shared,
    /// Too slow for a preferred threshold: `threshold`.
    Threshold,
    /// Of the service tier asked for: `tier:flex`.
    Tier(ServiceTier),
    /// It served this conversation before: `sticky`.
    Sticky,
    /// Tried first to be measured: `explore`.
    Explore,
}

/// A text that is no [`Why`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected why an endpoint stands where it stands, such as sort:price, found {0:?}")]
pub struct UnknownWhy(String);

/// The reasons of one place, most telling first; read them as a slice. Every endpoint of every plan
/// has some, so they are held without an allocation.
///
/// ```
/// use waystation_router::{Why, Whys};
///
/// let whys: Whys = [Why::Order(0)].into_iter().collect();
/// assert_eq!(*whys, [Why::Order(0)]);
/// ```
#[derive(Clone, Copy)]
pub struct Whys {
    list: [Why; MOST],
    len: u8,
}

/// More than any place has: those of one kind exclude each other.
const MOST: usize = 12;

// === impl Why ===

impl Why {
    /// What it sorts by, when that is a speed.
    pub(crate) const fn speed(self) -> Option<SortBy> {
        match self {
            Self::Sort(by @ (SortBy::Throughput | SortBy::Latency)) => Some(by),
            _ => None,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(at) => write!(f, "order[{at}]"),
            Self::Unlisted => f.write_str("unlisted"),
            Self::Sort(by) => write!(f, "sort:{}", sort_word(*by)),
            Self::Shortcut(shortcut) => write!(f, ":{shortcut}"),
            Self::Draw => f.write_str("draw"),
            Self::Free => f.write_str("free"),
            Self::PriceUnknown => f.write_str("price:unknown"),
            Self::Unmeasured => f.write_str("unmeasured"),
            Self::Trust(trust) => write!(f, "trust:{trust}"),
            Self::Outage => f.write_str("outage"),
            Self::ToolErrors => f.write_str("tool_errors"),
            Self::Shared => f.write_str("shared"),
            Self::Threshold => f.write_str("threshold"),
            Self::Tier(tier) => write!(f, "tier:{tier}"),
            Self::Sticky => f.write_str("sticky"),
            Self::Explore => f.write_str("explore"),
        }
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl FromStr for Why {
    type Err = UnknownWhy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = [
            Self::Unlisted,
            Self::Draw,
            Self::Free,
            Self::PriceUnknown,
            Self::Unmeasured,
            Self::Outage,
            Self::ToolErrors,
            Self::Shared,
            Self::Threshold,
            Self::Sticky,
            Self::Explore,
        ];
        let sorts = [
            SortBy::Price,
            SortBy::Throughput,
            SortBy::Latency,
            SortBy::Exacto,
        ];
        let suffixes = [
            SortShortcut::Nitro,
            SortShortcut::Floor,
            SortShortcut::Exacto,
        ];
        let trusts = [Trust::Firm, Trust::Maker, Trust::Low, Trust::Aggregator];
        let known = plain
            .into_iter()
            .chain(sorts.map(Self::Sort))
            .chain(suffixes.map(Self::Shortcut))
            .chain(trusts.map(Self::Trust))
            .chain(ServiceTier::ALL.iter().copied().map(Self::Tier));
        let place = text
            .strip_prefix("order[")
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|number| number.parse().ok());
        known
            .chain(place.map(Self::Order))
            .find(|why| why.to_string() == text)
            .ok_or_else(|| UnknownWhy(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Why {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The word of a sort on the wire.
const fn sort_word(by: SortBy) -> &'static str {
    match by {
        SortBy::Price => "price",
        SortBy::Throughput => "throughput",
        SortBy::Latency => "latency",
        SortBy::Exacto => "exacto",
    }
}

// === impl Whys ===

impl Whys {
    /// One more, less telling than those that are there.
    pub(crate) fn push(&mut self, why: Why) {
        if let Some(free) = self.list.get_mut(usize::from(self.len)) {
            *free = why;
            self.len += 1;
        }
    }

    /// One more, more telling than those that are there.
    pub(crate) fn push_front(&mut self, why: Why) {
        self.push(why);
        if let Some(listed) = self.list.get_mut(..usize::from(self.len)) {
            listed.rotate_right(1);
        }
    }
}

impl Default for Whys {
    fn default() -> Self {
        Self {
            list: [Why::Unlisted; MOST],
            len: 0,
        }
    }
}

impl Deref for Whys {
    type Target = [Why];

    fn deref(&self) -> &[Why] {
        self.list.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl FromIterator<Why> for Whys {
    fn from_iter<I: IntoIterator<Item = Why>>(from: I) -> Self {
        let mut whys = Self::default();
        from.into_iter().for_each(|why| whys.push(why));
        whys
    }
}

impl PartialEq for Whys {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Whys {}

impl fmt::Debug for Whys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Whys {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Whys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let list = Vec::<Why>::deserialize(from)?;
        Ok(list.into_iter().collect())
    }
}
