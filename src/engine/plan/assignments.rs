//! Assignments of a plan that do more than replace a variable.

use std::borrow::Cow;

use rhai::Dynamic;

use super::{
    frame::{Frame, Leave, StepResult},
    operators::{self, Operator},
    steps::{Expr, Link, LinkKind},
    view::position,
};
use crate::engine::value::sizes::Sizes;

impl Frame<'_> {
    pub(super) fn assign_with(&mut self, operator: Operator, place: usize, mut value: Dynamic) -> StepResult<Dynamic> {
        let name = operator.assignment().ok_or(Leave::GiveUp)?;
        let mut target = self.places[place].take();
        if operators::is_built_in_assignment(operator, &target, &value) {
            // For Rhai this is no call.
            self.ticks += 1;
        }
        let _ = self.call(name, true, &mut [&mut target, &mut value])?;
        self.check_size(&target)?;
        self.places[place] = target;
        Ok(Dynamic::UNIT)
    }

    pub(super) fn set_in(&mut self, place: usize, links: &[Link], operator: Option<Operator>, value: &Expr) -> StepResult<()> {
        let value = self.eval(value)?;
        let mut found = self.indexes(links)?.into_iter();
        let mut root = self.places[place].take();
        // What is above grows with what is set.
        if self.set_at(&mut root, links, &mut found, operator, value)? {
            self.check_size(&root)?;
        }
        self.places[place] = root;
        Ok(())
    }

    /// Sets a value inside another. Returns whether that has grown.
    fn set_at(
        &mut self,
        target: &mut Dynamic,
        links: &[Link],
        found: &mut std::vec::IntoIter<Dynamic>,
        operator: Option<Operator>,
        value: Dynamic,
    ) -> StepResult<bool> {
        let [link, rest @ ..] = links else {
            let next = match operator {
                None => value,
                Some(operator) => {
                    let next = operators::apply(operator, target, &value, self.engine.max_string_size()).ok_or(Leave::GiveUp)?;
                    self.operations += operators::assigned(target, &value);
                    next
                }
            };
            let grows = !(is_small(&next) || Sizes::of(&next).fits(Sizes::of(target)));
            *target = next;
            return Ok(grows);
        };
        let key = match &link.kind {
            LinkKind::Key(key) => Cow::Borrowed(key),
            _ => {
                let index = found.next().ok_or(Leave::GiveUp)?;
                if let (Ok(index), true) = (index.as_int(), target.is_array()) {
                    let mut array = target.as_array_mut().map_err(|_| Leave::GiveUp)?;
                    let index = position(index, array.len()).ok_or(Leave::GiveUp)?;
                    return self.set_at(&mut array[index], rest, found, operator, value);
                }
                Cow::Owned(index.into_immutable_string().map_err(|_| Leave::GiveUp)?)
            }
        };
        let mut map = target.as_map_mut().map_err(|_| Leave::GiveUp)?;
        let is_new = rest.is_empty() && !map.contains_key(key.as_str());
        if is_new {
            map.insert(key.as_str().into(), Dynamic::UNIT);
        }
        let entry = map.get_mut(key.as_str()).ok_or(Leave::GiveUp)?;
        Ok(self.set_at(entry, rest, found, operator, value)? || is_new)
    }
}

/// Whether a value counts for no limit of sizes.
fn is_small(value: &Dynamic) -> bool {
    value.is_int() || value.is_unit() || value.is_bool() || value.is_float() || value.is_char()
}
