//! The difference between two sets of functions, one line a function: what a push, a rollback and `picloud diff` show.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    function::{FilePath, Function, FunctionName, Loss, SharedFunction, Version, tree::differences},
    shown::Shown,
    sync::check::Functions,
};

/// The kind of a change of a function or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is another: the content of a file, or the version of a function (its own file, a guard or a module of it).
    Changed,
    /// It is gone.
    Removed,
}

/// A function that would be added, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionDiff {
    /// The kind of change.
    pub kind: ChangeKind,
    /// Which.
    pub function: FunctionName,
    /// Its file below the root.
    #[schema(value_type = String)]
    pub file: FilePath,
    /// Its route, or its last one if it is removed: `GET, HEAD /users/[id]`.
    pub route: String,
    /// Its route before, if that is another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub route_before: Option<String>,
    /// Its version before.
    pub from: Option<Version>,
    /// Its version after.
    pub to: Option<Version>,
    /// The guard or module that changed, if its own file is as it was; of several the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<String>)]
    pub because: Option<FilePath>,
}

/// The difference between two sets of functions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreeDiff {
    /// The number of functions before.
    pub before: usize,
    /// The number of new ones.
    pub added: usize,
    /// The number with another version.
    pub changed: usize,
    /// The number of removed ones.
    pub removed: usize,
    /// Which, in order of file.
    pub functions: Vec<FunctionDiff>,
}

impl TreeDiff {
    /// Compares two sets of functions.
    pub fn between(before: &Functions, after: &Functions) -> Self {
        let removed =
            before.iter().filter(|(file, _)| !after.contains_key(*file)).map(|(file, gone)| function_diff(file, Some(gone), gone, None));
        let others = after.iter().filter_map(|(file, new)| {
            let old = before.get(file);
            let is_same = old.is_some_and(|old| old.version == new.version);
            (!is_same).then(|| function_diff(file, old, new, Some(new.version)))
        });
        let mut functions: Vec<FunctionDiff> = removed.chain(others).collect();
        functions.sort_unstable_by(|one, other| one.file.cmp(&other.file));
        let count = |kind| functions.iter().filter(|diff| diff.kind == kind).count();
        let (added, changed, removed) = (count(ChangeKind::Added), count(ChangeKind::Changed), count(ChangeKind::Removed));
        Self { before: before.len(), added, changed, removed, functions }
    }

    /// Returns whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Returns whether so much would be gone that it is rarely meant.
    pub fn is_mass_delete(&self) -> bool {
        Loss::of(self.before, self.removed) != Loss::Few
    }

    /// Writes the counts: `1 added, 2 changed, 0 removed`.
    pub fn summary(&self) -> String {
        format!("{} added, {} changed, {} removed", self.added, self.changed, self.removed)
    }
}

fn function_diff(file: &FilePath, old: Option<&SharedFunction>, shown: &SharedFunction, to: Option<Version>) -> FunctionDiff {
    let route = route(shown);
    FunctionDiff {
        kind: match (old, to) {
            (_, None) => ChangeKind::Removed,
            (None, Some(_)) => ChangeKind::Added,
            (Some(_), Some(_)) => ChangeKind::Changed,
        },
        function: shown.name.clone(),
        file: file.clone(),
        route_before: old.map(|old| self::route(old)).filter(|before| *before != route),
        route,
        from: old.map(|old| old.version),
        to,
        because: old.filter(|_| to.is_some()).and_then(|old| because(file, old, shown)),
    }
}

/// Returns the first file that differs, if the function's own does not.
fn because(file: &FilePath, old: &Function, new: &Function) -> Option<FilePath> {
    let (old, new) = (old.tree(), new.tree());
    let differing = differences(&old, &new);
    differing.first().filter(|_| !differing.contains(file)).cloned()
}

/// Returns what starts a function, for people.
fn route(function: &Function) -> String {
    match &function.route {
        Some(route) => format!("{} {route}", route.methods),
        None if !function.manifest.schedules.is_empty() => {
            let times: Vec<String> = function.manifest.schedules.iter().map(|schedule| schedule.when.to_string()).collect();
            times.join(", ")
        }
        None => "event".into(),
    }
}

impl fmt::Display for TreeDiff {
    /// Writes a line for each function: `+ GET /orders  orders.rhai`, `~` for a changed and `-` for a removed one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<String> = self.functions.iter().map(|diff| Shown::inline(&diff.route).to_string()).collect();
        let width = routes.iter().map(|route| route.chars().count()).max().unwrap_or_default();
        for (at, (FunctionDiff { kind, file, route_before, because, .. }, route)) in self.functions.iter().zip(&routes).enumerate() {
            let sign = match kind {
                ChangeKind::Added => '+',
                ChangeKind::Changed => '~',
                ChangeKind::Removed => '-',
            };
            let line_break = if at == 0 { "" } else { "\n" };
            write!(f, "{line_break}{sign} {route:width$}  {}", Shown::inline(file))?;
            if let Some(before) = route_before {
                write!(f, " (was {})", Shown::inline(before))?;
            }
            if let Some(because) = because {
                write!(f, " (by {})", Shown::inline(because))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        engine::Engine,
        function::{Content, LimitPolicy},
        sync::check::Checker,
    };

    /// The functions of these files.
    fn functions(files: &[(&str, &str)]) -> Arc<Functions> {
        let tree = files.iter().map(|(path, text)| ((*path).into(), Content::new(text.as_bytes()))).collect();
        let report = Checker::new(Arc::new(Engine::new(LimitPolicy::default()))).check(&Arc::new(tree));
        assert!(report.is_good(), "{:?}", report.diagnostics);
        report.functions
    }

    #[test]
    fn every_function_that_came_changed_or_went_has_a_line() {
        let before = functions(&[
            ("hello.rhai", "1"),
            ("orders.rhai", "+++\nmethods = [\"GET\"]\n+++\n1"),
            ("same.rhai", "1"),
            ("users/[id].get.rhai", "import \"names\" as n; n::name()"),
            ("_lib/names.rhai", "fn name() { \"a\" }"),
        ]);
        let after = functions(&[
            ("carts/[...path].post.rhai", "1"),
            ("orders.rhai", "+++\nmethods = [\"GET\", \"POST\"]\n+++\n1"),
            ("same.rhai", "1"),
            ("users/[id].get.rhai", "import \"names\" as n; n::name()"),
            ("_lib/names.rhai", "fn name() { \"b\" }"),
        ]);
        let plan = TreeDiff::between(&before, &after);
        assert_eq!((plan.before, plan.added, plan.changed, plan.removed), (4, 1, 2, 1));
        insta::assert_snapshot!(format!("{plan}\n\n{}", plan.summary()), @r"
        + POST /carts/[...path]  carts/[...path].post.rhai
        - any method /hello      hello.rhai
        ~ GET, POST /orders      orders.rhai (was GET /orders)
        ~ GET /users/[id]        users/[id].get.rhai (by _lib/names.rhai)

        1 added, 2 changed, 1 removed
        ");
        let back: TreeDiff = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(back, plan);
        assert!(TreeDiff::between(&before, &before).is_empty());
    }

    #[test]
    fn most_of_many_and_all_of_several_functions_gone_is_a_mass_delete() {
        let some = |count: usize| {
            let files: Vec<(String, &str)> = (0..count).map(|number| (format!("f{number}.rhai"), "1")).collect();
            functions(&files.iter().map(|(file, text)| (file.as_str(), *text)).collect::<Vec<_>>())
        };
        for (before, after, is_mass) in
            [(10, 4, true), (10, 5, false), (9, 1, false), (9, 0, true), (2, 0, true), (1, 0, false), (11, 5, true), (0, 11, false)]
        {
            assert_eq!(TreeDiff::between(&some(before), &some(after)).is_mass_delete(), is_mass, "{before} → {after}");
        }
    }
}
