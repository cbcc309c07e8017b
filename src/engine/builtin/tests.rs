//! Our built-ins against Rhai's own, where their input is empty or at an edge.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use rhai::{Array, Dynamic};

use crate::{
    engine::{
        Engine,
        meter::{self, limits::Allowance},
    },
    function::LimitPolicy,
};

const VALUES: [&str; 21] = [
    "\"\"",
    "\" \"",
    "\"b\"",
    "\"aéb b\"",
    "'b'",
    "'é'",
    "[]",
    "[()]",
    "[3, 1, 2]",
    "[1, [2, \"x\"], #{a: 'c'}, 1.5, true]",
    "[Fn(\"f\")]",
    "#{}",
    "#{a: 1, \"b c\": [\"q\\\"\"], d: #{e: ()}}",
    "\"abc\".to_blob()",
    "blob()",
    "0..2",
    "1..=1",
    "()",
    "2.0",
    "Fn(\"is_odd\")",
    "true",
];

const NUMBERS: [&str; 8] = ["0", "1", "2", "3", "-1", "-2", "9223372036854775807", "(-9223372036854775807 - 1)"];

const METHODS: [&str; 27] = [
    "split",
    "split_rev",
    "replace",
    "pad",
    "to_chars",
    "to_array",
    "to_blob",
    "to_string",
    "to_debug",
    "get",
    "extract",
    "order",
    "order_desc",
    "order_by",
    "sort",
    "sort_by",
    "dedup",
    "map",
    "filter",
    "crop",
    "sub_string",
    "index_of",
    "append",
    "push",
    "insert",
    "remove",
    "len",
];

fn argument() -> impl Strategy<Value = &'static str> {
    prop_oneof![select(&VALUES[..]), select(&NUMBERS[..])]
}

fn call() -> impl Strategy<Value = String> {
    prop_oneof![
        (select(&METHODS[..]), prop::collection::vec(argument(), 0..4))
            .prop_map(|(method, arguments)| format!("v.{method}({})", arguments.join(", "))),
        argument().prop_map(|value| format!("`<${{v}}|${{{value}}}>`")),
        argument().prop_map(|value| format!("\"\" + v + {value}")),
        argument().prop_map(|value| format!("let s = \"\"; s.append({value}); s += v; s")),
    ]
}

/// Rhai's own never ends, or asks for more memory than there is.
fn is_endless(script: &str) -> bool {
    script.contains(".pad(") && (script.contains("\"\")") || script.contains("9223372036854775807"))
}

fn shown(result: Result<Array, Box<rhai::EvalAltResult>>) -> String {
    match result {
        Ok(values) => values.iter().map(|value: &Dynamic| format!("{}: {value:?}", value.type_name())).collect::<Vec<_>>().join("; "),
        // How an error is worded is our own affair.
        Err(_) => "an error".into(),
    }
}

#[test]
fn built_ins_do_at_their_edges_what_rhai_does() {
    meter::start(&Allowance { time: Duration::from_secs(600), operations: u64::MAX, memory: 1 << 30, cancel: None, cpu: None });
    let engine = Engine::new(LimitPolicy::default());
    let class = engine.class(&engine.policy().default).unwrap();
    let mut rhai = rhai::Engine::new();
    rhai.set_max_string_size(1 << 20).set_max_array_size(32_000).set_max_map_size(5_000).set_max_expr_depths(64, 64);
    let mut runner = TestRunner::new(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() });
    runner
        .run(&(argument(), call()), |(receiver, call)| {
            let script = format!("let v = {receiver}; let r = {{ {call} }}; [r, v]");
            if is_endless(&script) {
                return Ok(());
            }
            // Some of Rhai's own panic.
            let Ok(theirs) = catch_unwind(AssertUnwindSafe(|| shown(rhai.eval::<Array>(&script)))) else { return Ok(()) };
            prop_assert_eq!(shown(class.rhai.eval::<Array>(&script)), theirs, "{}", script);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_has_no_text_is_an_error() {
    let engine = Engine::new(LimitPolicy::default());
    let class = engine.class(&engine.policy().default).unwrap();
    let ask = |script: &str| {
        meter::start(&Allowance { time: Duration::from_secs(60), operations: u64::MAX, memory: 1 << 30, cancel: None, cpu: None });
        class.rhai.eval::<String>(script).unwrap_err().to_string()
    };
    let nested = "let a = []; for i in 0..200 { a = [a]; } ";
    assert!(ask(&format!("{nested} a.to_string()")).contains("nested too deep"));
    assert_eq!(class.rhai.eval::<String>("[[1]].to_string()").unwrap(), "[[1]]");
    // Each quote takes two characters.
    assert!(ask("let s = \"\"; s.pad(600_000, '\"'); [s].to_string()").contains("Length of string"));
}
