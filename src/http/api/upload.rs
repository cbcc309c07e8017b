//! Changes of the source that come with requests, whether one script or a whole tree.

use crate::{
    function::Content,
    http::{app::App, problem::Problem, wire::body::BodyError},
    source::edit::EditError,
    sync::orders::upload::{Upload, UploadError, UploadOutcome},
};

impl App {
    /// Takes the source of a script, if it is no larger than a file may be.
    pub(super) fn content(&self, source: String) -> Result<Content, Problem> {
        if source.len() > self.max_file_bytes {
            return Err(BodyError::TooLarge { limit: self.max_file_bytes }.into());
        }
        Ok(Content::new(source.into_bytes()))
    }

    /// Changes the source, and waits until that is live.
    pub(super) async fn upload(&self, upload: Upload) -> Result<UploadOutcome, UploadError> {
        let uploaded = self.sync.upload(upload).await;
        match (&uploaded, &self.git) {
            (Ok(_), Some(hosted)) => hosted.tidy(),
            (Err(UploadError::Edit(error @ EditError::Failed { .. })), _) => tracing::error!("the source cannot be changed: {error}"),
            _ => {}
        }
        uploaded
    }
}
