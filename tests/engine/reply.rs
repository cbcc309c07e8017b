//! What a script returns is what goes out, or a failure that says why.

use crate::kit::script::{failure, invocation, run, run_tree};

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
fn a_host_function_that_fails_is_found_in_its_line() {
    for (script, line, column, message) in [
        ("let a = 1;\njson::parse(\"{\")", 2, 7, "`json::parse`: the text is no JSON"),
        ("fn f(x) {\n  re::find(x, x)\n}\nf(\"(\")", 2, 7, "`re::find`: "),
        ("let t = time::of_ms(0);\nlet u = t.in_zone(\"Mars\");\nu", 2, 11, "`Time.in_zone`: "),
        ("throw #{ kind: \"dns\", message: \"no address\", hint: \"ask\" }", 1, 1, "dns: no address; ask"),
        ("throw #{ kind: \"dns\", message: \"no address\", order: 7 }", 1, 1, "{\"kind\":\"dns\""),
    ] {
        let failure = run(script).execution.failure.unwrap();
        let at = failure.position.unwrap_or_else(|| panic!("no place: {script}"));
        assert_eq!((at.line, at.column), (line, column), "{script}");
        assert!(failure.message.starts_with(message), "{script}: {}", failure.message);
    }
}

#[test]
fn a_failure_in_a_module_names_the_module() {
    let files = [("f.rhai", "import \"m\" as m;\nm::half(\"x\")"), ("_lib/m.rhai", "fn half(x) {\n  throw \"not a number\"\n}")];
    let failure = run_tree(&files, invocation("/", &[], "")).execution.failure.unwrap();
    assert_eq!((&*failure.file, failure.position.unwrap().line, failure.message.as_str()), ("_lib/m.rhai", 2, "not a number"));
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
        (json, "", "fn two(a, b) { a } 5.call(Fn(\"two\").curry(1))"),
        (json, "", "fn two(a, b) { a } 5.call(Fn(\"two\"), 1)"),
        (json, "", "fn int.two(a) { a } \"x\".call(Fn(\"two\"), 1)"),
        (json, "", "const X = #{x: 1, b: || { this.x = 2; }}; X.b()"),
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
