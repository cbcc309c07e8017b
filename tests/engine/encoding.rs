//! Bytes as text, and back.

use picloud::execution::Outcome;

use crate::kit::script::{answer, failure};

#[test]
fn bytes_are_written_and_read_as_the_standards_say() {
    // RFC 4648, section 10, and what differs between the alphabets.
    for (plain, base64, base64url, hex) in [
        ("", "", "", ""),
        ("f", "Zg==", "Zg", "66"),
        ("fo", "Zm8=", "Zm8", "666f"),
        ("foo", "Zm9v", "Zm9v", "666f6f"),
        ("foob", "Zm9vYg==", "Zm9vYg", "666f6f62"),
        ("fooba", "Zm9vYmE=", "Zm9vYmE", "666f6f6261"),
        ("foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172"),
        ("<<???>>", "PDw/Pz8+Pg==", "PDw_Pz8-Pg", "3c3c3f3f3f3e3e"),
        ("\u{e9}", "w6k=", "w6k", "c3a9"),
    ] {
        for (name, text) in [("base64", base64), ("base64url", base64url), ("hex", hex)] {
            assert_eq!(answer(&format!("encoding::{name}(\"{plain}\")")), text, "{name}");
            assert_eq!(answer(&format!("encoding::{name}(\"{plain}\".to_blob())")), text, "{name} of a blob");
            assert_eq!(answer(&format!("encoding::from_{name}(\"{text}\").as_string()")), plain, "from {name}");
        }
        assert_eq!(answer(&format!("encoding::from_base64(\"{}\").as_string()", base64.trim_end_matches('='))), plain);
        assert_eq!(answer(&format!("encoding::from_hex(\"{}\").as_string()", hex.to_uppercase())), plain);
    }
}

#[test]
fn a_part_of_a_url_holds_any_text() {
    for (plain, url) in
        [("", ""), ("aZ09-._~", "aZ09-._~"), ("a b&c=d/e+?", "a%20b%26c%3Dd%2Fe%2B%3F"), ("\u{e9}\u{1d54f}", "%C3%A9%F0%9D%95%8F")]
    {
        assert_eq!(answer(&format!("encoding::url(\"{plain}\")")), url);
        assert_eq!(answer(&format!("encoding::from_url(\"{url}\")")), plain);
    }
    assert_eq!(answer("encoding::from_url(\"a+%c3%a9\")"), "a+\u{e9}");
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    for (call, message) in [
        ("from_base64(\"Zm 9v\")", "the text is not Base64: it has ' ' at index 2"),
        ("from_base64(\"Zm\u{e9}v\")", "the text is not Base64: it has 'é' at index 2"),
        ("from_base64(\"Zm9-\")", "the text is not Base64: it has '-' at index 3"),
        ("from_base64(\"Z\")", "the text is not Base64: it ends within a byte, after 1 characters"),
        ("from_base64(\"Zm9=Zm9=\")", "the text is not Base64: it has '=' at index 3"),
        ("from_base64(\"Zm9\")", "the text is not Base64: the character at index 2 stands for half a byte"),
        ("from_base64url(\"Zm9/\")", "the text is not the Base64 of URLs: it has '/' at index 3"),
        ("from_hex(\"0g\")", "the text is not hexadecimal: it has 'g' at index 1"),
        ("from_hex(\"000\")", "the text is not hexadecimal: it ends within a byte, after 3 digits"),
        ("from_url(\"\u{e9}%4\")", "the text is no part of a URL: after the `%` at index 1 there are no two hexadecimal digits"),
        ("from_url(\"%ff\")", "the text is no part of a URL: its `%XX` are not UTF-8"),
        ("from_hex(blob(1))", "`text` is a string, not a blob"),
    ] {
        let name = call.split_once('(').unwrap().0;
        assert_eq!(
            answer(&format!("let r = (); try {{ r = encoding::{call}; }} catch (why) {{ r = why; }} r")),
            format!("`encoding::{name}`: {message}")
        );
    }
}

#[test]
fn what_comes_out_has_room_in_the_run() {
    let script = "+++\n[limits]\nmemory = \"3MiB\"\n+++\nlet s = \"\"; s.pad(900_000, \"x\"); encoding::hex(s).len()";
    let execution = failure(script);
    assert_eq!(execution.outcome, Outcome::MemoryExceeded, "{:?}", execution.failure);
    assert!(execution.peak_memory_bytes < 3 << 20, "it was refused before it was allocated");
}
