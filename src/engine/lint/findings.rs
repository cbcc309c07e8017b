//! What looking through a file gives: diagnostics, and what only other files can explain.

use std::collections::HashSet;

use rhai::{Ident, Position};

use crate::{
    engine::host::{
        HostFunction, RENDER,
        check::{Argument, Literal},
    },
    function::Diagnostic,
};

/// Most imports of one file.
pub const MAX_IMPORTS: usize = 32;

/// An `import` statement.
#[derive(Debug, Clone)]
pub struct Import {
    /// As written.
    pub path: String,
    /// The name that the module gets, if it gets one.
    pub alias: Option<String>,
    /// Where the path stands.
    pub position: Position,
}

/// A call of a module's function, `alias::name(…)`.
#[derive(Debug, Clone)]
pub struct ModuleCall {
    /// The module's alias, and behind it those by which modules import others.
    pub path: Box<[Ident]>,
    /// The function's name.
    pub name: String,
    /// How many arguments.
    pub arguments: usize,
    /// Where.
    pub position: Position,
}

/// A call of a host function.
#[derive(Debug, Clone)]
pub struct HostCall {
    /// Which.
    pub function: &'static HostFunction,
    /// The name of its module; empty for one that is called without.
    pub module: &'static str,
    /// What is known of its arguments.
    pub arguments: Box<[Argument]>,
    /// Where.
    pub position: Position,
}

impl HostCall {
    /// Returns what the text of the script says of an argument; none if it was left out.
    pub fn literal(&self, number: usize) -> Option<&Literal> {
        self.arguments.get(number).map(|argument| &argument.literal)
    }
}

/// A constant of a module, `alias::NAME`.
#[derive(Debug, Clone)]
pub struct ModuleConstant {
    /// The modules that lead to it, as of a call.
    pub path: Box<[Ident]>,
    /// The constant's name.
    pub name: String,
    /// Where.
    pub position: Position,
}

/// What one file says about others, for the checks that need to see them.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// Every import, dead branches too.
    pub imports: Vec<Import>,
    /// Every call into a module.
    pub calls: Vec<ModuleCall>,
    /// Every call of a host function that check looks at more closely, or that can wait.
    pub host_calls: Vec<HostCall>,
    /// Every constant of a module that is read.
    pub constants: Vec<ModuleConstant>,
    /// The functions that an importer can call: name and number of parameters.
    pub exported: Vec<(String, usize)>,
    /// Names that may hold a closure that is called like a method.
    pub properties: HashSet<String>,
    /// Whether a value is put under a name that is computed, which may be the name of any method.
    pub computes_names: bool,
    /// Whether it may change a value that it only reads.
    pub changes_in_place: bool,
}

impl References {
    /// Returns the names of the templates that it renders.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        let renders = self.host_calls.iter().filter(|call| (call.module, call.function.name) == ("", RENDER));
        renders.filter_map(|call| match call.arguments.first() {
            Some(Argument { literal: Literal::Text(name), .. }) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// A call by method syntax that only another file can explain.
#[derive(Debug, Clone)]
pub struct OpenMethod {
    /// The method's name.
    pub name: String,
    /// How many arguments it is given.
    pub arguments: usize,
    /// How many the methods of this name take that are known; empty: none is.
    pub takes: Vec<usize>,
    /// Where.
    pub position: Position,
    /// `?.`: it is not called where there is nothing.
    pub optional: bool,
}

/// What looking through a file gave.
#[derive(Debug, Default)]
pub struct Findings {
    /// What it says about others.
    pub references: References,
    /// The methods still to be explained.
    pub methods: Vec<OpenMethod>,
    /// What is wrong by itself.
    pub errors: Vec<Diagnostic>,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}
