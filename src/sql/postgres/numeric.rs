//! Decimal numbers of any length, between text and Postgres' binary form (`numeric_send` in `src/backend/utils/adt/numeric.c`).
//!
//! The form: count of digits, weight of the first, sign, digits of the fraction to show; then the digits, each from 0 to 9,999.

/// The sign of a number below 0, and what is no number.
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// Most decimal digits before and behind the point.
const MOST_DIGITS: (usize, usize) = (131_072, 16_383);

/// Reads the binary form. None: it is not whole.
pub fn read(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(2 * at..2 * at + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (usize::from(word(0)?), i32::from(word(1)? as i16), word(2)?, usize::from(word(3)?));
    match sign {
        NAN => return Some("NaN".into()),
        INFINITY => return Some("Infinity".into()),
        NEGATIVE_INFINITY => return Some("-Infinity".into()),
        _ => {}
    }
    let digit = |index: i32| match usize::try_from(index) {
        Ok(index) if index < count => word(4 + index),
        _ => Some(0),
    };
    let mut text = String::from(if sign == NEGATIVE { "-" } else { "" });
    match weight {
        ..0 => text.push('0'),
        _ => {
            text += &digit(0)?.to_string();
            for index in 1..=weight {
                text += &format!("{:04}", digit(index)?);
            }
        }
    }
    if scale > 0 {
        let groups = (weight + 1..).take(scale.div_ceil(4)).map(|index| digit(index).map(|digit| format!("{digit:04}")));
        let fraction: String = groups.collect::<Option<_>>()?;
        text.push('.');
        text += &fraction[..scale];
    }
    Some(text)
}

/// Writes the binary form of a number as people write it. None: it is none, or it is too long.
pub fn write(text: &str) -> Option<Vec<u8>> {
    match text {
        "NaN" => return Some(parts(0, NAN, 0, &[])),
        "Infinity" => return Some(parts(0, INFINITY, 0, &[])),
        "-Infinity" => return Some(parts(0, NEGATIVE_INFINITY, 0, &[])),
        _ => {}
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (NEGATIVE, rest),
        None => (0, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|exponent| exponent.abs() < 20_000)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The point moves by the exponent.
    let mut digits = format!("{whole}{fraction}");
    let mut before = whole.len() as i32 + exponent;
    if before < 0 {
        digits.insert_str(0, &"0".repeat(before.unsigned_abs() as usize));
        before = 0;
    }
    let before = before as usize;
    if digits.len() < before {
        digits += &"0".repeat(before - digits.len());
    }
    let scale = digits.len() - before;
    if before > MOST_DIGITS.0 || scale > MOST_DIGITS.1 {
        return None;
    }
    // Groups of four digits, which the point does not divide.
    let padded = format!("{}{digits}{}", "0".repeat((4 - before % 4) % 4), "0".repeat((4 - scale % 4) % 4));
    let groups: Vec<u16> =
        padded.as_bytes().chunks(4).map(|group| group.iter().fold(0, |sum, byte| sum * 10 + u16::from(byte - b'0'))).collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let end = groups.iter().rposition(|group| *group != 0).map_or(leading, |last| last + 1);
    let weight = before.div_ceil(4) as i32 - 1 - leading as i32;
    let kept = &groups[leading.min(end)..end];
    Some(if kept.is_empty() { parts(0, 0, scale, &[]) } else { parts(weight, sign, scale, kept) })
}

fn parts(weight: i32, sign: u16, scale: usize, digits: &[u16]) -> Vec<u8> {
    let head = [digits.len() as u16, weight as u16, sign, scale as u16];
    head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_as_it_was_written() {
        for (written, read_back) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.00", "0.00"),
            ("1", "1"),
            ("-1.10", "-1.10"),
            ("10000", "10000"),
            ("123456789.0001", "123456789.0001"),
            ("0.00000001", "0.00000001"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("12.5E-3", "0.0125"),
            ("+99999999999999999999999999999999.9", "99999999999999999999999999999999.9"),
            ("NaN", "NaN"),
            ("-Infinity", "-Infinity"),
        ] {
            assert_eq!(read(&write(written).unwrap()).as_deref(), Some(read_back), "{written}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "-", "1,5", "abc", "1e", "1e99999", "--1", " 1", "0x1", "٣"] {
            assert_eq!(write(text), None, "{text}");
        }
        assert_eq!(read(&[0, 1]), None);
        assert_eq!(read(&[0, 2, 0, 1, 0, 0, 0, 0, 0, 1]), None);
    }
}
