//! Texts in JSON at a glance: eight bytes at once.

/// Returns how many bytes of a text come before a quote, a backslash or a control character.
#[inline]
pub fn ordinary(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let found = odd(u64::from_le_bytes(*word));
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    // What is left at a glance: words may overlap.
    let end = match (text.last_chunk::<8>(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(end), ..) => Some(u64::from_le_bytes(*end)),
        (None, Some(start), Some(end)) => Some(u64::from(u32::from_le_bytes(*start)) | u64::from(u32::from_le_bytes(*end)) << 32),
        _ => None,
    };
    if end.is_some_and(|word| odd(word) == 0) {
        return text.len();
    }
    let in_rest = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..32));
    words.len() * 8 + in_rest.unwrap_or(rest.len())
}

/// Looks for quotes, backslashes and control characters. Of the bytes with their highest bit set, the first is one.
#[inline(always)]
fn odd(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = has_zero(word ^ (ONES * u64::from(b'"')));
    let backslash = has_zero(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 32) & !word;
    (quote | backslash | control) & (ONES << 7)
}

/// Whether a text needs no escape in JSON.
pub fn is_plain(text: &str) -> bool {
    ordinary(text.as_bytes()) == text.len()
}
