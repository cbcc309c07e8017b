//! In which order files get their names and lose them. A node may be killed after any of the steps, and then what is on the disk goes live.
//! So each function that is there has all the guards that it had before, or all that it has after.

use std::cmp::Reverse;

use crate::{
    function::{FilePath, Role},
    source::edit::Edit,
};

/// Something that is done at once to one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// It gets its name, and what had that name before is gone.
    Name(&'a FilePath),
    /// It goes.
    Remove(&'a FilePath),
}

/// Returns the steps of a change, in order. Guards get their names before what they guard, and go after it.
pub(super) fn steps(edit: &Edit) -> Vec<Step<'_>> {
    let (mut named, mut removed): (Vec<&FilePath>, Vec<&FilePath>) = edit.files.keys().partition(|path| edit.files[*path].after.is_some());
    named.sort_by_cached_key(|path| rank(path));
    removed.sort_by_cached_key(|path| Reverse(rank(path)));
    named.into_iter().map(Step::Name).chain(removed.into_iter().map(Step::Remove)).collect()
}

/// Guards come first, the outermost before all, then what is imported, then what serves requests.
fn rank(path: &str) -> (u8, usize) {
    match Role::of(path) {
        Some(Role::Guard) => (0, path.matches('/').count()),
        Some(Role::Module | Role::Test | Role::Migration | Role::Template) | None => (1, 0),
        Some(Role::Function | Role::Schedule | Role::Event) => (2, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::btree_map, prelude::*, sample::select};

    use super::*;
    use crate::{
        function::{Content, Revision, Tree, role::guard_paths, route::FileRoute, tree::differences},
        source::edit::FileEdit,
    };

    fn edit(before: &Tree, after: &Tree) -> Edit {
        let file = |path: &FilePath| FileEdit { before: before.get(path).cloned(), after: after.get(path).cloned() };
        let files: BTreeMap<_, _> = differences(before, after).into_iter().map(|path| (path.clone(), file(&path))).collect();
        Edit { base: Revision("x".into()), files, author: String::new(), message: String::new() }
    }

    fn tree(files: &[(&str, &str)]) -> Tree {
        files.iter().map(|(path, text)| ((*path).into(), Content::new(text.as_bytes()))).collect()
    }

    fn shown(before: &[(&str, &str)], after: &[(&str, &str)]) -> String {
        let edit = edit(&tree(before), &tree(after));
        let shown = |step: &Step<'_>| match step {
            Step::Name(path) => format!("+{path}"),
            Step::Remove(path) => format!("-{path}"),
        };
        steps(&edit).iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn guards_come_before_what_they_guard_and_go_after_it() {
        let admin = [
            ("admin/A.rhai", "1"),
            ("admin/_middleware.rhai", "1"),
            ("admin/deep/_middleware.rhai", "1"),
            ("admin/deep/x.get.rhai", "1"),
            ("_lib/m.rhai", "1"),
            ("admin/x.test.rhai", "1"),
            ("_middleware.rhai", "1"),
        ];
        for (before, after, wanted) in [
            (
                &[][..],
                &admin[..],
                "+_middleware.rhai +admin/_middleware.rhai +admin/deep/_middleware.rhai +_lib/m.rhai +admin/x.test.rhai +admin/A.rhai \
                 +admin/deep/x.get.rhai",
            ),
            (
                &admin,
                &[],
                "-admin/A.rhai -admin/deep/x.get.rhai -_lib/m.rhai -admin/x.test.rhai -admin/deep/_middleware.rhai \
                 -admin/_middleware.rhai -_middleware.rhai",
            ),
            (
                &[("a/_middleware.rhai", "1"), ("a/x.rhai", "1")],
                &[("a/_middleware.rhai", "2"), ("a/x.rhai", "2")],
                "+a/_middleware.rhai +a/x.rhai",
            ),
            (
                &[("a/_middleware.rhai", "1"), ("a/x.rhai", "1")],
                &[("b/_middleware.rhai", "1"), ("b/x.rhai", "1")],
                "+b/_middleware.rhai +b/x.rhai -a/x.rhai -a/_middleware.rhai",
            ),
            (
                &[("a/_middleware.rhai", "1"), ("a/x.rhai", "1")],
                &[("a/x.rhai", "2"), ("_middleware.rhai", "1")],
                "+_middleware.rhai +a/x.rhai -a/_middleware.rhai",
            ),
        ] {
            assert_eq!(shown(before, after), wanted, "{before:?} -> {after:?}");
        }
    }

    fn any_tree() -> impl Strategy<Value = Tree> {
        let folder = select(&["", "A/", "a/", "a/b/", "a/b/~/", "(group)/", "(group)/a/", "z/"][..]);
        let name = select(&["_middleware", "A", "_m", "[id]", "x.get", "z"][..]);
        let text = select(&["1", "2"][..]);
        btree_map((folder, name), text, 0..24).prop_map(|files| {
            files.iter().map(|((folder, name), text)| (format!("{folder}{name}.rhai").into(), Content::new(text.as_bytes()))).collect()
        })
    }

    /// Returns the guards of a function that are in a tree.
    fn guards(path: &str, tree: &Tree) -> Vec<String> {
        guard_paths(path).filter(|guard| tree.contains_key(&**guard)).collect()
    }

    proptest! {
        #[test]
        fn after_each_step_a_function_has_all_guards_of_before_or_of_after(before in any_tree(), after in any_tree()) {
            let edit = edit(&before, &after);
            let mut disk = before.clone();
            for step in steps(&edit) {
                match step {
                    Step::Name(path) => drop(disk.insert(path.clone(), after[path].clone())),
                    Step::Remove(path) => drop(disk.remove(path)),
                }
                for (path, content) in disk.iter().filter(|(path, _)| FileRoute::of(path).is_some()) {
                    let has_all = |tree: &Tree| guards(path, tree).iter().all(|guard| disk.contains_key(&**guard));
                    let as_after = || guards(path, &after).iter().all(|guard| disk.get(&**guard) == after.get(&**guard));
                    let was = before.get(path) == Some(content) && has_all(&before);
                    let is = after.get(path) == Some(content) && as_after();
                    prop_assert!(was || is, "{} at {:?} of {:?}", path, step, steps(&edit));
                }
            }
            prop_assert_eq!(disk, after);
        }
    }
}
