//! Scripts as the control plane sees them: every `.rhai` file of the source, with what became of it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Live, LiveFunction, listing::has_text};
use crate::function::{Content, Diagnostic, FilePath, Function, FunctionName, Role, ScriptId, Tree};

/// The files that the source holds, and those that are live: the same, unless some are wrong or the source is not followed.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Of the source.
    pub wanted: Arc<Tree>,
    /// Live.
    pub live: Arc<Tree>,
}

/// Whether what the source holds of a script is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScriptState {
    /// It is.
    Live,
    /// It has mistakes: what was live before still is, or nothing.
    Broken,
    /// It has none, and is not live: an operator wants it so, or the database or another file is waited for.
    Waiting,
}

/// One script.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its name: the path below the root, without `.rhai`.
    pub name: FunctionName,
    /// Its file.
    pub file: FilePath,
    /// What it is for.
    pub role: Role,
    /// What the source holds; if it holds nothing any more, what is live.
    pub content: Content,
    /// Whether that is live.
    pub state: ScriptState,
    /// What is live of it, if it serves requests.
    pub function: Option<Arc<LiveFunction>>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Script {
    /// Returns the id of its name.
    pub fn id(&self) -> ScriptId {
        ScriptId::of(&self.name)
    }

    /// Returns what its front-matter says about it, if it serves requests.
    pub fn description(&self) -> Option<&str> {
        self.function.as_ref()?.function.manifest.description.as_deref()
    }

    fn has_text(&self, text: &str) -> bool {
        let route = self.function.as_ref().and_then(|live| live.function.route.as_ref()).map(ToString::to_string);
        [Some(self.name.as_str()), self.description(), route.as_deref()].into_iter().flatten().any(|own| has_text(own, text))
    }

    /// Names this state of it: the version that is live, or the content where that is not live or serves no requests.
    pub fn tag(&self) -> String {
        match &self.function {
            Some(live) if self.state == ScriptState::Live => live.function.version.to_string(),
            _ => self.content.digest.to_string()[..32].to_owned(),
        }
    }
}

/// Which scripts are asked for.
#[derive(Debug, Clone, Default)]
pub struct ScriptFilter {
    /// Those whose name begins so.
    pub prefix: String,
    /// Those in this state.
    pub state: Option<ScriptState>,
    /// Those with this text in their name, their path or their description, in capitals or not.
    pub text: Option<String>,
    /// Those after the script of this name.
    pub after: Option<FunctionName>,
}

impl Live {
    /// Returns the script of this name.
    pub fn script(&self, name: &FunctionName) -> Option<Script> {
        let file: FilePath = name.file().into();
        View::of(self).script(&file)
    }

    /// Returns the script of this id.
    pub fn script_by_id(&self, id: ScriptId) -> Option<Script> {
        let view = View::of(self);
        let live = self.table().by_id(id).map(|live| FilePath::from(live.function.name.file()));
        // Of what is not live only the name says which id it has.
        let file = live.or_else(|| view.paths("").into_iter().find(|file| name_of(file).is_some_and(|name| ScriptId::of(&name) == id)));
        view.script(&file?)
    }

    /// Returns scripts in order of their files, at most so many.
    pub fn scripts(&self, filter: &ScriptFilter, limit: usize) -> Vec<Script> {
        let view = View::of(self);
        let after = filter.after.as_ref().map(FunctionName::file);
        let files = view.paths(&filter.prefix).into_iter().filter(|file| after.as_deref().is_none_or(|after| &**file > after));
        let scripts = files.filter_map(|file| view.script(&file));
        let is_meant = |script: &Script| {
            filter.state.is_none_or(|state| state == script.state) && filter.text.as_ref().is_none_or(|text| script.has_text(text))
        };
        scripts.filter(is_meant).take(limit).collect()
    }
}

impl Live {
    /// Returns the functions that are live with this file, which is a guard or a module of theirs, by name.
    pub fn users_of(&self, file: &str) -> Vec<FunctionName> {
        let uses = |function: &Function| *function.name.file() != *file && function.files.iter().any(|(path, _)| **path == *file);
        let table = self.table();
        let mut users: Vec<_> = table.functions().map(|live| &live.function).filter(|own| uses(own)).map(|own| own.name.clone()).collect();
        users.sort_unstable();
        users
    }
}

fn name_of(file: &str) -> Option<FunctionName> {
    Role::of(file)?;
    FunctionName::of_file(file)
}

/// One moment of it.
struct View {
    files: Arc<Files>,
    table: Arc<super::Table>,
    status: Arc<super::Status>,
    /// What is wrong, by file.
    found: HashMap<FilePath, Vec<usize>>,
}

impl View {
    fn of(live: &Live) -> Self {
        let status = live.status();
        let mut found: HashMap<FilePath, Vec<usize>> = HashMap::new();
        for (at, diagnostic) in status.diagnostics.iter().enumerate() {
            found.entry(diagnostic.file.clone()).or_default().push(at);
        }
        Self { files: live.files(), table: live.table(), status, found }
    }

    /// Returns the files whose names begin so, in order.
    fn paths(&self, prefix: &str) -> BTreeSet<FilePath> {
        let Files { wanted, live } = &*self.files;
        let start: FilePath = prefix.into();
        let mut paths: BTreeSet<FilePath> = below(wanted, &start).cloned().collect();
        if !Arc::ptr_eq(wanted, live) {
            paths.extend(below(live, &start).cloned());
        }
        paths
    }

    fn script(&self, file: &FilePath) -> Option<Script> {
        let name = name_of(file)?;
        let role = Role::of(file)?;
        let Files { wanted, live } = &*self.files;
        let content = wanted.get(file).or_else(|| live.get(file))?.clone();
        let found = self.found.get(file).into_iter().flatten();
        let diagnostics: Vec<Diagnostic> = found.map(|at| self.status.diagnostics[*at].clone()).collect();
        let state = if diagnostics.iter().any(Diagnostic::is_error) {
            ScriptState::Broken
        } else if wanted.get(file) == live.get(file) {
            ScriptState::Live
        } else {
            ScriptState::Waiting
        };
        let function = self.table.by_id(ScriptId::of(&name)).cloned();
        Some(Script { name, file: file.clone(), role, content, state, function, diagnostics })
    }
}

fn below<'a>(tree: &'a Tree, prefix: &'a FilePath) -> impl Iterator<Item = &'a FilePath> {
    tree.range(prefix.clone()..).map(|(path, _)| path).take_while(move |path| path.starts_with(&**prefix))
}
