//! Guards and functions that read a request, and change what they read: every answer is Rhai's, and nothing changes the request.

use std::{
    cell::Cell,
    hash::{BuildHasher, Hasher, RandomState},
};

use picloud::{
    engine::Evaluator,
    execution::{EventInfo, HttpRequest, Invocation, Param},
    function::Limits,
};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    both::{Both, Verdict, with_both},
    kit::script::invocation,
};

const BODY: &str = r#"{"items":[{"name":"a","value":1,"tags":["x","y"]},{"name":"b","value":2.5,"tags":[]},{"name":"ü","value":-3,"none":null}],"deep":{"er":{"est":[1,2,[3]]}},"flag":true,"text":"hello","n":7}"#;

/// What one run is asked.
#[derive(Debug, Clone)]
struct Asked {
    body: String,
    query: String,
}

impl Default for Asked {
    fn default() -> Self {
        Self { body: BODY.into(), query: "name=Ada&n=5&name=Eve&empty=".into() }
    }
}

impl Asked {
    fn invocation(&self) -> Box<Invocation> {
        let headers = [("content-type", "application/json"), ("x-one", "1")];
        let mut invocation = invocation(&format!("/f?{}", self.query), &headers, &self.body);
        let HttpRequest { headers, params, .. } = &mut invocation.request;
        headers.append("x-one", "2".parse().unwrap());
        *params = vec![
            ("id".into(), Param::One("42".into())),
            ("rest".into(), Param::Many(vec!["a".into(), "b".into()])),
            ("none".into(), Param::Absent),
        ];
        invocation
    }
}

const GUARD: &str = "_middleware.rhai";

/// What comparing two runs of a function came to, with a guard before it, if there is one. The error says how they differ.
fn compare(both: &Both, guard: Option<&str>, script: &str, asked: &Asked) -> Result<bool, TestCaseError> {
    let files: Vec<(&str, &str)> = guard.map(|guard| (GUARD, guard)).into_iter().chain([("f.rhai", script)]).collect();
    match both.compare_with(&files, &asked.invocation()) {
        Verdict::Same => Ok(true),
        Verdict::Refused(_) => Ok(false),
        Verdict::Differ(difference) => Err(TestCaseError::fail(format!("{asked:?}\n{difference}"))),
    }
}

/// A runner of generated cases. `PICLOUD_REQUESTS_SEED` repeats the cases of a run that failed, `PICLOUD_REQUESTS` says how many.
fn runner(cases: u32) -> (u64, TestRunner) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("PICLOUD_REQUESTS_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let cases = number("PICLOUD_REQUESTS").map_or(cases, |cases| cases as u32);
    let bytes: Vec<u8> = seed.to_le_bytes().into_iter().cycle().take(32).collect();
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() };
    (seed, TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)))
}

const SCRIPTS: &[&str] = &[
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
fn scripts_read_a_request_as_rhai_does() {
    with_both("requests", Limits::DEFAULT, |both| {
        for script in SCRIPTS {
            compare(both, None, script, &Asked::default()).unwrap();
        }
    });
}

#[test]
fn a_script_that_ends_its_run_keeps_its_log_and_names_the_place() {
    with_both("ends", Limits::DEFAULT, |both| {
        for ends in ["dead(\"no\")", "retry(\"1s\")"] {
            let script = format!("for i in 0..20 {{ log::info(`line ${{i}}`); }}\nif ctx.event.depth == 1 {{\n    {ends}\n}}");
            let mut invocation = Asked::default().invocation();
            invocation.event = Some(EventInfo { json: r#"{"depth":1}"#.into(), depth: 1 });
            let verdict = both.compare_with(&[("f.rhai", &script)], &invocation);
            assert!(matches!(verdict, Verdict::Same), "{verdict:?}");
            let seen = both.run(&both.program(&[("f.rhai", &script)]).unwrap(), Evaluator::Own, &invocation).0;
            assert_eq!(seen.iter().filter(|line| line.starts_with("log: ")).count(), 20, "{seen:#?}");
            assert!(seen.iter().any(|line| line == "at: f.rhai:3:5"), "{seen:#?}");
        }
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

/// What changes a part of the request, if that is allowed.
fn change() -> impl Strategy<Value = String> {
    let changes = vec![
        (".items", "pop()"),
        (".items", "shift()"),
        (".items", "push(9)"),
        (".items", "insert(0, 7)"),
        (".items", "remove(0)"),
        (".items", "clear()"),
        (".items", "truncate(1)"),
        (".items", "reverse()"),
        (".items", "split(1)"),
        (".items", "set(0, 5)"),
        (".items", "take_last()"),
        (".items[0].tags", "pop()"),
        (".items[0]", "remove(\"name\")"),
        (".deep.er.est", "pop()"),
        (".deep", "clear()"),
        (".deep", "put()"),
        ("", "put()"),
        ("", "set(\"n\", 1)"),
        ("", "remove(\"n\")"),
        (".text", "crop(1)"),
        (".text", "replace(\"l\", \"w\")"),
        (".text", "make_upper()"),
    ];
    (prop::sample::select(changes), 0..7).prop_map(|((part, change), way)| match way {
        0 | 1 => format!("ctx.request.body{part}.{change};"),
        2 => format!("let b = ctx.request.body; b{part}.{change};"),
        3 => format!("let r = ctx.request; r.body{part}.{change};"),
        4 => "let r = ctx.request; r.body.fresh = 1; r.body.items[0].fresh = 1;".to_owned(),
        5 => "for x in ctx.request.body.items { x.pop(); }".to_owned(),
        _ => format!("let x = [ctx.request.body]; x[0]{part}.{change};"),
    })
}

/// Functions that change what they are called on.
const CHANGERS: &str = "fn take_last() { this.pop() } fn put() { this.fresh = 1; }";

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
        change(),
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

/// Text of a script; some have functions.
fn script(last: &'static str) -> impl Strategy<Value = String> {
    let functions = prop::sample::select(vec!["", "", "", CHANGERS]);
    (functions, prop::collection::vec(statement(), 0..6)).prop_map(move |(functions, statements)| {
        let start = "let n = 2; let s = \"k\"; let f = 0.5; let a = [1, \"x\", [2]]; let m = #{ k: 1, l: [1, 2] };";
        format!("{functions} {start} {} {last}", statements.join(" "))
    })
}

#[test]
fn scripts_that_nobody_wrote_read_a_request_as_rhai_does() {
    with_both("requests-any", Limits::DEFAULT, |both| {
        let (seed, mut runner) = runner(3_000);
        let cases = runner.config().cases;
        let ran = Cell::new(0);
        let functions = (
            prop::option::of(script("()")),
            script(""),
            expression(),
            prop::sample::select(vec!["", "ctx.request.body", "ctx.request.body.items"]),
        );
        let outcome = runner.run(&functions, |(guard, script, last, read)| {
            let script = format!("{script} [{last}, n, s, f, a, m, {read}]");
            ran.set(ran.get() + u32::from(compare(both, guard.as_deref(), &script, &Asked::default())?));
            Ok(())
        });
        outcome.unwrap_or_else(|why| panic!("PICLOUD_REQUESTS_SEED={seed} repeats this: {why}"));
        assert!(ran.get() > cases / 4, "the check refuses all but {} of {cases}", ran.get());
    });
}

/// Limits so low that many values stand at their edges.
const LOW: &str = "+++\n[limits]\narray = 24\nmap = 20\nstring = 600\n+++\n";

/// A request about as large as these limits, or much larger.
fn asked() -> impl Strategy<Value = Asked> {
    let size = || prop::sample::select(vec![0_usize, 1, 4, 8, 9, 10, 11, 12, 13, 18, 19, 20, 21, 23, 24, 25, 30, 60]);
    (size(), size(), size(), size()).prop_map(|(items, names, text, pairs)| Asked {
        body: format!(
            r#"{{"items":[{}],"m":{{{}}},"text":"{}","rows":[{{"a":1}},{{"a":2}}]}}"#,
            vec!["1"; items].join(","),
            (0..names).map(|name| format!(r#""{name}":{name}"#)).collect::<Vec<_>>().join(","),
            "xyzé".repeat(text * 4),
        ),
        query: (0..pairs).map(|pair| format!("{pair}=v")).collect::<Vec<_>>().join("&"),
    })
}

/// What builds on what was read.
fn building() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "let b = ctx.request.body;",
        "let items = ctx.request.body.items; items.push(1);",
        "let b = ctx.request.body; b.items.push(1); b.items.push([1, 2]);",
        "let b = ctx.request.body; b.m.fresh = 1;",
        "let b = ctx.request.body; b.fresh = #{ x: 1, y: [2] };",
        "let b = ctx.request.body; b.rows[0].a = [1, 2, 3];",
        "let b = ctx.request.body; b.rows[1] = b.m;",
        "let b = ctx.request.body; b.text += \"x\"; b.rows[0].a = b.text;",
        "let b = ctx.request.body; b.m[\"more\"] = b.items; b.n = b.m.len() + b.items.len();",
        "out.push(ctx.request.body.items);",
        "out.push(ctx.request.body.m);",
        "out.push(ctx.request.query);",
        "out.push([ctx.request.body.items, 1]);",
        "out += ctx.request.body.items;",
        "all.m = ctx.request.body.m;",
        "all.items = ctx.request.body.items; all.n = all.items.len();",
        "all = #{ a: ctx.request.body.m };",
        "all = #{ a: ctx.request.body, b: 1 };",
        "text += ctx.request.body.text;",
        "text = `${ctx.request.body.text}${text}!`;",
        "text = ctx.request.body.text + \"!\";",
        "for item in ctx.request.body.items { out.push(item); }",
        "for i in 0..7 { out.push(i); }",
        "for i in 0..7 { all[`k${i}`] = i; }",
        "for i in 0..7 { text += \"12345678901234567890\"; }",
        "let q = ctx.request.query; q.fresh = 1; all.q = q;",
        "out.push(ctx.request.query_all.len()); out.push(ctx.request.query_all);",
        "out.push(ctx.request.raw_body.len());",
        "let raw = ctx.request.raw_body; out.push(raw);",
        "out.push(ctx.request.headers);",
        "return ctx.request.body;",
        "return [ctx.request.body.items, ctx.request.body.m];",
        "return #{ rows: ctx.request.body.m, text: ctx.request.body.text };",
        "return ctx.request.body.items.len() + ctx.request.body.m.len() + ctx.request.body.text.len();",
        "out[0] = ctx.request.body.items;",
        "out[0] = [1, 2]; out[-1] = [out, 1];",
        "out.push(out);",
        "out.insert(0, ctx.request.body.m.keys()); out.push(text.split(\"\"));",
    ])
    .prop_map(str::to_owned)
}

#[test]
fn both_evaluators_refuse_at_the_same_sizes() {
    with_both("requests-sizes", Limits::DEFAULT, |both| {
        let (seed, mut runner) = runner(1_500);
        let statements = || prop::collection::vec(building(), 1..4);
        let functions = (prop::option::of(statements()), statements(), asked());
        let outcome = runner.run(&functions, |(guard, function, asked)| {
            let whole = |statements: &[String], last: &str| {
                format!("{LOW}let out = [0]; let all = #{{}}; let text = \"\"; {} {last}", statements.join(" "))
            };
            // The limits of a guard are those of the function.
            let guard = guard.map(|statements| whole(&statements, "()").replace(LOW, "").replace("return", "let r ="));
            compare(both, guard.as_deref(), &whole(&function, "[out, all, text]"), &asked).map(|_| ())
        });
        outcome.unwrap_or_else(|why| panic!("PICLOUD_REQUESTS_SEED={seed} repeats this: {why}"));
    });
}

#[test]
fn what_a_script_changes_is_never_the_request() {
    with_both("requests-changed", Limits::DEFAULT, |both| {
        let (seed, mut runner) = runner(300);
        let cases = runner.config().cases;
        let ran = Cell::new(0);
        let part = || (prop::sample::select(vec!["", CHANGERS]), prop::collection::vec(change(), 0..3));
        let outcome = runner.run(&(part(), part()), |(guard, function)| {
            let text = |(functions, changes): (&str, Vec<String>), last: &str| format!("{functions} {} {last}", changes.join(" "));
            let (guard, script) = (text(guard, "()"), text(function, "ctx.request.body"));
            compare(both, Some(&guard), &script, &Asked::default())?;
            if let Ok(program) = both.program(&[(GUARD, &guard), ("f.rhai", &script)]) {
                let seen = both.run(&program, Evaluator::Own, &Asked::default().invocation()).0;
                if let Some(body) = seen.iter().find_map(|line| line.strip_prefix("body: ")) {
                    ran.set(ran.get() + 1);
                    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
                    prop_assert_eq!(json(&body.replace("\\\"", "\"").replace("\\u{fc}", "ü")), json(BODY));
                }
            }
            Ok(())
        });
        outcome.unwrap_or_else(|why| panic!("PICLOUD_REQUESTS_SEED={seed} repeats this: {why}"));
        assert!(ran.get() > cases / 20, "only {} of {cases} came to an end", ran.get());
    });
}
