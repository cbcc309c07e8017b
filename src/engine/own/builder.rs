//! A map that is made key by key, as it is read.

use std::{collections::BTreeMap, rc::Rc};

use super::{Map, Value, key::word, map::Values, shapes::Shape};

/// A map that is made key by key: after each key comes its value.
pub struct Builder {
    shape: Rc<Shape>,
    /// The values of the shape's keys; the last is missing while its value is awaited.
    values: Values,
    /// The place of a key that was there before, and is awaited again.
    again: Option<usize>,
    /// The entries, once there is no shape for them, and the key whose value is awaited.
    tree: Option<(BTreeMap<Rc<str>, Value>, Rc<str>)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { shape: Shape::empty(), values: Values::new(), again: None, tree: None }
    }
}

impl Builder {
    /// Takes the key that came next in the map before, if the text begins with it and a quote. Returns how many bytes that are.
    #[inline]
    pub fn expected(&mut self, text: &[u8]) -> Option<usize> {
        if self.tree.is_some() {
            return None;
        }
        let (shape, bytes) = self.shape.expected(text)?;
        self.shape = shape;
        Some(bytes)
    }

    /// Takes any key.
    pub fn key(&mut self, key: &str) {
        if let Some((_, awaited)) = &mut self.tree {
            *awaited = key.into();
            return;
        }
        let word = word(key);
        self.again = self.shape.find(key, word);
        if self.again.is_some() {
            return;
        }
        match self.shape.with(key, word) {
            Some(shape) => self.shape = shape,
            None => {
                let values = std::mem::take(&mut self.values).into_iter().enumerate();
                let tree = values.map(|(place, value)| (self.shape.key(place).clone(), value)).collect();
                self.tree = Some((tree, key.into()));
            }
        }
    }

    /// Takes the value of the key. If the key was there before, it replaces the one before.
    #[inline]
    pub fn value(&mut self, value: Value) {
        if let Some((tree, awaited)) = &mut self.tree {
            tree.insert(awaited.clone(), value);
        } else if let Some(place) = self.again.take() {
            self.values[place] = value;
        } else {
            self.values.push(value);
        }
    }

    /// Returns the map. A key without a value has `()`.
    #[inline]
    pub fn finish(mut self) -> Map {
        match self.tree {
            Some((tree, _)) => Map::tree(tree),
            None => {
                self.values.resize_with(self.shape.len(), Value::default);
                Map::shaped(self.shape, self.values)
            }
        }
    }
}
