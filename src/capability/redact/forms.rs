//! The forms in which a value may stand in a text.

use std::collections::BTreeSet;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::hex::Hex;

/// Bytes of a value whose forms are looked for. The key of a certificate has fewer.
const MAX_VALUE: usize = 8 << 10;
/// Bytes of the shortest line that is looked for alone.
const SHORTEST_LINE: usize = 16;
/// What `encodeURIComponent` leaves as it is, and so most programs.
const COMPONENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// The same by RFC 3986, section 2.3.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns a value as JSON, URLs, Base64 and hexadecimal digits have it; none of a large value.
pub fn other_forms(value: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    if value.len() > MAX_VALUE {
        return forms;
    }
    let json = serde_json::Value::from(value).to_string();
    forms.insert(json[1..json.len() - 1].into());
    forms.insert(form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().into());
    forms.extend([COMPONENT, UNRESERVED, NON_ALPHANUMERIC].map(|set| utf8_percent_encode(value, set).to_string().into_bytes()));
    let digits = Hex(value.as_bytes()).to_string();
    forms.extend([digits.to_uppercase().into_bytes(), digits.into_bytes()]);
    for offset in 0..3 {
        forms.extend([&STANDARD_NO_PAD, &URL_SAFE_NO_PAD].map(|engine| base64(engine, offset, value.as_bytes())));
    }
    forms.remove(value.as_bytes());
    forms
}

/// Returns the characters that Base64 has for these bytes alone, when so many bytes stand before them: whatever those are, and whatever
/// follows.
fn base64(engine: &impl Engine, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let text = engine.encode([&[0, 0][..offset], bytes].concat());
    // The first characters hold bits of what stands before, and the last one may hold bits of what follows.
    let before = [0, 2, 3][offset];
    let end = text.len() - usize::from(!(offset + bytes.len()).is_multiple_of(3));
    text.as_bytes()[before..end].into()
}

/// Returns the lines of a value that has several, without those that only frame a key.
pub fn lines(value: &str) -> Vec<Vec<u8>> {
    let is_several = value.trim().contains('\n') && value.len() <= MAX_VALUE;
    let lines = value.lines().map(str::trim).filter(|line| is_several && line.len() >= SHORTEST_LINE && !line.starts_with("-----"));
    lines.map(|line| line.as_bytes().into()).collect()
}
