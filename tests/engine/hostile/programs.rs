//! Programs put together from calls, operators and statements, with closures that hold what they are called on.

use crate::{
    hostile::{
        functions::{Signature, limits, operators, signatures, value},
        target::{seed, with_target},
        values::{KINDS, PRELUDE},
    },
    kit::mutate::Random,
};

/// How long this goes on, without `PICLOUD_FUZZ_SECONDS`.
const SECONDS: u64 = 8;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Statements, with `X` and `Y` for variables, `V` for a value, `C` for a call and `O` for an operator. What follows a loop's head is bounded
/// by the limits alone.
const STATEMENTS: &[&str] = &[
    "X = V;",
    "X = C;",
    "X = C;",
    "X = C;",
    "X = C;",
    "r = C;",
    "r = X O Y;",
    "X = Y;",
    "X += Y;",
    "X -= Y;",
    "X *= 3;",
    "X = [X, Y];",
    "X = #{x: X, y: Y};",
    "X.x = Y;",
    "X.x.y = Y;",
    "X[0] = Y;",
    "X[-1][0] = Y;",
    "X[Y] = X;",
    "X[0..3] = Y;",
    "X?.x?.y = V;",
    "r = X?[0]?.x ?? Y;",
    "r = X[Y] ?? V;",
    "r = `${X}${Y}${X}`;",
    "r = X in Y || Y !in X;",
    "r = switch X { 0 | 1 => Y, 2..9 => X, \"x\" if Y => 1, _ => V };",
    "switch Y { X => 1 }",
    "for x in X { r = x; C; }",
    "for (x, i) in X { if i > 3 { break; } Y = [x, i, Y]; }",
    "for x in X { X = C; }",
    "for i in 0..50 { X = C; }",
    "let i = 0; while i < 20 { i += 1; X = C; }",
    "let i = 0; do { i += 1; r = C; } until i > 20;",
    "loop { X = C; if r == X { break; } r = X; }",
    "let keep = || X; r = keep.call();",
    "let set = |x| { X = x; X }; r = set.call(Y); X = set;",
    "let both = |x| [X, Y, x]; X = both; r = both.call(both);",
    "X.f = || X; r = X.f();",
    "X.f = |x| { this.x = x; this }; X.f(Y);",
    "X.push(|| X);",
    "X.push(|x| Y); Y.push(|x| X);",
    "r = X.map(|x| C);",
    "r = Y.map(|x| Y.map(|y| C));",
    "r = X.filter(|x| { X = Y; true });",
    "X.sort(|x, y| { Y = C; x < y });",
    "X.for_each(|i| { this = [this, Y, i]; });",
    "r = X.reduce(|all, x| [all, x, Y]);",
    "r = X.call(Y, X); r = X.call(X);",
    "X = X.curry(Y, X); r = X.call();",
    "X = Fn(\"again\").curry(X); r = type_of(X) + is_shared(Y);",
    "r = [X.tag, Y.tag]; X.tag = 9_223_372_036_854_775_807;",
    "try { throw X; } catch (e) { r = e; X = [e, Y]; }",
    "try { C; throw [X, Y]; } catch { r = C; } ",
    "{ let X = Y; { let Y = X; r = C; } }",
    "if X { r = C; } else if Y { r = X; } else { r = Y; }",
    "r = if X == Y { X } else { Y };",
    "r = fold(X, Y);",
    "r = { let X = C; X };",
    "fold(X, |x| fold(Y, x));",
    "log::info(X); log::error([X, Y]);",
    "r = #{statusCode: X, headers: Y, body: X};",
    "r = parse_json(`[${X.to_json()},${Y.to_json()}]`);",
    "r = X.to_string() + Y.to_debug();",
    "return X;",
];

/// A function of the script's own, which calls what it is given.
const FOLD: &str = "fn fold(x, y) { let r = [x, y]; try { r += y.call(x); } catch {} switch x { [] => y, _ => r } }\n";

fn program(random: &mut Random, signatures: &[Signature], operators: &[String]) -> String {
    let mut script = format!("{PRELUDE}{FOLD}let r = ();\n");
    for name in NAMES {
        script += &format!("let {name} = {};\n", any_value(random));
    }
    let caught = random.below(4) > 0;
    for _ in 0..=random.below(5) {
        let statement = random.one(STATEMENTS);
        let statement = fill(random, statement, signatures, operators);
        script += &if caught { format!("try {{ {statement} }} catch (error) {{ r = error; }}\n") } else { format!("{statement}\n") };
    }
    script + *random.one(&["r", "a", "b", "[a, b, c, d]", "#{statusCode: 200, headers: a, body: b}", "()"])
}

fn any_value(random: &mut Random) -> &'static str {
    let kind = random.one(KINDS);
    value(random, kind)
}

fn fill(random: &mut Random, statement: &str, signatures: &[Signature], operators: &[String]) -> String {
    let pair = [*random.one(&NAMES), *random.one(&NAMES)];
    let mut filled = String::new();
    for part in statement.chars() {
        match part {
            'X' => filled += pair[0],
            'Y' => filled += pair[1],
            'V' => filled += any_value(random),
            'O' => filled += random.one(operators).as_str(),
            'C' => filled += &call(random, signatures, pair),
            part => filled.push(part),
        }
    }
    filled
}

/// Writes a call on the statement's variables, with others or with values beside.
fn call(random: &mut Random, signatures: &[Signature], pair: [&str; 2]) -> String {
    let signature = random.one(signatures);
    let arguments: Vec<&str> = (0..)
        .zip(&signature.parameters)
        .map(|(place, kind)| match random.below(4) {
            _ if place == 0 => pair[0],
            0 => pair[0],
            1 => pair[1],
            _ => value(random, kind),
        })
        .collect();
    signature.call(random, &arguments)
}

#[test]
fn what_calls_and_statements_add_up_to_holds_its_limits() {
    with_target("programs", limits(), |target| {
        let signatures: Vec<Signature> = signatures().into_iter().filter(Signature::is_reachable).collect();
        let operators: Vec<String> = operators().into_iter().filter(|symbol| !symbol.ends_with('=') || symbol.len() > 1).collect();
        let (mut random, mut ran) = (Random::new(seed()), 0_u64);
        let done = target.rounds(SECONDS, |target| {
            let program = program(&mut random, &signatures, &operators);
            ran += u64::from(target.attack(&program).is_some());
        });
        println!("programs: {done} programs from seed {}, {ran} of them run", seed());
        assert!(ran * 3 > done, "the check refuses most of them: {ran} of {done} run");
    });
}
