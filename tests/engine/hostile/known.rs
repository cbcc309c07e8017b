//! Attacks that somebody thought of, or that the others here found. Each has ended, stopped or outgrown an engine without guards.

use std::time::Duration;

use picloud::execution::Outcome;

use crate::{
    hostile::target::{GRACE, SLACK, measured},
    kit::script::{findings, on_big_stack, run_of},
};

/// The time limit of every script here.
const TIME: Duration = Duration::from_millis(500);
/// The memory limit.
const MEMORY: u64 = 64 << 20;

/// Runs a script and holds it to its limits. Returns how it ended.
fn attack(script: &str) -> Outcome {
    let script = format!("+++\ntimeout = \"500ms\"\n+++\n{script}");
    let run = run_of(&script);
    let (finished, took) = on_big_stack(|| measured(run));
    let execution = finished.execution;
    assert!(took <= TIME + GRACE, "ran {took:?} of {TIME:?}: {script}");
    let peak = execution.peak_memory_bytes;
    assert!(peak <= MEMORY + SLACK, "held {} MiB: {script}", peak >> 20);
    execution.outcome
}

/// Runs a script that must not get through.
fn refused(script: &str) {
    let outcome = attack(script);
    assert_ne!(outcome, Outcome::Ok, "{script}");
}

macro_rules! attacks {
    ($($(#[$meta:meta])* $name:ident: $script:expr;)*) => { $(
        #[test]
        $(#[$meta])*
        fn $name() {
            refused($script);
        }
    )* };
}

attacks! {
    an_endless_loop: "loop {}";
    an_endless_while: "let x = 1; while x == 1 {}";
    endless_recursion: "fn f(x) { f(x + 1) } f(0)";
    mutual_recursion: "fn f(x) { g(x) } fn g(x) { f(x) } f(0)";
    operations_through_callbacks: "let a = []; a.pad(9000, 0); a.for_each(|| { for i in 0..100_000 {} }); 0";
    nested_callbacks: "let a = []; a.pad(9000, 0); a.map(|x| a.map(|y| a.map(|z| 1))); 0";
    a_comparator_that_never_ends: "let a = []; a.pad(1000, 0); a.sort(|x, y| { loop {} 0 }); 0";
    a_comparator_that_is_slow: "let a = []; for i in 0..9000 { a.push(-i); } a.sort(|x, y| { for i in 0..100_000 {} x - y }); 0";
    a_comparator_that_is_dear_to_call:
        "fn less(z, x, y) { z[0] = x; x < y } let z = []; z.pad(32_000, 0); let a = []; a.pad(9_000, 1); a.sort(Fn(\"less\").curry(z)); 0";
    a_comparator_with_an_endless_name: "let s = \"\"; s.pad(1_000_000, \"x\"); let a = []; a.pad(30_000, 1); a.dedup(s); a.sort(s)";
    // The engine sleeps 50 ms before it gives up on a value that is being worked on, and a comparator's error is swallowed.
    a_comparator_that_waits_for_its_array: "let a = []; for i in 0..2000 { a.push(-i); } a.sort(|x, y| a.len()); 0";
    duplicates_that_wait_for_their_array: "let a = []; a.pad(9000, 0); a.dedup(|x, y| a.len()); 0";
    callbacks_that_wait_for_their_array: "let a = [1]; loop { try { a.map(|x| a.len()); } catch { } }";
    a_stop_that_is_caught: "loop { try { loop {} } catch { } }";
    a_stop_that_is_caught_in_a_callback: "let a = [1, 2, 3]; loop { try { a.map(|x| { loop {} }) } catch { } }";
    doubling_a_string: "let s = \"x\"; loop { s += s; }";
    replacing_to_gigabytes: "let s = \"\"; s.pad(60_000, \"x\"); let r = s; s.replace(\"x\", r); s.len()";
    replacing_nothing: "let s = \"\"; s.pad(60_000, \"x\"); let r = s; s.replace(\"\", r); s.len()";
    a_char_for_a_string: "let s = \"\"; s.pad(60_000, \"x\"); let r = s; s.replace('x', r); s.len()";
    many_large_variables: "let a = []; for i in 0..240 { let s = \"\"; s.pad(1_000_000, \"x\"); a.push(|| s); }";
    recursion_with_strings: "fn f(n) { let s = \"\"; s.pad(1_000_000, \"x\"); f(n + 1) + s.len() } f(0)";
    large_map_keys: "let m = #{}; for i in 0..1000 { let k = `${i}`; k.pad(250_000, \"x\"); m[k] = 1; }";
    a_function_that_is_curried_with_itself: "let f = |x| x; for i in 0..60 { f = f.curry(f); } let g = [f]; 1";
    a_function_that_holds_itself_in_maps: "let f = |x| x; for i in 0..60 { f = curry(f, #{a: f, b: f}); } let x = 1; let g = || x; x.call(f)";
    curried_strings: "let a = []; for i in 0..1000 { let s = `${i}`; s.pad(1_000_000, \"x\"); a.push(Fn(\"f\").curry(s)); }";
    splitting_a_megabyte: "let s = \"\"; s.pad(1_000_000, \"x\"); s.split(\"\").len()";
    splitting_by_a_char: "let s = \"\"; s.pad(1_000_000, \" \"); s.split(' ').len()";
    splitting_backwards: "let s = \"\"; s.pad(1_000_000, \" \"); s.split_rev(' ', 999_999).len()";
    a_megabyte_of_chars: "let s = \"\"; s.pad(1_000_000, \"x\"); s.to_chars().len()";
    padding_a_string: "let s = \"\"; s.pad(1_000_000_000_000, \"x\"); s.len()";
    padding_an_array: "let a = []; a.pad(1_000_000_000, 0); a.len()";
    // 64 elements in each of 2^58: the sum passes the largest number.
    padding_an_array_past_the_largest_number: "let item = []; item.pad(63, 0); let a = []; a.pad(288_230_376_151_711_744, item); a.len()";
    padding_an_array_with_large_items: "let item = []; item.pad(30_000, 0); let a = []; a.pad(30_000, item); a.len()";
    padding_an_array_with_what_a_function_is_curried_with:
        "let z = []; z.pad(32_000, 0); let a = []; a.pad(300, Fn(\"len\").curry(z)); a.len()";
    padding_with_long_characters: "let s = \"\"; s.pad(1_000_000, '\\U0001D54F'); s.len()";
    a_huge_blob: "blob(1_000_000_000).len()";
    doubling_an_array: "let a = [1]; loop { a += a; }";
    doubling_a_blob: "let a = blob(1); loop { a += a; }";
    doubling_by_interpolation: "let s = \"x\"; loop { s = `${s}${s}`; }";
    an_endless_closure_cycle: "loop { let a = #{}; a.pad = \"\"; a.pad.pad(10_000, \"x\"); a.f = || a; }";
    comparing_large_arrays: "let a = []; a.pad(30_000, 1); let b = a; loop { if a != b { break; } }";
    searching_large_arrays: "let a = []; a.pad(30_000, \"x\"); loop { a.contains(\"y\"); }";
    removing_duplicates: "let a = []; a.pad(30_000, 1); loop { let b = a; b.dedup(); }";
    sleeping: "loop { try { Fn(\"sleep\").call(1000); } catch { } }";
    sleeping_for_ever: "Fn(\"sleep\").call(1e300)";
    asking_the_time: "Fn(\"timestamp\").call()";
    evaluating_text: "Fn(\"eval\").call(\"1\")";
    a_response_too_large: "let a = []; let s = \"\"; s.pad(1_000_000, \"x\"); for i in 0..9 { a.push(s); } a";
    a_response_that_holds_itself: "let a = #{}; a.f = || a; a";
    a_response_too_deep: "let a = []; for i in 0..1000 { a = [a]; } a";
}

/// Rhai's own loops for ever.
#[test]
fn padding_with_nothing_changes_nothing() {
    assert_eq!(attack("let s = \"x\"; s.pad(5, \"\"); if s != \"x\" { throw s }"), Outcome::Ok);
}

/// A function may raise its limit of strings to a quarter of its memory, and one call on such a string needs no more than a few of them.
#[test]
fn the_longest_strings_hold_the_memory_limit() {
    for call in ["s.sub_string(3).len()", "s.sub_string(-5, 2)", "s.crop(1..9); s", "s.index_of(\"y\", -1)", "s.index_of('y', 9)"] {
        let script = format!(
            "+++\ntimeout = \"30s\"\nlimits.string = \"16MiB\"\n+++\nlet s = \"\"; s.pad(16_000_000, \"x\"); let t = s + \"y\"; {call}"
        );
        let execution = on_big_stack(run_of(&script)).execution;
        let peak = execution.peak_memory_bytes;
        assert!(peak <= MEMORY + SLACK, "held {} MiB: {call}", peak >> 20);
        assert_eq!(execution.outcome, Outcome::Ok, "{call}: {:?}", execution.failure);
    }
}

/// What a function is curried with no limit counts but that of memory, and a copy is made in one step: it can double what is held, not more.
#[test]
fn a_copy_doubles_what_a_run_holds_at_most() {
    let hidden = "let z = []; z.pad(32_000, 0); let a = []; for i in 0..100 { a.push(Fn(\"len\").curry(z)); }";
    for copy in
        ["let b = a; 0", "let b = [a, a, a]; 0", "let b = a + a; 0", "a.map(|x| a); 0", "a.sort(|x, y| 0); let b = a.order_by(|x, y| 0); 0"]
    {
        let execution = on_big_stack(run_of(&format!("{hidden} {copy}"))).execution;
        let peak = execution.peak_memory_bytes;
        assert!(peak <= 2 * MEMORY + SLACK, "held {} MiB: {copy}", peak >> 20);
    }
}

/// A value can be sixty times as large as its JSON, and is read in one call.
#[test]
fn reading_json_holds_the_memory_limit() {
    let json = "let s = \"\"; s.pad(1_000_000, `{\"\":0},`); s = `[${s}0]`;";
    let held = "fn hold(s, levels) { let t = \"\"; t.pad(1_000_000, \"x\"); if levels > 0 { return hold(s, levels - 1); } try { parse_json(s) } catch { } }";
    for script in [format!("{json} {json} parse_json(s).len()"), format!("{held} {json} hold(s, 50)")] {
        assert_eq!(attack(&script), Outcome::MemoryExceeded, "{script}");
    }
}

/// Chains of values as deep as the budget allows: building them is cheap, and dropping, printing and comparing them recurses.
#[test]
fn deep_chains_do_not_end_the_process() {
    for script in [
        "let f = || 1; for i in 0..9000 { let g = f; f = || g; } 0",
        "let f = || 1; loop { let g = f; f = || g; }",
        "let f = || 1; loop { let g = f; let m = #{f: g}; f = || m; }",
        "let a = #{}; loop { a = #{a: a}; }",
        "let a = []; loop { a = [a]; }",
        "let a = []; for i in 0..30_000 { a = [a]; } 0",
        "let a = []; for i in 0..30_000 { a = [a]; } let b = a; a == b",
        "let a = []; for i in 0..30_000 { a = [a]; } a.to_string()",
        "let a = []; for i in 0..30_000 { a = [a]; } `${a}`",
        "let a = []; for i in 0..30_000 { a = [a]; } a.to_debug()",
        "let a = []; for i in 0..30_000 { a = [a]; } log::info(a); 0",
        "let a = []; for i in 0..30_000 { a = [a]; } throw a",
        "let m = #{}; for i in 0..4_900 { m = #{m: m}; } let n = m; m == n",
        "let m = #{}; for i in 0..4_900 { m = #{m: m}; } `${m}`",
        "let m = #{}; for i in 0..4_900 { m = #{m: m}; } m.to_json()",
        "fn g(x) { x } let f = Fn(\"g\"); loop { f = f.curry(f); }",
    ] {
        attack(script);
    }
}

/// Values that hold themselves.
#[test]
fn cycles_do_not_end_the_process() {
    for script in [
        "let a = #{}; a.f = || a; a.to_string()",
        "let a = #{}; a.f = || a; `${a}`",
        "let a = #{}; a.f = || a; a.to_debug()",
        "let a = #{}; a.f = || a; a.to_json()",
        "let a = #{}; a.f = || a; let b = a; a == b",
        "let a = #{}; a.f = || a; [a].contains(a)",
        "let a = #{}; a.f = || a; log::info(a); 0",
        "let a = #{}; a.f = || a; throw a",
        "let a = []; a.push(|| a); a.to_string()",
        "let a = []; let f = || a; a.push(f); a == a",
        "let a = []; let f = || a; a.push(f); a.sort(); 0",
        "let a = []; let f = || a; a.push(f); a.dedup(); 0",
        "let a = []; let f = || a; a.push(f); a.index_of(f)",
        "let a = []; let f = || a; a.push(f); \"\" + a",
        "let a = []; let f = || a; a.push(f); f.to_string() + f.to_debug()",
        "let a = []; let f = || a; a.push(f); \"x\" + f",
        "let a = []; let f = || a; a.push(f); switch a { 1 => 2, _ => 3 }",
        "let x = [1, 2]; x.map(|v| x.len())",
    ] {
        attack(script);
    }
}

#[test]
fn odd_arguments_are_errors_and_no_panics() {
    for script in [
        "9223372036854775807 + 1",
        "-9223372036854775808 / -1",
        "-9223372036854775808 % -1",
        "1 / 0",
        "1 % 0",
        "2 ** 100",
        "1 << 100",
        "1 << -100",
        "abs(-9223372036854775807 - 1)",
        "parse_int(\"zz\", 99)",
        "parse_int(\"zz\", -1)",
        "\"abc\"[9223372036854775807]",
        "\"abc\".sub_string(-9223372036854775807, 9223372036854775807)",
        "\"abc\".crop(9223372036854775807, 9223372036854775807)",
        "[1][-9223372036854775807]",
        "let a = [1]; a.splice(9223372036854775807, 9223372036854775807, [1]); a",
        "let a = [0.0 / 0.0, 1.0]; a.sort(); a",
        "range(0, 9223372036854775807, 1).step",
        "let b = blob(8); b.parse_le_int(-1, 99)",
        "let b = blob(8); b.write_be(0..99, 1)",
        "let x = 5; x.set_bit(99, true)",
        "get_bits(5, -9, 99)",
        "exit(#{a: 1})",
        "let s = \"é\"; s.truncate(1); s",
        "\"x\".split(-5)",
        "to_float(\"x\")",
        "1.0 / 0.0",
        "(0.0 / 0.0).to_int()",
        "1e300.to_int()",
    ] {
        let _ = attack_unchecked(script);
    }
}

/// Runs a script that check may refuse.
fn attack_unchecked(script: &str) -> Option<Outcome> {
    findings(&[("f.rhai", script)]).is_empty().then(|| attack(script))
}

/// Files that ask the compiler for too much. What counts is that check ends, soon, with an answer.
#[test]
fn the_compiler_ends_soon_on_anything() {
    let n = 100_000;
    let cases = [
        "(".repeat(n),
        "[".repeat(n),
        "#{a:".repeat(n / 4),
        "!".repeat(n),
        "-".repeat(n),
        "1+".repeat(n),
        "1&&".repeat(n / 2),
        "x??".repeat(n / 2),
        "2**".repeat(n / 2),
        "if true {} else ".repeat(n / 10),
        "{".repeat(n),
        "|x|".repeat(n / 2),
        "`${".repeat(n / 2),
        "x[".repeat(n / 2),
        "x.".repeat(n / 2),
        "x=".repeat(n / 2),
        "return ".repeat(n / 8),
        "fn f(){".repeat(n / 8),
        "switch 1 {1=>".repeat(n / 16),
        format!("fn f({}) {{}}", (0..40_000).map(|i| format!("a{i}")).collect::<Vec<_>>().join(",")),
        format!("let f = |{}| 1;", (0..40_000).map(|i| format!("a{i}")).collect::<Vec<_>>().join(",")),
        format!("f({})", vec!["1"; n].join(",")),
        format!("[{}]", vec!["1"; n].join(",")),
        "/*".repeat(n),
        "\"".repeat(n),
        "x;".repeat(n),
        "let a=1;".repeat(n / 8),
        "\0".repeat(n),
        "\u{feff}".repeat(1000),
        "import \"a\" as b;".repeat(n / 20),
    ];
    for script in cases {
        let head: String = script.chars().take(30).collect();
        let ((), took) = on_big_stack(move || measured(|| drop(findings(&[("f.rhai", &script)]))));
        assert!(took < Duration::from_secs(5), "check took {took:?} on {head}…");
    }
}
