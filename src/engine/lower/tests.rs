//! What scripts are lowered to.

use std::{fs, path::Path};

use rhai::{Engine, Module, OptimizationLevel, Scope};

use super::{Reason, print::print, try_lower};

/// Compiles as the product does.
fn compile(text: &str) -> rhai::AST {
    let mut scope = Scope::new();
    scope.push("ctx", ());
    let mut engine = Engine::new();
    engine.set_optimization_level(OptimizationLevel::None).set_strict_variables(true).set_max_expr_depths(0, 0);
    engine.register_static_module("log", Module::new().into());
    engine.compile_with_scope(&scope, text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn printed(text: &str) -> String {
    print(&try_lower(&compile(text)).unwrap_or_else(|reason| panic!("{reason:?}: {text}"))).trim_end().to_string()
}

/// Scripts and what they are lowered to.
const LOWERED: &[(&str, &str)] = &[
    ("", "{}"),
    ("let x = 1; { let x = 2; x += 1; } x", "{let x@0 = 1; {let x@1 = 2; x@1 Add= 1}; x@0}"),
    ("let a = 1; { let b = 2; } { let c = 3; }", "{let a@0 = 1; {let b@1 = 2}; {let c@2 = 3}}"),
    (
        "const K = 1; let f = |x| x + K; fn g() { global::K } f.call(g())",
        "fn anon0(K@0*!, x@1) {Add(x@1, K@0*!)}\nfn g() {global::K}\n{global K@0*! = 1; let f@1 = &anon0(K@0*!); f@1.call(g())}",
    ),
    (
        "let n = 0; let f = || { n += 1; n }; f.call(); n",
        "fn anon0(n@0*) {n@0* Add= 1; n@0*}\n{let n@0* = 0; let f@1 = &anon0(n@0*); f@1.call(); n@0*}",
    ),
    (
        "let n = 0; let f = |a| { let g = |b| n + a + b; g }; f",
        "fn anon0(n@0*, a@1*) {let g@2 = &anon1(n@0*, a@1*); g@2}\nfn anon1(n@0*, a@1*, b@2) {Add(Add(n@0*, a@1*), b@2)}\n{let n@0* = 0; let f@1 = &anon0(n@0*); f@1}",
    ),
    (
        "let x = 1; let f = |x| x; let g = |y| { let x = y; x }; [f, g]",
        "fn anon0(x@0) {x@0}\nfn anon1(y@0) {let x@1 = y@0; x@1}\n{let x@0 = 1; let f@1 = &anon0; let g@2 = &anon1; [f@1, g@2]}",
    ),
    ("fn f(a, b) { a + b } fn f(a) { f(a, 1) } f(2)", "fn f(a@0) {f(a@0, 1)}\nfn f(a@0, b@1) {Add(a@0, b@1)}\n{f(2)}"),
    (
        "fn int.double() { this * 2 } fn double() { this } let x = 2; x.double()",
        "fn double() {this}\nfn i64.double() {Multiply(this, 2)}\n{let x@0 = 2; x@0.double()}",
    ),
    (
        "fn f() { this.x = 1; this += 1; this = 2; this.push(this) } f",
        "fn f() {this.x = 1 by $1.x = $0; this Add= 1 by $1 = $0; this = 2 by $1 = $0; this.push(this)}\n{&f}",
    ),
    ("private fn f(x) { x } f(f(1)); g(1)", "fn f(x@0) {x@0}\n{f(f(1)); ~g(1)}"),
    (
        "let a = []; a.push(1); push(a, 2); a[0] += 1; a[0][1].b.c = 2; a?[0]?.b.len()",
        "{let a@0 = []; a@0.push(1); ~push(a@0, 2); a@0[0] Add= 1 by $1[$2] = $0; a@0[0][1].b.c = 2 by $1.c = $0; a@0[0]?.b.len()}",
    ),
    (
        "let a = #{x: 1, \"y z\": [1, 2.5, 'c', \"t\", (), true]}; a.x.y.z(1, a)[2]",
        "{let a@0 = #[x: 1, y z: [1, 2.5, 'c', \"t\", (), true]]; a@0.x.y.z(1, a@0)[2]}",
    ),
    ("ctx", "{ctx}"),
    (
        "ctx.principal; ctx.request; ctx.request.body.x[0]; ctx.request.query.name.len(); ctx.request.headers[\"content-type\"]; ctx.request?.body; ctx.request.query[ctx.principal]",
        "{ctx/principal; ctx/request; (ctx/request/body).x[0]; (ctx/request/query/name).len(); ctx/request/headers/content-type; (ctx/request)?.body; (ctx/request/query)[ctx/principal]}",
    ),
    (
        "let f = || ctx.request.body; let g = || || ctx.principal; [f, g]",
        "fn anon0(ctx@0) {ctx/request/body}\nfn anon1(ctx@0) {&anon2(ctx)}\nfn anon2(ctx@0) {ctx/principal}\n{let f@0 = &anon0(ctx); let g@1 = &anon1(ctx); [f@0, g@1]}",
    ),
    ("let ctx = 1; let f = || ctx; ctx", "fn anon0(ctx@0*) {ctx@0*}\n{let ctx@0* = 1; let f@1 = &anon0(ctx@0*); ctx@0*}"),
    ("let f = |ctx| ctx.x; f", "fn anon0(ctx@0) {ctx@0.x}\n{let f@0 = &anon0; f@0}"),
    ("fn f() { ctx.request.method } f()", "fn f() {ctx/request/method}\n{f()}"),
    (
        "import \"a\" as m; m::f(m::K); m::K.x; fn g() { m::f(1) } { import \"b\" as n; n::f() }",
        "fn g() {#0 m::f(1)}\n{import a as #0; #0 m::f(#0::K); (#0::K).x; {import b as #1; #1 n::f()}}",
    ),
    ("log::info(\"x\"); log::sub::f(1, 2)", "{log::info(\"x\"); log::sub::f(1, 2)}"),
    ("if 1 > 2 { 3 } else if true { 4 } else { 5 }", "{if(Greater(1, 2)) {3} {if(true) {4} {5}}}"),
    (
        "let x = if true { 1 } else { 2 }; let y = switch x { 1 | 2 => 3, 4 if x > 1 => { let z = 1; z } 5..8 => x, 9..=10 => 1, _ => () }; y",
        "{let x@0 = if(true) {1} {2}; let y@2 = switch(x@0) [#|# => 3, # if Greater(x@0, 1) => {let z@1 = 1; z@1}, 5..8 => x@0, 9..=10 => 1, _ => ()]; y@2}",
    ),
    ("switch 1 { \"a\" => { }, 'b' => throw 1 }", "{switch(1) [# => {}, # => {throw 1}]}"),
    (
        "while true { break; } loop { break 5 } while 1 < 2 { continue } do { 1 } while true; do { } until false",
        "{while() {break}; while() {break 5}; while(Less(1, 2)) {continue}; do {1} while(true); do {} until(false)}",
    ),
    (
        "let x = loop { break 1; }; for i in 0..10 { } for (i, n) in [1] { i + n } for i in 1..=x { let y = i; }",
        "{let x@0 = {while() {break 1}}; for(i@1 in 0..10) {}; for(i@3, n@2 in [1]) {Add(i@3, n@2)}; for(i@4 in 1..=x@0) {let y@5 = i@4}}",
    ),
    ("try { throw; } catch { } try { throw 1 } catch (e) { e.message }", "{try {throw} catch {}; try {throw 1} catch(e@0) {e@0.message}}"),
    (
        "let s = `a ${1 + 1} b ${let x = 1; x} c ${s2()}`; fn s2() { return; } s",
        "fn s2() {return}\n{let s@1 = text[\"a \", Add(1, 1), \" b \", {let x@0 = 1; x@0}, \" c \", s2()]; s@1}",
    ),
    (
        "let x = 1; x && true || !false; x ?? 2 ?? { return 3 }; -x; +x; x in [1]; x !in [1]",
        "{let x@0 = 1; or(and(x@0, true), Not(false)); first(x@0, 2, {return 3}); Minus(x@0); Plus(x@0); ~contains([1], x@0); Not(~contains([1], x@0))}",
    ),
    (
        "Fn(\"f\"); call(Fn(\"f\"), 1); curry(Fn(\"f\"), 1); is_shared(1); type_of(1); is_def_fn(\"f\", 1); Fn(1, 2)",
        "{!Fn(\"f\"); !call(!Fn(\"f\"), 1); !curry(!Fn(\"f\"), 1); !is_shared(1); !type_of(1); !is_def_fn(\"f\", 1); ~Fn(1, 2)}",
    ),
    ("fn f(x) { x } let g = f; [g, f].map(f)", "fn f(x@0) {x@0}\n{let g@0 = &f; ([g@0, &f]).map(&f)}"),
    (
        "let x = 1; let y = { x }; call(|a| a, { x }); let g = || x; call(g, { x }, x)",
        "fn anon0(a@0*) {a@0*}\nfn anon1(x@0*) {x@0*}\n{let x@0* = 1; let y@1 = x@0*; !call(&anon0, {x@0*}); let g@2 = &anon1(x@0*); !call(g@2, {x@0*}, x@0*)}",
    ),
    ("fn x() { 1 } x = 1; x", "fn x() {1}\n{&x =! 1; &x}"),
    (
        "let a = 1; a -= 1; a *= 1; a /= 1; a %= 1; a **= 1; a <<= 1; a >>= 1; a &= 1; a |= 1; a ^= 1",
        "{let a@0 = 1; a@0 Subtract= 1; a@0 Multiply= 1; a@0 Divide= 1; a@0 Remainder= 1; a@0 Power= 1; a@0 ShiftLeft= 1; a@0 ShiftRight= 1; a@0 And= 1; a@0 Or= 1; a@0 Xor= 1}",
    ),
    ("let r = 1..2; let q = 1..=2; 1..; a(r)", "{let r@0 = Range(1, 2); let q@1 = RangeInclusive(1, 2); Range(1, ()); ~a(r@0)}"),
    (
        "const A = [1]; A[0] = 2; A.push(1); let f = || A[0] = 1; f",
        "fn anon0(A@0*!) {A@0*![0] = 1 by $1[$2] = $0}\n{global A@0*! = [1]; A@0*![0] = 2 by $1[$2] = $0; A@0*!.push(1); let f@1 = &anon0(A@0*!); f@1}",
    ),
    ("export let x = 1; export x as y;", "{let x@0 = 1; -}"),
    ("let a = [1]; a[{ a = [2]; 0 }] = a[0]", "{let a@0 = [1]; a@0[{a@0 = [2]; 0}] = a@0[0] by $1[$2] = $0}"),
    (
        "let x = 1; let f = || x; let g = |a| { a += 1; a }; call(g, x)",
        "fn anon0(x@0*) {x@0*}\nfn anon1(a@0*) {a@0* Add= 1; a@0*}\n{let x@0* = 1; let f@1 = &anon0(x@0*); let g@2 = &anon1; !call(g@2, x@0*)}",
    ),
    (
        "let x = 1; let f = |a| { a += 1; a }; curry(f, x)",
        "fn anon0(a@0) {a@0 Add= 1; a@0}\n{let x@0 = 1; let f@1 = &anon0; !curry(f@1, x@0)}",
    ),
    (
        "let x = 1; let f = || { let g = || x; g }; x += 1; f",
        "fn anon0(x@0*) {let g@1 = &anon1(x@0*); g@1}\nfn anon1(x@0*) {x@0*}\n{let x@0* = 1; let f@1 = &anon0(x@0*); x@0* Add= 1; f@1}",
    ),
];

#[test]
fn scripts_are_lowered() {
    let mut wrong = String::new();
    for (script, lowered) in LOWERED {
        let now = printed(script);
        if now != *lowered {
            wrong += &format!("    ({script:?}, {now:?}),\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn some_files_run_in_rhai() {
    let scripts = [
        ("let p = \"a\"; import p as m;", Reason::ImportPath),
        ("import \"a\" as m; import \"b\" as m; m::f()", Reason::ImportTwice),
        ("fn f() { 1 } f!()", Reason::Scope),
        ("let x = 1; is_def_var(\"x\")", Reason::Scope),
    ];
    for (script, reason) in scripts {
        assert_eq!(try_lower(&compile(script)).err(), Some(reason), "{script}");
    }
    let many = |count: usize| (0..count).map(|number| format!("let v{number} = 0;")).collect::<String>();
    assert!(try_lower(&compile(&many(256))).is_ok());
    assert_eq!(try_lower(&compile(&many(257))).err(), Some(Reason::Variables));
}

/// Every text below a folder of the repository with one of these endings.
fn texts(folder: &Path, endings: &[&str], found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, endings, found);
        } else if path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)) {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_script_of_the_repository_is_lowered() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["functions", "benches/functions", "docs", "tests/rhai/corpus"] {
        texts(&root.join(folder), &["rhai", "md"], &mut files);
    }
    let mut lowered = 0;
    for (name, text) in &files {
        let blocks: Vec<&str> = text.split("```rhai\n").skip(1).filter_map(|block| block.split("```").next()).collect();
        let rules: Vec<&str> = text.split("// ---- ").skip(1).collect();
        let scripts: Vec<&str> = match () {
            () if name.ends_with(".md") => blocks,
            () if rules.is_empty() => vec![text],
            () => rules.iter().flat_map(|rule| rule.split(if rule.contains("[lines]\n") { "\n" } else { "\n\n" })).collect(),
        };
        for script in scripts {
            let script = script.strip_prefix("+++").and_then(|rest| rest.split_once("+++")).map_or(script, |(_, script)| script);
            // What a module has is not known here, and nothing else needs it.
            let mut engine = Engine::new();
            engine.set_optimization_level(OptimizationLevel::None).set_max_expr_depths(0, 0);
            let Ok(ast) = engine.compile(script) else { continue };
            let by_name = ["is_def_var(", "!("].iter().any(|word| script.contains(word));
            match try_lower(&ast) {
                Ok(_) => lowered += 1,
                Err(reason) => assert!(by_name || reason == Reason::ImportTwice, "{name}: {reason:?}: {script}"),
            }
        }
    }
    assert!(lowered > 300, "{lowered}");
}
