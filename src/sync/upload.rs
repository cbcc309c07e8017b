//! Changes that come through the control plane: checked as whatever else would go live, written where the source keeps its files, and looked
//! at there. The source stays the truth: what is live afterwards is what it holds.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;

use super::{
    Sync, Written, check::Report, examine::Examiner, obey::no_database, opened::opened, orders::OrderError, plan::Plan, propose::Wanted,
    settle::is_below,
};
use crate::{
    audit::Actor,
    deployment::{Cause, DeploymentId, Pin},
    function::{
        Content, Diagnostic, FilePath, FunctionName, Revision, Tree,
        route::{
            conflicts,
            file::{Role, classify},
            stray::guard_of,
        },
        tree::{differences, inside_files},
    },
    live::scripts::ScriptKind,
    source::edit::{Edit, EditError, FileEdit, path_problem},
};

/// How often a change is tried again on a source that others change at the same time, and the pause between.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// What is to become of a source.
#[derive(Debug, Clone)]
pub enum Change {
    /// A script that is not there yet.
    Create(FunctionName, Content),
    /// Another content of a script that is there (none: it is deleted). With tags, only if one of them names what there is.
    Replace(FunctionName, Option<Content>, Option<Vec<String>>),
    /// These files and no others.
    Tree(Tree),
}

/// A wish to change the source.
#[derive(Debug, Clone)]
pub struct Upload {
    /// How.
    pub change: Change,
    /// Who wants it.
    pub by: Actor,
    /// More than half of the functions may go.
    pub allow_mass_delete: bool,
    /// Only say what would change.
    pub is_dry_run: bool,
}

/// What a wish came to.
#[derive(Debug, Clone, Serialize)]
pub struct Uploaded {
    /// The functions that it adds, changes and removes.
    pub plan: Plan,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// What is live now, and since which deployment.
    pub live: Option<(DeploymentId, Revision)>,
    /// Why what was asked for is not live although it is written, a sentence; none if it is live, and in a dry run.
    pub held: Option<String>,
}

/// What files would change if they were live beside the others.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// The functions that they would add, change and remove.
    pub plan: Plan,
}

/// Why a source was not changed. Nothing of it is written then.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A script of this name is there.
    #[error("there is a script `{0}` already; change it with PUT")]
    Exists(FunctionName),
    /// No script of this name is there.
    #[error("there is no script `{0}`")]
    Unknown(FunctionName),
    /// It is not what whoever changes it has seen.
    #[error("the script `{0}` has changed since; get it again, and send its ETag as `If-Match`")]
    Moved(FunctionName),
    /// Another function answers the same requests.
    #[error("another function answers the same requests")]
    RouteTaken(Vec<Diagnostic>),
    /// It does not check.
    #[error("{}, and nothing was written", mistakes(.0))]
    Wrong(Vec<Diagnostic>),
    /// Too many functions would go.
    #[error("this would remove {} of {} functions, and nothing was written; if that is meant, say `allow_mass_delete=true`", .0.removed, .0.before)]
    MassDelete(Box<Plan>),
    /// An operator wants the source not to be followed.
    #[error("nothing was written: {0}")]
    Held(String),
    /// What the source holds is not known.
    #[error("nothing was written, because the source cannot be read{}", .0.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    SourceAway(Option<String>),
    /// The source was not changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The database is away, or the node is stopping.
    #[error(transparent)]
    Order(#[from] OrderError),
}

fn mistakes(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|found| found.is_error()).count();
    if errors == 1 { "there is 1 mistake".into() } else { format!("there are {errors} mistakes") }
}

impl Change {
    fn message(&self) -> String {
        match self {
            Self::Create(name, _) => format!("create {name}"),
            Self::Replace(name, Some(_), _) => format!("change {name}"),
            Self::Replace(name, None, _) => format!("delete {name}"),
            Self::Tree(_) => "deploy a tree".into(),
        }
    }
}

impl Examiner {
    /// Says what files would change if they were live beside the others.
    pub(super) async fn tried(&self, files: Tree) -> Tried {
        let named: Vec<Diagnostic> = files.keys().filter_map(|path| name_problem(path)).collect();
        let mut tree = Tree::clone(&self.tree);
        tree.extend(files);
        let nested = inside_files(&tree);
        let Report { functions, mut diagnostics } = self.check(&Arc::new(tree)).await;
        diagnostics.extend(named.into_iter().chain(nested));
        diagnostics.sort();
        diagnostics.dedup();
        Tried { plan: Plan::between(&self.functions, &functions), diagnostics }
    }
}

impl Sync {
    /// Changes files of the source, and makes that live.
    pub(super) async fn upload(&mut self, upload: Upload) -> Result<Uploaded, UploadError> {
        let mut attempt = 0;
        let mut is_fresh = self.parts.source.cause() != Cause::Save;
        loop {
            // What others have changed goes live first, and by itself.
            self.sync(self.parts.source.cause()).await;
            match self.upload_once(&upload).await {
                // A file that was saved just before the start may be held back as half of a save. Whoever changes it means what is there.
                Err(UploadError::Unknown(_) | UploadError::Edit(EditError::Moved(_))) if !is_fresh => {
                    is_fresh = true;
                    self.parts.source.refresh(false).await;
                }
                Err(UploadError::Edit(EditError::Moved(_))) if attempt < ATTEMPTS => attempt += 1,
                done => return done,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn upload_once(&mut self, upload: &Upload) -> Result<Uploaded, UploadError> {
        self.must_follow()?;
        // What cannot be recorded cannot go live.
        self.store()?.following().await.map_err(no_database)?;
        let wanted = self.wanted.as_ref().ok_or_else(|| UploadError::SourceAway(self.parts.live.status().source.clone()))?;
        let after = Arc::new(self.changed(wanted, &upload.change)?);
        let paths = differences(&wanted.tree, &after);
        let mut report = self.examiner().check(&after).await;
        self.must_be_good(wanted, &upload.change, &after, &paths, &report).await?;
        let plan = Plan::between(&self.functions, &report.functions);
        let is_emptied = after.is_empty() && !self.functions.is_empty();
        if matches!(upload.change, Change::Tree(_)) && (plan.is_mass_delete() || is_emptied) && !upload.allow_mass_delete {
            return Err(UploadError::MassDelete(Box::new(plan)));
        }
        report.diagnostics.extend(opened(&wanted.tree, &after));
        let uploaded = Uploaded { plan, diagnostics: report.diagnostics, live: None, held: None };
        if paths.is_empty() {
            return Ok(Uploaded { live: self.live_since(), ..uploaded });
        }
        let edit = |path: &FilePath| FileEdit { before: wanted.tree.get(path).cloned(), after: after.get(path).cloned() };
        let edit = Edit {
            base: wanted.revision.clone(),
            files: paths.iter().map(|path| (path.clone(), edit(path))).collect::<BTreeMap<_, _>>(),
            author: upload.by.who.clone(),
            message: upload.change.message(),
        };
        if upload.is_dry_run {
            self.parts.source.try_edit(edit).await?;
            return Ok(Uploaded { live: self.live_since(), ..uploaded });
        }
        let files = edit.files.clone();
        self.parts.source.edit(edit).await?;
        self.sync_after(Cause::Upload, Some(Written { by: &upload.by, files: &files })).await;
        let is_live = paths.iter().all(|path| self.tree.get(path) == after.get(path));
        Ok(Uploaded { live: self.live_since(), held: (!is_live).then(|| self.why_not_live()), ..uploaded })
    }

    fn live_since(&self) -> Option<(DeploymentId, Revision)> {
        self.deployment.as_ref().map(|live| (live.id, live.revision.clone()))
    }

    fn must_follow(&self) -> Result<(), UploadError> {
        let suspended = self.following.suspended.as_ref().map(ToString::to_string);
        // Nothing of the source ends the pin here: whoever went back is to say first that it may be followed again.
        let pinned = || self.following.pin.as_ref().map(|pin| Pin { hold: true, ..pin.clone() }.to_string());
        suspended.or_else(pinned).map_or(Ok(()), |why| Err(UploadError::Held(why)))
    }

    /// Returns the files of the source as they are to be.
    fn changed(&self, wanted: &Wanted, change: &Change) -> Result<Tree, UploadError> {
        let file = |name: &FunctionName| FilePath::from(crate::live::scripts::file_of(name));
        let mut tree = match change {
            Change::Tree(tree) => return Ok(tree.clone()),
            _ => Tree::clone(&wanted.tree),
        };
        match change {
            Change::Create(name, content) => {
                let file = file(name);
                if let Some(problem) = name_problem(&file) {
                    return Err(UploadError::Wrong(vec![problem]));
                }
                if tree.insert(file, content.clone()).is_some() {
                    return Err(UploadError::Exists(name.clone()));
                }
            }
            Change::Replace(name, content, tags) => {
                let file = file(name);
                if !tree.contains_key(&file) {
                    return Err(UploadError::Unknown(name.clone()));
                }
                // Just looked at, so this is what the source holds.
                let tag = self.parts.live.script(name).map(|script| script.tag());
                if tags.as_ref().is_some_and(|tags| !tag.is_some_and(|tag| tags.contains(&tag))) {
                    return Err(UploadError::Moved(name.clone()));
                }
                match content {
                    Some(content) => drop(tree.insert(file, content.clone())),
                    None => drop(tree.remove(&file)),
                }
            }
            Change::Tree(_) => {}
        }
        Ok(tree)
    }

    /// Refuses what does not check. Of a directory, mistakes that were there before in other files are none of this change's.
    async fn must_be_good(
        &self,
        wanted: &Wanted,
        change: &Change,
        after: &Tree,
        paths: &[FilePath],
        report: &Report,
    ) -> Result<(), UploadError> {
        let is_changed = |found: &Diagnostic| paths.binary_search(&found.file).is_ok();
        let is_whole = wanted.is_commit || matches!(change, Change::Tree(_));
        let mut errors: Vec<Diagnostic> = report.diagnostics.iter().filter(|found| found.is_error()).cloned().collect();
        errors.extend(inside_files(after));
        errors.extend(paths.iter().filter_map(|path| path_problem(path)).filter(|found| report_lacks(&report.diagnostics, found)));
        if wanted.is_commit {
            let others = wanted.problems.iter().filter(|found| found.is_error() && !found.file.is_empty() && !is_changed(found));
            errors.extend(others.cloned());
        }
        let shuts = |found: &Diagnostic| self.shuts(found, after, paths);
        errors.extend(wanted.problems.iter().filter(|found| found.is_error() && !is_changed(found) && shuts(found)).cloned());
        if !is_whole && !errors.is_empty() {
            let before = self.examiner().check(&wanted.tree).await.diagnostics;
            errors.retain(|found| is_changed(found) || shuts(found) || !before.contains(found));
        }
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort();
        errors.dedup();
        let taken = conflicts(report.functions.iter().map(|(path, function)| (path, &function.route)));
        let is_taken = !matches!(change, Change::Tree(_)) && errors.iter().all(|found| taken.contains(found));
        if is_taken {
            errors.retain(is_changed);
            return Err(UploadError::RouteTaken(errors));
        }
        Err(UploadError::Wrong(errors))
    }

    /// Returns whether a mistake in a guard keeps changed files of its folder from going live.
    fn shuts(&self, found: &Diagnostic, after: &Tree, paths: &[FilePath]) -> bool {
        let Some(guard) = guard_of(&found.file) else { return false };
        let is_open = self.tree.contains_key(&guard) || (guard != found.file && after.contains_key(&guard));
        !is_open && paths.iter().any(|path| after.contains_key(path) && is_below(path, &guard))
    }

    /// Says why what is written is not live: others have written in this moment, or the database went away.
    fn why_not_live(&self) -> String {
        let status = self.parts.live.status();
        let why = [&status.source, &status.waiting, &status.held].into_iter().flatten().next().cloned();
        why.unwrap_or_else(|| {
            "something else in the source was saved at the same moment, or has a mistake; `picloud status` shows what is live".into()
        })
    }
}

fn report_lacks(report: &[Diagnostic], found: &Diagnostic) -> bool {
    !report.iter().any(|known| known.file == found.file && known.message == found.message)
}

/// Returns why a script cannot have its file at this path: no source would read it, or it would be for nothing.
fn name_problem(path: &str) -> Option<Diagnostic> {
    let nothing = || {
        let problem = Diagnostic::error(path, "a file of this name is for nothing");
        ScriptKind::of(path).is_none().then(|| problem.hint("folders and files whose names begin with a dot are not served"))
    };
    let misnamed = || {
        let classified = classify(path);
        matches!(classified.role, Role::Misnamed).then(|| classified.diagnostics.into_iter().find(Diagnostic::is_error)).flatten()
    };
    let suffixed = || {
        let name = path.strip_suffix(".rhai")?;
        let problem = Diagnostic::error(path, "the name of a script has no `.rhai` at its end");
        name.ends_with(".rhai").then(|| problem.hint("leave it out: the file gets it"))
    };
    path_problem(path).or_else(suffixed).or_else(nothing).or_else(misnamed)
}
