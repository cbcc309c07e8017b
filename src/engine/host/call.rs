//! One call of a host function: its arguments, and the run that it is made in.

use std::sync::Arc;

use rhai::NativeCallContext;

use super::{
    HostError, HostFunction, HostResult, Kind, Options,
    convert::{from_own, from_rhai, to_own, to_rhai},
};
use crate::{
    capability::secret::Secrets,
    engine::{
        context::{self, Run},
        meter,
        own::{self, native::Caller},
        value::plain::{Closure, Value},
    },
};

/// A call that a script makes.
pub struct Call<'a> {
    function: &'static HostFunction,
    /// The module or the class that it belongs to.
    of: &'static str,
    arguments: &'a mut [Value],
    standing: Standing<'a>,
}

/// Where the run of a call is.
pub enum Standing<'a> {
    /// On this thread. The evaluator made the call.
    OfScript(&'a mut dyn Caller),
    /// On this thread, if there is one: a module that is loaded has none. Rhai made the call.
    OnThread(Option<&'a NativeCallContext<'a>>),
}

impl<'a> Call<'a> {
    /// Makes a call; nothing is done yet.
    pub fn new(function: &'static HostFunction, of: &'static str, arguments: &'a mut [Value], standing: Standing<'a>) -> Self {
        Self { function, of, arguments, standing }
    }

    /// Returns whether it reaches something outside of the run. Errors of such calls are maps.
    pub fn is_to_outside(&self) -> bool {
        self.function.kind == Kind::Waits && (self.function.needs.is_some() || self.is_method())
    }

    /// Returns how a script writes the function.
    pub fn name(&self) -> String {
        match self.of {
            "" => self.function.name.into(),
            of if self.is_method() => format!("{of}.{}", self.function.name),
            of => format!("{of}::{}", self.function.name),
        }
    }

    /// Whether it is called on an object. Classes have names that begin with a capital letter.
    fn is_method(&self) -> bool {
        self.of.starts_with(char::is_uppercase)
    }

    /// Does what the function does, if its arguments have the right types.
    pub fn answer(&mut self) -> HostResult {
        // The object of a method is no parameter.
        let skipped = usize::from(self.is_method());
        for (parameter, argument) in self.function.parameters.iter().zip(self.arguments.iter().skip(skipped)) {
            let is_left_out = parameter.is_optional && matches!(argument, Value::Unit);
            if !is_left_out && !parameter.takes.admits(argument) {
                return Err(format!("`{}` is {}, not {}", parameter.name, parameter.takes.word(), argument.type_word()).into());
            }
        }
        (self.function.call)(self)
    }

    /// Returns an argument; one that was left out is `()`. For a method the first is its object.
    pub fn argument(&self, number: usize) -> &Value {
        self.arguments.get(number).unwrap_or(&Value::Unit)
    }

    /// Takes an argument; one that was left out is `()`.
    pub fn take(&mut self, number: usize) -> Value {
        self.arguments.get_mut(number).map(std::mem::take).unwrap_or_default()
    }

    /// Returns an argument whose parameter takes a string; an empty one if it was left out.
    pub fn text(&self, number: usize) -> &str {
        self.argument(number).as_text().unwrap_or_default()
    }

    /// Returns an argument whose parameter takes bytes.
    pub fn bytes(&self, number: usize) -> &[u8] {
        self.argument(number).as_bytes().unwrap_or_default()
    }

    /// Returns an argument whose parameter takes a whole number; none if it was left out.
    pub fn int(&self, number: usize) -> Option<i64> {
        match self.argument(number) {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns an argument whose parameter takes a map, as options: each must be one of these names.
    pub fn options(&self, number: usize, names: &'static [&'static str]) -> Result<Options<'_>, HostError> {
        Options::of(self.argument(number), names)
    }

    /// Makes sure that the run may hold so many bytes more. Ask before they are allocated.
    pub fn reserve(&self, bytes: usize) -> Result<(), HostError> {
        if meter::has_room(bytes) { Ok(()) } else { Err(HostError::Stopped) }
    }

    /// Does something with the run. While a module is loaded there is none.
    pub fn with_run<T>(&mut self, work: impl FnOnce(&mut Run) -> T) -> Result<T, HostError> {
        context::with(work).ok_or_else(|| "it can be called only while a request runs".into())
    }

    /// Returns who knows secrets, if anybody does here.
    pub fn secrets(&mut self) -> Option<Arc<dyn Secrets>> {
        self.with_run(|run| run.capabilities().and_then(|all| all.secrets.clone())).ok().flatten()
    }

    /// Calls a closure that is an argument.
    pub fn call_back(&mut self, closure: &Closure, arguments: Vec<Value>) -> HostResult {
        match &mut self.standing {
            Standing::OnThread(Some(context)) => {
                let arguments = arguments.into_iter().map(to_rhai).collect::<Result<Vec<_>, _>>().map_err(HostError::Script)?;
                let result = closure.0.call_raw(context, None, arguments).map_err(HostError::Script)?;
                from_rhai(result).map_err(HostError::Script)
            }
            Standing::OfScript(caller) => {
                let mut arguments = arguments.into_iter().map(to_own).collect::<Result<Vec<_>, _>>().map_err(HostError::Script)?;
                let function = own::Value::of(closure.0.clone().into());
                let result = caller.call(&function, None, &mut arguments).map_err(HostError::Script)?;
                from_own(result).map_err(HostError::Script)
            }
            Standing::OnThread(None) => Err("a closure can be called only by the script that made it".into()),
        }
    }
}
