//! One file, compiled by itself: front-matter, syntax, and everything that can be known without the other files.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
};

use rhai::{AST, ParseError, Scope};

use super::{
    Engine,
    class::{Class, ClassKey},
    code::{self, Code},
    context::CTX,
    lint::{
        self,
        findings::{Findings, OpenMethod, References},
    },
    lower, meter, place, syntax,
};
use crate::function::{Content, Diagnostic, Digest, FilePath, Limits, Role, Tree, front_matter::ScriptFile, grants::Grants};

/// A file that compiled.
#[derive(Debug)]
pub struct Script {
    /// Which.
    pub file: FilePath,
    /// Its bytes, for the source lines of findings that come later. They are UTF-8.
    content: Content,
    /// What its front-matter lets it reach, if anything.
    pub grants: Option<Arc<Grants>>,
    /// What compiled it.
    class: Arc<Class>,
    /// Its tree, from when it is first needed after the check: it takes more memory than the file and the closures.
    tree: OnceLock<AST>,
    /// What runs it, made at its first run. None: Rhai does, on its tree.
    code: OnceLock<Option<Arc<Code>>>,
    /// Whether there is nothing in it that runs: at most a front-matter and comments.
    pub does_nothing: bool,
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

    /// Returns whether it makes a closure of this name, as the compiler calls it.
    pub(super) fn makes_closure(&self, name: &str) -> bool {
        self.tree().iter_functions().any(|function| function.name == name)
    }

    /// Returns how many parameters its functions of this name have, without those that are methods of one type.
    pub(super) fn parameters_of(&self, name: &str) -> Vec<usize> {
        let functions = self.tree().iter_functions().filter(|function| function.name == name && function.this_type.is_none());
        functions.map(|function| function.params.len()).collect()
    }

    /// Returns it as closures; none: Rhai runs it.
    pub(super) fn code(&self) -> Option<&Arc<Code>> {
        let compile = |tree: &AST| lower::lower(tree).map(|unit| code::compile(&unit, tree));
        let make = || self.tree.get().map_or_else(|| compile(&self.parse()), compile);
        self.code.get_or_init(|| meter::beside(make)).as_ref()
    }

    /// Returns its tree, and keeps it: for a file that Rhai runs, and for what is said of a run that failed.
    pub(super) fn tree(&self) -> &AST {
        self.tree.get_or_init(|| meter::beside(|| self.parse()))
    }

    /// Makes its tree, for what needs it only once.
    pub(super) fn parse(&self) -> AST {
        let file = ScriptFile::split(&self.file, self.text()).expect("a file that compiled has a front-matter that is closed");
        parse(&self.class, &self.file, &file.script).expect("what compiled once compiles again")
    }

    /// Reports at a place in it what is probably not meant.
    pub fn warn_at(&self, position: rhai::Position, message: String) -> Diagnostic {
        place::mark(Diagnostic::warning(self.file.clone(), message), self.text(), position)
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
fn compile(engine: &Engine, file: &FilePath, content: &Content, limits: &Limits) -> Result<Script, CompileError> {
    let source = ScriptFile::read(file, content, engine.policy().file).map_err(|found| vec![*found])?;
    let grants =
        source.settings(file).and_then(|settings| settings.map(|settings| settings.grants()).transpose()).map_err(|found| vec![*found])?;
    let grants = grants.filter(|grants| !grants.is_empty()).map(Arc::new);
    let ScriptFile { text, script, .. } = source;
    let class = engine.class(limits).map_err(|why| CompileError::NoRoom(Box::new(why.in_file(file))))?;
    if let Some((at, message)) = lint::lists::endless(&class.rhai, &script) {
        return Err(vec![place::mark(Diagnostic::error(file.clone(), message), text, at).hint("pass an array or a map")].into());
    }
    let tree =
        parse(&class, file, &script).map_err(|error| vec![syntax::explain(&class.rhai, file, text, &error, limits, engine.policy())])?;
    let Findings { mut references, methods, errors, warnings } = lint::lint(&tree, &class.known, file, text);
    if Role::of(file) != Some(Role::Module) {
        // Nobody imports it: what an importer would ask is never asked, and ten thousand files add up.
        references.exported = Vec::new();
        references.properties = HashSet::new();
    }
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let does_nothing = tree.statements().is_empty();
    let (tree, code) = (OnceLock::new(), OnceLock::new());
    Ok(Script { file: file.clone(), content: content.clone(), grants, class, tree, code, does_nothing, references, methods, warnings })
}

/// Makes the tree of a file from its script.
fn parse(class: &Class, file: &FilePath, script: &str) -> Result<AST, ParseError> {
    // `ctx` is known to the compiler and has no value for it: the value of a constant would be compiled into the script.
    let mut scope = Scope::new();
    scope.push(CTX, ());
    let mut tree = class.rhai.compile_with_scope(&scope, script)?;
    tree.set_source(file.as_ref());
    Ok(tree)
}

/// A file compiled, or what is wrong with it.
pub type ScriptResult = Arc<Result<Arc<Script>, Vec<Diagnostic>>>;

/// Gives the limits that hold for a file, or why it has none.
pub type LimitsOf<'a> = dyn Fn(&str) -> Result<&'a Limits, &'a [Diagnostic]> + 'a;

/// The files that are compiled together.
#[derive(Clone, Copy)]
pub struct SourceFiles<'a, 'l> {
    /// What is in them.
    pub tree: &'a Tree,
    /// What holds for each.
    pub limits: &'a LimitsOf<'l>,
}

impl SourceFiles<'_, '_> {
    /// Compiles one of them by itself, if it is there.
    pub fn script(&self, engine: &Engine, file: &str) -> Option<ScriptResult> {
        let (file, content) = self.tree.get_key_value(file)?;
        Some(match (self.limits)(file) {
            Ok(limits) => engine.script(file, content, limits),
            Err(found) => Arc::new(Err(found.to_vec())),
        })
    }

    /// Returns whether this is what one of them compiles to.
    pub(super) fn has(&self, key: &ScriptKey) -> bool {
        let is_same = self.tree.get(&key.file).is_some_and(|content| content.digest == key.digest);
        is_same && (self.limits)(&key.file).is_ok_and(|limits| ClassKey::of(limits) == key.class)
    }
}

/// All that decides what compiling a file gives.
#[derive(PartialEq, Eq)]
pub struct ScriptKey {
    file: FilePath,
    digest: Digest,
    class: ClassKey,
}

impl Hash for ScriptKey {
    /// Leaves the limits out: nearly always a file is compiled under one set of them, and ten thousand keys are made in one check.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.file.hash(state);
        self.digest.hash(state);
    }
}

impl Engine {
    /// Compiles one file by itself under these limits, or returns what that gave the last time.
    pub fn script(&self, file: &FilePath, content: &Content, limits: &Limits) -> ScriptResult {
        if self.check.as_ref().is_some_and(|check| check.is_cancelled()) {
            return Arc::new(Err(vec![Diagnostic::error(file.clone(), "the check was cancelled")]));
        }
        let key = ScriptKey { file: file.clone(), digest: content.digest, class: ClassKey::of(limits) };
        if let Some(compiled) = self.scripts().get(&key) {
            return compiled.clone();
        }
        let compiled = match compile(self, file, content, limits) {
            Ok(script) => Ok(Arc::new(script)),
            Err(CompileError::Wrong(found)) => Err(found),
            Err(CompileError::NoRoom(error)) => return Arc::new(Err(vec![*error])),
        };
        let compiled = Arc::new(compiled);
        self.scripts().insert(key, compiled.clone());
        compiled
    }
}
