//! Calls of methods of host objects. Scripts have no types: what an object is follows from where it comes from.

use std::collections::{HashMap, HashSet};

use rhai::{Expr, FnCallExpr, Position};

use super::findings::HostCall;
use crate::engine::host::{HostFunction, HostModule, ObjectClass, check::Argument, secret, sql};

/// The methods that are called, and the names of the objects that are known.
#[derive(Default)]
pub struct ObjectCalls<'a> {
    /// The closures of the file by name, each with its last parameter.
    closures: HashMap<&'a str, &'a str>,
    /// Names that hold a transaction: the parameter of a closure that `sql::transaction` calls.
    transactions: HashSet<String>,
    /// Calls of methods of transactions, each with the name of what it is called on.
    open: Vec<(String, HostCall)>,
    /// Calls of which more is to be known.
    found: Vec<HostCall>,
}

impl<'a> ObjectCalls<'a> {
    /// Begins with the closures of a file.
    pub fn new(closures: HashMap<&'a str, &'a str>) -> Self {
        Self { closures, ..Self::default() }
    }

    /// A closure is given to a host function.
    pub fn closure(&mut self, module: &HostModule, function: &HostFunction, argument: &Expr) {
        if (module.name, function.name) == (sql::MODULE.name, sql::TRANSACTION)
            && let Some(parameter) = closure_name(argument).and_then(|name| self.closures.get(name.as_str()))
        {
            self.transactions.insert((*parameter).into());
        }
    }

    /// A method is called. Only secrets have one of the name `reveal`.
    pub fn method(&mut self, call: &FnCallExpr, position: Position) {
        self.found.extend(of_class(&secret::CLASS, call, position));
    }

    /// A method is called on a variable.
    pub fn method_of(&mut self, variable: &str, call: &FnCallExpr, position: Position) {
        self.open.extend(of_class(&sql::CLASS, call, position).map(|call| (variable.into(), call)));
    }

    /// Returns the calls whose object is known.
    pub fn finish(self) -> impl Iterator<Item = HostCall> {
        let transactions = self.transactions;
        let of_transactions = self.open.into_iter().filter(move |(name, _)| transactions.contains(name));
        of_transactions.map(|(_, call)| call).chain(self.found)
    }
}

/// Returns the call as that of a method of a class, if the class has one that takes so many arguments.
fn of_class(class: &'static ObjectClass, call: &FnCallExpr, position: Position) -> Option<HostCall> {
    let function = class.methods.iter().find(|method| method.name == call.name.as_str())?;
    let arguments: Box<[Argument]> = call.args.iter().map(Argument::of).collect();
    function.counts().contains(&arguments.len()).then_some(HostCall { function, module: class.name, arguments, position })
}

/// Returns what the compiler calls the closure that is written as an argument. One that captures variables stands in a block of its own.
fn closure_name(argument: &Expr) -> Option<String> {
    match argument {
        Expr::DynamicConstant(value, _) => value.read_lock::<rhai::FnPtr>().map(|closure| closure.fn_name().to_owned()),
        Expr::FnCall(curry, _) => closure_name(curry.args.first()?),
        Expr::Stmt(block) => block.statements().iter().find_map(|statement| match statement {
            rhai::Stmt::Expr(inner) => closure_name(inner),
            _ => None,
        }),
        _ => None,
    }
}
