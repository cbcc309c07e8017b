//! Programs that nest as deep as the limits let them, on no more stack than the node asks for them.

use picloud::{
    engine::{Control, Engine},
    function::{LimitPolicy, Limits},
};

use crate::kit::script::{function, invocation, tree};

/// What nests: what stands before and after the inner part, and what is innermost where that is an expression.
const NESTS: &[(&str, &str)] = &[
    ("!", ""),
    ("-", ""),
    ("[", "]"),
    ("{", "}"),
    ("(", ")"),
    ("#{a: ", "}"),
    ("|x| ", ""),
    ("|| ", ""),
    ("1 + ", ""),
    ("2 ** ", ""),
    ("1 ?? ", ""),
    ("true && ", ""),
    ("1 in ", ""),
    ("1..", ""),
    ("", " + x"),
    ("", ".a"),
    ("", "?.a"),
    ("", "[0]"),
    ("", ".f()"),
    ("x[", "]"),
    ("g(", ")"),
    ("x.g(", ")"),
    ("`${", "}`"),
    ("if true { ", " }"),
    ("if ", " { 1 }"),
    ("if false { } else ", ""),
    ("if false { } else { ", " }"),
    ("while true { return ", " }"),
    ("while ", " { break }"),
    ("loop { return ", " }"),
    ("do { return ", " } while true"),
    ("for i in 0..1 { return ", " }"),
    ("for i in ", " { }"),
    ("switch 1 { 1 => ", " }"),
    ("switch ", " { _ => 1 }"),
    ("try { ", " } catch { }"),
    ("try { throw } catch { ", " }"),
    ("return ", ""),
    ("throw ", ""),
    ("let a = ", ""),
    ("x = ", ""),
    ("x += ", ""),
    ("[1].map(|i| ", ")"),
    ("[2, 1].sort(|i, j| ", ")"),
    ("(|| ", ").call()"),
];

/// Compiles a script, and runs it if it compiles, on so much stack. Returns whether it did.
fn lives(limits: Limits, script: String) -> bool {
    let stack = limits.stack_of_nesting().bytes().max(8 << 20);
    let work = move || {
        let policy = LimitPolicy { default: limits.clone(), ceiling: limits, ..LimitPolicy::default() };
        let engine = Engine::new(policy);
        let Ok(function) = function(&engine, &tree(&[("f.rhai", &script)])) else { return false };
        let Ok(program) = engine.program(&function) else { return false };
        let _ = engine.run(&program, invocation("/f", &[], ""), Control::default());
        true
    };
    std::thread::Builder::new().stack_size(stack).spawn(work).unwrap().join().unwrap()
}

fn nested(count: usize, (before, after): (&str, &str), inner: &str) -> String {
    format!("{}{inner}{}", before.repeat(count), after.repeat(count))
}

/// The limits of before, with these depths.
fn limits(call_depth: u32, expression_depth: u32) -> Limits {
    Limits { call_depth, expression_depth, ..Limits::DEFAULT }
}

#[test]
fn a_file_full_of_one_construct_gets_an_answer() {
    for depth in [1, 128, 10_000] {
        for nest in NESTS {
            let count = (250 << 10) / (nest.0.len() + nest.1.len());
            for inner in ["1", "", "x", "{ }"] {
                let script = format!("let x = 1; {}", nested(count, *nest, inner));
                assert!(!lives(limits(1, depth), script), "{nest:?} passes at a depth of {depth}");
            }
        }
    }
}

#[test]
fn calls_and_expressions_nest_as_deep_as_they_may() {
    for (calls, depth) in [(128, 128), (1, 10_000), (10_000, 4), (1_000, 30)] {
        for nest in NESTS {
            let fits = |count: &usize| {
                let body = nested(*count, *nest, "f(n + 1)");
                lives(limits(calls, depth), format!("fn g(x) {{ x }} fn f(n) {{ let x = 1; {body} }} f(0)"))
            };
            let depth = depth as usize;
            (1..=8).map(|levels| depth / levels).map(|count| count.saturating_sub(3)).find(fits);
        }
    }
}
