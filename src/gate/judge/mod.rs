//! What becomes of a push: the same check as everywhere, and what the pusher is told.

mod deploy;
mod fit;
mod words;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use self::words::{is_none, short, shortened};
use super::{Push, Stage, Update, Verdict};
use crate::{
    function::Diagnostic,
    shown::{Shown, count},
    source::git::{BranchMoves, HEADS, PushTarget, RepositoryError, TAGS, branch},
    sync::orders::SyncHandle,
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
struct Rejection(Vec<String>);

impl From<String> for Rejection {
    fn from(text: String) -> Self {
        Self(vec![text])
    }
}

impl From<RepositoryError> for Rejection {
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
            Err(Rejection(say)) => (false, say),
        };
        Verdict { is_accepted, say: say.iter().flat_map(|text| text.split('\n')).map(str::to_owned).collect() }
    }

    async fn before(&self, push: &Push, pusher: &str) -> Result<Vec<String>, Rejection> {
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
            return Err(Rejection(say));
        }
        Ok(say)
    }

    /// What git says of the quarantine is only believed inside the repository.
    fn quarantine(&self, push: &Push) -> Result<Option<PathBuf>, Rejection> {
        let Some(quarantine) = &push.quarantine else { return Ok(None) };
        let objects = self.source.repository().join("objects");
        let is_in_it = |path: &Path| Some(path.parent()?.canonicalize().ok()? == objects.canonicalize().ok()?);
        match quarantine.file_name().filter(|_| is_in_it(&self.source.repository().join(quarantine)) == Some(true)) {
            Some(name) => Ok(Some(objects.join(name))),
            None => Err("picloud: the pushed objects are not where the repository of this node is".to_owned().into()),
        }
    }

    /// A push to another branch: its mistakes are told, and keep nothing from being stored. Some branches are shown.
    async fn mistakes(&self, update: &Update, quarantine: Option<PathBuf>, shown: &[String]) -> Result<Vec<String>, Rejection> {
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

/// Returns which branches a push moves, and where to; to nothing if it deletes them.
fn moved(push: &Push) -> BranchMoves {
    let commit = |update: &Update| (!is_none(&update.new)).then(|| update.new.clone());
    push.updates.iter().filter_map(|update| Some((update.name.strip_prefix(HEADS)?.to_owned(), commit(update)))).collect()
}
