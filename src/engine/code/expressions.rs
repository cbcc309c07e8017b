//! Expressions.

use rhai::{EvalAltResult, Position};

use super::{
    Code, Compiler, Ex, Machine, Outcome, Test,
    machine::{bound, mismatch},
    races::free,
};
use crate::engine::{
    ir::{self, Constant, Expr},
    own::{Keys, Map, Value},
    value::sizes::Sizes,
};

impl Compiler<'_> {
    /// Evaluates an expression. What a shared variable holds is copied out of it.
    pub fn expr(&mut self, expr: &Expr) -> Ex {
        match expr {
            Expr::Constant(constant) => self.constant(constant),
            Expr::Variable(variable) => self.variable(variable),
            Expr::This(position) => self.this(*position),
            Expr::ModuleConstant(constant) => self.module_constant(constant),
            Expr::Request(request) => self.request(request),
            Expr::Unknown(node) => {
                let node = node.clone();
                Box::new(move |machine, code, _| machine.slow(code, &node, &mut []))
            }
            Expr::Text(items) => self.text(items),
            Expr::List(items) => self.list(items),
            Expr::Map(entries) => self.map(entries),
            Expr::And(_) | Expr::Or(_) => truth(self.test(expr)),
            Expr::Coalesce(choices) => {
                let choices: Box<[Ex]> = choices.iter().map(|choice| self.expr(choice)).collect();
                first_of(choices)
            }
            Expr::Unary(unary) => self.unary(unary),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Call(call) => self.call(call),
            Expr::ModuleCall(call) => self.module_call(call),
            Expr::NativeCall(call) => self.native_call(call),
            Expr::SpecialCall(call) => self.special_call(call),
            Expr::Chain(chain) => self.chain(chain),
            Expr::Closure(closure) => self.closure(closure),
            Expr::Block(block) => self.block(block),
            Expr::If(choice) => self.choice(choice),
            Expr::Switch(switch) => self.switch(switch),
        }
    }

    fn constant(&mut self, constant: &Constant) -> Ex {
        match constant {
            Constant::Unit => Box::new(|_, _, _| Ok(Value::Unit)),
            Constant::Bool(truth) => {
                let truth = *truth;
                Box::new(move |_, _, _| Ok(Value::Bool(truth)))
            }
            Constant::Int(number) => {
                let number = *number;
                Box::new(move |_, _, _| Ok(Value::Int(number)))
            }
            Constant::Float(number) => {
                let number = *number;
                Box::new(move |_, _, _| Ok(Value::Float(number)))
            }
            Constant::Char(character) => {
                let character = *character;
                Box::new(move |_, _, _| Ok(Value::Char(character)))
            }
            Constant::Text(text) => match Value::text(text) {
                Value::Short(text) => Box::new(move |_, _, _| Ok(Value::Short(text))),
                _ => {
                    let text: Box<str> = text.as_str().into();
                    Box::new(move |machine, _, _| {
                        let text = Value::text(&text);
                        machine.grown()?;
                        Ok(text)
                    })
                }
            },
            Constant::Function(function) => self.function_pointer(*function),
            Constant::Other(value) => {
                let value = value.clone();
                Box::new(move |machine, _, _| {
                    let value = Value::of(rhai::Dynamic::clone(&value));
                    machine.grown()?;
                    Ok(value)
                })
            }
        }
    }

    fn variable(&mut self, variable: &ir::Variable) -> Ex {
        let slot = variable.slot;
        if self.places[slot].is_shared {
            return Box::new(move |_, _, frame| {
                free(&frame[slot])?;
                Ok(frame[slot].get())
            });
        }
        Box::new(move |_, _, frame| Ok(frame[slot].clone()))
    }

    fn this(&mut self, position: Position) -> Ex {
        self.has_this = true;
        let this = self.this;
        Box::new(move |_, _, frame| {
            bound(frame, this, position)?;
            Ok(frame[this].get())
        })
    }

    fn text(&mut self, items: &[ir::Item]) -> Ex {
        let parts: Box<[(Part, Position)]> = items.iter().map(|item| (self.part(&item.value), item.position)).collect();
        Box::new(move |machine, code, frame| {
            let mut text = std::mem::take(&mut machine.buffer);
            text.clear();
            for (part, position) in &parts {
                match part {
                    Part::Written(written) => text.push_str(written),
                    Part::Value(value) => {
                        let value = value(machine, code, frame)?;
                        machine.print(code, &value, &mut text)?;
                    }
                }
                if text.len() > machine.sizes.string {
                    return Err(too_large("Length of string", *position));
                }
            }
            let value = Value::text(&text);
            if text.capacity() <= LARGEST_BUFFER {
                machine.buffer = text;
            }
            machine.grown()?;
            Ok(value)
        })
    }

    fn part(&mut self, expr: &Expr) -> Part {
        match expr {
            Expr::Constant(Constant::Text(text)) => Part::Written(text.as_str().into()),
            expr => Part::Value(self.expr(expr)),
        }
    }

    fn list(&mut self, items: &[ir::Item]) -> Ex {
        let items: Box<[(Ex, Position)]> = items.iter().map(|item| (self.expr(&item.value), item.position)).collect();
        Box::new(move |machine, code, frame| {
            let mut values = Vec::with_capacity(items.len());
            let mut sizes = Sizes::default();
            for (item, position) in &items {
                let value = item(machine, code, frame)?;
                sizes.array += 1;
                if let Some(more) = size_of(&value) {
                    sizes = sizes.plus(more);
                }
                machine.limit(sizes, *position)?;
                values.push(value);
            }
            let value = Value::list(values);
            machine.grown()?;
            Ok(value)
        })
    }

    fn map(&mut self, entries: &[(rhai::ImmutableString, ir::Item)]) -> Ex {
        let mut names: Vec<&str> = Vec::with_capacity(entries.len());
        let items: Box<[(Ex, usize, Position)]> = entries
            .iter()
            .map(|(name, item)| {
                let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
                (self.expr(&item.value), at, item.position)
            })
            .collect();
        let count = names.len();
        let keys = Keys::new(names);
        Box::new(move |machine, code, frame| {
            let mut values: smallvec::SmallVec<[Value; 8]> = smallvec::SmallVec::with_capacity(count);
            let mut sizes = Sizes::default();
            for (item, at, position) in &items {
                let value = item(machine, code, frame)?;
                sizes.map += 1;
                if let Some(more) = size_of(&value) {
                    sizes = sizes.plus(more);
                }
                machine.limit(sizes, *position)?;
                match values.get_mut(*at) {
                    Some(place) => *place = value,
                    None => values.push(value),
                }
            }
            let map = Map::literal(&keys, values.into_iter());
            machine.grown()?;
            Ok(Value::Map(std::rc::Rc::new(map)))
        })
    }

    fn choice(&mut self, choice: &ir::If) -> Ex {
        let condition = self.condition(&choice.condition);
        let then = self.block(&choice.then);
        if choice.otherwise.statements.is_empty() {
            return Box::new(
                move |machine, code, frame| {
                    if condition(machine, code, frame)? { then(machine, code, frame) } else { Ok(Value::Unit) }
                },
            );
        }
        let otherwise = self.block(&choice.otherwise);
        Box::new(
            move |machine, code, frame| {
                if condition(machine, code, frame)? { then(machine, code, frame) } else { otherwise(machine, code, frame) }
            },
        )
    }

    /// Decides.
    pub fn condition(&mut self, condition: &ir::Condition) -> Test {
        self.test_at(&condition.expr, condition.position)
    }
}

/// Evaluates choices until one is not `()`; if all are, it is the last.
pub fn first_of(choices: Box<[Ex]>) -> Ex {
    Box::new(move |machine, code, frame| {
        let mut value = Value::Unit;
        for choice in &choices {
            value = choice(machine, code, frame)?;
            let is_unit = match &value {
                Value::Shared(shared) => shared.borrow().is_unit(),
                value => value.is_unit(),
            };
            if !is_unit {
                break;
            }
        }
        Ok(value)
    })
}

/// A buffer larger than this is not kept.
const LARGEST_BUFFER: usize = 16 * 1024;

/// A part of a text.
enum Part {
    Written(Box<str>),
    Value(Ex),
}

/// Makes a value of a decision.
pub fn truth(test: Test) -> Ex {
    Box::new(move |machine, code, frame| Ok(Value::Bool(test(machine, code, frame)?)))
}

/// Returns what a value counts by itself, if anything.
#[inline(always)]
fn size_of(value: &Value) -> Option<Sizes> {
    match value {
        Value::Unit | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Char(_) | Value::Function(_) => None,
        Value::Blob(bytes) => Some(Sizes { array: bytes.len(), ..Sizes::default() }),
        value => Some(value.sizes()),
    }
}

#[cold]
#[inline(never)]
fn too_large(what: &str, position: Position) -> super::machine::Leave {
    EvalAltResult::ErrorDataTooLarge(what.into(), position).into()
}

impl Machine<'_> {
    /// Fails as Rhai does if something is larger than allowed.
    #[inline(always)]
    fn limit(&self, sizes: Sizes, position: Position) -> Outcome<()> {
        if sizes.fits(self.sizes) { Ok(()) } else { Err(self.beyond(sizes, position)) }
    }

    #[cold]
    fn beyond(&self, sizes: Sizes, position: Position) -> super::machine::Leave {
        let what = if sizes.string > self.sizes.string {
            "Length of string"
        } else if sizes.array > self.sizes.array {
            "Size of array/BLOB"
        } else {
            "Size of object map"
        };
        too_large(what, position)
    }

    /// Writes a value as texts show it.
    pub fn print(&mut self, code: &Code, value: &Value, text: &mut String) -> Outcome<()> {
        let before = text.len();
        if !value.print(text, self.sizes.string) {
            text.truncate(before);
            let shown = self.shown(code, value)?;
            text.push_str(shown.as_str().unwrap_or_default());
        }
        Ok(())
    }

    /// Returns the value of a condition.
    #[inline(always)]
    pub fn decide(&self, value: &Value, position: Position) -> Outcome<bool> {
        match value {
            Value::Bool(truth) => Ok(*truth),
            value => Err(mismatch("bool", value, position)),
        }
    }
}
