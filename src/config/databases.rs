//! The sections `[databases.NAME]`: databases that scripts may use.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Fault, SpanFrom};
use crate::{
    function::{grants::sql::DatabaseName, quantity::Size, within::Within},
    secret::Secret,
    sql::{AnswerLimits, DatabaseSettings, DatabaseUrl},
};

/// The sections as they are written, by name.
pub(super) type DatabasesFile = BTreeMap<DatabaseName, UserDatabaseFile>;

/// One section as it is written: every key but `url` may be missing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UserDatabaseFile {
    url: Option<String>,
    connections: Option<Within<usize, 1, 1_000>>,
    statement_timeout: Option<SpanFrom<1>>,
    max_rows: Option<Within<usize, 1, 1_000_000>>,
    max_answer: Option<Within<Size, 1_024, { 1 << 30 }>>,
    max_file: Option<Within<Size, { 1 << 20 }, { 1 << 44 }>>,
}

/// Returns how the databases are set up. A variable `PICLOUD_DATABASES_NAME_URL` wins over the file: a password belongs there.
pub(super) fn resolve(files: &DatabasesFile, variable: impl Fn(&str) -> Option<String>) -> Result<Vec<DatabaseSettings>, Fault> {
    files.iter().map(|(name, file)| file.resolve(name, &variable)).collect()
}

impl UserDatabaseFile {
    fn resolve(&self, name: &DatabaseName, variable: impl Fn(&str) -> Option<String>) -> Result<DatabaseSettings, Fault> {
        let section = format!("databases.{name}");
        let key = format!("{section}.url");
        let elsewhere = variable_of(name);
        let given = variable(&elsewhere);
        let url = given.as_ref().or(self.url.as_ref()).ok_or_else(|| {
            let fault = Fault::new(&[&section], format!("the section `[{section}]` has no `url`"));
            fault.hint(format!("write `url = \"sqlite\"`, or `url = \"postgres://USER@HOST/NAME\"`, or set {elsewhere}"))
        })?;
        let keys: &[&str] = if given.is_some() { &[] } else { &[&key] };
        let url = DatabaseUrl::parse(&Secret::new(url)).map_err(|error| Fault::new(keys, format!("`{key}`: {error}")))?;
        let default = DatabaseSettings::new(name.clone(), url);
        Ok(DatabaseSettings {
            connections: self.connections.map_or(default.connections, Within::get),
            statement_timeout: self.statement_timeout.map_or(default.statement_timeout, |span| span.get().0),
            answer: AnswerLimits {
                rows: self.max_rows.map_or(default.answer.rows, Within::get),
                bytes: self.max_answer.map_or(default.answer.bytes, |size| size.get().bytes()),
            },
            file_bytes: self.max_file.map_or(default.file_bytes, |size| size.get().0),
            ..default
        })
    }
}

/// Returns the name of the variable with the URL of a database.
fn variable_of(name: &DatabaseName) -> String {
    format!("PICLOUD_DATABASES_{}_URL", name.as_str().to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, variable: Option<&str>) -> Result<Vec<DatabaseSettings>, String> {
        let files: DatabasesFile = crate::function::toml_text::parse(text).map_err(|problem| problem.message)?;
        resolve(&files, |name| (name == "PICLOUD_DATABASES_MY_APP_URL").then(|| variable.map(str::to_owned))?)
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_database_has_limits_that_can_be_set() {
        let given = read(
            "[my-app]\nurl = \"sqlite\"\nconnections = 2\nstatement_timeout = \"1s\"\nmax_rows = 5\nmax_answer = \"1KiB\"\nmax_file = \"1MiB\"",
            None,
        );
        let given = given.unwrap();
        let default = DatabaseSettings::new("my-app".parse().unwrap(), DatabaseUrl::parse(&Secret::new("sqlite")).unwrap());
        let answer = AnswerLimits { rows: 5, bytes: 1_024 };
        let statement_timeout = std::time::Duration::from_secs(1);
        assert_eq!(given, [DatabaseSettings { connections: 2, statement_timeout, answer, file_bytes: 1 << 20, ..default.clone() }]);
        assert_eq!(read("[my-app]\nurl = \"sqlite\"", None).unwrap(), [default]);
    }

    #[test]
    fn a_variable_wins_and_no_message_has_a_password() {
        let of_variable = read("[my-app]\nurl = \"sqlite\"", Some("postgres://ann:hunter2@db/app")).unwrap();
        assert_eq!(format!("{:?}", of_variable[0].url), "postgres at db:5432/app");
        for (text, variable) in [("[my-app]", Some("mysql://ann:hunter2@db")), ("[my-app]\nurl = \"postgres://a:hunter2@db:x/y\"", None)] {
            let message = read(text, variable).unwrap_err();
            assert!(message.contains("`databases.my-app.url`") && !message.contains("hunter2"), "{message}");
        }
        assert!(read("[my-app]", None).unwrap_err().contains("has no `url`"));
        assert!(read("[App]\nurl = \"sqlite\"", None).unwrap_err().contains("no name of a database"));
        assert!(read("[my-app]\nurl = \"sqlite\"\nmax_rows = 0", None).unwrap_err().contains("too small"));
    }
}
