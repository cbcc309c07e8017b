//! Methods: what `value.name(…)` calls.
//!
//! As in Rhai: an entry of the map that is a function, then a function of the script, then our own functions on values, then Rhai's and
//! the host's.

use rhai::{ImmutableString, Position};

use super::{
    Outcome,
    invoke::{Site, failed_at},
    links::{Link, Method, Word},
    races::in_use,
    slow,
    walk::Walk,
};
use crate::engine::{
    ir::FunctionId,
    own::{Value, native},
};

impl<'m> Walk<'_, 'm> {
    /// Makes what can call functions from where a chain is.
    pub(super) fn site(&mut self, position: Position) -> Site<'_, 'm> {
        Site::new(self.machine, self.code, self.free, position)
    }

    /// Calls a method. What it is called on is at a place, or nobody's.
    pub(super) fn method(&mut self, link: &Link, method: &Method, target: &mut Value, arguments: &mut [Value], is_place: bool) -> Outcome {
        let position = method.position;
        let is_shared = self.is_shared && is_place;
        let is_constant = self.is_constant && is_place;
        match method.word {
            Word::Call => return self.call_word(link, method, target, arguments, is_constant),
            Word::Curry => {
                if let Value::Function(function) = target {
                    return self.machine.curried(function, arguments.iter_mut().map(std::mem::take), position);
                }
                return self.slowly(link, target, arguments, is_constant);
            }
            Word::IsShared => return Ok(Value::Bool(is_shared)),
            Word::TypeOf | Word::None => {}
        }
        if let Value::Map(map) = target
            && let Some(Value::Function(function)) = map.find(&method.entry)
        {
            let function = function.clone();
            self.machine.this_is_constant = is_constant;
            return self.site(position).call_method(&function, target, arguments);
        }
        if self.machine.locks > 0 {
            let receiver = if is_place { None } else { Some(&*target) };
            in_use(&method.name, receiver.into_iter().chain(&*arguments))?;
        }
        if method.word == Word::TypeOf {
            return Ok(Value::text(self.machine.type_name(target)));
        }
        if let Some(id) = self.function_for(method, target) {
            let code = self.code;
            self.machine.this_is_constant = is_constant;
            return self.machine.call(code, &code.functions[id], arguments, Some(target), position, self.free);
        }
        if self.machine.has_typed_methods()
            && let Some((code, id)) = self.machine.typed_method(self.code, &method.name, arguments.len(), target)
        {
            self.machine.this_is_constant = is_constant;
            return self.site(position).call_elsewhere(&code, id, arguments, Some(target));
        }
        if let Some(native) = method.native.and_then(|native| native.of(target)) {
            if native.effect == native::Effect::Changes && is_constant {
                // It fails, if it is for these arguments.
                return self.slowly(link, target, arguments, is_constant);
            }
            let called = match is_constant {
                true => (native.run)(&mut Site { is_constant, ..self.site(position) }, &mut target.clone(), arguments),
                false => (native.run)(&mut self.site(position), target, arguments),
            };
            if let Some(result) = called.map_err(|failure| failed_at(failure, position))? {
                self.machine.check(&result, position)?;
                if is_place {
                    self.machine.check(target, position)?;
                }
                self.machine.grown()?;
                return Ok(result);
            }
        }
        self.slowly(link, target, arguments, is_constant)
    }

    /// Finds the function of the file that a method means: one for the type, or one for all.
    fn function_for(&self, method: &Method, target: &Value) -> Option<FunctionId> {
        let is_meant = |this_type: &Option<ImmutableString>| this_type.as_deref().is_none_or(|name| name == self.machine.type_name(target));
        method.functions.iter().find(|(this_type, _)| is_meant(this_type)).map(|(_, id)| *id)
    }

    /// Has Rhai call it.
    fn slowly(&mut self, link: &Link, target: &mut Value, arguments: &mut [Value], is_constant: bool) -> Outcome {
        let mut operands: smallvec::SmallVec<[Value; 4]> = smallvec::SmallVec::with_capacity(arguments.len() + 1);
        operands.push(std::mem::take(target));
        operands.extend(arguments.iter_mut().map(std::mem::take));
        if is_constant {
            *target = operands[0].clone();
            return self.machine.slow_with(self.code, &link.node, &mut operands, slow::Operands::Constant(0));
        }
        if matches!(operands[0], Value::Other(_)) {
            *target = operands[0].clone();
            return self.machine.slow(self.code, &link.node, &mut operands);
        }
        let result = self.machine.slow_with(self.code, &link.node, &mut operands, slow::Operands::Changed);
        *target = std::mem::take(&mut operands[0]);
        result
    }

    /// `pointer.call(…)`, or `value.call(pointer, …)`, which makes the value `this`.
    fn call_word(&mut self, link: &Link, method: &Method, target: &mut Value, arguments: &mut [Value], is_constant: bool) -> Outcome {
        if let Value::Function(function) = target {
            let function = function.clone();
            return self.site(method.position).call_pointer(&function, None, arguments);
        }
        if let Some((Value::Function(function), arguments)) = arguments.split_first_mut() {
            let function = function.clone();
            if self.machine.locks > 0 {
                in_use(&function.name, function.curried().iter().chain(&*arguments))?;
            }
            self.machine.this_is_constant = is_constant;
            return self.site(method.position).call_pointer(&function, Some(target), arguments);
        }
        self.slowly(link, target, arguments, is_constant)
    }
}
