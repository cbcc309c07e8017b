//! Files of functions that run without a request, in a folder that starts none: `_event/`, `shop/_cron/`.

use super::{
    Diagnostic, Role,
    diagnostic::near_miss,
    role::{HANDLERS, SCHEDULES},
};

/// The folders of such functions. Both are at the top.
const FOLDERS: [&str; 2] = [SCHEDULES, HANDLERS];

/// Returns where a file probably belongs that lies in a folder with nearly such a name, or with such a name and not at the top.
pub fn belongs_at(path: &str) -> Option<String> {
    let (folders, file) = path.rsplit_once('/')?;
    let mut folders: Vec<&str> = folders.split('/').collect();
    if Role::of(path) != Some(Role::Module) || FOLDERS.contains(&folders[0]) || file.starts_with('_') {
        return None;
    }
    let (at, meant) = folders.iter().enumerate().find_map(|(at, folder)| Some((at, meant_by(folder, at)?)))?;
    folders.remove(at);
    folders.insert(0, meant);
    let moved = format!("{}/{file}", folders.join("/"));
    matches!(Role::of(&moved), Some(Role::Schedule | Role::Event)).then_some(moved)
}

/// Warns of such a file.
pub fn warning(path: &str) -> Option<Diagnostic> {
    let meant = belongs_at(path)?;
    let folder = if meant.starts_with(SCHEDULES) { SCHEDULES } else { HANDLERS };
    let message = format!("this file is a module: only the folder `{folder}` at the top holds functions that run without a request");
    Some(Diagnostic::warning(path, message).hint(hint(&meant)))
}

/// Says what to do with such a file.
pub fn hint(meant: &str) -> String {
    format!("move it to `{meant}`; give the folder of a module another name")
}

/// Returns which of those folders one is meant as that lies in so many others.
fn meant_by(folder: &str, depth: usize) -> Option<&'static str> {
    let lower = folder.to_lowercase();
    let is_slip = |known: &str| depth == 0 && folder.starts_with('_') && (lower == known || near_miss(&lower, [known]).is_some());
    FOLDERS.into_iter().find(|known| folder == *known || is_slip(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_starts_nothing_says_where_its_files_belong() {
        for (path, meant) in [
            ("_event/a.b.rhai", Some("_events/a.b.rhai")),
            ("_Events/a.b.rhai", Some("_events/a.b.rhai")),
            ("_evnets/orders/paid.rhai", Some("_events/orders/paid.rhai")),
            ("_crons/a.rhai", Some("_cron/a.rhai")),
            ("shop/_cron/a.rhai", Some("_cron/shop/a.rhai")),
            ("a/b/_events/c.rhai", Some("_events/a/b/c.rhai")),
            // What is right, and modules.
            ("_cron/a.rhai", None),
            ("_events/a/_lib/b.rhai", None),
            ("_events/_cron/b.rhai", None),
            ("_cron/_a.rhai", None),
            ("_crons/_a.rhai", None),
            ("_lib/a.rhai", None),
            ("_croissants/a.rhai", None),
            ("event/a.rhai", None),
            ("shop/_event/a.rhai", None),
            ("_event/a.test.rhai", None),
            ("_events.rhai", None),
        ] {
            assert_eq!(belongs_at(path).as_deref(), meant, "{path}");
        }
    }
}
