//! What a file is for, as its path says (`docs/routing.md`, «Files»). Whoever asks that asks here.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the name of every file of ours ends.
pub const ENDING: &str = ".rhai";
/// The name of a guard's file.
pub const GUARD: &str = "_middleware.rhai";
/// The same without its ending.
pub const GUARD_STEM: &str = "_middleware";
/// The folder with the migrations of databases, and how the names of those end.
pub const MIGRATIONS: &str = "_sql";
const MIGRATION_ENDING: &str = ".sql";
/// The folder with templates, and how the names of those end.
pub const TEMPLATES: &str = "_templates";
const TEMPLATE_ENDINGS: [&str; 4] = [".html", ".txt", ".xml", ".md"];
/// The folder with what is run at times.
pub const SCHEDULES: &str = "_cron";
/// The folder with what handles events; the rest of a file's path is its topic.
pub const HANDLERS: &str = "_events";
/// The one folder that is looked into although its name begins with a dot.
pub const WELL_KNOWN: &str = ".well-known";

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It serves requests, if its name is right.
    Function,
    /// It is run at times that it says.
    Schedule,
    /// It is run for the events of a topic.
    Event,
    /// It runs before every function in its folder and below.
    Guard,
    /// It is imported.
    Module,
    /// It tests other files.
    Test,
    /// It changes the tables of a database, once.
    Migration,
    /// It is rendered: a page or a text with places for values.
    Template,
}

impl Role {
    /// Returns the role of the file at this path below the root. None: PiCloud ignores the file.
    pub fn of(path: &str) -> Option<Self> {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        if is_migration(path) {
            return Some(Self::Migration);
        }
        if template_name(path).is_some() {
            return Some(Self::Template);
        }
        let stem = file.strip_suffix(ENDING)?;
        if file.starts_with('.') || is_ignored(folder) {
            return None;
        }
        Some(match file {
            _ if stem.ends_with(".test") => Self::Test,
            _ if is_triggered(SCHEDULES, path) => Self::Schedule,
            _ if is_triggered(HANDLERS, path) => Self::Event,
            _ if holds_modules(folder) => Self::Module,
            GUARD => Self::Guard,
            _ if file.starts_with('_') => Self::Module,
            _ => Self::Function,
        })
    }
}

impl Role {
    /// Returns whether a file with this role is a function: it is run for itself, and not as a part of others.
    pub fn is_function(self) -> bool {
        matches!(self, Self::Function | Self::Schedule | Self::Event)
    }

    /// Returns whether a file with this role has settings although it writes none: its path says what starts it.
    pub fn has_settings(self) -> bool {
        matches!(self, Self::Schedule | Self::Event)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Function => "function",
            Self::Schedule => "schedule",
            Self::Event => "event",
            Self::Guard => "guard",
            Self::Module => "module",
            Self::Test => "test",
            Self::Migration => "migration",
            Self::Template => "template",
        })
    }
}

/// Returns whether the file at this path is a migration, rightly named or not.
pub fn is_migration(path: &str) -> bool {
    below(MIGRATIONS, path).is_some_and(|name| name.ends_with(MIGRATION_ENDING))
}

/// Returns the topic whose events the file at this path handles, as its path says it: `orders.created` for `_events/orders/created.rhai`.
pub fn topic_of(path: &str) -> Option<String> {
    Some(below(HANDLERS, path)?.strip_suffix(ENDING)?.replace('/', "."))
}

/// Returns the name of the template at this path, if one is there: what follows `_templates/`.
pub fn template_name(path: &str) -> Option<&str> {
    below(TEMPLATES, path).filter(|name| TEMPLATE_ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// Returns whether the file at this path lies in a folder of functions that run without a request, and is no module there.
fn is_triggered(folder: &str, path: &str) -> bool {
    below(folder, path).is_some_and(|name| !name.split('/').any(|part| part.starts_with('_')))
}

/// Returns what follows a folder at the top, unless it is ignored.
fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
    (!rest.split('/').any(|name| name.starts_with('.'))).then_some(rest)
}

/// Returns whether sources read the file at this path: it is named as one of ours.
pub fn is_source_file(path: &str) -> bool {
    path.ends_with(ENDING) || is_migration(path) || template_name(path).is_some()
}

/// Returns whether a folder, or one that it lies in, holds modules: nothing is routed there, and nothing is guarded.
pub fn holds_modules(folder: &str) -> bool {
    folder.split('/').any(|name| name.starts_with('_'))
}

/// Returns whether a folder's name is that of a group, which is not in the URL: `(admin)`.
pub fn is_group(name: &str) -> bool {
    name.starts_with('(') && name.ends_with(')')
}

/// Returns where guards of this file would be, outermost folder first: `_middleware.rhai`, `users/_middleware.rhai`.
pub fn guard_paths(path: &str) -> impl Iterator<Item = String> {
    let folders = path.match_indices('/').map(|(at, _)| &path[..=at]);
    std::iter::once("").chain(folders).map(|folder| format!("{folder}{GUARD}"))
}

/// Returns whether a folder's name begins with a dot, or that of one that it lies in; `.well-known` at the top of the URL apart.
fn is_ignored(folder: &str) -> bool {
    let top = folder.split('/').position(|name| !is_group(name));
    folder.split('/').enumerate().any(|(at, name)| name.starts_with('.') && !(name == WELL_KNOWN && Some(at) == top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_the_role_that_the_contract_gives_it() {
        use Role::{Function, Guard, Migration, Module, Template, Test};
        for (path, role) in [
            ("index.rhai", Some(Function)),
            ("a/(b)/c.put.rhai", Some(Function)),
            ("[id.rhai", Some(Function)),
            ("auth_middleware.rhai", Some(Function)),
            ("_lib/x.rhai", Some(Module)),
            ("_lib/deep/x.get.rhai", Some(Module)),
            ("_x.rhai", Some(Module)),
            ("a/_x.get.rhai", Some(Module)),
            ("_lib/auth_middleware.rhai", Some(Module)),
            ("_auth_middleware.rhai", Some(Module)),
            ("_lib/_middleware.rhai", Some(Module)),
            ("_middleware.rhai", Some(Guard)),
            ("users/(admin)/_middleware.rhai", Some(Guard)),
            ("x.test.rhai", Some(Test)),
            ("_lib/x.test.rhai", Some(Test)),
            ("x.get.test.rhai", Some(Test)),
            ("x.test.get.rhai", Some(Function)),
            (".well-known/x.rhai", Some(Function)),
            ("(site)/.well-known/x.rhai", Some(Function)),
            ("_sql/app/0001_first.sql", Some(Migration)),
            ("_sql/wrong.sql", Some(Migration)),
            ("_sql/app/helper.rhai", Some(Module)),
            ("_sql/app/.x.sql", None),
            ("a/_sql/app/0001_first.sql", None),
            ("x.sql", None),
            ("_sqlx/app/0001_first.sql", None),
            ("_templates/page.html", Some(Template)),
            ("_templates/mail/welcome.txt", Some(Template)),
            ("_templates/helper.rhai", Some(Module)),
            ("_templates/page.css", None),
            ("_templates/.page.html", None),
            ("a/_templates/page.html", None),
            ("page.html", None),
            (".well-known.rhai", None),
            ("a/.well-known/x.rhai", None),
            (".well-known/.git/x.rhai", None),
            (".git/x.rhai", None),
            ("a/.x.rhai", None),
            (".rhai", None),
            ("a/_lib.txt", None),
            ("x.RHAI", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(Role::of(path), role, "{path}");
        }
    }

    #[test]
    fn guards_stand_in_every_folder_above_a_file() {
        let guards: Vec<String> = guard_paths("a/(b)/c.rhai").collect();
        assert_eq!(guards, ["_middleware.rhai", "a/_middleware.rhai", "a/(b)/_middleware.rhai"]);
    }
}
