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

/// Reads bytes, written as two digits each in lower or upper case. The error is the index of the first byte that is no digit, or of the end.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    if let Some(at) = text.iter().position(|byte| !byte.is_ascii_hexdigit()) {
        return Err(at);
    }
    let pairs = text.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(text.len());
    }
    Ok(pairs.filter_map(parse::<1>).map(|[byte]| byte).collect())
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
    fn any_number_of_bytes_reads_back() {
        assert_eq!(decode(b""), Ok(vec![]));
        assert_eq!(decode(b"000fA5ff"), Ok(vec![0x00, 0x0f, 0xa5, 0xff]));
        for (text, at) in [("0", 1), ("0g", 1), ("00 0", 2), ("000", 3), ("\u{e9}", 0)] {
            assert_eq!(decode(text.as_bytes()), Err(at), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_bytes() {
        for text in ["", "0", "0g", "+f", "000", "0000", "\u{e9}"] {
            assert_eq!(parse::<1>(text.as_bytes()), None, "{text}");
        }
    }
}
