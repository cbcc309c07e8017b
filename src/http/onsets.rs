//! Since when parts of the node are degraded.

use std::{collections::BTreeMap, sync::Mutex};

use crate::api::health::Part;

/// Since when parts are degraded, in microseconds since 1970. One that was well in between begins anew.
#[derive(Debug, Default)]
pub struct Onsets(Mutex<BTreeMap<Part, i64>>);

impl Onsets {
    /// Notes which parts are degraded now. Returns since when each is, in their order.
    pub fn note(&self, parts: impl Iterator<Item = Part>, now_us: i64) -> Vec<i64> {
        let mut onsets = self.0.lock().expect("nothing panics while it holds the onsets");
        let now: Vec<(Part, i64)> = parts.map(|part| (part, onsets.get(&part).copied().unwrap_or(now_us))).collect();
        *onsets = now.iter().copied().collect();
        now.into_iter().map(|(_, since_us)| since_us).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_was_well_in_between_begins_anew() {
        let onsets = Onsets::default();
        let note = |parts: &[Part], now_us| onsets.note(parts.iter().copied(), now_us);
        assert_eq!(note(&[Part::Source, Part::Files], 1), [1, 1]);
        assert_eq!(note(&[Part::Source, Part::Database], 2), [1, 2]);
        assert_eq!(note(&[Part::Files], 3), [3]);
    }
}
