//! Whether a push to the branch that deploys may go live.

use std::path::PathBuf;

use super::{
    ALLOW_MASS_DELETE, Judge, Rejection,
    words::{is_none, short, shortened},
};
use crate::{
    function::Revision,
    gate::{Push, Update},
    shown::count,
    source::git::PushRecord,
    sync::orders::SnapshotCheck,
};

impl Judge {
    /// A push to the branch that deploys.
    pub(super) async fn deploys(
        &self,
        push: &Push,
        pusher: &str,
        update: &Update,
        quarantine: Option<PathBuf>,
    ) -> Result<Vec<String>, Rejection> {
        let settings = self.source.settings();
        let branch = &settings.branch;
        if is_none(&update.new) {
            let text = format!(
                "picloud: `{branch}` is the branch that deploys, and cannot be deleted\n  hint: push the state that should be live"
            );
            return Err(text.into());
        }
        let is_forced = !is_none(&update.old) && !self.source.contains(&update.new, &update.old, quarantine.clone()).await?;
        if is_forced && !settings.allow_force {
            let hint = "  hint: pull and merge first; `allow_force = true` in the section `[source]` would allow it";
            return Err(format!("picloud: this push would drop commits of `{branch}`, and forced pushes are off\n{hint}").into());
        }
        let snapshot = self.source.read(&update.new, quarantine).await?;
        let checked = self.sync.check(snapshot).await.map_err(|error| format!("picloud: {error}"))?;
        let SnapshotCheck { diagnostics, plan, following, rollback, database } = checked;
        let mut say = self.findings(&diagnostics);
        let errors = diagnostics.iter().filter(|found| found.is_error()).count();
        if errors > 0 {
            say.push(format!(
                "picloud: {} in {}; nothing was pushed, and what is live stays live",
                count(errors, "mistake"),
                short(&update.new)
            ));
            return Err(Rejection(say));
        }
        if let Some(why) = database {
            say.push(format!("picloud: the database does not answer: {why}"));
            say.push("  hint: nothing was pushed; push again when it does".into());
            return Err(Rejection(say));
        }
        say.extend(shortened(plan.to_string().lines().map(str::to_owned).collect()));
        say.push(plan.summary());
        if plan.is_mass_delete() && !push.options.iter().any(|option| option == ALLOW_MASS_DELETE) {
            say.push(format!("picloud: this push would remove {} of {} functions; nothing was pushed", plan.removed, plan.before));
            say.push(format!("  hint: if that is meant: git push -o {ALLOW_MASS_DELETE}"));
            return Err(Rejection(say));
        }
        if let Some(rollback) = &rollback {
            say.push(if rollback.is_ending() { format!("this {rollback}") } else { rollback.to_string() });
        }
        if rollback.is_some_and(|rollback| !rollback.is_ending()) {
            say.push("  hint: `picloud unpin` ends it; so does a push that changes these files".into());
        }
        if is_forced {
            say.push(format!("forced: commits up to {} are no longer in `{branch}`", short(&update.old)));
        }
        say.extend(following.suspended.map(|suspended| format!("stored, and not live: {suspended}")));
        say.extend(following.pin.filter(|pin| pin.hold).map(|pin| format!("stored, and not live: {pin}")));
        let replaces = is_forced.then(|| Revision(update.old.clone()));
        if !push.is_dry_run() {
            self.source.expect(Revision(update.new.clone()), PushRecord { by: pusher.into(), replaces }).await;
        }
        Ok(say)
    }
}
