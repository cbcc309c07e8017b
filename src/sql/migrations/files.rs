//! The migrations of a tree: names, numbers and contents.

use std::collections::BTreeMap;

use crate::function::{
    Content, Diagnostic, Digest, FilePath, Role, Tree, diagnostic::near_miss, grants::sql::DatabaseName, role::MIGRATIONS,
};

/// One migration of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The database.
    pub database: DatabaseName,
    /// Its place in the order, from 1.
    pub number: i64,
    /// Its file.
    pub path: FilePath,
    /// Its statements.
    pub text: String,
    digest: Digest,
}

impl Migration {
    /// Makes a migration of its content.
    pub fn new(database: DatabaseName, number: i64, path: FilePath, text: &str) -> Self {
        Self { database, number, path, text: text.into(), digest: Digest::of(text.as_bytes()) }
    }

    /// Returns what tells its content from others.
    pub fn checksum(&self) -> String {
        self.digest.to_string()
    }

    /// Returns the name of its file.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// Returns the migrations of each database that this node has, in order, and what is wrong with their files. After a mistake the later
/// migrations of its database have one, too: they cannot be applied without it.
pub fn of_tree(tree: &Tree, databases: &[DatabaseName]) -> (BTreeMap<DatabaseName, Vec<Migration>>, Vec<Diagnostic>) {
    let (mut migrations, mut found) = (BTreeMap::<DatabaseName, Vec<Migration>>::new(), Vec::new());
    // In order of number, whatever the count of its digits.
    let mut files: Vec<_> = tree.iter().filter(|(path, _)| Role::of(path) == Some(Role::Migration)).collect();
    files.sort_by_key(|(path, _)| number_of(path));
    for (path, content) in files {
        match read(path, content, databases).and_then(|migration| follows(migration, &migrations)) {
            Ok(migration) => migrations.entry(migration.database.clone()).or_default().push(migration),
            Err(problem) => found.push(*problem),
        }
    }
    (migrations, found)
}

fn number_of(path: &str) -> Option<i64> {
    let digits = path.rsplit('/').next()?.split('_').next()?;
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn read(path: &FilePath, content: &Content, databases: &[DatabaseName]) -> Result<Migration, Box<Diagnostic>> {
    let error = |message: &str, hint: String| Box::new(Diagnostic::error(path.clone(), message).hint(hint));
    let shape = "write it as `_sql/DATABASE/0001_first.sql`: a number and a name of letters, digits, `-` and `_`";
    let below = path.strip_prefix(MIGRATIONS).and_then(|rest| rest.strip_prefix('/'));
    let Some((database, file)) = below.and_then(|below| below.split_once('/')).filter(|(_, file)| !file.contains('/')) else {
        return Err(error("a migration is in a folder with the name of its database", shape.into()));
    };
    let name = file.strip_suffix(".sql").and_then(|stem| stem.split_once('_')).map_or("", |(_, name)| name);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let Some(number) = number_of(path).filter(|number| is_name && *number > 0) else {
        return Err(error("the name of a migration has a number, `_` and a name", shape.into()));
    };
    let Some(database) = databases.iter().find(|known| known.as_str() == database) else {
        let hint = match near_miss(database, databases.iter().map(DatabaseName::as_str)) {
            Some(near) => format!("did you mean `{MIGRATIONS}/{near}/`?"),
            None => format!("add it to picloud.toml: `[databases.{database}]` with `url = \"sqlite\"`"),
        };
        return Err(error(&format!("this node has no database `{database}`"), hint));
    };
    let Ok(text) = std::str::from_utf8(&content.bytes) else {
        return Err(error("this migration is not UTF-8", "save it as UTF-8".into()));
    };
    if content.is_blank() || text.contains('\0') {
        return Err(error("this migration is empty, or has the character U+0000", "write its statements, or delete it".into()));
    }
    Ok(Migration::new(database.clone(), number, path.clone(), text))
}

/// Refuses a number that is there already, or that leaves a hole.
fn follows(migration: Migration, before: &BTreeMap<DatabaseName, Vec<Migration>>) -> Result<Migration, Box<Diagnostic>> {
    let before = before.get(&migration.database).map_or(&[][..], Vec::as_slice);
    let next = before.len() as i64 + 1;
    let error = |message: String, hint: String| Err(Box::new(Diagnostic::error(migration.path.clone(), message).hint(hint)));
    match before.last() {
        Some(last) if last.number == migration.number => {
            error(format!("`{}` has the number {}, too", last.name(), last.number), format!("give this one the number {next:04}"))
        }
        _ if migration.number != next => error(
            format!("the migration {next:04} of `{}` is missing before this one", migration.database),
            "numbers begin with 0001 and have no holes; mend or add the one before".into(),
        ),
        _ => Ok(migration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[&str]) -> (usize, Vec<String>) {
        let tree: Tree = files.iter().map(|path| ((*path).into(), Content::new(&b"SELECT 1"[..]))).collect();
        let (migrations, found) = of_tree(&tree, &["app".parse().unwrap(), "shop".parse().unwrap()]);
        let told = found.iter().map(|found| format!("{}: {}; {}", found.file, found.message, found.hint.clone().unwrap_or_default()));
        (migrations.values().map(Vec::len).sum(), told.collect())
    }

    #[test]
    fn numbers_have_an_order_without_holes_and_doubles() {
        assert_eq!(told(&["_sql/app/0001_a.sql", "_sql/app/0002_b.sql", "_sql/shop/1_a.sql", "x.rhai"]), (3, vec![]));
        let (count, found) = told(&["_sql/app/0001_a.sql", "_sql/app/0003_c.sql", "_sql/app/0004_d.sql"]);
        assert_eq!((count, found.len()), (1, 2));
        assert!(found[0].starts_with("_sql/app/0003_c.sql: the migration 0002 of `app` is missing before this one"), "{found:?}");
        let (count, found) = told(&["_sql/app/0001_a.sql", "_sql/app/1_b.sql"]);
        assert_eq!((count, found.len()), (1, 1));
        assert!(found[0].contains("has the number 1, too; give this one the number 0002"), "{found:?}");
        // Ten comes after nine.
        let files: Vec<String> = (1..=12).map(|number| format!("_sql/app/{number}_x.sql")).collect();
        assert_eq!(told(&files.iter().map(String::as_str).collect::<Vec<_>>()), (12, vec![]));
    }

    #[test]
    fn a_name_that_is_none_is_told_with_what_to_write() {
        for (path, what) in [
            ("_sql/0001_a.sql", "in a folder with the name of its database"),
            ("_sql/app/deep/0001_a.sql", "in a folder with the name of its database"),
            ("_sql/app/first.sql", "has a number"),
            ("_sql/app/0001.sql", "has a number"),
            ("_sql/app/0001_a b.sql", "has a number"),
            ("_sql/app/0000_a.sql", "has a number"),
            ("_sql/app/-1_a.sql", "has a number"),
            ("_sql/shp/0001_a.sql", "did you mean `_sql/shop/`?"),
            ("_sql/billing/0001_a.sql", "[databases.billing]"),
        ] {
            let (count, found) = told(&[path]);
            assert_eq!((count, found.len()), (0, 1), "{path}");
            assert!(found[0].contains(what), "{found:?}");
        }
    }
}
