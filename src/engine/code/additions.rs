//! What constant maps got later.
//!
//! In Rhai each value is a constant by itself or is none. A key that a constant map does not have can be put there, and its value is no
//! constant.

use std::{collections::HashSet, rc::Rc};

use crate::engine::own::{Map, Value};

/// Keys that constant maps of a run got later, and the maps by where they are. Nobody looks here before something is refused.
#[derive(Default)]
pub struct Additions(HashSet<(usize, Box<str>)>);

fn place(map: &Rc<Map>) -> usize {
    Rc::as_ptr(map).addr()
}

impl Additions {
    /// Whether a map got this key later.
    pub fn has(&self, map: &Rc<Map>, key: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&(place(map), key.into()))
    }

    /// Makes a map one that can be changed, and remembers the key that it gets.
    pub fn add<'m>(&mut self, map: &'m mut Rc<Map>, key: &str) -> &'m mut Map {
        let before = place(map);
        Rc::make_mut(map);
        let place = place(map);
        if before != place {
            let moved: Vec<_> = self.0.iter().filter(|(at, _)| *at == before).map(|(_, key)| (place, key.clone())).collect();
            self.0.extend(moved);
        }
        self.0.insert((place, key.into()));
        Rc::make_mut(map)
    }

    /// Forgets what another map got that was where this new constant is.
    pub fn forget(&mut self, constant: &Value) {
        if let Value::Map(map) = constant
            && Rc::strong_count(map) == 1
            && !self.0.is_empty()
        {
            self.0.retain(|(at, _)| *at != place(map));
        }
    }
}
