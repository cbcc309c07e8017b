//! What becomes of a push: the same check as everywhere, and what the pusher is told.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Push, Stage, Update, Verdict};
use crate::{
    function::{Diagnostic, Revision},
    shown::Shown,
    source::git::{BranchMoves, HEADS, PushTarget, Pushed, RepositoryError, TAGS, Unfit, branch, taken_for},
    sync::orders::{SnapshotCheck, SyncHandle},
};

/// Judges pushes.
pub struct Judge {
    pub source: Arc<dyn PushTarget>,
    pub sync: SyncHandle,
}

/// Options of `git push -o …` that mean something here.
const DRY_RUN: &str = "dry-run";
const ALLOW_MASS_DELETE: &str = "allow-mass-delete";
const OPTIONS: [&str; 2] = [DRY_RUN, ALLOW_MASS_DELETE];

/// Nothing may be accepted; what the pusher is told.
struct Refused(Vec<String>);

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Self(vec![text])
    }
}

impl From<RepositoryError> for Refused {
    fn from(error: RepositoryError) -> Self {
        let mut text = format!("picloud: {error}");
        if let Some(cause) = std::error::Error::source(&error) {
            text += &format!(": {cause}");
        }
        text.into()
    }
}

impl Push {
    fn is_dry_run(&self) -> bool {
        self.options.iter().any(|option| option == DRY_RUN)
    }
}

impl Judge {
    /// Says whether git may accept a push of this pusher, or what became of it.
    pub async fn judge(&self, push: &Push, pusher: &str) -> Verdict {
        let judged = match push.stage {
            Stage::PreReceive => self.before(push, pusher).await,
            Stage::PostReceive => Ok(self.after(push).await),
        };
        let (is_accepted, say) = match judged {
            Ok(say) => (true, say),
            Err(Refused(say)) => (false, say),
        };
        Verdict { is_accepted, say: say.iter().flat_map(|text| text.split('\n')).map(str::to_owned).collect() }
    }

    async fn before(&self, push: &Push, pusher: &str) -> Result<Vec<String>, Refused> {
        let mut say = Vec::new();
        if let Some(option) = push.options.iter().find(|option| !OPTIONS.contains(&option.as_str())) {
            let known = OPTIONS.map(|option| format!("`{option}`")).join(" and ");
            let option = Shown::inline(option);
            return Err(format!("picloud: there is no push option `{option}`\n  hint: there are {known}").into());
        }
        let quarantine = self.quarantine(push)?;
        let deploy = format!("{HEADS}{}", self.source.settings().branch);
        let shown = self.source.shown_after(moved(push), quarantine.clone()).await?;
        for update in &push.updates {
            self.must_fit(push, update, quarantine.clone()).await?;
            if update.name == deploy {
                say.extend(self.deploys(push, pusher, update, quarantine.clone()).await?);
            } else if update.name.starts_with(HEADS) && !is_none(&update.new) {
                say.extend(self.mistakes(update, quarantine.clone(), &shown).await?);
            }
        }
        if push.is_dry_run() {
            say.push("dry run: nothing was pushed, and nothing has changed".into());
            return Err(Refused(say));
        }
        Ok(say)
    }

    /// What git says of the quarantine is only believed inside the repository.
    fn quarantine(&self, push: &Push) -> Result<Option<PathBuf>, Refused> {
        let Some(quarantine) = &push.quarantine else { return Ok(None) };
        let objects = self.source.repository().join("objects");
        let is_in_it = |path: &Path| Some(path.parent()?.canonicalize().ok()? == objects.canonicalize().ok()?);
        match quarantine.file_name().filter(|_| is_in_it(&self.source.repository().join(quarantine)) == Some(true)) {
            Some(name) => Ok(Some(objects.join(name))),
            None => Err("picloud: the pushed objects are not where the repository of this node is".to_owned().into()),
        }
    }

    /// Refuses what git would refuse later in words that help nobody, or would take and not be able to show.
    async fn must_fit(&self, push: &Push, update: &Update, quarantine: Option<PathBuf>) -> Result<(), Refused> {
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
        Err(match self.source.unfit(new, quarantine).await? {
            None => return Ok(()),
            Some(Unfit::Tag(tag)) => format!(
                "picloud: `{tag}` is an annotated tag, and a branch points to a commit; nothing was pushed\n  hint: push its commit: `git push … \
                 '{tag}^{{}}:{branch}'`"
            ),
            Some(Unfit::NoCommit(kind)) => format!("picloud: {} is a {kind}, and a branch points to a commit; nothing was pushed", short(new)),
            Some(Unfit::Shallow) => "picloud: this clone is shallow: it does not have the commits that its history begins with; nothing was pushed\n  \
                                     hint: `git fetch --unshallow` (in CI: `fetch-depth: 0`), and push again"
                .into(),
        }
        .into())
    }

    /// A push to the branch that deploys.
    async fn deploys(&self, push: &Push, pusher: &str, update: &Update, quarantine: Option<PathBuf>) -> Result<Vec<String>, Refused> {
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
            return Err(Refused(say));
        }
        if let Some(why) = database {
            say.push(format!("picloud: the database does not answer: {why}"));
            say.push("  hint: nothing was pushed; push again when it does".into());
            return Err(Refused(say));
        }
        say.extend(shortened(plan.to_string().lines().map(str::to_owned).collect()));
        say.push(plan.summary());
        if plan.is_mass_delete() && !push.options.iter().any(|option| option == ALLOW_MASS_DELETE) {
            say.push(format!("picloud: this push would remove {} of {} functions; nothing was pushed", plan.removed, plan.before));
            say.push(format!("  hint: if that is meant: git push -o {ALLOW_MASS_DELETE}"));
            return Err(Refused(say));
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
            self.source.expect(Revision(update.new.clone()), Pushed { by: pusher.into(), replaces }).await;
        }
        Ok(say)
    }

    /// A push to another branch: its mistakes are told, and keep nothing from being stored. Some branches are shown.
    async fn mistakes(&self, update: &Update, quarantine: Option<PathBuf>, shown: &[String]) -> Result<Vec<String>, Refused> {
        let snapshot = self.source.read(&update.new, quarantine).await?;
        let checked = self.sync.check(snapshot).await.map_err(|error| format!("picloud: {error}"))?;
        let mut say = self.findings(&checked.diagnostics);
        let branch = update.name.strip_prefix(HEADS).unwrap_or(&update.name);
        let errors = checked.diagnostics.iter().filter(|found| found.is_error()).count();
        let settings = self.source.settings();
        say.push(match errors {
            0 if shown.iter().any(|shown| shown == branch) => {
                let host = settings.preview_host.as_ref().map_or(String::new(), |host| format!(" and at {}", host.of(branch)));
                format!("{branch}: checked; soon shown below /_picloud/preview/{}/{host}", branch::path(branch))
            }
            0 if settings.previews > 0 => format!(
                "{branch}: checked, no errors; not shown: `branches = {}` below `[previews]` is the limit, and others come first",
                settings.previews
            ),
            0 => format!("{branch}: checked, no errors"),
            _ => format!("{branch}: {}; it could not go live as it is", count(errors, "mistake")),
        });
        Ok(say)
    }

    /// What became of a reference that has moved and deploys nothing.
    fn stored(&self, update: &Update) -> Option<String> {
        let settings = self.source.settings();
        if is_none(&update.new) {
            return None;
        }
        Some(match update.name.strip_prefix(HEADS) {
            Some(branch) if branch == settings.branch => return None,
            Some(branch) => format!("{branch}: stored; `{}` is the branch that deploys", settings.branch),
            None if update.name.starts_with(TAGS) => format!("{}: stored; tags deploy nothing", update.name),
            None => format!("{}: stored; deploys nothing, only branches do", update.name),
        })
    }

    /// What became of the push, once the branch has moved.
    async fn after(&self, push: &Push) -> Vec<String> {
        let mut say: Vec<String> = push.updates.iter().filter_map(|update| self.stored(update)).collect();
        let deploy = format!("{HEADS}{}", self.source.settings().branch);
        match push.updates.iter().find(|update| update.name == deploy) {
            Some(update) => say.push(self.deployed(update).await),
            None => self.sync.poke(),
        }
        shortened(say)
    }

    /// What became of the branch that deploys.
    async fn deployed(&self, update: &Update) -> String {
        let began = crate::clock::monotonic();
        let look = match self.sync.look().await {
            Ok(look) => look,
            Err(error) => return format!("picloud: {error}; {} goes live at its next start", short(&update.new)),
        };
        let took_ms = began.elapsed().as_millis();
        match (&look.live, &look.held) {
            (Some((deployment, revision)), _) if revision.0 == update.new => {
                format!("live at {} in {took_ms} ms, deployment {deployment}", short(&update.new))
            }
            (_, Some(why)) => format!("{} is not live: {why}", short(&update.new)),
            _ => format!("{} was followed by another push", short(&update.new)),
        }
    }

    /// Writes what was found, by the paths that the repository has.
    fn findings(&self, diagnostics: &[Diagnostic]) -> Vec<String> {
        let root = &self.source.settings().root;
        let in_repository = |found: &Diagnostic| match (root.as_str(), &*found.file) {
            ("", file) | (_, file @ "") => file.to_owned(),
            (root, file) => format!("{root}/{file}"),
        };
        let text = |found: &Diagnostic| Diagnostic { file: in_repository(found).into(), ..found.clone() }.to_string();
        shortened(diagnostics.iter().map(|found| text(found) + "\n").collect())
    }
}

/// A terminal is told so much of one kind, and how much more there is.
const SHOWN: usize = 100;

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > SHOWN {
        let more = lines.len() - SHOWN;
        lines.truncate(SHOWN);
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// Returns which branches a push moves, and where to; to nothing if it deletes them.
fn moved(push: &Push) -> BranchMoves {
    let commit = |update: &Update| (!is_none(&update.new)).then(|| update.new.clone());
    push.updates.iter().filter_map(|update| Some((update.name.strip_prefix(HEADS)?.to_owned(), commit(update)))).collect()
}

fn is_none(commit: &str) -> bool {
    commit.bytes().all(|digit| digit == b'0')
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
