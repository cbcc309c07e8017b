//! How large values are, as the limits `string`, `array` and `map` count: each value with all that is in it.

use rhai::{Array, Dynamic, Engine, FnPtr};

use crate::function::Limits;

/// The sizes of a value, or the largest that are allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of strings.
    pub string: usize,
    /// Elements of arrays, bytes of blobs.
    pub array: usize,
    /// Entries of maps.
    pub map: usize,
}

impl Sizes {
    /// Returns what a function's limits allow.
    pub fn allowed_by(limits: &Limits) -> Self {
        Self { string: limits.string.bytes(), array: limits.array as usize, map: limits.map as usize }
    }

    /// Returns what this engine allows.
    pub fn allowed_in(engine: &Engine) -> Self {
        Self { string: engine.max_string_size(), array: engine.max_array_size(), map: engine.max_map_size() }
    }

    /// Looks through a value.
    pub fn of(value: &Dynamic) -> Self {
        let mut sizes = Self::default();
        sizes.add(value);
        sizes
    }

    /// Adds a value that is an element or an entry of another.
    fn add(&mut self, value: &Dynamic) {
        if let Ok(text) = value.as_immutable_string_ref() {
            self.string += text.len();
        } else if let Ok(array) = value.as_array_ref() {
            self.add_all(&array);
        } else if let Ok(map) = value.as_map_ref() {
            self.map += map.len();
            map.values().for_each(|value| self.add(value));
        } else if let Ok(blob) = value.as_blob_ref() {
            // As the engine counts a blob inside of something.
            self.array += 1 + blob.len();
        } else if let Some(function) = value.read_lock::<FnPtr>() {
            // What a closure captures is shared, what a function is curried with is copied with it. The engine's own count sees neither.
            function.iter_curry().filter(|value| !value.is_shared()).for_each(|value| {
                self.array += 1;
                self.add(value);
            });
        }
    }

    /// Adds the elements of an array.
    pub fn add_all(&mut self, array: &Array) {
        self.array += array.len();
        array.iter().for_each(|value| self.add(value));
    }

    /// Returns both together.
    pub fn plus(self, other: Self) -> Self {
        self.with(other, usize::saturating_add)
    }

    /// Returns what is left of these without others that they hold.
    pub fn minus(self, other: Self) -> Self {
        self.with(other, usize::saturating_sub)
    }

    /// Returns the larger of each.
    pub fn or(self, other: Self) -> Self {
        self.with(other, usize::max)
    }

    /// Returns the half of each.
    pub fn half(self) -> Self {
        self.with(self, |size, _| size / 2)
    }

    fn with(self, other: Self, how: impl Fn(usize, usize) -> usize) -> Self {
        Self { string: how(self.string, other.string), array: how(self.array, other.array), map: how(self.map, other.map) }
    }

    /// Whether nothing is larger than allowed.
    pub fn fits(self, allowed: Self) -> bool {
        self.string <= allowed.string && self.array <= allowed.array && self.map <= allowed.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::value::read::from_json;

    #[test]
    fn what_is_inside_counts() {
        let sizes = |json: &str| Sizes::of(&from_json(json.as_bytes()).unwrap());
        assert_eq!(sizes(r#"[1, [2, "ab"], {"k": "é"}]"#), Sizes { string: 4, array: 5, map: 1 });
        assert_eq!(sizes("null"), Sizes::default());
        let (small, large) = (Sizes { string: 1, array: 1, map: 1 }, Sizes { string: 1, array: 3, map: 1 });
        assert!(small.fits(large) && !large.fits(small));
        assert_eq!(large.plus(small).half(), Sizes { string: 1, array: 2, map: 1 });
    }
}
