//! Values at the ends of what there is, as expressions of a script, by the type that a function's parameter has.

use std::any::TypeId;

use picloud::engine::value::plain::Object;
use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map};

/// Functions that the values are made with; every script begins with it.
pub const PRELUDE: &str = r#"
fn text(n, part) { let s = ""; s.pad(n, part); s }
fn list(n, item) { let a = []; a.pad(n, item); a }
fn falling(n) { let a = []; for i in 0..n { a.push(n - i); } a }
fn deep(n) { let a = []; for i in 0..n { a = [a]; } a }
fn deep_map(n) { let m = #{}; for i in 0..n { m = #{m: m}; } m }
fn wide(n) { let m = #{}; for i in 0..n { m[`key ${i}`] = i; } m }
fn holding_itself() { let m = #{name: "m"}; m.f = || m; m }
fn list_holding_itself() { let a = [1, 2]; let f = || a; a.push(f); a }
fn chain(n) { let f = || 1; for i in 0..n { let g = f; f = || g; } f }
fn byte(b) { for x in blob(1, b) { return x; } }
fn again(x) { again(x) }
fn never(x) { loop {} }
fn hurl(x) { throw x }
fn doubled(x) { x + x }
"#;

/// A type, and values of it. A type without values is one that no script can have a value of.
pub struct Kind {
    /// As in the list of functions.
    pub name: &'static str,
    /// As `type_of` calls it.
    pub types: &'static [&'static str],
    /// Expressions.
    pub values: &'static [&'static str],
}

const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "8",
    "63",
    "64",
    "-64",
    "255",
    "1_000",
    "31_999",
    "32_001",
    "1_000_000",
    "1_048_577",
    "2_147_483_648",
    "4_294_967_296",
    "1_000_000_000_000",
    "9_223_372_036_854_775_806",
    "9_223_372_036_854_775_807",
    "(-9_223_372_036_854_775_807)",
    "(-9_223_372_036_854_775_807 - 1)",
];
const FLOATS: &[&str] = &[
    "0.0",
    "(-0.0)",
    "1.0",
    "-1.5",
    "0.5",
    "36.0",
    "5.0e-324",
    "1.0e308",
    "(-1.0e308)",
    "9.3e18",
    "(0.0 / 0.0)",
    "(1.0 / 0.0)",
    "(-1.0 / 0.0)",
];
const CHARACTERS: &[&str] = &["'x'", "' '", "'\\x00'", "'0'", "'é'", "'ß'", "'İ'", "'ΐ'", "'\\u0301'", "'\\U0001D54F'", "'\\uFFFD'"];
const STRINGS: &[&str] = &[
    "\"\"",
    "\"x\"",
    "\" \"",
    "\"abc\"",
    "\"é\"",
    "\"\\x00\"",
    "\"e\\u0301\\u0302\\u0303\"",
    "\"\\U0001D54F\\U0001F469\\u200D\\U0001F469\"",
    "\"9223372036854775808\"",
    "\"-1\"",
    "\"1e999\"",
    "\"nan\"",
    "\"{\\\"a\\\":[1,null]}\"",
    "\"2026-11-23T09:04:05.678+01:00\"",
    "\"1d 2h\"",
    "\"-9998y\"",
    "\"Europe/Berlin\"",
    "\"week\"",
    "\"%A %9999d %s %Q\"",
    "\"(a|b)*(?<n>.)\"",
    "\"[ab]*a[ab]{60}$\"",
    "\"\\\\w{10}\"",
    "\"$1${n}$$\"",
    "\"a,b\\n\\\"c\\n\\\",d\"",
    "text(1_000_000, \",\")",
    "text(1_000_000, \"<a>\")",
    "text(1_000_000, \"<a b=\'c\'>\")",
    "\"<a b=\'&lt;\'>x<c/>&#65;<![CDATA[<]]></a>\"",
    "\"<\" + text(500_000, \"a \") + \"/>\"",
    "text(260_000, \"*\")",
    "text(260_000, \"[\")",
    "text(260_000, \"> \")",
    "text(260_000, \"`a\")",
    "\"[a](javascript:alert(1))<b>\"",
    "\"http://ä.example/a?b=1&b=2#c\"",
    "text(100_000, \"[\")",
    "text(1_000_000, \"{\\\"a\\\":\")",
    "\"again\"",
    "\"never\"",
    "\"hurl\"",
    "\"doubled\"",
    "\"len\"",
    "\"push\"",
    "\"==\"",
    "\"call\"",
    "\"eval\"",
    "\"anon$\"",
    "text(1_000, \"x\")",
    "text(1_048_576, \"x\")",
    "text(1_000_000, \" \")",
    "text(1_000_000, \"ab\")",
    "text(500_000, \"ΐ\")",
    "text(1_000_000, \"\\x01\")",
    "text(262_144, \"\\U0001D54F\")",
];
const ARRAYS: &[&str] = &[
    "[]",
    "[1]",
    "[1, 2, 3]",
    "[3, -1, 2, 2, 1]",
    "[0.0 / 0.0, 1.0, -0.0, 0.0 / 0.0]",
    "[\"b\", \"a\", \"\"]",
    "[1, \"a\", (), 2.5, 'c', [], #{}, blob(2), 0..3, |x| x]",
    "[[1, 2], [3], []]",
    "[blob(10), blob(0)]",
    "list(32_000, 0)",
    "list(31_999, \"x\")",
    "list(1_000, text(1_000, \"x\"))",
    "list(170, list(180, 1))",
    "list(300, #{a: 1})",
    "list(1_000, || 1)",
    "list(100, chain(20))",
    "falling(2_000)",
    "deep(50)",
    "deep(600)",
    "[deep(300), deep(300)]",
    "[wide(300), wide(300)]",
    "list_holding_itself()",
    "list(30, holding_itself())",
    "[byte(0), byte(255), byte(9)]",
    "[(0..9), (9..0), range(0, 9_223_372_036_854_775_807, 1)]",
    "[true, false, true]",
    "['b', 'a']",
];
const MAPS: &[&str] = &[
    "#{}",
    "#{a: 1}",
    "#{\"\": (), \"a b\": [1], \"\\x00\": #{}}",
    "#{a: 1, b: \"x\", c: [1, 2, #{d: 0.0 / 0.0}]}",
    "#{call: |x| x, len: 5, f: Fn(\"again\")}",
    "wide(600)",
    "deep_map(50)",
    "deep_map(400)",
    "holding_itself()",
    "#{m: holding_itself(), a: list_holding_itself()}",
    "#{a: text(1_000_000, \"x\")}",
    "#{a: list(31_000, 1)}",
];
const BLOBS: &[&str] =
    &["blob()", "blob(1, 255)", "blob(8)", "blob(9, 128)", "blob(32_000, 65)", "blob(32_000, 255)", "\"\\U0001D54F\\u0301\".to_blob()"];
const RANGES: &[&str] = &[
    "(0..0)",
    "(0..10)",
    "(3..1)",
    "(-3..-1)",
    "(1..1_000_000)",
    "(62..65)",
    "(0..9_223_372_036_854_775_807)",
    "(-9_223_372_036_854_775_807..9_223_372_036_854_775_807)",
    "(9_223_372_036_854_775_807..-9_223_372_036_854_775_807)",
];
const INCLUSIVE_RANGES: &[&str] = &[
    "(0..=0)",
    "(0..=10)",
    "(3..=1)",
    "(-3..=-1)",
    "(1..=1_000_000)",
    "(62..=64)",
    "(0..=9_223_372_036_854_775_807)",
    "((-9_223_372_036_854_775_807 - 1)..=9_223_372_036_854_775_807)",
    "(9_223_372_036_854_775_807..=-9_223_372_036_854_775_807)",
];
/// Callbacks: `a` is the receiver that they are called on.
const FUNCTIONS: &[&str] = &[
    "|| 1",
    "|x| x",
    "|x| x == x",
    "|x, y| x < y",
    "|x, y| -1",
    "|x, y| true",
    "|x, y, z| [x, y, z]",
    "|x, y, z, u, v| 1",
    "|x| \"true\"",
    "|x| ()",
    "|x| text(1_000_000, \"x\")",
    "|x| list(30_000, x)",
    "|x| [x, x]",
    "|x, y| [x, y, x]",
    "|x| { loop {} }",
    "|x, y| { loop {} }",
    "|x| { for i in 0..100_000 {} true }",
    "|x| { throw x }",
    "|x, y| { throw a }",
    "|x| { a.push(x); true }",
    "|x| { a += a; x }",
    "|x| { a.clear(); true }",
    "|x, y| { a = (); x }",
    "|x| a",
    "|| a",
    "|x| a.len()",
    "|x, y| a.len()",
    "|x| a.map(|y| a)",
    "|x| a.sort(|y, z| y < z)",
    "|| { this = [this, this]; this }",
    "|| { this += this; true }",
    "|| { this.push(this); this }",
    "|x| x.call(x)",
    "Fn(\"again\")",
    "Fn(\"never\")",
    "Fn(\"hurl\")",
    "Fn(\"doubled\")",
    "Fn(\"doubled\").curry(a)",
    "Fn(\"len\")",
    "Fn(\"push\")",
    "Fn(\"push\").curry(a)",
    "Fn(\"sort\")",
    "Fn(\"to_string\")",
    "Fn(\"==\")",
    "Fn(\"+\")",
    "Fn(\"nobody\")",
    "Fn(\"call\")",
    "Fn(\"sleep\")",
    "chain(300)",
    "(|x, y| x).curry(list(1_000, 1))",
];
/// Values with methods of their own.
const OBJECTS: &[&str] = &[
    "time::of_ms(0)",
    "time::of_ms(253_402_207_200_999)",
    "time::of_ms(-377_705_023_201_000)",
    "time::parse(\"2026-10-25T02:30\", \"Europe/Berlin\")",
    "time::parse(\"2026-03-29T02:30[Europe/Berlin]\")",
];
/// What has a type of its own and goes only where anything does.
const OTHERS: &[&str] = &[
    "\"abc\".chars()",
    "text(1_000_000, \"x\").chars(-5)",
    "5.bits()",
    "range(0, 9_223_372_036_854_775_807, 1)",
    "range(9_223_372_036_854_775_807, 0, -9_223_372_036_854_775_807)",
    "range(0.0, 1.0e308, 1.0e-300)",
    "range(byte(0), byte(255), byte(1))",
];

/// Every type that a function has a parameter of.
pub const KINDS: &[Kind] = &[
    Kind { name: "()", types: &["()"], values: &["()"] },
    Kind { name: "bool", types: &["bool"], values: &["true", "false"] },
    Kind { name: "int", types: &["i64"], values: INTEGERS },
    Kind { name: "float", types: &["f64"], values: FLOATS },
    Kind { name: "char", types: &["char"], values: CHARACTERS },
    Kind { name: "string", types: &["string"], values: STRINGS },
    Kind { name: "array", types: &["array"], values: ARRAYS },
    Kind { name: "map", types: &["map"], values: MAPS },
    Kind { name: "blob", types: &["blob"], values: BLOBS },
    Kind { name: "range", types: &["range"], values: RANGES },
    Kind { name: "range=", types: &["range="], values: INCLUSIVE_RANGES },
    Kind { name: "function", types: &["Fn"], values: FUNCTIONS },
    Kind { name: "u8", types: &["u8"], values: &["byte(0)", "byte(1)", "byte(255)"] },
    Kind { name: "range<u8>", types: &["core::ops::range::Range<u8>"], values: &["range(byte(0), byte(255))", "range(byte(9), byte(1))"] },
    Kind { name: "ctx", types: &["ctx"], values: &["ctx"] },
    Kind { name: "ctx.request", types: &["ctx.request"], values: &["ctx.request"] },
    Kind { name: "object", types: &["object"], values: OBJECTS },
    Kind { name: "any", types: &["range"], values: OTHERS },
    Kind { name: "unreachable", types: &[], values: &[] },
];

/// Returns the kind of a parameter's type; none if nobody has thought of it yet.
pub fn kind(of: TypeId) -> Option<&'static Kind> {
    macro_rules! first_of {
        ($($name:literal: $($type:ty),+;)*) => {
            $(if [$(TypeId::of::<$type>()),+].contains(&of) {
                return KINDS.iter().find(|kind| kind.name == $name);
            })*
        };
    }
    first_of! {
        "()": ();
        "bool": bool;
        "int": i64;
        "float": f64;
        "char": char;
        "string": ImmutableString, String, &'static str;
        "array": Array;
        "map": Map;
        "blob": Blob;
        "range": std::ops::Range<i64>;
        "range=": std::ops::RangeInclusive<i64>;
        "function": FnPtr;
        "u8": u8;
        "range<u8>": std::ops::Range<u8>;
        "object": Object;
        "any": Dynamic;
        "unreachable": picloud::engine::value::plain::Object;
        "unreachable": std::time::Instant, i8, i16, u16, i32, u32, u64, i128, u128, f32;
        "unreachable": std::ops::Range<i8>, std::ops::Range<i16>, std::ops::Range<u16>, std::ops::Range<i32>, std::ops::Range<u32>;
        "unreachable": std::ops::Range<f64>, std::ops::Range<u64>, std::ops::Range<i128>, std::ops::Range<u128>, std::ops::Range<f32>;
    }
    None
}
