//! One form for names that look the same: `é` is one character or two, and browsers send the first where macOS writes the second.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// Returns the text in the form in which names are compared (NFC).
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_name_are_one() {
        for (one, other) in [("caf\u{e9}", "cafe\u{301}"), ("\u{ac00}", "\u{1100}\u{1161}"), ("\u{212b}", "A\u{30a}")] {
            assert_ne!(one, other);
            assert_eq!(composed(one), composed(other));
        }
        assert!(matches!(composed("plain/caf\u{e9}"), Cow::Borrowed(_)));
    }
}
