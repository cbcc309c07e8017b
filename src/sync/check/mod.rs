//! The one check that every entry uses: a tree in; its functions, or everything that is wrong with it, out.
//!
//! It remembers what it found for the tree before, so that one changed file among ten thousand costs one compilation.

mod file;
pub mod needs;
mod statements;
mod topics;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use self::{
    file::{FileReport, check_file},
    needs::Excuse,
    statements::Statements,
};
use crate::{
    cancel::CancelFlag,
    capability::sql::Migrations,
    engine::{Engine, Program, check_budget::CheckBudget, script::SourceFiles},
    function::{Diagnostic, FilePath, Role, SharedFunction, Tree, TreeSettings, Version, route::conflicts::conflicts, tree::differences},
};

/// The functions of a tree, by file.
pub type Functions = BTreeMap<FilePath, SharedFunction>;

/// The result of checking a tree.
#[derive(Debug, Default)]
pub struct Report {
    /// The functions without errors of their own. Conflicts between them are among the diagnostics.
    pub functions: Arc<Functions>,
    /// Everything that is wrong, in order of file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Returns whether nothing keeps the tree from going live whole.
    pub fn is_good(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Checks trees, each against the one before.
pub struct Checker {
    engine: Arc<Engine>,
    /// Set when nobody waits for the result any more.
    cancel: CancelFlag,
    tree: Arc<Tree>,
    /// Of the files of the tree.
    settings: Arc<TreeSettings>,
    functions: Arc<Functions>,
    /// Mistakes in single files. SourceFiles without mistakes are not in it.
    found: BTreeMap<FilePath, Vec<Diagnostic>>,
    /// Mistakes between routes.
    conflicts: Vec<Diagnostic>,
    /// Files for one topic.
    topics_told_twice: Vec<Diagnostic>,
    /// SourceFiles that the last check had no room for. The next may have.
    refused: BTreeSet<FilePath>,
    /// Keeps what is compiled while it may be asked for again.
    programs: HashMap<Version, Arc<Program>>,
    /// What is known of statements of SQL.
    statements: Statements,
    /// Files that may need what is not there.
    excuse: Excuse,
}

impl Checker {
    /// Makes a checker that has seen nothing.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self {
            cancel: CancelFlag::default(),
            tree: Arc::default(),
            settings: Arc::new(TreeSettings::new(engine.policy())),
            functions: Arc::default(),
            found: BTreeMap::new(),
            conflicts: Vec::new(),
            topics_told_twice: Vec::new(),
            refused: BTreeSet::new(),
            programs: HashMap::new(),
            statements: Statements::default(),
            excuse: Excuse::default(),
            engine,
        }
    }

    /// Returns the same with somebody who knows the tables of databases: statements of scripts are compared with them.
    #[must_use]
    pub fn with_tables(self, tables: Arc<dyn Migrations>) -> Self {
        Self { statements: Statements::new(tables), ..self }
    }

    /// Says from now on which files may need what is not there. Without a word all may.
    pub fn excuse(&mut self, excuse: Excuse) {
        self.excuse = excuse;
    }

    /// Returns a checker that has seen the same, and stops when this flag is set. What it reports then is nothing.
    pub fn copy(&self, cancel: CancelFlag) -> Self {
        Self {
            engine: self.engine.clone(),
            cancel,
            tree: self.tree.clone(),
            settings: self.settings.clone(),
            functions: self.functions.clone(),
            found: self.found.clone(),
            conflicts: self.conflicts.clone(),
            topics_told_twice: self.topics_told_twice.clone(),
            refused: self.refused.clone(),
            programs: self.programs.clone(),
            statements: self.statements.clone(),
            excuse: self.excuse.clone(),
        }
    }

    /// Checks a tree. Scripts are compiled and modules run here: call it where 256 MiB of stack are.
    pub fn check(&mut self, tree: &Arc<Tree>) -> Report {
        let budget = Arc::new(CheckBudget::new(self.engine.policy(), self.cancel.clone()));
        let engine = self.engine.within(budget.clone());
        let mut changed = differences(&self.tree, tree);
        if !changed.is_empty() {
            let settings = Arc::make_mut(&mut self.settings);
            changed.iter().for_each(|path| settings.set(path, tree.get(path)));
        }
        // A module, a guard or a template may matter to any file, by being there or by being gone. Any other file may matter to one with a mistake: it may be
        // named there in the place of a module.
        if changed.iter().any(|path| matches!(Role::of(path), Some(Role::Guard | Role::Module | Role::Template))) {
            changed.retain(|path| !tree.contains_key(path));
            changed.extend(tree.keys().cloned());
        } else {
            let wrong = self.found.iter().filter(|(_, found)| found.iter().any(Diagnostic::is_error)).map(|(path, _)| path);
            changed.extend(self.refused.iter().chain(wrong).filter(|path| tree.contains_key(*path)).cloned());
            changed.sort();
            changed.dedup();
            let is_unchanged = |path: &FilePath| changed.binary_search(path).is_err();
            engine.count_unchanged(self.functions.iter().filter(|(path, _)| is_unchanged(path)).map(|(_, function)| function));
        }
        let mut routes_changed = false;
        for path in &changed {
            if budget.is_cancelled() {
                return Report::default();
            }
            let (before, refusals) = (self.functions.get(path).cloned(), budget.refusals());
            let checked = match tree.get(path) {
                Some(content) => check_file(&engine, tree, &self.settings, path, content, before.as_ref()),
                None => FileReport::default(),
            };
            match budget.refusals() > refusals {
                true => drop(self.refused.insert(path.clone())),
                false => drop(self.refused.remove(path)),
            }
            if checked.diagnostics.is_empty() {
                self.found.remove(path);
            } else {
                self.found.insert(path.clone(), checked.diagnostics);
            }
            let route = checked.function.as_ref().and_then(|(function, _)| function.route.as_ref());
            routes_changed |= route != before.as_ref().and_then(|function| function.route.as_ref());
            let functions = Arc::make_mut(&mut self.functions);
            match checked.function {
                Some((function, program)) => {
                    self.programs.insert(function.version, program);
                    functions.insert(path.clone(), function);
                }
                None => drop(functions.remove(path)),
            }
        }
        if routes_changed {
            self.conflicts = conflicts(self.functions.iter().filter_map(|(path, function)| Some((path, function.route.as_ref()?))));
        }
        if changed.iter().any(|path| Role::of(path) == Some(Role::Event)) {
            self.topics_told_twice = topics::told_twice(tree);
        }
        self.tree = tree.clone();
        self.statements.compare(tree, self.functions.values().filter_map(|function| self.programs.get(&function.version)));
        self.report()
    }

    /// Returns what the tree needs and does not have.
    fn lacking(&self) -> Vec<Diagnostic> {
        let mut lacking = needs::missing(self.engine.offered(), &self.settings, &self.tree, &self.excuse);
        let programs = self.functions.values().filter_map(|function| self.programs.get(&function.version));
        lacking.extend(programs.clone().flat_map(|program| self.statements.wrong(program, &self.tree, &self.excuse)));
        lacking.extend(topics::unhandled(programs, &self.settings));
        lacking
    }

    fn report(&self) -> Report {
        let lacking = self.lacking();
        let found: BTreeSet<&Diagnostic> =
            self.found.values().flatten().chain(&self.conflicts).chain(&self.topics_told_twice).chain(&lacking).collect();
        let mut diagnostics: Vec<Diagnostic> = found.into_iter().cloned().collect();
        // What an importer and the file itself both tell is told once, with the hint, which sorts last.
        diagnostics.reverse();
        diagnostics.dedup_by(|again, kept| (&again.file, again.position, &again.message) == (&kept.file, kept.position, &kept.message));
        diagnostics.reverse();
        Report { functions: self.functions.clone(), diagnostics }
    }

    /// Forgets what the last tree does not need.
    pub fn forget_others(&mut self) {
        let kept: HashSet<Version> = self.functions.values().map(|function| function.version).collect();
        self.programs.retain(|version, _| kept.contains(version));
        self.engine.forget_all_but(SourceFiles { tree: &self.tree, limits: &|file| self.settings.limits(file) });
    }
}
