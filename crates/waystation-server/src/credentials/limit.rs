//! How much one key is used in a minute: requests and tokens, each against its limit. Which key is
//! used in place of one that is used up is not decided here.

use std::{collections::VecDeque, time::Duration};

use waystation_core::{Tick, Tokens};

/// The window over which both count.
const MINUTE: Duration = Duration::from_secs(60);
/// Tokens that are used within this time of each other expire together.
const STEP: Duration = Duration::from_secs(1);

/// What one key may be used for in a minute; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests.
    pub rpm: Option<u32>,
    /// Tokens of prompts and answers. They are known when an answer is complete, so that requests
    /// that run at the same time may exceed this; the key then rests until the minute has room.
    pub tpm: Option<u64>,
}

/// What the last minute held. Bounded: at most `rpm` requests, and a sum a second.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// When requests began, oldest first.
    requests: VecDeque<Tick>,
    /// Tokens by the second in which they were used up, oldest first.
    tokens: VecDeque<(Tick, u64)>,
}

// === impl Window ===

impl Window {
    /// Counts one more request, if that keeps within the limits; else when it would.
    pub(super) fn admit(&mut self, limits: Limits, now: Tick) -> Result<(), Tick> {
        self.forget(now);
        if let Some(free) = limits.tpm.and_then(|tpm| self.room_from(tpm)) {
            return Err(free);
        }
        let Some(rpm) = limits.rpm else {
            return Ok(());
        };
        if self.requests.len() < usize::try_from(rpm).unwrap_or(usize::MAX) {
            self.requests.push_back(now);
            return Ok(());
        }
        Err(self.requests.front().copied().unwrap_or(now).plus(MINUTE))
    }

    /// Counts tokens that were used.
    pub(super) fn spend(&mut self, tokens: Tokens, now: Tick) {
        self.forget(now);
        match self.tokens.back_mut() {
            Some((from, sum)) if now.since(*from) < STEP => *sum = sum.saturating_add(tokens.get()),
            _ => self.tokens.push_back((now, tokens.get())),
        }
    }

    /// When there are fewer than `tpm` tokens in the window; `None` is now.
    fn room_from(&self, tpm: u64) -> Option<Tick> {
        let mut sum = self
            .tokens
            .iter()
            .fold(0_u64, |sum, (_, tokens)| sum.saturating_add(*tokens));
        let mut free = None;
        for (from, tokens) in &self.tokens {
            if sum < tpm {
                break;
            }
            sum = sum.saturating_sub(*tokens);
            free = Some(from.plus(MINUTE));
        }
        free
    }

    fn forget(&mut self, now: Tick) {
        let over = |then: &Tick| now.since(*then) >= MINUTE;
        while self.requests.front().is_some_and(over) {
            self.requests.pop_front();
        }
        while self.tokens.front().is_some_and(|(then, _)| over(then)) {
            self.tokens.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_minute_of_tokens_is_used_up_and_comes_back_as_it_was_used() {
        let limits = Limits {
            rpm: None,
            tpm: Some(100),
        };
        let mut window = Window::default();
        assert_eq!(window.admit(limits, at(0)), Ok(()));
        window.spend(Tokens::new(60), at(1));
        assert_eq!(window.admit(limits, at(2)), Ok(()));
        window.spend(Tokens::new(60), at(10));
        assert_eq!(window.admit(limits, at(11)), Err(at(61)));
        assert_eq!(window.admit(limits, at(60)), Err(at(61)));
        assert_eq!(window.admit(limits, at(61)), Ok(()));
        window.spend(Tokens::new(1_000), at(62));
        assert_eq!(window.admit(limits, at(70)), Err(at(122)));
    }

    #[test]
    fn requests_and_tokens_count_apart() {
        let limits = Limits {
            rpm: Some(1),
            tpm: Some(10),
        };
        let mut window = Window::default();
        assert_eq!(window.admit(limits, at(0)), Ok(()));
        assert_eq!(window.admit(limits, at(1)), Err(at(60)));
        window.spend(Tokens::new(10), at(30));
        assert_eq!(window.admit(limits, at(60)), Err(at(90)));
        assert_eq!(window.admit(limits, at(90)), Ok(()));
    }

    #[test]
    fn a_busy_minute_is_kept_in_few_sums() {
        let mut window = Window::default();
        for tick in 0..120_000 {
            window.spend(Tokens::new(1), Tick::from_micros(tick * 1_000));
        }
        assert!(window.tokens.len() <= 61, "{}", window.tokens.len());
    }
}
