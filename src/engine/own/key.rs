//! Names of properties, as the places in scripts that read and write them hold them.

use std::{
    rc::Rc,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
};

use super::shapes::{Shape, word};

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

    /// Returns the list of a map that is written out with them; none if there is no room for it.
    #[inline]
    pub(super) fn shape(&self) -> Option<Rc<Shape>> {
        Shape::literal(self.number, || self.keys.iter().map(|key| (key.as_str(), key.word())))
    }
}
