//! What is found in a script before it runs.

use std::sync::Arc;

use picloud::{
    cancel::CancelFlag,
    engine::{Engine, check_budget::MAX_CLASSES},
    function::{Content, LimitPolicy, Tree},
    sync::check::{Checker, Report},
};

use crate::kit::script::{findings, invocation, on_big_stack, run_tree, tree, warnings};

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

#[test]
fn what_is_said_of_an_import_follows_the_files_that_could_answer_it() {
    let (f, function, module) = (("f.rhai", "import \"m\" as m; m::n()"), ("m.rhai", "1"), ("_lib/m.rhai", "fn n() { 1 }"));
    let mut checker = Checker::new(Arc::new(Engine::new(LimitPolicy::default())));
    let mut said = |files: &[(&str, &str)]| {
        let report = checker.check(&Arc::new(tree(files)));
        report.diagnostics.iter().map(|found| found.message.clone()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(said(&[f]), "no module `m`");
    assert_eq!(said(&[f, function]), "`m.rhai` is a function, not a module");
    assert_eq!(said(&[f]), "no module `m`");
    assert_eq!(said(&[f, function, module]), "");
    assert_eq!(said(&[f, module]), "");
    assert_eq!(said(&[f, function]), "`m.rhai` is a function, not a module");
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
        cancel.set();
        let files = tree(&[("f.rhai", "import \"m\" as m; 1"), ("_lib/m.rhai", HOG)]);
        assert!(checker.check(&Arc::new(files.clone())).functions.is_empty());
        // Nothing of that is remembered.
        let report = Checker::new(engine).check(&Arc::new(tree(&[("f.rhai", "import \"m\" as m; 1"), ("_lib/m.rhai", "1")])));
        assert!(report.is_good());
    });
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
fn a_value_that_catch_loses_is_warned_of() {
    for script in ["try { 1 } catch (e) { #{ statusCode: 502 } }", "let x = 1;\ntry { x } catch (e) { e }"] {
        let found = warnings(&[("f.rhai", script)]);
        assert!(found.len() == 1 && found[0].contains("what `catch` gives is lost"), "{script} {found:?}");
    }
    for script in [
        "try { 1 } catch (e) { return e; }",
        "try { 1 } catch (e) { log::error(e) }",
        "let x = 2; try { x = 1 } catch (e) { x = 3 } x",
        "try { 1 } catch { }",
    ] {
        assert_eq!(warnings(&[("f.rhai", script)]), [""; 0], "{script}");
    }
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
        vec![
            ("f.rhai", "import \"m\" as m;\nm::n::f()"),
            ("_lib/m.rhai", "fn f() { import \"n\" as n; n::f() }"),
            ("_lib/n.rhai", "fn f() { }"),
        ],
        vec![("f.rhai", "import \"m\" as m;\nm::n::g()"), ("_lib/m.rhai", "import \"n\" as n;"), ("_lib/n.rhai", "fn f() { }")],
        vec![("f.rhai", "import \"m\" as m;\nm::n::f(1)"), ("_lib/m.rhai", "import \"n\" as n;"), ("_lib/n.rhai", "fn f() { }")],
        vec![("f.rhai", "import \"m\" as m;\nm::n::K + m::o::K"), ("_lib/m.rhai", "import \"n\" as n;"), ("_lib/n.rhai", "fn f() { }")],
        vec![("f.rhai", "log::n::f()")],
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

#[test]
fn a_statement_that_is_put_together_from_values_is_a_warning() {
    let warned = |script: &str| {
        let text = format!("+++\n[sql]\ndatabase = \"app\"\n+++\nlet id = ctx.request.query.id;\n{script}");
        warnings(&[("f.rhai", &text)])
    };
    for script in [
        "sql::query(\"SELECT * FROM t WHERE id = \" + id)",
        "sql::one(`SELECT * FROM t WHERE id = ${id}`)",
        "sql::value(\"SELECT x FROM \" + id + \" LIMIT 1\", [])",
        "sql::exec(`DELETE FROM ${id}`)",
        "sql::transaction(|tx| tx.exec(\"DELETE FROM t WHERE id = \" + id))",
        "sql::transaction(|t| { for n in 0..3 { t.query(`SELECT ${n}`); } });",
        "sql::transaction(|tx| [1].map(|n| tx.value(`SELECT ${n}`)))",
    ] {
        let told = warned(script);
        assert_eq!(told.len(), 1, "{script}: {told:?}");
        assert!(
            told[0].starts_with("f.rhai:6:") && told[0].contains("warning: the text of this statement is put together from values"),
            "{told:?}"
        );
        assert!(told[0].ends_with("hint: pass it as a parameter: `sql::query(\"… WHERE id = $1\", [id])`"), "{told:?}");
    }
    for script in [
        "sql::query(\"SELECT * FROM t WHERE id = $1\", [id])",
        "sql::query(\"SELECT * \" + \"FROM t\")",
        "sql::exec(`DELETE FROM t`)",
        "let text = `SELECT ${id}`; sql::query(text)",
        // Nothing says what these are.
        "let tx = #{ exec: |text| text }; tx.exec(`DELETE ${id}`)",
        "fn exec(text) { text } id.exec(`DELETE ${id}`)",
    ] {
        assert_eq!(warned(script), [""; 0], "{script}");
    }
}

#[test]
fn a_secret_that_is_revealed_is_a_warning() {
    let warned = |script: &str| warnings(&[("f.rhai", &format!("+++\nsecrets = [\"KEY\"]\n+++\n{script}"))]);
    for (script, place) in [
        ("secret(\"KEY\").reveal()", "4:15"),
        ("let key = secret(\"KEY\");\nlog::info(key.reveal());", "5:15"),
        ("[secret(\"KEY\")].map(|key| key.reveal()).len()", "4:31"),
    ] {
        let told = warned(script);
        assert_eq!(told.len(), 1, "{script}: {told:?}");
        assert!(told[0].starts_with(&format!("f.rhai:{place}: warning: `reveal` makes a secret a string")), "{told:?}");
        assert!(told[0].contains("take the secret as it is"), "{told:?}");
    }
    for script in ["secret(\"KEY\")", "fn reveal() { this } (1).reveal()", "let map = #{ reveal: 1 }; map.reveal"] {
        assert_eq!(warned(script), [""; 0], "{script}");
    }
}

#[test]
fn every_mistake_about_schedules_names_its_place() {
    let schedule = |keys: &str| format!("+++\ndescription = \"x\"\n[[schedule]]\n{keys}\n+++\n()");
    let too_many: String = (0..33).map(|number| format!("[[schedule]]\nname = \"s{number}\"\ncron = \"@daily\"\n")).collect();
    let large = format!("cron = \"@daily\"\ninput = \"{}\"", "x".repeat(65 << 10));
    let cases: Vec<(&str, String)> = vec![
        ("_cron/a.rhai", "()".into()),
        ("_cron/a.rhai", "+++\ndescription = \"x\"\n+++\n()".into()),
        ("_cron/a.rhai", schedule("")),
        ("_cron/a.rhai", schedule("cron = \"0 30 2 * * *\"")),
        ("_cron/a.rhai", schedule("cron = \"30 25 * * *\"")),
        ("_cron/a.rhai", schedule("cron = \"@dayly\"")),
        ("_cron/a.rhai", schedule("cron = \"0 0 30 2 *\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\nevery = \"1h\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\nzone = \"Europe/Berln\"")),
        ("_cron/a.rhai", schedule("every = \"1h\"\nzone = \"Europe/Berlin\"")),
        ("_cron/a.rhai", schedule("every = \"10ms\"")),
        ("_cron/a.rhai", schedule("every = \"often\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\nmissed = \"twice\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\noverlap = \"skp\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\ngrace = 5")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\nname = \"a b\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\nzon = \"UTC\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\n[[schedule]]\ncron = \"@hourly\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\nname = \"a\"\n[[schedule]]\nname = \"a\"\ncron = \"@hourly\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\n[retry]\nattempts = 101")),
        ("_cron/a.rhai", schedule(&large)),
        ("_cron/a.rhai", format!("+++\n{too_many}+++\n()")),
        ("_cron/a.rhai", format!("+++\nauth = \"token\"\n{}", &schedule("cron = \"@daily\"")[4..])),
        ("_cron/a.rhai", format!("+++\nmethods = [\"GET\"]\n{}", &schedule("cron = \"@daily\"")[4..])),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\n[cors]\norigins = \"*\"")),
        ("_lib/a.rhai", schedule("cron = \"@daily\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\n[[schedule]]\nname = \"b\"\ncron = \"61 * * * *\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\n[[schedule]]\nname = \"b\"\ncron = \"@daily\"\nevery = \"1h\"")),
        ("_cron/a.rhai", schedule("cron = \"@every 5m\"")),
        ("_cron/a.rhai", "+++\n[schedule]\ncron = \"@daily\"\n+++\n()".into()),
        ("_cron/a.rhai", "+++\nschedule = \"0 0 * * *\"\n+++\n()".into()),
        ("_cron/a.rhai", "+++\ncron = \"0 0 * * *\"\n+++\n()".into()),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\ntimezone = \"UTC\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\nenabled = false")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\n[retry]\nbase = \"1m\"\nmax = \"10s\"")),
        ("_cron/a.rhai", schedule("cron = \"@daily\"\n[retry]\nattempts = 3\nbase = \"2h\"")),
        ("shop/_cron/a.rhai", schedule("cron = \"@daily\"")),
        ("_crons/a.rhai", "()".into()),
        ("_middleware.rhai", schedule("cron = \"@daily\"")),
    ];
    insta::assert_snapshot!(told(&cases));
}

#[test]
fn every_mistake_about_handlers_names_its_place() {
    let on = |keys: &str| format!("+++\ndescription = \"x\"\n[[on]]\n{keys}\n+++\n()");
    let too_many: String = (0..33).map(|number| format!("[[on]]\nname = \"s{number}\"\ntopic = \"a\"\n")).collect();
    let cases: Vec<(&str, String)> = vec![
        ("a.rhai", on("")),
        ("a.rhai", on("topic = \"Orders\"")),
        ("a.rhai", on("topic = \"**.a\"")),
        ("a.rhai", on("topic = \"a\"\nkey = \"\"")),
        ("a.rhai", on("topic = \"a\"\nname = \"a b\"")),
        ("a.rhai", on("topic = \"a\"\ntopik = \"b\"")),
        ("a.rhai", on("topic = \"a\"\n[[on]]\ntopic = \"b\"")),
        ("a.rhai", format!("+++\n{too_many}+++\n()")),
        ("_events/Orders.rhai", "()".into()),
        ("_events/a.rhai", on("topic = \"b\"")),
        ("_events/a.rhai", "+++\nauth = \"token\"\n+++\n()".into()),
        ("_lib/a.rhai", on("topic = \"a\"")),
        ("a.rhai", "emit(\"Orders\", 1)".into()),
        ("a.rhai", "emit(\"picloud.event.dead\", 1)".into()),
        ("a.rhai", on("topic = \"a\"\n[[on]]\nname = \"b\"\ntopic = \"B\"")),
        ("a.rhai", on("topic = \"a\"\n[[on]]\nname = \"b\"\ntopic = \"b\"\nkey = \"\"")),
        ("a.rhai", "+++\n[on]\ntopic = \"a\"\n+++\n()".into()),
        ("a.rhai", "+++\non = \"a.b\"\n+++\n()".into()),
        ("a.rhai", "+++\ntopic = \"a.b\"\n+++\n()".into()),
        ("_event/a.b.rhai", "()".into()),
        ("shop/_events/a.b.rhai", "()".into()),
        ("_events/a.rhai", "log::info(event.payload)".into()),
        ("_events/a.rhai", "log::info(payload.id)".into()),
        ("_events/a.rhai", "retry(\"400d\")".into()),
        ("_events/a.rhai", "retry(\"30\")".into()),
        ("a.rhai", "emit(\"f.f\", 1, #{ key: \"a\", dealy: \"5m\" })".into()),
        ("a.rhai", "emit(\"f.f\", 1, #{ after: \"5m\" })".into()),
        ("a.rhai", "enqueue(\"a\", 1)".into()),
        ("a.rhai", "event::emit(\"a\", 1)".into()),
    ];
    insta::assert_snapshot!(told(&cases));
}

/// What is found in each of these files, in a tree with one that is right.
fn told(cases: &[(&str, String)]) -> String {
    let of_case = |(file, text): &(&str, String)| {
        let report = checked(&[((*file).to_owned(), text.clone()), ("f.rhai".into(), "1".into())]);
        let found: Vec<String> = report.diagnostics.iter().map(ToString::to_string).collect();
        assert!(!found.is_empty(), "nothing was found in {file}: {text}");
        found.join("\n")
    };
    cases.iter().map(of_case).collect::<Vec<String>>().join("\n\n")
}
