//! `switch`: values are found by their hashes, as Rhai computes them.

use rhai::RangeCase;

use super::{Compiler, Ex, Test};
use crate::engine::{ir, own::Value};

impl Compiler<'_> {
    pub(super) fn switch(&mut self, switch: &ir::Switch) -> Ex {
        let on = self.expr(&switch.on);
        let arms: Box<[(Option<Test>, Ex)]> = switch
            .arms
            .iter()
            .map(|arm| (arm.condition.as_ref().map(|condition| self.condition(condition)), self.expr(&arm.value)))
            .collect();
        let mut cases = switch.cases.clone();
        cases.sort_by_key(|(hash, _)| *hash);
        let (ranges, default) = (switch.ranges.clone(), switch.default);
        Box::new(move |machine, code, frame| {
            let value = on(machine, code, frame)?;
            if let Some(hash) = value.switch_hash() {
                let found = cases.binary_search_by_key(&hash, |(hash, _)| *hash).ok().map_or(&[][..], |at| &*cases[at].1);
                let in_range = ranges.iter().filter(|range| match &value {
                    Value::Int(number) => range.contains_int(*number),
                    Value::Float(number) => range.contains_float(*number),
                    _ => false,
                });
                for arm in found.iter().copied().chain(in_range.map(RangeCase::index)) {
                    let (condition, result) = &arms[arm];
                    let holds = match condition {
                        Some(condition) => condition(machine, code, frame)?,
                        None => true,
                    };
                    if holds {
                        return result(machine, code, frame);
                    }
                }
            }
            match default {
                Some(arm) => (arms[arm].1)(machine, code, frame),
                None => Ok(Value::Unit),
            }
        })
    }
}
