//! The state of a run that closures work on.

use rhai::{EvalAltResult, Position};
use smallvec::SmallVec;

use super::{CodeRef, Machine};
use crate::engine::{
    ir::Slot,
    memory, meter,
    own::{self, Failure, Value},
    value::sizes::Sizes,
};

/// Why an expression or a statement gave no value.
#[derive(Debug)]
pub enum Leave {
    /// It failed.
    Failed(Failure),
    /// It left a loop or a function: the machine says which way.
    Flow,
}

/// What closures return.
pub type Outcome<T = Value> = Result<T, Leave>;

const _: () = assert!(size_of::<Outcome>() == 16);

impl From<Failure> for Leave {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<EvalAltResult> for Leave {
    #[cold]
    fn from(failure: EvalAltResult) -> Self {
        Self::Failed(failure.into())
    }
}

/// The way out after [`Leave::Flow`]; the value that goes with it stands in the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flow {
    /// `break`
    #[default]
    Break,
    /// `continue`
    Continue,
    /// `return`
    Return,
}

/// Files that a run has to do with; mostly there is one.
pub type Files = SmallVec<[CodeRef; 2]>;

impl<'a> Machine<'a> {
    /// Makes the state of a run that begins.
    pub fn new(engine: &'a rhai::Engine) -> Self {
        let sizes = Sizes::allowed_in(engine);
        own::limits::allow(sizes);
        let mut machine = Self {
            engine,
            fuel: 0,
            given: 0,
            high: isize::MAX,
            level: 0,
            levels: engine.max_call_levels(),
            this_is_constant: false,
            locks: 0,
            additions: Default::default(),
            sizes,
            flow: Flow::default(),
            result: Value::Unit,
            state: None,
            buffer: String::new(),
            units: Files::new(),
            stack: Files::new(),
            modules: Default::default(),
        };
        machine.take_fuel();
        machine
    }

    fn take_fuel(&mut self) {
        (self.given, self.high) = meter::fuel();
        self.fuel = self.given;
    }

    /// Tells the meter what was used. To be called before others count on.
    pub fn settle(&mut self) -> Outcome<()> {
        let used = (self.given - self.fuel) as u64;
        self.given = self.fuel;
        if meter::count(used) { Ok(()) } else { Err(stopped()) }
    }

    /// Counts operations.
    #[inline(always)]
    pub fn count(&mut self, operations: u32) -> Outcome<()> {
        self.fuel -= i64::from(operations);
        if self.fuel < 0 { self.ask() } else { Ok(()) }
    }

    /// To be called after what may have allocated.
    #[inline(always)]
    pub fn grown(&mut self) -> Outcome<()> {
        if memory::held() > self.high { self.ask() } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    fn ask(&mut self) -> Outcome<()> {
        let used = (self.given - self.fuel) as u64;
        (self.given, self.fuel) = (0, 0);
        if !meter::spend(used) {
            return Err(stopped());
        }
        self.take_fuel();
        Ok(())
    }

    /// Counts operations and goes a level deeper, if nobody has to be asked for that.
    #[inline(always)]
    pub fn enters(&mut self, operations: u32) -> bool {
        let fuel = self.fuel - i64::from(operations);
        let enters = fuel >= 0 && self.level < self.levels;
        if enters {
            self.fuel = fuel;
            self.level += 1;
        }
        enters
    }

    /// Goes a level deeper, as Rhai counts them.
    #[inline(always)]
    pub fn enter(&mut self, position: Position) -> Outcome<()> {
        if self.level >= self.levels {
            return Err(too_deep(position));
        }
        self.level += 1;
        Ok(())
    }

    /// Returns the name of a value's type.
    pub(super) fn type_name<'n>(&'n self, value: &'n Value) -> &'n str {
        match value {
            Value::Other(value) => self.engine.map_type_name(value.type_name()),
            value => value.type_name(),
        }
    }
}

/// Drops what values hold. Those that hold nothing stay: nobody reads them any more.
#[inline(always)]
pub fn clear(values: &mut [Value]) {
    for value in values {
        if !matches!(value, Value::Unit | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Char(_) | Value::Short(_)) {
            *value = Value::Unit;
        }
    }
}

#[cold]
fn stopped() -> Leave {
    EvalAltResult::ErrorTerminated(rhai::Dynamic::UNIT, Position::NONE).into()
}

#[cold]
#[inline(never)]
fn too_deep(position: Position) -> Leave {
    EvalAltResult::ErrorStackOverflow(position).into()
}

/// Returns a mismatch of types as Rhai words it.
#[cold]
#[inline(never)]
pub fn mismatch(wanted: &str, found: &Value, position: Position) -> Leave {
    EvalAltResult::ErrorMismatchDataType(wanted.into(), found.type_name().into(), position).into()
}

/// Fails if there is no `this`.
#[inline(always)]
pub fn bound(frame: &[Value], this: Slot, position: Position) -> Outcome<()> {
    match frame[this + 1] {
        Value::Bool(_) => Ok(()),
        _ => Err(EvalAltResult::ErrorUnboundThis(position).into()),
    }
}
