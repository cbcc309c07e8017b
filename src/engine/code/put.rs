//! Assignments to what chains lead to.

use std::{mem, rc::Rc};

use rhai::EvalAltResult;

use super::{
    Outcome,
    links::{Assignment, Link, Step},
    machine::Leave,
    races::{adds_itself, in_use},
    slow,
    walk::Walk,
};
use crate::engine::own::{Map, Value, assign, path};

impl Walk<'_, '_> {
    /// Returns a map to put a value in; none: it is a constant that has the key.
    fn put_in<'t>(&mut self, map: &'t mut Rc<Map>, key: &str, is_constant: bool) -> Option<&'t mut Map> {
        match is_constant && !self.machine.additions.has(map, key) {
            false => Some(Rc::make_mut(map)),
            true if map.has(key) => None,
            true => Some(self.machine.additions.add(map, key)),
        }
    }

    /// Puts the value in the place of the root itself.
    pub(super) fn put_whole(&mut self, target: &mut Value, is_place: bool) -> Outcome {
        let Some((value, assignment)) = self.assign.take() else { return Ok(target.clone()) };
        if self.is_constant && is_place {
            return Err(assignment.to_constant());
        }
        self.put_at(target, value, assignment, &mut Value::Unit).map(|()| Value::Unit)
    }

    /// Puts the value where the last link leads.
    pub(super) fn put(&mut self, target: &mut Value, link: &Link, operands: &mut [Value], is_place: bool) -> Outcome {
        let Some((value, assignment)) = self.assign.take() else { return Ok(Value::Unit) };
        let is_constant = self.is_constant && is_place;
        let index = &mut operands.first_mut().map_or(Value::Unit, mem::take);
        if self.is_shared
            && let Some(op) = &assignment.op
        {
            let found = match (&link.step, &mut *target) {
                (Step::Property { key, .. }, Value::Map(map)) => {
                    // What is not there is put there first, as `()`.
                    if map.find(key).is_none() {
                        Rc::make_mut(map).insert_at(key, Value::Unit);
                    }
                    adds_itself(op, map.find(key).unwrap_or(&Value::Unit), &value)
                }
                (Step::Index, target) => path::index(target, index).map_or(Ok(()), |part| adds_itself(op, &part, &value)),
                _ => Ok(()),
            };
            found?;
        }
        if let (Step::Property { key, .. }, Value::Map(map)) = (&link.step, &mut *target) {
            let Some(map) = self.put_in(map, key.as_str(), is_constant) else { return Err(assignment.to_constant()) };
            match &assignment.op {
                None => drop(map.insert_at(key, value)),
                Some(op) => {
                    if !map.change_at(key, |part| assign(op.op, part, &value)).unwrap_or_default() {
                        return self.put_slowly(target, value, assignment, index);
                    }
                }
            }
            self.machine.check(target, assignment.position)?;
            return self.machine.grown().map(|()| Value::Unit);
        }
        match (&mut *target, index.as_str()) {
            (Value::Map(map), Some(key)) => {
                let Some(map) = self.put_in(map, key, is_constant) else { return Err(assignment.to_constant()) };
                let part = match &assignment.op {
                    None => {
                        self.machine.check(&value, assignment.position)?;
                        map.insert(key, value);
                        return self.machine.grown().map(|()| Value::Unit);
                    }
                    Some(op) => map.change(key, |part| assign(op.op, part, &value).then(|| self.machine.check(part, assignment.position))),
                };
                match part.flatten() {
                    Some(fits) => fits?,
                    None => return self.put_slowly(target, value, assignment, index),
                }
                return self.machine.grown().map(|()| Value::Unit);
            }
            (Value::List(list), None) => {
                if let Value::Int(at) = *index
                    && let Some(at) = path::place(at, list.len())
                {
                    if is_constant {
                        return Err(assignment.to_constant());
                    }
                    let mut value = Some(value);
                    let done = Rc::make_mut(list).change(at, |part| {
                        let done = match (&assignment.op, value.take()) {
                            (None, Some(value)) => {
                                *part = value;
                                true
                            }
                            (Some(op), Some(other)) => {
                                let done = assign(op.op, part, &other);
                                value = Some(other);
                                done
                            }
                            _ => false,
                        };
                        if done { self.machine.check(part, assignment.position).map(|()| true) } else { Ok(false) }
                    });
                    if !done.unwrap_or(Ok(false))? {
                        return self.put_slowly(target, value.unwrap_or_default(), assignment, index);
                    }
                    self.machine.grown()?;
                    return Ok(Value::Unit);
                }
            }
            (Value::Blob(bytes), None) => {
                if let (Value::Int(at), Value::Int(byte), None) = (&*index, &value, &assignment.op)
                    && let Some(at) = path::place(*at, bytes.len())
                {
                    Rc::make_mut(bytes)[at] = (byte & 0xff) as u8;
                    return Ok(Value::Unit);
                }
            }
            _ => {}
        }
        if let (Step::Property { key, .. }, None) = (&link.step, &assignment.op)
            && self.machine.locks > 0
        {
            in_use(&format!("set${}", key.as_str()), [&value].into_iter())?;
        }
        if is_constant {
            let mut operands = [value, target.clone(), mem::take(index)];
            let result = self.machine.slow_statement(self.code, &assignment.node, &mut operands, slow::Operands::Constant(1));
            return result.map(|_| Value::Unit);
        }
        self.put_slowly(target, value, assignment, index)
    }

    /// Has Rhai put the value.
    fn put_slowly(&mut self, target: &mut Value, value: Value, assignment: &Assignment, index: &mut Value) -> Outcome {
        let mut operands = [value, mem::take(target), mem::take(index)];
        // A part of a text becomes what the value prints. Rhai has another name for the functions of a run.
        if let [Value::Function(_), Value::Short(_) | Value::Long(_), Value::Other(_)] = operands {
            let mut text = String::new();
            operands[0].print(&mut text, usize::MAX);
            operands[0] = text.into();
        }
        let result = self.machine.slow_statement(self.code, &assignment.node, &mut operands, slow::Operands::Changed);
        *target = mem::take(&mut operands[1]);
        result.map(|_| Value::Unit)
    }

    /// Puts a value in the place of another.
    fn put_at(&mut self, target: &mut Value, value: Value, assignment: &Assignment, index: &mut Value) -> Outcome<()> {
        match &assignment.op {
            None => *target = value,
            Some(op) => {
                if self.is_shared {
                    adds_itself(op, target, &value)?;
                }
                if !assign(op.op, target, &value) {
                    self.put_slowly(target, value, assignment, index)?;
                }
            }
        }
        self.machine.grown()
    }
}

impl Assignment {
    #[cold]
    fn to_constant(&self) -> Leave {
        EvalAltResult::ErrorAssignmentToConstant(self.name.to_string(), self.root_position).into()
    }
}
