//! Time and the ids made from it. Everything that asks for the time asks a [`Clock`], so that tests can hold it.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    num::ParseIntError,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Instant, SystemTime},
};

use serde::{Deserialize, Serialize, de::Error as _};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Returns the microseconds since 1970-01-01T00:00:00Z.
    fn now_us(&self) -> i64;
}

/// A clock shared by the parts of a node.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now_us(&self) -> i64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
    }
}

/// Returns a point in monotonic time, for durations and deadlines; it cannot be set back.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Returns milliseconds of monotonic time as of the kernel's last tick: some behind, and cheap enough to be asked for each request. Never 0.
pub fn coarse_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    (time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000).max(1)
}

/// Low bits of a time-ordered id that are not time; 52 bits of microseconds last until 2112.
const LOW_BITS: u32 = 11;
/// The lowest of these are the number of the node. Two ids fit into each microsecond then; more run ahead of the time.
const NODE_BITS: u32 = 10;

/// Tells the ids of a node from those that another makes at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeNumber(i64);

impl NodeNumber {
    /// Draws a number by chance.
    pub fn drawn() -> Self {
        Self((RandomState::new().hash_one(std::process::id()) & ((1 << NODE_BITS) - 1)) as i64)
    }
}

impl fmt::Display for NodeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NodeNumber {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        // A number that is too large is another's, in part; it is still this node's own.
        text.trim().parse::<u16>().map(|number| Self(i64::from(number) & ((1 << NODE_BITS) - 1)))
    }
}

/// Makes ids that rise with time. None repeats in this process, nor in one with another number.
pub struct Ids {
    clock: SharedClock,
    last: AtomicI64,
    node: NodeNumber,
}

impl Ids {
    /// Makes a node's ids by this clock.
    pub fn new(clock: SharedClock, node: NodeNumber) -> Self {
        Self { clock, last: AtomicI64::new(0), node }
    }

    /// Returns the time by the clock that ids are made by, in microseconds since 1970.
    pub fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// Makes every later id higher than this one: an earlier process made it, by a clock that may have been ahead of today's.
    pub fn rise_above(&self, id: i64) {
        self.last.fetch_max(id, Ordering::Relaxed);
    }

    /// Returns the next id: the time if that is new, else the next of this node after the last one.
    pub fn next(&self) -> i64 {
        let wanted = (self.clock.now_us() << LOW_BITS) | self.node.0;
        let last = self.last.fetch_max(wanted, Ordering::Relaxed);
        if last < wanted {
            return wanted;
        }
        let after = |last: i64| (((last >> NODE_BITS) + 1) << NODE_BITS) | self.node.0;
        let (Ok(last) | Err(last)) = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        after(last)
    }
}

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u` to misread.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id: 63 bits by 5.
pub const TEXT_LENGTH: usize = 13;

/// A text that should be an id and is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an id: 13 characters of 0-9 and a-z (without i, l, o, u)")]
pub struct NotATimeId(String);

/// Returns the 13 characters of an id; they sort as the ids do.
pub fn id_text(id: i64) -> [u8; TEXT_LENGTH] {
    let mut text = [b'0'; TEXT_LENGTH];
    for (place, character) in text.iter_mut().rev().enumerate() {
        *character = ALPHABET[(id >> (5 * place)) as usize & 31];
    }
    text
}

/// Returns the id that these 13 characters write.
pub fn parse_id(text: &str) -> Result<i64, NotATimeId> {
    let not_an_id = || NotATimeId(text.into());
    if text.len() != TEXT_LENGTH {
        return Err(not_an_id());
    }
    text.bytes().try_fold(0_i64, |id, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte.to_ascii_lowercase()).ok_or_else(not_an_id)?;
        id.checked_mul(32).and_then(|id| id.checked_add(digit as i64)).ok_or_else(not_an_id)
    })
}

/// Returns the microseconds since 1970 at which an id was made.
pub fn id_time_us(id: i64) -> i64 {
    id >> LOW_BITS
}

/// Returns the smallest id that can be made at this time, for searching by time.
pub fn first_id_at(time_us: i64) -> i64 {
    time_us.clamp(0, i64::MAX >> LOW_BITS) << LOW_BITS
}

macro_rules! time_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl $name {
            /// Returns the microseconds since 1970 at which it was made.
            pub fn time_us(self) -> i64 {
                id_time_us(self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(std::str::from_utf8(&id_text(self.0)).expect("the alphabet is ASCII"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = NotATimeId;
            fn from_str(text: &str) -> Result<Self, NotATimeId> {
                parse_id(text).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

time_id!(
    /// Names one execution; rises with the time at which it began.
    ExecutionId
);
time_id!(
    /// Names one deployment; rises with the time at which it was decided.
    DeploymentId
);

/// Writes microseconds since 1970 as `2026-11-23T09:04:05.678Z`.
pub fn rfc3339(time_us: i64) -> String {
    let (days, in_day_us) = (time_us.div_euclid(86_400_000_000), time_us.rem_euclid(86_400_000_000));
    let (year, month, day) = civil_from_days(days);
    let ms = in_day_us / 1000;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// Returns year, month and day of a count of days since 1970, by the proleptic Gregorian calendar.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years are counted from 1 March, so that the leap day is a year's last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped(i64);
    impl Clock for Stopped {
        fn now_us(&self) -> i64 {
            self.0
        }
    }

    #[test]
    fn ids_rise_even_when_time_does_not() {
        let ids = Ids::new(Arc::new(Stopped(1_700_000_000_000_000)), NodeNumber(7));
        let made: Vec<i64> = (0..5000).map(|_| ids.next()).collect();
        assert!(made.is_sorted() && made.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(id_time_us(made[0]), 1_700_000_000_000_000);
    }

    #[test]
    fn nodes_with_different_numbers_never_make_the_same_id() {
        let clock = Arc::new(Stopped(1_700_000_000_000_000));
        let nodes = [0, 1, 7, (1 << NODE_BITS) - 1].map(|number| Ids::new(clock.clone(), NodeNumber(number)));
        // One goes on after an id of another.
        nodes[1].rise_above(nodes[3].next() + 5);
        let made: Vec<i64> = nodes.iter().flat_map(|ids| (0..2000).map(|_| ids.next())).collect();
        let different: std::collections::BTreeSet<&i64> = made.iter().collect();
        assert_eq!(different.len(), made.len());
    }

    #[test]
    fn a_node_number_reads_back() {
        let number = NodeNumber::drawn();
        assert_eq!(format!("{number}\n").parse(), Ok(number));
        assert!(["", "-1", "x", "70000"].iter().all(|text| text.parse::<NodeNumber>().is_err()));
    }

    #[test]
    fn an_id_reads_back_and_sorts_as_its_text() {
        for id in [0, 1, 31, 32, i64::MAX, 1_700_000_000_000_000 << LOW_BITS] {
            assert_eq!(ExecutionId(id).to_string().parse::<ExecutionId>().unwrap(), ExecutionId(id));
        }
        assert!(ExecutionId(255).to_string() < ExecutionId(256).to_string());
        for text in ["", "0000000000000", "zzzzzzzzzzzzz", "000000000000u", "00000000000000"] {
            assert_eq!(text.parse::<ExecutionId>().is_ok(), text == "0000000000000", "{text}");
        }
    }

    #[test]
    fn a_time_is_written_as_rfc_3339_says() {
        for (time_us, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (1_795_424_645_678_000, "2026-11-23T09:04:05.678Z"),
            (-1_000, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(time_us), text);
        }
    }
}
