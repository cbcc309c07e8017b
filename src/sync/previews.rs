//! Other branches beside the one that deploys: each that checks has a table of its own.

use std::{collections::BTreeMap, sync::Arc};

use super::Sync;
use crate::{
    deployment::{DeploymentId, Snapshot},
    function::SharedFunction,
    live::{Preview, Table},
    shown::with_causes,
};

impl Sync {
    /// Brings the previews in line with the branches that the source has.
    pub(super) async fn show_previews(&self) {
        let branches = match self.parts.source.previews().await {
            Ok(branches) => branches,
            Err(error) => {
                tracing::warn!("cannot read the other branches: {}", with_causes(&error));
                return;
            }
        };
        let before = self.parts.live.previews();
        if before.is_empty() && branches.is_empty() {
            return;
        }
        let mut previews = BTreeMap::new();
        for (branch, snapshot) in branches {
            let preview = match before.get(&branch) {
                Some(preview) if preview.revision == snapshot.revision => preview.clone(),
                _ => self.preview(&branch, snapshot).await,
            };
            previews.insert(branch, preview);
        }
        self.parts.live.show(previews);
    }

    async fn preview(&self, branch: &str, snapshot: Snapshot) -> Arc<Preview> {
        let tree = Arc::new(snapshot.tree);
        let (mut report, _compiled) = self.live_checker().check_apart(tree).await;
        report.diagnostics.extend(snapshot.problems);
        report.diagnostics.sort();
        let (revision, commit) = (snapshot.revision, snapshot.commit);
        if !report.is_good() {
            tracing::info!("branch `{branch}` at {revision} has mistakes and is not shown");
            return Arc::new(Preview { revision, commit, table: None, diagnostics: report.diagnostics });
        }
        let functions: Vec<SharedFunction> = report.functions.values().cloned().collect();
        if let Err(diagnostics) = self.parts.executor.load(&functions).await {
            return Arc::new(Preview { revision, commit, table: None, diagnostics });
        }
        tracing::info!("branch `{branch}` at {revision} is shown");
        let id = DeploymentId(self.parts.ids.next());
        let table = Table::preview(id, report.functions.values(), &self.parts.live.table());
        Arc::new(Preview { revision, commit, table: Some(Arc::new(table)), diagnostics: report.diagnostics })
    }
}
