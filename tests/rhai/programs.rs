//! Programs that nobody wrote, in both evaluators.
//!
//! `PICLOUD_PROGRAMS` says how many, `PICLOUD_FUZZ_SECONDS` for how long, `PICLOUD_FUZZ_SEED` which. What differs is made as small as it goes.

mod author;
mod fill;
mod shrink;
mod templates;

use std::{env, time::Duration};

use picloud::{
    clock::monotonic,
    engine::Evaluator,
    execution::Invocation,
    function::{Limits, quantity::Size},
};

use self::shrink::shrink;
use crate::{
    both::{Both, Difference, text, with_both},
    kit::{mutate::Random, script::invocation},
};

/// How many there are, without `PICLOUD_PROGRAMS` and `PICLOUD_FUZZ_SECONDS`.
const COUNT: u64 = 10_000;

/// So many differences are shown before it ends.
const DIFFERENCES: usize = 5;

/// Small enough that a program that has no end takes no time.
const LIMITS: Limits =
    Limits { operations: 100_000, array: 2_000, map: 500, string: Size::kib(16), memory: Size::mib(16), ..Limits::DEFAULT };

/// Its entries have kinds by their names, as the templates have them.
const BODY: &str = r#"{"n":5,"f":2.5,"s":"a body's text","b":true,"l":[4,2,9],"t":["p","q"],"c":"c",
    "m":{"n":6,"s":"inner","l":[1],"b":false,"f":0.5},"k":[{"n":1,"s":"one","l":[1,2]},{"n":2,"s":"two","m":{"n":8}}]}"#;

/// Outcomes whose moment depends on how operations, time and memory are counted.
const COUNTED: [&str; 3] = ["outcome: operations_exceeded", "outcome: memory_exceeded", "outcome: timed_out"];

type Files = [(&'static str, String)];

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not `{text}`")))
}

fn request() -> Invocation {
    let headers = [("content-type", "application/json"), ("x-one", "1")];
    *invocation("/f?name=Ada&tag=a&tag=b&n=7", &headers, BODY)
}

/// Runs a program in both; the check may refuse it.
fn compare(both: &Both, files: &Files) -> Result<Difference, String> {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let (program, request) = (both.program(&files)?, request());
    let [rhai, own] = [Evaluator::Rhai, Evaluator::Own].map(|evaluator| both.run(&program, evaluator, &request));
    Ok(Difference { files: text(&files), rhai, own })
}

/// Returns how a program differs; nothing where a limit may have ended it.
fn difference(both: &Both, files: &Files) -> Option<Difference> {
    compare(both, files).ok().filter(|runs| !is_counted(runs) && runs.rhai != runs.own)
}

fn is_counted(runs: &Difference) -> bool {
    [&runs.rhai, &runs.own].iter().any(|seen| COUNTED.contains(&seen.0[0].as_str()))
}

/// Returns what kind of thing differs.
fn kind(difference: &Difference) -> String {
    let (rhai, own) = difference.first();
    [rhai, own].map(|line| line.split(':').next().unwrap_or_default()).join(" / ")
}

/// Makes a program smaller that differs, file by file.
fn smallest(both: &Both, mut files: Vec<(&'static str, String)>) -> Difference {
    let original = difference(both, &files).expect("it differed just now");
    for place in 0..files.len() {
        let text = files[place].1.clone();
        files[place].1 = shrink(&text, &mut |candidate| {
            let mut changed = files.clone();
            changed[place].1 = candidate.into();
            difference(both, &changed).is_some_and(|difference| kind(&difference) == kind(&original))
        });
    }
    difference(both, &files).unwrap_or(original)
}

/// What became of programs.
#[derive(Debug, Default)]
struct Tally {
    programs: u64,
    refused: u64,
    ended_well: u64,
    failed: u64,
    limited: u64,
}

#[test]
fn generated() {
    with_both("programs", LIMITS, |both| {
        let seed = number("PICLOUD_FUZZ_SEED").unwrap_or_default();
        let seconds = number("PICLOUD_FUZZ_SECONDS").map(Duration::from_secs);
        let count = number("PICLOUD_PROGRAMS").unwrap_or(COUNT);
        let (began, mut tally, mut differences) = (monotonic(), Tally::default(), Vec::new());
        while seconds.map_or(tally.programs < count, |limit| began.elapsed() < limit) {
            // Each has a seed of its own, so that it can be had alone.
            let own_seed = seed.wrapping_mul(1_000_003).wrapping_add(tally.programs);
            let files = author::program(&mut Random::new(own_seed));
            tally.programs += 1;
            match compare(both, &files) {
                Err(_) => tally.refused += 1,
                Ok(runs) if is_counted(&runs) => tally.limited += 1,
                Ok(runs) if runs.rhai == runs.own && runs.rhai.0[0] == "outcome: ok" => tally.ended_well += 1,
                Ok(runs) if runs.rhai == runs.own => tally.failed += 1,
                Ok(_) => {
                    differences.push(format!("program {own_seed} differs:\n{}", smallest(both, files)));
                    if differences.len() == DIFFERENCES {
                        break;
                    }
                }
            }
        }
        println!("programs: {tally:?} from seed {seed} in {:?}", began.elapsed());
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert!(tally.refused * 10 < tally.programs, "the check refuses {} of {}", tally.refused, tally.programs);
    });
}
