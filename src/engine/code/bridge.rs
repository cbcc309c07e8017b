//! Pointers to functions of a run for Rhai and for the host, and their way back.
//!
//! Rhai's values may go to other threads, those of a run may not: a pointer for Rhai has the number of the function in a table of this
//! thread, and is known again by where its name lies in memory. While Rhai works, the state of the run stands on the thread, too: who calls such a pointer takes it up, and puts it back.

use std::{cell::RefCell, collections::BTreeMap, mem, rc::Rc};

use rhai::{Dynamic, FnPtr, ImmutableString, NativeCallContext};

use super::{
    Machine,
    additions::Additions,
    invoke::{Site, failure},
    machine::{Files, Flow},
    modules::Modules,
    slow::State,
};
use crate::engine::{
    own::{Failure, Function, Pointers, Value, convert_pointers},
    value::sizes::Sizes,
};

thread_local! {
    /// The functions that Rhai has pointers to.
    static GIVEN: RefCell<GivenPointers> = const { RefCell::new(GivenPointers { functions: Vec::new(), numbers: BTreeMap::new() }) };
    /// The runs whose Rhai is at work.
    static PARKED: RefCell<Vec<ParkedRun>> = const { RefCell::new(Vec::new()) };
}

/// What a closure is called for Rhai, which has no other closures of such a form.
const CLOSURE: &str = "closure";

/// Functions that Rhai has pointers to, by their numbers and by where the names of the pointers lie.
#[derive(Default)]
struct GivenPointers {
    functions: Vec<(Rc<Function>, ImmutableString)>,
    numbers: BTreeMap<usize, usize>,
}

/// Where a name lies: the same for a pointer and its copies, and another for each pointer that is made.
fn place(name: &str) -> usize {
    name.as_ptr() as usize
}

/// The state of a run, without the engine.
struct ParkedRun {
    fuel: i64,
    given: i64,
    high: isize,
    level: usize,
    levels: usize,
    locks: usize,
    additions: Additions,
    sizes: Sizes,
    flow: Flow,
    result: Value,
    state: Option<Box<State>>,
    buffer: String,
    units: Files,
    stack: Files,
    modules: Modules,
}

/// Makes pointers of the run that begins go to Rhai and come back.
pub fn begin() {
    end();
    convert_pointers(Some(Pointers { to_rhai: give, from_rhai: take_back }));
}

/// Forgets the pointers of a run.
pub fn end() {
    convert_pointers(None);
    GIVEN.take();
    PARKED.take();
}

fn give(function: &Rc<Function>) -> Option<FnPtr> {
    let number = GIVEN.with_borrow(|given| given.functions.len());
    let make = |name: &str| {
        let name = ImmutableString::from(name);
        #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned")]
        let pointer = FnPtr::from_fn(name.clone(), move |context, arguments| call_back(number, &context, arguments));
        pointer.ok().map(|pointer| (pointer, name))
    };
    let (pointer, name) = make(&function.name).or_else(|| make(CLOSURE))?;
    GIVEN.with_borrow_mut(|given| {
        given.numbers.insert(place(&name), number);
        given.functions.push((function.clone(), name));
    });
    Some(pointer)
}

fn take_back(pointer: &FnPtr) -> Option<Rc<Function>> {
    let function = GIVEN.with_borrow(|given| {
        let number = given.numbers.get(&place(pointer.fn_name()))?;
        Some(given.functions.get(*number)?.0.clone())
    })?;
    if !pointer.is_curried() {
        return Some(function);
    }
    Some(Rc::new(function.curry(pointer.iter_curry().map(|value| Value::of(value.flatten_clone())))))
}

/// Calls a function of the run for Rhai. What comes before its arguments is its `this`.
fn call_back(number: usize, context: &NativeCallContext<'_>, arguments: &mut [&mut Dynamic]) -> Result<Dynamic, Failure> {
    let nobody = "a closure can be called only by the script that made it";
    let function = GIVEN.with_borrow(|given| given.functions.get(number).map(|(function, _)| function.clone())).ok_or(nobody)?;
    let parked = PARKED.with_borrow_mut(Vec::pop).ok_or(nobody)?;
    let mut machine = Machine::unpark(context.engine(), parked);
    let level = mem::replace(&mut machine.level, context.call_level());
    let result = call(&mut machine, &function, context, arguments);
    machine.level = level;
    PARKED.with_borrow_mut(|parked| parked.push(machine.park()));
    result.map(Value::into_rhai)
}

fn call(
    machine: &mut Machine<'_>,
    function: &Rc<Function>,
    context: &NativeCallContext<'_>,
    arguments: &mut [&mut Dynamic],
) -> Result<Value, Failure> {
    let Some(code) = function.target.and_then(|target| machine.unit(target.unit)).or(machine.stack.last()).cloned() else {
        return Err("a closure can be called only by the script that made it".into());
    };
    let takes = function
        .target
        .map_or(arguments.len(), |target| code.functions[target.function].parameters.saturating_sub(function.curried().len()));
    let mut values: Vec<Value> = arguments.iter_mut().map(|argument| Value::of(argument.take().flatten())).collect();
    let mut site = Site::new(machine, &code, &mut [], context.call_position());
    if values.len() != takes + 1 {
        return site.call_pointer(function, None, &mut values).map_err(failure);
    }
    let (this, values) = values.split_first_mut().expect("there is one more than it takes");
    let result = site.call_pointer(function, Some(this), values).map_err(failure);
    *arguments[0] = mem::take(this).into_rhai();
    result
}

impl<'a> Machine<'a> {
    /// Has Rhai do something, which may call functions of this run.
    pub(super) fn parked<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let engine = self.engine;
        PARKED.with_borrow_mut(|parked| parked.push(self.park()));
        let result = work();
        if let Some(parked) = PARKED.with_borrow_mut(Vec::pop) {
            *self = Machine::unpark(engine, parked);
        }
        result
    }

    fn park(&mut self) -> ParkedRun {
        ParkedRun {
            fuel: self.fuel,
            given: self.given,
            high: self.high,
            level: self.level,
            levels: self.levels,
            locks: self.locks,
            additions: mem::take(&mut self.additions),
            sizes: self.sizes,
            flow: self.flow,
            result: mem::take(&mut self.result),
            state: self.state.take(),
            buffer: mem::take(&mut self.buffer),
            units: mem::take(&mut self.units),
            stack: mem::take(&mut self.stack),
            modules: mem::take(&mut self.modules),
        }
    }

    fn unpark(engine: &'a rhai::Engine, parked: ParkedRun) -> Self {
        let ParkedRun { fuel, given, high, level, levels, locks, additions, sizes, flow, result, state, buffer, units, stack, modules } =
            parked;
        Self {
            engine,
            fuel,
            given,
            high,
            level,
            levels,
            this_is_constant: false,
            locks,
            additions,
            sizes,
            flow,
            result,
            state,
            buffer,
            units,
            stack,
            modules,
        }
    }
}
