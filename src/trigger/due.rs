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
        MissedPolicy::Skip if is_on_time => {
            // One stands for all that nobody ran.
            let missed = earlier.last().map(|at_us| DueTime { at_us: *at_us, tick: None });
            missed.into_iter().chain([run(latest, 0)]).collect()
        }
        MissedPolicy::Skip => vec![DueTime { at_us: latest, tick: None }],
        MissedPolicy::Once => vec![run(latest, passed.count - 1)],
        MissedPolicy::All => {
            let kept = earlier.iter().filter(|at_us| !is_too_late(**at_us)).map(|at_us| run(*at_us, 0));
            kept.chain([run(latest, 0)]).collect()
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
        if (schedule.missed == MissedPolicy::Skip && passed.times.len() == 2)
            || (schedule.missed == MissedPolicy::All && passed.times.len() == MissedPolicy::MOST)
        {
            break;
        }
    }
    passed.times.reverse();
    passed
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        clock::rfc3339,
        function::{FunctionName, schedule::WrittenSchedule},
    };

    const MINUTE: i64 = 60_000_000;
    const NOON: i64 = 1_795_780_800_000_000;

    fn written(schedule: &str) -> Schedule {
        toml::from_str::<WrittenSchedule>(schedule).unwrap().resolve().unwrap()
    }

    fn due(schedule: &str, last_us: i64, now_us: i64) -> Vec<(i64, Option<u32>)> {
        let schedule = written(schedule);
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
            ("missed = \"skip\"", 0, 180, vec![(170, None), (180, Some(0))]),
            ("missed = \"all\"", 0, 35, vec![(10, Some(0)), (20, Some(0)), (30, Some(0))]),
            ("missed = \"all\"", 0, 30, vec![(10, Some(0)), (20, Some(0)), (30, Some(0))]),
            ("missed = \"all\"\nmax_late = \"12m\"", 0, 35, vec![(30, Some(0))]),
            ("max_late = \"2m\"", 0, 185, vec![(180, None)]),
            ("grace = \"6m\"\nmissed = \"skip\"", 0, 185, vec![(170, None), (180, Some(0))]),
        ] {
            assert_eq!(due(&every(rest), NOON + last * MINUTE, NOON + now * MINUTE), expected, "{rest:?} from {last} to {now}");
        }
    }

    /// Tells a clock as a list of moments, and returns when runs began, each with the times that were missed before it.
    fn runs(schedule: &str, clock: impl IntoIterator<Item = i64>) -> Vec<(String, u32)> {
        let schedule = written(schedule);
        let id = ScheduleId::new(&FunctionName::new("a"), None);
        let mut clock = clock.into_iter();
        let (mut last_us, mut runs) = (clock.next().unwrap(), Vec::new());
        for now_us in clock {
            for due in due_times(&schedule, &id, last_us, now_us) {
                last_us = due.at_us;
                runs.extend(due.tick.map(|tick| (rfc3339(tick.due_us), tick.missed)));
            }
        }
        runs
    }

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    /// A clock that is looked at each minute.
    fn minutes(from: &str, count: i64) -> impl Iterator<Item = i64> {
        let from = us(from);
        (0..=count).map(move |minute| from + minute * MINUTE)
    }

    #[test]
    fn in_the_night_without_an_hour_a_fixed_time_runs_after_it_and_others_follow_the_real_time() {
        // 29 March 2026 in Berlin: after 01:59:59 comes 03:00:00, which is 01:00 in UTC.
        let night = |cron: &str| runs(&format!("cron = {cron:?}\nzone = \"Europe/Berlin\""), minutes("2026-03-28T23:30:00Z", 4 * 60));
        assert_eq!(night("30 2 * * *"), [("2026-03-29T01:00:00.000Z".into(), 0)]);
        assert_eq!(night("0 1,2,3 * * *").len(), 2, "two fixed times at one moment are one run");
        let hourly: Vec<String> = night("15 * * * *").into_iter().map(|(due, _)| due[11..16].to_owned()).collect();
        assert_eq!(hourly, ["00:15", "01:15", "02:15", "03:15"]);
    }

    #[test]
    fn in_the_night_with_an_hour_twice_a_fixed_time_runs_once_and_others_follow_the_real_time() {
        // 25 October 2026 in Berlin: after 02:59:59 comes 02:00:00, which is 01:00 in UTC.
        let night = |cron: &str| runs(&format!("cron = {cron:?}\nzone = \"Europe/Berlin\""), minutes("2026-10-24T22:30:00Z", 4 * 60));
        assert_eq!(night("30 2 * * *"), [("2026-10-25T00:30:00.000Z".into(), 0)]);
        let hourly: Vec<String> = night("15 * * * *").into_iter().map(|(due, _)| due[11..16].to_owned()).collect();
        assert_eq!(hourly, ["23:15", "00:15", "01:15", "02:15"]);
    }

    #[test]
    fn a_clock_that_is_set_repeats_nothing_and_makes_late_what_it_passes() {
        let at = |minute: i64| us("2026-11-27T12:00:00Z") + minute * MINUTE;
        let run = |time: &str, missed| (format!("2026-11-27T{time}:00.000Z"), missed);
        let hourly = |rest: &str, clock: &[i64]| runs(&format!("cron = \"0 * * * *\"\n{rest}"), clock.iter().copied().map(at));
        // Set back by two hours: what was dealt with is not due again.
        assert_eq!(hourly("", &[0, 60, -60, 0, 59, 60, 61, 120]), [run("13:00", 0), run("14:00", 0)]);
        // Set forward by three hours, or three hours off.
        assert_eq!(hourly("", &[0, 61, 241]), [run("13:00", 0), run("16:00", 2)]);
        assert_eq!(hourly("missed = \"skip\"", &[0, 60, 245, 300]), [run("13:00", 0), run("17:00", 0)]);
        assert_eq!(hourly("missed = \"all\"", &[0, 60, 245]), [run("13:00", 0), run("14:00", 0), run("15:00", 0), run("16:00", 0)]);
        // A backup of last month.
        assert_eq!(runs("cron = \"@daily\"\nmax_late = \"6h\"", [us("2026-10-27T12:00:00Z"), us("2026-11-27T12:00:00Z")]), []);
    }

    #[test]
    fn a_spread_is_the_same_every_time_and_another_for_each_schedule() {
        let schedule = written("cron = \"0 * * * *\"\nspread = \"10m\"");
        let hour = 60 * MINUTE;
        let offset = |name: &str, after_us: i64| {
            let next = schedule.next(&ScheduleId::new(&FunctionName::new(name), None), after_us).unwrap();
            assert!(next > after_us);
            next % hour
        };
        let begin = us("2026-11-27T12:30:00Z");
        let offsets: Vec<i64> = (0..50).map(|number| offset(&number.to_string(), begin)).collect();
        assert!(offsets.iter().all(|offset| (0..10 * MINUTE).contains(offset)), "{offsets:?}");
        assert!(offsets.windows(2).any(|two| two[0] != two[1]));
        assert_eq!(offset("7", begin), offset("7", begin + 5 * hour));
    }

    #[test]
    fn of_very_many_the_newest_hundred_are_run() {
        let all = due("every = \"10m\"\nmissed = \"all\"\nmax_late = \"30d\"", NOON - 10_000 * 10 * MINUTE, NOON);
        assert_eq!((all.len(), all[0], all[99]), (MissedPolicy::MOST, (-990, Some(0)), (0, Some(0))));
        assert_eq!(due("every = \"1s\"", NOON - 100 * 24 * 60 * MINUTE, NOON), [(0, Some(MOST_COUNTED - 1))]);
    }
}
