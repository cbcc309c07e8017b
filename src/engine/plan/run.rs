//! Runs a plan.

use std::borrow::Cow;

use rhai::{Dynamic, Engine, GlobalRuntimeState, ImmutableString, NativeCallContext, Position};

use super::{Block, Expr, Link, LinkKind, Operator, Part, Planned, Root, SLOW_TICKS, Statement, Step, meter, operators};
use crate::engine::{
    body,
    context::Run,
    host::{HostFunction, MAX_ARGUMENTS},
    sizes::Sizes,
};

/// Why a step is not followed by the next.
enum Leave {
    /// There is something that only Rhai can do, or say.
    GiveUp,
    /// The run has passed one of its limits.
    Stop,
    Break,
    Continue,
    Return(Dynamic),
}

type Ran<T> = Result<T, Leave>;

/// How near a plan goes to the limit of operations. Rhai may count two for a moment that it takes back.
const MARGIN: u64 = 2;

/// Runs the steps of a plan.
pub fn run(steps: &Block, places: usize, engine: &Engine, global: &GlobalRuntimeState, current: &mut Run) -> Planned {
    let (logged, used) = (current.log.mark(), meter::mark());
    if current.body.is_shared() {
        // A guard has read it.
        current.body = current.body.take().flatten();
    }
    let mut frame = Frame {
        places: vec![Dynamic::UNIT; places],
        ticks: 0,
        operations: 0,
        may_count: meter::operations_left().saturating_sub(MARGIN),
        at: Position::NONE,
        took_body: false,
        engine,
        global,
        current,
    };
    let result = frame.block(steps);
    let Frame { ticks, operations, at, took_body, places, .. } = frame;
    drop(places);
    meter::correct(ticks, operations);
    match result {
        Ok(value) | Err(Leave::Return(value)) if meter::operations_left() >= MARGIN => return Planned::Done(value),
        Err(Leave::Stop) => return Planned::Stopped(at),
        _ => {}
    }
    current.log.rewind(logged);
    if took_body {
        // What is left of it makes room first. It was well formed the first time.
        current.body = Dynamic::UNIT;
        current.body = body::read(&current.invocation.request.headers, &current.invocation.request.body).unwrap_or(Dynamic::UNIT);
    }
    meter::rewind(used);
    Planned::GaveUp
}

/// A plan that runs.
struct Frame<'a> {
    places: Vec<Dynamic>,
    /// Steps that the meter has heard of.
    ticks: u64,
    /// Operations that Rhai would have needed for these steps, without those of the functions that were called.
    operations: u64,
    /// The most of them that are allowed.
    may_count: u64,
    /// Where the statement is that it is at.
    at: Position,
    took_body: bool,
    engine: &'a Engine,
    /// What Rhai's own functions are called with.
    global: &'a GlobalRuntimeState,
    current: &'a mut Run,
}

impl Frame<'_> {
    /// Counts a step that is one operation or more.
    fn count(&mut self, operations: u32) -> Ran<()> {
        self.ticks += 1;
        self.operations += u64::from(operations);
        match meter::tick() {
            Some(_) => Err(Leave::Stop),
            None if self.ticks > SLOW_TICKS || self.operations > self.may_count => Err(Leave::GiveUp),
            None => Ok(()),
        }
    }

    fn block(&mut self, steps: &[Statement]) -> Ran<Dynamic> {
        let mut last = Dynamic::UNIT;
        for Statement { at, operations, step } in steps {
            self.at = *at;
            self.count(*operations)?;
            last = self.step(step)?;
        }
        Ok(last)
    }

    fn step(&mut self, step: &Step) -> Ran<Dynamic> {
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
    fn next_round(&mut self, body: &[Statement]) -> Ran<bool> {
        if body.is_empty() {
            self.count(1)?;
        }
        self.repeat(body)
    }

    /// Runs the body of a loop once. Returns whether it goes on.
    fn repeat(&mut self, body: &[Statement]) -> Ran<bool> {
        match self.block(body) {
            Ok(_) | Err(Leave::Continue) => Ok(true),
            Err(Leave::Break) => Ok(false),
            Err(leave) => Err(leave),
        }
    }

    /// Runs a loop over the array in a variable. The array is away meanwhile, which nobody can see: the body does not mention it.
    fn for_in(&mut self, item: usize, place: usize, lends: bool, body: &[Statement]) -> Ran<()> {
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

    fn truth(&mut self, condition: &Expr) -> Ran<bool> {
        self.eval(condition)?.as_bool().map_err(|_| Leave::GiveUp)
    }

    fn truth_of(&mut self, side: &Part) -> Ran<bool> {
        self.operations += u64::from(side.operations);
        self.truth(&side.expr)
    }

    /// Calls one of Rhai's own functions, which counts for itself. `by_reference` says that the first argument stays with its owner.
    fn call(&mut self, name: &str, by_reference: bool, arguments: &mut [&mut Dynamic]) -> Ran<Dynamic> {
        let context = NativeCallContext::from((self.engine, name, None, self.global, Position::NONE));
        let result = context.call_native_fn_raw(name, by_reference, arguments);
        // What was stopped may have come to an end all the same.
        if meter::is_stopped() { Err(Leave::Stop) } else { result.map_err(|_| Leave::GiveUp) }
    }

    fn host(&mut self, function: &HostFunction, arguments: &[Expr]) -> Ran<Dynamic> {
        let mut values = <[Dynamic; MAX_ARGUMENTS]>::default();
        for (value, argument) in values.iter_mut().zip(arguments) {
            *value = self.eval(argument)?;
        }
        (function.call)(self.current, &mut values[..arguments.len()]).map_err(|_| Leave::GiveUp)
    }

    fn assign_with(&mut self, operator: Operator, place: usize, mut value: Dynamic) -> Ran<Dynamic> {
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

    fn set_in(&mut self, place: usize, links: &[Link], operator: Option<Operator>, value: &Expr) -> Ran<()> {
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
    ) -> Ran<bool> {
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

    fn eval(&mut self, expr: &Expr) -> Ran<Dynamic> {
        Ok(match expr {
            Expr::Constant(value) => value.clone(),
            Expr::Place(place) => self.places[*place].clone(),
            Expr::Property(property) => property.read(self.current),
            Expr::Text(parts) => self.text(parts)?,
            Expr::Array(items) => {
                let items = items.iter().map(|item| self.eval(item)).collect::<Ran<Vec<_>>>()?;
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
                let mut values = arguments.iter().map(|argument| self.eval(argument)).collect::<Ran<Vec<_>>>()?;
                self.call(name, false, &mut values.iter_mut().collect::<Vec<_>>())?
            }
            Expr::Host { function, arguments } => self.host(function, arguments)?,
            Expr::Block(steps) => self.block(steps)?,
        })
    }

    fn text(&mut self, parts: &[Expr]) -> Ran<Dynamic> {
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

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr) -> Ran<Dynamic> {
        let longest = self.engine.max_string_size();
        // Most sides are read where they are.
        let mut result = None;
        let seen = self.seen();
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

    fn length(&mut self, of: &Expr) -> Ran<Dynamic> {
        // For Rhai this is a call.
        self.operations += 1;
        let mut length = None;
        if !self.seen().look(of, &mut |value| length = length_of(value)) {
            length = length_of(&self.eval(of)?);
        }
        length.and_then(|length| i64::try_from(length).ok()).map(Dynamic::from_int).ok_or(Leave::GiveUp)
    }

    /// What can be read where it is.
    fn seen(&self) -> Seen<'_> {
        Seen { places: &self.places, body: &self.current.body }
    }

    fn chain(&mut self, root: &Root, links: &[Link]) -> Ran<Dynamic> {
        if !matches!(root, Root::Expr(_) | Root::Body { takes: true }) {
            let mut read = None;
            if self.seen().look_from(root, links, &mut |value| read = Some(value.clone())) {
                return read.ok_or(Leave::GiveUp);
            }
        }
        // Like Rhai: what stands in brackets first, from left to right, then the root.
        let mut found = self.indexes(links)?.into_iter();
        match root {
            Root::Expr(root) => {
                let mut root = self.eval(root)?;
                self.follow(&mut root, links, &mut found, Owner::Nobody)
            }
            Root::Place(place) => {
                let mut root = self.places[*place].take();
                let value = self.follow(&mut root, links, &mut found, Owner::Somebody)?;
                // What is above grows with what a method is called on.
                let method = links.iter().position(|link| matches!(link.kind, LinkKind::Method { .. }));
                if let Some(above @ 1..) = method
                    && matches!(links[above].kind, LinkKind::Method { changes: true, .. })
                {
                    self.check_size(&root)?;
                }
                self.places[*place] = root;
                Ok(value)
            }
            Root::Body { takes } => {
                // What a guard has read is read-only in all its parts, and stays where it is.
                let takes = *takes && !self.current.body.is_read_only();
                let owner = if takes { Owner::Nobody } else { Owner::Somebody };
                self.took_body |= takes;
                let mut root = self.current.body.take();
                let value = self.follow(&mut root, links, &mut found, owner);
                // Also when this gives up: Rhai reads it next.
                self.current.body = root;
                value
            }
        }
    }

    /// Evaluates what the links of a chain need: indexes and arguments.
    fn indexes(&mut self, links: &[Link]) -> Ran<Vec<Dynamic>> {
        let mut values = Vec::new();
        for link in links {
            match &link.kind {
                LinkKind::Key(_) => {}
                LinkKind::Index(index) => values.push(self.eval(index)?),
                LinkKind::Method { arguments, .. } => {
                    for argument in arguments {
                        values.push(self.eval(argument)?);
                    }
                }
            }
        }
        Ok(values)
    }

    /// Follows a chain from a value. What nobody owns is taken, anything else copied.
    fn follow(&mut self, target: &mut Dynamic, links: &[Link], found: &mut std::vec::IntoIter<Dynamic>, owner: Owner) -> Ran<Dynamic> {
        let [link, rest @ ..] = links else {
            return Ok(match owner {
                Owner::Nobody => target.take(),
                Owner::Somebody => target.clone(),
            });
        };
        if link.optional && target.is_unit() {
            // These steps are left out. What is called is not counted yet.
            self.operations -= links.iter().filter(|link| !matches!(link.kind, LinkKind::Method { .. })).count() as u64;
            return Ok(Dynamic::UNIT);
        }
        let key = match &link.kind {
            LinkKind::Key(key) => Cow::Borrowed(key),
            LinkKind::Method { name, arguments, .. } => {
                let mut values: Vec<Dynamic> = found.take(arguments.len()).collect();
                let mut all: Vec<&mut Dynamic> = std::iter::once(&mut *target).chain(&mut values).collect();
                let mut result = self.call(name, true, &mut all)?;
                return self.follow(&mut result, rest, found, Owner::Nobody);
            }
            LinkKind::Index(_) => {
                let index = found.next().ok_or(Leave::GiveUp)?;
                if let (Ok(index), true) = (index.as_int(), target.is_array()) {
                    let mut array = target.as_array_mut().map_err(|_| Leave::GiveUp)?;
                    let index = position(index, array.len()).ok_or(Leave::GiveUp)?;
                    return self.follow(&mut array[index], rest, found, owner);
                }
                Cow::Owned(index.into_immutable_string().map_err(|_| Leave::GiveUp)?)
            }
        };
        let mut map = target.as_map_mut().map_err(|_| Leave::GiveUp)?;
        match map.get_mut(key.as_str()) {
            Some(entry) => self.follow(entry, rest, found, owner),
            // Rhai tries to put back what the method changed.
            None if matches!(rest, [Link { kind: LinkKind::Method { .. }, .. }, ..]) => Err(Leave::GiveUp),
            None => self.follow(&mut Dynamic::UNIT.clone(), rest, found, Owner::Nobody),
        }
    }

    fn checked(&self, value: Dynamic) -> Ran<Dynamic> {
        self.check_size(&value)?;
        Ok(value)
    }

    /// Gives up where Rhai would say that a value is too large, at once or when it looks at it again. No value of a plan is larger, so that
    /// each part of it can be read without another look.
    fn check_size(&self, value: &Dynamic) -> Ran<()> {
        if Sizes::of(value).fits(Sizes::allowed_in(self.engine)) { Ok(()) } else { Err(Leave::GiveUp) }
    }
}

/// Whether a value that a chain ends at is still needed where it is.
#[derive(Clone, Copy)]
enum Owner {
    Nobody,
    Somebody,
}

/// The place of an index in an array; negative ones count from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    let position = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(position).ok().filter(|position| *position < length)
}

/// Whether a value counts for no limit of sizes.
fn is_small(value: &Dynamic) -> bool {
    value.is_int() || value.is_unit() || value.is_bool() || value.is_float() || value.is_char()
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

/// Values that can be read where they are.
struct Seen<'a> {
    places: &'a [Dynamic],
    body: &'a Dynamic,
}

/// What is not in a map.
static NOTHING: Dynamic = Dynamic::UNIT;

impl Seen<'_> {
    /// Shows the value of an expression that only names one. Returns whether it does.
    fn look(&self, expr: &Expr, then: &mut dyn FnMut(&Dynamic)) -> bool {
        match expr {
            Expr::Constant(value) => then(value),
            Expr::Place(place) => then(&self.places[*place]),
            Expr::Chain { root, links } => return self.look_from(root, links, then),
            _ => return false,
        }
        true
    }

    fn look_from(&self, root: &Root, links: &[Link], then: &mut dyn FnMut(&Dynamic)) -> bool {
        match root {
            Root::Place(place) => self.look_in(&self.places[*place], links, then),
            Root::Body { .. } => self.look_in(self.body, links, then),
            Root::Expr(_) => false,
        }
    }

    fn look_in(&self, target: &Dynamic, links: &[Link], then: &mut dyn FnMut(&Dynamic)) -> bool {
        let [link, rest @ ..] = links else {
            then(target);
            return true;
        };
        if link.optional {
            return false;
        }
        let index = match &link.kind {
            LinkKind::Key(key) => return self.look_at_key(target, key, rest, then),
            LinkKind::Index(Expr::Constant(index)) => index,
            LinkKind::Index(Expr::Place(place)) => &self.places[*place],
            LinkKind::Index(_) | LinkKind::Method { .. } => return false,
        };
        if let Ok(index) = index.as_int() {
            let Ok(array) = target.as_array_ref() else { return false };
            return position(index, array.len()).is_some_and(|index| self.look_in(&array[index], rest, then));
        }
        index.as_immutable_string_ref().is_ok_and(|key| self.look_at_key(target, &key, rest, then))
    }

    fn look_at_key(&self, target: &Dynamic, key: &ImmutableString, rest: &[Link], then: &mut dyn FnMut(&Dynamic)) -> bool {
        let Ok(map) = target.as_map_ref() else { return false };
        self.look_in(map.get(key.as_str()).unwrap_or(&NOTHING), rest, then)
    }
}
