//! A walk along a chain, link by link.
//!
//! As long as nothing on the way is changed, values are looked at where they are. What may be changed is changed at its place: the root is
//! taken out of its variable, and each array and map on the way is copied only if somebody else holds it, too.

use std::{mem, rc::Rc};

use rhai::Position;

use super::{
    Code, Machine, Outcome,
    links::{Assignment, Link, Step, Word, is_no_text},
    races::data_race,
};
use crate::engine::{
    context::{self, properties::BODY, variable},
    own::{Map, Shared, Value, native, path},
};

/// A walk along a chain.
pub(super) struct Walk<'w, 'm> {
    pub machine: &'w mut Machine<'m>,
    pub code: &'w Code,
    /// What is free for frames of functions.
    pub free: &'w mut [Value],
    /// What is put at the end.
    pub assign: Option<(Value, &'w Assignment)>,
    /// Whether the root is a constant.
    pub is_constant: bool,
    /// Whether the root is a variable that closures have captured: nobody else may use it meanwhile.
    pub is_shared: bool,
    /// Whether even what is said to change nothing gets a place to change.
    pub needs_place: bool,
}

impl<'w, 'm> Walk<'w, 'm> {
    pub fn new(machine: &'w mut Machine<'m>, code: &'w Code, free: &'w mut [Value]) -> Self {
        Self { machine, code, free, assign: None, is_constant: false, is_shared: false, needs_place: false }
    }
}

impl Walk<'_, '_> {
    /// Follows links from a variable.
    pub(super) fn at_place(&mut self, place: &mut Value, links: &[Link], operands: &mut [Value]) -> Outcome {
        if let Value::Shared(shared) = place {
            let shared = shared.clone();
            if shared.is_locked() {
                return Err(data_race(String::new()));
            }
            self.is_constant |= shared.is_constant;
            return self.holding(&shared, |walk| match walk.look_first(&shared.get(), links, operands) {
                Ok(None) => {
                    let mut value = mem::take(&mut *shared.borrow_mut());
                    let result = walk.follow(&mut value, links, operands, true);
                    *shared.borrow_mut() = value;
                    result
                }
                result => result.map(Option::unwrap_or_default),
            });
        }
        if let Some(value) = self.look_first(place, links, operands)? {
            return Ok(value);
        }
        let mut value = mem::take(place);
        let result = self.follow(&mut value, links, operands, true);
        *place = value;
        result
    }

    /// Walks while nobody else may use a variable.
    pub(super) fn holding(&mut self, shared: &Shared, walk: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        shared.lock();
        self.machine.locks += 1;
        self.is_shared = true;
        let result = walk(self);
        self.machine.locks -= 1;
        shared.unlock();
        result
    }

    /// Looks at a value where it is, if that is enough.
    fn look_first(&mut self, value: &Value, links: &[Link], operands: &mut [Value]) -> Outcome<Option<Value>> {
        let may_change = links.first().is_none_or(|link| link.changes);
        let found = if may_change { None } else { self.look(value, links, operands, true)? };
        self.needs_place = found.is_none() && !may_change;
        Ok(found)
    }

    /// Follows links from a value that stays as it is; none: something needs a place to change, and nothing has happened yet.
    fn look(&mut self, value: &Value, links: &[Link], operands: &mut [Value], is_place: bool) -> Outcome<Option<Value>> {
        let [link, rest @ ..] = links else { return Ok(Some(value.clone())) };
        if link.is_optional && value.is_unit() {
            return Ok(Some(Value::Unit));
        }
        match &link.step {
            Step::Property { key, .. } => match value {
                Value::Map(map) => {
                    self.enter_part(map, key.as_str());
                    self.look(map.find(key).unwrap_or(&Value::Unit), rest, operands, is_place)
                }
                value => {
                    let part = self.property(value, link, is_place)?;
                    // A part of the request is a constant, as if it had a place.
                    let is_body = is_body(value, link);
                    self.is_constant |= is_body;
                    self.look(&part, rest, operands, is_body)
                }
            },
            Step::Index => {
                let (index, operands) = first_of(operands);
                if let (Value::Map(map), Some(key)) = (value, index.as_str()) {
                    self.enter_part(map, key);
                }
                match path::index(value, index) {
                    Some(part) => self.look(&part, rest, operands, is_place && matches!(value, Value::List(_) | Value::Map(_))),
                    None => {
                        let part = self.machine.slow(self.code, &link.node, &mut [value.clone(), index.clone()])?;
                        self.look(&part, rest, operands, false)
                    }
                }
            }
            Step::Method(method) => {
                let (arguments, operands) = operands.split_at_mut(method.arguments);
                if method.needs_place(value, arguments, self.machine) {
                    return Ok(None);
                }
                let mut result = self.method(link, method, &mut value.clone(), arguments, is_place)?;
                self.go_on(&mut result, rest, operands).map(Some)
            }
        }
    }

    /// Follows links from what a method gave.
    fn go_on(&mut self, value: &mut Value, links: &[Link], operands: &mut [Value]) -> Outcome {
        self.needs_place = false;
        if links.is_empty() { Ok(mem::take(value)) } else { self.follow(value, links, operands, false) }
    }

    /// Follows links from a value that may be changed. Whether it is at a place, or nobody's.
    pub(super) fn follow(&mut self, target: &mut Value, links: &[Link], operands: &mut [Value], is_place: bool) -> Outcome {
        let [link, rest @ ..] = links else { return self.put_whole(target, is_place) };
        if link.is_optional && target.is_unit() {
            return Ok(Value::Unit);
        }
        if rest.is_empty() && self.assign.is_some() {
            return self.put(target, link, operands, is_place);
        }
        if !link.changes && !self.needs_place {
            if let Some(value) = self.look(target, links, operands, is_place)? {
                return Ok(value);
            }
            self.needs_place = true;
        }
        match &link.step {
            Step::Property { key, .. } => {
                if let Value::Map(map) = target {
                    self.enter_part(map, key.as_str());
                    let found = Rc::make_mut(map).change_at(key, |part| self.follow(part, rest, operands, is_place));
                    return match found {
                        Some(result) => result,
                        None => self.follow(&mut Value::Unit, rest, operands, false),
                    };
                }
                let mut value = self.property(target, link, is_place)?;
                let is_body = is_body(target, link);
                self.is_constant |= is_body;
                self.follow(&mut value, rest, operands, is_body)
            }
            Step::Index => {
                let (index, operands) = first_of(operands);
                if let (Value::Map(map), Some(key)) = (&*target, index.as_str()) {
                    self.enter_part(map, key);
                }
                let found = match (&mut *target, &*index) {
                    (Value::List(list), Value::Int(at)) => path::place(*at, list.len())
                        .and_then(|at| Rc::make_mut(list).change(at, |part| self.follow(part, rest, operands, is_place))),
                    (Value::Map(map), index) => {
                        index.as_str().and_then(|key| Rc::make_mut(map).change(key, |part| self.follow(part, rest, operands, is_place)))
                    }
                    _ => None,
                };
                if let Some(result) = found {
                    return result;
                }
                let mut value = match path::index(target, index) {
                    Some(part) => part.into_value(),
                    None => self.machine.slow(self.code, &link.node, &mut [target.clone(), index.clone()])?,
                };
                let changed_at = changes_part(rest, target, &value);
                let result = self.follow(&mut value, rest, operands, false)?;
                if let Some(position) = changed_at {
                    self.machine.put_back(self.code, target, mem::take(index), value, position)?;
                }
                Ok(result)
            }
            Step::Method(method) => {
                let (arguments, operands) = operands.split_at_mut(method.arguments);
                let mut result = self.method(link, method, target, arguments, is_place)?;
                self.go_on(&mut result, rest, operands)
            }
        }
    }

    /// Goes to a part of a map. What a constant got later is none.
    #[inline(always)]
    fn enter_part(&mut self, map: &Rc<Map>, key: &str) {
        if self.is_constant && self.machine.additions.has(map, key) {
            self.is_constant = false;
        }
    }

    /// Reads a property of what is no map. Rhai fails where it is at a place and too large.
    fn property(&mut self, value: &Value, link: &Link, is_place: bool) -> Outcome {
        if let Step::Property { getter: Some(getter), .. } = &link.step
            && (!is_place || value.is_allowed())
            && let Some(method) = getter.property_of(value)
            && let Ok(Some(value)) = (method.run)(&mut self.site(Position::NONE), &mut value.clone(), &mut [])
        {
            return Ok(value);
        }
        self.machine.slow(self.code, &link.node, &mut [value.clone()])
    }
}

/// Whether the body of the request is a constant to this run.
pub(super) fn is_body_constant() -> bool {
    context::with(|run| run.is_body_constant()).unwrap_or_default()
}

/// Whether a link asks the request for its body.
fn is_body(value: &Value, link: &Link) -> bool {
    match (value, &link.step) {
        (Value::Other(value), Step::Property { key, .. }) if key.as_str() == BODY => variable::is_request(value) && is_body_constant(),
        _ => false,
    }
}

/// Returns where the first link stands, if it is a function of Rhai's after which a part of a text, a number or a blob comes back into it.
fn changes_part(links: &[Link], whole: &Value, part: &Value) -> Option<Position> {
    let Some(Link { step: Step::Method(method), .. }) = links.first() else { return None };
    let is_copied = matches!(whole, Value::Short(_) | Value::Long(_) | Value::Int(_) | Value::Blob(_));
    if !is_copied || method.word != Word::None || !method.functions.is_empty() {
        return None;
    }
    let comes_back = match method.native.and_then(|native| native.of(part)).map(|native| native.effect) {
        Some(native::Effect::Changes) => true,
        Some(native::Effect::Holds) => is_no_text(part),
        Some(native::Effect::Reads | native::Effect::Visits) => false,
        None => !is_no_text(part),
    };
    comes_back.then_some(method.position)
}

/// Takes the next operand. There are as many as the links ask for.
fn first_of(operands: &mut [Value]) -> (&mut Value, &mut [Value]) {
    operands.split_first_mut().expect("each index has its operand")
}
