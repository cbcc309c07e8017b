//! What has no closure, run by Rhai: the node as it was written, with operands that are there already.

use std::sync::{Arc, Mutex, OnceLock};

use rhai::{AST, Caches, Dynamic, Expr, FnPtr, GlobalRuntimeState, Position, Scope, Stmt};

use super::{
    Code, CodeRef, Machine,
    machine::{Leave, Outcome},
};
use crate::engine::{
    meter,
    own::{Failure, Value},
};

/// The names of operands.
const OPERANDS: [&str; 16] = ["$0", "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15"];

/// What operands are for Rhai.
#[derive(PartialEq, Eq)]
pub enum Operands {
    /// Nobody needs them any more: they are `()` afterwards.
    Taken,
    /// Variables, which it may change: they are what it made of them afterwards.
    Changed,
    /// The one with this number is a constant; nobody needs the others.
    Constant(usize),
}

/// What Rhai evaluates with.
pub struct State {
    pub global: GlobalRuntimeState,
    pub caches: Caches,
    scope: Scope<'static>,
    /// The files that it is prepared for.
    units: Vec<u64>,
}

impl State {
    fn new(engine: &rhai::Engine) -> Self {
        let mut global = engine.new_global_runtime_state();
        // Operands are found by their names, and so are imports.
        global.always_search_scope = true;
        let mut caches = Caches::new();
        caches.push_fn_resolution_cache();
        Self { global, caches, scope: Scope::new(), units: Vec::new() }
    }

    /// Returns what Rhai calls functions with.
    pub fn parts(&mut self) -> (&mut GlobalRuntimeState, &mut Caches, &mut Scope<'static>) {
        (&mut self.global, &mut self.caches, &mut self.scope)
    }

    /// Makes it forget which functions it found.
    pub fn forget(&mut self) {
        self.units.clear();
    }

    /// Makes the functions of the files that run those that Rhai finds; of the last one before those of the others.
    fn prepare(&mut self, running: &[CodeRef], code: &Code) {
        let is_last = running.last().is_some_and(|last| last.number == code.number);
        let last = (!is_last).then_some(code);
        let units = || running.iter().map(|code| &***code).chain(last);
        if self.units.iter().copied().eq(units().map(|code| code.number)) {
            return;
        }
        self.units = units().map(|code| code.number).collect();
        self.global.lib = units().map(|code| code.library.clone()).collect();
        self.global.source.clone_from(&code.source);
        self.caches.rewind_fn_resolution_caches(0);
        self.caches.push_fn_resolution_cache();
    }
}

impl Machine<'_> {
    /// Returns what Rhai evaluates with, prepared for a file.
    pub fn state(&mut self, code: &Code) -> &mut State {
        let engine = self.engine;
        let state = self.state.get_or_insert_with(|| Box::new(State::new(engine)));
        state.prepare(&self.stack, code);
        state
    }

    /// Returns a value as texts show it: Rhai and the host know how for values of their own.
    #[cold]
    #[inline(never)]
    pub fn shown(&mut self, code: &Code, value: &Value) -> Outcome {
        let operand = value.clone();
        self.rhai(code, &mut [operand], Operands::Taken, |engine, state| {
            let State { global, caches, scope, .. } = state;
            let mut value = scope.get_value::<Dynamic>(OPERANDS[0]).unwrap_or_default();
            let shown =
                rhai::EvalContext::new(engine, global, caches, scope, None).call_native_fn_raw("to_string", true, &mut [&mut value]);
            let shown = shown.unwrap_or_else(|_| value.to_string().into());
            Ok(if shown.is_string() { shown } else { engine.map_type_name(shown.type_name()).into() })
        })
    }

    /// Returns all that a `for` loop of Rhai's finds in a value.
    #[cold]
    #[inline(never)]
    pub fn items(&mut self, code: &Code, value: Value, position: Position) -> Outcome<Vec<Value>> {
        static LOOP: OnceLock<AST> = OnceLock::new();
        let script = "for item in items { sink.call(item); }";
        let ast = LOOP.get_or_init(|| meter::keep(|| rhai::Engine::new_raw().compile(script).unwrap_or_default()));
        let found = Arc::new(Mutex::new(Vec::new()));
        let sink = found.clone();
        #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned")]
        let sink = FnPtr::from_fn("sink", move |_, items| {
            if let Ok(mut found) = sink.lock() {
                found.extend(items.iter_mut().map(|item| item.take()));
            }
            Ok(Dynamic::UNIT)
        })?;
        let result = self.rhai(code, &mut [], Operands::Taken, |engine, state| {
            let State { global, caches, .. } = state;
            let mut scope = Scope::new();
            scope.push_dynamic("items", value.into_rhai()).push("sink", sink);
            #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned")]
            engine.eval_statements_raw(global, caches, &mut scope, ast.statements())
        });
        match result {
            Err(Leave::Failed(mut failure)) => {
                failure.set_position(position);
                Err(Leave::Failed(failure))
            }
            result => {
                result?;
                let found = found.lock().map(|mut found| std::mem::take(&mut *found)).unwrap_or_default();
                Ok(found.into_iter().map(Value::of).collect())
            }
        }
    }

    /// Puts what a method made of a part of a text back into the text, as Rhai does.
    #[cold]
    #[inline(never)]
    pub fn put_back(&mut self, code: &Code, text: &mut Value, index: Value, part: Value, position: Position) -> Outcome<()> {
        static PUT: OnceLock<AST> = OnceLock::new();
        let ast = PUT.get_or_init(|| meter::keep(|| rhai::Engine::new_raw().compile("text[index] = part; text").unwrap_or_default()));
        let before = text.to_rhai();
        let result = self.rhai(code, &mut [], Operands::Taken, |engine, state| {
            let State { global, caches, .. } = state;
            let mut scope = Scope::new();
            scope.push_dynamic("text", before).push_dynamic("index", index.into_rhai()).push_dynamic("part", part.into_rhai());
            #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned")]
            engine.eval_statements_raw(global, caches, &mut scope, ast.statements())
        });
        match result {
            Ok(changed) => {
                *text = changed;
                Ok(())
            }
            Err(Leave::Failed(mut failure)) => {
                failure.set_position(position);
                Err(Leave::Failed(failure))
            }
            Err(leave) => Err(leave),
        }
    }

    /// Has Rhai evaluate a node, which nobody needs the operands of any more.
    #[cold]
    #[inline(never)]
    pub fn slow(&mut self, code: &Code, node: &Expr, operands: &mut [Value]) -> Outcome {
        self.slow_with(code, node, operands, Operands::Taken)
    }

    /// Has Rhai evaluate a node.
    #[cold]
    #[inline(never)]
    pub fn slow_with(&mut self, code: &Code, node: &Expr, operands: &mut [Value], how: Operands) -> Outcome {
        self.rhai(code, operands, how, |engine, state| evaluate(engine, state, node))
    }

    /// Has Rhai run a statement.
    #[cold]
    #[inline(never)]
    pub fn slow_statement(&mut self, code: &Code, node: &Stmt, operands: &mut [Value], how: Operands) -> Outcome {
        self.rhai(code, operands, how, |engine, state| statement(engine, state, node))
    }

    /// Does something with Rhai's state, the operands being variables.
    fn rhai(
        &mut self,
        code: &Code,
        operands: &mut [Value],
        how: Operands,
        work: impl FnOnce(&rhai::Engine, &mut State) -> Result<Dynamic, Failure>,
    ) -> Outcome {
        let result = self.with_rhai(code, |engine, state| {
            let outer = state.scope.len();
            for (at, operand) in operands.iter_mut().enumerate() {
                let value = std::mem::take(operand).into_rhai();
                match OPERANDS.get(at) {
                    Some(name) if how == Operands::Constant(at) => state.scope.push_constant_dynamic(*name, value),
                    Some(name) => state.scope.push_dynamic(*name, value),
                    None => state.scope.push_dynamic(format!("${at}"), value),
                };
            }
            let result = work(engine, state);
            if how == Operands::Changed {
                for (at, operand) in operands.iter_mut().enumerate() {
                    let changed = match OPERANDS.get(at) {
                        Some(name) => state.scope.get_mut(name),
                        None => state.scope.get_mut(&format!("${at}")),
                    };
                    *operand = changed.map_or(Value::Unit, |value| Value::of(value.take()));
                }
            }
            state.scope.rewind(outer);
            result
        })?;
        Ok(Value::of(result?.flatten()))
    }

    /// Does something with Rhai's state. Rhai may call functions of the run meanwhile.
    pub(super) fn with_rhai<T>(&mut self, code: &Code, work: impl FnOnce(&rhai::Engine, &mut State) -> T) -> Outcome<T> {
        self.settle()?;
        let engine = self.engine;
        let mut state = self.state.take().unwrap_or_else(|| Box::new(State::new(engine)));
        state.prepare(&self.stack, code);
        state.global.level = self.level;
        let imports = state.global.num_imports();
        for (alias, module) in self.imported_by(code) {
            state.global.push_import(alias, module);
        }
        let result = self.parked(|| work(engine, &mut state));
        state.global.truncate_imports(imports);
        self.state = Some(state);
        self.grown()?;
        Ok(result)
    }
}

fn statement(engine: &rhai::Engine, state: &mut State, node: &Stmt) -> Result<Dynamic, Failure> {
    let State { global, caches, scope, .. } = state;
    #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned")]
    engine.eval_statements_raw(global, caches, scope, std::slice::from_ref(node))
}

fn evaluate(engine: &rhai::Engine, state: &mut State, node: &Expr) -> Result<Dynamic, Failure> {
    let State { global, caches, scope, .. } = state;
    let mut context = rhai::EvalContext::new(engine, global, caches, scope, None);
    #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned")]
    context.eval_expression_tree_raw(&node.into(), true)
}
