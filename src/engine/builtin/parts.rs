//! Parts of strings. Rhai's own functions copy a string character by character, at four bytes each. Where a function has raised its limit
//! `string`, one call could hold far more than the run's memory limit.

use std::ops::{Range, RangeInclusive};

use rhai::{Engine, INT, ImmutableString};

use super::bounded::register_change;

/// Registers every replacement.
pub fn register(engine: &mut Engine) {
    let part = |text: &str, start, length| ImmutableString::from(&text[part(text, start, length)]);
    engine.register_fn("sub_string", move |text: &str, start: INT, length: INT| part(text, start, length));
    engine.register_fn("sub_string", move |text: &str, start: INT| part(text, start, INT::MAX));
    engine.register_fn("sub_string", move |text: &str, range: Range<INT>| {
        let (start, length) = exclusive(&range);
        part(text, start, length)
    });
    engine.register_fn("sub_string", move |text: &str, range: RangeInclusive<INT>| {
        let (start, length) = inclusive(&range);
        part(text, start, length)
    });
    let crop = move |text: &mut ImmutableString, start, length| *text = part(text, start, length);
    register_change!(engine, "crop", move |text: &mut ImmutableString, start: INT, length: INT| crop(text, start, length));
    register_change!(engine, "crop", move |text: &mut ImmutableString, start: INT| crop(text, start, INT::MAX));
    register_change!(engine, "crop", move |text: &mut ImmutableString, range: Range<INT>| {
        let (start, length) = exclusive(&range);
        crop(text, start, length);
    });
    register_change!(engine, "crop", move |text: &mut ImmutableString, range: RangeInclusive<INT>| {
        let (start, length) = inclusive(&range);
        crop(text, start, length);
    });
    engine.register_fn("index_of", |text: &str, find: &str, start: INT| index_of(text, start, |rest| rest.find(find)));
    engine.register_fn("index_of", |text: &str, find: char, start: INT| index_of(text, start, |rest| rest.find(find)));
}

/// Returns start and length of what a range means: nothing stands before the first character.
pub fn exclusive(range: &Range<INT>) -> (INT, INT) {
    let start = range.start.max(0);
    (start, range.end.max(start) - start)
}

/// Returns start and length of what a range means that includes its end.
pub fn inclusive(range: &RangeInclusive<INT>) -> (INT, INT) {
    let start = (*range.start()).max(0);
    (start, (*range.end()).max(start).min(INT::MAX - 1) - start + 1)
}

/// Returns where the character with this number begins; a negative one counts from the end. It is the text's end if there are fewer.
fn place(text: &str, number: INT) -> usize {
    let distance = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX);
    match number {
        0.. if text.is_ascii() => distance.min(text.len()),
        0.. => text.char_indices().nth(distance).map_or(text.len(), |(at, _)| at),
        _ if text.is_ascii() => text.len().saturating_sub(distance),
        _ => text.char_indices().nth_back(distance - 1).map_or(0, |(at, _)| at),
    }
}

/// Returns the bytes of so many characters from this one on; a negative start counts from the end.
pub fn part(text: &str, start: INT, length: INT) -> Range<usize> {
    let from = place(text, start);
    from..from + place(&text[from..], length.max(0))
}

/// Returns the number of the first character of what is found from this one on, or -1.
pub fn index_of(text: &str, start: INT, find: impl Fn(&str) -> Option<usize>) -> INT {
    let from = place(text, start);
    if from == text.len() {
        return -1;
    }
    find(&text[from..]).map_or(-1, |at| text[..from + at].chars().count() as INT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_answer_what_the_engine_answers_without_them() {
        let theirs = Engine::new();
        let mut ours = Engine::new();
        register(&mut ours);
        let numbers = ["0", "1", "2", "3", "4", "9", "-1", "-2", "-3", "-9", "9223372036854775807", "(-9223372036854775807 - 1)"];
        for text in ["", "x", "abc", "aéb", "𝕏é𝕏", "éa\u{301}"] {
            let ask = |call: String| {
                let script = format!("let s = \"{text}\"; let r = {call}; [r, s]");
                let answer = |engine: &Engine| engine.eval::<rhai::Array>(&script).unwrap();
                assert_eq!(format!("{:?}", answer(&ours)), format!("{:?}", answer(&theirs)), "{script}");
            };
            for start in numbers {
                ask(format!("s.sub_string({start})"));
                ask(format!("s.crop({start})"));
                ask(format!("s.index_of('é', {start})"));
                ask(format!("s.index_of(\"b\", {start})"));
                ask(format!("s.index_of(\"\", {start})"));
                for end in numbers {
                    for arguments in [format!("{start}, {end}"), format!("{start}..{end}"), format!("{start}..={end}")] {
                        ask(format!("s.sub_string({arguments})"));
                        ask(format!("s.crop({arguments})"));
                    }
                }
            }
        }
    }
}
