//! Every function that the engine says it has, called in every way that there is to call it, with values that lie at the ends.

use std::{
    any::TypeId,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use picloud::{
    engine::Engine,
    function::{LimitPolicy, Limits, quantity::Span},
};

use crate::{
    hostile::{
        target::{Target, seed, with_target},
        values::{KINDS, Kind, PRELUDE, kind},
    },
    kit::mutate::Random,
};

/// A function of the engine.
pub struct Signature {
    pub name: String,
    pub parameters: Vec<&'static Kind>,
}

/// What the engine answers itself, without a function that it would list: found in Rhai's `types/token.rs` (`RESERVED_LIST`) and
/// `func/func_call.rs` (`exec_syntactic_fn_call`), and in `engine/lint/`. Arguments of these kinds.
const UNLISTED: &[(&str, &[&str])] = &[
    ("Fn", &["string"]),
    ("call", &["function"]),
    ("call", &["function", "any"]),
    ("call", &["function", "any", "any"]),
    ("call", &["map", "function", "any"]),
    ("curry", &["function", "any"]),
    ("curry", &["function", "any", "any"]),
    ("is_shared", &["any"]),
    ("type_of", &["any"]),
    ("is_def_var", &["string"]),
    ("is_def_fn", &["string", "int"]),
    ("is_def_fn", &["string", "string", "int"]),
    ("eval", &["string"]),
    ("index$get$", &["array", "int"]),
    ("index$get$", &["array", "range"]),
    ("index$get$", &["array", "range="]),
    ("index$get$", &["map", "string"]),
    ("index$get$", &["map", "any"]),
    ("index$get$", &["blob", "int"]),
    ("index$get$", &["blob", "range"]),
    ("index$get$", &["string", "int"]),
    ("index$get$", &["string", "range"]),
    ("index$get$", &["string", "range="]),
    ("index$get$", &["int", "int"]),
    ("index$get$", &["int", "range"]),
    ("index$get$", &["int", "range="]),
    ("index$get$", &["any", "any"]),
    ("index$set$", &["array", "int", "any"]),
    ("index$set$", &["map", "string", "any"]),
    ("index$set$", &["blob", "int", "int"]),
    ("index$set$", &["blob", "range", "int"]),
    ("index$set$", &["string", "int", "char"]),
    ("index$set$", &["string", "range", "string"]),
    ("index$set$", &["int", "int", "bool"]),
    ("index$set$", &["int", "range", "int"]),
    ("index$set$", &["any", "any", "any"]),
    ("get$some", &["any"]),
    ("set$some", &["any", "any"]),
];

/// What a script may not write, and reaches only by its name.
const BY_NAME_ONLY: [&str; 5] = ["print", "debug", "eval", "sleep", "timestamp"];

/// Returns every function of the engine, once.
pub fn signatures() -> Vec<Signature> {
    let listed: BTreeSet<(String, Vec<TypeId>)> = Engine::new(LimitPolicy::default()).functions().into_iter().collect();
    // The types of `ctx` and `ctx.request` are the engine's own: they are known by their properties.
    let owner = |property: &str| listed.iter().find(|(name, _)| name == property).map(|(_, parameters)| parameters[0]);
    let (ctx, request) = (owner("get$execution_id"), owner("get$raw_body"));
    let kind_of = |of: &TypeId| match Some(*of) {
        it if it == ctx => named("ctx"),
        it if it == request => named("ctx.request"),
        _ => kind(*of).unwrap_or_else(|| {
            panic!("a function takes a type that `tests/engine/hostile/values.rs` does not know; its neighbours are in the snapshot")
        }),
    };
    let listed =
        listed.iter().map(|(name, parameters)| Signature { name: name.clone(), parameters: parameters.iter().map(kind_of).collect() });
    let operators = operators();
    let unlisted = UNLISTED.iter().map(|(name, kinds)| (*name, *kinds));
    let binary = operators.iter().map(|symbol| (symbol.as_str(), &["any", "any"][..]));
    let unlisted = unlisted.chain(binary).chain(["!", "-", "+"].map(|symbol| (symbol, &["any"][..])));
    let unlisted =
        unlisted.map(|(name, kinds)| Signature { name: name.into(), parameters: kinds.iter().map(|name| named(name)).collect() });
    listed.chain(unlisted).collect()
}

fn named(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("no kind {name}"))
}

/// Returns every operator that stands between two values, as the engine's own tokenizer knows them.
pub fn operators() -> Vec<String> {
    const SYMBOLS: &[u8] = b"!#$%&*+-./:;<=>?@^|~";
    let mut found = vec!["in".to_owned(), "!in".to_owned()];
    for length in 1..=3_u32 {
        for number in 0..SYMBOLS.len().pow(length) {
            let symbol: String = (0..length).map(|place| SYMBOLS[number / SYMBOLS.len().pow(place) % SYMBOLS.len()] as char).collect();
            let token = rhai::Token::lookup_symbol_from_syntax(&symbol);
            // What has a precedence stands in an expression; a property's dot has a syntax of its own, and an assignment is a statement.
            let is_operator =
                |token: &rhai::Token| token.precedence().is_some_and(|precedence| precedence.get() > 0) || token.is_op_assignment();
            if token.is_some_and(|token| is_operator(&token)) && ![".", "?."].contains(&symbol.as_str()) {
                found.push(symbol);
            }
        }
    }
    found
}

impl Signature {
    /// Whether a script can have a value of each of its types.
    pub fn is_reachable(&self) -> bool {
        self.parameters.iter().all(|kind| !kind.values.is_empty())
    }

    fn text(&self) -> String {
        format!("{}({})", self.name, self.parameters.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", "))
    }

    /// Returns a call with `a`, `b`, `c`, `d` for arguments, or with other names: as a method, a function, by its name.
    pub fn call(&self, random: &mut Random, arguments: &[&str]) -> String {
        let name = self.name.as_str();
        let (first, rest) = (arguments.first().copied().unwrap_or_default(), arguments.get(1..).unwrap_or_default());
        let is_word = name.starts_with(|first: char| first.is_ascii_alphabetic()) && name != "in";
        match (name, rest) {
            ("index$get$", [index]) => random.one(&["a[i]", "a?[i]", "a[i].to_string()"]).replace('a', first).replace('i', index),
            ("index$set$", [index, value]) => format!("{{ {first}[{index}] = {value}; {first} }}"),
            ("curry" | "call" | "is_shared" | "type_of", _) => format!("{first}.{name}({})", rest.join(", ")),
            _ if name.starts_with("get$") => format!("{first}.{}", &name[4..]),
            _ if name.starts_with("set$") => format!("{{ {first}.{} = {}; {first} }}", &name[4..], rest[0]),
            (_, []) if !is_word => format!("{name} {first}"),
            (_, [right]) if !is_word && is_assignment(name) => format!("{{ {first} {name} {right}; {first} }}"),
            (_, [right]) if !is_word => format!("({first} {name} {right})"),
            _ if BY_NAME_ONLY.contains(&name) => format!("Fn(\"{name}\").call({})", arguments.join(", ")),
            _ if name.contains("::") || first.is_empty() => format!("{name}({})", arguments.join(", ")),
            _ => match random.below(6) {
                0 => format!("{name}({})", arguments.join(", ")),
                1 => format!("Fn(\"{name}\").call({})", arguments.join(", ")),
                2 => format!("{first}?.{name}({})", rest.join(", ")),
                _ => format!("{first}.{name}({})", rest.join(", ")),
            },
        }
    }
}

fn is_assignment(symbol: &str) -> bool {
    symbol.ends_with('=') && !["==", "!=", "<=", ">=", "..="].contains(&symbol)
}

/// Returns a value of a kind, or now and then of any.
pub fn value(random: &mut Random, kind: &Kind) -> &'static str {
    let values = match random.below(24) {
        0 => random.one(KINDS).values,
        _ if kind.name == "any" => random.one(KINDS).values,
        _ => kind.values,
    };
    if values.is_empty() { "()" } else { random.one::<&str>(values) }
}

/// Writes a script with one call; the value at `fixed`, if there is one, is given.
fn script(random: &mut Random, signature: &Signature, fixed: Option<(usize, &str)>) -> String {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let mut script = PRELUDE.to_owned();
    let mut arguments = Vec::new();
    for (place, kind) in signature.parameters.iter().enumerate() {
        let value = match fixed {
            Some((fixed, value)) if fixed == place => value,
            _ => value(random, kind),
        };
        script += &format!("let {} = {value};\n", NAMES[place]);
        // Now and then the same variable is both: the receiver and what is done with it.
        let is_same = place > 0 && fixed.is_none() && random.below(8) == 0;
        arguments.push(if is_same { "a" } else { NAMES[place] });
    }
    if !arguments.is_empty() && random.below(8) == 0 {
        script += "let keeper = || a;\n";
    }
    let call = signature.call(random, &arguments);
    script += &format!("let r = ();\ntry {{ r = {call}; }} catch (error) {{ r = error; }}\nlog::info(`type ${{type_of(r)}}`);\n");
    script += ["r", "a", "`${r}`", "[r]", "#{statusCode: r}", "r == r"][if arguments.is_empty() { 0 } else { random.below(6) }];
    script
}

/// The limits of what is generated: a callback that never ends must not take half a second each time.
pub fn limits() -> Limits {
    Limits { timeout: Span(Duration::from_millis(500)), operations: 60_000, ..Limits::DEFAULT }
}

#[test]
fn a_new_function_is_looked_at_before_it_is_accepted() {
    let listed: BTreeSet<String> = signatures().iter().map(Signature::text).collect();
    insta::assert_snapshot!(listed.into_iter().collect::<Vec<_>>().join("\n"));
}

/// What this file says of Rhai beside its list of functions is true of this version. After an upgrade, look whether `UNLISTED`, `KINDS` and the
/// statements in `programs.rs` are still all that there is.
#[test]
fn the_engine_is_the_version_that_was_looked_through() {
    let lock = include_str!("../../../Cargo.lock");
    assert!(lock.contains("name = \"rhai\"\nversion = \"1.27.0\""));
}

#[test]
fn every_function_holds_its_limits() {
    with_target("functions", limits(), |target| {
        let signatures: Vec<Signature> = signatures().into_iter().filter(Signature::is_reachable).collect();
        let (mut random, mut sweep) = (Random::new(seed()), Sweep::default());
        let mut turn = seed() as usize;
        let done = target.rounds(SECONDS, |target| {
            for signature in &signatures {
                sweep.call(target, &mut random, signature, turn);
            }
            turn += 1;
        });
        println!("functions: {} scripts in {done} rounds from seed {}, {} checked and run", sweep.tried, seed(), sweep.ran);
        let known: BTreeSet<&str> = KINDS.iter().flat_map(|kind| kind.types).copied().collect();
        sweep.types.retain(|name, _| !known.contains(name.as_str()));
        assert!(sweep.types.is_empty(), "values of types that `values.rs` does not know, and what made them: {:#?}", sweep.types);
    });
}

/// How long the sweep goes on, without `PICLOUD_FUZZ_SECONDS`.
const SECONDS: u64 = 10;

/// What came of the calls so far.
#[derive(Default)]
struct Sweep {
    tried: u64,
    ran: u64,
    /// The types of what came back, with a function that made each.
    types: BTreeMap<String, String>,
}

impl Sweep {
    /// Calls a function once for each parameter, which gets the value whose turn it is; the others get any. After as many turns as the
    /// longest list of values has, each parameter has had each.
    fn call(&mut self, target: &mut Target, random: &mut Random, signature: &Signature, turn: usize) {
        for place in 0..signature.parameters.len().max(1) {
            let fixed = signature.parameters.get(place).map(|kind| (place, kind.values[turn % kind.values.len()]));
            self.tried += 1;
            let Some(execution) = target.attack(&script(random, signature, fixed)) else { continue };
            self.ran += 1;
            for line in execution.logs {
                if let Some(name) = line.message.strip_prefix("type ") {
                    self.types.entry(name.to_owned()).or_insert_with(|| signature.text());
                }
            }
        }
    }
}
