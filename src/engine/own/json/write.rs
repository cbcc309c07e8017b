//! From values to JSON.

use super::super::Value;
use super::super::scan::ordinary;
use crate::engine::value::{
    MAX_DEPTH, check_depth, type_without_json,
    write::{ToJsonError, start_of_json},
};

/// Writes a value as JSON, at most `limit` bytes.
pub fn write(value: &Value, limit: usize) -> Result<Vec<u8>, ToJsonError> {
    let (json, written) = start(value, limit);
    written.map(|()| json)
}

/// Writes as much of a value's JSON as fits.
pub(super) fn start(value: &Value, limit: usize) -> (Vec<u8>, Result<(), ToJsonError>) {
    let mut writer = Writer { json: Vec::with_capacity(128.min(limit)), limit, without: None };
    let written = match writer.value(value, 0) {
        Some(()) => Ok(()),
        None => Err(writer.without.map_or(ToJsonError::TooLarge { limit }, ToJsonError::JsonError)),
    };
    writer.json.truncate(limit);
    (writer.json, written)
}

struct Writer {
    json: Vec<u8>,
    limit: usize,
    /// Why something has no form in JSON.
    without: Option<String>,
}

/// None: it ends here, as it would be too large if nothing else is said.
type Written = Option<()>;

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
            Value::Function(_) => {
                self.check()?;
                self.without = Some(type_without_json("Fn"));
                None
            }
            other => {
                self.check()?;
                let room = self.limit - self.json.len();
                let (json, written) = start_of_json(&other.to_rhai(), room);
                self.json.extend(json);
                if let Err(ToJsonError::JsonError(why)) = &written {
                    self.without = Some(why.clone());
                }
                written.ok()
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
        (self.json.len() <= self.limit).then_some(())
    }

    fn text(&mut self, text: &str) -> Written {
        let text = text.as_bytes();
        let plain = ordinary(text);
        self.json.reserve(text.len() + 2);
        self.json.push(b'"');
        if plain == text.len() {
            self.json.extend_from_slice(text);
        } else {
            self.escaped(text, plain)?;
        }
        self.json.push(b'"');
        self.check()
    }

    /// Writes a text that needs an escape behind its first bytes.
    #[inline(never)]
    fn escaped(&mut self, text: &[u8], plain: usize) -> Written {
        let (mut before, mut rest) = text.split_at(plain);
        loop {
            self.json.extend_from_slice(before);
            let Some((byte, after)) = rest.split_first() else { return Some(()) };
            self.escape(*byte);
            self.check()?;
            (before, rest) = after.split_at(ordinary(after));
        }
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
            start -= 1;
            digits[start] = b'-';
        }
        self.put(&digits[start..])
    }

    /// Makes sure that something may stand inside of so many others.
    #[inline]
    fn deeper(&mut self, depth: usize) -> Written {
        if depth < MAX_DEPTH {
            return Some(());
        }
        self.check()?;
        self.without = check_depth::<serde_json::Error>(depth).err().map(|error| error.to_string());
        None
    }

    fn float(&mut self, number: f64) -> Written {
        // Writing to a vector cannot fail, and a number is none only if it is not finite.
        let _ = serde_json::to_writer(&mut self.json, &number);
        self.check()
    }
}
