//! What a run may use, in each way of running.

use picloud::{
    cancel::CancelFlag,
    engine::{Control, Engine},
    execution::Outcome,
    function::LimitPolicy,
};

use crate::{
    kit::script::{function, invocation, on_big_stack, run, run_tree, tree},
    request::{ITEMS, ask, ways},
};

#[test]
fn what_a_script_builds_is_limited_in_each_way_of_running() {
    let rows = format!(r#"{{"rows":[{}]}}"#, vec![r#"{"a":1,"b":2,"c":3,"d":4}"#; 1_300].join(","));
    for (body, script) in [
        ("", "+++\nlimits.array = 100\n+++\nlet a = []; for i in 0..101 { a.push(i); } a.len()"),
        ("", "+++\nlimits.array = 100\n+++\nlet a = [0]; for i in 0..50 { a[0] = [a[0], i]; } a.len()"),
        ("", "+++\nlimits.map = 100\n+++\nlet m = #{}; for i in 0..101 { m[`${i}`] = i; } m.len()"),
        ("", "+++\nlimits.string = \"100\"\n+++\nlet s = \"\"; for i in 0..300 { s += \"xyz\"; } s.len()"),
        ("", "+++\nlimits.string = \"100\"\n+++\nlet a = []; for i in 0..300 { a.push(i); } a.to_json()"),
        (&rows, "let all = []; for i in 0..3 { all.push(ctx.request.body.rows); } all.len()"),
    ] {
        let (front, text) = script.rsplit_once("+++\n").unwrap_or(("", script));
        for text in ways(text) {
            let script = if front.is_empty() { text } else { format!("{front}+++\n{text}") };
            let finished = ask(&[("f.rhai", &script)], body);
            assert_eq!(finished.execution.outcome, Outcome::SizeExceeded, "{script}");
        }
    }
}

#[test]
fn a_body_meets_the_same_limit_of_memory_whatever_ran_before_it() {
    let script = "+++\n[limits]\nmemory = \"2MiB\"\n+++\nctx.request.body.len()";
    let outcome = |elements: usize, is_cancellable: bool| {
        on_big_stack(move || {
            let engine = Engine::new(LimitPolicy::default());
            let program = engine.program(&function(&engine, &tree(&[("f.rhai", script)])).unwrap()).unwrap();
            let first = Control { cancel: is_cancellable.then(CancelFlag::default), ..Control::default() };
            engine.run(&program, invocation("/", &[], ""), first).unwrap();
            let body = format!("[{}0]", "0,".repeat(elements - 1));
            engine.run(&program, invocation("/", &[("content-type", "application/json")], &body), Control::default()).unwrap().execution
        })
    };
    for (elements, expected) in [(32_000, Outcome::Ok), (66_000, Outcome::Ok), (140_000, Outcome::MemoryExceeded)] {
        for is_cancellable in [false, true] {
            let execution = outcome(elements, is_cancellable);
            assert_eq!(execution.outcome, expected, "{elements} {is_cancellable} {:?}", execution.failure);
        }
    }
    // A form is no other than JSON.
    let form = "+++\n[limits]\nmemory = \"1MiB\"\n+++\n1";
    let fields = (0..20_000).map(|number| format!("f{number}=1")).collect::<Vec<_>>().join("&");
    let finished = run_tree(&[("f.rhai", form)], invocation("/", &[("content-type", "application/x-www-form-urlencoded")], &fields));
    assert_eq!(finished.execution.outcome, Outcome::MemoryExceeded);
    assert_eq!(finished.execution.failure.unwrap().message, "it passed its memory limit of 1 MiB");
}

#[test]
fn a_script_has_256_variables_at_most() {
    let script = |count: usize| (0..count).map(|number| format!("let v{number} = {number};\n")).collect::<String>();
    let blocks = |count: usize| (0..3).map(|_| format!("{{ {} }}\n", script(count))).collect::<String>();
    for (text, outcome) in [
        (script(255), Outcome::Ok),
        (script(257), Outcome::SizeExceeded),
        (blocks(200), Outcome::Ok),
        (format!("{} {{ {} }}", script(200), script(57)), Outcome::SizeExceeded),
        (format!("{} for x in 0..1 {{ {} }}", script(200), script(57)), Outcome::SizeExceeded),
    ] {
        for script in ways(&text) {
            assert_eq!(ask(&[("f.rhai", &script)], ITEMS).execution.outcome, outcome, "{script}");
        }
    }
}

#[test]
fn the_operations_that_are_recorded_are_those_of_the_limit() {
    for (script, operations) in [
        ("1", 2),
        ("1 + 2", 4),
        ("let t = 0; for i in 0..100 { let x = i * 2; t += x + 1; } t", 1_007),
        ("let sum = 0; for item in ctx.request.body.items { sum += item; } sum", 21),
    ] {
        let counted = ask(&[("f.rhai", script)], ITEMS).execution.operations;
        assert_eq!(counted, operations, "{script}");
        for way in [format!("fn away() {{ }}\n{script}"), format!("+++\nlimits.operations = {operations}\n+++\n{script}")] {
            let execution = ask(&[("f.rhai", &way)], ITEMS).execution;
            assert_eq!((execution.outcome, execution.operations), (Outcome::Ok, operations), "{way}");
        }
        let few = format!("+++\nlimits.operations = {}\n+++\n{script}", operations - 1);
        assert_eq!(ask(&[("f.rhai", &few)], ITEMS).execution.outcome, Outcome::OperationsExceeded, "{script}");
    }
    let with_guard = [("f.rhai", "let c = \"x\"[0]; 1"), ("_middleware.rhai", "let a = 1; let b = 2; ()")];
    let (guard, function) = (ask(&[("f.rhai", with_guard[1].1)], ITEMS), ask(&with_guard[..1], ITEMS));
    assert_eq!(ask(&with_guard, ITEMS).execution.operations, guard.execution.operations + function.execution.operations);
}

#[test]
fn log_lines_are_kept_up_to_their_limit() {
    let execution = run("log::info(\"a\"); log::warn(#{b: 1}); log::error(1.5); log::trace([()]); 0").execution;
    let lines: Vec<_> = execution.logs.iter().map(|line| format!("{:?} {}", line.level, line.message)).collect();
    assert_eq!(lines, ["Info a", "Warn {\"b\":1}", "Error 1.5", "Trace [null]"]);
    let execution = run("for i in 0..1500 { log::info(i); } 0").execution;
    assert_eq!((execution.logs.len(), execution.logs_dropped), (1000, 500));
    let execution = run("let s = \"\"; s.pad(40_000, \"x\"); log::info(s); log::info(s); log::info(\"small\"); 0").execution;
    assert_eq!((execution.logs.len(), execution.logs_dropped), (3, 0));
    assert!(
        execution.logs[0].message.len() <= 8192 && execution.logs[0].message.ends_with("x… 40000 bytes"),
        "{}",
        execution.logs[0].message
    );
    let execution = run("let s = \"\"; s.pad(131_072, \"x\"); for i in 0..7 { log::info([s]); } log::error(\"at last\"); 0").execution;
    assert_eq!((execution.logs.len(), execution.logs_dropped), (8, 0), "a short line fits after seven long ones");
    assert_eq!(execution.logs.last().unwrap().message, "at last");
}
