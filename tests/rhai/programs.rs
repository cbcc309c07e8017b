//! Programs that nobody wrote, in both evaluators.
//!
//! `PICLOUD_PROGRAMS` says how many, `PICLOUD_FUZZ_SECONDS` for how long, `PICLOUD_FUZZ_SEED` which. What differs is made as small as
//! it goes, and shown at once.

mod author;
mod fill;
mod templates;

use std::{env, time::Duration};

use picloud::{
    clock::monotonic,
    execution::Invocation,
    function::{Limits, quantity::Size},
};

use crate::{
    both::with_both,
    kit::{mutate::Random, script::invocation},
    shrink::{self, Case},
};

/// How many there are, without `PICLOUD_PROGRAMS` and `PICLOUD_FUZZ_SECONDS`.
const COUNT: u64 = 10_000;

/// So many differences are shown before it ends.
const DIFFERENCES: usize = 5;

/// Small enough that a program that has no end takes no time.
pub const LIMITS: Limits =
    Limits { operations: 100_000, array: 2_000, map: 500, string: Size::kib(16), memory: Size::mib(16), ..Limits::DEFAULT };

/// Its entries have kinds by their names, as the templates have them.
const BODY: &str = r#"{"n":5,"f":2.5,"s":"a body's text","b":true,"l":[4,2,9],"t":["p","q"],"c":"c",
    "m":{"n":6,"s":"inner","l":[1],"b":false,"f":0.5},"k":[{"n":1,"s":"one","l":[1,2]},{"n":2,"s":"two","m":{"n":8}}]}"#;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not `{text}`")))
}

/// What programs are asked.
pub fn request() -> Invocation {
    let headers = [("content-type", "application/json"), ("x-one", "1")];
    *invocation("/f?name=Ada&tag=a&tag=b&n=7", &headers, BODY)
}

/// What became of programs.
#[derive(Debug, Default)]
struct Tally {
    programs: u64,
    refused: u64,
    ended_well: u64,
    failed: u64,
    limited: u64,
    documented: u64,
}

#[test]
fn generated() {
    with_both("programs", LIMITS, |both| {
        let seed = number("PICLOUD_FUZZ_SEED").unwrap_or_default();
        let seconds = number("PICLOUD_FUZZ_SECONDS").map(Duration::from_secs);
        let count = number("PICLOUD_PROGRAMS").unwrap_or(COUNT);
        let (began, mut tally, mut differences) = (monotonic(), Tally::default(), 0);
        while seconds.map_or(tally.programs < count, |limit| began.elapsed() < limit) {
            // Each has a seed of its own, so that it can be had alone.
            let own_seed = seed.wrapping_mul(1_000_003).wrapping_add(tally.programs);
            let case = Case { files: author::program(&mut Random::new(own_seed)), request: request() };
            tally.programs += 1;
            match case.run(both) {
                Err(_) => tally.refused += 1,
                Ok(runs) if shrink::is_counted(&runs) => tally.limited += 1,
                Ok(runs) if runs.rhai.is_as(&runs.own) && runs.rhai.0[0] == "outcome: ok" => tally.ended_well += 1,
                Ok(runs) if runs.rhai.is_as(&runs.own) => tally.failed += 1,
                Ok(runs) if shrink::is_documented(&runs) => tally.documented += 1,
                Ok(_) => {
                    let smallest = case.smallest(both);
                    if shrink::is_documented(&smallest) {
                        tally.documented += 1;
                        continue;
                    }
                    println!("program {own_seed} differs:\n{smallest}");
                    differences += 1;
                    if differences == DIFFERENCES {
                        break;
                    }
                }
            }
        }
        println!("programs: {tally:?} from seed {seed} in {:?}", began.elapsed());
        assert!(differences == 0, "{differences} differ, as shown above");
        assert!(tally.documented * 1_000 < tally.programs.max(5_000), "{} differ as the documents say", tally.documented);
        assert!(tally.refused * 10 < tally.programs, "the check refuses {} of {}", tally.refused, tally.programs);
    });
}
