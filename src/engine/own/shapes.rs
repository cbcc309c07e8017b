//! The key lists of maps. Maps with the same keys in the same order share one, so each holds only its values.
//!
//! A thread has a tree of them: from each list to those with one key more. It stays between runs, and is no part of their memory.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use crate::engine::meter;

/// Most keys of a map that has a shape.
pub const MAX_KEYS: usize = 64;
/// Most shapes that a thread keeps, and most bytes that they take. A request with random keys must not grow them without end.
const MAX_SHAPES: usize = 512;
const MAX_BYTES: usize = 128 << 10;

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

/// A list of keys.
pub struct Shape {
    /// In the order in which they were added.
    keys: Box<[Rc<str>]>,
    /// Each key's [`word`], to tell keys apart at a glance.
    words: Box<[u64]>,
    /// The places of the keys in the order of their names.
    sorted: Box<[u8]>,
    /// Each key as JSON has it.
    quoted: Box<[QuotedKey]>,
    /// Whether no key needs an escape in JSON, so that JSON has them as they are.
    is_plain: bool,
    /// The lists with one key more, in the order of that key.
    next: RefCell<Vec<Rc<Shape>>>,
    /// The one among them that was asked for the last time.
    expected: Cell<usize>,
}

/// A key as JSON has it, with quotes and colon, to be compared with the next 16 bytes.
struct QuotedKey {
    /// What these bytes are. Longer keys have none.
    bytes: u128,
    /// Which of them count.
    mask: u128,
}

impl QuotedKey {
    fn of(key: &str) -> Self {
        let mut bytes = [0; 16];
        let quoted = [b"\"", key.as_bytes(), b"\":"].concat();
        match bytes.get_mut(..quoted.len()) {
            Some(start) => start.copy_from_slice(&quoted),
            None => return Self { bytes: 0, mask: 0 },
        }
        Self { bytes: u128::from_le_bytes(bytes), mask: u128::MAX >> (128 - 8 * quoted.len()) }
    }
}

/// How many lists of maps that are written out a thread remembers.
const LITERALS: usize = 64;

/// The lists of the objects that were read last in JSON, by depth: the next one there is often like it.
pub type Guesses = [Option<Rc<Shape>>; 8];

/// The lists of a thread.
struct Table {
    /// The empty list.
    root: Rc<Shape>,
    /// Those of maps that are written out, by the number of their keys.
    literals: [Option<(u64, Rc<Shape>)>; LITERALS],
    guesses: Guesses,
    shapes: usize,
    bytes: usize,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::new(Table::new());
}

impl Table {
    fn new() -> Self {
        Self {
            root: meter::beside(|| Rc::new(Shape::of(Vec::new()))),
            literals: [const { None }; LITERALS],
            guesses: Guesses::default(),
            shapes: 0,
            bytes: 0,
        }
    }

    /// Whether one more list of so many bytes has room; then it counts.
    fn has_room(&mut self, bytes: usize) -> bool {
        let has_room = self.shapes < MAX_SHAPES && self.bytes + bytes <= MAX_BYTES;
        if has_room {
            self.shapes += 1;
            self.bytes += bytes;
        }
        has_room
    }
}

/// Makes room for the next run, if this one has filled more than half of it. Maps that still live keep their lists.
pub fn end_run() {
    TABLE.with_borrow_mut(|table| {
        if table.shapes > MAX_SHAPES / 2 || table.bytes > MAX_BYTES / 2 {
            meter::beside(|| *table = Table::new());
        }
    });
}

/// Calls with the guesses of what JSON holds.
pub fn with_guesses<T>(read: impl FnOnce(&mut Guesses) -> T) -> T {
    let mut guesses = TABLE.with_borrow_mut(|table| std::mem::take(&mut table.guesses));
    let result = read(&mut guesses);
    TABLE.with_borrow_mut(|table| table.guesses = guesses);
    result
}

impl Shape {
    /// Returns the empty list.
    pub fn empty() -> Rc<Self> {
        TABLE.with_borrow(|table| table.root.clone())
    }

    /// Returns the list of a map that is written out; none if there is no room for it. Each key comes with its [`word`], and `number` is one
    /// that no other keys have.
    #[inline]
    pub fn literal<'a, K: Iterator<Item = (&'a str, u64)>>(number: u64, keys: impl FnOnce() -> K) -> Option<Rc<Self>> {
        let place = number as usize % LITERALS;
        TABLE
            .with_borrow(|table| table.literals[place].as_ref().filter(|(other, _)| *other == number).map(|(_, shape)| shape.clone()))
            .or_else(|| {
                let shape = keys().try_fold(Self::empty(), |shape, (key, word)| shape.with(key, word))?;
                TABLE.with_borrow_mut(|table| table.literals[place] = Some((number, shape.clone())));
                Some(shape)
            })
    }

    fn of(keys: Vec<Rc<str>>) -> Self {
        let mut sorted: Box<[u8]> = (0..keys.len() as u8).collect();
        sorted.sort_unstable_by(|a, b| keys[usize::from(*a)].cmp(&keys[usize::from(*b)]));
        Self {
            words: keys.iter().map(|key| word(key)).collect(),
            sorted,
            quoted: keys.iter().map(|key| QuotedKey::of(key)).collect(),
            is_plain: keys.iter().all(|key| super::scan::is_plain(key)),
            keys: keys.into(),
            next: RefCell::default(),
            expected: Cell::new(0),
        }
    }

    /// Returns how many keys it has.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Returns the key at a place.
    #[inline]
    pub fn key(&self, place: usize) -> &Rc<str> {
        &self.keys[place]
    }

    /// Returns the places of the keys in the order of their names.
    #[inline]
    pub fn sorted(&self) -> &[u8] {
        &self.sorted
    }

    /// Whether this key is at this place; `word` is the key's.
    #[inline(always)]
    pub fn has_at(&self, place: usize, key: &str, word: u64) -> bool {
        // The word tells length and first bytes: up to seven, it is the key.
        self.words.get(place) == Some(&word) && (key.len() <= 7 || *self.keys[place] == *key)
    }

    /// Returns the place of a key; `word` is the key's.
    #[inline]
    pub fn find(&self, key: &str, word: u64) -> Option<usize> {
        (0..self.words.len()).find(|place| self.has_at(*place, key, word))
    }

    /// Returns the list with this key more; none if it would be too long, or there is no room for another list. `word` is the key's.
    #[inline]
    pub fn with(&self, key: &str, word: u64) -> Option<Rc<Self>> {
        let next = self.next.borrow();
        if let Some(shape) = next.get(self.expected.get())
            && shape.has_at(self.len(), key, word)
        {
            return Some(shape.clone());
        }
        drop(next);
        self.with_other(key)
    }

    /// Whether no key needs an escape in JSON, so that JSON has them as they are.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Returns how many bytes the key at a place has with quotes and colon, if JSON begins with them. All keys must be plain.
    #[inline(always)]
    pub fn begins(&self, place: usize, json: &[u8]) -> Option<usize> {
        let quoted = self.quoted.get(place)?;
        match json.first_chunk() {
            Some(start) if quoted.mask != 0 => {
                (u128::from_le_bytes(*start) & quoted.mask == quoted.bytes).then(|| (self.words[place] >> 56) as usize + 3)
            }
            _ => {
                let key = &*self.keys[place];
                json.strip_prefix(b"\"")?.strip_prefix(key.as_bytes())?.starts_with(b"\":").then_some(key.len() + 3)
            }
        }
    }

    /// Returns the list that came after this one the last time, if JSON begins with its last key; and how many bytes that has there.
    #[inline]
    pub fn expected(&self, json: &[u8]) -> Option<(Rc<Self>, usize)> {
        let next = self.next.borrow();
        let shape = next.get(self.expected.get()).filter(|shape| shape.is_plain)?;
        shape.begins(self.len(), json).map(|bytes| (shape.clone(), bytes))
    }

    /// Returns the list of its first keys.
    pub fn first_keys(self: &Rc<Self>, count: usize) -> Option<Rc<Self>> {
        if count == self.len() {
            return Some(self.clone());
        }
        self.keys.iter().zip(&self.words).take(count).try_fold(Self::empty(), |shape, (key, word)| shape.with(key, *word))
    }

    /// Returns the key that was added last.
    #[inline]
    pub fn last_key(&self) -> &str {
        self.keys.last().map_or("", |key| key)
    }

    /// Whether the list with this key more is there already.
    pub fn knows(&self, key: &str) -> bool {
        self.place_of_next(&self.next.borrow(), key).is_ok()
    }

    fn place_of_next(&self, next: &[Rc<Self>], key: &str) -> Result<usize, usize> {
        next.binary_search_by(|shape| shape.last_key().cmp(key))
    }

    #[inline(never)]
    fn with_other(&self, key: &str) -> Option<Rc<Self>> {
        let mut next = self.next.borrow_mut();
        let place = match self.place_of_next(&next, key) {
            Ok(place) => place,
            Err(place) => {
                // What its fields take, and what stands around them.
                let bytes = size_of::<Self>() + (self.len() + 1) * (25 + size_of::<QuotedKey>()) + key.len() + 64;
                if self.len() >= MAX_KEYS || !TABLE.with_borrow_mut(|table| table.has_room(bytes)) {
                    return None;
                }
                meter::beside(|| {
                    let keys = self.keys.iter().cloned().chain([key.into()]).collect();
                    next.insert(place, Rc::new(Self::of(keys)));
                });
                place
            }
        };
        self.expected.set(place);
        Some(next[place].clone())
    }
}
