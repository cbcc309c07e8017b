//! A function with everything that it imports, ready to run.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use rhai::{Module, Shared};

use super::{
    Engine,
    class::Class,
    code::{Code, Library, ModuleFile},
    emission::PlainEmission,
    module,
    script::{Script, SourceFiles},
    statement::PlainStatement,
    template::{self, Templates},
};
use crate::capability::Capabilities;
use crate::function::{Diagnostic, Digest, FilePath, Role, SharedFunction, Tree, Version};

/// A function compiled, with its guards and modules.
pub struct Program {
    /// What it was compiled from.
    pub function: SharedFunction,
    /// Run in order before the function; the first that returns something but `()` answers the request.
    pub(super) guards: Vec<Arc<Script>>,
    pub(super) script: Arc<Script>,
    pub(super) imports: Option<Arc<Imports>>,
    /// Whether one of its files could change a body that it only reads.
    pub(super) copies_body: bool,
    pub(super) class: Arc<Class>,
    /// What the node offers, if one of its files may reach something.
    pub(super) capabilities: Option<Arc<OnceLock<Capabilities>>>,
    /// What it renders, if it renders anything.
    pub(super) templates: Option<Arc<Templates>>,
    /// Whether a run of it can wait for something outside. It never runs where connections are served, and never begins again.
    pub waits: bool,
    /// What is probably not meant in the files, and keeps nothing from going live.
    pub warnings: Vec<Diagnostic>,
    /// The statements of SQL that its files have as plain text.
    pub statements: Box<[PlainStatement]>,
    /// What its files emit, where the topic is plain text.
    pub emissions: Box<[PlainEmission]>,
    /// Kept here, they stay in the engine's cache as long as a program uses them.
    pub(super) modules: Vec<Arc<LinkedModule>>,
}

impl Program {
    /// Returns one of its files, compiled.
    pub(super) fn script_of(&self, file: &FilePath) -> Option<&Script> {
        let modules = self.modules.iter().map(|module| &module.script);
        self.guards.iter().chain([&self.script]).chain(modules).map(|script| &**script).find(|script| script.file == *file)
    }
}

/// A module that ran once, to be called from many programs.
#[derive(Debug)]
pub struct LinkedModule {
    pub(super) module: Shared<Module>,
    pub(super) script: Arc<Script>,
}

impl ModuleFile for LinkedModule {
    fn module(&self) -> &Shared<Module> {
        &self.module
    }

    fn code(&self) -> Option<&Arc<Code>> {
        self.script.code()
    }
}

/// The modules that one program's files import: by importing file, then by the path as written.
#[derive(Default)]
pub struct Imports(pub HashMap<FilePath, HashMap<String, Arc<LinkedModule>>>);

impl fmt::Debug for Imports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Library for Imports {
    fn import(&self, importer: &str, path: &str) -> Option<Arc<dyn ModuleFile>> {
        Some(self.0.get(importer)?.get(path)?.clone())
    }

    fn of_file(&self, file: &str) -> Option<Arc<dyn ModuleFile>> {
        let linked = self.0.values().flat_map(HashMap::values).find(|linked| *linked.script.file == *file)?;
        Some(linked.clone())
    }
}

/// Returns the files that a file needs, itself included: imports of imports, and templates, too. SourceFiles that do not compile are in it and end their branch.
pub fn closure(engine: &Engine, all: SourceFiles<'_, '_>, roots: impl IntoIterator<Item = FilePath>) -> Tree {
    let mut files = Tree::new();
    let mut open: Vec<FilePath> = roots.into_iter().collect();
    while let Some(file) = open.pop() {
        let Some((file, content)) = all.tree.get_key_value(&file) else { continue };
        if files.insert(file.clone(), content.clone()).is_some() {
            continue;
        }
        if Role::of(file) == Some(Role::Template) {
            open.extend(template::named_by(content).into_iter().map(FilePath::from));
            continue;
        }
        if let Some(Ok(script)) = all.script(engine, file).as_deref() {
            open.extend(script.references.templates().map(|name| template::path_of(name).into()));
            for import in &script.references.imports {
                if let Ok(path) = module::resolve(file, &import.path, |path| all.tree.contains_key(path)) {
                    open.push(path.into());
                }
            }
        }
    }
    files
}

/// Returns the name of a function's content: its own path first, then every file that it needs.
pub fn version(name: &FilePath, files: &Tree) -> Version {
    let parts = files.iter().flat_map(|(path, content)| [path.as_bytes(), &content.digest.as_bytes()[..]]);
    Digest::of_parts([name.as_bytes()].into_iter().chain(parts)).into()
}
