//! The comparison fails where it has to: two scripts that differ in one thing each, as if they were one script in two evaluators.

use picloud::{engine::Evaluator, function::Limits};

use crate::{
    both::{Both, Difference, Files, Seen, Verdict, usual, with_both},
    outside::FRONT,
};

fn seen(both: &Both, files: Files<'_>) -> Seen {
    both.run(&both.program(files).unwrap(), Evaluator::Rhai, &usual())
}

/// Returns the name of the first thing that differs.
fn first(both: &Both, one: Files<'_>, other: Files<'_>) -> String {
    let difference = Difference { files: String::new(), rhai: seen(both, one), own: seen(both, other) };
    if difference.rhai == difference.own {
        return "nothing".into();
    }
    let line = match difference.first() {
        ("(nothing more)", line) | (line, _) => line,
    };
    line.split(':').next().unwrap().into()
}

#[test]
fn everything_that_can_be_seen_is_compared() {
    with_both("proof", Limits::DEFAULT, |both| {
        let front = |script: &str| format!("{FRONT}{script}");
        for (one, other, name) in [
            ("1", "1 + 0", "nothing"),
            ("1", "1 +\n0", "nothing"),
            ("1", "throw 1", "outcome"),
            ("#{statusCode: 200}", "#{statusCode: 201}", "status"),
            ("#{statusCode: 200, headers: #{a: 1}}", "#{statusCode: 200, headers: #{a: 2}}", "header"),
            ("1", "\"1\"", "header"),
            ("1", "1.0", "body"),
            ("throw 1", "throw 2", "failure"),
            ("throw 1", " throw 1", "at"),
            ("throw 1", "\nthrow 1", "at"),
            ("fn a() { throw 1 }\na()", "fn a() { throw 1 }\n a()", "called"),
            ("fn a() { throw 1 }\na()", "fn b() { throw 1 }\nb()", "called"),
            ("log::info(1)", "log::info(2)", "log"),
            ("log::info(1)", "log::warn(1)", "log"),
            ("log::info(1); log::info(2)", "log::info(2); log::info(1)", "log"),
            ("log::info(1)", "log::info(1); log::info(1)", "log lines that did not fit"),
            ("for i in 0..1_001 { log::info(1) }", "for i in 0..1_002 { log::info(1) }", "log lines that did not fit"),
            ("emit(\"a\", 1); ()", "emit(\"a\", 2); ()", "emitted"),
            ("emit(\"a\", 1); ()", "emit(\"a\", 1, #{key: \"x\"}); ()", "emitted"),
            ("emit(\"a\", 1); throw 1", "let a  = 1 ;  throw 1", "event"),
            ("1", "let m = #{}; m.f = || m; 1", "leaks"),
            (&front("kv::set(\"a\", 1); ()"), &front("kv::set(\"a\", 1); kv::set(\"a\", 1); ()"), "effect"),
            (&front("kv::set(\"a\", 1); ()"), &front("kv::add(\"a\", 1); ()"), "effect"),
        ] {
            assert_eq!(first(both, &[("f.rhai", one)], &[("f.rhai", other)]), name, "{one} | {other}");
        }
        let module = ("_m.rhai", "fn a() { throw 1 }");
        let calls: Files = &[("f.rhai", "import \"_m\" as m; m::a()"), module];
        assert_eq!(first(both, calls, &[("f.rhai", "import \"_m\" as m; m::a() "), module]), "nothing");
        assert_eq!(first(both, calls, &[calls[0], ("_m.rhai", "fn a() { 1; throw 1 }")]), "at");
    });
}

#[test]
fn what_is_refused_does_not_count_as_the_same() {
    with_both("refused", Limits::DEFAULT, |both| {
        assert!(matches!(both.compare(&[("f.rhai", "nobody")]), Verdict::Refused(_)));
        assert!(matches!(both.compare(&[("f.rhai", "1")]), Verdict::Same));
    });
}
