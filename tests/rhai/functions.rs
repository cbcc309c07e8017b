//! Every built-in function and operator, with values of every type, in both evaluators.
//!
//! A script goes through all combinations of some values, calls the function as a function and as a method, and logs what came of each call
//! and what its receiver is after it.

use std::{
    any::TypeId,
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

use picloud::{
    engine::{Engine, Evaluator},
    function::{
        LimitPolicy, Limits,
        quantity::{Size, Span},
    },
};

use crate::both::{Both, Seen, usual, with_both};

/// Values, by what `type_of` calls their type.
const VALUES: &[(&str, &[&str])] = &[
    ("i64", &["0", "1", "-1", "2", "63", "300", "9223372036854775807", "(-9223372036854775807 - 1)"]),
    ("f64", &["0.0", "-0.0", "1.5", "-2.5", "1e300", "(0.0 / 0.0)", "(1.0 / 0.0)"]),
    ("char", &["'a'", "'é'"]),
    ("string", &["\"\"", "\"a\"", "\"abc a\"", "\"éx👩\"", "\"12\"", "\"2.5\"", "\"a text of 23 characters\""]),
    ("array", &["[]", "[3, 1, 2, 1]", "[1, \"a\", [2, #{x: ()}], 1.5, 'c']", "[\"b\", \"a\"]", "[[1], [1]]"]),
    ("map", &["#{}", "#{a: 1, b: [2]}", "#{x: (), \"a b\": #{c: 1.5}}"]),
    ("blob", &["blob()", "blob(5, 65)"]),
    ("range", &["(0..3)", "(2..-1)"]),
    ("range=", &["(1..=2)"]),
    ("Fn", &["|x| x", "|x, y| x == y", "|| this", "Fn(\"len\")", "|x| x > 1", "|x| { throw x }"]),
    ("()", &["()"]),
    ("bool", &["true", "false"]),
    ("object", &["time::of_ms(1_234_567_890_123)"]),
];

/// What tells the time, is chance, ends the run, takes long, or is not for scripts.
const LEFT_OUT: [&str; 14] = [
    "crypto::password_hash",
    "crypto::random",
    "crypto::uuid",
    "crypto::uuid7",
    "time::now",
    "dead",
    "retry",
    "emit",
    "eval",
    "sleep",
    "timestamp",
    "print",
    "debug",
    "webhook::verify",
];

/// What the engine answers itself, without a function that it would list.
const UNLISTED: &[(&str, usize)] =
    &[("type_of", 1), ("is_shared", 1), ("Fn", 1), ("call", 1), ("call", 2), ("call", 3), ("curry", 2), ("is_def_fn", 2)];

/// Expressions with `x`, `y` and `z`. They stand in for syntax, the list of functions has none of it.
const SYNTAX: [&[&str]; 3] = [
    &["x", "-x", "!x", "+x", "`<${x}>`", "[x]", "#{k: x}", "x ?? 1", "x?.a", "x?[0]", "x.len", "for i in x { log::info(show(i)); }"],
    &[
        "x[y]",
        "x?[y]",
        "x in y",
        "x !in y",
        "x..y",
        "x..=y",
        "x ?? y",
        "[x, y] == [y, x]",
        "if x == y { 1 } else { 2 }",
        "x.a = y",
        "x = y",
        "x && y",
        "x || y",
    ],
    &["x[y] = z", "x[y] += z", "x?[y] = z", "x[y][z]", "x[y][0] = z", "x[y].push(z)", "x.a[y] = z"],
];

const OPERATORS: [&str; 18] = ["+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "??"];

/// Shows a value with its type; of a long text its ends.
const SHOW: &str = "fn show(v) {
    let text = v.to_debug();
    if text.len() > 300 { text = text.sub_string(0, 100) + `… ${text.len()} …` + text.sub_string(-100); }
    type_of(v) + \" \" + text
}
";

/// Something to try: an expression with `x`, `y`, `z`, and the types that each of these may have; none: any.
struct Attempt {
    expression: String,
    types: Vec<BTreeSet<&'static str>>,
}

/// Returns how `type_of` calls a parameter's type; nothing for one that takes anything, or that no value here has.
fn type_name(of: TypeId) -> Option<&'static str> {
    macro_rules! first_of {
        ($($name:literal: $($type:ty),+;)*) => { $(if [$(TypeId::of::<$type>()),+].contains(&of) { return Some($name); })* };
    }
    first_of! {
        "i64": i64;
        "f64": f64;
        "char": char;
        "string": rhai::ImmutableString, String, &'static str;
        "array": rhai::Array;
        "map": rhai::Map;
        "blob": rhai::Blob;
        "range": std::ops::Range<i64>;
        "range=": std::ops::RangeInclusive<i64>;
        "Fn": rhai::FnPtr;
        "()": ();
        "bool": bool;
        "object": picloud::engine::value::plain::Object;
    }
    None
}

/// Returns the functions with so many parameters, each with the types that any of its forms takes.
fn functions(parameters: usize) -> BTreeMap<String, Vec<BTreeSet<&'static str>>> {
    let mut functions = BTreeMap::<_, Vec<BTreeSet<_>>>::new();
    for (name, types) in Engine::new(LimitPolicy::default()).functions() {
        if types.len() != parameters || LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let known = functions.entry(name).or_insert_with(|| vec![BTreeSet::new(); parameters]);
        known.iter_mut().zip(types).for_each(|(known, of)| known.extend(type_name(of)));
    }
    for (name, _) in UNLISTED.iter().filter(|(_, count)| *count == parameters) {
        functions.insert((*name).into(), vec![BTreeSet::new(); parameters]);
    }
    functions
}

const NAMES: [&str; 4] = ["x", "y", "z", "w"];

/// Returns the ways to call a function.
fn calls(name: &str, parameters: usize) -> Vec<String> {
    let arguments = NAMES[..parameters].join(", ");
    let rest = NAMES.get(1..parameters).unwrap_or_default().join(", ");
    match name.split_once('$') {
        Some(("get", property)) => vec![format!("x.{property}")],
        Some(("set", property)) => vec![format!("x.{property} = y")],
        Some(_) => Vec::new(),
        None if !name.starts_with(|first: char| first.is_alphabetic()) => Vec::new(),
        None if name.contains("::") || parameters == 0 => vec![format!("{name}({arguments})")],
        None => vec![format!("{name}({arguments})"), format!("x.{name}({rest})"), format!("Fn(\"{name}\").call({arguments})")],
    }
}

/// Returns values for each name, at most so many: of the types that are asked for first, then one of each other.
fn values(types: &BTreeSet<&str>, most: usize) -> Vec<&'static str> {
    let asked = |name: &str| types.is_empty() || types.contains(name);
    let right = VALUES.iter().filter(|(name, _)| asked(name)).flat_map(|(_, values)| values.iter().copied());
    let mut right: Vec<_> = right.collect();
    // Some of each part of the list, where there are too many.
    let step = right.len().div_ceil(most).max(1);
    right = right.into_iter().step_by(step).collect();
    let others = VALUES.iter().filter(|(name, _)| !asked(name)).map(|(_, values)| values[values.len() - 1]);
    right.extend(others.take(if most > 8 { 4 } else { 1 }));
    right
}

/// Writes a script that tries all combinations of these values, or of so many for each name.
fn script(attempt: &Attempt, most: usize) -> (String, Vec<Vec<&'static str>>) {
    let mut lists: Vec<_> = attempt.types.iter().map(|types| values(types, most)).collect();
    // A size that passes its limit would end the run.
    if ["pad(", "blob("].iter().any(|name| attempt.expression.contains(name)) {
        lists.iter_mut().for_each(|list| list.retain(|value| *value != "9223372036854775807"));
    }
    let mut script = SHOW.to_owned();
    for (name, list) in NAMES.iter().zip(&lists) {
        let _ = writeln!(script, "let all_{name} = [{}];", list.join(", "));
    }
    let names = &NAMES[..lists.len()];
    names.iter().for_each(|name| script += &format!("for (given_{name}, at_{name}) in all_{name} {{ "));
    names.iter().for_each(|name| script += &format!("let {name} = given_{name}; "));
    let at: String = names.iter().map(|name| format!("${{at_{name}}} ")).collect();
    let after = if names.is_empty() { "" } else { " | ${show(x)}" };
    let _ =
        writeln!(script, "let r = (); try {{ r = {{ {} }}; r = show(r); }} catch (e) {{ r = \"failed \" + show(e); }}", attempt.expression);
    let _ = writeln!(script, "log::info(`{at}: ${{r}}{after}`); {}", "}".repeat(names.len()));
    (script, lists)
}

/// Returns each call that the two did not do alike, with its arguments in place.
fn differences(expression: &str, lists: &[Vec<&str>], rhai: &Seen, own: &Seen) -> Vec<String> {
    let decode = |line: &str| {
        let Some((at, _)) = line.strip_prefix("log: Info: ").and_then(|line| line.split_once(':')) else { return expression.to_owned() };
        let chosen = at.split_whitespace().zip(lists).filter_map(|(at, list)| list.get(at.parse::<usize>().ok()?));
        let given: Vec<_> = NAMES.iter().zip(chosen).map(|(name, value)| format!("let {name} = {value};")).collect();
        format!("{} {expression}", given.join(" "))
    };
    let empty = String::new();
    let lines = rhai.0.len().max(own.0.len());
    let pairs = (0..lines).map(|at| (rhai.0.get(at).unwrap_or(&empty), own.0.get(at).unwrap_or(&empty)));
    pairs.filter(|(rhai, own)| rhai != own).map(|(rhai, own)| format!("{}\n  Rhai: {rhai}\n  own:  {own}", decode(rhai))).collect()
}

/// Tries them all and fails with what is not the same. At least so many have to be accepted by the check.
fn run(name: &'static str, attempts: Vec<Attempt>, most: usize, accepted: usize) {
    let limits = Limits {
        timeout: Span(Duration::from_secs(100)),
        operations: 1_000_000_000,
        log_lines: 1_000_000,
        log_size: Size::mib(64),
        array: 5_000,
        ..Limits::DEFAULT
    };
    let (report, count, ran) = with_both(name, limits, move |both| {
        let (mut report, mut count, mut ran) = (String::new(), 0, 0);
        for attempt in &attempts {
            let Some(found) = tried(both, attempt, most) else { continue };
            ran += 1;
            count += found.len();
            // One cause is behind most of what a function does wrong.
            found.iter().take(6).for_each(|one| report += &format!("{one}\n"));
        }
        (report, count, ran)
    });
    assert!(count == 0, "{report}{count} calls differ");
    assert!(ran >= accepted, "the check accepts only {ran} of {name}");
}

fn tried(both: &Both, attempt: &Attempt, most: usize) -> Option<Vec<String>> {
    let (script, lists) = script(attempt, most);
    let program = both.program(&[("f.rhai", &script)]).ok()?;
    let [rhai, own] = [Evaluator::Rhai, Evaluator::Own].map(|evaluator| both.run(&program, evaluator, &usual()));
    Some(differences(&attempt.expression, &lists, &rhai, &own))
}

fn of_functions(parameters: usize) -> Vec<Attempt> {
    let attempts = functions(parameters)
        .into_iter()
        .flat_map(|(name, types)| calls(&name, parameters).into_iter().map(move |expression| Attempt { expression, types: types.clone() }));
    attempts.collect()
}

fn of_syntax(parameters: usize) -> Vec<Attempt> {
    let any = |expression: String| Attempt { expression, types: vec![BTreeSet::new(); parameters] };
    SYNTAX[parameters - 1].iter().map(|expression| any((*expression).into())).collect()
}

#[test]
fn functions_of_nothing_and_of_one_value() {
    run("one", of_functions(0).into_iter().chain(of_functions(1)).collect(), 99, 200);
}

#[test]
fn functions_of_two_values() {
    run("two", of_functions(2), 99, 150);
}

#[test]
fn functions_of_three_values() {
    run("three", of_functions(3), 8, 40);
}

#[test]
fn functions_of_four_values() {
    run("four", of_functions(4), 4, 5);
}

/// A receiver that is no plain variable: a constant, a captured variable, an element, a property of one.
#[test]
fn methods_in_other_places() {
    let places = ["const k = x; k.", "let f = || x; x.", "let a = [x]; a[0].", "let a = [#{p: x}]; a[0].p."];
    let methods = [1, 2].into_iter().flat_map(of_functions).filter(|attempt| attempt.expression.starts_with("x."));
    let attempts = methods.flat_map(|Attempt { expression, types }| {
        let call = expression[2..].to_owned();
        places.map(|place| {
            let shown = if place.contains("let a") { " [r, a]" } else { " r" };
            let expression = if call.contains('=') {
                format!("{place}{call};")
            } else {
                format!("{}let r = {}{call};{shown}", cut(place).0, cut(place).1)
            };
            Attempt { expression, types: types.clone() }
        })
    });
    run("places", attempts.collect(), 8, 600);
}

/// Cuts a text before its last statement.
fn cut(place: &str) -> (&str, &str) {
    place.split_at(place.rfind("; ").map_or(0, |at| at + 2))
}

#[test]
fn operators() {
    let any = || vec![BTreeSet::new(); 2];
    let infix = OPERATORS.iter().map(|symbol| Attempt { expression: format!("x {symbol} y"), types: any() });
    let assigning = OPERATORS[..11].iter().map(|symbol| Attempt { expression: format!("x {symbol}= y"), types: any() });
    run("operators", infix.chain(assigning).collect(), 99, 29);
}

#[test]
fn syntax() {
    run("syntax", of_syntax(1).into_iter().chain(of_syntax(2)).collect(), 99, 20);
}

#[test]
fn syntax_with_three_values() {
    run("syntax3", of_syntax(3), 30, 6);
}
