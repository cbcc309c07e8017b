//! How long things took, so that any percentile can be told within a tenth.

/// Each range ends a fifth above the one before, and is told by its middle. So a percentile is wrong by a tenth at most.
const GROWTH: (u64, u64) = (6, 5);
/// The end of the last range, in microseconds: an hour, more than any run may take.
const LONGEST_US: u64 = 3_600_000_000;
const RANGES: usize = ranges();
/// The longest time of each range, in microseconds.
const ENDS: [u64; RANGES] = ends();

const fn next_end(end: u64) -> u64 {
    let grown = end * GROWTH.0 / GROWTH.1;
    if grown > end { grown } else { end + 1 }
}

const fn ranges() -> usize {
    let (mut end, mut count) = (1, 1);
    while end < LONGEST_US {
        end = next_end(end);
        count += 1;
    }
    count
}

const fn ends() -> [u64; RANGES] {
    let mut ends = [1; RANGES];
    let mut at = 1;
    while at < RANGES {
        ends[at] = next_end(ends[at - 1]);
        at += 1;
    }
    ends
}

/// How many took how long. Only ranges with something in them take room: there are few, and they are kept in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(Vec<(u8, u64)>);

impl Histogram {
    /// Counts one that took so many microseconds.
    pub fn add(&mut self, took_us: u64) {
        let range = ENDS.partition_point(|end| *end < took_us).min(RANGES - 1);
        self.put(range as u8, 1);
    }

    /// Adds another one to it.
    pub fn merge(&mut self, other: &Self) {
        for (range, count) in other.ranges() {
            self.put(range, count);
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Returns the time, in microseconds, that this share of them did not exceed, within a tenth. It is 1 at least. None: there are none.
    pub fn quantile_us(&self, share: f64) -> Option<u64> {
        let rank = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut before = 0_u64;
        let range = self.0.iter().find_map(|(range, count)| {
            before = before.saturating_add(*count);
            (before >= rank).then_some(usize::from(*range))
        })?;
        let begin = range.checked_sub(1).map_or(1, |before| ENDS[before] + 1);
        Some(begin.midpoint(ENDS[range]))
    }

    /// Returns the ranges with something in them, in order.
    pub(super) fn ranges(&self) -> impl ExactSizeIterator<Item = (u8, u64)> {
        self.0.iter().copied()
    }

    /// Adds so many to a range; one that does not exist is the last.
    pub(super) fn put(&mut self, range: u8, count: u64) {
        let range = range.min(RANGES as u8 - 1);
        match self.0.binary_search_by_key(&range, |(range, _)| *range) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
            Err(at) => self.0.insert(at, (range, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const _: () = assert!(RANGES <= u8::MAX as usize);

    fn of(times: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        times.into_iter().for_each(|us| histogram.add(us));
        histogram
    }

    #[test]
    fn every_time_is_told_within_a_tenth() {
        let mut us = 1;
        while us < LONGEST_US {
            let told = of([us]).quantile_us(0.5).unwrap();
            assert!(told.abs_diff(us) as f64 <= us as f64 * 0.1, "{us} is told as {told}");
            us += us / 37 + 1;
        }
    }

    #[test]
    fn percentiles_are_those_of_the_times_themselves() {
        let skewed: Vec<u64> = (1..=10_000_u64).map(|n| 50 + n * n / 1_000 + if n % 97 == 0 { 800_000 } else { 0 }).collect();
        let mut sorted = skewed.clone();
        sorted.sort_unstable();
        let histogram = of(skewed);
        for share in [0.5, 0.9, 0.99, 1.0] {
            let exact = sorted[(sorted.len() as f64 * share) as usize - 1];
            let told = histogram.quantile_us(share).unwrap();
            assert!(told.abs_diff(exact) as f64 <= exact as f64 * 0.1, "p{}: {exact} is told as {told}", share * 100.0);
        }
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let mut parts = of(0..500);
        parts.merge(&of(500..1_000));
        assert_eq!((&parts, parts.count()), (&of(0..1_000), 1_000));
        assert_eq!(of([]).quantile_us(0.5), None);
        assert_eq!(of([0]).quantile_us(0.5), Some(1));
        assert!(of([u64::MAX]).quantile_us(0.99) >= Some(LONGEST_US / 10 * 9));
    }
}
