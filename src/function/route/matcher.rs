//! What a parameter's text must look like: `[id=int]`.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a parameter's text must look like. The order is that of precedence, narrowest first: what two of them accept goes to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Matcher {
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// `2026-11-23`, a day that exists.
    Date,
    /// Decimal digits of a number that scripts can hold.
    Int,
    /// Hexadecimal digits.
    Hex,
    /// Lower-case letters, digits, single `-` between them.
    Slug,
}

impl Matcher {
    /// Every matcher, in order of precedence.
    pub const ALL: [Self; 5] = [Self::Uuid, Self::Date, Self::Int, Self::Hex, Self::Slug];

    /// Returns the word that file names use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::Int => "int",
            Self::Hex => "hex",
            Self::Slug => "slug",
        }
    }

    /// Returns whether this text looks as it must.
    pub fn accepts(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::Uuid => {
                bytes.len() == 36
                    && bytes.iter().enumerate().all(|(at, byte)| match at {
                        8 | 13 | 18 | 23 => *byte == b'-',
                        _ => byte.is_ascii_hexdigit(),
                    })
            }
            Self::Date => is_date(bytes),
            Self::Int => bytes.iter().all(u8::is_ascii_digit) && text.parse::<i64>().is_ok(),
            Self::Hex => !bytes.is_empty() && bytes.iter().all(u8::is_ascii_hexdigit),
            Self::Slug => bytes
                .split(|byte| *byte == b'-')
                .all(|word| !word.is_empty() && word.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())),
        }
    }
}

/// Returns whether this is `YYYY-MM-DD` and that day exists.
fn is_date(bytes: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return false };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0_u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(**digit - b'0')))
    };
    let (Some(year), Some(month), Some(day)) = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2])) else { return false };
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap),
        _ => 0,
    };
    (1..=days).contains(&day)
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matcher_accepts_what_its_name_says() {
        let cases: [(Matcher, &[&str], &[&str]); 5] = [
            (
                Matcher::Int,
                &["0", "007", "9223372036854775807", "00000000000000000000001"],
                &["", "-1", "+1", "1.0", "a", "1a", "１", "9223372036854775808"],
            ),
            (Matcher::Hex, &["0", "ff", "DEADbeef"], &["", "0x1", "g", "f-f"]),
            (Matcher::Slug, &["a", "a-b", "2026-best-of"], &["", "-", "a-", "-a", "a--b", "A", "a_b", "é"]),
            (
                Matcher::Date,
                &["2026-11-23", "2024-02-29", "2000-02-29"],
                &["", "2026-02-29", "1900-02-29", "2026-13-01", "2026-04-31", "2026-1-1", "2026-00-10", "2026-10-00", "2026/10/10"],
            ),
            (
                Matcher::Uuid,
                &["4e1c105c-88f7-5814-8bce-07569fed0e2a", "4E1C105C-88F7-5814-8BCE-07569FED0E2A"],
                &["", "4e1c105c88f758148bce07569fed0e2a", "4e1c105c-88f7-5814-8bce-07569fed0e2", "4e1c105c-88f7-5814-8bce-07569fed0e2g"],
            ),
        ];
        for (matcher, good, bad) in cases {
            assert!(good.iter().all(|text| matcher.accepts(text)), "{matcher} {good:?}");
            assert!(!bad.iter().any(|text| matcher.accepts(text)), "{matcher} {bad:?}");
        }
    }
}
