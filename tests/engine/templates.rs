//! Templates: what they give, what check finds in them, and where they end.

use std::sync::Arc;

use picloud::{engine::Engine, execution::Outcome, function::LimitPolicy, sync::check::Checker};

use crate::kit::script::{invocation, run_tree, tree};

const PAGE: &str = "_templates/page.html";

/// Renders `page.html` with these values.
fn page(template: &str, values: &str) -> String {
    files(&[(PAGE, template)], values)
}

/// The same, with other templates beside it. It gives the message if that fails.
fn files(templates: &[(&str, &str)], values: &str) -> String {
    let script = format!("let r = (); try {{ r = render(\"page.html\", {values}); }} catch (e) {{ r = e; }} r");
    let all: Vec<(&str, &str)> = templates.iter().copied().chain([("f.rhai", script.as_str())]).collect();
    let finished = run_tree(&all, invocation("/", &[], ""));
    let reply = finished.reply.unwrap_or_else(|| panic!("{:?}", finished.execution.failure));
    String::from_utf8(reply.body.to_vec()).unwrap()
}

/// What check says of a tree.
fn said(files: &[(&str, &str)]) -> String {
    let report = Checker::new(Arc::new(Engine::new(LimitPolicy::default()))).check(&Arc::new(tree(files)));
    report.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_about_templates_begins_with_an_example_that_works() {
    let docs = include_str!("../../docs/templates.md");
    let block =
        |kind: &str, number: usize| docs.split(&format!("```{kind}\n")).nth(number).unwrap().split("```").next().unwrap().to_owned();
    let (base, people, script) = (block("html", 1), block("html", 2), block("rhai", 1));
    let tree = [("_templates/base.html", base.as_str()), ("_templates/people.html", &people), ("f.rhai", &script)];
    assert_eq!(said(&tree), "");
    let reply = run_tree(&tree, invocation("/", &[], "")).reply.unwrap();
    let page = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(
        page.contains("<title>2 people</title>") && page.contains("<li>1. Ada &lt;Lovelace&gt;, 1815\n  <li>2. Grace, of unknown age"),
        "{page}"
    );
}

#[test]
fn values_are_written_as_their_file_wants_it() {
    for (template, values, given) in [
        (
            "{{ a }}|{{ b }}|{{ c }}|{{ d[0] }}|{{ t }}",
            "#{ a: \"<&\", b: 1.5, c: (), d: [true], t: time::of_ms(0) }",
            "&lt;&amp;|1.5||true|1970-01-01T00:00:00+00:00",
        ),
        ("{{ a | safe }}", "#{ a: \"<b>\" }", "<b>"),
        ("{{ x | default('-') }}", "#{}", "-"),
        ("{{ a.b.c }}", "#{ a: #{ b: #{ c: 7 } } }", "7"),
    ] {
        assert_eq!(page(template, values), given, "{template}");
    }
    let parts = [(PAGE, "{% include \"a/t.html\" %}"), ("_templates/a/t.html", "{{ v }}")];
    assert_eq!(files(&parts, "#{ v: \"<\" }"), "&lt;");
    let plain = [("f.rhai", "render(\"t.txt\", #{ v: \"<\" })"), ("_templates/t.txt", "{{ v }}")];
    assert_eq!(run_tree(&plain, invocation("/", &[], "")).reply.unwrap().body, "<");
}

#[test]
fn a_template_that_fails_says_where() {
    let loops = "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}";
    let messages = [
        page("a\n{{ user.name }}", "#{}"),
        page("{{ user.name }}", "#{ user: #{} }"),
        page("{{ f }}", "#{ f: |x| x }"),
        page("{{ 1 / 0 }}", "#{}"),
        page(loops, "#{}"),
        page("{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}", "#{}"),
        page("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "#{}"),
        files(&[(PAGE, "{% include \"page.html\" %}")], "#{}"),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn what_a_page_may_hold_is_bounded() {
    let script = "+++\n[limits]\nresponse = \"1KiB\"\n+++\nrender(\"page.html\", #{ a: [1] })";
    let large = [(PAGE, "{% for i in range(500) %}12345678{% endfor %}"), ("f.rhai", script)];
    let failure = run_tree(&large, invocation("/", &[], "")).execution.failure.unwrap();
    assert_eq!(failure.message, "`render`: the page is larger than the 1024 bytes of a response");
    let script = "let a = []; a.pad(30_000, 1); let m = #{}; for i in 0..60 { m[`k${i}`] = a; } render(\"page.html\", m)";
    let finished = run_tree(&[(PAGE, "x"), ("f.rhai", script)], invocation("/", &[], ""));
    assert_eq!(finished.execution.outcome, Outcome::MemoryExceeded);
    assert!(finished.execution.peak_memory_bytes < 80 << 20);
}

#[test]
fn what_is_wrong_with_templates_is_found_when_they_are_saved() {
    let found = [
        said(&[(PAGE, "a\n  {{ b c }}")]),
        said(&[(PAGE, "{% if a %}\n")]),
        said(&[(PAGE, "{% extends \"bas.html\" %}"), ("_templates/base.html", "")]),
        said(&[(PAGE, "x {% include name %}")]),
        said(&[(PAGE, "{% include \"none.html\" ignore missing %}")]),
        said(&[(PAGE, "{% include \"t.txt\" %}"), ("_templates/t.txt", "{{ v }}")]),
        said(&[(PAGE, ""), ("_templates/t.txt", "{% include \"page.html\" %}")]),
        said(&[(PAGE, ""), ("f.rhai", "render(\"pages.html\", #{})")]),
        said(&[("f.rhai", "fn f() { render(`x${1}.html`) }\n1")]),
        said(&[("f.rhai", "import \"m\" as m; m::f()"), ("_lib/m.rhai", "fn f() { render(\"mail.txt\") }")]),
        said(&[("f.rhai", "render()")]),
        said(&[(PAGE, ""), ("f.rhai", "\"page.html\".render(#{})")]),
        said(&[(PAGE, ""), ("f.rhai", "let f = Fn(\"render\"); f.call(\"page.html\")")]),
        said(&[("f.rhai", "+++\nsecrets = [\"A\"]\n+++\n\"B\".secret().reveal()")]),
        said(&[("f.rhai", "+++\nsecrets = [\"A\"]\n+++\nFn(\"secret\").call(\"B\").reveal()")]),
    ];
    insta::assert_snapshot!(found.join("\n---\n"));
}

#[test]
fn functions_and_closures_may_be_called_render() {
    for (script, given) in [
        ("fn render(x) { `${this}${x}` }\n\"a\".render(1)", "a1"),
        ("fn render(x) { x }\nFn(\"render\").call(2)", "2"),
        ("let page = #{ render: |x| x };\npage.render(3)", "3"),
    ] {
        assert_eq!(said(&[("f.rhai", script)]), "", "{script}");
        assert_eq!(run_tree(&[("f.rhai", script)], invocation("/", &[], "")).reply.unwrap().body, given, "{script}");
    }
}

#[test]
fn a_version_has_the_templates_that_it_renders() {
    let version = |templates: &[(&str, &str)]| {
        let all: Vec<_> = templates.iter().copied().chain([("f.rhai", "render(\"a.html\")")]).collect();
        let report = Checker::new(Arc::new(Engine::new(LimitPolicy::default()))).check(&Arc::new(tree(&all)));
        report.functions.values().next().unwrap().version
    };
    let (a, b) = (("_templates/a.html", "{% include \"b.html\" %}"), "_templates/b.html");
    let first = version(&[a, (b, "1")]);
    assert_ne!(version(&[a, (b, "2")]), first);
    assert_eq!(version(&[a, (b, "1"), ("_templates/c.html", "1")]), first);
}
