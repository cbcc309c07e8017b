//! `[retry]`: how often a run that nobody waits for is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    quantity::{LONGEST, Span},
    within::Within,
};

/// Most attempts.
const MOST: u64 = 100;

/// How often a run is tried, and how long after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Retry {
    /// All attempts, the first among them.
    pub attempts: u32,
    /// The wait after the first attempt; each one after that is twice as long.
    pub base: Span,
    /// The longest wait.
    pub max: Span,
}

/// The section as a file writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRetry {
    attempts: Option<Within<u32, 1, MOST>>,
    base: Option<Within<Span, 1, LONGEST>>,
    max: Option<Within<Span, 1, LONGEST>>,
}

impl WrittenRetry {
    /// Returns what is wrong with keys that are right one by one: a `base` that never counts.
    pub fn nonsense(&self) -> Option<String> {
        let Retry { base, max, .. } = Retry::OF_EVENTS.with(self);
        (self.base.is_some() && base > max).then(|| format!("`base` is {base}, longer than `max`, which is {max}"))
    }
}

impl Retry {
    /// For events: 12 attempts within 3.4 hours.
    pub const OF_EVENTS: Self = Self { attempts: 12, base: Span::seconds(10), max: Span::seconds(3_600) };
    /// For schedules: the next time comes anyway.
    pub const OF_SCHEDULES: Self = Self { attempts: 1, ..Self::OF_EVENTS };

    /// Returns what holds where a file writes this.
    pub fn with(self, written: &WrittenRetry) -> Self {
        Self {
            attempts: written.attempts.map_or(self.attempts, Within::get),
            base: written.base.map_or(self.base, Within::get),
            max: written.max.map_or(self.max, Within::get),
        }
    }

    /// Returns the wait after this attempt, the first being 1; none after the last one. `chance` from 0 to 1 makes it shorter by up to a half, so
    /// that what failed together does not come again together.
    pub fn wait(&self, attempt: u32, chance: f64) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doubled = self.base.0.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        Some(doubled.min(self.max.0).mul_f64(1.0 - chance / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let seconds = |attempt| Retry::OF_EVENTS.wait(attempt, 0.0).map(|wait| wait.as_secs());
        assert_eq!([1, 2, 3, 9, 10, 11, 12].map(seconds), [Some(10), Some(20), Some(40), Some(2_560), Some(3_600), Some(3_600), None]);
        assert_eq!(Retry::OF_EVENTS.wait(1, 1.0), Some(Duration::from_secs(5)));
        assert_eq!(Retry::OF_SCHEDULES.wait(1, 0.0), None);
        let most = Retry { attempts: u32::MAX, base: Span::seconds(u64::MAX), max: Span::seconds(60) };
        assert_eq!(most.wait(u32::MAX - 1, 0.0), Some(Duration::from_secs(60)));
        let written: WrittenRetry = toml::from_str("attempts = 3").unwrap();
        assert_eq!(Retry::OF_EVENTS.with(&written), Retry { attempts: 3, ..Retry::OF_EVENTS });
        assert!(toml::from_str::<WrittenRetry>("attempts = 0").is_err());
    }
}
