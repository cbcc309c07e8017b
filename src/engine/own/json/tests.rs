//! JSON of our values beside that of Rhai's.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rhai::Dynamic;

use super::*;
use crate::engine::{
    own::Value,
    value::{read::from_json, write as of_rhai},
};

/// JSON that is odd, and much that is none.
const TEXTS: &[&str] = &[
    "",
    " ",
    "null",
    " true ",
    "tru",
    "truex",
    "false",
    "nul",
    "\u{feff}1",
    "\u{feff}",
    "1",
    "-1",
    "-0",
    "0",
    "00",
    "01",
    "-01",
    "-",
    "+1",
    "1.",
    "1.0",
    "-0.0",
    "0.1",
    "2.5e3",
    "1e5",
    "1E+2",
    "1e-2",
    "1e",
    "1e+",
    "1.e1",
    ".5",
    "1..2",
    "1.2.3",
    "1-2",
    "--1",
    "123456789012345678",
    "1234567890123456789",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "-1e999",
    "1e-999",
    "0.30000000000000004",
    "123456789012345.6",
    "1234567890.123456",
    "0.1234567890123456789",
    "5e-324",
    "\"\"",
    "\"a\"",
    "\"é𝕏\"",
    "\"a",
    "\"\\",
    "\"\\\"",
    "\"\\n\\t\\r\\b\\f\\/\\\\\\\"\"",
    "\"\\x\"",
    "\"\\u0041\"",
    "\"\\u00e9x\"",
    "\"\\ud835\\udd4f\"",
    "\"\\ud835\"",
    "\"\\ud835x\"",
    "\"\\ud835\\n\"",
    "\"\\udd4f\"",
    "\"\\ud835\\ud835\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\u+123\"",
    "\"\n\"",
    "\"\u{7f}\"",
    "\"\u{1}\"",
    "\"a text that is longer than fourteen bytes\"",
    "\"a text that is longer \\u0041 than fourteen bytes\"",
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2",
    "[",
    "]",
    "[]]",
    "[1]x",
    "[[],[[]]]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{\"a\":}",
    "{\"a\"}",
    "{a:1}",
    "{1:2}",
    "{",
    "{\"a\":1",
    "{\"a\":1}}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"b\":2,\"a\":[3]}",
    "{\"\":0}",
    "{\"\\u0061\":1,\"a\":2}",
    "{\"a\\n\":1}",
    "{\"b\":1,\"a\":2,\"c\":{\"b\":0,\"a\":3}}",
    "[{\"a\":1,\"b\":2},{\"a\":1,\"b\":2},{\"b\":1,\"a\":2},{\"a\":1},{\"a\":1,\"c\":2}]",
    "[{\"id\":1},{\"ident\":2},{\"i\":3}]",
    "[{\"a\\\\\":1},{\"a\\\\\":1},{\"a\\\"b\":2}]",
    "[{\"x\\\"y\":1},{\"x\\\"y\":1},{\"x\"y\":2}]",
    "[{\"a\\n\":1},{\"a\n\":1}]",
    "[{\"a long name of a key\":1,\"b\":2},{\"a long name of a key\":1,\"c\":2},{\"a long name\":1},{},{\"a long name\":1}]",
    " [ 1 , { \"a\" : [ ] } ] ",
    "\t[\n1\r]\u{b}",
    "[1,\u{a0}2]",
    "'a'",
    "NaN",
    "Infinity",
    "/**/1",
    "{\"a\":1 \"b\":2}",
    "[true,false,null]",
    "[tru]",
    "[nulll]",
];

fn shown(value: Result<Dynamic, impl ToString>) -> Result<String, String> {
    value.map(|value| format!("{}: {value:?}", value.type_name())).map_err(|why| why.to_string())
}

fn assert_read_alike(json: &[u8]) {
    let ours = read(json);
    if let Ok(value) = &ours {
        assert_eq!(value.sizes(), Value::of(value.to_rhai()).sizes(), "{}", String::from_utf8_lossy(json));
    }
    assert_eq!(shown(ours.map(Value::into_rhai)), shown(from_json(json)), "{}", String::from_utf8_lossy(json));
}

#[test]
fn what_is_odd_is_read_as_ever() {
    TEXTS.iter().for_each(|text| assert_read_alike(text.as_bytes()));
    // Cut at each place, and with each byte changed.
    for text in TEXTS.iter().filter(|text| text.len() > 20).chain([&"{\"ab\":[1,-2.5,\"x\\u00e9\",{\"ab\":null}],\"c\":true}"]) {
        for end in 0..text.len() {
            assert_read_alike(&text.as_bytes()[..end]);
            for byte in [b'"', b'\\', b',', b'}', b'0', b'-', b' ', 0, 0xff] {
                let mut text = text.as_bytes().to_vec();
                text[end] = byte;
                assert_read_alike(&text);
            }
        }
    }
    for depth in [126, 127, 128, 200] {
        assert_read_alike(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
        assert_read_alike(format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)).as_bytes());
        assert_read_alike("[".repeat(depth).as_bytes());
    }
    let many: Vec<_> = (0..200).map(|number| format!("\"key{number}\":{number}")).collect();
    assert_read_alike(format!("{{{}}}", many.join(",")).as_bytes());
    assert_read_alike(format!("[{}]", vec!["1"; 200].join(" , ")).as_bytes());
}

/// Any JSON, as text.
fn json() -> impl Strategy<Value = String> {
    let space = || prop::sample::select(&["", "", "", " ", "\n\t"][..]);
    let text = || {
        prop_oneof![any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()), "\"[a-c]{0,2}\"", "\"[ -!#-\\[\\]-~]{0,40}\""]
    };
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter_map("finite", |number| serde_json::Number::from_f64(number).map(|number| number.to_string())),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        text(),
        prop::sample::select(&["true", "false", "null"][..]).prop_map(String::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |value| {
        let spaced = (space(), value, space()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let entry = (text(), space(), spaced.clone()).prop_map(|(key, space, value)| format!("{key}{space}:{value}"));
        prop_oneof![
            prop::collection::vec(spaced, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(entry, 0..6).prop_map(|entries| format!("{{{}}}", entries.join(","))),
        ]
    })
}

fn assert_written_alike(value: &Dynamic) {
    let ours = Value::of(value.clone());
    let whole = of_rhai::to_json(value, usize::MAX);
    let length = whole.as_ref().map_or(40, Vec::len);
    for limit in [usize::MAX, length + 1, length, length.saturating_sub(1), length / 2, 3, 2, 1, 0] {
        let (theirs, why) = of_rhai::start_of_json(value, limit);
        let (ours, our_why) = write::start(&ours, limit);
        assert_eq!(our_why.map_err(|why| why.to_string()), why.map_err(|why| why.to_string()), "{value:?} in {limit}");
        assert_eq!(String::from_utf8_lossy(&ours), String::from_utf8_lossy(&theirs), "{value:?} in {limit}");
    }
}

#[test]
fn json_is_read_and_written_as_ever() {
    let mut runner = TestRunner::new(Config { cases: 5_000, failure_persistence: None, ..Config::default() });
    runner
        .run(&(json(), any::<prop::sample::Index>(), any::<u8>()), |(json, at, byte)| {
            assert_read_alike(json.as_bytes());
            if let Ok(value) = from_json(json.as_bytes()) {
                assert_written_alike(&value);
            }
            let mut broken = json.into_bytes();
            let at = at.index(broken.len());
            broken[at] = byte;
            assert_read_alike(&broken);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_has_no_json_says_the_same() {
    let nested = |depth| (0..depth).fold(Dynamic::UNIT, |value, _| vec![value].into());
    let values = [
        Dynamic::from(rhai::FnPtr::new("f").unwrap()),
        Dynamic::from(vec![Dynamic::from(1_i64..2), Dynamic::UNIT]),
        vec![Dynamic::from(rhai::FnPtr::new("f").unwrap())].into(),
        Dynamic::from_blob(vec![0, 7, 255]),
        Dynamic::from_blob(Vec::new()),
        Dynamic::from_char('"'),
        Dynamic::from_char('é'),
        Dynamic::from_float(f64::NAN),
        Dynamic::from_float(1e21),
        Dynamic::from_int(i64::MIN),
        "\u{0}\u{1f}\u{7f}\"\\\n\r\t\u{8}\u{c} a text with\u{1} more than eight bytes\u{2}".into(),
        nested(127),
        nested(128),
    ];
    values.iter().for_each(assert_written_alike);
}
