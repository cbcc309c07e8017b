//! Carries out changes that come through the control plane: they are checked like everything that goes live, and written where the source
//! keeps its files. Then the source is looked at. It stays the truth: what is live afterwards is what it holds.

mod check;
mod take_back;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use self::{check::name_problem, take_back::unread_migration};
use super::{
    NodeEdit, Sync,
    diff::tree::TreeDiff,
    orders::{
        error::OrderError,
        upload::{SourceChange, Upload, UploadError, UploadOutcome},
    },
    proposal::SourceState,
    removed_guards::removed_guards,
};
use crate::{
    deployment::{Cause, DeploymentId, Following},
    function::{Content, FilePath, FunctionName, Revision, Tree, tree::differences},
    source::edit::{Edit, EditError, FileEdit},
};

/// How often a change is tried again on a source that others change at the same time, and the pause between.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(20);

impl Sync {
    /// Changes files of the source, and makes that live.
    pub(super) async fn upload(&mut self, upload: Upload) -> Result<UploadOutcome, UploadError> {
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

    async fn upload_once(&mut self, upload: &Upload) -> Result<UploadOutcome, UploadError> {
        self.must_follow()?;
        // What cannot be recorded cannot go live.
        self.store()?.following().await.map_err(OrderError::from)?;
        let wanted = self.wanted.as_ref().ok_or_else(|| UploadError::SourceAway(self.parts.live.status().source.clone()))?;
        let after = Arc::new(self.tree_after(wanted, &upload.change)?);
        let paths = differences(&wanted.tree, &after);
        let mut report = self.live_checker().check(&after).await;
        self.must_be_good(wanted, &upload.change, &after, &paths, &report).await?;
        self.must_have_topics(&upload.topics, &paths, &report)?;
        let plan = TreeDiff::between(&self.functions, &report.functions);
        let is_emptied = after.is_empty() && !self.functions.is_empty();
        if matches!(upload.change, SourceChange::Tree(_)) && (plan.is_mass_delete() || is_emptied) && !upload.allow_mass_delete {
            return Err(UploadError::MassDelete(Box::new(plan)));
        }
        report.diagnostics.extend(removed_guards(&wanted.tree, &after));
        let uploaded = UploadOutcome { plan, diagnostics: report.diagnostics, live: None, held: None };
        if paths.is_empty() {
            return Ok(UploadOutcome { live: self.live_since(), ..uploaded });
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
            return Ok(UploadOutcome { live: self.live_since(), ..uploaded });
        }
        if let Some(migration) = wanted.awaited(&paths, &after) {
            return Err(unread_migration(migration).into());
        }
        self.parts.source.edit(edit.clone()).await?;
        let mut files: BTreeMap<FilePath, Option<Content>> =
            edit.files.iter().map(|(path, file)| (path.clone(), file.after.clone())).collect();
        if matches!(upload.change, SourceChange::Tree(_)) {
            files.extend(after.iter().map(|(path, content)| (path.clone(), Some(content.clone()))));
        }
        let change = NodeEdit { by: &upload.by, files: &files };
        match self.sync_after(Cause::Upload, Some(change)).await {
            Err(error) if change.needs(&error) => return Err(self.take_back(edit, error).await),
            Err(error) => self.tell_unmigrated(&error),
            Ok(_) => {}
        }
        let is_live = paths.iter().all(|path| self.tree.get(path) == after.get(path));
        Ok(UploadOutcome { live: self.live_since(), held: (!is_live).then(|| self.why_not_live()), ..uploaded })
    }

    fn live_since(&self) -> Option<(DeploymentId, Revision)> {
        self.deployment.as_ref().map(|live| (live.id, live.revision.clone()))
    }

    fn must_follow(&self) -> Result<(), UploadError> {
        let Following { suspended, pin } = &self.following;
        let (why, hint) = match (suspended, pin) {
            (None, None) => return Ok(()),
            (Some(suspension), _) => (suspension.name(), "`picloud source resume` follows it again"),
            // Nothing of the source ends the pin here: whoever went back is to say first that it may be followed again.
            (None, Some(pin)) => {
                let why = format!("{}, and the node writes nothing while any of that stays", pin.return_name());
                (why, "`picloud unpin` makes live what the source holds, and then the node writes again")
            }
        };
        Err(UploadError::Held { why, hint })
    }

    /// Returns the files of the source as they are to be.
    fn tree_after(&self, wanted: &SourceState, change: &SourceChange) -> Result<Tree, UploadError> {
        let file = |name: &FunctionName| FilePath::from(name.file());
        let mut tree = match change {
            SourceChange::Tree(tree) => return Ok(tree.clone()),
            _ => Tree::clone(&wanted.tree),
        };
        match change {
            SourceChange::Create(name, content) => {
                let file = file(name);
                if let Some(problem) = name_problem(&file) {
                    return Err(UploadError::Wrong(vec![problem]));
                }
                if tree.insert(file, content.clone()).is_some() {
                    return Err(UploadError::Exists(name.clone()));
                }
            }
            SourceChange::Replace(name, content, tags) => {
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
            SourceChange::Tree(_) => {}
        }
        Ok(tree)
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
