//! Object maps: their values stand in the order of a [`Shape`]. Large ones, and those for whose keys there is no room, are trees.

use std::{collections::BTreeMap, rc::Rc};

use smallvec::SmallVec;

use super::{
    Key, Keys, Value,
    shapes::{Shape, word},
    sizes::{replace, sized},
};
use crate::engine::value::sizes::Sizes;

/// Values of as many keys stand in the map itself.
const INLINE: usize = 4;
/// Beyond so many keys, a map that gets computed keys is used as a dictionary: nobody else has its keys.
const MAX_COMPUTED: usize = 16;

/// The entries of an object map, with their sizes.
#[derive(Clone)]
pub struct Map {
    entries: Entries,
    /// Of the map with all that is in it.
    sizes: Sizes,
}

pub(super) type Values = SmallVec<[Value; INLINE]>;
type Tree = BTreeMap<Rc<str>, Value>;

#[derive(Clone)]
enum Entries {
    /// The values of the shape's keys.
    Shaped(Rc<Shape>, Values),
    Tree(Tree),
}

impl Default for Map {
    fn default() -> Self {
        Self { entries: Entries::Shaped(Shape::empty(), Values::new()), sizes: Sizes::default() }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let is_flat = self.sizes.map == self.len() && self.sizes.array == 0;
        if !is_flat {
            match &mut self.entries {
                Entries::Shaped(_, values) => super::drop::release(std::mem::take(values)),
                Entries::Tree(tree) => super::drop::release(std::mem::take(tree).into_values()),
            }
        }
    }
}

impl Map {
    /// Makes a map that is written out in a script.
    #[inline]
    pub fn literal(keys: &Keys, values: impl ExactSizeIterator<Item = Value>) -> Self {
        match keys.shape() {
            Some(shape) if shape.len() == values.len() => Self::shaped(shape, values.collect()),
            _ => keys.iter().zip(values).map(|(key, value)| (key.as_str(), value)).collect(),
        }
    }

    /// Makes a map of values in the order of a shape.
    pub(super) fn shaped(shape: Rc<Shape>, values: Values) -> Self {
        let mut sizes = Sizes { map: values.len(), ..Sizes::default() };
        values.iter().for_each(|value| value.add_to(&mut sizes));
        Self { entries: Entries::Shaped(shape, values), sizes }
    }

    /// Makes a map of values whose sizes are known, together with that of the map.
    pub(super) fn counted(shape: Rc<Shape>, values: Values, sizes: Sizes) -> Self {
        Self { entries: Entries::Shaped(shape, values), sizes }
    }

    /// Makes a map of a tree.
    pub(super) fn tree(tree: Tree) -> Self {
        let mut sizes = Sizes { map: tree.len(), ..Sizes::default() };
        tree.values().for_each(|value| value.add_to(&mut sizes));
        Self { entries: Entries::Tree(tree), sizes }
    }

    /// Returns its list of keys, if it has one.
    pub(super) fn shape(&self) -> Option<&Rc<Shape>> {
        match &self.entries {
            Entries::Shaped(shape, _) => Some(shape),
            Entries::Tree(_) => None,
        }
    }

    /// Returns how many entries it has.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.entries {
            Entries::Shaped(_, values) => values.len(),
            Entries::Tree(tree) => tree.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the sizes of the map with all that is in it.
    #[inline(always)]
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns the value of a property.
    #[inline(always)]
    pub fn find(&self, key: &Key) -> Option<&Value> {
        match &self.entries {
            Entries::Shaped(shape, values) => values.get(key.place_in(shape)?),
            Entries::Tree(tree) => tree.get(key.as_str()),
        }
    }

    /// Returns the value of a key that is not known before.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match &self.entries {
            Entries::Shaped(shape, values) => values.get(shape.find(key, word(key))?),
            Entries::Tree(tree) => tree.get(key),
        }
    }

    /// Whether it has a key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Changes the value of a property, if there is one.
    #[inline]
    pub fn change_at<T>(&mut self, key: &Key, change: impl FnOnce(&mut Value) -> T) -> Option<T> {
        let value = match &mut self.entries {
            Entries::Shaped(shape, values) => values.get_mut(key.place_in(shape)?)?,
            Entries::Tree(tree) => tree.get_mut(key.as_str())?,
        };
        Some(sized(value, &mut self.sizes, change))
    }

    /// Changes the value of a key, if there is one.
    pub fn change<T>(&mut self, key: &str, change: impl FnOnce(&mut Value) -> T) -> Option<T> {
        let value = match &mut self.entries {
            Entries::Shaped(shape, values) => values.get_mut(shape.find(key, word(key))?)?,
            Entries::Tree(tree) => tree.get_mut(key)?,
        };
        Some(sized(value, &mut self.sizes, change))
    }

    /// Changes all values.
    pub fn change_all(&mut self, mut change: impl FnMut(&str, &mut Value)) {
        let sizes = &mut self.sizes;
        match &mut self.entries {
            Entries::Shaped(shape, values) => {
                shape.sorted().iter().for_each(|place| {
                    let place = usize::from(*place);
                    sized(&mut values[place], sizes, |value| change(shape.key(place), value));
                });
            }
            Entries::Tree(tree) => tree.iter_mut().for_each(|(key, value)| sized(value, sizes, |value| change(key, value))),
        }
    }

    /// Sets a property, and returns what it was.
    #[inline]
    pub fn insert_at(&mut self, key: &Key, value: Value) -> Option<Value> {
        if let Entries::Shaped(shape, values) = &mut self.entries {
            if let Some(place) = key.place_in(shape) {
                return Some(replace(&mut values[place], value, &mut self.sizes));
            }
            if let Some(with) = shape.with(key.as_str(), key.word()) {
                *shape = with;
                value.add_to(&mut self.sizes);
                self.sizes.map += 1;
                values.push(value);
                return None;
            }
        }
        self.insert(key.as_str(), value)
    }

    /// Sets the value of a key, and returns what it was.
    pub fn insert(&mut self, key: &str, value: Value) -> Option<Value> {
        if let Entries::Shaped(shape, values) = &mut self.entries {
            let word = word(key);
            if let Some(place) = shape.find(key, word) {
                return Some(replace(&mut values[place], value, &mut self.sizes));
            }
            let with = if shape.len() < MAX_COMPUTED || shape.knows(key) { shape.with(key, word) } else { None };
            match with {
                Some(with) => {
                    *shape = with;
                    value.add_to(&mut self.sizes);
                    self.sizes.map += 1;
                    values.push(value);
                    return None;
                }
                None => self.entries = Entries::Tree(take_tree(shape, values)),
            }
        }
        let Entries::Tree(tree) = &mut self.entries else { return None };
        match tree.get_mut(key) {
            Some(place) => Some(replace(place, value, &mut self.sizes)),
            None => {
                value.add_to(&mut self.sizes);
                self.sizes.map += 1;
                tree.insert(key.into(), value)
            }
        }
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let value = match &mut self.entries {
            Entries::Shaped(shape, values) => {
                let place = shape.find(key, word(key))?;
                let value = std::mem::take(&mut values[place]);
                self.entries = without(shape, values, place);
                value
            }
            Entries::Tree(tree) => tree.remove(key)?,
        };
        self.sizes.map -= 1;
        value.take_from(&mut self.sizes);
        Some(value)
    }

    /// Goes through the entries in the order of their keys.
    pub fn iter(&self) -> Iter<'_> {
        match &self.entries {
            Entries::Shaped(shape, values) => Iter::Shaped(shape, values, shape.sorted().iter()),
            Entries::Tree(tree) => Iter::Tree(tree.iter()),
        }
    }

    /// Goes through the keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Goes through the values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }
}

fn take_tree(shape: &Shape, values: &mut Values) -> Tree {
    std::mem::take(values).into_iter().enumerate().map(|(place, value)| (shape.key(place).clone(), value)).collect()
}

/// Returns the entries without one.
fn without(shape: &Rc<Shape>, values: &mut Values, without: usize) -> Entries {
    values.remove(without);
    let keys = (0..shape.len()).filter(|place| *place != without).map(|place| shape.key(place));
    let rest = keys.clone().try_fold(Shape::empty(), |rest, key| {
        let may_be_new = shape.len() <= MAX_COMPUTED || rest.knows(key);
        if may_be_new { rest.with(key, word(key)) } else { None }
    });
    match rest {
        Some(rest) => Entries::Shaped(rest, std::mem::take(values)),
        None => Entries::Tree(keys.cloned().zip(std::mem::take(values)).collect()),
    }
}

/// The entries of a map, in the order of their keys.
#[derive(Clone)]
pub enum Iter<'a> {
    #[doc(hidden)]
    Shaped(&'a Shape, &'a [Value], std::slice::Iter<'a, u8>),
    #[doc(hidden)]
    Tree(std::collections::btree_map::Iter<'a, Rc<str>, Value>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a Value);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Shaped(shape, values, places) => {
                let place = usize::from(*places.next()?);
                Some((shape.key(place), &values[place]))
            }
            Self::Tree(tree) => tree.next().map(|(key, value)| (&**key, value)),
        }
    }
}
