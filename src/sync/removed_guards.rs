//! Warns of guards that a change removes from functions. Whoever removes a guard means it, and is told what that does.

use super::fallback::is_below;
use crate::function::{Diagnostic, Role, Tree};

/// Returns a warning for each guard that goes while functions below it are there.
pub(super) fn removed_guards(before: &Tree, after: &Tree) -> Vec<Diagnostic> {
    let gone = before.keys().filter(|path| !after.contains_key(*path) && Role::of(path) == Some(Role::Guard));
    gone.filter_map(|guard| {
        let functions = match after.keys().filter(|path| is_below(path, guard)).count() {
            0 => return None,
            1 => "1 function is".to_owned(),
            functions => format!("{functions} functions are"),
        };
        let message = format!("this guard is deleted, and {functions} without it");
        Some(Diagnostic::warning(guard.clone(), message).hint("what no other guard stops is open; to shut it, write the guard again"))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Content;

    fn tree(files: &[&str]) -> Tree {
        files.iter().map(|path| ((*path).into(), Content::new(&b"1"[..]))).collect()
    }

    #[test]
    fn a_guard_that_goes_is_told_of_while_something_is_below_it() {
        for (before, after, wanted) in [
            (&["a/_middleware.rhai", "a/x.rhai", "b.rhai"][..], &["a/x.rhai", "b.rhai"][..], &["a/_middleware.rhai: 1 function is"][..]),
            (&["a/_middleware.rhai", "a/x.rhai"], &["a/_middleware.rhai"], &[]),
            (&["a/_middleware.rhai", "a/x.rhai"], &[], &[]),
            (&["a/_middleware.rhai", "a/x.rhai"], &["b/_middleware.rhai", "b/x.rhai"], &[]),
            (&["a/_middleware.rhai"], &["a/_m.rhai", "a/x.test.rhai", "ab/x.rhai"], &[]),
            (
                &["_middleware.rhai", "a/_middleware.rhai"],
                &["a/x.get.rhai", "a/[id]/y.rhai", "c.rhai"],
                &["_middleware.rhai: 3 functions are", "a/_middleware.rhai: 2 functions are"],
            ),
        ] {
            let told: Vec<String> = removed_guards(&tree(before), &tree(after))
                .iter()
                .map(|found| format!("{}: {}", found.file, found.message))
                .map(|told| told.replace("this guard is deleted, and ", "").replace(" without it", ""))
                .collect();
            assert_eq!(told, wanted, "{before:?} -> {after:?}");
        }
    }
}
