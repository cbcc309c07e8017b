//! Every host function of the list, and every method and property, called with one argument that lies at the ends of what there is.
//!
//! The others are right, so that the call goes as far as it can. A new function has no call here, and fails until it has one.

use std::collections::BTreeSet;

use picloud::{
    engine::host::{CLASSES, HostFunction, MAX_ARGUMENTS, MODULES},
    execution::Outcome,
};

use crate::hostile::{
    functions::limits,
    outside::FRONT,
    target::{Target, with_target},
    values::PRELUDE,
};

/// A call that works: its name in the list, and its arguments. Options have every name that they may have together.
const CALLS: &[(&str, &[&str])] = &[
    ("secret", &["\"KEY\""]),
    ("render", &["\"page.html\"", "#{ a: [1, \"<\"] }"]),
    ("emit", &["\"orders.created\"", "#{ a: [1] }", "#{ key: \"k\", delay: \"1m\", id: \"i\" }"]),
    ("retry", &["\"30s\""]),
    ("dead", &["\"why\""]),
    ("log::trace", &["\"x\""]),
    ("log::info", &["[1]"]),
    ("log::warn", &["#{ a: 1 }"]),
    ("log::error", &["()"]),
    ("http::get", &["\"http://a.test/\"", OPTIONS]),
    ("http::head", &["\"http://a.test/\"", "#{ json: [1], headers: #{ a: secret(\"KEY\") } }"]),
    ("http::delete", &["\"http://a.test/\"", "#{ form: #{ a: 1 } }"]),
    ("http::post", &["\"http://a.test/\"", "#{ a: [1] }", "#{ timeout: \"1s\" }"]),
    ("http::put", &["\"http://a.test/\"", "\"text\"", "#{ retry: 1 }"]),
    ("http::patch", &["\"http://a.test/\"", "blob(9)", "#{ redirects: 0 }"]),
    ("http::request", &["#{ method: \"get\", url: \"http://a.test/\", headers: #{ a: \"b\" }, query: #{ a: 1 }, timeout: \"1s\" }"]),
    ("http::all", &["[\"http://a.test/\", #{ url: \"http://a.test/b\" }]"]),
    ("kv::get", &["\"k\"", "#{ meta: true }"]),
    ("kv::set", &["\"k\"", "[1]", "#{ ttl: \"1d\", if_version: 7 }"]),
    ("kv::add", &["\"k\"", "1", "#{ ttl: \"1d\" }"]),
    ("kv::delete", &["\"k\""]),
    ("kv::list", &["\"k\"", "#{ limit: 10, after: \"a\" }"]),
    ("kv::update", &["\"k\"", "|v| v", "#{ ttl: \"1d\" }"]),
    ("sql::query", &[SELECT, PARAMETERS]),
    ("sql::one", &[SELECT, PARAMETERS]),
    ("sql::value", &[SELECT, PARAMETERS]),
    ("sql::exec", &[SELECT, PARAMETERS]),
    ("sql::transaction", &["|t| t.exec(\"DELETE FROM t\")"]),
    ("crypto::sha256", &["\"x\""]),
    ("crypto::sha512", &["blob(9)"]),
    ("crypto::hmac_sha256", &["secret(\"KEY\")", "\"x\""]),
    ("crypto::equal", &["\"x\"", "secret(\"KEY\")"]),
    ("crypto::random", &["16"]),
    ("crypto::uuid", &[]),
    ("crypto::uuid7", &[]),
    ("crypto::password_hash", &["\"sesame\""]),
    ("crypto::password_verify", &["\"sesame\"", HASH]),
    ("crypto::ed25519_sign", &["blob(32, 1)", "\"x\""]),
    ("crypto::ed25519_verify", &[PUBLIC_KEY, "\"x\"", "blob(64, 1)"]),
    ("jwt::sign", &["#{ sub: \"ann\" }", "secret(\"KEY\")", "#{ algorithm: \"HS256\", ttl: \"1h\", kid: \"k\" }"]),
    ("jwt::verify", &[TOKEN, "secret(\"KEY\")", "#{ algorithms: [\"HS256\"], issuer: \"i\", audience: \"a\", leeway: \"1m\" }"]),
    ("encoding::base64", &["\"x\""]),
    ("encoding::from_base64", &["\"YWJj\""]),
    ("encoding::base64url", &["blob(9)"]),
    ("encoding::from_base64url", &["\"YWJj\""]),
    ("encoding::hex", &["\"x\""]),
    ("encoding::from_hex", &["\"ff\""]),
    ("encoding::url", &["\"a b\""]),
    ("encoding::from_url", &["\"a%20b\""]),
    ("webhook::verify", &["\"hmac\"", "secret(\"KEY\")", HMAC]),
    ("time::now", &[]),
    ("time::parse", &["\"2026-11-26T10:00\"", "\"Europe/Berlin\""]),
    ("time::of_ms", &["0"]),
    ("re::is_match", &["\"abc\"", "\"(?<n>.)c\""]),
    ("re::find", &["\"abc\"", "\"(?<n>.)c\""]),
    ("re::find_all", &["\"abc\"", "\"(?<n>.)c\""]),
    ("re::captures", &["\"abc\"", "\"(?<n>.)c\""]),
    ("re::replace", &["\"abc\"", "\"(?<n>.)c\"", "\"$n${n}$$\""]),
    ("re::split", &["\"a,b\"", "\",\"", "2"]),
    ("json::parse", &["\"{\\\"a\\\":[1]}\""]),
    ("json::text", &["#{ a: [1] }", "true"]),
    ("csv::parse", &["\"a;b\\n1;2\"", "#{ headers: true, delimiter: \";\" }"]),
    ("csv::text", &["[#{ a: 1, b: 2 }]", "#{ headers: [\"a\", \"b\"], delimiter: \";\" }"]),
    ("xml::parse", &["\"<a b='c'>x<d/></a>\""]),
    ("xml::text", &["#{ name: \"a\", attributes: #{ b: \"c\" }, children: [\"x\", #{ name: \"d\" }] }"]),
    ("html::escape", &["\"<\""]),
    ("markdown::to_html", &["\"# a\""]),
    ("url::parse", &["\"/b?c#d\"", "\"https://a.test\""]),
    ("url::query", &["#{ a: [1, \"x\"], b: () }"]),
    ("math::round", &["1.5", "1"]),
    ("math::fixed", &["1.5", "20"]),
    ("math::clamp", &["1", "0", "2.5"]),
    ("math::modulo", &["-1", "3"]),
    ("math::sum", &["[1, 2.5]"]),
    ("Secret.reveal", &[]),
    ("Transaction.query", &[SELECT, PARAMETERS]),
    ("Transaction.one", &[SELECT, PARAMETERS]),
    ("Transaction.value", &[SELECT, PARAMETERS]),
    ("Transaction.exec", &[SELECT, PARAMETERS]),
    ("Time.in_zone", &["\"Asia/Tokyo\""]),
    ("Time.add", &["\"1mo 2h\""]),
    ("Time.sub", &["\"1d\""]),
    ("Time.start_of", &["\"week\""]),
    ("Time.ms_until", &["time::of_ms(5)"]),
    ("Time.format", &["\"%F %T\""]),
    ("Time.rfc3339", &[]),
    ("Time.ms", &[]),
];

const OPTIONS: &str =
    "#{ headers: #{ a: \"b\" }, query: #{ a: secret(\"KEY\"), b: 1 }, body: \"x\", timeout: \"1s\", retry: 1, redirects: 1 }";
const SELECT: &str = "\"SELECT * FROM t WHERE a = $1\"";
const PARAMETERS: &str = "[1, \"x\", (), 2.5, true, time::of_ms(0), secret(\"KEY\"), blob(2), [1, 2]]";
const HASH: &str = "\"$argon2id$v=19$m=16,t=2,p=1$c2VzYW1lc2FsdA$iXPHRXxvPd3DsmWmoD6hbw\"";
const PUBLIC_KEY: &str = "encoding::from_hex(\"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\")";
const TOKEN: &str = "jwt::sign(#{ iss: \"i\", aud: \"a\" }, secret(\"KEY\"), #{ algorithm: \"HS256\", ttl: \"1h\" })";
const HMAC: &str = "#{ header: \"x-one\", algorithm: \"sha256\", encoding: \"hex\", prefix: \"v=\" }";

/// An object of each class. A transaction is there only in its closure.
const OBJECTS: &[(&str, &str)] = &[
    ("Secret", "secret(\"KEY\")"),
    ("Response", "http::get(\"http://a.test/\")"),
    ("Transaction", "t"),
    ("Time", "time::parse(\"2026-10-25T02:30\", \"Europe/Berlin\")"),
];

/// Check wants to see it.
const IS_WRITTEN_OUT: (&str, usize) = ("render", 0);

/// They say what becomes of an event, and end the run that it started.
const END_THE_RUN: [&str; 2] = ["retry", "dead"];

/// Of every type one or more: empty, deep, wide, as large as a value may be, or larger than what is made of it may be.
const EXTREMES: &[&str] = &[
    "()",
    "true",
    "-1",
    "9_223_372_036_854_775_807",
    "(-9_223_372_036_854_775_807 - 1)",
    "1.0e308",
    "(0.0 / 0.0)",
    "'\\x00'",
    "\"\"",
    "\"\\x00\"",
    "text(1_048_576, \"x\")",
    "text(1_000_000, \"<a>\")",
    "text(1_000_000, \"[\")",
    "text(150_000, \"ΐ\")",
    "blob()",
    "blob(32_000, 255)",
    "list(32_000, 0)",
    "list(30_000, text(1_000, \"x\"))",
    "list(170, list(180, 1))",
    "deep(600)",
    "list_holding_itself()",
    "deep_map(400)",
    "wide(600)",
    "#{ a: text(1_000_000, \"x\") }",
    "holding_itself()",
    "|x| text(1_000_000, \"x\")",
    "|x| { loop {} }",
    "chain(300)",
    "(0..9_223_372_036_854_775_807)",
    "time::of_ms(253_402_207_200_999)",
    "secret(\"KEY\")",
    "http::get(\"http://a.test/\")",
];

/// A function or a method of the list, with its right arguments.
struct Listed {
    name: String,
    /// The class that it belongs to.
    class: Option<&'static str>,
    function: &'static HostFunction,
    arguments: &'static [&'static str],
}

fn listed() -> Vec<Listed> {
    let functions = MODULES.into_iter().flat_map(|module| module.functions.iter().map(|function| (module.name, None, function)));
    let methods = CLASSES.into_iter().flat_map(|class| class.methods.iter().map(|method| (class.name, Some(class.name), method)));
    let all = functions.chain(methods).map(|(of, class, function)| {
        let name = match (of, class) {
            ("", _) => function.name.to_owned(),
            (module, None) => format!("{module}::{}", function.name),
            (class, Some(_)) => format!("{class}.{}", function.name),
        };
        let call = CALLS.iter().find(|(known, _)| *known == name);
        let arguments = call.unwrap_or_else(|| panic!("`{name}` is new: think about what could go wrong with it, and add a call of it")).1;
        assert_eq!(arguments.len(), function.parameters.len(), "every parameter of `{name}` has an argument");
        Listed { name, class, function, arguments }
    });
    all.collect()
}

/// Returns an object of a class, as an expression.
fn object(class: &str) -> &'static str {
    OBJECTS.iter().find(|(known, _)| *known == class).unwrap_or_else(|| panic!("`{class}` is new: add an object of it")).1
}

impl Listed {
    /// Writes a call with these arguments.
    fn call(&self, arguments: &[String]) -> String {
        let arguments = arguments.join(", ");
        match self.class {
            None => format!("{}({arguments})", self.name),
            Some(class) => format!("{}.{}({arguments})", object(class), self.function.name),
        }
    }

    /// Writes a script around a body in which calls are made.
    fn script(&self, declared: &str, body: &str) -> String {
        match self.class {
            Some("Transaction") => format!("{FRONT}{PRELUDE}{declared}sql::transaction(|t| {{ {body} }})"),
            _ => format!("{FRONT}{PRELUDE}{declared}{body}"),
        }
    }

    /// Returns the right arguments, of which one is this.
    fn with(&self, place: usize, argument: &str) -> Vec<String> {
        let arguments = self.arguments.iter().enumerate();
        arguments.map(|(at, right)| if at == place { argument.to_owned() } else { (*right).to_owned() }).collect()
    }

    /// Writes a script in which one argument is extreme.
    fn one(&self, place: usize, value: &str) -> String {
        if self.is_written_out(place) {
            return self.script("", &self.call(&self.with(place, value)));
        }
        let call = self.call(&self.with(place, "x"));
        self.script(&format!("let x = {value};\n"), &format!("let r = (); try {{ r = {call}; }} catch (error) {{ r = error; }} [r]"))
    }

    /// Writes a script in which each entry of a map that is an argument is extreme once.
    fn one_for_each_entry(&self, place: usize, value: &str) -> String {
        let declared = format!("let right = {};\nlet extreme = {value};\n", self.arguments[place]);
        let call = self.call(&self.with(place, "x"));
        self.script(&declared, &format!("for key in right.keys() {{ try {{ let x = right; x[key] = extreme; {call}; }} catch {{ }} }} 1"))
    }

    fn is_written_out(&self, place: usize) -> bool {
        (self.name.as_str(), place) == IS_WRITTEN_OUT
    }
}

#[test]
fn every_host_function_is_listed_with_a_call_that_works() {
    with_target("listed", limits(), |target| {
        let listed = listed();
        let names: BTreeSet<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
        let gone: Vec<_> = CALLS.iter().filter(|(name, _)| !names.contains(name)).collect();
        assert!(gone.is_empty(), "these are no host functions any more: {gone:?}");
        let arguments = |listed: &Listed| listed.arguments.iter().map(ToString::to_string).collect::<Vec<_>>();
        let calls = listed.iter().map(|listed| {
            let outcome = if END_THE_RUN.contains(&listed.name.as_str()) { Outcome::Failed } else { Outcome::Ok };
            (listed.script("", &format!("{}; 1", listed.call(&arguments(listed)))), outcome)
        });
        let properties = CLASSES.into_iter().flat_map(|class| class.properties.iter().map(|of| (object(class.name), of.name)));
        let reads = properties.map(|(object, name)| (format!("{FRONT}{object}.{name}"), Outcome::Ok));
        let broken: Vec<_> = calls.chain(reads).filter_map(|(script, outcome)| broken(target, &script, outcome)).collect();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    });
}

/// Says how a script that should end so does not.
fn broken(target: &mut Target, script: &str, outcome: Outcome) -> Option<String> {
    let call = script.lines().last().unwrap_or_default();
    let lost = target.leaked_bytes;
    match target.attack(script) {
        None => Some(format!("check refuses {call}")),
        // What is outside keeps what it gets, and that is no leak.
        Some(_) if ["emit", "http", "kv", "sql"].iter().any(|module| call.starts_with(module)) && target.leaked_bytes != lost => {
            Some(format!("{call} leaks {} bytes", target.leaked_bytes - lost))
        }
        Some(execution) if execution.outcome == outcome => None,
        Some(execution) => Some(format!("{call}: {} {:?}", execution.outcome.as_str(), execution.failure)),
    }
}

#[test]
fn a_wrong_count_of_arguments_does_not_pass_the_check() {
    with_target("counts", limits(), |target| {
        for listed in listed() {
            let counts = listed.function.counts();
            for count in (0..=MAX_ARGUMENTS + 2).filter(|count| !counts.contains(count)) {
                let script = listed.script("", &listed.call(&vec!["1".into(); count]));
                let ran = target.attack(&script);
                // A method of another class, or of Rhai's own, may take so many.
                let may_run = listed.class.is_some() && ran.as_ref().is_some_and(|execution| execution.outcome == Outcome::Failed);
                assert!(ran.is_none() || may_run, "{} with {count}: {ran:?}", listed.name);
            }
        }
    });
}

#[test]
fn every_host_function_holds_its_limits() {
    with_target("host", limits(), |target| {
        for (listed, place, value) in attacks(&listed()) {
            let is_refused = target.attack(&listed.one(place, value)).is_none();
            assert_eq!(is_refused, listed.is_written_out(place), "check has its say on {} with {value}", listed.name);
        }
    });
}

#[test]
fn every_option_of_a_host_function_holds_its_limits() {
    with_target("options", limits(), |target| {
        for (listed, place, value) in attacks(&listed()).filter(|(listed, place, _)| listed.arguments[*place].starts_with("#{")) {
            target.attack(&listed.one_for_each_entry(place, value)).expect("it passes the check");
        }
    });
}

/// Returns each place of each call, with each extreme value.
fn attacks(listed: &[Listed]) -> impl Iterator<Item = (&Listed, usize, &'static str)> {
    let places = listed.iter().flat_map(|listed| (0..listed.arguments.len()).map(move |place| (listed, place)));
    places.flat_map(|(listed, place)| EXTREMES.iter().map(move |value| (listed, place, *value)))
}
