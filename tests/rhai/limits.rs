//! Limits in both evaluators: calls inside calls, sizes of what a script builds, variables; and scripts that have no end.

use picloud::{
    engine::Evaluator,
    function::{
        Limits,
        quantity::{Size, Span},
    },
};

use crate::{
    both::{Both, Difference, Files, Verdict, text, usual, with_both},
    shrink::{self, COUNTED},
};

/// So many differences are shown.
const DIFFERENCES: usize = 8;

/// Fails with what differs among these scripts, each with a module beside it. All of them have to run.
fn compare_all(name: &'static str, limits: Limits, scripts: Vec<String>) {
    with_both(name, limits, move |both| {
        let mut differences = Vec::new();
        for script in &scripts {
            let files: Files<'_> = &[("f.rhai", script), ("_lib/deep.rhai", MODULE)];
            match both.compare(files) {
                Verdict::Refused(why) => panic!("{why}\n{script}"),
                Verdict::Differ(difference) if !shrink::is_counted(&difference) => differences.push(difference.to_string()),
                _ => {}
            }
        }
        let (count, of) = (differences.len(), scripts.len());
        differences.truncate(DIFFERENCES);
        assert!(differences.is_empty(), "{count} of {of} differ:\n{}", differences.join("\n"));
    });
}

/// What calls itself: `N` is how often, `END` what the innermost does.
const RECURSIONS: &[&str] = &[
    "fn f(n) { if n <= 1 { END } else { f(n - 1) } } f(N)",
    "fn f(n) { if n <= 1 { return END; } return 1 + f(n - 1); } f(N)",
    "fn f(n) { if n <= 1 { END } else { g(n - 1) } } fn g(n) { if n <= 1 { END } else { f(n - 1) } } f(N)",
    "fn f(n) { if n <= 1 { END } else { g(n - 1, \"x\") } } fn g(n, s) { f(n) } f(N)",
    "fn f(n) { if n <= 1.0 { END } else { f(n - 1) } } f(N + 0.0)",
    "fn f() { this -= 1; if this < 1 { END } else { this.f() } } let n = N; n.f()",
    "fn f() { this.n -= 1; if this.n < 1 { END } else { let m = this; m.f() } } let m = #{n: N}; m.f()",
    "fn f(n) { if n <= 1 { END } else { [n - 1].map(|m| f(m)) } } f(N)",
    "fn f(n) { if n <= 1 { END } else { [n - 1].map(Fn(\"f\")) } } f(N)",
    "fn f(n) { if n <= 1 { END } else { [n - 1].for_each(|| { f(this); }) } } f(N)",
    "fn f(n) { if n <= 1 { END; true } else { [n - 1].filter(|m| f(m)).len() == 1 } } f(N)",
    "fn f(n) { if n <= 1 { END } else { [0].reduce(|a, b| f(n - 1), 1) } } f(N)",
    "fn f(n) { if n <= 1 { END; 1 } else { let a = [n, n - 1]; a.sort(|x, y| f(n - 1)); a[0] } } f(N)",
    "fn f(n) { if n <= 1 { END } else { #{a: n - 1}.map(|k, v| f(v)) } } f(N)",
    "fn f(n) { if n <= 1 { END } else { Fn(\"f\").call(n - 1) } } f(N)",
    "fn f(n) { if n <= 1 { END } else { call(Fn(\"f\"), n - 1) } } f(N)",
    "fn f(n) { if n <= 1 { END } else { Fn(\"f\").curry(n - 1).call() } } f(N)",
    "fn f(n) { if n <= 1 { END } else { (|m| f(m)).call(n - 1) } } f(N)",
    "fn f(n) { if n <= 1 { END } else { `${f(n - 1)}` } } f(N)",
    "fn f(n) { switch n { 1 | 0 => END, _ => f(n - 1) } } f(N)",
    "fn f(n) { for i in 0..1 { if n <= 1 { END } else { f(n - 1) } } } f(N)",
    "fn f(n) { try { if n <= 1 { END } else { f(n - 1) } } catch (e) { log::info(e); throw e; } } f(N)",
    "fn f(n) { if n <= 1 { END } else { try { f(n - 1) } catch (e) { log::info(e); 0 } } } f(N)",
    "let f = |n, me| if n <= 1 { END } else { me.call(n - 1, me) }; f.call(N, f)",
    "let m = #{f: |n| if n <= 1 { END } else { this.f(n - 1) }}; m.f(N)",
    "let m = #{n: N, f: || { this.n -= 1; if this.n < 1 { END } else { this.f() } }}; m.f()",
    "let f = (); f = |n| if n <= 1 { END } else { f.call(n - 1) }; f.call(N)",
    "let f = |x| { END; x }; for i in 1..N { let g = f; f = |x| g.call(x); } f.call(1)",
    "import \"deep\" as deep; let n = 1; if N < 0 { END } deep::count(N)",
    "import \"deep\" as deep; fn f(n) { if n <= 1 { END } else { f(n - 1) } } deep::apply(|| f(N - 3))",
    "fn f(n) { if n <= 1 { END } else { f(n - 1) } } try { f(N) } catch (e) { log::info(e); } f(N - 2)",
    "fn f(n) { if n <= 1 { END } else { f(n - 1) } } [N, N - 1, N - 2].map(|n| f(n))",
    "fn f(n) { if n <= 1 { END } else { g(|| f(n - 1)) } } fn g(h) { h.call() } f(N)",
];

const MODULE: &str = "fn count(n) { if n <= 1 { 0 } else { 1 + count(n - 1) } }\nfn apply(f) { f.call() }\n";

#[test]
fn calls_nest_as_deep_in_both() {
    let mut scripts = Vec::new();
    for recursion in RECURSIONS {
        for end in ["0", "{ throw n }", "1 / 0", "inner(n)"] {
            for depth in (14..=24).chain([31, 32, 33]).chain(60..=67) {
                let end = if recursion.contains("fn f()") || recursion.contains("f: ||") || recursion.contains("let f = |x|") {
                    end.replace("throw n", "throw 1").replace("(n)", "(1)")
                } else {
                    end.to_owned()
                };
                let script = recursion.replace("END", &end).replace('N', &depth.to_string());
                scripts.push(format!("fn inner(n) {{ n + 1 }}\n{script}"));
            }
        }
    }
    compare_all("levels", Limits { operations: 100_000, ..Limits::DEFAULT }, scripts);
}

/// What grows: what it is at first, and what makes it larger. A step with an `N` is done once, another so often.
const GROWING: &[(&str, &str)] = &[
    ("\"\"", "T += \"x\";"),
    ("\"\"", "T += 'x';"),
    ("\"\"", "T += 'é';"),
    ("\"\"", "T += 7;"),
    ("\"\"", "T = T + \"x\";"),
    ("\"\"", "T = \"x\" + T;"),
    ("\"\"", "T = 'x' + T;"),
    ("\"\"", "T = T + 1;"),
    ("\"\"", "T = `${T}x`;"),
    ("\"\"", "T = `${T}${T}x`;"),
    ("\"\"", "T.append(\"x\");"),
    ("\"\"", "T.append('x');"),
    ("\"\"", "T[0..0] = \"x\";"),
    ("\"\"", "T.pad(N, 'x');"),
    ("\"\"", "T.pad(N, \"xy\");"),
    ("\"\"", "T = sized(N);"),
    ("\"\"", "T = sized(N).to_upper();"),
    ("\"\"", "T = sized(N - 1); T[0] = 'é';"),
    ("\"\"", "T = sized(N - 2); T.replace(\"x\", \"yy\");"),
    ("\"a\"", "T.replace(\"a\", sized(N));"),
    ("\"ab\"", "T.replace(\"b\", \"bb\");"),
    ("\"ab\"", "T.replace('b', \"bb\");"),
    ("\"\"", "T = blob(N, 65).as_string();"),
    ("\"\"", "T = [1, 2, 3, N, 5, 6].to_string();"),
    ("\"\"", "T = json::text(sized(N));"),
    ("\"\"", "T = json::parse(json::text(sized(N)));"),
    ("\"\"", "T = sized(N - 3) + \"abc\";"),
    ("\"\"", "T = [sized(10), sized(N - 10)].reduce(|a, b| a + b, \"\");"),
    ("[]", "T.push(1);"),
    ("[]", "T += 1;"),
    ("[]", "T += [1];"),
    ("[]", "T = T + [1];"),
    ("[]", "T = [1] + T;"),
    ("[]", "T.insert(0, 1);"),
    ("[]", "T.append([1]);"),
    ("[]", "T.append(many(N));"),
    ("[]", "T += many(N);"),
    ("[]", "T = many(N);"),
    ("[]", "T = many(N).map(|x| x);"),
    ("[]", "T = many(N).filter(|x| true);"),
    ("[]", "T = many(N - 1); T.push(2);"),
    ("[]", "T = many(N - 1); T.push([]);"),
    ("[]", "T.pad(N, 1);"),
    ("[1]", "T.pad(N, [1]);"),
    ("[]", "T.splice(0, 0, [1]);"),
    ("[[]]", "T[0].push(1);"),
    ("[[]]", "T[0] += 1;"),
    ("[[]]", "T[0].push([]);"),
    ("[0]", "T[0] = many(N);"),
    ("[0]", "T[0] = [T[0]];"),
    ("[0]", "T[-1] = many(N - 1);"),
    ("[#{a: []}]", "T[0].a.push(1);"),
    ("[]", "T.push(#{a: 1});"),
    ("[]", "T.push(#{});"),
    ("[]", "T.push(\"abc\");"),
    ("[]", "T.push(sized(N));"),
    ("[\"\"]", "T[0] += \"x\";"),
    ("[\"\"]", "T[0] = sized(N);"),
    ("[]", "T = [sized(10), sized(N - 10)];"),
    ("[]", "T = [[sized(10)], #{a: sized(N - 10)}];"),
    ("[]", "T = many(5); T = [T, many(N - 6)];"),
    ("[]", "T = sized(N).to_chars();"),
    ("[]", "T = sized(N).split(\"\");"),
    ("[]", "T = many(9).zip(many(9), |x, y| many(N / 9));"),
    ("[]", "T = [many(5), many(N - 7)];"),
    ("[]", "T = [#{a: many(N - 1)}];"),
    ("[]", "T = blob(N, 1).to_array();"),
    ("[]", "T = json::parse(json::text(many(N)));"),
    ("[]", "T = [0].map(|x| many(N));"),
    ("[]", "for i in 0..N { T.push(i); }"),
    ("[]", "T.grow(N);"),
    ("[]", "T = grown([], N);"),
    ("[]", "let f = |x| T.push(x); for i in 0..N { f.call(i); }"),
    ("[]", "T = [many(3), many(3)]; for i in 0..N { T[1].insert(0, i); }"),
    ("#{}", "T[`k${T.len()}`] = 1;"),
    ("#{}", "T.set(`k${T.len()}`, 1);"),
    ("#{}", "T += #{a: 1, b: 2}; T[`k${T.len()}`] = 1;"),
    ("#{}", "T.mixin(keyed(T.len() + 1));"),
    ("#{}", "T += keyed(N);"),
    ("#{}", "T = T + keyed(N);"),
    ("#{}", "T.fill_with(keyed(N));"),
    ("#{}", "T = keyed(N);"),
    ("#{}", "T.a = keyed(N - 1);"),
    ("#{}", "T.a = keyed(5); T.b = keyed(N - 7);"),
    ("#{a: #{}}", "T.a[`k${T.a.len()}`] = 1;"),
    ("#{}", "T = [keyed(5), keyed(N - 5)];"),
    ("#{}", "T = #{a: [keyed(3)], b: keyed(N - 5)};"),
    ("#{a: []}", "T.a.push(1);"),
    ("#{a: []}", "T.a += 1;"),
    ("#{a: \"\"}", "T.a += \"x\";"),
    ("#{a: \"\", b: \"12345\"}", "T.a += \"x\";"),
    ("#{a: 1}", "T[\"a\"] = sized(N);"),
    ("#{}", "T = #{a: sized(10), b: sized(N - 10)};"),
    ("#{}", "T[sized(N)] = 1;"),
    ("#{}", "T = json::parse(json::text(keyed(N)));"),
    ("blob()", "T.push(1);"),
    ("blob()", "T += 1;"),
    ("blob()", "T += blob(1, 1);"),
    ("blob()", "T += \"x\";"),
    ("blob()", "T.append(blob(1));"),
    ("blob()", "T.insert(0, 1);"),
    ("blob()", "T.pad(N, 1);"),
    ("blob()", "T = blob(N);"),
    ("blob()", "T = sized(N).to_blob();"),
    ("blob()", "T = [blob(5), blob(N - 5)];"),
    ("0", "T = |x| x; let z = many(N); T = T.curry(z);"),
    ("0", "T = many(N); let f = || T; T = f;"),
    ("0", "try { throw many(N); } catch (e) { T = e; }"),
    ("0", "T = if true { many(N) } else { 0 };"),
    ("0", "T = switch N { _ => keyed(N) };"),
    ("0", "T = ctx.request.body; T.z = many(N);"),
    ("0", "T = ctx.request.body.items; for i in 0..N { T.push(i); }"),
    ("0", "T = many(N).len(); show(many(N - 1), keyed(N));"),
];

/// Where it is that grows: what makes it of a `V`, and its name.
const PLACES: &[(&str, &str)] = &[
    ("let t = V;", "t"),
    ("let t = V; let get = || t;", "t"),
    ("let h = #{v: V, n: 1};", "h.v"),
    ("let h = [V];", "h[0]"),
    ("let h = #{v: [1, V]};", "h.v[1]"),
];

/// What is around it.
const AROUND: &[&str] = &["BODY", "fn work() { BODY } work()", "let work = || { BODY }; work.call()"];

/// What makes values of a size without a limit's look at each step.
const MAKERS: &str = "fn sized(n) { let s = \"\"; for i in 0..n { s += \"x\"; } s }
fn many(n) { let a = []; for i in 0..n { a.push(i); } a }
fn keyed(n) { let m = #{}; for i in 0..n { m[`k${i}`] = i; } m }
fn grow(n) { for i in 0..n { this.push(i); } }
fn grown(a, n) { if n <= 0 { return a; } a.push(n); grown(a, n - 1) }
fn show(a, b) { log::info(a.len() + b.len()); }
";

#[test]
fn what_a_script_builds_grows_as_large_in_both() {
    let limits = Limits { string: Size(30), array: 12, map: 8, ..Limits::DEFAULT };
    let mut scripts = Vec::new();
    for (value, step) in GROWING {
        for (place, (made, name)) in PLACES.iter().enumerate() {
            let made = made.replace('V', value);
            let step = step.replace('T', name);
            let steps = if step.contains('N') { step } else { format!("for i in 0..N {{ {step} }}") };
            let body = format!("{made} {steps} log::info({name}); {name}.len()");
            let caught = format!("for n in 3..36 {{ try {{ {} }} catch (e) {{ log::info(e); }} }}", body.replace('N', "n"));
            scripts.push(format!("{MAKERS}{caught}"));
            // What is around matters for variables alone.
            for around in if place < 2 { AROUND } else { &AROUND[..1] } {
                for size in [7, 8, 9, 11, 12, 13, 29, 30, 31] {
                    scripts.push(format!("{MAKERS}{}", around.replace("BODY", &body.replace('N', &size.to_string()))));
                }
            }
        }
    }
    compare_all("sizes", limits, scripts);
}

#[test]
fn literals_are_as_large_in_both() {
    let limits = Limits { string: Size(30), array: 12, map: 8, ..Limits::DEFAULT };
    let times = |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(", ");
    let mut scripts = Vec::new();
    // A literal that is itself too large is refused.
    for count in 5..12 {
        scripts.push(format!("let x = 1; [{}].len()", times(count, &|_| "x".into())));
        scripts.push(format!("let x = [1]; [{}].len()", times(count, &|_| "x".into())));
        scripts.push(format!("let x = \"abc\"; [{}].len()", times(count, &|_| "x".into())));
        scripts.push(format!("let x = \"abc\"; [{}].len()", times(count, &|_| "x + 'd'".into())));
        scripts.push(format!("let x = #{{a: 1}}; [{}].len()", times(count, &|_| "x".into())));
    }
    for count in 2..8 {
        scripts.push(format!("let x = 1; #{{{}}}.len()", times(count, &|at| format!("k{at}: x"))));
        scripts.push(format!("let x = #{{a: 1}}; #{{{}}}.len()", times(count, &|at| format!("k{at}: x"))));
        scripts.push(format!("let x = \"abcd\"; #{{{}}}.len()", times(count, &|at| format!("k{at}: x"))));
        scripts.push(format!("let x = [1, 2]; #{{{}}}.len()", times(count, &|at| format!("k{at}: x"))));
        scripts.push(format!("let x = \"abcd\"; `{}`", times(count, &|_| "${x}".into())));
    }
    compare_all("literals", limits, scripts);
}

#[test]
fn there_are_as_many_variables_in_both() {
    let declared = |name: &str, count: usize| (0..count).map(|number| format!("let {name}{number} = {number};\n")).collect::<String>();
    let mut scripts = Vec::new();
    for count in 252..=259 {
        let most = declared("a", count - 3);
        scripts.push(declared("a", count));
        scripts.push(format!("{most} {{ {} }} 1", declared("b", 3)));
        scripts.push(format!("{most} let b = 1; {{ let c = 1; }} let d = 1; 1"));
        scripts.push(format!("{most} for (x, y) in 0..1 {{ let c = 1; }} 1"));
        scripts.push(format!("{most} try {{ throw 1; }} catch (e) {{ let c = 1; let d = 1; }} 1"));
        scripts.push(format!("{most} let f = |x| {{ let y = a1; x + y }}; f.call(1) + [1].map(|x| x + a0)[0]"));
        scripts.push(format!("fn f(a, b) {{ {most} let c = 1; c }} f(1, 2)"));
        scripts.push(format!("fn f(a, b) {{ {most} g(1) }} fn g(a) {{ {} 2 }} f(1, 2)", declared("b", count - 1)));
        scripts.push(format!("{most} let a0 = 1; let a0 = 2; let b = 3; a0"));
        scripts.push(format!("{most} try {{ {} }} catch (e) {{ log::info(e); }} 1", declared("b", 3)));
        scripts.push(format!("{most} switch 1 {{ 1 => {{ {} }} }} 1", declared("b", 3)));
        scripts.push(format!("import \"deep\" as deep; {most} let b = 1; let c = 2; deep::count(3)"));
        scripts.push(format!("let n = 0; loop {{ n += 1; if n > 3 {{ break; }} {} }} n", declared("b", count - 1)));
        scripts.push(format!("const C = 1; {most} {{ const D = 1; let e = C + D; }} 1"));
    }
    compare_all("variables", Limits::DEFAULT, scripts);
}

/// Runs a script in both.
fn run(both: &Both, script: &str) -> Difference {
    let files: Files<'_> = &[("f.rhai", script), ("_lib/deep.rhai", MODULE)];
    let program = both.program(files).unwrap_or_else(|why| panic!("{why}\n{script}"));
    let request = usual();
    let [rhai, own] = [Evaluator::Rhai, Evaluator::Own].map(|evaluator| both.run(&program, evaluator, &request));
    Difference { files: text(files), rhai, own }
}

/// They have no end, and grow nothing.
const ENDLESS: &[&str] = &[
    "loop {}",
    "while true {}",
    "let x = 1; while x == 1 { x = 1; }",
    "do {} while true",
    "do { } until false",
    "loop { continue; }",
    "for i in 0..9_000_000_000 {}",
    "for i in 0..=9_223_372_036_854_775_807 { let x = i; }",
    "let x = loop { if false { break 1; } }; x",
    "loop { loop { break; } }",
    "loop { try { throw 1; } catch {} }",
    "loop { try { loop {} } catch {} }",
    "loop { try { loop {} } catch (e) { log::info(e); } }",
    "fn f() { loop {} } f()",
    "fn f() { try { loop {} } catch { f() } } f()",
    "fn f(n) { if n > 0 { f(n - 1); f(n - 1); } } f(60)",
    "fn f() { loop { g() } } fn g() { 1 } f()",
    "(|| loop {}).call()",
    "let f = |x| { loop {} }; [1].map(f)",
    "[1].for_each(|| { loop {} })",
    "let a = []; a.pad(9000, 0); loop { a.for_each(|| { this += 1; }); }",
    "fn all(a, n) { if n > 0 { let b = a; b.map(|x| all(a, n - 1)); } } let a = []; a.pad(900, 0); all(a, 9); 0",
    "let a = []; a.pad(1000, 0); a.sort(|x, y| { loop {} 0 }); 0",
    "loop { [3, 1, 2].sort(|x, y| x - y); }",
    "let a = [1]; loop { try { a.map(|x| { loop {} }) } catch { } }",
    "let a = [1, 2, 3]; while a.len() > 0 { a.reverse(); }",
    "let m = #{n: 0, f: || { this.n = 1; }}; loop { m.f(); }",
    "let s = \"x\"; loop { s = s.to_upper(); }",
    "loop { switch 1 { 1 => (), _ => () } }",
    "let x = 1; loop { x = if x == 1 { 2 } else { 1 }; }",
    "import \"deep\" as deep; loop { deep::count(3); }",
    "import \"deep\" as deep; deep::apply(|| loop {})",
    "loop { `${1}`; }",
    "let n = 0.0; while n >= 0.0 { n += 1.0; }",
    "let f = |me| { loop { break; } 1 }; loop { f.call(f); }",
];

/// They grow without an end. No limit of sizes ends them, so memory does.
const GROWING_FOR_EVER: &[&str] = &[
    "let s = \"x\"; loop { s += s; }",
    "let s = \"x\"; loop { s = s + s; }",
    "let s = \"x\"; loop { s = `${s}${s}`; }",
    "let s = \"x\"; loop { s.append(s); }",
    "let a = [1]; loop { a += a; }",
    "let a = [1]; loop { a = a + a; }",
    "let a = [1]; loop { a.append(a); }",
    "let a = [1, 2]; loop { let b = a; a = a.map(|x| b); }",
    "let a = [`${1}`]; loop { a.append(a); }",
    "let a = blob(8, 1); loop { a += a; }",
    "let a = []; loop { let s = \"\"; s.pad(100_000, \"x\"); a.push(s); }",
    "let a = []; loop { a.push(blob(100_000)); }",
    "let m = #{}; let n = 0; loop { n += 1; let s = `${n}`; s.pad(100_000, \"x\"); m[s] = n; }",
    "let m = #{}; let n = 0; loop { n += 1; let s = `${n}`; s.pad(100_000, \"x\"); m[`${n}`] = s; }",
    "fn f(s) { f(s + s) } f(\"x\")",
    "fn f(s) { s.pad(s.len() + 100_000, \"x\"); f(s) + s.len() } f(\"\")",
    "fn f() { this += this; this.f() } let s = \"x\"; s.f()",
    "let s = \"x\"; let f = || { s += s; }; loop { f.call(); }",
    "let s = \"x\"; let h = #{a: [s]}; loop { h.a[0] += h.a[0]; }",
    "try { let s = \"x\"; loop { s += s; } } catch { } loop {}",
    "let s = \"x\"; loop { try { s += s; throw s; } catch (e) { s = e; } }",
    "let s = \"x\"; s.pad(100_000, \"y\"); let f = || 0; loop { let g = f; let t = s + \"z\"; f = |x| [g, t]; }",
    "let s = \"abcdefgh\"; loop { s.replace(\"a\", s); }",
    "let a = []; a.pad(9_000_000, 1); 0",
    "let a = [1, 2, 3]; loop { a = [a, a, a].map(|x| x); a += a; }",
    "let s = \"x\"; loop { s = json::text([s, s]); }",
    "let s = \"xy\"; loop { s = [s, s, s].to_string(); }",
];

/// What is nested so deep that its end must not recurse on the stack, however it ends.
const DEEP: &[&str] = &[
    "let a = []; for i in 0..100_000 { a = [a]; } 0",
    "let a = []; for i in 0..100_000 { let b = [0]; b[0] = a; a = b; } 0",
    "let a = []; for i in 0..100_000 { let b = []; b.push(a.take()); a = b.take(); } 0",
    "let m = #{}; for i in 0..100_000 { m = #{a: m}; } 0",
    "let m = #{}; for i in 0..100_000 { let n = #{}; n.a = m.take(); m = n.take(); } throw 1",
    "let f = || 0; for i in 0..100_000 { let g = f; f = || g; } 0",
    "let f = || 0; for i in 0..100_000 { f = (|x| 0).curry(f); } 0",
    "let f = || 0; for i in 0..100_000 { let g = [f]; f = || g; } throw f",
    "let a = 0; for i in 0..100_000 { let b = a; a = #{f: || b}; } 0",
    "let a = []; loop { a = [a]; }",
    "let m = #{}; loop { m = #{a: [m]}; }",
    "let f = || 0; loop { let g = f; f = || g; }",
    "fn nest(a) { [a] } let a = []; for i in 0..100_000 { a = nest(a); } a",
    "let a = []; for i in 0..100_000 { a = [a]; } a == a",
    "let a = []; for i in 0..100_000 { a = [a]; } `${a}`",
    "let a = []; for i in 0..100_000 { a = [a]; } log::info(a); json::text(a)",
];

#[test]
fn what_has_no_end_is_ended_in_both() {
    let limits = Limits { operations: 400_000, timeout: Span::seconds(5), ..Limits::DEFAULT };
    with_both("endless", limits, |both| {
        for script in ENDLESS {
            let runs = run(both, script);
            for seen in [&runs.rhai, &runs.own] {
                assert!(COUNTED.contains(&seen.0[0].as_str()) && seen.is_well(), "{runs}");
            }
        }
    });
}

#[test]
fn what_grows_for_ever_is_ended_by_memory_in_both() {
    // Long enough for one evaluator that looks at all of a value after each step.
    let limits = Limits { memory: Size::mib(4), string: Size(1 << 30), array: 16_000_000, map: 16_000_000, ..Limits::DEFAULT };
    with_both("memory", Limits { timeout: Span::seconds(60), ..limits }, |both| {
        for script in GROWING_FOR_EVER {
            let runs = run(both, script);
            // What is copied when it is written to takes no memory before: then the number of elements ends it.
            let is_ended = |outcome: &str| outcome == "outcome: memory_exceeded" || outcome == "outcome: size_exceeded";
            assert!(runs.rhai.0[0] == "outcome: memory_exceeded" && is_ended(&runs.own.0[0]), "{runs}");
            assert!(runs.rhai.is_well() && runs.own.is_well(), "{runs}");
        }
    });
}

#[test]
fn what_is_nested_deep_is_dropped_in_both() {
    let limits = Limits { array: 16_000_000, map: 16_000_000, timeout: Span::seconds(1), ..Limits::DEFAULT };
    with_both("deep", limits, |both| {
        for script in DEEP {
            let runs = run(both, script);
            assert!([&runs.rhai, &runs.own].iter().all(|seen| seen.is_well()), "{runs}");
        }
    });
}
