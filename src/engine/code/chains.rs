//! Chains: `root.key[index].method(…)`, read and assigned to.
//!
//! A chain is evaluated as Rhai does it: first all indexes and arguments, from left to right, then the root, then link by link. As long as
//! nothing on the way is changed, values are looked at where they are. What may be changed is changed at its place: the root is taken out
//! of its variable, and each array and map on the way is copied only if somebody else holds it, too.

use std::{mem, rc::Rc};

use rhai::{EvalAltResult, Position, Stmt};
use smallvec::SmallVec;

use super::{
    Compiler, Ex, Outcome,
    machine::{Leave, bound},
    races::{adds_itself, data_race, in_use},
    slow,
    walk::{Assignment, Link, Method, Step, Walk, Word, is_no_text},
};
use crate::engine::{
    context::{self, properties::BODY, reading::Reading, variable},
    ir,
    own::{Key, Map, Shared, Value, assign, native, path},
};

/// The values of indexes and arguments.
pub(super) type Operands = SmallVec<[Value; 4]>;

/// Where a chain begins.
enum Root {
    Place {
        slot: usize,
        is_constant: bool,
    },
    This(Position),
    Expr(Ex),
    /// Of the request. Its body may be a constant; a closure has `ctx` at a place, which its own closures capture.
    Request {
        value: Ex,
        is_body: bool,
        captured: Option<usize>,
    },
    /// A constant of a module.
    Constant(Ex),
}

impl Compiler<'_> {
    /// Reads what a chain leads to, or calls the method at its end.
    pub fn chain(&mut self, chain: &ir::Chain) -> Ex {
        let (operands, links) = (self.operands(&chain.links), self.links(&chain.links, false));
        let root = self.root(&chain.root);
        if let (Root::Place { slot, .. }, Some(keys)) = (&root, keys(&links)) {
            let (slot, size) = (*slot, self.frame);
            return Box::new(move |machine, code, frame| {
                if let Some(value) = read(&frame[slot], &keys) {
                    return Ok(value.clone());
                }
                let (own, free) = frame.split_at_mut(size);
                Walk::new(machine, code, free).at_place(&mut own[slot], &links, &mut [])
            });
        }
        self.walk(root, operands, links, None)
    }

    /// Assigns to what a chain leads to.
    pub fn assign_in(&mut self, assign: &ir::AssignIn) -> Ex {
        let value = self.expr(&assign.value);
        let (operands, links) = (self.operands(&assign.chain.links), self.links(&assign.chain.links, true));
        let root = self.root(&assign.chain.root);
        let (name, root_position) = match &assign.chain.root {
            ir::Root::Variable(variable) => (self.places[variable.slot].name.clone(), variable.position),
            ir::Root::This(position) => ("".into(), *position),
            ir::Root::Expr(ir::Expr::ModuleConstant(constant)) => (constant.name.clone(), constant.node.start_position()),
            ir::Root::Expr(_) => ("".into(), Position::NONE),
        };
        let position = match &*assign.node {
            Stmt::Assignment(assignment) => assignment.0.position(),
            _ => Position::NONE,
        };
        let assignment = Assignment { op: assign.op.clone(), position, name, root_position, node: assign.node.clone() };
        let value = match &root {
            // Rhai asks whether there is one before it evaluates anything.
            Root::This(position) if links.is_empty() => self.bound_before(*position, value),
            _ => value,
        };
        self.walk(root, operands, links, Some((value, assignment)))
    }

    fn walk(&mut self, root: Root, operands: Box<[Ex]>, links: Box<[Link]>, assign: Option<(Ex, Assignment)>) -> Ex {
        let (size, this) = (self.frame, self.this);
        Box::new(move |machine, code, frame| {
            let assign = match &assign {
                Some((value, assignment)) => Some((value(machine, code, frame)?.flatten(), assignment)),
                None => None,
            };
            let mut values = Operands::new();
            for operand in &operands {
                values.push(operand(machine, code, frame)?.flatten());
            }
            let (place, is_constant) = match &root {
                Root::Place { slot, is_constant } => (*slot, *is_constant),
                Root::This(position) => {
                    bound(frame, this, *position)?;
                    (this, matches!(frame[this + 1], Value::Bool(false)))
                }
                Root::Expr(root) => {
                    let mut value = root(machine, code, frame)?.flatten();
                    let mut walk = Walk { assign, ..Walk::new(machine, code, &mut frame[size..]) };
                    return walk.follow(&mut value, &links, &mut values, false);
                }
                Root::Constant(root) => {
                    let mut value = root(machine, code, frame)?;
                    let mut walk = Walk { assign, is_constant: true, ..Walk::new(machine, code, &mut frame[size..]) };
                    return walk.follow(&mut value, &links, &mut values, true);
                }
                Root::Request { value, is_body, captured } => {
                    let mut value = value(machine, code, frame)?;
                    let held = match captured.map(|slot| &frame[slot]) {
                        Some(Value::Shared(shared)) => Some(shared.clone()),
                        _ => None,
                    };
                    let is_constant = *is_body && is_body_constant();
                    let mut walk = Walk { assign, is_constant, ..Walk::new(machine, code, &mut frame[size..]) };
                    return match held {
                        Some(shared) => walk.holding(&shared, |walk| walk.follow(&mut value, &links, &mut values, true)),
                        None => walk.follow(&mut value, &links, &mut values, true),
                    };
                }
            };
            let (own, free) = frame.split_at_mut(size);
            let mut walk = Walk { assign, is_constant, ..Walk::new(machine, code, free) };
            walk.at_place(&mut own[place], &links, &mut values)
        })
    }

    /// Makes closures of the indexes and arguments of links, in their order.
    fn operands(&mut self, links: &[ir::Link]) -> Box<[Ex]> {
        let mut operands = Vec::new();
        for link in links {
            match &link.kind {
                ir::LinkKind::Property(..) => {}
                ir::LinkKind::Index(index) => operands.push(self.expr(index)),
                ir::LinkKind::Method(_, arguments, _) => operands.extend(arguments.iter().map(|argument| self.expr(argument))),
            }
        }
        operands.into()
    }

    fn links(&mut self, links: &[ir::Link], is_assigned: bool) -> Box<[Link]> {
        let mut below = is_assigned;
        let mut built: Vec<Link> = Vec::with_capacity(links.len());
        for link in links.iter().rev() {
            let step = match &link.kind {
                ir::LinkKind::Property(name) => Step::Property { key: Key::new(name), getter: native::lookup(name, 1) },
                ir::LinkKind::Index(..) => Step::Index,
                ir::LinkKind::Method(name, arguments, position) => {
                    let method = Method::new(self.unit, name, arguments.len(), *position);
                    below = method.may_change;
                    Step::Method(Box::new(method))
                }
            };
            built.push(Link { step, is_optional: link.is_optional, changes: below, node: link.node.clone() });
        }
        built.reverse();
        built.into()
    }

    fn root(&mut self, root: &ir::Root) -> Root {
        match root {
            ir::Root::Variable(variable) => Root::Place { slot: variable.slot, is_constant: self.places[variable.slot].is_constant },
            ir::Root::This(position) => {
                self.has_this = true;
                Root::This(*position)
            }
            ir::Root::Expr(ir::Expr::Request(request)) => Root::Request {
                value: self.request(request),
                is_body: Reading::of(&request.names).is_some_and(|(reading, _)| reading.is_body()),
                captured: self.captured_request(),
            },
            ir::Root::Expr(ir::Expr::ModuleConstant(constant)) => Root::Constant(self.module_constant(constant)),
            ir::Root::Expr(root) => Root::Expr(self.expr(root)),
        }
    }
}

/// Returns the properties that links read, if they do nothing else; `true`: what it is asked of may be `()`.
fn keys(links: &[Link]) -> Option<Box<[(Key, bool)]>> {
    let key = |link: &Link| match &link.step {
        Step::Property { key, .. } => Some((key.clone(), link.is_optional)),
        _ => None,
    };
    links.iter().map(key).collect()
}

/// Reads properties of maps; none: something is no map.
#[inline]
fn read<'a>(mut value: &'a Value, keys: &[(Key, bool)]) -> Option<&'a Value> {
    for (key, is_optional) in keys {
        value = match value {
            Value::Map(map) => map.find(key).unwrap_or(&Value::Unit),
            Value::Unit if *is_optional => return Some(value),
            _ => return None,
        };
    }
    Some(value)
}

impl<'w, 'm> Walk<'w, 'm> {
    /// Follows links from a variable.
    fn at_place(&mut self, place: &mut Value, links: &[Link], operands: &mut [Value]) -> Outcome {
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
    fn holding(&mut self, shared: &Shared, walk: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
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
    fn follow(&mut self, target: &mut Value, links: &[Link], operands: &mut [Value], is_place: bool) -> Outcome {
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

    /// Returns a map to put a value in; none: it is a constant that has the key.
    fn put_in<'t>(&mut self, map: &'t mut Rc<Map>, key: &str, is_constant: bool) -> Option<&'t mut Map> {
        match is_constant && !self.machine.additions.has(map, key) {
            false => Some(Rc::make_mut(map)),
            true if map.has(key) => None,
            true => Some(self.machine.additions.add(map, key)),
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

    /// Puts the value in the place of the root itself.
    fn put_whole(&mut self, target: &mut Value, is_place: bool) -> Outcome {
        let Some((value, assignment)) = self.assign.take() else { return Ok(target.clone()) };
        if self.is_constant && is_place {
            return Err(assignment.to_constant());
        }
        self.put_at(target, value, assignment, &mut Value::Unit).map(|()| Value::Unit)
    }

    /// Puts the value where the last link leads.
    fn put(&mut self, target: &mut Value, link: &Link, operands: &mut [Value], is_place: bool) -> Outcome {
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

/// Whether the body of the request is a constant to this run.
fn is_body_constant() -> bool {
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
