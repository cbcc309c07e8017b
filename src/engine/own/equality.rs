//! When values are the same, and their hashes.

use std::hash::{Hash, Hasher};

use super::{List, Map, Value, numbers::compare};
use crate::engine::own::Op;

impl Value {
    /// Whether both are the same, as Rhai compares elements of arrays and maps; none: Rhai is to be asked.
    pub fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left == right),
            (Self::Unit, Self::Unit) => Some(true),
            (Self::Bool(left), Self::Bool(right)) => Some(left == right),
            (Self::Char(left), Self::Char(right)) => Some(left == right),
            (Self::Short(left), Self::Short(right)) => Some(left == right),
            (Self::Float(left), Self::Float(right)) => compare(Op::Equal, *left, *right),
            (Self::Float(left), Self::Int(right)) => compare(Op::Equal, *left, *right as f64),
            (Self::Int(left), Self::Float(right)) => compare(Op::Equal, *left as f64, *right),
            (Self::List(left), Self::List(right)) => left.equals(right),
            (Self::Map(left), Self::Map(right)) => left.equals(right),
            (Self::Blob(left), Self::Blob(right)) => Some(left == right),
            (Self::Shared(left), right) => left.get().equals(right),
            (left, Self::Shared(right)) => left.equals(&right.get()),
            (Self::Other(_), _) | (_, Self::Other(_)) | (Self::Function(_), Self::Function(_)) | (Self::Blob(_), Self::Char(_)) => None,
            (Self::Char(left), right) => Some(right.as_str().is_some_and(|right| is_only(right, *left))),
            (left, Self::Char(right)) => Some(left.as_str().is_some_and(|left| is_only(left, *right))),
            (left, right) => Some(left.as_str().is_some_and(|left| right.as_str() == Some(left))),
        }
    }

    /// Returns the hash by which Rhai's `switch` looks for it; none: it has none, so no case is its.
    pub fn switch_hash(&self) -> Option<u64> {
        // Rhai's own hasher, and what its values write into it: the number of their kind, then themselves.
        let mut hasher = ahash::AHasher::default();
        let mut kind = |number: isize| number.hash(&mut hasher);
        match self {
            Self::Unit => kind(0),
            Self::Bool(truth) => {
                kind(1);
                truth.hash(&mut hasher);
            }
            Self::Short(_) | Self::Long(_) => {
                kind(2);
                self.as_str()?.hash(&mut hasher);
            }
            Self::Char(character) => {
                kind(3);
                character.hash(&mut hasher);
            }
            Self::Int(number) => {
                kind(4);
                number.hash(&mut hasher);
            }
            Self::Float(number) => {
                kind(5);
                number.to_ne_bytes().hash(&mut hasher);
            }
            Self::Function(function) if function.curried().is_empty() => {
                kind(9);
                function.name.as_str().hash(&mut hasher);
                [(); 0].as_slice().hash(&mut hasher);
            }
            Self::Shared(shared) => return shared.get().switch_hash(),
            other if other.has_hash() => other.to_rhai().hash(&mut hasher),
            _ => return None,
        }
        Some(hasher.finish())
    }

    fn has_hash(&self) -> bool {
        match self {
            Self::List(list) => list.iter().all(Self::has_hash),
            Self::Map(map) => map.values().all(Self::has_hash),
            // No case is one with such a function in it, and what a function has captured may hold itself.
            Self::Function(_) | Self::Shared(_) => false,
            Self::Other(value) => value.is::<std::ops::Range<i64>>() || value.is::<std::ops::RangeInclusive<i64>>(),
            _ => true,
        }
    }
}

fn is_only(text: &str, character: char) -> bool {
    text.strip_prefix(character) == Some("")
}

impl List {
    /// Whether both have the same elements; none: Rhai is to be asked.
    pub fn equals(&self, other: &Self) -> Option<bool> {
        if self.len() != other.len() {
            return Some(false);
        }
        for (left, right) in self.iter().zip(other.iter()) {
            if !left.equals(right)? {
                return Some(false);
            }
        }
        Some(true)
    }
}

impl Map {
    /// Whether both have the same entries; none: Rhai is to be asked.
    pub fn equals(&self, other: &Self) -> Option<bool> {
        if self.len() != other.len() {
            return Some(false);
        }
        for (key, left) in self.iter() {
            let Some(right) = other.get(key) else { return Some(false) };
            if !left.equals(right)? {
                return Some(false);
            }
        }
        Some(true)
    }
}
