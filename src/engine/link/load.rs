//! Runs the top level of a module.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rhai::{Module, Scope};

use super::Linker;
use crate::{
    engine::{
        check_budget::CheckBudget,
        code::{self, Library},
        failure,
        meter::{
            self,
            limits::{Allowance, CpuLimit, Stop, cpu_time},
        },
        program::{Imports, LinkedModule},
        script::Script,
    },
    function::Diagnostic,
};

impl Linker<'_, '_> {
    /// Runs a module's top level once, under the limits that hold by default and what is left to the check.
    pub(super) fn evaluate(&mut self, script: Arc<Script>) -> Option<Arc<LinkedModule>> {
        let shared = &self.engine.shared;
        let (limits, rhai) = (&shared.policy.default, &shared.default_class.rhai);
        let check = self.engine.check.as_deref();
        let (cpu, time) = match check.map(CheckBudget::time).transpose() {
            Ok(left) => (left.map(|(cpu, _)| cpu), left.map_or(limits.timeout.0, |(_, time)| time)),
            Err(used_up) => {
                self.found.insert(used_up);
                return None;
            }
        };
        let imports = self.imports.0.get(&script.file).map(|own| Imports([(script.file.clone(), own.clone())].into()));
        let tree = script.parse();
        code::enter(imports.map(|imports| Arc::new(imports) as Arc<dyn Library>));
        let began = cpu_time();
        meter::start(&Allowance {
            time,
            operations: limits.operations,
            memory: limits.memory.bytes(),
            cpu: cpu.map(|limit| CpuLimit { limit, since: Some(began) }),
            cancel: check.map(|check| check.cancel().clone()),
        });
        let run = catch_unwind(AssertUnwindSafe(|| Module::eval_ast_as_new(Scope::new(), &tree, rhai)));
        code::enter(None);
        if let Some(check) = check {
            check.take_time(cpu_time().saturating_sub(began));
        }
        let stop = meter::usage().stop;
        if let (Some(Stop::CpuTime | Stop::Deadline), Some(check)) = (stop, check) {
            self.found.insert(check.end(&script.file));
            return None;
        }
        let failed = match (stop, run) {
            (Some(stop), _) => (failure::stopped(stop, limits).1, None),
            (None, Ok(Ok(mut module))) => {
                module.build_index();
                let kept = usize::try_from(meter::leaked()).unwrap_or(0);
                if let Some(Err(too_much)) = check.map(|check| check.take_bytes(&script.file, kept)) {
                    self.found.insert(too_much);
                    return None;
                }
                return Some(Arc::new(LinkedModule { module: module.into(), script }));
            }
            (None, Ok(Err(mut error))) => {
                let failure = failure::explain(&mut error, &script.file, |file| (*file == script.file).then_some(&*script)).1;
                (failure.message, failure.position.filter(|_| failure.file == script.file))
            }
            (None, Err(_)) => ("the engine failed".into(), None),
        };
        let diagnostic = Diagnostic::error(script.file.clone(), format!("the module fails while it is loaded: {}", failed.0));
        self.found.insert(match failed.1 {
            Some(position) => diagnostic.at(script.text(), position),
            None => diagnostic,
        });
        None
    }
}
