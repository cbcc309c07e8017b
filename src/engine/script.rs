//! One file, compiled by itself: front-matter, syntax, and everything that can be known without the other files.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use rhai::{AST, Scope};

use super::{
    Engine,
    context::CTX,
    lint::{
        self,
        findings::{Findings, OpenMethod, References},
    },
    meter, place,
    plan::{RunPlan, build::RunStage},
    syntax,
};
use crate::function::{
    Content, Diagnostic, FilePath, Position, Role, foreign,
    front_matter::ScriptFile,
    settings::{self, WrittenSettings},
};

/// A file that compiled.
#[derive(Debug)]
pub struct Script {
    /// Which.
    pub file: FilePath,
    /// Its bytes, for the source lines of findings that come later. They are UTF-8.
    content: Content,
    /// What its front-matter says.
    pub settings: WrittenSettings,
    /// What to run.
    pub ast: AST,
    /// The same, for most runs; made at the first.
    plan: OnceLock<Option<RunPlan>>,
    /// What it says about other files.
    pub references: References,
    /// Methods that only an imported file can explain.
    pub methods: Vec<OpenMethod>,
    /// What is probably not meant, and keeps nothing from going live.
    pub warnings: Vec<Diagnostic>,
}

impl Script {
    /// Its text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.content.bytes).unwrap_or_default()
    }

    /// Returns whether there is nothing in it that runs: at most a front-matter and comments.
    pub fn does_nothing(&self) -> bool {
        self.ast.statements().is_empty()
    }

    /// Returns whether it makes a closure of this name, as the compiler calls it.
    pub(super) fn makes_closure(&self, name: &str) -> bool {
        self.ast.iter_functions().any(|function| function.name == name)
    }

    /// Returns how many parameters its functions of this name have.
    pub(super) fn parameters_of(&self, name: &str) -> Vec<usize> {
        self.ast.iter_functions().filter(|function| function.name == name).map(|function| function.params.len()).collect()
    }

    /// A quicker way to run it, if there is one.
    pub(super) fn plan(&self) -> Option<&RunPlan> {
        let stage = if Role::of(&self.file) == Some(Role::Guard) { RunStage::Guard } else { RunStage::Function };
        // It stays for later runs: this one does not leak it.
        self.plan.get_or_init(|| meter::keep(|| RunPlan::of(&self.ast, stage))).as_ref()
    }

    /// Reports an error at a place in it.
    pub fn at(&self, position: rhai::Position, message: String) -> Diagnostic {
        place::mark(Diagnostic::error(self.file.clone(), message), self.text(), position)
    }
}

/// Why a file did not compile.
#[derive(Debug)]
pub enum CompileError {
    /// It has mistakes.
    Wrong(Vec<Diagnostic>),
    /// The check that asked for it has no room for its limits; another may have.
    NoRoom(Box<Diagnostic>),
}

impl From<Vec<Diagnostic>> for CompileError {
    fn from(found: Vec<Diagnostic>) -> Self {
        Self::Wrong(found)
    }
}

/// Compiles one file by itself.
fn compile(engine: &Engine, file: &FilePath, content: &Content) -> Result<Script, CompileError> {
    let limit = engine.policy().file;
    if content.bytes.len() > limit.bytes() {
        let message = format!("the file has {} bytes, above the limit of {limit}", content.bytes.len());
        let error = Diagnostic::error(file.clone(), message).hint("split it into modules, or raise `file` in the section `[limits]`");
        return Err(vec![error].into());
    }
    let text = std::str::from_utf8(&content.bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&content.bytes[..error.valid_up_to()]);
        let position = Position::of_offset(&valid, valid.len());
        vec![Diagnostic::error(file.clone(), "the file is not UTF-8 text").at(&valid, position).hint("save it as UTF-8")]
    })?;
    if let Some(found) = foreign::in_place_of_a_script(file, text) {
        return Err(vec![found].into());
    }
    let ScriptFile { settings, script } = ScriptFile::parse(file, text).map_err(|diagnostic| vec![*diagnostic])?;
    let limits = settings::resolve(engine.policy(), &settings)?.limits;
    let class = engine.class(&limits).map_err(|why| CompileError::NoRoom(Box::new(why.in_file(file))))?;
    if let Some((at, message)) = lint::lists::endless(&class.rhai, &script) {
        return Err(vec![place::mark(Diagnostic::error(file.clone(), message), text, at).hint("pass an array or a map")].into());
    }
    // `ctx` is known to the compiler and has no value for it: the value of a constant would be compiled into the script.
    let mut scope = Scope::new();
    scope.push(CTX, ());
    let mut ast = class
        .rhai
        .compile_with_scope(&scope, &script)
        .map_err(|error| vec![syntax::explain(&class.rhai, file, text, &error, &limits, engine.policy())])?;
    ast.set_source(file.as_ref());
    let Findings { mut references, methods, errors, warnings } = lint::lint(&ast, &class.known, file, text);
    if Role::of(file) != Some(Role::Module) {
        // Nobody imports it: what an importer would ask is never asked, and ten thousand files add up.
        references.exported = Vec::new();
        references.properties = HashSet::new();
    }
    if !errors.is_empty() {
        return Err(errors.into());
    }
    Ok(Script { file: file.clone(), content: content.clone(), settings, ast, plan: OnceLock::new(), references, methods, warnings })
}

impl Engine {
    /// Compiles one file by itself, or returns what that gave the last time.
    pub fn script(&self, file: &FilePath, content: &Content) -> Arc<Result<Arc<Script>, Vec<Diagnostic>>> {
        if self.check.as_ref().is_some_and(|check| check.is_cancelled()) {
            return Arc::new(Err(vec![Diagnostic::error(file.clone(), "the check was cancelled")]));
        }
        let key = (file.clone(), content.digest);
        if let Some(compiled) = self.scripts().get(&key) {
            return compiled.clone();
        }
        let compiled = match compile(self, file, content) {
            Ok(script) => Ok(Arc::new(script)),
            Err(CompileError::Wrong(found)) => Err(found),
            Err(CompileError::NoRoom(error)) => return Arc::new(Err(vec![*error])),
        };
        let compiled = Arc::new(compiled);
        self.scripts().insert(key, compiled.clone());
        compiled
    }
}
