//! How much a node does: requests a second, and its share of the processors.

use std::{sync::Mutex, thread, time::Duration};

use super::process;

/// Rates are those since a moment that is at least this long ago, and twice as long at most where somebody asks often.
const SPAN_US: i64 = 10_000_000;

/// What was counted at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    at_us: i64,
    requests: u64,
    cpu: Duration,
}

/// How much a node does, since somebody asked a while ago; at first since its start.
#[derive(Debug)]
pub struct LoadMeter(Mutex<(Sample, Sample)>);

/// How much it does now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Requests a second.
    pub requests_per_s: f64,
    /// The share of all processors that it uses, from 0 to 1.
    pub processor: f64,
}

impl LoadMeter {
    /// Begins, for a process that started then.
    pub fn new(started_us: i64) -> Self {
        let start = Sample { at_us: started_us, ..Sample::default() };
        Self(Mutex::new((start, start)))
    }

    /// Returns the rates, for a node that has answered so many requests.
    pub fn rates(&self, requests: u64, now_us: i64) -> Rates {
        let now = Sample { at_us: now_us, requests, cpu: process::cpu_time() };
        let mut samples = self.0.lock().expect("nothing panics while it holds the samples");
        if now_us - samples.1.at_us >= SPAN_US {
            *samples = (samples.1, now);
        }
        rates(samples.0, now)
    }
}

fn rates(before: Sample, now: Sample) -> Rates {
    let seconds = ((now.at_us - before.at_us).max(1)) as f64 / 1e6;
    let processors = thread::available_parallelism().map_or(1, usize::from) as f64;
    // A function that is gone takes its count with it.
    let requests = now.requests.saturating_sub(before.requests) as f64;
    let cpu = now.cpu.saturating_sub(before.cpu).as_secs_f64();
    Rates { requests_per_s: requests / seconds, processor: (cpu / seconds / processors).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_since_a_while_ago() {
        let load = LoadMeter::new(0);
        let rate = |requests, at_s: i64| load.rates(requests, at_s * 1_000_000).requests_per_s;
        assert_eq!(rate(50, 5), 10.0);
        assert_eq!(rate(200, 20), 10.0, "since the start");
        assert_eq!(rate(500, 25), 20.0);
        assert_eq!(rate(500, 30), 30.0, "since 20 s");
        assert_eq!(rate(100, 31), 0.0, "a function is gone");
    }
}
