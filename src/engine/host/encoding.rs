//! The module `encoding`: bytes as text, and back.

use base64::{
    DecodeError, Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Call, HostFunction, HostModule, HostResult, Parameter, Type};
use crate::hex::{self, Hex};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "encoding",
    about: "Writes bytes as text, and reads them back.",
    functions: &[
        encode("base64", "Writes bytes in Base64, with padding (RFC 4648).", |call| to_base64(call, &BASE64)),
        decode("from_base64", "blob", "Reads Base64, with or without padding.", |call| from_base64(call, &BASE64, "Base64")),
        encode("base64url", "Writes bytes in the Base64 of URLs and tokens, without padding.", |call| to_base64(call, &BASE64_URL)),
        decode("from_base64url", "blob", "Reads the Base64 of URLs and tokens, with or without padding.", |call| {
            from_base64(call, &BASE64_URL, "the Base64 of URLs")
        }),
        encode("hex", "Writes each byte as two hexadecimal digits, in lower case.", to_hex),
        decode("from_hex", "blob", "Reads hexadecimal digits, in lower or upper case.", from_hex),
        decode("url", "string", "Writes a text as a part of a URL: all but letters, digits and `-._~` becomes `%XX`.", to_url),
        decode("from_url", "string", "Reads a part of a URL: each `%XX` is a byte of UTF-8. A `+` stays one.", from_url),
    ],
};

const DATA: &[Parameter] = &[Parameter::new("data", Type::Bytes)];
const TEXT: &[Parameter] = &[Parameter::new("text", Type::Text)];

const fn encode(name: &'static str, about: &'static str, call: fn(&mut Call<'_>) -> HostResult) -> HostFunction {
    HostFunction::pure(name, DATA, "string", about, call)
}

const fn decode(name: &'static str, gives: &'static str, about: &'static str, call: fn(&mut Call<'_>) -> HostResult) -> HostFunction {
    HostFunction::pure(name, TEXT, gives, about, call)
}

/// Base64 with padding, which is optional when it is read.
pub const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, OPTIONAL_PADDING);
/// The Base64 of URLs without padding, which is optional when it is read.
pub const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, OPTIONAL_PADDING.with_encode_padding(false));

const OPTIONAL_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// What stands in a URL as it is: the unreserved characters of RFC 3986, section 2.3.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn to_base64(call: &mut Call<'_>, engine: &GeneralPurpose) -> HostResult {
    call.reserve(call.bytes(0).len().div_ceil(3) * 4)?;
    Ok(engine.encode(call.bytes(0)).into())
}

fn from_base64(call: &mut Call<'_>, engine: &GeneralPurpose, name: &str) -> HostResult {
    call.reserve(call.text(0).len().div_ceil(4) * 3)?;
    let text = call.text(0);
    let wrong = |why| match why {
        DecodeError::InvalidByte(at, _) => no_character(text, at, name),
        DecodeError::InvalidLength(_) => format!("the text is not {name}: it ends within a byte, after {} characters", text.len()),
        DecodeError::InvalidLastSymbol(at, _) => format!("the text is not {name}: the character at index {at} stands for half a byte"),
        DecodeError::InvalidPadding => format!("the text is not {name}: its padding (`=`) is wrong"),
    };
    Ok(engine.decode(text).map_err(wrong)?.into())
}

/// Says which character of a text is wrong. All before it are ASCII.
fn no_character(text: &str, at: usize, name: &str) -> String {
    let character = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
    format!("the text is not {name}: it has {character:?} at index {at}")
}

fn to_hex(call: &mut Call<'_>) -> HostResult {
    call.reserve(2 * call.bytes(0).len())?;
    Ok(Hex(call.bytes(0)).to_string().into())
}

fn from_hex(call: &mut Call<'_>) -> HostResult {
    call.reserve(call.text(0).len() / 2)?;
    let text = call.text(0);
    let wrong = |at| match text.len() {
        length if length == at => format!("the text is not hexadecimal: it ends within a byte, after {length} digits"),
        _ => no_character(text, at, "hexadecimal"),
    };
    Ok(hex::decode(text.as_bytes()).map_err(wrong)?.into())
}

fn to_url(call: &mut Call<'_>) -> HostResult {
    call.reserve(3 * call.text(0).len())?;
    Ok(utf8_percent_encode(call.text(0), UNRESERVED).to_string().into())
}

fn from_url(call: &mut Call<'_>) -> HostResult {
    call.reserve(call.text(0).len())?;
    let text = call.text(0);
    let is_escape = |at: usize| text.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if let Some((at, _)) = text.match_indices('%').find(|(at, _)| !is_escape(*at)) {
        let index = text[..at].chars().count();
        return Err(format!("the text is no part of a URL: after the `%` at index {index} there are no two hexadecimal digits").into());
    }
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| "the text is no part of a URL: its `%XX` are not UTF-8")?.into_owned().into())
}
