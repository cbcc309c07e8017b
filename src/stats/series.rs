//! Counts over time, as the database keeps them: a few bytes for each point, because most numbers are small or none.
//!
//! A point has, in this order: its distance from the one before, its mark, those of the sixteen numbers that are there, when the last run failed
//! if that is known, and the histogram as runs of neighbouring ranges. The lowest bits of the mark say which numbers are there. Those above say
//! what asked for the runs, and the bit above these whether the time of a failure is there. Every number takes as few groups of seven bits as it
//! needs. A minute has a point for each trigger that it had.

use super::{Histogram, RunCounts};
use crate::execution::{Outcome, STATUS_CLASSES, Trigger};

/// Counts by the minutes since a first one, and by trigger. In order: points mostly come so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series(Vec<(Point, RunCounts)>);

/// What counts are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Minutes since the first one.
    pub minute: u16,
    /// What asked for the runs. None: counts that were kept before triggers were told apart.
    pub trigger: Option<Trigger>,
}

/// Bytes that are no series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no counts")]
pub struct BadSeries;

const CLASSES: usize = STATUS_CLASSES.len();
const OUTCOMES: usize = Outcome::ALL.len();
/// The numbers of a point: the three that are highest, what was waited, classes, outcomes.
const NUMBERS: usize = 4 + CLASSES + OUTCOMES;
/// The bits of a mark that a trigger has: 0 is none.
const TRIGGER_BITS: usize = 4;
const _: () = assert!(Trigger::ALL.len() < 1 << TRIGGER_BITS);
/// The bit of a mark that says that the time of a failure is there.
const LAST_FAILED: u64 = 1 << (NUMBERS + TRIGGER_BITS);

impl Series {
    /// Returns a series of one point.
    pub fn at(point: Point, counts: RunCounts) -> Self {
        Self(vec![(point, counts)])
    }

    /// Adds to a point.
    pub fn add(&mut self, point: Point, counts: &RunCounts) {
        self.put(point, counts.clone());
    }

    fn put(&mut self, point: Point, counts: RunCounts) {
        match self.0.last() {
            Some((last, _)) if *last >= point => match self.0.binary_search_by_key(&point, |(point, _)| *point) {
                Ok(at) => self.0[at].1.merge(&counts),
                Err(at) => self.0.insert(at, (point, counts)),
            },
            _ => self.0.push((point, counts)),
        }
    }

    /// Adds another one to it.
    pub fn merge(&mut self, other: &Self) {
        other.points().for_each(|(point, counts)| self.add(point, counts));
    }

    /// Returns the same by steps of so many minutes.
    pub fn by(&self, step: u16) -> Self {
        let mut coarse = Self::default();
        self.points().for_each(|(point, counts)| coarse.add(Point { minute: point.minute / step * step, ..point }, counts));
        coarse
    }

    /// Returns the points in order.
    pub fn points(&self) -> impl Iterator<Item = (Point, &RunCounts)> {
        self.0.iter().map(|(point, counts)| (*point, counts))
    }

    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let (mut bytes, mut before) = (Vec::new(), 0);
        for (Point { minute, trigger }, counts) in self.points() {
            write(&mut bytes, u64::from(minute - before));
            before = minute;
            let numbers = numbers(counts);
            let trigger = trigger.map_or(0, |trigger| trigger as u64 + 1) << NUMBERS;
            let above = if counts.last_failed_ms > 0 { trigger | LAST_FAILED } else { trigger };
            let mark = numbers.iter().enumerate().filter(|(_, number)| **number > 0).fold(above, |mark, (bit, _)| mark | 1 << bit);
            write(&mut bytes, mark);
            numbers.into_iter().chain([counts.last_failed_ms]).filter(|number| *number > 0).for_each(|number| write(&mut bytes, number));
            write_durations(&mut bytes, &counts.durations);
        }
        bytes
    }

    /// Reads it.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, BadSeries> {
        let (mut series, mut minute) = (Self::default(), 0);
        while !bytes.is_empty() {
            minute = step(minute, read(&mut bytes)?)?;
            let mark = read(&mut bytes)?;
            let mut numbers = [0; NUMBERS];
            for (bit, number) in numbers.iter_mut().enumerate() {
                if mark & 1 << bit != 0 {
                    *number = read(&mut bytes)?;
                }
            }
            let last_failed_ms = if mark & LAST_FAILED != 0 { read(&mut bytes)? } else { 0 };
            let trigger = trigger((mark & !LAST_FAILED) >> NUMBERS)?;
            let durations = read_durations(&mut bytes)?;
            series.put(Point { minute, trigger }, RunCounts { last_failed_ms, ..counts(numbers, durations) });
        }
        Ok(series)
    }
}

/// Reads a trigger, which is written as its place among all, the first as 1.
fn trigger(number: u64) -> Result<Option<Trigger>, BadSeries> {
    let Some(place) = number.checked_sub(1) else { return Ok(None) };
    let trigger = usize::try_from(place).ok().and_then(|place| Trigger::ALL.get(place));
    trigger.copied().map(Some).ok_or(BadSeries)
}

/// Writes how many runs of neighbouring ranges there are, and each as its distance from the one before, its length, and its counts.
fn write_durations(bytes: &mut Vec<u8>, durations: &Histogram) {
    let ranges: Vec<(u8, u64)> = durations.ranges().collect();
    let runs = || ranges.chunk_by(|one, next| next.0 - one.0 == 1);
    write(bytes, runs().count() as u64);
    let mut end = 0;
    for run in runs() {
        write(bytes, u64::from(run[0].0 - end));
        write(bytes, run.len() as u64);
        run.iter().for_each(|(_, count)| write(bytes, *count));
        end = run[run.len() - 1].0 + 1;
    }
}

fn read_durations(bytes: &mut &[u8]) -> Result<Histogram, BadSeries> {
    let (mut durations, mut range) = (Histogram::default(), 0_u8);
    for _ in 0..read(bytes)? {
        range = step(range, read(bytes)?)?;
        for _ in 0..read(bytes)? {
            durations.put(range, read(bytes)?);
            range = step(range, 1)?;
        }
    }
    Ok(durations)
}

fn step<T: Copy + Into<u64> + TryFrom<u64>>(from: T, by: u64) -> Result<T, BadSeries> {
    from.into().checked_add(by).and_then(|to| T::try_from(to).ok()).ok_or(BadSeries)
}

fn numbers(counts: &RunCounts) -> [u64; NUMBERS] {
    let mut numbers = [0; NUMBERS];
    let highest = counts.highest;
    numbers[..4].copy_from_slice(&[highest.duration_us, highest.operations, highest.memory_bytes, counts.waited_us]);
    numbers[4..][..CLASSES].copy_from_slice(&counts.by_class);
    numbers[4 + CLASSES..].copy_from_slice(&counts.by_outcome);
    numbers
}

fn counts(numbers: [u64; NUMBERS], durations: Histogram) -> RunCounts {
    let mut counts = RunCounts { durations, waited_us: numbers[3], ..RunCounts::default() };
    (counts.highest.duration_us, counts.highest.operations, counts.highest.memory_bytes) = (numbers[0], numbers[1], numbers[2]);
    counts.by_class.copy_from_slice(&numbers[4..][..CLASSES]);
    counts.by_outcome.copy_from_slice(&numbers[4 + CLASSES..]);
    counts
}

/// Writes a number as LEB128: seven bits a byte, the lowest first, the high bit of a byte says that more follow.
fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read(bytes: &mut &[u8]) -> Result<u64, BadSeries> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(BadSeries)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(BadSeries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{BY_TEN_FOR, DAY};

    /// A function that is called all the time: most runs take about as long, a few fail, a few are slow.
    fn busy(requests: u64) -> RunCounts {
        let mut counts =
            RunCounts { by_class: [requests, 0, requests / 100, requests / 500], waited_us: requests * 70, ..RunCounts::default() };
        counts.by_outcome[0] = requests;
        counts.by_outcome[1] = requests / 500;
        counts.highest.duration_us = 1_900_000;
        counts.highest.operations = 44_000;
        counts.highest.memory_bytes = 650_000;
        counts.last_failed_ms = if requests >= 500 { 1_790_000_000_000 } else { 0 };
        (0..requests).for_each(|n| counts.durations.add(180 + n % 90 + if n % 50 == 0 { n * 31 % 40_000 } else { 0 }));
        counts
    }

    fn day(step: u16, requests: u64) -> Series {
        let mut series = Series::default();
        (0..DAY as u16).step_by(step.into()).for_each(|minute| series.add(http(minute), &busy(requests)));
        series
    }

    fn http(minute: u16) -> Point {
        Point { minute, trigger: Some(Trigger::Http) }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut extreme = busy(3);
        extreme.by_outcome = [u64::MAX; OUTCOMES];
        extreme.durations.put(255, u64::MAX);
        let mut mixed = day(60, 10);
        for trigger in Trigger::ALL.map(Some).into_iter().chain([None]) {
            mixed.add(Point { minute: 60, trigger }, &busy(7));
        }
        for series in
            [Series::default(), Series::at(http(0), RunCounts::default()), Series::at(http(u16::MAX), extreme), day(10, 1_000), mixed]
        {
            assert_eq!(Series::decode(&series.encode()), Ok(series));
        }
    }

    #[test]
    fn what_was_kept_before_triggers_were_told_apart_counts_without_one() {
        let before = [0, 0x91, 2, 90, 3, 3, 1, 7, 1, 3];
        let series = Series::decode(&before).unwrap();
        let points: Vec<_> = series.points().map(|(point, counts)| (point, counts.requests())).collect();
        assert_eq!(points, [(Point { minute: 0, trigger: None }, 3)]);
    }

    #[test]
    fn counts_of_triggers_that_are_not_known_are_refused() {
        let mut bytes = vec![0];
        write(&mut bytes, (Trigger::ALL.len() as u64 + 1) << NUMBERS);
        bytes.push(0);
        assert_eq!(Series::decode(&bytes), Err(BadSeries));
    }

    #[test]
    fn bytes_that_are_no_series_are_refused() {
        let good = day(60, 100).encode();
        assert!((1..good.len().min(40)).any(|end| Series::decode(&good[..end]).is_err()));
        for bad in [&[0x80][..], &[0xff; 11], &[0, 0, 9, 1], &[0xff, 0xff, 0x7f, 0, 0], &[0, 0, 1, 0xff, 0x7f, 1]] {
            assert_eq!(Series::decode(bad), Err(BadSeries), "{bad:?}");
        }
    }

    #[test]
    fn coarser_steps_add_up_to_the_same() {
        let sum = |series: &Series| {
            let mut sum = RunCounts::default();
            series.points().for_each(|(_, counts)| sum.merge(counts));
            sum
        };
        let (fine, coarse) = (day(10, 120), day(10, 120).by(60));
        assert_eq!((coarse.points().count(), sum(&coarse)), (24, sum(&fine)));
    }

    #[test]
    fn a_day_that_is_rolled_up_takes_less_than_two_kilobytes() {
        let bytes = day(60, 36_000).encode().len();
        assert!(bytes <= 2_048, "{bytes} bytes");
        // The newest two days are kept by ten minutes, and the newest two hours by the minute: a row each, with its key.
        let newest = BY_TEN_FOR as usize / DAY as usize * day(10, 6_000).encode().len()
            + 130 * (120 + Series::at(http(0), busy(600)).encode().len());
        assert!(newest <= 48 * 1_024, "{newest} bytes");
    }
}
