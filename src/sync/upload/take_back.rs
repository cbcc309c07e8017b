//! Takes an upload back whose migrations cannot be applied, so that nothing of it stays in the source or goes live.

use crate::{
    capability::sql::MigrationError,
    function::{Diagnostic, FilePath},
    source::edit::{Edit, EditError, FileEdit},
    sync::{
        Sync,
        orders::{error::OrderError, upload::UploadError},
    },
};

impl Sync {
    /// Gives files the contents that they had before an edit, and looks at the source again. Returns what to answer.
    pub(super) async fn take_back(&mut self, edit: Edit, error: MigrationError) -> UploadError {
        let stays = self.undo(edit).await.err();
        self.sync(self.parts.source.cause()).await;
        match (error, stays) {
            (MigrationError::Unavailable(error), None) => OrderError::NoDatabase(error.message).into(),
            (MigrationError::Unavailable(error), stays) => {
                let found = vec![Diagnostic::error("", format!("the migrations wait: {}", error.message))];
                UploadError::Unmigrated { found, stays }
            }
            (MigrationError::Wrong(found), stays) => UploadError::Unmigrated { found, stays },
        }
    }

    async fn undo(&self, edit: Edit) -> Result<(), EditError> {
        let Some(wanted) = &self.wanted else { return Err(EditError::Moved("the source cannot be read".into())) };
        if let Some((path, _)) = edit.files.iter().find(|(path, file)| wanted.tree.get(*path) != file.after.as_ref()) {
            return Err(EditError::Moved(format!("somebody has changed `{path}` meanwhile")));
        }
        let back = |file: FileEdit| FileEdit { before: file.after, after: file.before };
        let files = edit.files.into_iter().map(|(path, file)| (path, back(file))).collect();
        let message = format!("take back: {}", edit.message);
        self.parts.source.edit(Edit { base: wanted.revision.clone(), files, author: edit.author, message }).await
    }
}

/// Says that a change waits for a migration that may be half of a save.
pub(super) fn unread_migration(path: &FilePath) -> EditError {
    EditError::Moved(format!("`{path}` was saved a moment ago, and this waits until it is applied\n  hint: try again when it is closed"))
}
