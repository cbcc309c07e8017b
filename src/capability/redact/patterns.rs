//! Finds many texts in one pass: the first eight bytes of each lead to it.

use std::{borrow::Cow, collections::HashMap, ops::Range, sync::Arc};

use super::{
    SHORTEST_REDACTED,
    forms::{lines, other_forms},
};
use crate::{function::grants::secret::SecretName, secret::Secret};

/// Bytes of all forms together. The forms of the largest values are left out beyond it; the values themselves are shared and always known.
const MAX_FORM_BYTES: usize = 16 << 20;
/// What ends a text that was cut.
const CUT: &[u8] = "…".as_bytes();

/// Texts to look for.
#[derive(Default)]
pub struct Patterns {
    filter: Filter,
    by_start: HashMap<u64, Vec<Pattern>>,
}

struct Pattern {
    bytes: Bytes,
    /// What is written in its place.
    mark: Arc<str>,
}

enum Bytes {
    /// A value from its first to its last visible character.
    Value(Arc<Secret>),
    Form(Box<[u8]>),
}

impl Patterns {
    /// Looks for these values and their forms.
    pub fn of<'a>(values: impl IntoIterator<Item = (&'a SecretName, &'a Arc<Secret>)>) -> Self {
        let mut values: Vec<_> = values.into_iter().filter(|(_, value)| value.expose().trim().len() >= SHORTEST_REDACTED).collect();
        values.sort_by_key(|(_, value)| value.expose().len());
        let (mut patterns, mut form_bytes) = (Self::default(), 0);
        for (name, value) in values {
            let mark: Arc<str> = format!("[secret {name}]").into();
            patterns.add(Bytes::Value(value.clone()), &mark);
            for form in other_forms(value.expose().trim()).into_iter().chain(lines(value.expose())) {
                form_bytes += form.len();
                if form_bytes <= MAX_FORM_BYTES {
                    patterns.add(Bytes::Form(form.into()), &mark);
                }
            }
        }
        patterns
    }

    /// Returns whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.by_start.is_empty()
    }

    fn add(&mut self, bytes: Bytes, mark: &Arc<str>) {
        if let Some(start) = start(bytes.get()) {
            self.filter.add(start);
            self.by_start.entry(start).or_default().push(Pattern { bytes, mark: mark.clone() });
        }
    }

    /// Writes a mark in the place of every text that is found. Where several overlap or touch, one mark stands for all.
    pub fn replace<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found: Vec<(Range<usize>, &str)> = Vec::new();
        for at in 0..text.len() {
            let Some((length, mark)) = self.longest_at(&text.as_bytes()[at..]) else { continue };
            match found.last_mut() {
                Some((range, _)) if at <= range.end => range.end = range.end.max(at + length),
                _ => found.push((at..at + length, mark)),
            }
        }
        if found.is_empty() {
            return text.into();
        }
        let (mut replaced, mut end) = (String::with_capacity(text.len()), 0);
        for (range, mark) in found {
            replaced.extend([&text[end..range.start], mark]);
            end = range.end;
        }
        replaced.push_str(&text[end..]);
        replaced.into()
    }

    /// Returns the length and the mark of the longest text that the bytes begin with.
    fn longest_at(&self, bytes: &[u8]) -> Option<(usize, &str)> {
        let start = start(bytes).filter(|start| self.filter.may_have(*start))?;
        let found = self.by_start.get(&start)?.iter().filter_map(|pattern| Some((pattern.length_in(bytes)?, &*pattern.mark)));
        found.max_by_key(|(length, _)| *length)
    }
}

impl Pattern {
    /// Returns how many bytes are this text, or its beginning if the bytes were cut there.
    fn length_in(&self, bytes: &[u8]) -> Option<usize> {
        let own = self.bytes.get();
        if bytes.starts_with(own) {
            return Some(own.len());
        }
        let same = own.iter().zip(bytes).take_while(|(one, other)| one == other).count();
        let rest = &bytes[same..];
        (rest.is_empty() || rest.starts_with(CUT)).then_some(same)
    }
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Value(value) => value.expose().trim().as_bytes(),
            Self::Form(form) => form,
        }
    }
}

fn start(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk::<SHORTEST_REDACTED>().map(|start| u64::from_le_bytes(*start))
}

/// Says at once of most beginnings that nothing begins so.
#[derive(Default)]
struct Filter(Box<[u64]>);

/// A mebibit is 128 KiB; at 30,000 texts 3 of 100 innocent beginnings pass.
const FILTER_BITS: u32 = 20;

impl Filter {
    fn add(&mut self, start: u64) {
        if self.0.is_empty() {
            self.0 = vec![0; 1 << (FILTER_BITS - 6)].into();
        }
        let (word, bit) = Self::place(start);
        self.0[word] |= bit;
    }

    fn may_have(&self, start: u64) -> bool {
        let (word, bit) = Self::place(start);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn place(start: u64) -> (usize, u64) {
        // Fibonacci hashing: 2⁶⁴ divided by the golden ratio.
        let hash = start.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS);
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}
