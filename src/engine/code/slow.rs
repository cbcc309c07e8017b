//! What has no closure, run by Rhai: the node as it was written, with operands that are there already.

use rhai::{Caches, Dynamic, Expr, GlobalRuntimeState, Scope, Stmt};

use super::{
    Code,
    machine::{Machine, Outcome},
};
use crate::engine::own::{Failure, Value};

/// The names of operands.
const OPERANDS: [&str; 16] = ["$0", "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15"];

/// What Rhai evaluates with.
pub struct State {
    pub global: GlobalRuntimeState,
    pub caches: Caches,
    scope: Scope<'static>,
    /// The file that it is prepared for.
    unit: u64,
}

impl State {
    fn new(engine: &rhai::Engine) -> Self {
        let mut global = engine.new_global_runtime_state();
        // Operands are found by their names, and so are imports.
        global.always_search_scope = true;
        let mut caches = Caches::new();
        caches.push_fn_resolution_cache();
        Self { global, caches, scope: Scope::new(), unit: 0 }
    }

    /// Makes the functions of a file those that Rhai finds.
    fn prepare(&mut self, code: &Code) {
        if self.unit == code.number {
            return;
        }
        self.unit = code.number;
        self.global.lib.clear();
        self.global.lib.push(code.library.clone());
        self.global.source.clone_from(&code.source);
        self.caches.rewind_fn_resolution_caches(0);
        self.caches.push_fn_resolution_cache();
    }
}

impl Machine<'_> {
    /// Has Rhai evaluate a node. The operands are `()` after it.
    #[cold]
    #[inline(never)]
    pub fn slow(&mut self, code: &Code, node: &Expr, operands: &mut [Value]) -> Outcome {
        self.rhai(code, operands, false, |engine, state| evaluate(engine, state, node))
    }

    /// The same for a node that may change its operands: they are what it made of them after it.
    #[cold]
    #[inline(never)]
    pub fn slow_changing(&mut self, code: &Code, node: &Expr, operands: &mut [Value]) -> Outcome {
        self.rhai(code, operands, true, |engine, state| evaluate(engine, state, node))
    }

    /// Has Rhai run a statement, which may change its operands.
    #[cold]
    #[inline(never)]
    pub fn slow_statement(&mut self, code: &Code, node: &Stmt, operands: &mut [Value]) -> Outcome {
        self.rhai(code, operands, true, |engine, state| {
            let State { global, caches, scope, .. } = state;
            #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned")]
            engine.eval_statements_raw(global, caches, scope, std::slice::from_ref(node))
        })
    }

    /// Does something with Rhai's state, the operands being variables.
    fn rhai(
        &mut self,
        code: &Code,
        operands: &mut [Value],
        changes: bool,
        work: impl FnOnce(&rhai::Engine, &mut State) -> Result<Dynamic, Failure>,
    ) -> Outcome {
        self.settle()?;
        let engine = self.engine;
        let mut state = self.state.take().unwrap_or_else(|| Box::new(State::new(engine)));
        state.prepare(code);
        state.global.level = self.level;
        let outer = state.scope.len();
        for (at, operand) in operands.iter_mut().enumerate() {
            let value = std::mem::take(operand).into_rhai();
            match OPERANDS.get(at) {
                Some(name) => state.scope.push_dynamic(*name, value),
                None => state.scope.push_dynamic(format!("${at}"), value),
            };
        }
        let result = work(engine, &mut state);
        if changes {
            for (at, operand) in operands.iter_mut().enumerate() {
                let changed = match OPERANDS.get(at) {
                    Some(name) => state.scope.get_mut(name),
                    None => state.scope.get_mut(&format!("${at}")),
                };
                *operand = changed.map_or(Value::Unit, |value| Value::of(value.take()));
            }
        }
        state.scope.rewind(outer);
        self.state = Some(state);
        self.grown()?;
        Ok(Value::of(result?.flatten()))
    }
}

fn evaluate(engine: &rhai::Engine, state: &mut State, node: &Expr) -> Result<Dynamic, Failure> {
    let State { global, caches, scope, .. } = state;
    let mut context = rhai::EvalContext::new(engine, global, caches, scope, None);
    #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned")]
    context.eval_expression_tree_raw(&node.into(), true)
}
