//! A plan against Rhai: the same scripts, the same requests, the same results.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use proptest::prelude::*;

use crate::{
    clock::{DeploymentId, ExecutionId},
    engine::{Control, Engine, Program, program},
    execution::{Execution, Finished, Invocation, Param, Trigger},
    function::{Content, Function, FunctionName, LimitPolicy, Route, ScriptId, SharedFunction, Tree, route::Methods},
};

const BODY: &str = r#"{"items":[{"name":"a","value":1,"tags":["x","y"]},{"name":"b","value":2.5,"tags":[]},{"name":"ü","value":-3,"none":null}],"deep":{"er":{"est":[1,2,[3]]}},"flag":true,"text":"hello","n":7}"#;

/// Operations that keep a plan away.
const FEW: &str = "+++\n[limits]\noperations = 100_000\n+++\n";
const MANY: &str = "+++\n[limits]\noperations = 50_000_000\n+++\n";

fn invocation() -> Invocation {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.append("x-one", HeaderValue::from_static("1"));
    headers.append("x-one", HeaderValue::from_static("2"));
    Invocation {
        execution_id: ExecutionId(1 << 40),
        deployment: DeploymentId(2 << 40),
        trigger: Trigger::Http,
        replay_of: None,
        request_id: None,
        method: Method::POST,
        uri: "/f?name=Ada&n=5&name=Eve&empty=".parse().unwrap(),
        params: vec![
            ("id".into(), Param::One("42".into())),
            ("rest".into(), Param::Many(vec!["a".into(), "b".into()])),
            ("none".into(), Param::Absent),
        ],
        principal: None,
        headers,
        body: Bytes::from_static(BODY.as_bytes()),
        remote_addr: None,
        capture: None,
    }
}

fn program(engine: &Engine, script: &str) -> Option<Arc<Program>> {
    let tree: Tree = [("f.rhai".into(), Content::new(script.as_bytes()))].into();
    let file = "f.rhai".into();
    let compiled = engine.script(&file, &tree["f.rhai"]);
    let script = compiled.as_ref().as_ref().ok()?;
    let files = program::closure(engine, &tree, [file.clone()]);
    let name = FunctionName::new("f");
    let function: SharedFunction = Arc::new(Function {
        script_id: ScriptId::of(&name),
        version: program::version(&file, &files),
        name,
        manifest: script.manifest.clone(),
        route: Route { segments: Vec::new().into(), methods: Methods::Any },
        guards: Vec::new(),
        files: files.into_iter().collect(),
    });
    engine.program(&function).ok()
}

/// What a run shows: its answer, how it ended and where, and its log.
fn shown(Finished { reply, execution, leaked_bytes }: Finished) -> String {
    let Execution { outcome, failure, logs, logs_dropped, .. } = execution;
    let failure = failure.map(|failure| (failure.message, failure.position, failure.calls));
    let logs: Vec<_> = logs.into_iter().map(|line| (line.level, line.message)).collect();
    assert_eq!(leaked_bytes, 0);
    format!("{reply:?}\n{outcome:?} {failure:?}\n{logs:?} {logs_dropped}")
}

/// Runs a script both ways. Returns whether its plan did it; an error says how the results differ.
fn compare(engine: &Engine, script: &str) -> Result<bool, String> {
    let by_rhai = program(engine, &format!("{FEW}{script}"));
    let by_plan = program(engine, &format!("{MANY}{script}"));
    let (Some(by_rhai), Some(by_plan)) = (by_rhai, by_plan) else { return Ok(false) };
    let run = |program: &Program| shown(engine.run(program, invocation(), Control::default()).unwrap());
    let expected = run(&by_rhai);
    // The second run meets what the first may have left behind.
    for _ in 0..2 {
        let seen = run(&by_plan);
        if seen != expected {
            return Err(format!("{script}\n--- by its plan\n{seen}\n--- by Rhai\n{expected}"));
        }
    }
    Ok(by_plan.script.plan().is_some_and(|plan| plan.misses.load(Ordering::Relaxed) == 0))
}

fn on_big_stack(work: impl FnOnce() + Send + 'static) {
    let ended = std::thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap().join();
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// Scripts that a plan runs to their end.
const PLANNED: &[&str] = &[
    "",
    "1",
    "let x = 1; let y = x + 2 * 3 - 4 / 2 % 3; [x, y, -7 / 2, -7 % 3]",
    "let x = 1.5; [x + 1, 1 - x, x * 2, x / 2.0, 7 % x, x == 1.5, x < 2, 1 <= x, x != 2]",
    "\"a\" + \"b\" == \"ab\" && \"a\" < \"b\" && !(\"a\" >= \"b\")",
    "let a = (); [a == (), a != (), a == 1, () != \"x\", a ?? 3, a ?? () ?? 4]",
    "`n=${1} f=${1.5} b=${true} u=${()} c=${'x'} s=${\"é\"} a=${[1, \"x\"]} m=${#{a: 1}}`",
    "let name = ctx.request.query.name ?? \"world\"; #{ message: `hello ${name}` }",
    "[ctx.request.query.nope, ctx.request.query.empty, ctx.request.query[\"n\"], ctx.request.headers[\"x-one\"], ctx.request.headers.nope]",
    "[ctx.request.params.id, ctx.request.params.rest, ctx.request.params.none, ctx.request.params.nope]",
    "[ctx.request.method, ctx.request.path, ctx.execution_id, ctx.script_name, ctx.request_id, ctx.request.query, ctx.request.query_all]",
    "[ctx.request.headers, ctx.request.params, ctx.invocation_type, ctx.deployment, ctx.script_id, ctx.request.remote_addr]",
    "let items = ctx.request.body.items; let sum = 0; for item in items { sum += item.value; } #{ sum: sum, count: items.len(), first: items[0].name }",
    "let b = ctx.request.body; b.n = 8; b.fresh = [1]; b.items[1].name = \"z\"; b.items[-1].value += 10; b",
    "let b = ctx.request.body; let again = ctx.request.body; b.n = 8; [b.n, again.n, ctx.request.body.n]",
    "for item in ctx.request.body.items { log::info(item.name); } log::warn(#{a: 1}); log::error(\"x\"); ctx.request.body.flag",
    "let out = []; for item in ctx.request.body.items { if item.value < 0 { continue; } out.push(item.name.to_upper()); if out.len() > 5 { break; } } out",
    "let sum = 0; for i in 0..10 { for j in 0..=i { sum += i * j; } } sum",
    "let n = 0; while n < 10 { n += 1; if n == 5 { break; } } n",
    "let n = 0; loop { n += 1; if n > 3 { return n; } }",
    "if ctx.request.body.flag { \"yes\" } else { \"no\" }",
    "let x = if false { 1 } else if true { 2 } else { 3 }; x",
    "let x = { let y = 2; y * 2 }; x",
    "let x = 1; { let x = 2; x += 1; } x",
    "let x = 1; let x = x + 1; x",
    "const X = 5; X * 2",
    "#{ statusCode: 201, headers: #{ \"x-a\": \"b\" }, body: #{ ok: true } }",
    "let m = #{ a: 1, b: [1, 2, 3] }; m.b[0] = 9; m.c = #{}; m.c.d = 1; m[\"e f\"] = 2; [m, m.b.len(), m.len(), \"é\".len(), m.nope, m?.nope?.more]",
    "let a = [1, 2, 3]; a.push(4); a[0] += 10; a[-1] = 5; [a, a.pop(), a.len(), a.contains(2), a.index_of(3)]",
    "let a = [[1, 2], [3]]; let n = 0; for row in a { for cell in row { n += cell; } } [n, a]",
    "let a = [#{v: 1}, #{v: 2}]; for row in a { row.v += 1; } a",
    "let a = [1, 2]; let seen = []; for x in a { seen.push(x); a.push(9); } [seen, a]",
    "let a = [[1], [2]]; for row in a { row.push(0); } a",
    "let a = [1, 2, 3]; for x in a { if x == 2 { break; } } a",
    "let s = \"abc\"; s += \"d\"; s += 'e'; s += 1; let t = s.to_upper(); [s, t, s.sub_string(1, 2), s.split(\"c\")]",
    "let s = \"  x \"; s.trim(); [s, len(s), to_upper(s), parse_int(\"5\") + 1, min(2, 3), abs(-3), round(2.6), PI()]",
    "let a = [3, 1, 2]; a.sort(); a.reverse(); a",
    "1 in [1, 2]",
    "let b = ctx.request.body; b.n = 8; b",
    "let b = ctx.request.body; b.fresh = [1]; b",
    "let b = ctx.request.body; b.items[1].name = \"z\"; b",
    "let b = ctx.request.body; b.items[-1].value += 10; b",
    "let a = [1]; a += [2]; a += 3; a",
    "let m = #{a: 1}; m += #{b: 2}; [m, m.keys(), m.values(), m.contains(\"a\"), m.remove(\"a\"), m]",
    "[true && false, true || false, !true, true == true, true != false, 'a' == 'a', [1, 2] == [1, 2], #{a: 1} == #{a: 1}]",
    "[1 == 1.0, 1 < 2.5, \"1\" == 1, 'a' == \"a\", [1] == 1, true == 1]",
    "ctx.request.body.deep.er.est[2][0]",
    "ctx.request.body.items[1].tags.len() + ctx.request.body.items[0].tags[1].len()",
    "let i = 1; ctx.request.body.items[i].name + ctx.request.body[\"text\"]",
    "let b = ctx.request.body; let total = 0.0; for item in b.items { total += item.value; } [total, b.items[0]]",
    "for x in [1, 2] { let y = x; } for i in 3..1 { return i; } \"none\"",
    "let x = ctx.request.body.items; x[0].name = \"q\"; [x[0].name, x.len()]",
    "return;",
    "if true { return [1]; } 2",
];

/// Scripts that a plan does not know, or gives up on.
const UNPLANNED: &[&str] = &[
    "fn f(x) { x + 1 } f(1)",
    "let f = |x| x + 1; f.call(1)",
    "[1, 2].map(|x| x * 2)",
    "try { throw 1; } catch (e) { e }",
    "switch 1 { 1 => 2, _ => 3 }",
    "do { } while false; 1",
    "let x = loop { break 5; }; x",
    "for (x, i) in [1] { return [x, i]; }",
    "1 / 0",
    "9223372036854775807 + 1",
    "let x = \"a\"; x -= 1; x",
    "[1][5]",
    "().x",
    "let m = #{}; m.a.b = 1; m",
    "throw #{ a: 1 }",
    "log::info(\"lost\"); let b = ctx.request.body; log::info(b.n); b.nope.more",
    "if 1 { 2 }",
    "true && 1",
    "for x in 5 { } 1",
    "for x in \"ab\" { log::info(x); } 1",
    "for x in #{a: 1} { }",
    "let s = \"x\"; for i in 0..30 { s += s; } s.len()",
    "let n = 0; while n < 6_000 { n += 1; } n",
    "let a = [3]; a.len",
    "type_of(1)",
    "let x = 5; x[0]",
    "\"abc\"[1]",
    "let s = \"abc\"; s[1] = 'x'; s",
    "ctx.request",
    "let c = ctx; c.request.method",
    "let a = [1]; a[3] = 1; a",
    "let x = 1; x.nope()",
    "\"5\" + 1 - 2",
    "parse_int(\"x\")",
];

#[test]
fn a_plan_gives_what_rhai_gives() {
    on_big_stack(|| {
        let engine = Engine::new(LimitPolicy::default());
        let expected = PLANNED.iter().map(|script| (script, true)).chain(UNPLANNED.iter().map(|script| (script, false)));
        let wrong: Vec<_> = expected.filter(|(script, planned)| compare(&engine, script) != Ok(*planned)).collect();
        let seen: Vec<_> = wrong.iter().map(|(script, _)| (script, compare(&engine, script))).collect();
        assert!(seen.is_empty(), "{seen:#?}");
    });
}

/// Text of an expression over the variables `a` (array), `m` (map), `n` (whole), `s` (string), `f` (float).
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "0",
        "-3",
        "2.5",
        "true",
        "false",
        "()",
        "\"\"",
        "\"é\"",
        "'c'",
        "n",
        "s",
        "f",
        "a",
        "m",
        "m.k",
        "m.nope",
        "m.l",
        "a[0]",
        "a[-1]",
        "a[n]",
        "m[s]",
        "m?.nope",
        "m.nope?.x",
        "m.l[1]",
        "a.len()",
        "s.len()",
        "m.len()",
        "ctx.request.query.n",
        "ctx.request.body.n",
        "ctx.request.body",
        "ctx.request.body.items[0].value",
        "ctx.request.body.items",
        "ctx.request.method",
        "ctx.request.params.rest",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 24, 4, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "??"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            inner.clone().prop_map(|side| format!("!({side})")),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            inner.clone().prop_map(|value| format!("#{{ k: {value}, l: [{value}] }}")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("`<${{{one}}}|${{{other}}}>`")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(test, one, other)| format!("if {test} {{ {one} }} else {{ {other} }}")),
            (
                inner.clone(),
                prop::sample::select(vec!["to_string()", "len()", "to_upper()", "contains(1)", "keys()", "is_empty()", "pop()", "get(0)"])
            )
                .prop_map(|(value, method)| format!("({value}).{method}")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let target = prop::sample::select(vec!["n", "s", "f", "a", "m", "m.k", "m.fresh", "a[0]", "m.l[0]", "m[s]", "a[n]"]);
    let operator = prop::sample::select(vec!["=", "=", "+=", "-=", "*="]);
    let simple = prop_oneof![
        (target, operator, expression()).prop_map(|(target, operator, value)| format!("{target} {operator} {value};")),
        expression().prop_map(|value| format!("let n = {value};")),
        expression().prop_map(|value| format!("log::info({value});")),
        expression().prop_map(|value| format!("a.push({value});")),
        expression().prop_map(|value| format!("{value};")),
        Just("break;".to_owned()),
        Just("continue;".to_owned()),
        expression().prop_map(|value| format!("return {value};")),
    ];
    simple.prop_recursive(2, 12, 3, |inner| {
        let body = prop::collection::vec(inner, 0..3).prop_map(|statements| statements.join(" "));
        prop_oneof![
            (expression(), body.clone()).prop_map(|(test, body)| format!("if {test} {{ {body} }}")),
            (prop::sample::select(vec!["a", "m.l", "ctx.request.body.items", "[1, [2], #{k: 3}]"]), body.clone())
                .prop_map(|(over, body)| format!("for x in {over} {{ {body} }}")),
            (prop::sample::select(vec!["x", "a", "n"]), body.clone())
                .prop_map(|(item, body)| format!("for {item} in a {{ s += \".\"; {body} }}")),
            body.clone().prop_map(|body| format!("for x in 0..3 {{ {body} }}")),
            body.clone().prop_map(|body| format!("let i = 0; while i < 3 {{ i += 1; {body} }}")),
            body.prop_map(|body| format!("{{ {body} }}")),
        ]
    })
}

#[test]
fn a_plan_gives_what_rhai_gives_for_scripts_that_nobody_wrote() {
    on_big_stack(|| {
        let engine = Engine::new(LimitPolicy::default());
        let cases = std::env::var("PICLOUD_PLAN_CASES").map_or(3_000, |cases| cases.parse().unwrap());
        let mut runner =
            proptest::test_runner::TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
        let planned = std::cell::Cell::new(0);
        let scripts = (prop::collection::vec(statement(), 0..6), expression());
        let outcome = runner.run(&scripts, |(statements, last)| {
            let start = "let n = 2; let s = \"k\"; let f = 0.5; let a = [1, \"x\", [2]]; let m = #{ k: 1, l: [1, 2] };";
            let script = format!("{start} {} [{last}, n, s, f, a, m]", statements.join(" "));
            planned.set(planned.get() + u32::from(compare(&engine, &script).map_err(TestCaseError::fail)?));
            engine.forget_unheld();
            Ok(())
        });
        outcome.unwrap();
        // A generator whose scripts all fail would test nothing.
        assert!(planned.get() > cases / 50, "only {} of {cases} were run by a plan", planned.get());
    });
}
