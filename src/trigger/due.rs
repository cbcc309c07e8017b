//! Which due times of a schedule are to be run, and which were missed.

use crate::{
    function::schedule::{MissedPolicy, Schedule, ScheduleId},
    queue::Tick,
};

/// A due time that is dealt with: a run, or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTime {
    /// In microseconds since 1970.
    pub at_us: i64,
    /// The run; none: it is left out.
    pub tick: Option<Tick>,
}

/// Returns the due times from after `last_us` up to `now_us` that are dealt with, in order: the last of them is the last that passed.
///
/// A time counts as missed when it is later than the grace. What is later than `max_late` is never run: a backup from last month that is
/// restored must not run a month.
pub fn due_times(schedule: &Schedule, id: &ScheduleId, last_us: i64, now_us: i64) -> Vec<DueTime> {
    let passed = passed(schedule, id, last_us, now_us);
    let Some((&latest, earlier)) = passed.times.split_last() else { return Vec::new() };
    let late_us = |at_us: i64| now_us.saturating_sub(at_us);
    let is_on_time = late_us(latest) <= schedule.grace.0.as_micros() as i64;
    let is_too_late = |at_us: i64| late_us(at_us) > schedule.max_late.0.as_micros() as i64;
    let run = |at_us, missed| DueTime { at_us, tick: Some(Tick { due_us: at_us, missed, ..Tick::default() }) };
    match schedule.missed {
        _ if is_too_late(latest) => vec![DueTime { at_us: latest, tick: None }],
        MissedPolicy::Skip if is_on_time => vec![run(latest, 0)],
        MissedPolicy::Skip => vec![DueTime { at_us: latest, tick: None }],
        MissedPolicy::Once => vec![run(latest, passed.count - 1)],
        MissedPolicy::All => {
            let kept = earlier.iter().filter(|at_us| !is_too_late(**at_us)).map(|at_us| run(*at_us, 1));
            kept.chain([run(latest, u32::from(!is_on_time))]).collect()
        }
    }
}

/// Due times that have passed.
struct PastTimes {
    /// The newest of them, in order.
    times: Vec<i64>,
    /// All of them, as far as they are counted.
    count: u32,
}

/// Most due times that are counted: those of a second for a day.
const MOST_COUNTED: u32 = 86_400;

fn passed(schedule: &Schedule, id: &ScheduleId, last_us: i64, now_us: i64) -> PastTimes {
    let mut passed = PastTimes { times: Vec::new(), count: 0 };
    let mut before = now_us.saturating_add(1);
    // From the newest backwards: of a long time off only the end is of interest.
    while passed.count < MOST_COUNTED {
        let Some(at_us) = schedule.previous(id, before).filter(|at_us| *at_us > last_us) else { break };
        if passed.times.len() < MissedPolicy::MOST {
            passed.times.push(at_us);
        }
        passed.count += 1;
        before = at_us;
        if schedule.missed == MissedPolicy::Skip || (schedule.missed == MissedPolicy::All && passed.times.len() == MissedPolicy::MOST) {
            break;
        }
    }
    passed.times.reverse();
    passed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::FunctionName;

    const MINUTE: i64 = 60_000_000;
    const NOON: i64 = 1_795_780_800_000_000;

    fn due(schedule: &str, last_us: i64, now_us: i64) -> Vec<(i64, Option<u32>)> {
        let schedule: Schedule = toml::from_str(schedule).unwrap();
        let id = ScheduleId::new(&FunctionName::new("a"), None);
        let times = due_times(&schedule, &id, last_us, now_us);
        times.into_iter().map(|due| ((due.at_us - NOON) / MINUTE, due.tick.map(|tick| tick.missed))).collect()
    }

    #[test]
    fn what_was_missed_is_one_run_or_none_or_all() {
        let every = |rest: &str| format!("every = \"10m\"\n{rest}");
        for (rest, last, now, expected) in [
            ("", 0, 9, vec![]),
            ("", 0, 10, vec![(10, Some(0))]),
            ("", 10, 10, vec![]),
            // Three hours off, and back in the middle of a period: one run for all of them.
            ("", 0, 185, vec![(180, Some(17))]),
            // Back within the grace of one: it is run on time, and stands for the others too.
            ("", 0, 180, vec![(180, Some(17))]),
            ("missed = \"skip\"", 0, 185, vec![(180, None)]),
            ("missed = \"skip\"", 0, 180, vec![(180, Some(0))]),
            ("missed = \"all\"", 0, 35, vec![(10, Some(1)), (20, Some(1)), (30, Some(1))]),
            ("missed = \"all\"", 0, 30, vec![(10, Some(1)), (20, Some(1)), (30, Some(0))]),
            ("missed = \"all\"\nmax_late = \"12m\"", 0, 35, vec![(30, Some(1))]),
            ("max_late = \"2m\"", 0, 185, vec![(180, None)]),
            ("grace = \"6m\"\nmissed = \"skip\"", 0, 185, vec![(180, Some(0))]),
        ] {
            assert_eq!(due(&every(rest), NOON + last * MINUTE, NOON + now * MINUTE), expected, "{rest:?} from {last} to {now}");
        }
    }

    #[test]
    fn of_very_many_the_newest_hundred_are_run() {
        let all = due("every = \"10m\"\nmissed = \"all\"\nmax_late = \"30d\"", NOON - 10_000 * 10 * MINUTE, NOON);
        assert_eq!((all.len(), all[0], all[99]), (MissedPolicy::MOST, (-990, Some(1)), (0, Some(0))));
        assert_eq!(due("every = \"1s\"", NOON - 100 * 24 * 60 * MINUTE, NOON), [(0, Some(MOST_COUNTED - 1))]);
    }
}
