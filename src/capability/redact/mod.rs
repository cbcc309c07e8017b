//! Takes known secrets out of texts that leave a run: log lines, failures, targets of effects.
//!
//! This catches accidents. A script that spells a secret out letter by letter, or changes it first, is not caught.

mod forms;
mod patterns;

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;

use self::patterns::Patterns;
use crate::{function::grants::secret::SecretName, secret::Secret};

/// Bytes of the shortest value that is looked for. Shorter ones would be found in innocent texts.
pub const SHORTEST_REDACTED: usize = 8;

/// Knows the values of secrets, and writes `[secret NAME]` in their place. A cheap handle to be cloned.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Lookup>);

#[derive(Default)]
struct Lookup {
    /// Whether there is anything to look for.
    has_patterns: AtomicBool,
    patterns: ArcSwap<Patterns>,
}

impl Redactor {
    /// Looks for these values from now on, and for no others. Values may share a name.
    pub fn know<'a>(&self, values: impl IntoIterator<Item = (&'a SecretName, &'a Arc<Secret>)>) {
        let patterns = Patterns::of(values);
        let has_patterns = !patterns.is_empty();
        self.0.patterns.store(Arc::new(patterns));
        self.0.has_patterns.store(has_patterns, Ordering::Release);
    }

    /// Returns the text without the values, and without their forms in Base64, hexadecimal digits, URLs and JSON.
    ///
    /// Without secrets this is one atomic load. With secrets it reads the text once.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.0.has_patterns.load(Ordering::Acquire) {
            true => self.0.patterns.load().replace(text),
            false => text.into(),
        }
    }

    /// Does the same in place.
    pub fn redact_in(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redact(text) {
            *text = redacted;
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
    };

    use super::*;

    fn that_knows(values: &[(&str, &str)]) -> Redactor {
        let redactor = Redactor::default();
        know(&redactor, values);
        redactor
    }

    fn know(redactor: &Redactor, values: &[(&str, &str)]) {
        let values: Vec<(SecretName, Arc<Secret>)> =
            values.iter().map(|(name, value)| (name.parse().unwrap(), Arc::new(Secret::new(*value)))).collect();
        redactor.know(values.iter().map(|(name, value)| (name, value)));
    }

    #[test]
    fn a_value_is_replaced_wherever_it_stands() {
        let redactor = that_knows(&[("KEY", "sk_live_12345"), ("PASSWORD", "päss wörd/1"), ("SHORT", "1234567")]);
        for (text, redacted) in [
            ("", ""),
            ("sk_live", "sk_live"),
            ("nothing here, 1234567 and sk_live_1234", "nothing here, 1234567 and [secret KEY]"),
            ("nothing here, sk_live_1234 and more", "nothing here, sk_live_1234 and more"),
            ("sk_live_12345", "[secret KEY]"),
            ("ä sk_live_12345 ö päss wörd/1 ü", "ä [secret KEY] ö [secret PASSWORD] ü"),
            ("sk_live_12345sk_live_12345", "[secret KEY]"),
            ("sk_live_sk_live_12345", "sk_live_[secret KEY]"),
            ("a line that was cut sk_live_1… 300 bytes", "a line that was cut [secret KEY]… 300 bytes"),
        ] {
            assert_eq!(redactor.redact(text), redacted, "{text}");
        }
    }

    #[test]
    fn values_that_overlap_leave_nothing_of_either() {
        let redactor = that_knows(&[("A", "abcdefgh12"), ("B", "efgh12345678"), ("C", "abcdefgh12345")]);
        for text in ["abcdefgh12345678", "abcdefgh12", "efgh12345678", "abcdefgh12345"] {
            let redacted = redactor.redact(text);
            assert!(redacted.starts_with("[secret ") && redacted.ends_with(']') && redacted.len() == 10, "{redacted}");
        }
    }

    #[test]
    fn a_value_is_known_in_other_clothes() {
        let value = "p@ss/wörd \"quoted\"\n+?>~ÿ";
        let redactor = that_knows(&[("KEY", value)]);
        let form = |pair| form_urlencoded::Serializer::new(String::new()).append_pair("k", pair).finish();
        let percent = |set| percent_encoding::utf8_percent_encode(value, set).to_string();
        let hex = crate::hex::Hex(value.as_bytes()).to_string();
        let mut dressed = vec![
            value.to_owned(),
            serde_json::json!({ "k": value }).to_string(),
            form(value),
            percent(percent_encoding::NON_ALPHANUMERIC),
            hex.to_uppercase(),
            hex,
        ];
        for before in ["", "u", "us", "use", "user:"] {
            for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
                dressed.extend(["", "\n", "@h", "@host"].map(|after| engine.encode(format!("{before}{value}{after}"))));
            }
        }
        for text in dressed {
            let redacted = redactor.redact(&text);
            assert!(redacted.contains("[secret KEY]"), "{text}: {redacted}");
            // What may stay is a character beside it, which holds bits of its neighbours, too.
            assert!(redacted.len() < 40, "{text}: {redacted}");
        }
    }

    #[test]
    fn the_lines_of_a_long_value_are_known_each() {
        let key = "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQ\nshort\nEFAASCAUAwggE8AgEAAkEAq7\n-----END KEY-----\n";
        let redactor = that_knows(&[("PEM", key)]);
        assert_eq!(redactor.redact(key.trim()), "[secret PEM]");
        assert_eq!(redactor.redact("line EFAASCAUAwggE8AgEAAkEAq7"), "line [secret PEM]");
        assert_eq!(redactor.redact("-----BEGIN KEY----- is how it begins"), "-----BEGIN KEY----- is how it begins");
    }

    #[test]
    fn what_is_no_longer_a_secret_is_shown() {
        let redactor = that_knows(&[("KEY", "sk_live_12345")]);
        know(&redactor, &[("KEY", "sk_live_67890")]);
        assert_eq!(redactor.redact("sk_live_12345 sk_live_67890"), "sk_live_12345 [secret KEY]");
        know(&redactor, &[]);
        let mut text = "sk_live_67890".to_owned();
        redactor.redact_in(&mut text);
        assert_eq!(text, "sk_live_67890");
    }

    #[test]
    fn as_many_and_as_large_values_as_there_may_be_are_found() {
        let large: Vec<(String, String)> = (0..1_000).map(|n| (format!("S{n}"), format!("{n:08}{}", "x".repeat(64 * 1024 - 8)))).collect();
        let redactor = that_knows(&large.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>());
        assert_eq!(redactor.redact(&format!("a {} b", large[999].1)), "a [secret S999] b");
        let small: Vec<(String, String)> = (0..1_000).map(|n| (format!("S{n}"), format!("same_start_{n:05}"))).collect();
        know(&redactor, &small.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>());
        assert_eq!(redactor.redact("same_start_00500 same_start_01000"), "[secret S500] same_start_01000");
    }
}
