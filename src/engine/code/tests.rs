//! The closures beside Rhai: the same value, or the same failure at the same place.

use std::time::Duration;

use rhai::{AST, Engine, Scope};

use super::{compile, run};
use crate::engine::{
    lower::lower,
    meter::{self, limits::Allowance},
    own::Value,
};

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_max_strings_interned(0).set_optimization_level(rhai::OptimizationLevel::None).set_max_call_levels(64);
    engine.set_max_expr_depths(64, 64).set_max_string_size(100).set_max_array_size(20).set_max_map_size(10);
    engine
}

fn by_rhai(engine: &Engine, ast: &AST) -> String {
    match engine.eval_ast_with_scope::<rhai::Dynamic>(&mut Scope::new(), ast) {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?}"),
    }
}

fn by_closures(engine: &Engine, ast: &AST) -> String {
    let unit = lower(ast).expect("it can be lowered");
    let code = compile(&unit, ast);
    match run(&code, engine) {
        Ok(value) => format!("{:?}", Value::into_rhai(value)),
        Err(error) => format!("{error:?}"),
    }
}

fn check(scripts: &[&str]) {
    let engine = engine();
    start(u64::MAX);
    let mut wrong = Vec::new();
    for script in scripts {
        let mut ast = engine.compile(script).unwrap_or_else(|error| panic!("{script}: {error}"));
        ast.set_source("f.rhai");
        let (ours, rhais) = (by_closures(&engine, &ast), by_rhai(&engine, &ast));
        if ours != rhais {
            wrong.push(format!("{script}\n  here {ours}\n  Rhai {rhais}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn statements_give_what_they_give_in_rhai() {
    check(&[
        "",
        "1",
        "let x = 1; x",
        "let x = 1; x += 41; x",
        "let x = 1; x = 2;",
        "let x; x",
        "const X = 3; X * 2",
        "let x = 1; { let x = 2; x += 1; } x",
        "if true { 1 }",
        "if false { 1 }",
        "if 1 < 2 { 1 } else { 2 }",
        "let x = 1; if x { 2 }",
        "let x = 5; while x > 0 { x -= 1; } x",
        "let x = 0; loop { x += 1; if x == 7 { break; } } x",
        "loop { break 42; }",
        "let x = loop { break 42; }; x",
        "let x = while true { break 1; }; x",
        "let x = 0; let y = 0; while x < 10 { x += 1; if x % 2 == 0 { continue; } y += x; } y",
        "let x = 0; do { x += 1; } while x < 5; x",
        "let x = 0; do { x += 1; } until x > 5; x",
        "let x = 0; do { x += 1; if x == 3 { continue; } } while x < 5; x",
        "let s = 0; for i in 0..10 { s += i; } s",
        "let s = 0; for i in 0..=10 { s += i; } s",
        "let s = 0; for i in 10..0 { s += i; } s",
        "let s = 0; for (x, i) in [5, 6, 7] { s += x * i; } s",
        "let s = \"\"; for c in \"héllo\" { s += c; } s",
        "let s = \"\"; for c in \"a text of more than fourteen\" { s += c; if c == 't' { break; } } s",
        "let s = 0; let r = 1..4; for i in r { s += i; } s",
        "let x = 5; for i in x { }",
        "let m = #{a: 1}; for i in m { }",
        "let s = 0; for i in range(0, 10, 3) { s += i; } s",
        "let a = [1, 2, 3]; let s = 0; for i in a { a = 5; s += i; } s + a",
        "for i in 0..3 { if i == 1 { return i; } } 9",
        "return 5; 6",
        "return;",
        "throw 5;",
        "throw;",
        "throw #{a: 1};",
        "let x = 1; x += \"a\"; x",
        "let x = 1; x -= \"a\"; x",
        "let x = 1; x += 2.5; x",
        "let x = \"a\"; x += 1; x",
        "let x = [1]; x += 2; x",
        "let x = 9223372036854775807; x += 1; x",
        "let x = 1; x <<= 3; x |= 1; x ^= 2; x **= 2; x",
        "let x = true; x += 1;",
    ]);
}

#[test]
fn expressions_give_what_they_give_in_rhai() {
    check(&[
        "1 + 2 * 3 - 4 / 2 % 3",
        "1 / 0",
        "1 % 0",
        "9223372036854775807 + 1",
        "-9223372036854775807 - 2",
        "let x = -9223372036854775807 - 1; -x",
        "1.5 + 2",
        "2 ** 10",
        "2 ** -1",
        "1 << 70",
        "\"a\" + 1",
        "\"a\" - \"b\"",
        "1 + \"a\"",
        "1 + ()",
        "true + 1",
        "[1] + [2]",
        "#{a: 1} + #{b: 2}",
        "'a' + 'b'",
        "1 == 1.0",
        "1 == \"a\"",
        "[1, 2] == [1, 2]",
        "1 < \"a\"",
        "\"a\" < \"b\"",
        "0.1 + 0.2 == 0.3",
        "true && false",
        "let x = 1; true && x",
        "let x = 1; false || x",
        "let x = 1; x || true",
        "let x = 1; false && x",
        "() ?? 5",
        "let x = 3; x ?? 5",
        "!true",
        "!5",
        "-\"a\"",
        "+5",
        "1..5",
        "1..\"a\"",
        "`a${1}b${2.0}c${true}d${()}e${'x'}${[1, \"a\"]}${#{k: 1}}`",
        "`${1..3}`",
        "let x = \"ab\"; `${x}${x}`",
        "[1, 2.0, \"three\", [4], #{five: 5}]",
        "#{b: 1, a: 2}",
        "let x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]; [x, 1, 2, 3, x]",
        "let x = \"0123456789012345678901234567890123456789\"; `${x}${x}${x}`",
        "let x = \"0123456789012345678901234567890123456789\"; [x, x, x]",
        "let x = \"0123456789012345678901234567890123456789\"; x + x + x",
        "let x = \"0123456789012345678901234567890123456789\"; x += x; x += x; x",
        "let x = [1, 2, 3, 4, 5, 6]; [x, x, x]",
        "switch 1 { 1 => \"one\", 2 => \"two\", _ => \"other\" }",
        "switch 3 { 1 => \"one\", 2 => \"two\", _ => \"other\" }",
        "switch 3 { 1 => \"one\" }",
        "switch \"b\" { \"a\" | \"b\" => 5, _ => 6 }",
        "let x = 5; switch x { 0..3 => 1, 3..=5 if x == 4 => 2, 3..=5 => 3, _ => 4 }",
        "let x = 5; switch x { 5 if x > 6 => 1, 5 if x > 4 => 2, _ => 3 }",
        "switch 1.5 { 1.5 => 1, _ => 2 }",
        "switch [1] { _ => 2 }",
        "let x = 5; switch 1 { 1 if x => 2 }",
        "let x = switch 1 { 1 => { let y = 5; y + 1 } }; x",
        "let x = if true { let y = 1; y } else { 2 }; x",
        "let x = { let y = 1; y + 1 }; x",
        "let x = { let y = 1; }; x",
    ]);
}

#[test]
fn functions_are_called_as_in_rhai() {
    check(&[
        "fn f() { 5 } f()",
        "fn f(x) { x + 1 } f(4)",
        "fn f(x, y) { return x - y; } f(4, 1)",
        "fn f() { } f()",
        "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(15)",
        "fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } f(62)",
        "fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } f(63)",
        "fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } }\n f(64)",
        "fn g(n) { f(n) } fn f(n) {\n if n == 0 { 0 } else { 1 + g(n - 1) } }\n f(64)",
        "fn f() { throw 5; }\n f()",
        "fn f() { 1 + () }\n fn g() { f() } g()",
        "fn f() { let x = 1; x = \"0123456789012345678901234567890123456789\"; x + x + x }\n f()",
        "fn f(x) { x += 1; x } let y = 1; f(y) + y",
        "fn f(x) { while true { if x > 5 { return x; } x += 1; } } f(0)",
        "fn f(a, b, c) { [a, b, c] } let x = 1; f(x, { x = 2; x }, x)",
        "fn f(x) { this + x } f(1)",
        "fn f() { for i in 0..5 { for j in 0..5 { if i * j == 6 { return [i, j]; } } } } f()",
        "fn f(x) { try { g(x) } catch (e) { return `caught ${e}`; } } fn g(x) { throw x; } f(7)",
    ]);
}

#[test]
fn numbers_are_those_of_rhai() {
    check(&[
        "fn fib(n) { if n < 2 { return n; } fib(n - 1) + fib(n - 2) } fib(15)",
        "fn f(x) { x * x } f(4_000_000_000)",
        "fn f(x) { x + x } f(9_000_000_000_000_000_000)",
        "fn f(x, y) { (x + 1) * (y + 2) - 3 } f(4, 5)",
        "fn f(x, y) { (x + 1) / (y - 5) } f(4, 5)",
        "fn f(x) { if x > 5 { x } else { \"small\" } } f(4) + f(6)",
        "fn f(x) { x = \"a\"; x } f(4)",
        "fn f(x) { let y = x; y += 1; if y > 3 { y = 2.5; } y } f(4)",
        "fn f(x) { x + 1 } f(1) + f(2.5)",
        "fn f(x) { 1.5 * x + x / 2 - 3.0 % x } f(2)",
        "let x = 0.0; let i = 0; while i < 10 { x += 0.1; i += 1; } x",
        "let x = 0.0; let i = 0; while x < 1.0 { x += 0.1; i += 1; } i",
        "let x = 0.1 + 0.2; if x == 0.3 { 1 } else { 2 }",
        "let x = 1.0 / 0.0; if x > 5 { 1 } else { 2 }",
        "fn even(n) { if n == 0 { true } else { odd(n - 1) } } fn odd(n) { if n == 0 { false } else { even(n - 1) } } even(10)",
        "fn f(n) { let s = 0; for i in 0..n { s += i * i % 7; } s } f(20)",
        "fn f(n) { let s = 0; for i in 0..n { s += i * 3_000_000_000_000_000_000; } s } f(20)",
        "fn f(n) { return 5; } f(1) * 2",
        "fn f(n) { throw n; } f(1) * 2",
        "fn f(n) { this + n } f(1) * 2",
        "let x = 5; let y = if x > 3 { x } else { 0 }; y - 1",
        "let x = 3; x = x * 2 - 1; x & 6 | 1",
        "let a = true; let b = !a; if !b && a { 1 } else { 2 }",
    ]);
}

#[test]
fn what_is_thrown_is_caught_as_in_rhai() {
    check(&[
        "try { throw 5; } catch (e) { e }",
        "let x = 0; try { throw 5; } catch (e) { x = e; } x",
        "let x = 0; try { throw 5; } catch { x = 1; } x",
        "try { 5 } catch { 6 }",
        "let x = (); try { 1 / 0 } catch (e) { x = e; } x",
        "let x = (); fn f() {\n  1 + () }\n try { f() } catch (e) { x = e; } x",
        "let x = (); fn f() {\n  throw #{a: 1}; }\n try { f() } catch (e) { x = e; } x",
        "let x = (); try { 1 - \"a\" } catch (e) { x = e; } x",
        "let x = (); try { for i in x { } } catch (e) { x = e; } x",
        "let x = (); try { if x { } } catch (e) { x = e; } x",
        "try { throw 5; } catch (e) { throw; }",
        "try { 1 / 0 } catch (e) { throw; }",
        "try { 1 / 0 } catch (e) { throw e; }",
        "try { 1 / 0 } catch {\n throw (); }",
        "fn f() { 1 / 0 }\n try { f() } catch {\n throw; }",
        "fn f(n) { f(n + 1) }\n try { f(0) } catch { 5 }",
        "let x = 0; loop { try { x += 1; if x > 3 { break; } throw x; } catch (e) { continue; } } x",
        "try { try { throw 1; } catch (e) { throw e + 1; } } catch (e) { throw e + 1; }",
    ]);
}

#[test]
fn a_run_stops_at_its_limit_of_operations() {
    for script in ["loop { }", "while true { }", "for i in 0..9000000000 { }", "fn f() { f(); } loop { try { f() } catch { } }"] {
        let engine = engine();
        let ast = engine.compile(script).expect("it compiles");
        let code = compile(&lower(&ast).expect("it can be lowered"), &ast);
        start(1_000_000);
        let failure = run(&code, &engine).expect_err("it is endless");
        assert!(
            matches!(*failure, rhai::EvalAltResult::ErrorTerminated(..) | rhai::EvalAltResult::ErrorStackOverflow(..)),
            "{script}: {failure}"
        );
    }
}

fn start(operations: u64) {
    meter::start(&Allowance { time: Duration::from_secs(60), operations, memory: 1 << 30, cpu: None, cancel: None });
}
