//! The difference between two deployments, in functions and in lines. `picloud diff` shows it, from the database or from a node elsewhere.

pub mod tree;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use similar::TextDiff;
use utoipa::ToSchema;

use self::tree::{ChangeKind, TreeDiff};
use super::check::{Checker, Report};
use crate::{
    clock::monotonic,
    deployment::{Deployment, DeploymentId, Summary},
    engine::Engine,
    function::{Content, FilePath, Tree, tree::differences},
    store::{FindError, Store},
};

/// Lines around each change.
const CONTEXT: usize = 3;
/// Time to look for the shortest difference of two files, before any will do.
const PATIENCE: Duration = Duration::from_secs(1);

/// The detail with which differing files are shown.
#[derive(Debug, Clone, Copy)]
pub enum Detail {
    /// Only their number.
    Count,
    /// Which, and in which lines.
    Lines(Bounds),
}

/// Limits on the lines that are shown. Files beyond them are only named.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of all differences together.
    pub bytes: usize,
    /// Time for finding them.
    pub time: Duration,
}

impl Bounds {
    /// Everything is told, however long it takes.
    pub const NONE: Self = Self { bytes: usize::MAX, time: Duration::MAX };
}

/// The difference between two deployments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentDiff {
    /// The earlier side; none: nothing was live before.
    pub from: Option<Summary>,
    /// The later side.
    pub to: Summary,
    /// The functions that differ.
    pub plan: TreeDiff,
    /// The number of files that differ.
    pub files_differing: usize,
    /// Which, and in which lines; empty if that was not asked for.
    pub files: Vec<FileDiff>,
    /// Sides whose files do not check by today's rules: functions are not compared where they are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outdated: Vec<OutdatedSide>,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileDiff {
    /// Below the root.
    #[schema(value_type = String)]
    pub file: FilePath,
    /// The kind of change.
    pub kind: ChangeKind,
    /// Its lines, as `patch` reads them; none if one of its contents is not text, or if they are left out.
    pub diff: Option<String>,
    /// Its lines would have been more than may be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_left_out: bool,
}

/// A side that has mistakes by today's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutdatedSide {
    /// Which.
    pub deployment: DeploymentId,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
}

/// The two that are compared.
pub struct Sides {
    /// None: what was before the first one, which is nothing.
    before: Option<Deployment>,
    after: Deployment,
    old: Arc<Tree>,
    new: Arc<Tree>,
}

impl Sides {
    /// Reads two deployments that were live, by what they are called; without `from`, what was live before `to`.
    pub async fn read(store: &Store, from: Option<&str>, to: &str) -> Result<Self, FindError> {
        let after = store.find_deployment(to).await?;
        let before = match from {
            Some(key) => Some(store.find_deployment(key).await?),
            None => store.live_before(after.id).await?,
        };
        let old = match &before {
            Some(before) => store.tree_of(before.id).await?.unwrap_or_default(),
            None => Tree::new(),
        };
        let new = store.tree_of(after.id).await?.unwrap_or_default();
        Ok(Self { before, after, old: Arc::new(old), new: Arc::new(new) })
    }

    /// Finds what differs. Scripts are compiled here: call it where there is stack enough.
    pub fn compare(&self, engine: Arc<Engine>, detail: Detail) -> DeploymentDiff {
        let mut checker = Checker::new(engine);
        let (old, new) = (checker.check(&self.old), checker.check(&self.new));
        let sides = [(self.before.as_ref(), &old), (Some(&self.after), &new)];
        let outdated = sides.into_iter().filter_map(|(deployment, report)| outdated(deployment?, report)).collect();
        let differing = differences(&self.old, &self.new);
        DeploymentDiff {
            from: self.before.as_ref().map(Summary::from),
            to: Summary::from(&self.after),
            plan: TreeDiff::between(&old.functions, &new.functions),
            files_differing: differing.len(),
            files: match detail {
                Detail::Count => Vec::new(),
                Detail::Lines(bounds) => self.files(differing.iter(), bounds),
            },
            outdated,
        }
    }

    fn files<'a>(&self, differing: impl Iterator<Item = &'a FilePath>, bounds: Bounds) -> Vec<FileDiff> {
        let began = monotonic();
        let mut bytes = bounds.bytes;
        let difference = |path: &FilePath| {
            let (old, new) = (self.old.get(path), self.new.get(path));
            let time = bounds.time.saturating_sub(began.elapsed());
            let texts = text(old).zip(text(new));
            let diff =
                texts.filter(|_| !time.is_zero()).map(|texts| unified(path, old.is_some(), new.is_some(), texts, time.min(PATIENCE)));
            let diff = diff.filter(|diff| diff.len() <= bytes);
            bytes -= diff.as_ref().map_or(0, String::len);
            FileDiff { file: path.clone(), kind: kind(old, new), is_left_out: texts.is_some() && diff.is_none(), diff }
        };
        differing.map(difference).collect()
    }
}

fn outdated(deployment: &Deployment, report: &Report) -> Option<OutdatedSide> {
    let errors = report.diagnostics.iter().filter(|found| found.is_error()).count();
    let warnings = report.diagnostics.len() - errors;
    (errors > 0).then_some(OutdatedSide { deployment: deployment.id, errors, warnings })
}

fn kind(old: Option<&Content>, new: Option<&Content>) -> ChangeKind {
    match (old, new) {
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        _ => ChangeKind::Changed,
    }
}

/// Returns a content as text, if it is that; what is not there is empty.
fn text(content: Option<&Content>) -> Option<&str> {
    content.map_or(Some(""), |content| std::str::from_utf8(&content.bytes).ok())
}

/// Writes the difference of two contents as `patch` reads it.
fn unified(path: &FilePath, was: bool, is: bool, (old, new): (&str, &str), patience: Duration) -> String {
    let name = |exists: bool, side: &str| if exists { format!("{side}/{path}") } else { "/dev/null".into() };
    let diff = TextDiff::configure().timeout(patience).diff_lines(old, new);
    diff.unified_diff().context_radius(CONTEXT).header(&name(was, "a"), &name(is, "b")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        deployment::{Cause, DeploymentStatus},
        function::{LimitPolicy, Revision},
    };

    fn deployment(id: i64) -> Deployment {
        Deployment {
            id: DeploymentId(id),
            revision: Revision("r".into()),
            cause: Cause::Save,
            by: None,
            pushed_by: None,
            note: None,
            subject: None,
            status: DeploymentStatus::Live,
            diagnostics: Vec::new(),
            changes: Vec::new(),
            functions: 0,
            took_us: 0,
        }
    }

    fn tree(files: &[(&str, &[u8])]) -> Arc<Tree> {
        Arc::new(files.iter().map(|(path, bytes)| ((*path).into(), Content::new(*bytes))).collect())
    }

    /// The kind and the length of the lines of each file, or why there are none.
    fn told(bounds: Bounds) -> Vec<(ChangeKind, Result<usize, bool>)> {
        let old = tree(&[("a.rhai", b"1\n"), ("b.rhai", b"1\n"), ("bytes.rhai", b"1\n"), ("same.rhai", b"1\n")]);
        let new = tree(&[("a.rhai", b"2\n"), ("bytes.rhai", b"\xff"), ("c.rhai", b"3\n"), ("same.rhai", b"1\n")]);
        let sides = Sides { before: Some(deployment(1)), after: deployment(2), old, new };
        let difference = sides.compare(Arc::new(Engine::new(LimitPolicy::default())), Detail::Lines(bounds));
        assert_eq!((difference.files_differing, difference.files.len()), (4, 4));
        assert_eq!(difference.outdated, [OutdatedSide { deployment: DeploymentId(2), errors: 1, warnings: 0 }]);
        let lines = |file: FileDiff| (file.kind, file.diff.map(|diff| diff.len()).ok_or(file.is_left_out));
        difference.files.into_iter().map(lines).collect()
    }

    #[test]
    fn lines_are_told_as_far_as_there_is_room_and_time() {
        use ChangeKind::{Added, Changed, Removed};
        let whole = told(Bounds::NONE);
        let [(_, Ok(a)), (_, Ok(b)), (_, Err(false)), (_, Ok(c))] = whole[..] else { panic!("{whole:?}") };
        assert_eq!(whole.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Changed, Removed, Changed, Added]);
        let within = |bytes| told(Bounds { bytes, ..Bounds::NONE });
        assert_eq!(within(a + b + c), whole);
        assert_eq!(within(a + b + c - 1)[3], (Added, Err(true)));
        assert_eq!(within(0).iter().filter(|(_, lines)| *lines == Err(true)).count(), 3);
        assert_eq!(told(Bounds { time: Duration::ZERO, ..Bounds::NONE }), within(0));
    }
}
