//! Which variable and which import a name means.

use rhai::ImmutableString;

use super::{Lowered, Reason};
use crate::engine::{
    class::MAX_VARIABLES,
    ir::{Expr, Function, FunctionId, ImportId, Place, Slot},
};

/// The variables of a function.
#[derive(Default)]
pub struct Scope {
    /// One for each, in the order in which they are declared.
    pub places: Vec<Place>,
    /// Those that can be named now.
    visible: Vec<Slot>,
}

impl Scope {
    /// Declares a variable. Its name means it from now on.
    pub fn declare(&mut self, name: &ImmutableString, is_constant: bool) -> Lowered<Slot> {
        if self.visible.len() >= MAX_VARIABLES {
            return Err(Reason::Variables);
        }
        let slot = self.places.len();
        self.places.push(Place { name: name.clone(), is_shared: false, is_constant });
        self.visible.push(slot);
        Ok(slot)
    }

    /// Finds the variable that a name means.
    pub fn find(&self, name: &str) -> Option<Slot> {
        self.visible.iter().rev().copied().find(|slot| self.places[*slot].name == name)
    }

    /// Begins a block; the answer is for its end.
    pub fn begin(&self) -> usize {
        self.visible.len()
    }

    /// Ends a block, and the variables that it declared.
    pub fn end(&mut self, begun: usize) {
        self.visible.truncate(begun);
    }

    pub fn into_places(self) -> Box<[Place]> {
        self.places.into()
    }
}

/// The imports of a file.
#[derive(Default)]
pub struct Imports {
    /// How many statements there are.
    pub count: usize,
    /// All aliases, for functions.
    all: Vec<ImmutableString>,
    /// Those that can be named now.
    visible: Vec<(ImmutableString, ImportId)>,
}

impl Imports {
    pub fn declare(&mut self, alias: &ImmutableString) -> ImportId {
        let id = self.count;
        self.count += 1;
        if !alias.is_empty() {
            self.all.push(alias.clone());
            self.visible.push((alias.clone(), id));
        }
        id
    }

    /// Finds the import that a name means. Where two have it, Rhai's answer depends on who calls whom.
    pub fn find(&self, alias: &str) -> Lowered<Option<ImportId>> {
        let Some((_, id)) = self.visible.iter().rev().find(|(name, _)| name == alias) else { return Ok(None) };
        let is_alone = self.all.iter().filter(|name| *name == alias).count() == 1;
        is_alone.then_some(Some(*id)).ok_or(Reason::ImportTwice)
    }

    pub fn begin(&self) -> usize {
        self.visible.len()
    }

    pub fn end(&mut self, begun: usize) {
        self.visible.truncate(begun);
    }
}

/// A variable that a closure captures.
struct Capture {
    closure: FunctionId,
    /// Which of its parameters it becomes.
    parameter: Slot,
    /// Who makes the closure; none: what stands outside of functions.
    maker: Option<FunctionId>,
    variable: Slot,
}

/// What closures capture.
#[derive(Default)]
pub struct Captures {
    captured: Vec<Capture>,
    /// Variables that `call(f, x)` and `curry(f, x)` pass as they are.
    passed: Vec<(Option<FunctionId>, Slot)>,
}

impl Captures {
    pub fn add(&mut self, closure: FunctionId, parameter: Slot, maker: Option<FunctionId>, variable: Slot) {
        self.captured.push(Capture { closure, parameter, maker, variable });
    }

    /// Tells of an argument that some function gets as it is, shared or not.
    pub fn pass(&mut self, function: Option<FunctionId>, argument: &Expr) {
        match argument {
            Expr::Variable(variable) => self.passed.push((function, variable.slot)),
            Expr::Coalesce(values) => values.iter().for_each(|value| self.pass(function, value)),
            _ => {}
        }
    }

    /// Marks the variables of both sides as shared, and captures of constants as constants.
    pub fn mark(&self, functions: &mut [Function]) -> Lowered<()> {
        let main = functions.len() - 1;
        self.mark_captured(functions, main)?;
        let is_shared = |(function, slot): &(Option<FunctionId>, Slot)| functions[function.unwrap_or(main)].places[*slot].is_shared;
        if self.passed.iter().any(is_shared) {
            // Nobody knows which function gets it.
            for function in functions {
                function.places[..function.parameters.len()].iter_mut().for_each(|place| place.is_shared = true);
            }
        }
        Ok(())
    }

    fn mark_captured(&self, functions: &mut [Function], main: FunctionId) -> Lowered<()> {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for capture in &self.captured {
                let variable = &mut functions[capture.maker.unwrap_or(main)].places[capture.variable];
                variable.is_shared = true;
                let is_constant = variable.is_constant;
                let parameter = &mut functions[capture.closure].places[capture.parameter];
                parameter.is_shared = true;
                if is_constant && !parameter.is_constant {
                    parameter.is_constant = true;
                    is_settled = false;
                }
            }
        }
        let is_constant = |function: FunctionId, slot: Slot| functions[function].places[slot].is_constant;
        let agree =
            self.captured.iter().all(|one| is_constant(one.closure, one.parameter) == is_constant(one.maker.unwrap_or(main), one.variable));
        agree.then_some(()).ok_or(Reason::Capture)
    }
}
