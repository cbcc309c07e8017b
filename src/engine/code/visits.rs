//! Calls of functions by functions on values, such as `map`.

use std::mem;

use rhai::{EvalAltResult, Position};

use super::{
    Outcome,
    invoke::{Arguments, By, Site, failure},
    machine::{Leave, mismatch},
};
use crate::engine::own::{
    Failure, Function, Value,
    native::{Caller, Visit},
};

impl Caller for Site<'_, '_> {
    fn call(&mut self, function: &Value, this: Option<&mut Value>, arguments: &mut [Value]) -> Result<Value, Failure> {
        match function {
            Value::Function(function) => self.invoke(function, this, arguments, By::Native).map_err(failure),
            other => Err(failure(mismatch("Fn", other, self.position))),
        }
    }

    fn visit(&mut self, visit: Visit<'_>) -> Result<Value, Failure> {
        let native = visit.native;
        let Value::Function(function) = visit.function else { return self.call(visit.function, visit.this, visit.arguments) };
        self.invoke_for(function, visit)
            .map_err(|leave| EvalAltResult::ErrorInFunctionCall(native.into(), self.source(), failure(leave), Position::NONE).into())
    }
}

impl Site<'_, '_> {
    /// Calls a function with what it has parameters for.
    fn invoke_for(&mut self, function: &Function, mut visit: Visit<'_>) -> Outcome {
        if let Some(result) = self.invoke_closure_for(function, &mut visit) {
            return result;
        }
        let Visit { mut this, arguments, index, this_at, .. } = visit;
        let takes = |site: &Self, count: usize| site.machine.resolve(site.code, function, function.curried().len() + count).is_some();
        let count = arguments.len();
        let is_anonymous = function.name.starts_with("anon$");
        if takes(self, count) {
            self.machine.this_is_constant = self.is_constant && this.is_some();
            return self.invoke(function, this, arguments, By::Native);
        }
        if !is_anonymous {
            // It may be one of Rhai's, which tells by itself whether it is for these.
            let mut copies: Arguments = arguments.iter().cloned().collect();
            match self.invoke(function, this.as_deref_mut(), &mut copies, By::Native) {
                Err(Leave::Failed(failure)) if is_not_found(&failure, &function.name) => {}
                result => return result,
            }
        }
        let mut all: Arguments = arguments.iter_mut().map(mem::take).collect();
        if let (Some(at), Some(this)) = (this_at, this.as_deref_mut()) {
            all.insert(at.min(all.len()), this.clone());
            if takes(self, count + 1) {
                return self.invoke(function, None, &mut all, By::Native);
            }
            if !is_anonymous {
                match self.invoke(function, None, &mut all.clone(), By::Native) {
                    Err(Leave::Failed(failure)) if is_not_found(&failure, &function.name) => {}
                    result => return result,
                }
            }
        }
        all.extend(index.map(Value::Int));
        let this = if this_at.is_some() { None } else { this };
        self.invoke(function, this, &mut all, By::Native)
    }

    /// The same for a closure of the file that the run began with, which is where it is called: it is found without a search.
    #[inline]
    fn invoke_closure_for(&mut self, function: &Function, visit: &mut Visit<'_>) -> Option<Outcome> {
        let &mut Visit { ref this, ref mut arguments, index, this_at, .. } = visit;
        let target = function.target.filter(|target| target.unit == self.code.number && self.machine.is_main(self.code, target.unit))?;
        let callee = &self.code.functions[target.function];
        let takes = callee.parameters.checked_sub(function.curried().len() + arguments.len())?;
        let (at, this) = match (takes, this_at, this) {
            (1 | 2, Some(at), Some(this)) => (at.min(arguments.len()), &**this),
            _ => return None,
        };
        let mut all: Arguments = function.curried().iter().cloned().collect();
        all.extend(arguments[..at].iter_mut().map(mem::take));
        all.push(this.clone());
        all.extend(arguments[at..].iter_mut().map(mem::take));
        if takes == 2 {
            all.push(Value::Int(index?));
        }
        let level = self.machine.level;
        self.machine.level += 1;
        let result = self.machine.call(self.code, callee, &mut all, None, self.position, self.free);
        self.machine.level = level;
        Some(result)
    }
}

fn is_not_found(failure: &Failure, name: &str) -> bool {
    matches!(&**failure, EvalAltResult::ErrorFunctionNotFound(signature, _) if signature.starts_with(name))
}
