//! Databases that are files of SQLite in the data folder: where they are, and which there are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::function::grants::sql::DatabaseName;

/// The folder that they are in, in the data folder.
const FOLDER: &str = "sql";
/// The end of their names.
const ENDING: &str = ".db";

/// Returns the path of the file of a database below the data folder: `sql/NAME.db`.
pub fn file_of(name: &DatabaseName) -> String {
    format!("{FOLDER}/{name}{ENDING}")
}

/// Returns the database whose file has this path below the data folder.
pub fn database_of(path: &str) -> Option<DatabaseName> {
    path.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(ENDING)?.parse().ok()
}

/// Returns the databases that have a file in a data folder, by name, whether the configuration names them or not.
pub fn databases_in(data: &Path) -> io::Result<Vec<(DatabaseName, PathBuf)>> {
    let entries = match fs::read_dir(data.join(FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_str().and_then(|name| database_of(&format!("{FOLDER}/{name}")));
        if let Some(name) = name.filter(|_| entry.path().is_file()) {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_name_of_its_database() {
        assert_eq!(file_of(&"my-app".parse().unwrap()), "sql/my-app.db");
        assert_eq!(database_of("sql/my-app.db").unwrap().as_str(), "my-app");
        for other in ["sql/app.db-wal", "sql/../app.db", "sql/a/b.db", "sql/.db", "sqlapp.db", "app.db"] {
            assert_eq!(database_of(other), None, "{other}");
        }
    }
}
