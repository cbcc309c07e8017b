//! Names of properties, as the places in scripts that read and write them hold them.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::shapes::Shape;

/// The length of a text and its first seven bytes. Texts of up to seven bytes with the same word are the same.
#[inline]
pub fn word(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut word = [0; 8];
    let known = bytes.len().min(7);
    word[..known].copy_from_slice(&bytes[..known]);
    word[7] = bytes.len().min(255) as u8;
    u64::from_le_bytes(word)
}

/// The name of a property, and where it was found the last time. Threads share it: maps that are made alike have a key at the same place on
/// all of them.
#[derive(Debug)]
pub struct Key {
    text: Box<str>,
    word: u64,
    /// A place to look at first; to be wrong costs a search.
    guess: AtomicU8,
}

impl Key {
    /// Takes a name.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), word: word(text), guess: AtomicU8::new(0) }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns its [`word`].
    pub(super) fn word(&self) -> u64 {
        self.word
    }

    /// Returns its place in a list.
    #[inline(always)]
    pub(super) fn place_in(&self, shape: &Shape) -> Option<usize> {
        let guess = usize::from(self.guess.load(Ordering::Relaxed));
        if shape.has_at(guess, &self.text, self.word) { Some(guess) } else { self.search(shape) }
    }

    #[inline(never)]
    fn search(&self, shape: &Shape) -> Option<usize> {
        let place = shape.find(&self.text, self.word)?;
        // There are at most 64.
        self.guess.store(place as u8, Ordering::Relaxed);
        Some(place)
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Self::new(&self.text)
    }
}

/// The names of a map that is written out in a script, in the order written.
#[derive(Debug)]
pub struct Keys {
    keys: Box<[Key]>,
    /// Unique in the process; a thread remembers by it which list it found for them.
    number: u64,
}

impl Keys {
    /// Takes names, of which none is there twice.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        Self { keys: names.into_iter().map(Key::new).collect(), number: NUMBERS.fetch_add(1, Ordering::Relaxed) }
    }

    /// Returns the names.
    pub fn iter(&self) -> std::slice::Iter<'_, Key> {
        self.keys.iter()
    }

    /// Returns a number of them that no others have.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}
