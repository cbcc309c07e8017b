//! A map that is made key by key, as it is read.
//!
//! Maps that are read one after another are mostly alike. So one is expected to become what the last one that began with the same key did.

use std::{collections::BTreeMap, rc::Rc};

use super::{Map, Value, key::word, map::Values, shapes::Shape};

/// A map that is made key by key: after each key comes its value.
#[derive(Default)]
pub struct Builder {
    /// The values of the keys so far.
    values: Values,
    keys: Keys,
}

#[derive(Default)]
enum Keys {
    #[default]
    None,
    /// The first ones of these, as many as there are values.
    First(Rc<Shape>),
    /// All of these.
    All(Rc<Shape>),
    /// The same, and the one at this place comes again.
    Again(Rc<Shape>, usize),
    /// Too many for a list. The entries, and the key whose value is awaited.
    Tree(BTreeMap<Rc<str>, Value>, Rc<str>),
}

impl Builder {
    /// Takes the key that is expected next, if the text begins with it and a quote. Returns how many bytes that are.
    #[inline]
    pub fn expected(&mut self, text: &[u8]) -> Option<usize> {
        match &self.keys {
            Keys::First(shape) => shape.begins(self.values.len(), text),
            Keys::None => {
                let (shape, bytes) = Shape::first_expected(text)?;
                self.values.reserve_exact(shape.len());
                self.keys = Keys::First(shape);
                Some(bytes)
            }
            Keys::All(shape) => {
                let (shape, bytes) = shape.expected(text)?;
                self.keys = Keys::All(shape);
                Some(bytes)
            }
            Keys::Again(..) | Keys::Tree(..) => None,
        }
    }

    /// Takes any key.
    #[inline(never)]
    pub fn key(&mut self, key: &str) {
        let word = word(key);
        let shape = match std::mem::take(&mut self.keys) {
            Keys::First(shape) if shape.has_at(self.values.len(), key, word) => {
                self.keys = Keys::First(shape);
                return;
            }
            Keys::Tree(tree, _) => {
                self.keys = Keys::Tree(tree, key.into());
                return;
            }
            Keys::None => Some(Shape::empty()),
            Keys::First(shape) => shape.first_keys(self.values.len()).or_else(|| {
                self.keys = self.tree(&shape, key);
                None
            }),
            Keys::All(shape) | Keys::Again(shape, _) => Some(shape),
        };
        let Some(shape) = shape else { return };
        self.keys = match shape.find(key, word) {
            Some(place) => Keys::Again(shape, place),
            None => match shape.with(key, word) {
                Some(with) => Keys::All(with),
                None => self.tree(&shape, key),
            },
        };
    }

    /// Returns the entries as a tree, and the key that is awaited.
    fn tree(&mut self, shape: &Shape, key: &str) -> Keys {
        let values = std::mem::take(&mut self.values).into_iter().enumerate();
        Keys::Tree(values.map(|(place, value)| (shape.key(place).clone(), value)).collect(), key.into())
    }

    /// Takes the value of the key. If the key was there before, it replaces the one before.
    #[inline]
    pub fn value(&mut self, value: Value) {
        match &mut self.keys {
            Keys::None | Keys::First(_) | Keys::All(_) => self.values.push(value),
            Keys::Again(_, place) => self.values[*place] = value,
            Keys::Tree(tree, awaited) => drop(tree.insert(awaited.clone(), value)),
        }
    }

    /// Returns the map. A key without a value is none.
    #[inline]
    pub fn finish(self) -> Map {
        let Self { values, keys } = self;
        match keys {
            Keys::First(shape) if shape.len() == values.len() => Map::shaped(shape, values),
            keys => Self { values, keys }.finish_other(),
        }
    }

    #[inline(never)]
    fn finish_other(self) -> Map {
        let count = self.values.len();
        let shape = match &self.keys {
            Keys::None => Some(Shape::empty()),
            Keys::First(shape) | Keys::All(shape) | Keys::Again(shape, _) => shape.first_keys(count),
            Keys::Tree(..) => None,
        };
        match (shape, self.keys) {
            (Some(shape), _) => {
                shape.remember();
                Map::shaped(shape, self.values)
            }
            (None, Keys::First(shape) | Keys::All(shape) | Keys::Again(shape, _)) => {
                Map::tree(self.values.into_iter().enumerate().map(|(place, value)| (shape.key(place).clone(), value)).collect())
            }
            (None, Keys::Tree(tree, _)) => Map::tree(tree),
            (None, Keys::None) => Map::default(),
        }
    }
}
