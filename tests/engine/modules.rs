//! Modules of the host as scripts call them.

use crate::kit::script::{answer, failure, findings, invocation, run_tree};

/// Runs the first script of a page of the documentation, which is a whole function.
fn example_of(page: &str, uri: &str, headers: &[(&'static str, &str)], body: &str) -> String {
    let script = page.split_once("```rhai\n").and_then(|(_, rest)| rest.split_once("```")).expect("the page has an example").0;
    let finished = run_tree(&[("f.rhai", script)], invocation(uri, headers, body));
    let reply = finished.reply.unwrap_or_else(|| panic!("{:?}", finished.execution.failure));
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[test]
fn the_pages_begin_with_examples_that_work() {
    let opening = |at: &str| example_of(include_str!("../../docs/time.md"), &format!("/f?at={at}"), &[], "");
    assert_eq!(
        opening("2026-11-27T18:30:00Z"),
        r#"{"day":"Friday","in_ms":221400000,"now":"2026-11-27T19:30:00+01:00","open":false,"opens":"2026-11-30T09:00:00+01:00"}"#
    );
    assert!(opening("2026-11-27T09:00:00Z").contains(r#""open":true"#));
    let body = "Ada Lovelace <ada@example.org>\r\nnobody\n <x@y.z>\n";
    assert_eq!(
        example_of(include_str!("../../docs/text.md"), "/f", &[("content-type", "text/plain")], body),
        r#"{"people":[{"address":"ada@example.org","name":"Ada Lovelace"},{"address":"x@y.z","name":""}],"wrong":["nobody"]}"#
    );
}

#[test]
fn times_are_values_like_others() {
    for (script, given) in [
        (
            "let t = time::parse(\"2026-11-23T09:04:05.678+01:00\"); [t.year, t.month, t.day, t.hour, t.minute, t.second, t.weekday]",
            "[2026,11,23,9,4,5,1]",
        ),
        (
            "let t = time::of_ms(0); #{ t: t, zone: t.in_zone(\"Asia/Tokyo\").zone, ms: t.ms() }",
            r#"{"ms":0,"t":"1970-01-01T00:00:00+00:00","zone":"Asia/Tokyo"}"#,
        ),
        (
            "let a = time::of_ms(0); let b = a.add(\"1ms\"); [a < b, a == b, a != b, a >= b, a == a.in_zone(\"Asia/Tokyo\"), a.ms_until(b)]",
            "[true,false,true,false,true,1]",
        ),
        ("let t = time::of_ms(0); `at ${t}`", "at 1970-01-01T00:00:00+00:00"),
        ("let t = time::now(); t.year > 2020 && t.zone == \"UTC\" && time::now() >= t", "true"),
        ("type_of(time::now())", "object"),
    ] {
        assert_eq!(answer(script), given, "{script}");
    }
}

#[test]
fn patterns_find_replace_and_split() {
    for (script, given) in [
        ("re::is_match(\"Straße\", `^\\w+$`)", "true"),
        ("[re::find(\"a1b22\", `\\d+`), re::find(\"ab\", `\\d`), re::find_all(\"a1b22\", `\\d+`)]", r#"["1",null,["1","22"]]"#),
        ("re::captures(\"2026-11\", `(?<y>\\d+)-(\\d+)(x)?`)", r#"{"0":"2026-11","1":"2026","2":"11","3":null,"y":"2026"}"#),
        ("re::captures(\"\", `x`)", "null"),
        ("re::replace(\"ada lovelace\", `(?<first>\\w)(\\w*)`, \"[$first|${2}|$$|$9]\")", "[a|da|$|] [l|ovelace|$|]"),
        ("re::replace(\"abc\", ``, \"-\")", "-a-b-c-"),
        ("re::replace(\"äb\", `x*`, \"-\")", "-ä-b-"),
        ("re::replace(\"aaab\", `a*`, \"-\")", "-b-"),
        ("re::split(\"a, b,c\", `,\\s*`)", r#"["a","b","c"]"#),
        ("re::split(\"a,b,c\", `,`, 2)", r#"["a","b,c"]"#),
        ("re::split(\"\", `,`)", r#"[""]"#),
        ("re::find_all(\"ab\", `\\b`)", r#"["",""]"#),
    ] {
        assert_eq!(answer(script), given, "{script}");
    }
}

#[test]
fn json_is_read_and_written() {
    for (script, given) in [
        ("json::parse(`{\"a\":[1,2.5,null]}`).a[1]", "2.5"),
        ("json::text(#{ a: [1, (), true], t: time::of_ms(0) })", r#"{"a":[1,null,true],"t":"1970-01-01T00:00:00+00:00"}"#),
        ("json::text([1], true)", "[\n  1\n]"),
        (
            "let r = (); try { r = json::parse(\"[1,\"); } catch (e) { r = e; } r",
            "`json::parse`: the text is no JSON: it ends before it is complete at line 1 column 3",
        ),
        ("let r = (); try { r = json::text(|x| x); } catch (e) { r = e; } r", "`json::text`: a function has no form in JSON"),
    ] {
        assert_eq!(answer(script), given, "{script}");
    }
}

#[test]
fn what_a_call_is_given_as_text_is_checked_before_the_run() {
    let found: Vec<String> = [
        "re::is_match(\"\", \"a(b\")",
        "let text = \"x\";\nre::split(text, `[z-a]`);",
        "re::find(\"\", `\\w{5000}`)",
        "fn f(x) { re::replace(x, \"\\\\k\", \"\") }\n1",
        "re::matches(\"\", \"\")",
        "re::find(\"\")",
        "time::now(1)",
        "date()",
    ]
    .iter()
    .flat_map(|script| findings(&[("f.rhai", script)]))
    .collect();
    insta::assert_snapshot!(found.join("\n"));
    let module = [("f.rhai", "import \"m\" as m; 1"), ("_lib/m.rhai", "fn f(x) { re::find(x, `(`) }")];
    assert!(findings(&module)[0].starts_with("_lib/m.rhai:1:23: error: the pattern is malformed"), "{:?}", findings(&module));
}

#[test]
fn a_check_does_not_compile_patterns_for_ever() {
    let calls: String = (0..3_000).map(|n| format!("re::is_match(\"\", `\\w{{18}}{n}`);\n")).collect();
    let found = crate::kit::script::on_big_stack(move || {
        use picloud::{engine::Engine, function::LimitPolicy, sync::check::Checker};
        use std::sync::Arc;
        Checker::new(Arc::new(Engine::new(LimitPolicy::default()))).check(&Arc::new(crate::kit::script::tree(&[("f.rhai", &calls)])))
    });
    assert!(found.diagnostics.iter().any(|found| found.message.contains("2s of CPU time")), "{:?}", found.diagnostics);
}

#[test]
fn what_a_pattern_would_take_too_long_for_is_refused() {
    let failed = failure("let s = \"\"; s.pad(1_000_000, \"ab\"); re::is_match(s, `[ab]*a[ab]{400}`)");
    let message = failed.failure.unwrap().message;
    assert!(message.contains("a pattern with 402 places searches at most 166937 bytes, not 1000000"), "{message}");
}

#[test]
fn tables_are_read_and_written() {
    for (script, given) in [
        ("csv::parse(\"name,age\\nAda,36\\n\\\"Grace, H.\\\",85\\n\")", r#"[{"age":"36","name":"Ada"},{"age":"85","name":"Grace, H."}]"#),
        ("csv::parse(\"a;b\\r\\n\\\"c\\\"\\\"\\\";\", #{ headers: false, delimiter: \";\" })", r#"[["a","b"],["c\"",""]]"#),
        ("csv::text([#{ b: 1, a: \"x,y\" }, #{ a: (), b: true }])", "a,b\r\n\"x,y\",1\r\n,true\r\n"),
        ("csv::text([#{ b: 1, a: 2 }], #{ headers: [\"b\"], delimiter: \"\\t\" })", "b\r\n1\r\n"),
        ("csv::text([[1, 2.5], [\"\", time::of_ms(0)]])", "1,2.5\r\n,1970-01-01T00:00:00+00:00\r\n"),
        (
            "let r = (); try { r = csv::parse(\"a,b\\n1\"); } catch (e) { r = e; } r",
            "`csv::parse`: the row at line 2 has 1 values, and the rows before have 2",
        ),
        (
            "let r = (); try { r = csv::parse(\"a,a\"); } catch (e) { r = e; } r",
            "`csv::parse`: the first row names `a` twice; with `#{ headers: false }` the rows are arrays",
        ),
        (
            "let r = (); try { r = csv::text([[1], [[2]]]); } catch (e) { r = e; } r",
            "`csv::text`: a text or a number is wanted, not an array",
        ),
        (
            "let r = (); try { r = csv::parse(\"\", #{ delimiter: \"--\" }); } catch (e) { r = e; } r",
            "`csv::parse`: the option `delimiter` is one ASCII character, such as \";\" or \"\\t\"",
        ),
    ] {
        assert_eq!(answer(script), given, "{script}");
    }
}

#[test]
fn documents_of_xml_go_both_ways() {
    let document = "<?xml version='1.0'?><!-- c --><a x='1 &lt; 2'>one &amp; <b/> <c>&#65;<![CDATA[<d>]]></c></a>";
    for (script, given) in [
        (
            "xml::parse(D)",
            r#"{"attributes":{"x":"1 < 2"},"children":["one & ",{"attributes":{},"children":[],"name":"b","text":""},{"attributes":{},"children":["A<d>"],"name":"c","text":"A<d>"}],"name":"a","text":"one & "}"#,
        ),
        ("xml::text(xml::parse(D))", "<a x=\"1 &lt; 2\">one &amp; <b></b><c>A&lt;d&gt;</c></a>"),
        ("xml::text(#{ name: \"p\", attributes: #{ id: 7 }, text: \"<\" })", "<p id=\"7\">&lt;</p>"),
        ("xml::text(#{ name: \"p\", children: [1, #{ name: \"q\" }] })", "<p>1<q/></p>"),
    ] {
        assert_eq!(answer(&script.replace('D', &format!("{document:?}"))), given, "{script}");
    }
    let refused = ["<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>&b;</a>", "<a>\n<b></a>", "<a", "<a/><b/>", "x", "", "<a x='1' x='2'/>"];
    let mut found: Vec<String> =
        refused.iter().map(|text| answer(&format!("let r = (); try {{ r = xml::parse({text:?}); }} catch (e) {{ r = e; }} r"))).collect();
    found.push(answer("let s = \"\"; s.pad(3_000, \"<a>\"); let r = (); try { r = xml::parse(s); } catch (e) { r = e; } r"));
    found.push(answer("let r = (); try { r = xml::text(#{ name: \"a b\" }); } catch (e) { r = e; } r"));
    found.push(answer("let r = (); try { r = xml::text(#{ name: \"a\", text: \"\\x00\" }); } catch (e) { r = e; } r"));
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn html_and_markdown_hold_nothing_that_runs() {
    assert_eq!(answer("html::escape(\"<a href='x'>&\\\"\")"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
    for (text, given) in [
        (
            "# A *b*\n\n|x|\n|-|\n|1|",
            "<h1>A <em>b</em></h1>\n<table><thead><tr><th>x</th></tr></thead><tbody>\n<tr><td>1</td></tr>\n</tbody></table>\n",
        ),
        ("a <script>x</script>", "<p>a &lt;script&gt;x&lt;/script&gt;</p>\n"),
        ("<script>\nx\n</script>", "&lt;script&gt;\nx\n&lt;/script&gt;"),
        ("[a](javascript:x)", "<p><a href=\"#\">a</a></p>\n"),
        ("[a](JaVa&Tab;Script&colon;x)", "<p><a href=\"#\">a</a></p>\n"),
        ("![a](data:text/html,x)", "<p><img src=\"#\" alt=\"a\" /></p>\n"),
        ("<javascript:x>", "<p><a href=\"#\">javascript:x</a></p>\n"),
        (
            "[a](/b?c=d:e) [m](mailto:x@y.z) <https://x.y/>",
            "<p><a href=\"/b?c=d:e\">a</a> <a href=\"mailto:x@y.z\">m</a> <a href=\"https://x.y/\">https://x.y/</a></p>\n",
        ),
        ("[a](x \"\\\"><b>\")", "<p><a href=\"x\" title=\"&quot;&gt;&lt;b&gt;\">a</a></p>\n"),
    ] {
        assert_eq!(answer(&format!("markdown::to_html({text:?})")), given, "{text}");
    }
    assert!(
        answer("let s = \"\"; s.pad(300_000, \"x\"); let r = (); try { r = markdown::to_html(s); } catch (e) { r = e; } r")
            .contains("longer than 256 KiB")
    );
}

#[test]
fn urls_are_taken_apart_and_queries_written() {
    for (script, given) in [
        (
            "url::parse(\"https://ada@example.org/a%20b?x=1&y=a+b&x=2#z\")",
            r##"{"fragment":"z","host":"example.org","href":"https://ada@example.org/a%20b?x=1&y=a+b&x=2#z","origin":"https://example.org","path":"/a%20b","port":443,"query":{"x":"1","y":"a b"},"scheme":"https","username":"ada"}"##,
        ),
        ("url::parse(\"../c\", \"http://x.y:81/a/b/\").href", "http://x.y:81/a/c"),
        ("url::query(#{ a: 1, b: [\"x y\", \"&\"], c: () })", "a=1&b=x+y&b=%26"),
        (
            "let r = (); try { r = url::parse(\"/a\"); } catch (e) { r = e; } r",
            "`url::parse`: the text is no URL: relative URL without a base",
        ),
    ] {
        assert_eq!(answer(script), given, "{script}");
    }
}

#[test]
fn numbers_are_rounded_bounded_and_added() {
    for (script, given) in [
        (
            "[math::round(2.345, 2), math::round(7, 2), math::clamp(5, 0, 3), math::clamp(-1.5, 0, 3), math::modulo(-1, 3), math::sum([1, 2]), math::sum([1, 2.5])]",
            "[2.35,7,3,0,2,3,3.5]",
        ),
        ("[math::fixed(12.5, 2), math::fixed(3, 2), math::fixed(3, 0), math::fixed(0.05, 1)]", r#"["12.50","3.00","3","0.1"]"#),
        ("let r = (); try { r = math::modulo(1, 0); } catch (e) { r = e; } r", "`math::modulo`: 1 modulo 0 is no number"),
        (
            "let r = (); try { r = math::sum([9_223_372_036_854_775_807, 1]); } catch (e) { r = e; } r",
            "`math::sum`: the sum is larger than a whole number can be",
        ),
        ("let r = (); try { r = math::sum([\"1\"]); } catch (e) { r = e; } r", "`math::sum`: a string is no number"),
        ("let r = (); try { r = math::fixed(1, 21); } catch (e) { r = e; } r", "`math::fixed`: `digits` is a whole number from 0 to 20"),
    ] {
        assert_eq!(answer(script), given, "{script}");
    }
}

#[test]
fn a_function_without_a_module_has_its_run_in_a_plan_too() {
    assert_eq!(answer("+++\nsecrets = [\"A\"]\n+++\n`${secret(\"A\")}`"), "[secret A]");
}
