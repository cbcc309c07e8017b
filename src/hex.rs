//! Bytes as hexadecimal digits.

use std::fmt;

/// Bytes that are written as two lower-case digits each.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads `N` bytes, written as two digits each in lower or upper case.
pub fn parse<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(digits[0])? << 4 | digit(digits[1])?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_as_they_were_written() {
        let bytes = [0x00, 0x0f, 0xa5, 0xff];
        assert_eq!(Hex(&bytes).to_string(), "000fa5ff");
        assert_eq!([parse(b"000fa5ff"), parse(b"000FA5FF")], [Some(bytes); 2]);
    }

    #[test]
    fn other_texts_are_no_bytes() {
        for text in ["", "0", "0g", "+f", "000", "0000", "\u{e9}"] {
            assert_eq!(parse::<1>(text.as_bytes()), None, "{text}");
        }
    }
}
