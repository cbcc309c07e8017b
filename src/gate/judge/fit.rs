//! Whether git could take what a push brings.

use std::path::PathBuf;

use super::{
    Judge, Rejection,
    words::{is_none, short},
};
use crate::{
    gate::{Push, Update},
    source::git::{HEADS, HeadProblem, taken_for},
};

impl Judge {
    /// Refuses what git would refuse later in words that help nobody, or would take and not be able to show.
    pub(super) async fn must_fit(&self, push: &Push, update: &Update, quarantine: Option<PathBuf>) -> Result<(), Rejection> {
        let Update { name, new, .. } = update;
        if is_none(new) {
            return Ok(());
        }
        if let Some(other) = taken_for(name) {
            let text = format!(
                "picloud: git would take `{name}` for `{other}`, and refuse pushes there; nothing was pushed\n  hint: if `{other}` is meant: `git \
                 push … HEAD:{other}`; else give it a name without `refs/`"
            );
            return Err(text.into());
        }
        let is_deleted = |other: &String| push.updates.iter().any(|update| update.name == *other && is_none(&update.new));
        let others = self.source.in_the_way(name).await?;
        if let Some(other) = others.into_iter().find(|other| !is_deleted(other)) {
            let text = format!("picloud: `{other}` is there, so there cannot be `{name}`; nothing was pushed");
            return Err((text + "\n  hint: give it another name, or delete the other first: `git push … --delete NAME`").into());
        }
        if !name.starts_with(HEADS) {
            return Ok(());
        }
        let branch = &name[HEADS.len()..];
        Err(match self.source.head_problem(new, quarantine).await? {
            None => return Ok(()),
            Some(HeadProblem::Tag(tag)) => format!(
                "picloud: `{tag}` is an annotated tag, and a branch points to a commit; nothing was pushed\n  hint: push its commit: `git push … \
                 '{tag}^{{}}:{branch}'`"
            ),
            Some(HeadProblem::NoCommit(kind)) => format!("picloud: {} is a {kind}, and a branch points to a commit; nothing was pushed", short(new)),
            Some(HeadProblem::Shallow) => "picloud: this clone is shallow: it does not have the commits that its history begins with; nothing was pushed\n  \
                                     hint: `git fetch --unshallow` (in CI: `fetch-depth: 0`), and push again"
                .into(),
        }
        .into())
    }
}
