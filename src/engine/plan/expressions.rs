//! Evaluates the expressions of a plan.

use rhai::Dynamic;

use super::{
    frame::{Frame, Leave, StepResult},
    operators::{self, Operator},
    steps::{Expr, Part},
};
use crate::engine::host::{self, HostFunction, MAX_ARGUMENTS};

impl Frame<'_> {
    pub(super) fn truth(&mut self, condition: &Expr) -> StepResult<bool> {
        self.eval(condition)?.as_bool().map_err(|_| Leave::GiveUp)
    }

    fn truth_of(&mut self, side: &Part) -> StepResult<bool> {
        self.operations += u64::from(side.operations);
        self.truth(&side.expr)
    }

    pub(super) fn eval(&mut self, expr: &Expr) -> StepResult<Dynamic> {
        Ok(match expr {
            Expr::Constant(value) => value.clone(),
            Expr::Place(place) => self.places[*place].clone(),
            Expr::Property(property) => property.read(self.run),
            Expr::Text(parts) => self.text(parts)?,
            Expr::Array(items) => {
                let items = items.iter().map(|item| self.eval(item)).collect::<StepResult<Vec<_>>>()?;
                self.checked(Dynamic::from_array(items))?
            }
            Expr::Map(entries, template) => {
                let mut map = (**template).clone();
                for (key, value) in entries {
                    let value = self.eval(value)?;
                    map.insert(key.clone(), value);
                }
                self.checked(Dynamic::from_map(map))?
            }
            Expr::And(sides) => {
                for side in sides {
                    if !self.truth_of(side)? {
                        return Ok(false.into());
                    }
                }
                true.into()
            }
            Expr::Or(sides) => {
                for side in sides {
                    if self.truth_of(side)? {
                        return Ok(true.into());
                    }
                }
                false.into()
            }
            Expr::Coalesce(sides) => {
                for side in sides {
                    self.operations += u64::from(side.operations);
                    let value = self.eval(&side.expr)?;
                    if !value.is_unit() {
                        return Ok(value);
                    }
                }
                Dynamic::UNIT
            }
            Expr::Not(side) => (!self.truth(side)?).into(),
            Expr::Binary(operator, sides) => self.binary(*operator, &sides.0, &sides.1)?,
            Expr::Chain { root, links } => self.chain(root, links)?,
            Expr::Length(of) => self.length(of)?,
            Expr::Call { name, arguments } => {
                let mut values = arguments.iter().map(|argument| self.eval(argument)).collect::<StepResult<Vec<_>>>()?;
                self.call(name, false, &mut values.iter_mut().collect::<Vec<_>>())?
            }
            Expr::Host { of, function, arguments } => self.host(of, function, arguments)?,
            Expr::Block(steps) => self.block(steps)?,
        })
    }

    fn text(&mut self, parts: &[Expr]) -> StepResult<Dynamic> {
        use std::fmt::Write as _;
        let mut text = String::new();
        for part in parts {
            let mut value = self.eval(part)?;
            if let Ok(part) = value.as_immutable_string_ref() {
                text.push_str(&part);
            } else if let Ok(number) = value.as_int() {
                self.operations += 1;
                let _ = write!(text, "{number}");
            } else if value.is_unit() {
                self.operations += 1;
            } else {
                // As Rhai does it, with the function that knows how.
                let part = self.call("to_string", true, &mut [&mut value])?;
                text.push_str(&part.into_immutable_string().map_err(|_| Leave::GiveUp)?);
            }
            if text.len() > self.engine.max_string_size() {
                return Err(Leave::GiveUp);
            }
        }
        Ok(text.into())
    }

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr) -> StepResult<Dynamic> {
        let longest = self.engine.max_string_size();
        // Most sides are read where they are.
        let mut result = None;
        let seen = self.view();
        seen.look(left, &mut |left| {
            seen.look(right, &mut |right| result = operators::apply(operator, left, right, longest));
        });
        if let Some(result) = result {
            return Ok(result);
        }
        let (mut left, mut right) = (self.eval(left)?, self.eval(right)?);
        match operators::apply(operator, &left, &right, longest) {
            Some(result) => Ok(result),
            None => {
                if operators::is_built_in(operator, &left, &right) {
                    // For Rhai this is no call.
                    self.ticks += 1;
                }
                self.call(operator.text(), false, &mut [&mut left, &mut right])
            }
        }
    }

    fn length(&mut self, of: &Expr) -> StepResult<Dynamic> {
        // For Rhai this is a call.
        self.operations += 1;
        let mut length = None;
        if !self.view().look(of, &mut |value| length = length_of(value)) {
            length = length_of(&self.eval(of)?);
        }
        length.and_then(|length| i64::try_from(length).ok()).map(Dynamic::from_int).ok_or(Leave::GiveUp)
    }

    fn host(&mut self, of: &'static str, function: &'static HostFunction, arguments: &[Expr]) -> StepResult<Dynamic> {
        let mut values = <[Dynamic; MAX_ARGUMENTS]>::default();
        for (value, argument) in values.iter_mut().zip(arguments) {
            *value = self.eval(argument)?;
        }
        let result = host::by_plan(function, of, self.run, &mut values[..arguments.len()]);
        Self::after_call(result)
    }
}

fn length_of(value: &Dynamic) -> Option<usize> {
    if let Ok(array) = value.as_array_ref() {
        return Some(array.len());
    }
    if let Ok(map) = value.as_map_ref() {
        return Some(map.len());
    }
    value.as_immutable_string_ref().ok().map(|text| text.chars().count())
}
