//! Values in words, for people.

use rhai::{Array, Blob, Dynamic, FLOAT, INT, ImmutableString, Map};

use super::{
    plain::Object,
    type_name,
    write::{ToJsonError, start_for_people, start_of_json, to_json},
};

/// Returns text for a log line or an error: strings as they are, everything else as JSON, cut at `limit` bytes.
pub fn to_text(value: &Dynamic, limit: usize) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return cut(text.as_str(), limit).into();
    }
    match to_json(value, limit) {
        Ok(json) => String::from_utf8_lossy(&json).into_owned(),
        Err(ToJsonError::TooLarge { .. }) => format!("({}, too large to show)", type_name(value)),
        Err(ToJsonError::JsonError(_)) => format!("({})", type_name(value)),
    }
}

/// Returns text for people to read, at most `limit` bytes: as [`to_text`] does, but what is cut ends with a mark.
pub fn to_line(value: &Dynamic, limit: usize) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return with_mark(text.as_str(), limit, &format!("… {} bytes", text.len()));
    }
    if let Some(object) = value.read_lock::<Object>() {
        let object: &Object = &object;
        return with_mark(&object.0.shown(), limit, "…");
    }
    let has_parts = value.is_array() || value.is_map();
    match if has_parts { start_for_people(value, limit) } else { start_of_json(value, limit) } {
        (json, Ok(())) => String::from_utf8_lossy(&json).into_owned(),
        // Nobody counts the rest: a small value can hold another many times.
        (json, Err(ToJsonError::TooLarge { .. })) => with_mark(&(String::from_utf8_lossy(&json) + "…"), limit, "… and more"),
        (_, Err(ToJsonError::JsonError(_))) => format!("({})", type_name(value)),
    }
}

fn with_mark(text: &str, limit: usize, mark: &str) -> String {
    if text.len() <= limit { text.into() } else { cut(text, limit.saturating_sub(mark.len())).to_owned() + mark }
}

/// Returns the longest start of a text that is at most `limit` bytes and ends between characters.
pub fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// The types that scripts know, by the names that messages use.
pub fn type_word(value: &Dynamic) -> &'static str {
    match () {
        () if value.is::<ImmutableString>() => "a string",
        () if value.is::<INT>() || value.is::<FLOAT>() => "a number",
        () if value.is::<bool>() => "a boolean",
        () if value.is::<Map>() => "a map",
        () if value.is::<Array>() => "an array",
        () if value.is::<Blob>() => "a blob",
        () if value.is_unit() => "()",
        () => "a value of another type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_says_so() {
        let line = |value: Dynamic| to_line(&value, 30);
        assert_eq!(line("x".repeat(30).into()), "x".repeat(30));
        assert_eq!(line("x".repeat(131_072).into()), format!("{}… 131072 bytes", "x".repeat(14)));
        assert_eq!(line("é".repeat(20).into()), format!("{}… 40 bytes", "é".repeat(9)));
        let numbers = |count: i64| Dynamic::from_array((0..count).map(Dynamic::from_int).collect());
        assert_eq!(line(numbers(10)), "[0,1,2,3,4,5,6,7,8,9]");
        assert_eq!(line(numbers(15)), "[0,1,2,3,4,5,6,7,8… and more");
        assert_eq!(line(Dynamic::from(rhai::FnPtr::new("f").unwrap())), "(Fn)");
    }
}
