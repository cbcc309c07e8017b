//! Runs the statements of a plan.

use rhai::Dynamic;

use super::{
    frame::{Frame, Leave, StepResult},
    operators,
    steps::{Statement, Step},
};

impl Frame<'_> {
    pub(super) fn block(&mut self, steps: &[Statement]) -> StepResult<Dynamic> {
        let mut last = Dynamic::UNIT;
        for Statement { at, operations, step } in steps {
            self.at = *at;
            self.count(*operations)?;
            last = self.step(step)?;
        }
        Ok(last)
    }

    fn step(&mut self, step: &Step) -> StepResult<Dynamic> {
        match step {
            Step::Let { place, value } => self.places[*place] = self.eval(value)?,
            Step::Set { place, operator, value } => {
                let value = self.eval(value)?;
                let next = match operator {
                    None => value,
                    Some(operator) => match operators::apply(*operator, &self.places[*place], &value, self.engine.max_string_size()) {
                        Some(next) => {
                            self.operations += operators::assigned(&self.places[*place], &value);
                            next
                        }
                        None => return self.assign_with(*operator, *place, value),
                    },
                };
                self.places[*place] = next;
            }
            Step::SetIn { place, links, operator, value } => self.set_in(*place, links, *operator, value)?,
            Step::If { condition, then, otherwise } => {
                let chosen = if self.truth(condition)? { then } else { otherwise };
                return self.block(chosen);
            }
            Step::While { condition, body } => loop {
                match condition {
                    Some(condition) => {
                        self.count(condition.operations)?;
                        if !self.truth(&condition.expr)? {
                            break;
                        }
                    }
                    None => self.count(u32::from(body.is_empty()))?,
                }
                if !self.repeat(body)? {
                    break;
                }
            },
            Step::For { item, over, body } => {
                let Ok(items) = self.eval(over)?.into_array() else { return Err(Leave::GiveUp) };
                for value in items {
                    self.places[*item] = value;
                    if !self.next_round(body)? {
                        break;
                    }
                }
            }
            Step::ForIn { item, place, lends, body } => self.for_in(*item, *place, *lends, body)?,
            Step::ForRange { item, bounds, inclusive, body } => {
                let (Ok(first), Ok(last)) = (self.eval(&bounds.0)?.as_int(), self.eval(&bounds.1)?.as_int()) else {
                    return Err(Leave::GiveUp);
                };
                let Some(end) = last.checked_add(i64::from(*inclusive)) else { return Err(Leave::GiveUp) };
                for number in first..end {
                    self.places[*item] = number.into();
                    if !self.next_round(body)? {
                        break;
                    }
                }
            }
            Step::Break => return Err(Leave::Break),
            Step::Continue => return Err(Leave::Continue),
            Step::Return(value) => {
                let value = value.as_ref().map_or(Ok(Dynamic::UNIT), |value| self.eval(value))?;
                return Err(Leave::Return(value));
            }
            Step::Give(value) => return self.eval(value),
        }
        Ok(Dynamic::UNIT)
    }

    /// Runs the body of a loop over items once. A body without statements counts by itself.
    fn next_round(&mut self, body: &[Statement]) -> StepResult<bool> {
        if body.is_empty() {
            self.count(1)?;
        }
        self.repeat(body)
    }

    /// Runs the body of a loop once. Returns whether it goes on.
    fn repeat(&mut self, body: &[Statement]) -> StepResult<bool> {
        match self.block(body) {
            Ok(_) | Err(Leave::Continue) => Ok(true),
            Err(Leave::Break) => Ok(false),
            Err(leave) => Err(leave),
        }
    }

    /// Runs a loop over the array in a variable. The array is away meanwhile, which nobody can see: the body does not mention it.
    fn for_in(&mut self, item: usize, place: usize, lends: bool, body: &[Statement]) -> StepResult<()> {
        let Ok(mut array) = self.places[place].take().into_array() else { return Err(Leave::GiveUp) };
        for element in &mut array {
            let goes_on = if lends {
                std::mem::swap(element, &mut self.places[item]);
                let goes_on = self.next_round(body)?;
                std::mem::swap(element, &mut self.places[item]);
                goes_on
            } else {
                self.places[item] = element.clone();
                self.next_round(body)?
            };
            if !goes_on {
                break;
            }
        }
        self.places[place] = Dynamic::from_array(array);
        Ok(())
    }
}
