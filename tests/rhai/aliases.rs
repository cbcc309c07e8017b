//! Two names of one value: every place for a value, every way to a second name, every way to write to it; then all names are read.
//!
//! `PICLOUD_FUZZ_SECONDS` (of any number) runs all of them; without it each run takes a share, which `PICLOUD_FUZZ_SEED` chooses.

use std::env;

use picloud::{
    execution::Invocation,
    function::{Limits, quantity::Size},
};

use crate::{
    both::with_both,
    kit::script::invocation,
    shrink::{self, Case},
};

/// One script in so many is run.
const SHARE: usize = 6;
/// So many differences are shown before it ends.
const DIFFERENCES: usize = 5;
const LIMITS: Limits = Limits { operations: 200_000, log_size: Size::mib(1), ..Limits::DEFAULT };

/// What every script has.
const PRELUDE: &str = "import \"values\" as values;
fn same(x) { x }
fn show(all) { log::info(all.to_debug()); }
fn grow() { this.push(5); }
fn rename() { this.a = \"renamed\"; }
";

/// A value: its name, which is one of the module's and of the body's, and how it is written to; `X` is the name that is written to.
struct Value {
    name: &'static str,
    literal: &'static str,
    writes: &'static [&'static str],
}

const TEXT_WRITES: &[&str] = &[
    "X = \"new\";",
    "X += \"d\";",
    "X += 'e';",
    "X -= \"a\";",
    "X[0] = 'z';",
    "X.append(\"e\");",
    "X.replace(\"a\", \"bb\");",
    "X.truncate(1);",
    "X.pad(40, '.');",
    "X.make_upper();",
    "X.clear();",
];

const VALUES: &[Value] = &[
    Value { name: "number", literal: "5", writes: &["X = 9;", "X += 1;", "X[0] = false;", "X.set_bit(1, true);"] },
    Value { name: "short", literal: "\"abc\"", writes: TEXT_WRITES },
    Value { name: "long", literal: "\"a text of more than fourteen bytes\"", writes: TEXT_WRITES },
    Value {
        name: "list",
        literal: "[3, 1, 2]",
        writes: &[
            "X = [9];",
            "X[0] = 9;",
            "X[0] += 1;",
            "X.push(9);",
            "X.insert(0, 9);",
            "X.remove(0);",
            "X.pop();",
            "X.append([7, 8]);",
            "X += [7];",
            "X += 7;",
            "X.reverse();",
            "X.truncate(1);",
            "X.sort();",
            "X.retain(|x| x > 1);",
            "X.drain(0, 1);",
            "X.splice(0, 1, [6, 6]);",
            "X.pad(5, 0);",
            "X.grow();",
            "for x in X { X.push(x); }",
            "X.push(X);",
            "X.for_each(|| { this += 1; });",
            "X.clear();",
        ],
    },
    Value {
        name: "nested",
        literal: "[[1, 2], #{a: [3]}]",
        writes: &[
            "X[0][0] = 9;",
            "X[0][1] += 1;",
            "X[0].push(9);",
            "X[1].a[0] += 1;",
            "X[1].a.clear();",
            "X[1].b = X[0];",
            "X[1].b = X[0]; X[1].b.push(6);",
            "X[0] = X[1];",
            "X[0].grow();",
            "X[1].rename();",
            "X.push(X); X[2][0].push(7);",
            "for x in X { if type_of(x) == \"array\" { x.push(1); } }",
        ],
    },
    Value {
        name: "map",
        literal: "#{a: 1, b: [1, 2], c: #{d: \"x\"}}",
        writes: &[
            "X = #{z: 1};",
            "X.a = 9;",
            "X[\"a\"] += 1;",
            "X.b.push(3);",
            "X.b[0] = 9;",
            "X.b += 4;",
            "X.c.d += \"y\";",
            "X.c.d[0] = 'q';",
            "X.c.d.replace(\"x\", \"a text of more than fourteen bytes\");",
            "X.remove(\"a\");",
            "X += #{e: 5};",
            "X.mixin(#{a: 7});",
            "X.fill_with(#{a: 0, f: 6});",
            "X.set(\"a\", 2);",
            "X.e = X.b; X.e.push(4);",
            "X.c = X; X.c.a = 2;",
            "X.rename();",
            "X.up = |z| { this.a += z; }; X.up(3);",
            "X.clear();",
        ],
    },
    Value {
        name: "bytes",
        literal: "blob(3, 7)",
        writes: &["X[0] = 9;", "X[0] += 1;", "X.push(8);", "X += blob(1, 1);", "X.reverse();", "X.truncate(1);", "X.clear();"],
    },
];

/// Where the value is: a function for it, the script around, and the name that it has in there. `V` is the value.
struct Place {
    function: &'static str,
    script: &'static str,
    name: &'static str,
    /// Nothing can write to it by its name.
    is_fixed: bool,
}

const fn at(name: &'static str, script: &'static str) -> Place {
    Place { function: "", script, name, is_fixed: false }
}

const fn within(name: &'static str, function: &'static str, script: &'static str) -> Place {
    Place { function, script, name, is_fixed: false }
}

const fn fixed(name: &'static str, script: &'static str) -> Place {
    Place { function: "", script, name, is_fixed: true }
}

const PLACES: &[Place] = &[
    at("p", "let p = V; BODY show([p]);"),
    fixed("p", "const p = V; BODY show([p]);"),
    at("p", "let p = V; let get = || p; BODY show([p, get.call()]);"),
    at("p", "let p = V; let run = || { BODY }; run.call(); show([p]);"),
    at("p", "let p = V; let outer = || { let inner = || { BODY }; inner.call(); p }; show([outer.call(), p]);"),
    at("p", "let o = V; let run = |p| { BODY p }; let r = run.call(o); show([o, r]);"),
    within("p", "fn BODY_OF(p) { BODY p }", "let o = V; let r = BODY_OF(o); show([o, r]);"),
    within("p", "fn BODY_OF(p, z) { BODY [p, z] }", "let o = V; let r = BODY_OF(o, o); show([o, r]);"),
    within("this", "fn BODY_OF() { BODY this }", "let o = V; let r = o.BODY_OF(); show([o, r]);"),
    within("this", "fn BODY_OF() { BODY this }", "let h = [V, V]; let r = h[0].BODY_OF(); show([h, r]);"),
    within("this", "fn BODY_OF() { BODY this }", "let h = #{a: #{b: V}}; let c = h; let r = h.a.b.BODY_OF(); show([h, c, r]);"),
    within("this", "fn BODY_OF() { BODY this }", "let o = V; let get = || o; let r = o.BODY_OF(); show([o, get.call(), r]);"),
    at("this.v", "let h = #{v: V, run: || { BODY }}; let c = h; h.run(); show([h.v, c.v]);"),
    at("h[0]", "let h = [V, V]; BODY show(h);"),
    at("h[-1]", "let h = [V, V]; let c = h; BODY show([h, c]);"),
    at("h[0]", "let o = V; let get = || o; let h = [o, o]; BODY show([h, get.call()]);"),
    at("h.a", "let h = #{a: V, b: 1}; let c = h; BODY show([h, c]);"),
    at("h[\"a\"]", "let h = #{a: V}; BODY show([h]);"),
    at("h.a[0].b", "let h = #{a: [#{b: V}]}; let c = h.a; BODY show([h, c]);"),
    at("h.a[0].b", "let h = #{a: [#{b: V}]}; let get = || h; BODY show([h, get.call()]);"),
    at("p", "let h = [V, V]; for p in h { BODY show([p]); } show(h);"),
    at("p", "let h = [V]; let all = []; for (p, i) in h { all.push(|| p); BODY } show([h, all[0].call()]);"),
    at("h[0]", "let h = [V, V]; for p in h { BODY show([p]); } show(h);"),
    at("p", "let o = V; let run = (|p| { BODY p }).curry(o); let r = [run.call(), run.call()]; show([o, r]);"),
    // What is made of `values::V_NAME` itself stays constant in Rhai, wherever it is put.
    at("p", "let p = values::V_NAME; BODY show([p, values::V_NAME]);"),
    fixed("ctx.request.body.V_NAME", "BODY show([ctx.request.body.V_NAME]);"),
    at("p", "let p = ctx.request.body.V_NAME; BODY show([p, ctx.request.body.V_NAME]);"),
    at("p.V_NAME", "let p = ctx.request.body; BODY show([p.V_NAME, ctx.request.body.V_NAME]);"),
    at("p", "let o = V; let p = if true { o } else { 0 }; BODY show([o, p]);"),
    at("p", "let o = V; let p = switch 1 { 1 => o, _ => 0 }; BODY show([o, p]);"),
    at("p", "let o = V; let p = { let z = o; z }; BODY show([o, p]);"),
    at("p", "let o = V; let p = loop { break o; }; BODY show([o, p]);"),
    at("p", "let o = V; try { throw o; } catch (p) { BODY show([p]); } show([o]);"),
    at("p", "let o = V; let p = same(o); BODY show([o, p]);"),
    at("p", "let o = V; let p = (|x| x).call(o); BODY show([o, p]);"),
    at("p", "let o = V; let p = (|| o).call(); BODY show([o, p]);"),
    at("p", "let o = V; let p = same(same([o]))[0]; BODY show([o, p]);"),
    at("p", "let h = [V, V]; let r = h.map(|p| { BODY p }); show([h, r]);"),
    at("p", "let h = [V, V]; let r = h.filter(|p| { BODY true }); show([h, r]);"),
    at("this", "let h = [V, V]; h.for_each(|| { BODY }); show(h);"),
    at("this", "let h = [V, V]; let c = h; let r = h.map(|| { BODY this }); show([h, c, r]);"),
    at("p", "let h = [V, V]; h.sort(|p, z| { BODY true }); show(h);"),
    at("p", "let h = [V, V]; let r = h.reduce(|p, z| { BODY p }, V); show([h, r]);"),
    at("p", "let h = [V, V]; h.retain(|p| { BODY true }); show(h);"),
    at("p", "let h = #{a: V}; let r = h.filter(|k, p| { BODY true }); show([h, r]);"),
];

/// How `P`, the place, gets a second name; `WRITE` stands where `Q` is it.
const WAYS: &[(&str, &str)] = &[
    ("q", "let q = P; WRITE"),
    ("q", "let q = 0; q = P; WRITE"),
    ("q", "let z = P; let q = z; WRITE show([z]);"),
    ("q", "let q = P; let f = || { WRITE }; f.call(); show([q]);"),
    ("q", "let q = P; let f = |z| q; WRITE show([f.call(1), q]);"),
    ("q", "let q = (|| P).call(); WRITE"),
    ("q", "let q = same(P); WRITE"),
    ("q", "let q = (|x| x).call(P); WRITE"),
    ("q", "let f = |q| { WRITE }; f.call(P);"),
    ("q", "let f = (|q| { WRITE q }).curry(P); show([f.call(), f.call()]);"),
    ("q", "for q in [P, 1] { WRITE break; }"),
    ("q", "let q = if true { P } else { 0 }; WRITE"),
    ("q", "let q = switch 1 { 1 => P, _ => 0 }; WRITE"),
    ("q", "let q = () ?? P; WRITE"),
    ("q", "let q = loop { break P; }; WRITE"),
    ("q", "try { throw P; } catch (q) { WRITE }"),
    ("t[0]", "let t = [P, P]; WRITE show(t);"),
    ("t[1]", "let t = [0, 0]; t[1] = P; WRITE show(t);"),
    ("t[0]", "let t = []; t.push(P); let u = t; WRITE show([t, u]);"),
    ("t[0]", "let t = []; t += [P]; WRITE show(t);"),
    ("t[0]", "let t = []; t.insert(0, P); WRITE show(t);"),
    ("t[0]", "let t = [P]; t.append(t); WRITE show(t);"),
    ("t.a", "let t = #{a: P, b: P}; WRITE show([t]);"),
    ("t.a", "let t = #{}; t.a = P; let u = t; WRITE show([t, u]);"),
    ("t.a[0].b", "let t = #{a: [#{}]}; t.a[0].b = P; WRITE show([t]);"),
    ("t[\"a\"]", "let t = #{a: 0}; t[\"a\"] = P; WRITE show([t]);"),
    ("q", "show([P].map(|q| { WRITE q }));"),
    ("q", "show([P, P].filter(|q| { WRITE true }));"),
    ("this", "let t = [P, P]; t.for_each(|| { WRITE }); show(t);"),
    ("q", "show([P].reduce(|q, z| { WRITE [q, z] }, P));"),
    ("P[-1]", "P.push(P); WRITE"),
    ("P.z", "P.z = P; WRITE"),
];

/// Names of module constants are in capitals.
fn module() -> String {
    VALUES.iter().map(|value| format!("export const {} = {};\n", value.name.to_uppercase(), value.literal)).collect()
}

fn request() -> Invocation {
    let body = r#"{"number":5,"short":"abc","long":"a text of more than fourteen bytes","list":[3,1,2],"nested":[[1,2],{"a":[3]}],
        "map":{"a":1,"b":[1,2],"c":{"d":"x"}},"bytes":[7,7,7]}"#;
    *invocation("/f", &[("content-type", "application/json")], body)
}

/// Writes the script of a place, a way and a value: all writes through either name, each on fresh values.
fn script(place: &Place, (second, way): (&str, &str), value: &Value) -> String {
    let (mut functions, mut blocks) = (String::new(), String::new());
    let names = [second, "P"].map(|name| name.replace('P', place.name));
    for (number, write) in value.writes.iter().enumerate() {
        for (side, name) in names.iter().enumerate().filter(|(_, name)| !place.is_fixed || !name.contains(place.name)) {
            let write = write.replace('X', name);
            let write = format!("try {{ {write} }} catch (e) {{ log::info(e); }} show([{}, {}]);", names[0], names[1]);
            let body = way.replace("WRITE", &write).replace('P', place.name);
            let body = format!("try {{ {body} }} catch (e) {{ log::info(e); }}\n");
            let [function, script] = [place.function, place.script].map(|text| {
                let text = text.replace("BODY_OF", &format!("with_{number}_{side}")).replace("BODY", &body);
                let text = text.replace("values::V_NAME", &format!("values::{}", value.name.to_uppercase()));
                text.replace("V_NAME", value.name).replace('V', value.literal)
            });
            functions += &format!("{function}\n");
            blocks += &format!("try {{ {script} }} catch (e) {{ log::info(e); }}\n");
        }
    }
    format!("{PRELUDE}{functions}{blocks}")
}

#[test]
fn what_is_written_through_one_name_shows_where_it_has_to() {
    with_both("aliases", LIMITS, |both| {
        let number = |variable: &str| env::var(variable).ok().and_then(|text| text.parse::<usize>().ok());
        let (share, seed) = match number("PICLOUD_FUZZ_SECONDS") {
            Some(_) => (1, 0),
            None => (SHARE, number("PICLOUD_FUZZ_SEED").unwrap_or_default()),
        };
        let module = module();
        let all = PLACES.iter().flat_map(|place| WAYS.iter().flat_map(move |way| VALUES.iter().map(move |value| (place, way, value))));
        let (mut ran, mut refused, mut differences) = (0, Vec::new(), Vec::new());
        for (place, way, value) in all.skip(seed % share).step_by(share) {
            let files = vec![("f.rhai".into(), script(place, *way, value)), ("_lib/values.rhai".into(), module.clone())];
            let case = Case { files, request: request() };
            match case.run(both) {
                Ok(runs) if runs.rhai == runs.own || shrink::is_counted(&runs) => ran += 1,
                Ok(_) => differences.push(case.smallest(both).to_string()),
                Err(why) => refused.push(format!("{why}: {} | {}", place.script, way.1)),
            }
            if differences.len() == DIFFERENCES {
                break;
            }
        }
        println!("aliases: {ran} scripts");
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert!(refused.is_empty(), "{}", refused.join("\n"));
    });
}
