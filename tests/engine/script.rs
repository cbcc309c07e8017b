//! What a script sees, what it returns, and what is found in it before it runs.

use std::sync::{Arc, atomic::Ordering};

use crate::kit::script::*;
use picloud::{
    engine::{CancelFlag, Control, Engine, check_budget::MAX_CLASSES},
    execution::{Finished, Outcome, Param},
    function::{Content, LimitPolicy, Tree},
    sync::check::{Checker, Report},
};

#[test]
fn ctx_is_the_same_everywhere_in_a_script() {
    for script in [
        "ctx.request.query.name",
        "fn f() { ctx.request.query.name } f()",
        "fn f() { g() } fn g() { ctx.request.query.name } f()",
        "let f = || ctx.request.query.name; f.call()",
        "let f = || { let g = || ctx.request.query.name; g.call() }; f.call()",
        "fn f() { let g = || ctx.request.query.name; g.call() } f()",
        "[1].map(|x| ctx.request.query.name)[0]",
        "let c = ctx; c.request.query.name",
        "let r = ctx.request; r.query[\"name\"]",
        "let name = ctx.request.query.name ?? \"world\"; name",
        "if true { ctx.request.query.name }",
    ] {
        assert_eq!(answer(script), "Ada", "{script}");
    }
}

#[test]
fn ctx_has_what_the_contract_says() {
    let script = r#"[ctx.execution_id.len(), ctx.script_name, ctx.script_id.len(), ctx.version.len(), ctx.deployment.len(),
        ctx.request_id == ctx.execution_id, ctx.invocation_type, ctx.request.method, ctx.request.path, ctx.request.query_all,
        ctx.request.headers["x-one"], ctx.request.body, ctx.request.raw_body.len(), ctx.request.remote_addr, ctx.request.params]"#;
    assert_eq!(answer(script), r#"[13,"f",36,32,13,true,"http","GET","/f",{"name":["Ada"],"tag":["a","b"]},"1",null,0,null,{}]"#);
}

#[test]
fn ctx_cannot_be_changed() {
    for script in ["ctx = 1;", "ctx.request = 1;", "ctx.request.query.name = 1;", "fn f() { ctx.request.headers[\"a\"] = 1; } f()"] {
        let found = findings(&[("f.rhai", script)]);
        assert!(found[0].contains("`ctx` cannot be changed"), "{script} {found:?}");
    }
    for (script, copy) in [
        ("ctx.request.body = 1;", "`let body = ctx.request.body;`"),
        ("ctx.request.headers[\"a\"] = 1;", "`let headers = ctx.request.headers;`"),
        ("ctx.request.headers.clear();", "`let headers = ctx.request.headers;`"),
        ("ctx.request.body.items.pop()", "`let body = ctx.request.body;`"),
        ("ctx.version += 1;", "`let version = ctx.version;`"),
    ] {
        let found = findings(&[("f.rhai", script)]);
        assert!(found[0].contains(copy), "{script} {found:?}");
    }
    assert_eq!(answer("let q = ctx.request.query; q.name = \"Eve\"; ctx.request.query.name"), "Ada");
    let json = [("content-type", "application/json")];
    let script = "let b = ctx.request.body; b.a = 2; ctx.request.body.a";
    let finished = run_tree(&[("f.rhai", script)], invocation("/", &json, r#"{"a":1}"#));
    assert_eq!(finished.reply.unwrap().body, "1");
}

#[test]
fn no_method_changes_ctx() {
    for script in [
        "ctx.request.body.items.pop()",
        "ctx.request.body.items[0].tags.push(1);",
        "ctx.request.body.items[0] += 1;",
        "ctx.request.body[\"items\"].remove(0);",
        "let name = ctx.request.query.name.trim();",
        "fn f() { ctx.request.body.remove(\"a\") } f()",
        "let f = || ctx.request.headers.clear(); f.call()",
        "for x in ctx.request.body.items.drain(|x| x > 1) { }",
    ] {
        let module = format!("fn g() {{ {} }}", script.replace("fn f()", "let f = ||").replace(" f()", ""));
        let mistaken = [
            vec![("f.rhai", script)],
            vec![("f.rhai", "1"), ("_middleware.rhai", script)],
            vec![("f.rhai", "import \"m\" as m; m::g()"), ("_lib/m.rhai", module.as_str())],
        ];
        for files in mistaken {
            let found = findings(&files);
            assert!(found.iter().any(|found| found.contains("`ctx` cannot be changed")), "{files:?} {found:?}");
        }
    }
    for script in [
        "ctx.request.path.split(\"/\").pop()",
        "[1, 2].filter(|x| x in ctx.request.query_all.keys()).pop()",
        "ctx.request.query.keys().push(1)",
        "fn f(ctx) { ctx.items.pop() } f(#{ items: [1] })",
        "fn pop() { this.len() } ctx.request.headers.pop()",
        "let b = ctx.request.query; b.remove(\"name\")",
    ] {
        assert_eq!(findings(&[("f.rhai", script)]), Vec::<String>::new(), "{script}");
    }
}

const ITEMS: &str = r#"{"items":[3,1,2],"deep":{"list":[[1]]},"text":" a "}"#;

fn ask(files: &[(&str, &str)], body: &str) -> Finished {
    run_tree(files, invocation("/", &[("content-type", "application/json")], body))
}

/// The same script, run in each way: as it is, with what keeps a plan away, with what ends one late.
fn ways(script: &str) -> [String; 3] {
    let late = "let rounds = 0; while rounds < 6_000 { rounds += 1; }";
    [script.to_owned(), format!("fn away() {{ }}\n{script}"), format!("{late}\n{script}")]
}

#[test]
fn whatever_runs_before_the_request_is_as_it_was_sent() {
    for change in [
        "let b = ctx.request.body; b.items.pop(); b.fresh = 1;",
        "fn drop_first() { this.shift() } ctx.request.body.items.drop_first();",
        "fn add() { this.fresh = 1; } ctx.request.body.add(); ctx.request.body.deep.add();",
        "fn empty(list) { list.clear(); } empty(ctx.request.body.items);",
        "ctx.request.body.items.for_each(|| this += 1);",
        "let r = ctx.request; r.body.fresh = 1;",
        "fn f(c) { c.request.body.deep.fresh = 1; } f(ctx);",
        "let all = [ctx.request.body]; all[0].items.clear();",
        "let give = || ctx.request.body; give.call().items.clear();",
        "import \"m\" as m; m::empty(ctx.request.body.items);",
        "pop(ctx.request.body.items);",
        "for item in ctx.request.body.deep.list { item.push(2); }",
    ] {
        for guard in ways(&format!("{change}\nlet c = \"x\"[0]; ()")) {
            let files =
                [("_middleware.rhai", guard.as_str()), ("f.rhai", "ctx.request.body"), ("_lib/m.rhai", "fn empty(list) { list.clear(); }")];
            let finished = ask(&files, ITEMS);
            let reply = finished.reply.unwrap_or_else(|| panic!("{guard}: {:?}", finished.execution.failure));
            assert_eq!(reply.body, r#"{"deep":{"list":[[1]]},"items":[3,1,2],"text":" a "}"#, "{guard}");
        }
    }
}

#[test]
fn a_change_of_the_request_under_another_name_fails() {
    for change in
        ["let r = ctx.request; r.body.items.pop()", "fn f(c) { c.request.body.text.trim() } f(ctx)", "ctx.request.body.items.split(1)"]
    {
        let failure = ask(&[("f.rhai", change)], ITEMS).execution.failure.unwrap().message;
        assert!(failure.contains("this is a constant, or the request; copy it first"), "{change}: {failure}");
    }
}

#[test]
fn methods_that_read_work_on_the_request() {
    for (script, answer) in [
        ("ctx.request.body.items.get(-1)", "2"),
        ("ctx.request.body.items.get(7)", "null"),
        ("ctx.request.body.items.extract(1)", "[1,2]"),
        ("ctx.request.body.items.extract(0..2)", "[3,1]"),
        ("ctx.request.body.items.order()", "[1,2,3]"),
        ("ctx.request.body.items.order_desc()", "[3,2,1]"),
        ("ctx.request.body.items.order_by(|a, b| a - b)", "[1,2,3]"),
        ("ctx.request.body.items.filter(|x| x < 3)", "[1,2]"),
        ("ctx.request.body.text.split()", r#"["a"]"#),
        ("let sum = 0; ctx.request.body.items.for_each(|| sum += this); sum", "6"),
        ("const LIST = \"b a\"; LIST.split(' ').len() + LIST.to_chars().len()", "5"),
    ] {
        for script in ways(script) {
            let finished = ask(&[("f.rhai", &script)], ITEMS);
            assert_eq!(finished.reply.unwrap_or_else(|| panic!("{script}: {:?}", finished.execution.failure)).body, answer, "{script}");
        }
    }
}

#[test]
fn what_a_request_holds_may_be_read_kept_and_returned() {
    let numbers = format!("[{}]", vec!["1"; 40_000].join(","));
    let rows = format!(r#"{{"rows":[{}]}}"#, vec![r#"{"a":1,"b":2,"c":3,"d":4}"#; 1_300].join(","));
    for (body, script, answer) in [
        (&numbers, "let b = ctx.request.body; b.len()", "40000"),
        (&numbers, "let n = 0; for x in ctx.request.body { n += x; } n", "40000"),
        (&numbers, "let b = ctx.request.body; b.push(1); b[0] = [1, 2]; [b.len(), ctx.request.raw_body.len()]", "[40001,80001]"),
        (&numbers, "let all = [ctx.request.body]; all[0].len()", "40000"),
        (&rows, "let b = ctx.request.body; b.rows.len()", "1300"),
        (&rows, "let all = #{ rows: ctx.request.body.rows, n: 1 }; all.rows.len()", "1300"),
        (&rows, "let b = ctx.request.body; b.rows[0].fresh = #{ x: 1 }; b.rows[0].len()", "5"),
    ] {
        for script in ways(script) {
            let finished = ask(&[("f.rhai", &script)], body);
            assert_eq!(finished.reply.unwrap_or_else(|| panic!("{script}: {:?}", finished.execution.failure)).body, answer, "{script}");
        }
    }
    let query = (0..5_100).map(|name| format!("{name}=1")).collect::<Vec<_>>().join("&");
    for script in ways("ctx.request.query.len() + ctx.request.query_all.len()") {
        assert_eq!(run_tree(&[("f.rhai", &script)], invocation(&format!("/?{query}"), &[], "")).reply.unwrap().body, "10200", "{script}");
    }
}

#[test]
fn what_a_script_builds_is_limited_in_each_way_of_running() {
    let rows = format!(r#"{{"rows":[{}]}}"#, vec![r#"{"a":1,"b":2,"c":3,"d":4}"#; 1_300].join(","));
    for (body, script) in [
        ("", "+++\nlimits.array = 100\n+++\nlet a = []; for i in 0..101 { a.push(i); } a.len()"),
        ("", "+++\nlimits.array = 100\n+++\nlet a = [0]; for i in 0..50 { a[0] = [a[0], i]; } a.len()"),
        ("", "+++\nlimits.map = 100\n+++\nlet m = #{}; for i in 0..101 { m[`${i}`] = i; } m.len()"),
        ("", "+++\nlimits.string = \"100\"\n+++\nlet s = \"\"; for i in 0..300 { s += \"xyz\"; } s.len()"),
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
            let first = Control { cancel: is_cancellable.then(CancelFlag::default) };
            engine.run(&program, invocation("/", &[], ""), first).unwrap();
            let body = format!("[{}0]", "0,".repeat(elements - 1));
            engine.run(&program, invocation("/", &[("content-type", "application/json")], &body), Control::default()).unwrap().execution
        })
    };
    for (elements, expected) in [(32_000, Outcome::Ok), (66_000, Outcome::MemoryExceeded), (140_000, Outcome::MemoryExceeded)] {
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
        ("let t = 0; for i in 0..100 { let x = i * 2; t += x + 1; } t", 908),
        ("let sum = 0; for item in ctx.request.body.items { sum += item; } sum", 22),
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
fn path_parameters_are_strings_arrays_or_absent() {
    let mut invocation = invocation("/", &[], "");
    invocation.request.params = vec![
        ("id".into(), Param::One("7".into())),
        ("path".into(), Param::Many(vec!["a".into(), "b".into()])),
        ("lang".into(), Param::Absent),
    ];
    let finished = run_tree(&[("f.rhai", "ctx.request.params")], invocation);
    assert_eq!(finished.reply.unwrap().body, r#"{"id":"7","lang":null,"path":["a","b"]}"#);
}

#[test]
fn what_a_script_returns_is_what_goes_out() {
    for (script, status, content_type, body) in [
        ("#{a: 1}", 200, "application/json", r#"{"a":1}"#),
        ("[1, 2.5, true, ()]", 200, "application/json", "[1,2.5,true,null]"),
        ("()", 200, "application/json", "null"),
        ("42", 200, "application/json", "42"),
        ("\"hi\"", 200, "text/plain; charset=utf-8", "hi"),
        ("'h'", 200, "text/plain; charset=utf-8", "h"),
        ("blob(2, 0x41)", 200, "application/octet-stream", "AA"),
        ("#{statusCode: 201, body: #{id: 1}}", 201, "application/json", r#"{"id":1}"#),
        ("#{statusCode: 204}", 204, "", ""),
        ("#{statusCode: 204, body: 1}", 204, "", ""),
        ("#{statusCode: 302, headers: #{location: \"/x\"}}", 302, "", ""),
        ("#{statusCode: 200, headers: #{\"Content-Type\": \"text/html\"}, body: \"<p>\"}", 200, "text/html", "<p>"),
        ("return #{statusCode: 404, body: \"no\"};", 404, "text/plain; charset=utf-8", "no"),
    ] {
        let reply = run(script).reply.unwrap_or_else(|| panic!("{script}"));
        let found = reply.headers.iter().find(|(name, _)| *name == "content-type").map_or("", |(_, value)| value.to_str().unwrap());
        assert_eq!((reply.status.as_u16(), found, &reply.body[..]), (status, content_type, body.as_bytes()), "{script}");
    }
}

#[test]
fn a_header_given_as_an_array_is_sent_repeatedly() {
    let reply = run("#{statusCode: 200, headers: #{\"set-cookie\": [\"a=1\", (), \"b=2\"], \"x-n\": 5}, body: ()}").reply.unwrap();
    let sent: Vec<_> = reply.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
    assert_eq!(sent, ["set-cookie=a=1", "set-cookie=b=2", "x-n=5", "content-type=application/json"]);
}

#[test]
fn a_reply_that_is_none_is_a_failure_that_says_why() {
    let cases = [
        "#{statusCode: 99}",
        "#{statusCode: \"200\"}",
        "#{statusCode: 200, header: #{}}",
        "#{statusCode: 200, headers: []}",
        "#{statusCode: 200, headers: #{\"a b\": \"c\"}}",
        "#{statusCode: 200, headers: #{a: \"b\\r\\nc: d\"}}",
        "#{statusCode: 200, headers: #{\"content-length\": \"5\"}}",
        "#{statusCode: 200, headers: #{a: #{}}}",
        "#{statusCode: 200, headers: #{\"X-A\": 1, \"x-a\": 2}}",
        "|x| x",
        "#{f: Fn(\"f\")}",
        "ctx",
    ];
    let found: Vec<String> = cases.iter().map(|script| format!("{script}\n  {}", failure(script).failure.unwrap().message)).collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_failure_names_its_place_and_the_calls_that_led_there() {
    let script = "fn inner(x) {\n  10 / x\n}\nfn outer(x) {\n  inner(x)\n}\n\nouter(0)";
    let execution = failure(script);
    let failure = execution.failure.unwrap();
    insta::assert_snapshot!(format!("{:?} {failure:#?}", execution.outcome));
}

#[test]
fn a_failure_says_what_an_author_can_understand() {
    let many: String = (0..300).map(|n| format!("let v{n} = {n};")).collect::<String>() + "fn f() { 0 }";
    let cases = [
        ("throw;", ""),
        ("throw ()", ""),
        ("let s = \"\"; s.pad(9_000, \"x\"); throw s", ""),
        ("import \"m\" as m;\nlet f = m::closure();\nf.call(1)", "fn closure() { |x| x + 1 }"),
        ("import \"m\" as m;\nm::greeter().hello(\"Ada\")", "fn greeter() { #{ hello: |name| name } }"),
        ("let f = || 1;\nf.call(5)", ""),
        ("let n = 1;\nlet f = |a, b, c| n + a;\nf.call(1)", ""),
        ("fn f() {\n  let m = #{ f: |x| x };\n  m.f(1, [2])\n}\nf()", ""),
        ("import \"m\" as m;\nm::wrong()", "fn wrong() { let f = || 1; f.call(2) }"),
        ("[1, 2].map(|a, b, c| 1)", ""),
        ("let a = [1];\na.map(|x| a.len())", ""),
        ("fn f(a) {\n  a.map(|x| a.len())\n}\nf([1])", ""),
        (&*many, ""),
    ];
    let told = cases.map(|(script, module)| {
        let failure = run_tree(&[("f.rhai", script), ("_lib/m.rhai", module)], invocation("/", &[], "")).execution.failure;
        let failure = failure.unwrap_or_else(|| panic!("{script}"));
        let place = failure.position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
        format!("{}{place}: {}", failure.file, if failure.message.len() < 1000 { &failure.message } else { &failure.message[1980..] })
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_failure_speaks_of_the_script_and_not_of_the_engine() {
    let (json, form, text, bytes) = ("application/json", "application/x-www-form-urlencoded", "text/plain", "application/x-any");
    let told = [
        (json, "{}", "ctx.request.body.items.len()"),
        (form, "{}", "ctx.request.body.items.len()"),
        (form, "{}", "len(ctx.request.body.items)"),
        (form, "{}", "let items = ctx.request.body.items; for item in items { }"),
        (form, "{}", "let b = ctx.request.body; b.items[0].name"),
        (text, "{}", "ctx.request.body.items"),
        (text, "{}", "fn f() { let body = ctx.request.body; body[\"items\"] } f()"),
        (bytes, "{}", "ctx.request.body.items"),
        (json, "", "ctx.request.body.items"),
        // Not of the body, or nobody can say so.
        (text, "{}", "let a = #{}; a.b.c"),
        (text, "{}", "let b = 1; b = 2; if true { let b = ctx.request.body; } let c = b; c.d"),
        (json, "", "ctx.request.query.page + 1"),
        (json, "", "1 - ctx.request.query.page"),
        (json, "", "1 + #{}"),
        (json, "", "let a = (); a += 1;"),
        (json, "", "let m = #{}; m.a.b = 1;"),
        (json, "", "let s = \"a\"; s.items = 1;"),
        (json, "", "let r = ctx.request; r.body = 1;"),
        (json, "", "let r = ctx; r.nope"),
        (json, "", "let n = 5; n[\"x\"]"),
        (json, "", "let u = ctx.request.query.page; u[\"x\"]"),
        (json, "", "let a = [1]; a[\"x\"]"),
        (json, "", "let a = [1]; a[4]"),
        (json, "", "\"abc\"[7]"),
        (json, "", "let n = 5; n[70]"),
        (json, "", "let s = \"abc\"; s[0] = 5;"),
        (json, "", "let n = 1; if n { 2 }"),
        (json, "", "let n = 1; for x in n { }"),
        (json, "", "parse_int(\"99999999999999999999\")"),
        (json, "", "parse_int(\"\")"),
        (json, "", "parse_int(\"it's 5': x\")"),
        (json, "", "parse_float(\"x\")"),
        (json, "", "9223372036854775807 + 1"),
        (json, "", "parse_json(\"\")"),
        (json, "", "parse_json(\"[1\")"),
        (json, "", "parse_json(\"nope\")"),
        (json, "", "parse_json(\"]\")"),
        (json, "", "fn f() { this.x } f()"),
        (json, "", "let f = Fn(\"nope\"); f.call(1)"),
        (json, "", "[1].map(\"nope\")"),
        (json, "", "fn two(a, b) { a } Fn(\"two\").call(1)"),
        (json, "", "const A = [1]; let f = || { A[0] = 2; }; f.call();"),
        (json, "", "[\"a\"].map(|x| x.abs())"),
    ]
    .map(|(content_type, body, script)| {
        let finished = run_tree(&[("f.rhai", script)], invocation("/", &[("content-type", content_type)], body));
        let failure = finished.execution.failure.unwrap_or_else(|| panic!("{script}"));
        format!("{script}\n  {}", failure.message)
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn an_empty_file_serves_nothing_and_is_told() {
    for text in ["", " \n\t", "\u{feff}"] {
        let mut checker = Checker::new(Arc::new(Engine::new(LimitPolicy::default())));
        let report = checker.check(&Arc::new(tree(&[("a/b.get.rhai", text), ("f.rhai", "1"), ("_lib/m.rhai", text)])));
        let found: Vec<_> = report.diagnostics.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a/b.get.rhai: warning: the file is empty, and is not served"]);
        assert_eq!(report.functions.len(), 1);
    }
}

#[test]
fn a_module_may_be_named_like_a_guard() {
    let files = [("f.rhai", "import \"auth_middleware\" as m; m::name()"), ("_lib/auth_middleware.rhai", "fn name() { \"ada\" }")];
    assert_eq!(run_tree(&files, invocation("/", &[], "")).reply.unwrap().body, "ada");
}

/// A module that takes its time at its top level.
const HOG: &str = "let s = \"\"; s.pad(800_000, \"xyz\u{e9}\"); let n = 0; loop { n += s.to_upper().len(); }";

fn checked(files: &[(String, String)]) -> Report {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let tree = Arc::new(tree(&files));
    on_big_stack(move || Checker::new(Arc::new(Engine::new(LimitPolicy::default()))).check(&tree))
}

#[test]
fn the_modules_of_one_check_share_two_seconds() {
    let imports: String = (0..20).map(|n| format!("import \"m{n}\" as m{n};\n")).collect();
    let mut files: Vec<_> = (0..20).map(|n| (format!("_lib/m{n}.rhai"), HOG.to_owned())).collect();
    files.extend([("f.rhai".into(), imports), ("g.rhai".into(), "import \"m19\" as m; 1".into()), ("h.rhai".into(), "1".into())]);
    let report = checked(&files);
    assert_eq!(report.functions.keys().map(|path| &**path).collect::<Vec<_>>(), ["h.rhai"]);
    let found: Vec<_> = report.diagnostics.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    _lib/m0.rhai: error: loading the modules takes too long: together they may use 2s of CPU time, within 20s
      hint: let functions do the work, not the top level of a module
    ");
}

#[test]
fn the_modules_of_one_check_share_a_memory() {
    let keeps = |n: i32| {
        let constants: String =
            (0..25).map(|n| format!("let s{n} = \"\"; s{n}.pad(1_000_000, \"x\"); export const S{n} = s{n};\n")).collect();
        (format!("_lib/m{n}.rhai"), constants)
    };
    let use_of = |n: i32| (format!("f{n}.rhai"), format!("import \"m{n}\" as m; m::S0.len()"));
    let report = checked(&[keeps(0), keeps(1), use_of(0), use_of(1)]);
    assert!(report.is_good(), "{:?}", report.diagnostics);
    let report = checked(&(0..5).flat_map(|n| [keeps(n), use_of(n)]).collect::<Vec<_>>());
    assert_eq!(report.functions.len(), 2);
    let found: Vec<_> = report.diagnostics.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    _lib/m2.rhai: error: the modules together keep more than 64 MiB of memory
      hint: build large values in functions, not at the top level of a module
    ");
}

#[test]
fn sets_of_limits_are_bounded_in_a_check_and_forgotten_after_it() {
    let own_limits =
        |n: usize| (format!("c{n:03}.rhai").into(), Content::new(format!("+++\nlimits.string = {}\n+++\n{n}", 1000 + n).as_bytes()));
    on_big_stack(move || {
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let mut checker = Checker::new(engine.clone());
        let report = checker.check(&Arc::new((0..400).map(own_limits).collect()));
        assert_eq!((report.functions.len(), engine.classes()), (MAX_CLASSES, MAX_CLASSES));
        insta::assert_snapshot!(report.diagnostics[0], @r"
        c064.rhai: error: the files ask for more than 64 different sets of the limits `call_depth`, `expression_depth`, `string`, `array` and `map`
          hint: let functions share a set: each set takes a quarter of a megabyte of the node's memory
        ");
        // What is live counts: one more has no room, however small the change.
        let mut tree: Tree = (0..MAX_CLASSES).map(own_limits).collect();
        assert!(checker.check(&Arc::new(tree.clone())).is_good());
        tree.extend([own_limits(399)]);
        assert!(!checker.check(&Arc::new(tree.clone())).is_good());
        tree.extend([
            ("same.rhai".into(), Content::new(b"+++\nlimits.string = 1001\n+++\n1".as_slice())),
            ("c000.rhai".into(), Content::new(b"1".as_slice())),
        ]);
        assert!(checker.check(&Arc::new(tree)).is_good());
        drop((checker, report));
        engine.forget_unheld();
        assert_eq!(engine.classes(), 0);
    });
}

#[test]
fn a_check_that_nobody_waits_for_ends() {
    on_big_stack(|| {
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let cancel = CancelFlag::default();
        let mut checker = Checker::new(engine.clone()).copy(cancel.clone());
        cancel.store(true, Ordering::Relaxed);
        let files = tree(&[("f.rhai", "import \"m\" as m; 1"), ("_lib/m.rhai", HOG)]);
        assert!(checker.check(&Arc::new(files.clone())).functions.is_empty());
        // Nothing of that is remembered.
        let report = Checker::new(engine).check(&Arc::new(tree(&[("f.rhai", "import \"m\" as m; 1"), ("_lib/m.rhai", "1")])));
        assert!(report.is_good());
    });
}

#[test]
fn a_failure_in_a_module_names_the_module() {
    let files = [("f.rhai", "import \"m\" as m;\nm::half(\"x\")"), ("_lib/m.rhai", "fn half(x) {\n  throw \"not a number\"\n}")];
    let failure = run_tree(&files, invocation("/", &[], "")).execution.failure.unwrap();
    assert_eq!((&*failure.file, failure.position.unwrap().line, failure.message.as_str()), ("_lib/m.rhai", 2, "not a number"));
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

#[test]
fn modules_are_called_from_scripts_functions_and_closures() {
    let files = [
        (
            "f.rhai",
            "import \"m\" as m; import \"_lib/n\" as n; fn g() { import \"m\" as inner; inner::two() } [m::two(), n::three(), g(), m::name(), m::K]",
        ),
        ("_lib/m.rhai", "export const K = 7; fn two() { 2 } fn name() { ctx.script_name }"),
        ("_lib/n.rhai", "fn three() { import \"m\" as m; m::two() + 1 }"),
    ];
    let finished = run_tree(&files, invocation("/", &[], ""));
    assert_eq!(finished.reply.expect("it answers").body, r#"[2,3,2,"f",7]"#);
}

#[test]
fn a_guard_answers_in_place_of_the_function_or_lets_it_run() {
    let guard = "if ctx.request.headers[\"x-key\"] != \"open\" { return #{statusCode: 401, body: \"closed\"}; }";
    let files = [("f.rhai", "\"in\""), ("_middleware.rhai", guard)];
    let ask = |key: &str| run_tree(&files, invocation("/", &[("x-key", key)], "")).reply.unwrap();
    assert_eq!((ask("open").status.as_u16(), ask("shut").status.as_u16()), (200, 401));
}

#[test]
fn a_variable_named_ctx_is_no_request() {
    for script in [
        "fn title(ctx) { ctx.title } title(#{ title: \"x\" })",
        "[#{ title: \"x\" }].map(|ctx| ctx.title)[0]",
        "let ctx = #{ title: \"x\" }; ctx.title",
        "let ctx = #{ title: \"x\" }; let f = || ctx.title; f.call()",
        "let ctx = #{ title: \"x\" }; let f = || { let g = || ctx.title; g.call() }; f.call()",
        "fn f(ctx) { let g = |x| ctx.title + x; g.call(\"\") } f(#{ title: \"x\" })",
        "let t = \"\"; for ctx in [#{ title: \"x\" }] { t = ctx.title; } t",
        "let t = \"\"; try { throw #{ title: \"x\" } } catch (ctx) { t = ctx.title; } t",
    ] {
        assert_eq!(answer(script), "x", "{script}");
    }
    // Where it ends, the request is there again.
    assert_eq!(answer("fn f(ctx) { ctx.a } f(#{ a: 1 }); ctx.request.query.name"), "Ada");
    let found = findings(&[("f.rhai", "fn f(ctx) { ctx.a } f(#{ a: 1 }); ctx.a")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("f.rhai:1:39: error: `ctx` has no `a`"), "{found:?}");
}

#[test]
fn a_method_that_may_be_there_is_warned_of() {
    for (files, message) in [
        (&[("f.rhai", "fn make(k) { let h = #{}; h[k] = || 1; h } make(\"act\").act()")][..], "unknown method `act`"),
        (&[("f.rhai", "let h = #{}; let k = \"act\"; h.set(k, || 1); h.act()")], "unknown method `act`"),
        (&[("f.rhai", "let x = (); x?.act(1)")], "unknown method `act`"),
        (
            &[
                ("f.rhai", "import \"m\" as m; m::make(|k| 1).act(1)"),
                ("_lib/m.rhai", "fn make(f) { let h = #{}; let k = \"act\"; h[k] = f; h }"),
            ],
            "unknown method `act`",
        ),
        (
            &[("f.rhai", "1"), ("_middleware.rhai", "if ctx.request.path.starts_with(\"/admin\") { return 1; } ()")],
            "`ctx.request.path` is the path as it was sent",
        ),
    ] {
        assert_eq!(findings(files), [""; 0], "{files:?}");
        let found = warnings(files);
        assert!(found.len() == 1 && found[0].contains(message) && found[0].contains("hint: "), "{files:?} {found:?}");
        assert_eq!(run_tree(files, invocation("/f", &[], "")).execution.failure, None, "{files:?}");
    }
    let logs = ("_middleware.rhai", "log::info(`to ${ctx.request.path}`); if ctx.request.route == \"/admin\" { return 1; } ()");
    assert_eq!(warnings(&[("f.rhai", "ctx.request.path"), logs]), [""; 0]);
}

#[test]
fn a_map_that_is_nearly_a_response_is_warned_of() {
    for (script, key) in [
        ("#{ status: 404, body: \"no\" }", "status"),
        ("fn no() { return #{ body: \"no\", headers: #{}, status: 404 }; } no()", "status"),
        ("if true { #{ status_code: 404, body: 1 } } else { 1 }", "status_code"),
        ("#{ statuscode: 404, headers: #{} }", "statuscode"),
    ] {
        let found = warnings(&[("f.rhai", script)]);
        assert!(found.len() == 1 && found[0].contains(&format!("a map with `{key}` is no response")), "{script} {found:?}");
    }
    for script in [
        "#{ statusCode: 404, body: 1 }",
        "#{ statusCode: 200, body: #{ status: 404 } }",
        "#{ status: 404 }",
        "#{ status: 2, body: \"text\" }",
        "#{ status: \"sent\", body: \"text\" }",
        "#{ status: 404, body: \"text\", id: 7 }",
        "[#{ status: 404, body: \"text\" }]",
        "#{ statusCode: 200, body: #{ status: 404, body: \"text\" } }",
    ] {
        assert_eq!(warnings(&[("f.rhai", script)]), [""; 0], "{script}");
    }
}

#[test]
fn every_mistake_is_found_before_the_run() {
    let deep = format!("{}1{}", "(".repeat(200), ")".repeat(200));
    let many: String = (0..257).map(|n| format!("fn f{n}() {{ {n} }}\n")).collect();
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![("f.rhai", "let x = ;")],
        vec![("f.rhai", "let x = 1;\nlet y = (2 + ")],
        vec![("f.rhai", "undefined_variable + 1")],
        vec![("f.rhai", "fn f() {\n  nowhere + 1\n}\nf()")],
        vec![("f.rhai", "unknwon(1)")],
        vec![("f.rhai", "\"a\".to_uper()")],
        vec![("f.rhai", "fn f(a, b) { a + b } f(1)")],
        vec![("f.rhai", "print(\"x\")")],
        vec![("f.rhai", "sleep(1); timestamp(); eval(\"1\")")],
        vec![("f.rhai", "ctx.reqest.path")],
        vec![("f.rhai", "ctx.request.qurey.name")],
        vec![("f.rhai", "log::inof(\"x\")")],
        vec![("f.rhai", "import \"nothing\" as n;")],
        vec![("f.rhai", "if false { import \"nothing\" as n; }")],
        vec![("f.rhai", "let p = \"m\"; import p as m;")],
        vec![("f.rhai", "import \"m\" as m; m::tow()"), ("_lib/m.rhai", "fn two() { 2 }")],
        vec![("f.rhai", "import \"m\" as m; m::two(1)"), ("_lib/m.rhai", "fn two() { 2 }")],
        vec![("f.rhai", "import \"m\" as m;"), ("_lib/m.rhai", "import \"n\" as n;"), ("_lib/n.rhai", "import \"m\" as m;")],
        vec![("f.rhai", "import \"m\" as m;"), ("_lib/m.rhai", "let x = 1;\nthrow \"broken\"")],
        vec![("f.rhai", "import \"m\" as m;"), ("_lib/m.rhai", "loop {}")],
        vec![("f.rhai", "import \"m\" as m;"), ("_lib/m.rhai", "let x = ctx.script_name;")],
        vec![("f.rhai", "let a = 1;\nlet a = 2;\nb::c()")],
        vec![("f.rhai", "+++\nfoo = 1\n+++\n1")],
        vec![("f.rhai", "#{a: 1, a: 2}")],
        vec![("f.rhai", "const x = 1; x = 2;")],
        vec![("f.rhai", "let s = \"abc")],
        vec![("f.rhai", "ctx.request.query.debug")],
        vec![("f.rhai", "let m = #{}; m?.new ?? 1")],
        vec![("f.rhai", "#{ debug: true }")],
        vec![("f.rhai", "#{\n  a: 1,\n  default: 2,\n}")],
        vec![("f.rhai", "\n+++\ntimeout = \"2s\"\n+++\n1")],
        vec![("f.rhai", "let a = 1;\n<<<<<<< HEAD\nlet b = 2;\n=======\nlet b = 3;\n>>>>>>> other\nb")],
        vec![("f.rhai", "let a = 1;\u{a0}a")],
        vec![("f.rhai", "let a = \u{201c}x\u{201d};")],
        vec![("f.rhai", "let a\u{200b} = 1;")],
        vec![("f.rhai", "1\u{0}+\u{0}1")],
        vec![("f.rhai", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")],
        vec![("f.rhai", "http::get(\"https://example.org\")")],
        vec![("f.rhai", "fetch(\"https://example.org\")")],
        vec![("f.rhai", "#{ at: now() }")],
        vec![("f.rhai", "env(\"KEY\")")],
        vec![("f.rhai", "shop::total(1)")],
        vec![("f.rhai", "let h = #{}; h.greet(1)")],
        vec![("f.rhai", &deep)],
        vec![("f.rhai", &many)],
        vec![("f.rhai", "+++\ntimeout = 2\n+++\n1")],
        vec![("f.rhai", "len(1, 2)")],
        vec![("f.rhai", "let n = 1; n.abs(2, 3)")],
        vec![("f.rhai", "fn g(x) { x } let y = 1; y.g()")],
        vec![("f.rhai", "info(\"x\")")],
        vec![("f.rhai", "import \"m\" as m; m::TWO"), ("_lib/m.rhai", "const TWO = 2; export const TOW = 2; fn two() { 2 }")],
        vec![("f.rhai", "const A = 1; fn f() { global::B } f()")],
        vec![("f.rhai", "global::ctx")],
        vec![("f.rhai", "export nope; 1")],
        vec![("f.rhai", "console.log(\"x\")")],
        vec![("f.rhai", "let x = JSON.parse(ctx.request.body);")],
        vec![("f.rhai", "Math.floor(1.5)")],
        vec![("f.rhai", "let x = null;")],
        vec![("f.rhai", "if ctx.request.body == undefined { 1 }")],
        vec![("f.rhai", "for x in 5 { }")],
        vec![("f.rhai", "for x in #{ a: 1 } { }")],
        vec![("f.rhai", "if 1 { 2 }")],
    ];
    let found: Vec<String> = cases
        .iter()
        .map(|files| {
            let found = findings(files);
            assert!(!found.is_empty(), "nothing was found in {files:?}");
            found.join("\n")
        })
        .collect();
    insta::assert_snapshot!(found.join("\n\n"));
}

#[test]
fn what_is_right_is_not_complained_about() {
    for script in [
        "let o = #{inc: |x| x + 1}; o.inc(1)",
        "let o = #{}; o.twice = |x| x * 2; o.twice(2)",
        "fn double() { this * 2 } 3.double()",
        "fn f() { this + 1 } let x = 1; x.f()",
        "let f = Fn(\"g\"); fn g() { 1 } f.call()",
        "let f = |x, y| x + y; f.curry(1).call(2)",
        "[3, 1].sort(); [1, 2].map(|x| x * 2).filter(|x| x > 2).reduce(|a, b| a + b, 0)",
        "let s = `a ${1 + 1} b`; s.to_upper().trim().split(' ').len()",
        "switch 1 { 1 => 2, _ => 3 }",
        "let x = parse_json(\"[1]\"); x.to_json()",
        "type_of(1) + \"x\".type_of()",
        "if is_def_fn(\"f\", 1) { 1 } else { 2 }",
        "const A = 1; fn f() { global::A } f()",
        "let a = [1]; a[0] += 1; a.push(2); a.contains(2) && 2 in a",
        "try { throw 1 } catch (e) { e }",
        "let b = blob(); b.push(1); b.len",
        "let h = #{}; h[\"greet\"] = |n| \"hi \" + n; h.greet(\"Bob\")",
        "let h = #{ deep: #{} }; h.deep[\"greet\"] = |n| n; h[\"deep\"].greet(1)",
        "let h = #{}; h.set(\"greet\", |n| n); h.greet(1)",
        "let h = #{}; set(h, \"greet\", |n| n); h.greet(1)",
        "if is_def_fn(\"foo\", 1) { foo(1) } else { 0 }",
        "fn f() { foo(1, 2) } is_def_fn(\"foo\", 2)",
        "fn title(ctx) { ctx.title } title(#{ title: \"x\" })",
        "[#{ foo: 1 }].map(|ctx| ctx.foo)",
        "let ctx = #{ foo: 3 }; ctx.foo = 4; ctx.foo",
        "for ctx in [#{ foo: 3 }] { ctx.request.foo; }",
        "try { throw #{ foo: 3 } } catch (ctx) { ctx.foo }",
        "fn g(x) { x } let h = #{ g: |a, b| a }; h.g(1, 2)",
        "fn len(a, b) { a } len(1, 2) + len(\"x\")",
        "let h = #{ len: |a, b| a }; h.len(1, 2)",
        "if is_def_fn(\"len\", 2) { len(1, 2) }",
        "let x = 1; export x as y; const Z = 1; export Z; export let w = 1;",
        "let console = #{ log: |x| x }; console.log.call(1)",
        "let ctx = #{ foo: 3 }; let f = || ctx.foo; f.call()",
        "let ctx = #{ foo: 3 }; let f = || { let g = || ctx.foo; g.call() }; f.call()",
    ] {
        let found = findings(&[("f.rhai", script)]);
        assert!(found.is_empty(), "{script}\n{}", found.join("\n"));
    }
}
