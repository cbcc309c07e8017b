//! Records a deployment: all of it in one transaction, or nothing if another one has gone live first.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    deployment::{Changes, Deployment, DeploymentId, DeploymentStatus},
    function::{Content, Digest},
    store::{
        Store, StoreError, audit,
        batch::{WriteBatch, json, overtaken},
        columns::columns,
    },
};

/// A statement takes no further content once it has this many bytes.
const CONTENTS_SLICE: usize = 16 << 20;

/// The answer to a request to record a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum RecordOutcome {
    /// The deployment is in the database.
    Done,
    /// Nothing was written: this other deployment has gone live since, and the changes were compared with an older one.
    Overtaken(DeploymentId),
}

impl Store {
    /// Records a deployment with its changes in one transaction, as a compare-and-set.
    ///
    /// `after` is the live deployment that `changes` were compared with. If another one is live by now, nothing is written. To record the same
    /// id a second time changes nothing.
    pub async fn record_deployment(
        &self,
        deployment: &Deployment,
        changes: &Changes,
        after: Option<DeploymentId>,
    ) -> Result<RecordOutcome, StoreError> {
        let id = deployment.id.0;
        let mut batch = WriteBatch::of_deployment(deployment.id, after);
        if let Some(following) = &changes.following {
            // Comes before the row of the deployment, which tells the second time from the first.
            batch.push(
                "INSERT INTO following (id, state) SELECT 1, $1 WHERE NOT EXISTS (SELECT 1 FROM deployments WHERE id = $2)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state",
                vec![json(following).into(), id.into()],
            );
        }
        batch.push(
            concat!(
                "INSERT INTO deployments (",
                columns!(deployments),
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING"
            ),
            vec![
                id.into(),
                deployment.revision.0.clone().into(),
                word(&deployment.cause).into(),
                deployment.by.clone().into(),
                word(&deployment.status).into(),
                json(&deployment.diagnostics).into(),
                i64::from(deployment.functions).into(),
                deployment.took_us.into(),
                deployment.pushed_by.clone().into(),
                deployment.note.clone().into(),
                deployment.subject.clone().into(),
            ],
        );
        add_contents(&mut batch, changes);
        add_versions(&mut batch, id, changes);
        let files: Vec<_> = changes.files.iter().map(|(path, content)| (path, content.as_ref().map(|content| content.digest))).collect();
        batch.push_rows("INSERT INTO deployment_files (deployment, path, digest) SELECT $2, value->>0, value->>1", &files, vec![id.into()]);
        let functions: Vec<_> = deployment.changes.iter().map(|change| (&change.function, change.from, change.to)).collect();
        batch.push_rows(
            concat!("INSERT INTO deployment_functions (", columns!(deployment_functions), ") SELECT $2, value->>0, value->>1, value->>2"),
            &functions,
            vec![id.into()],
        );
        if deployment.status == DeploymentStatus::Live {
            audit::add_deployment(&mut batch, deployment, changes.origin);
        }
        match self.write(batch).await {
            Ok(()) => Ok(RecordOutcome::Done),
            Err(error) => match overtaken(&error) {
                Some(by) => Ok(RecordOutcome::Overtaken(by)),
                None => Err(StoreError::query("record a deployment")(error)),
            },
        }
    }
}

fn add_contents(batch: &mut WriteBatch, changes: &Changes) {
    let of_files = changes.files.values().flatten();
    let of_functions = changes.functions.iter().flat_map(|function| function.files.iter().map(|(_, content)| content));
    let contents: BTreeMap<Digest, &Content> = of_files.chain(of_functions).map(|content| (content.digest, content)).collect();
    let mut contents = contents.into_values().peekable();
    while contents.peek().is_some() {
        // JSON has no bytes, so the contents go in one blob beside it. A row names its content by the first byte (from 1) and the length.
        // The blob begins with an unused byte: in SQLite a part of an empty blob is NULL.
        let (mut rows, mut bytes) = (Vec::new(), vec![0]);
        while let Some(content) = contents.next_if(|_| bytes.len() < CONTENTS_SLICE) {
            rows.push((content.digest, bytes.len() + 1, content.bytes.len()));
            bytes.extend_from_slice(&content.bytes);
        }
        batch.push_rows(
            "INSERT INTO contents (digest, bytes)
             SELECT value->>0, substr($2, CAST(value->>1 AS INTEGER), CAST(value->>2 AS INTEGER))",
            &rows,
            vec![bytes.into()],
        );
    }
}

fn add_versions(batch: &mut WriteBatch, id: i64, changes: &Changes) {
    let rows: Vec<_> = (changes.functions.iter())
        .map(|function| {
            let files: BTreeMap<_, _> = function.files.iter().map(|(path, content)| (path, content.digest)).collect();
            (function.version, &function.name, function.script_id, json(&function.manifest), json(&files))
        })
        .collect();
    batch.push_rows(
        "INSERT INTO versions (first_deployment, version, function, script_id, manifest, files)
         SELECT $2, value->>0, value->>1, value->>2, value->>3, value->>4",
        &rows,
        vec![id.into()],
    );
}

/// Returns the word by which a fieldless enum goes in JSON.
fn word(value: &impl Serialize) -> String {
    json(value).trim_matches('"').into()
}
