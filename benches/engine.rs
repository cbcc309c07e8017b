//! What one run costs without HTTP and without a store: `cargo bench --bench engine`. `scripts/counts` counts its
//! instructions, which no neighbour disturbs.

#[path = "../tests/kit/script.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod script;

use std::time::Duration;

use http::Method;
use picloud::{
    clock::monotonic,
    engine::{Control, Engine},
    execution::Invocation,
    function::LimitPolicy,
};
use script::{function, invocation, on_big_stack, tree};

/// Runs of one measurement; the fastest of several counts.
const RUNS: u32 = 20_000;
const ROUNDS: u32 = 9;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to see that it builds.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let chosen: Vec<String> = arguments.into_iter().filter(|argument| !argument.starts_with("--")).collect();
    on_big_stack(move || match &chosen[..] {
        [name, runs] => drop(measure(name, runs.parse().expect("a number of runs"))),
        _ => {
            for name in ["F1", "F2", "F3", "F4"] {
                // F3 takes a thousand times as long as F1.
                let runs = if name == "F3" { RUNS / 1000 } else { RUNS };
                let (best, operations) = (0..ROUNDS).map(|_| measure(name, runs)).min().expect("there are rounds");
                println!("{name}: {:.2} µs a run, {operations} operations", best.as_nanos() as f64 / 1_000.0 / f64::from(runs));
            }
        }
    });
}

/// Returns the time that so many runs take, and the operations of the last.
fn measure(name: &str, runs: u32) -> (Duration, u64) {
    let (script, invocation) = case(name);
    let engine = Engine::new(LimitPolicy::default());
    let tree = tree(&[("f.rhai", script), ("_prices.rhai", include_str!("functions/_prices.rhai"))]);
    let function = function(&engine, &tree).expect("it checks");
    let program = engine.program(&function).expect("it checks");
    let mut operations = 0;
    let began = monotonic();
    for _ in 0..runs {
        let finished = engine.run(&program, invocation.clone(), Control::default()).expect("its body is well formed");
        assert!(finished.reply.is_some(), "{:?}", finished.execution.failure);
        operations = finished.execution.operations;
    }
    (began.elapsed(), operations)
}

const HOST: (&str, &str) = ("host", "127.0.0.1:8080");

fn posted(path: &str, body: &str) -> Box<Invocation> {
    let mut invocation = invocation(path, &[HOST, ("content-type", "application/json")], body);
    invocation.request.method = Method::POST;
    invocation
}

fn case(name: &str) -> (&'static str, Box<Invocation>) {
    match name {
        "F1" => (include_str!("functions/hello.rhai"), invocation("/hello?name=Ada", &[HOST], "")),
        "F2" => (include_str!("functions/transform.post.rhai"), posted("/transform", include_str!("support/body.json"))),
        "F3" => (include_str!("functions/compute.get.rhai"), invocation("/compute", &[HOST], "")),
        "F4" => (include_str!("functions/order.post.rhai"), posted("/order", include_str!("support/order.json"))),
        _ => panic!("there are F1 to F4"),
    }
}
