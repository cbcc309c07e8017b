//! What becomes of a rollback when a newer state of the source goes live: each function that the source has not changed since stays as it was
//! gone back to.

use std::{collections::BTreeSet, fmt};

use super::check::Functions;
use crate::{
    deployment::Pin,
    function::{FilePath, Function, Tree},
};

/// What becomes of a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackOutcome {
    pin: Pin,
    /// Files that stay as they were gone back to.
    stays: Vec<FilePath>,
    /// Files that follow the source again.
    ends: Vec<FilePath>,
}

impl RollbackOutcome {
    /// Compares a rollback with the files that stay of it.
    pub fn new(pin: Pin, stays: &BTreeSet<FilePath>) -> Self {
        let (stays, ends) = pin.files.keys().cloned().partition(|file| stays.contains(file));
        Self { pin, stays, ends }
    }

    /// Returns whether any of it ends.
    pub fn is_ending(&self) -> bool {
        !self.ends.is_empty() || self.stays.is_empty()
    }
}

impl fmt::Display for RollbackOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.pin.name();
        let list = |files: &[FilePath]| shortened(files);
        match (&self.ends[..], &self.stays[..]) {
            ([], [_, ..]) => write!(f, "{name} stays: {}", list(&self.stays)),
            (_, []) => write!(f, "ends {name}"),
            (ends, stays) => write!(f, "ends {name} for {}; it stays for {}", list(ends), list(stays)),
        }
    }
}

/// Files that are named; of more it is said how many.
const NAMED: usize = 5;

/// Writes a list of files.
pub fn shortened(files: &[FilePath]) -> String {
    let named = files.iter().take(NAMED).map(|file| &**file).collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Returns the files of a rollback that stay as they are live, where `wanted` is what the source holds and checks. A function is as it is live
/// with everything that belongs to it, or as the source has it with everything.
pub fn kept(pin: &Pin, wanted: (&Tree, &Functions), live: (&Tree, &Functions)) -> BTreeSet<FilePath> {
    let digest = |tree: &Tree, file: &FilePath| tree.get(file).map(|content| content.digest);
    let mut kept: BTreeSet<FilePath> =
        pin.files.iter().filter(|(file, abandoned)| digest(wanted.0, file) == **abandoned).map(|(file, _)| file.clone()).collect();
    let all: Vec<&Function> = wanted.1.values().chain(live.1.values()).map(|function| &**function).collect();
    loop {
        let is_changed = |file: &FilePath| !kept.contains(file) && digest(wanted.0, file) != digest(live.0, file);
        let is_torn = |function: &&&Function| {
            let mut files = function.files.iter().map(|(file, _)| file);
            files.clone().any(|file| kept.contains(file)) && files.any(is_changed)
        };
        let torn: Vec<FilePath> =
            all.iter().filter(is_torn).flat_map(|function| function.files.iter().map(|(file, _)| file.clone())).collect();
        if torn.is_empty() {
            return kept;
        }
        for file in torn {
            kept.remove(&file);
        }
    }
}

/// Returns what the source holds with these files as they are live.
pub fn with_kept(wanted: &Tree, live: &Tree, kept: &BTreeSet<FilePath>) -> Tree {
    let mut tree = wanted.clone();
    for file in kept {
        match live.get(file) {
            Some(content) => drop(tree.insert(file.clone(), content.clone())),
            None => drop(tree.remove(file)),
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        deployment::DeploymentId,
        engine::Engine,
        function::{Content, LimitPolicy, Revision, tree::differences},
        sync::check::{Checker, Report},
    };

    fn checked(files: &[(&str, &str)]) -> (Tree, Report) {
        let tree: Tree = files.iter().map(|(path, text)| ((*path).into(), Content::new(text.as_bytes()))).collect();
        let report = Checker::new(Arc::new(Engine::new(LimitPolicy::default()))).check(&Arc::new(tree.clone()));
        assert!(report.is_good(), "{:?}", report.diagnostics);
        (tree, report)
    }

    /// The files that stay where somebody went from `abandoned` back to `live`, and the source then holds `wanted`.
    fn stays(abandoned: &[(&str, &str)], live: &[(&str, &str)], wanted: &[(&str, &str)]) -> Vec<String> {
        let ((abandoned, _), (live, live_report), (wanted, report)) = (checked(abandoned), checked(live), checked(wanted));
        let files = differences(&live, &abandoned);
        let pin = Pin {
            to: DeploymentId(1),
            abandoned: Revision("x".into()),
            files: files.into_iter().map(|file| (file.clone(), abandoned.get(&file).map(|content| content.digest))).collect(),
            hold: false,
            by: "ada".into(),
            reason: None,
            since_us: 0,
        };
        kept(&pin, (&wanted, &report.functions), (&live, &live_report.functions)).into_iter().map(|file| file.to_string()).collect()
    }

    #[test]
    fn what_the_source_does_not_change_stays() {
        let (good, bad) = ([("a.rhai", "1"), ("b.rhai", "1")], [("a.rhai", "2"), ("b.rhai", "2")]);
        assert_eq!(stays(&bad, &good, &bad), ["a.rhai", "b.rhai"]);
        assert_eq!(stays(&bad, &good, &[("a.rhai", "2"), ("b.rhai", "3")]), ["a.rhai"]);
        assert_eq!(stays(&bad, &good, &[("a.rhai", "2")]), ["a.rhai"], "a function that goes follows the source");
        assert_eq!(stays(&bad, &good, &[("a.rhai", "2"), ("b.rhai", "2"), ("c.rhai", "3")]), ["a.rhai", "b.rhai"]);
        // Files that came with what was abandoned stay away.
        assert_eq!(stays(&bad, &[("a.rhai", "1")], &bad), ["a.rhai", "b.rhai"]);
        assert_eq!(stays(&bad, &[("a.rhai", "1")], &[("a.rhai", "3"), ("b.rhai", "2")]), ["b.rhai"]);
    }

    #[test]
    fn a_function_and_its_modules_and_guards_stay_or_go_together() {
        let with = |module: &'static str, f: &'static str, g: &'static str| [("_lib/m.rhai", module), ("f.rhai", f), ("g.rhai", g)];
        let (old, new) = ("fn one() { 1 }", "fn two() { 2 }");
        let (f_old, f_new) = ("import \"m\" as m; m::one()", "import \"m\" as m; m::two()");
        let (good, bad) = (with(old, f_old, "1"), with(new, f_new, "2"));
        assert_eq!(stays(&bad, &good, &with(new, f_new, "3")), ["_lib/m.rhai", "f.rhai"]);
        // Its module is another: the function follows the source, though its own file is the same.
        assert_eq!(stays(&bad, &good, &with("fn two() { 3 }", f_new, "2")), ["g.rhai"]);
        // So does everybody else who uses what is no longer kept.
        assert_eq!(stays(&bad, &good, &with(new, "import \"m\" as m; m::two() + 1", "2")), ["g.rhai"]);
        let guarded = [("_middleware.rhai", "()"), ("f.rhai", "1")];
        assert_eq!(stays(&guarded, &[("f.rhai", "1")], &guarded), ["_middleware.rhai"]);
        assert_eq!(stays(&guarded, &[("f.rhai", "1")], &[("_middleware.rhai", "()"), ("f.rhai", "2")]), Vec::<String>::new());
    }

    #[test]
    fn what_becomes_of_it_is_said_with_who_when_and_why() {
        let files = (0..7).map(|number| (format!("f{number}.rhai").into(), None)).collect();
        let pin = Pin {
            to: DeploymentId(1),
            abandoned: Revision("x".into()),
            files,
            hold: false,
            by: "admin".into(),
            reason: Some("leaks customer data".into()),
            since_us: 1_795_424_645_000_000,
        };
        let said = |stays: &[&str]| RollbackOutcome::new(pin.clone(), &stays.iter().map(|file| (*file).into()).collect()).to_string();
        let all = ["f0.rhai", "f1.rhai", "f2.rhai", "f3.rhai", "f4.rhai", "f5.rhai", "f6.rhai"];
        insta::assert_snapshot!([said(&all), said(&["f3.rhai"]), said(&[])].join("\n"), @r#"
        admin's rollback of 2026-11-23T09:04Z ("leaks customer data") stays: f0.rhai, f1.rhai, f2.rhai, f3.rhai, f4.rhai and 2 more
        ends admin's rollback of 2026-11-23T09:04Z ("leaks customer data") for f0.rhai, f1.rhai, f2.rhai, f4.rhai, f5.rhai and 1 more; it stays for f3.rhai
        ends admin's rollback of 2026-11-23T09:04Z ("leaks customer data")
        "#);
    }
}
