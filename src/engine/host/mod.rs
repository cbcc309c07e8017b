//! What scripts can call beside Rhai's own functions: modules such as `log`, which need no import.
//!
//! [`MODULES`] is the only list. Check, plans, registration and the table in `docs/functions.md` read it. A new module is a file here and a
//! line in the list.

pub mod log;
pub mod unavailable;

use std::any::TypeId;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared};

use super::context::{self, Run};

/// The modules that every script can call.
static MODULES: [&HostModule; 1] = [&log::MODULE];

/// A module of functions.
#[derive(Debug)]
pub struct HostModule {
    /// The name that scripts call it by.
    pub name: &'static str,
    /// Its functions.
    pub functions: &'static [HostFunction],
}

/// A function of a module. No two of one module have the same name.
#[derive(Debug)]
pub struct HostFunction {
    /// Its name in the module.
    pub name: &'static str,
    /// The names of its parameters, at most [`MAX_ARGUMENTS`]. Each takes a value of any type.
    pub parameters: &'static [&'static str],
    /// What a call does to the world outside of the run.
    pub kind: Kind,
    /// Does it, with as many arguments as it has parameters. Without a run on the thread it is not called.
    pub call: fn(&mut Run, &mut [Dynamic]) -> HostResult,
}

/// What a call does to the world outside of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its effect is kept back until the run ends, and can be undone.
    Held,
}

/// What a host function gives, or the error that its script sees.
pub type HostResult = Result<Dynamic, Box<EvalAltResult>>;

/// Most parameters of a host function. So the arguments of a call have their place on the stack.
pub const MAX_ARGUMENTS: usize = 4;

/// Finds a module by its name.
pub fn module(name: &str) -> Option<&'static HostModule> {
    MODULES.into_iter().find(|module| module.name == name)
}

/// Makes the modules known to an engine.
pub fn register(engine: &mut Engine) {
    for module in MODULES {
        engine.register_static_module(module.name, module.registered().into());
    }
}

impl HostModule {
    /// Finds a function by its name.
    pub fn function(&self, name: &str) -> Option<&'static HostFunction> {
        self.functions.iter().find(|function| function.name == name)
    }

    fn registered(&self) -> Module {
        let mut module = Module::new();
        for function in self.functions {
            let call = RhaiFunc::Pure {
                func: Shared::new(move |_: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| function.call_from_rhai(arguments)),
                has_context: false,
                is_pure: true,
                is_volatile: false,
            };
            let parameters = vec![TypeId::of::<Dynamic>(); function.parameters.len()];
            FuncRegistration::new(function.name).in_internal_namespace().set_into_module_raw(&mut module, parameters, call);
        }
        module
    }
}

impl HostFunction {
    /// Calls it with Rhai's arguments, which are the call's own.
    fn call_from_rhai(&self, arguments: &mut [&mut Dynamic]) -> HostResult {
        let mut values = <[Dynamic; MAX_ARGUMENTS]>::default();
        for (value, argument) in values.iter_mut().zip(&mut *arguments) {
            *value = argument.take().flatten();
        }
        context::running(|run| (self.call)(run, &mut values[..arguments.len()]))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions() -> impl Iterator<Item = (&'static HostModule, &'static HostFunction)> {
        MODULES.into_iter().flat_map(|module| module.functions.iter().map(move |function| (module, function)))
    }

    #[test]
    fn the_documentation_lists_every_function_and_its_kind() {
        let row = |(module, function): (&HostModule, &HostFunction)| {
            let kind = match function.kind {
                Kind::Held => "held",
            };
            format!("| `{}::{}({})` | {kind} |", module.name, function.name, function.parameters.join(", "))
        };
        let page = include_str!("../../../docs/functions.md");
        let documented: Vec<_> = page.lines().filter(|line| line.starts_with("| `") && line.contains("::")).collect();
        let listed: Vec<_> = functions().map(row).collect();
        assert_eq!(documented.len(), listed.len(), "{documented:?}");
        for (line, row) in documented.iter().zip(listed) {
            assert!(line.starts_with(&row), "{line}\n{row}");
        }
    }

    #[test]
    fn each_call_has_one_meaning_and_room_for_its_arguments() {
        let mut calls: Vec<_> = functions().map(|(module, function)| (module.name, function.name)).collect();
        let count = calls.len();
        calls.sort_unstable();
        calls.dedup();
        assert_eq!(calls.len(), count);
        assert!(functions().all(|(_, function)| function.parameters.len() <= MAX_ARGUMENTS));
        assert!(MODULES.iter().all(|module| unavailable::module(module.name).is_none()));
    }
}
