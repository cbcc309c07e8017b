//! What host functions find wrong with calls of them, before a run makes one.

use super::{
    Engine,
    check_budget::CheckBudget,
    host::check::{CheckedCall, Mistake},
    meter::limits::cpu_time,
    script::Script,
};
use crate::function::{Diagnostic, Tree};

impl Engine {
    /// Looks at what the calls of a script are given as text. It takes of the time that the check has for modules.
    pub fn check_calls(&self, script: &Script, tree: &Tree) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for call in &script.references.host_calls {
            let Some(look) = call.function.check else { continue };
            let of_call = CheckedCall { arguments: &call.arguments, tree };
            let mistake = match within(self.check.as_deref(), script, || look(&of_call)) {
                Ok(mistake) => mistake,
                Err(used_up) => {
                    found.push(used_up);
                    break;
                }
            };
            let Some(Mistake { argument, message, hint, is_warning }) = mistake else { continue };
            let position = argument.and_then(|number| call.arguments.get(number)).map_or(call.position, |argument| argument.position);
            let diagnostic = if is_warning { script.warn_at(position, message) } else { script.at(position, message) };
            found.push(diagnostic.maybe_hint(hint));
        }
        found
    }
}

/// Does work in the time that a check has left.
fn within<T>(check: Option<&CheckBudget>, script: &Script, work: impl FnOnce() -> T) -> Result<T, Diagnostic> {
    let Some(check) = check else { return Ok(work()) };
    if check.time()?.0.is_zero() {
        return Err(check.end(&script.file));
    }
    let began = cpu_time();
    let result = work();
    check.take_time(cpu_time().saturating_sub(began));
    Ok(result)
}
