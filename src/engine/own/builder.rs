//! A map that is made key by key, as it is read.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    Map, Value,
    map::Values,
    shapes::{Shape, word},
};

/// A map that is made key by key: after each key comes its value.
pub struct Builder {
    /// The values of the keys so far.
    values: Values,
    keys: Keys,
}

enum Keys {
    /// All of these; where a value is awaited, one more than there are values.
    All(Rc<Shape>),
    /// The same, and the one at this place comes again.
    Again(Rc<Shape>, usize),
    /// Too many for a list. The entries, and the key whose value is awaited.
    Tree(BTreeMap<Rc<str>, Value>, Rc<str>),
}

impl Default for Builder {
    fn default() -> Self {
        Self { values: Values::new(), keys: Keys::All(Shape::empty()) }
    }
}

impl Builder {
    /// Goes on with a map that has the first keys of a list.
    pub(super) fn first(shape: &Rc<Shape>, values: Values) -> Self {
        match shape.first_keys(values.len()) {
            Some(shape) => Self { values, keys: Keys::All(shape) },
            None => Self { values: Values::new(), keys: tree(shape, values, "".into()) },
        }
    }

    /// Takes the key that came next in the map before, if JSON begins with it. Returns how many bytes it has, with quotes and colon.
    #[inline]
    pub fn expected(&mut self, json: &[u8]) -> Option<usize> {
        let Keys::All(shape) = &self.keys else { return None };
        let (shape, bytes) = shape.expected(json)?;
        self.keys = Keys::All(shape);
        Some(bytes)
    }

    /// Takes any key.
    #[inline(never)]
    pub fn key(&mut self, key: &str) {
        let shape = match &mut self.keys {
            Keys::All(shape) | Keys::Again(shape, _) => shape.clone(),
            Keys::Tree(_, awaited) => return *awaited = key.into(),
        };
        let word = word(key);
        self.keys = match shape.find(key, word) {
            Some(place) => Keys::Again(shape, place),
            None => match shape.with(key, word) {
                Some(with) => Keys::All(with),
                None => tree(&shape, std::mem::take(&mut self.values), key.into()),
            },
        };
    }

    /// Takes the value of the key. If the key was there before, it replaces the one before.
    #[inline]
    pub fn value(&mut self, value: Value) {
        match &mut self.keys {
            Keys::All(_) => self.values.push(value),
            Keys::Again(_, place) => self.values[*place] = value,
            Keys::Tree(tree, awaited) => drop(tree.insert(awaited.clone(), value)),
        }
    }

    /// Returns the map. Each key must have its value.
    #[inline]
    pub fn finish(self) -> Map {
        match self.keys {
            Keys::All(shape) | Keys::Again(shape, _) => Map::shaped(shape, self.values),
            Keys::Tree(tree, _) => Map::tree(tree),
        }
    }
}

impl<K: AsRef<str>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut builder = Builder::default();
        for (key, value) in entries {
            builder.key(key.as_ref());
            builder.value(value);
        }
        builder.finish()
    }
}

/// Returns the entries as a tree, and the key that is awaited.
fn tree(shape: &Shape, values: Values, awaited: Rc<str>) -> Keys {
    let entries = values.into_iter().enumerate().map(|(place, value)| (shape.key(place).clone(), value));
    Keys::Tree(entries.collect(), awaited)
}
