//! From values to JSON.

use super::super::Value;
use super::read::ordinary;
use crate::engine::value::{
    MAX_DEPTH, check_depth, type_without_json,
    write::{ToJsonError, start as start_of_other},
};

/// Writes a value as JSON, at most `limit` bytes.
pub fn write(value: &Value, limit: usize) -> Result<Vec<u8>, ToJsonError> {
    let (json, written) = start(value, limit, false);
    written.map(|()| json)
}

/// Writes as much of a value's JSON as fits. For people, what has no form in JSON is written as a script sees it in a text.
pub fn start(value: &Value, limit: usize, is_for_people: bool) -> (Vec<u8>, Result<(), ToJsonError>) {
    let mut writer = Writer { json: Vec::with_capacity(128.min(limit)), limit, is_for_people };
    let written = writer.value(value, 0);
    writer.json.truncate(limit);
    (writer.json, written)
}

struct Writer {
    json: Vec<u8>,
    limit: usize,
    is_for_people: bool,
}

type Written = Result<(), ToJsonError>;

impl Writer {
    /// Writes a value inside of so many arrays and maps.
    fn value(&mut self, value: &Value, depth: usize) -> Written {
        match value {
            Value::Short(text) => self.text(text.as_str()),
            Value::Long(text) => self.text(text),
            Value::Int(number) => self.int(*number),
            Value::Map(map) => {
                self.deeper(depth)?;
                let mut before = b'{';
                for (key, value) in map.iter() {
                    self.json.push(before);
                    before = b',';
                    self.text(key)?;
                    self.json.push(b':');
                    self.value(value, depth + 1)?;
                }
                self.end(before, b"{}")
            }
            Value::List(list) => self.array(list.iter(), depth, |writer, item| writer.value(item, depth + 1)),
            Value::Bool(truth) => self.put(if *truth { b"true" } else { b"false" }),
            Value::Float(number) => self.float(*number),
            Value::Unit => self.put(b"null"),
            Value::Char(character) => self.text(character.encode_utf8(&mut [0; 4])),
            Value::Blob(bytes) => self.array(bytes.iter(), depth, |writer, byte| writer.int((*byte).into())),
            Value::Shared(shared) => self.value(&shared.borrow(), depth),
            // Without what it captures, which may be what it stands in.
            Value::Function(_) if self.is_for_people => self.text("(Fn)"),
            Value::Function(_) => {
                self.check()?;
                Err(ToJsonError::JsonError(type_without_json("Fn")))
            }
            other => {
                self.check()?;
                let room = self.limit - self.json.len();
                let (json, written) = start_of_other(&other.to_rhai(), room, self.is_for_people);
                self.json.extend(json);
                match written {
                    Err(ToJsonError::TooLarge { .. }) => Err(ToJsonError::TooLarge { limit: self.limit }),
                    written => written,
                }
            }
        }
    }

    fn array<T>(&mut self, items: impl Iterator<Item = T>, depth: usize, mut write: impl FnMut(&mut Self, T) -> Written) -> Written {
        self.deeper(depth)?;
        let mut before = b'[';
        for item in items {
            self.json.push(before);
            before = b',';
            write(self, item)?;
        }
        self.end(before, b"[]")
    }

    /// Ends what began with the first of these brackets; if nothing is in it, it has not begun.
    fn end(&mut self, before: u8, brackets: &[u8; 2]) -> Written {
        self.put(if before == b',' { &brackets[1..] } else { brackets })
    }

    #[inline]
    fn put(&mut self, part: &[u8]) -> Written {
        self.json.extend_from_slice(part);
        self.check()
    }

    /// Makes sure that all fits so far.
    #[inline]
    fn check(&self) -> Written {
        if self.json.len() <= self.limit { Ok(()) } else { Err(ToJsonError::TooLarge { limit: self.limit }) }
    }

    #[inline]
    fn text(&mut self, text: &str) -> Written {
        let mut rest = text.as_bytes();
        self.json.push(b'"');
        loop {
            let (ordinary, from) = rest.split_at(ordinary(rest));
            self.json.extend_from_slice(ordinary);
            let Some((byte, after)) = from.split_first() else { break };
            self.escape(*byte);
            self.check()?;
            rest = after;
        }
        self.json.push(b'"');
        self.check()
    }

    fn escape(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let short = match byte {
            b'"' | b'\\' => byte,
            8 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            12 => b'f',
            b'\r' => b'r',
            _ => {
                self.json.extend_from_slice(b"\\u00");
                return self.json.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
        };
        self.json.extend_from_slice(&[b'\\', short]);
    }

    fn int(&mut self, number: i64) -> Written {
        let (mut digits, mut rest) = ([0; 20], number.unsigned_abs());
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.json.push(b'-');
        }
        self.put(&digits[start..])
    }

    /// Makes sure that something may stand inside of so many others.
    fn deeper(&self, depth: usize) -> Written {
        if depth < MAX_DEPTH {
            return Ok(());
        }
        self.check()?;
        check_depth::<serde_json::Error>(depth).map_err(|error| ToJsonError::JsonError(error.to_string()))
    }

    fn float(&mut self, number: f64) -> Written {
        // Writing to a vector cannot fail, and a number is none only if it is not finite.
        let _ = serde_json::to_writer(&mut self.json, &number);
        self.check()
    }
}
