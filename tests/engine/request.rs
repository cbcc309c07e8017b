//! What a script sees: `ctx` everywhere the same, and the request as it was sent.

use picloud::execution::{Finished, Param};

use crate::kit::script::{answer, findings, invocation, run_tree};

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

pub(super) const ITEMS: &str = r#"{"items":[3,1,2],"deep":{"list":[[1]]},"text":" a "}"#;

pub(super) fn ask(files: &[(&str, &str)], body: &str) -> Finished {
    run_tree(files, invocation("/", &[("content-type", "application/json")], body))
}

/// The same script, run in each way: as it is, with what keeps a plan away, with what ends one late.
pub(super) fn ways(script: &str) -> [String; 3] {
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
