//! Decides what stays of a rollback when a newer state of the source goes live. Each function that the source has not changed since stays
//! as the rollback made it. A guard that was put back is not lost by a change of what is behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::check::Functions;
use crate::{
    deployment::{Pin, shortened},
    engine::{Engine, program, script::SourceFiles},
    function::{Diagnostic, Digest, FilePath, Role, SharedFunction, Tree, TreeSettings},
};

/// The parts of a rollback that stay, and those that end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinOutcome {
    pin: Pin,
    /// SourceFiles that stay as they were gone back to.
    stays: Vec<FilePath>,
    /// SourceFiles that follow the source again.
    ends: Vec<FilePath>,
}

impl PinOutcome {
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

impl fmt::Display for PinOutcome {
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

/// A tree that checks.
#[derive(Clone, Copy)]
pub struct CheckedTree<'a> {
    /// Its files.
    pub tree: &'a Tree,
    /// Its functions.
    pub functions: &'a Functions,
}

impl CheckedTree<'_> {
    fn digest(&self, file: &FilePath) -> Option<Digest> {
        self.tree.get(file).map(|content| content.digest)
    }
}

/// The files of a rollback that stay as they are live.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeptFiles {
    /// SourceFiles that stay.
    pub files: BTreeSet<FilePath>,
    /// Guards that the rollback put back, and that stay so.
    pub guards: BTreeSet<FilePath>,
}

/// Returns what stays of a rollback where `wanted` is what the source holds. A function is as it is live with everything that belongs to it, or
/// as the source has it with everything. But a guard that only the rollback has stays, whatever becomes of the functions behind it. The error
/// is a guard that was put back and cannot stay: what is behind it would be guarded otherwise, or not at all.
pub fn kept(engine: &Engine, pin: &Pin, wanted: CheckedTree<'_>, live: CheckedTree<'_>) -> Result<KeptFiles, FilePath> {
    let is_as_abandoned = |(file, abandoned): &(&FilePath, &Option<Digest>)| wanted.digest(file) == **abandoned;
    let back: BTreeSet<FilePath> = pin.files.iter().filter(is_as_abandoned).map(|(file, _)| file.clone()).collect();
    let is_changed = |file: &FilePath| wanted.digest(file) != live.digest(file);
    let settings = [wanted, live].map(|state| TreeSettings::of(engine.policy(), state.tree));
    let closure = |state: CheckedTree<'_>, roots: Vec<FilePath>| -> BTreeSet<FilePath> {
        let settings = &settings[usize::from(std::ptr::eq(state.tree, live.tree))];
        program::closure(engine, SourceFiles { tree: state.tree, limits: &|file| settings.limits(file) }, roots).into_keys().collect()
    };
    // What a commit itself does to a guard is meant.
    let guards = live.tree.keys().filter(|file| is_guard(file) && (back.contains(*file) || !is_changed(file)));
    let with_modules = |guard: &FilePath| {
        let modules = [live, wanted].into_iter().flat_map(|state| closure(state, vec![guard.clone()])).collect::<BTreeSet<_>>();
        (guard.clone(), modules)
    };
    let restored: BTreeMap<FilePath, BTreeSet<FilePath>> =
        guards.map(with_modules).filter(|(_, files)| files.iter().any(|file| back.contains(file))).collect();
    let is_lost = |guard: &FilePath| restored.contains_key(guard) && !wanted.tree.contains_key(guard);

    let own = |(file, function): (&FilePath, &SharedFunction)| match function.guards.iter().any(is_lost) {
        true => closure(live, function.guards.iter().filter(|guard| !is_lost(guard)).chain([file]).cloned().collect()),
        false => function.files.iter().map(|(file, _)| file.clone()).collect(),
    };
    let functions = wanted.functions.iter().chain(live.functions.iter()).map(own);
    let lost = restored.keys().filter(|guard| is_lost(guard)).map(|guard| closure(live, vec![guard.clone()]));
    let files = without_torn(back.clone(), functions.chain(lost).collect(), is_changed);
    let stays = |files_of: &BTreeSet<FilePath>| files_of.iter().all(|file| files.contains(file) || !back.contains(file));
    match restored.iter().find(|(_, files_of)| !stays(files_of)) {
        Some((guard, _)) => Err(guard.clone()),
        None => Ok(KeptFiles { guards: restored.into_keys().collect(), files }),
    }
}

/// Takes files out until each group of files that belong together is kept, or follows the source.
fn without_torn(
    mut kept: BTreeSet<FilePath>,
    groups: Vec<BTreeSet<FilePath>>,
    is_changed: impl Fn(&FilePath) -> bool,
) -> BTreeSet<FilePath> {
    loop {
        let follows = |file: &FilePath| !kept.contains(file) && is_changed(file);
        let is_torn = |group: &&BTreeSet<FilePath>| group.iter().any(|file| kept.contains(file)) && group.iter().any(follows);
        let torn: Vec<&FilePath> = groups.iter().filter(is_torn).flatten().collect();
        if torn.is_empty() {
            return kept;
        }
        for file in torn {
            kept.remove(file);
        }
    }
}

fn is_guard(file: &FilePath) -> bool {
    Role::of(file) == Some(Role::Guard)
}

/// Says that a guard cannot stay as a rollback put it back.
pub fn cannot_stay(guard: &FilePath, pin: &Pin) -> Diagnostic {
    let message = format!("{} put this guard back, and it cannot stay so beside what this commit changes", pin.name());
    Diagnostic::error(guard.clone(), message).hint(
        "without it, what is behind it would be guarded otherwise, or not at all: commit the guard and its modules as they should be, or \
         `picloud unpin` first",
    )
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
        tried(abandoned, live, wanted).expect("every guard stays").files.iter().map(ToString::to_string).collect()
    }

    /// The guard that cannot stay.
    fn lost(abandoned: &[(&str, &str)], live: &[(&str, &str)], wanted: &[(&str, &str)]) -> String {
        tried(abandoned, live, wanted).expect_err("a guard cannot stay").to_string()
    }

    fn tried(abandoned: &[(&str, &str)], live: &[(&str, &str)], wanted: &[(&str, &str)]) -> Result<KeptFiles, FilePath> {
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
        let wanted = CheckedTree { tree: &wanted, functions: &report.functions };
        kept(&Engine::new(LimitPolicy::default()), &pin, wanted, CheckedTree { tree: &live, functions: &live_report.functions })
    }

    #[test]
    fn what_the_source_does_not_change_stays() {
        let (good, bad) = ([("a.rhai", "1"), ("b.rhai", "1")], [("a.rhai", "2"), ("b.rhai", "2")]);
        assert_eq!(stays(&bad, &good, &bad), ["a.rhai", "b.rhai"]);
        assert_eq!(stays(&bad, &good, &[("a.rhai", "2"), ("b.rhai", "3")]), ["a.rhai"]);
        assert_eq!(stays(&bad, &good, &[("a.rhai", "2")]), ["a.rhai"], "a function that goes follows the source");
        assert_eq!(stays(&bad, &good, &[("a.rhai", "2"), ("b.rhai", "2"), ("c.rhai", "3")]), ["a.rhai", "b.rhai"]);
        // SourceFiles that came with what was abandoned stay away.
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
    fn a_guard_that_was_put_back_stays_although_what_is_behind_it_changes() {
        let live = [("z/_middleware.rhai", "#{ statusCode: 401 }"), ("z/x.rhai", "1"), ("z/new.rhai", "1")];
        let lost_it = [("z/x.rhai", "1"), ("z/new.rhai", "1")];
        for wanted in [
            &[("z/x.rhai", "2"), ("z/new.rhai", "1")][..],
            &[("z/x.rhai", "2"), ("z/new.rhai", "2"), ("z/y.rhai", "1")],
            &[("z/x.rhai", "1"), ("z/new.rhai", "1"), ("z/deep/y.rhai", "1")],
            &[("a.rhai", "1")],
        ] {
            assert_eq!(stays(&lost_it, &live, wanted), ["z/_middleware.rhai"], "{wanted:?}");
        }
        // So do its modules; a function that uses one as the commit has it cannot be behind it.
        let (old, new) = (("_lib/m.rhai", "fn who() { 1 }"), ("_lib/m.rhai", "fn who() { 2 }"));
        let guard = ("_middleware.rhai", "import \"m\" as m; if m::who() == 0 { #{ statusCode: 401 } }");
        let (f, f_changed, g) = (("f.rhai", "1"), ("f.rhai", "2"), ("g.rhai", "1"));
        assert_eq!(stays(&[f, g], &[old, guard, f, g], &[f_changed, g]), ["_lib/m.rhai", "_middleware.rhai"]);
        assert_eq!(stays(&[new, f, g], &[old, guard, f, g], &[new, f_changed, g]), ["_lib/m.rhai", "_middleware.rhai"]);
        let (uses, uses_changed) = (("f.rhai", "import \"m\" as m; m::who()"), ("f.rhai", "import \"m\" as m; m::who() + 1"));
        assert_eq!(lost(&[new, uses], &[old, guard, uses], &[new, uses_changed]), "_middleware.rhai");
        assert_eq!(lost(&[new, f], &[old, guard, f], &[("_lib/m.rhai", "fn who() { 3 }"), f]), "_middleware.rhai");
    }

    #[test]
    fn a_guard_that_was_put_back_in_the_place_of_another_goes_only_with_a_word() {
        let with = |guard: &'static str, f: &'static str| [("_middleware.rhai", guard), ("f.rhai", f), ("g.rhai", "1")];
        let (strict, open, other) = ("#{ statusCode: 401 }", "()", "#{ statusCode: 403 }");
        assert_eq!(lost(&with(open, "1"), &with(strict, "1"), &with(open, "2")), "_middleware.rhai");
        assert_eq!(stays(&with(open, "1"), &with(strict, "1"), &with(open, "1")), ["_middleware.rhai"]);
        // The commit has another guard: that is a word.
        assert_eq!(stays(&with(open, "1"), &with(strict, "1"), &with(other, "2")), Vec::<String>::new());
        assert_eq!(stays(&with(open, "1"), &with(strict, "1"), &with(strict, "2")), Vec::<String>::new());
        // What it imports is a part of it.
        let with = |who: &'static str, f: &'static str| {
            [("_lib/m.rhai", who), ("_middleware.rhai", "import \"m\" as m; if m::who() == 0 { #{ statusCode: 401 } }"), ("f.rhai", f)]
        };
        assert_eq!(lost(&with("fn who() { 1 }", "1"), &with("fn who() { 0 }", "1"), &with("fn who() { 1 }", "2")), "_middleware.rhai");
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
        let said = |stays: &[&str]| PinOutcome::new(pin.clone(), &stays.iter().map(|file| (*file).into()).collect()).to_string();
        let all = ["f0.rhai", "f1.rhai", "f2.rhai", "f3.rhai", "f4.rhai", "f5.rhai", "f6.rhai"];
        insta::assert_snapshot!([said(&all), said(&["f3.rhai"]), said(&[])].join("\n"), @r#"
        admin's rollback of 2026-11-23T09:04Z ("leaks customer data") stays: f0.rhai, f1.rhai, f2.rhai, f3.rhai, f4.rhai and 2 more
        ends admin's rollback of 2026-11-23T09:04Z ("leaks customer data") for f0.rhai, f1.rhai, f2.rhai, f4.rhai, f5.rhai and 1 more; it stays for f3.rhai
        ends admin's rollback of 2026-11-23T09:04Z ("leaks customer data")
        "#);
    }
}
