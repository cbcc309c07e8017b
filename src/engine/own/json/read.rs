//! From JSON to values.
//!
//! What is right is read here. Where something is wrong, the reader of Rhai's values reads it again, and says what.

use std::rc::Rc;

use super::super::scan::ordinary;
use super::super::{
    Builder, List, Map, Value,
    map::Values,
    shapes::{Guesses, with_guesses},
};
use crate::engine::{
    meter,
    value::{
        MAX_DEPTH,
        read::{JsonError, from_json, without_mark},
        sizes::Sizes,
    },
};

/// The run's memory is looked at after so many elements at the latest. What is read between is at most about as large as its JSON.
const ELEMENTS_PER_LOOK: usize = 64;

/// Reads JSON into a value: an object is a map, a whole number an integer, `null` is `()`. A byte order mark is skipped.
pub fn read(json: &[u8]) -> Result<Value, JsonError> {
    let bytes = without_mark(json);
    let value = std::str::from_utf8(bytes).ok().and_then(|text| {
        with_guesses(|guesses| {
            let mut reader = Reader { text, bytes, at: 0, items: Vec::new(), sizes: Sizes::default(), guesses };
            let value = reader.value(0)?;
            reader.skip_space();
            (reader.at == bytes.len()).then_some(value)
        })
    });
    match value {
        Some(value) => Ok(value),
        None if meter::is_stopped() => Err(JsonError::no_memory()),
        None => from_json(json).map(Value::of),
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The elements of the arrays that are being read.
    items: Vec<Value>,
    /// Of all that has been read: those of a value are what they grow by.
    sizes: Sizes,
    guesses: &'a mut Guesses,
}

impl<'a> Reader<'a> {
    #[inline(always)]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// Skips space, and returns the byte after it.
    #[inline(always)]
    fn next(&mut self) -> Option<u8> {
        match self.bytes.get(self.at)? {
            byte @ 33.. => Some(*byte),
            _ => {
                self.skip_space();
                self.bytes.get(self.at).copied()
            }
        }
    }

    /// Goes on behind this byte, if it comes next.
    #[inline(always)]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.at += 1)
    }

    /// Goes on behind a comma, and returns true; or behind this bracket, and returns false.
    #[inline(always)]
    fn has_more(&mut self, end: u8) -> Option<bool> {
        let byte = self.next()?;
        self.at += 1;
        if byte == b',' { Some(true) } else { (byte == end).then_some(false) }
    }

    /// Reads a value inside of so many arrays and objects.
    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.next()? {
            b'"' => {
                self.at += 1;
                match self.plain() {
                    Some(text) => {
                        self.sizes.string += text.len();
                        Some(Value::text(text))
                    }
                    None => self.escaped().map(|text| {
                        self.sizes.string += text.len();
                        Value::from_string(text)
                    }),
                }
            }
            b'{' if depth < MAX_DEPTH => {
                self.at += 1;
                self.object(depth)
            }
            b'[' if depth < MAX_DEPTH => {
                self.at += 1;
                self.array(depth)
            }
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Unit),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            value
        })
    }

    /// Reads what follows `[`.
    fn array(&mut self, depth: usize) -> Option<Value> {
        if self.take(b']').is_some() {
            return Some(Value::list(Vec::new()));
        }
        let (start, before) = (self.items.len(), self.sizes);
        loop {
            let item = self.value(depth + 1)?;
            self.items.push(item);
            if !self.has_more(b']')? {
                break;
            }
            if self.items.len().is_multiple_of(ELEMENTS_PER_LOOK) {
                look()?;
            }
        }
        look()?;
        let items = self.items.split_off(start);
        self.sizes.array += items.len();
        Some(Value::List(Rc::new(List::counted(items, self.sizes.minus(before)))))
    }

    /// Reads what follows `{`.
    fn object(&mut self, depth: usize) -> Option<Value> {
        if self.take(b'}').is_some() {
            return Some(Value::Map(Rc::default()));
        }
        let before = self.sizes;
        let Some(shape) = self.guesses.get_mut(depth).and_then(Option::take) else {
            return self.any_object(depth, Builder::default(), before);
        };
        let mut values = Values::with_capacity(shape.len());
        loop {
            self.next()?;
            let Some(length) = shape.begins(values.len(), &self.bytes[self.at..]) else {
                return self.any_object(depth, Builder::first(&shape, values), before);
            };
            self.at += length;
            values.push(self.value(depth + 1)?);
            if !self.has_more(b'}')? {
                break;
            }
        }
        look()?;
        if values.len() < shape.len() {
            return self.finish(depth, Builder::first(&shape, values), before);
        }
        if let Some(guess) = self.guesses.get_mut(depth) {
            *guess = Some(shape.clone());
        }
        self.sizes.map += values.len();
        Some(Value::Map(Rc::new(Map::counted(shape, values, self.sizes.minus(before)))))
    }

    /// Reads the entries of an object, however they begin.
    #[inline(never)]
    fn any_object(&mut self, depth: usize, mut map: Builder, before: Sizes) -> Option<Value> {
        for number in 1_usize.. {
            self.next()?;
            match map.expected(&self.bytes[self.at..]) {
                Some(length) => self.at += length,
                None => {
                    self.take(b'"')?;
                    match self.plain() {
                        Some(key) => map.key(key),
                        None => map.key(&self.escaped()?),
                    }
                    self.take(b':')?;
                }
            }
            map.value(self.value(depth + 1)?);
            if !self.has_more(b'}')? {
                break;
            }
            if number.is_multiple_of(ELEMENTS_PER_LOOK) {
                look()?;
            }
        }
        look()?;
        self.finish(depth, map, before)
    }

    fn finish(&mut self, depth: usize, map: Builder, before: Sizes) -> Option<Value> {
        let map = map.finish();
        if let Some(guess) = self.guesses.get_mut(depth) {
            *guess = map.shape().filter(|shape| shape.is_plain()).cloned();
        }
        // A key that came again has only its last value.
        self.sizes = before.plus(map.sizes());
        Some(Value::Map(Rc::new(map)))
    }

    /// Reads a text without escapes, up to its quote. If it has some, nothing is read.
    #[inline]
    fn plain(&mut self) -> Option<&'a str> {
        let start = self.at;
        let end = start + ordinary(&self.bytes[start..]);
        (*self.bytes.get(end)? == b'"').then(|| {
            self.at = end + 1;
            &self.text[start..end]
        })
    }

    /// Reads a text with escapes, up to its quote.
    fn escaped(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let end = self.at + ordinary(&self.bytes[self.at..]);
            text.push_str(&self.text[self.at..end]);
            self.at = end + 1;
            match *self.bytes.get(end)? {
                b'"' => return Some(text),
                b'\\' => text.push(self.escape()?),
                _ => return None,
            }
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Option<char> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => match self.unit()? {
                high @ 0xd800..=0xdbff => {
                    if !self.bytes.get(self.at..)?.starts_with(b"\\u") {
                        return None;
                    }
                    self.at += 2;
                    char::decode_utf16([high, self.unit()?]).next()?.ok()?
                }
                unit => char::from_u32(unit.into())?,
            },
            _ => return None,
        })
    }

    /// Reads four digits to the base 16.
    fn unit(&mut self) -> Option<u16> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
    }

    #[inline]
    fn number(&mut self) -> Option<Value> {
        let start = self.at;
        let is_negative = self.bytes[start] == b'-';
        self.at += usize::from(is_negative);
        let first = self.at;
        let whole = self.digits(0);
        let digits = self.at - first;
        let is_short = (1..=18).contains(&digits) && (self.bytes[first] != b'0' || digits == 1);
        match self.bytes.get(self.at) {
            Some(b'.' | b'e' | b'E') => {}
            // There is no whole number that is -0.
            _ if is_short && (whole != 0 || !is_negative) => return Some(Value::Int(if is_negative { -whole } else { whole })),
            _ => {}
        }
        if is_short && self.bytes.get(self.at) == Some(&b'.') {
            let point = self.at;
            self.at += 1;
            let all = self.digits(whole);
            let places = self.at - point - 1;
            let is_exact = places > 0 && digits + places <= 15 && !matches!(self.bytes.get(self.at), Some(b'e' | b'E'));
            if is_exact {
                // Both are floats exactly, and so the quotient is the nearest to it.
                let number = all as f64 / POWERS[places];
                return Some(Value::Float(if is_negative { -number } else { number }));
            }
        }
        while let Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') = self.bytes.get(self.at) {
            self.at += 1;
        }
        from_json(&self.bytes[start..self.at]).ok().map(Value::of)
    }

    /// Reads digits behind others. If they are too many, the number is wrong.
    #[inline(always)]
    fn digits(&mut self, mut number: i64) -> i64 {
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        number
    }
}

/// Stops if the run may hold no more.
#[inline]
fn look() -> Option<()> {
    meter::has_memory().then_some(())
}

/// Powers of ten that are exact.
const POWERS: [f64; 16] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
