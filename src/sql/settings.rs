//! How a database of users is set up.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

use super::{answer::AnswerLimits, files::file_of};
use crate::{function::grants::sql::DatabaseName, secret::Secret};

/// The section `[databases.NAME]` of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseSettings {
    /// Its name.
    pub name: DatabaseName,
    /// Where it is.
    pub url: DatabaseUrl,
    /// Connections at the same time. Of those to SQLite one writes.
    pub connections: usize,
    /// The longest that one statement may run, however much time its run has.
    pub statement_timeout: Duration,
    /// The most that the answer to one statement may hold.
    pub answer: AnswerLimits,
    /// Most bytes of a SQLite file.
    pub file_bytes: u64,
}

impl DatabaseSettings {
    /// Returns what holds where the configuration is silent.
    pub fn new(name: DatabaseName, url: DatabaseUrl) -> Self {
        Self {
            name,
            url,
            connections: 8,
            statement_timeout: Duration::from_secs(30),
            answer: AnswerLimits { rows: 10_000, bytes: 8 << 20 },
            file_bytes: 1 << 30,
        }
    }
}

/// Where a database is: `sqlite` or `postgres://…`. It may hold a password and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Secret);

/// A text that is no URL of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the URL of the database is neither `sqlite` nor `postgres://USER@HOST/NAME`{reason}")]
pub struct NotADatabaseUrl {
    reason: &'static str,
}

/// A URL that was read.
pub(super) enum Place {
    Postgres(Box<PgConnectOptions>),
    Sqlite(PathBuf),
}

impl DatabaseUrl {
    /// Reads a URL.
    pub fn parse(url: &Secret) -> Result<Self, NotADatabaseUrl> {
        let text = url.expose();
        if text.starts_with("sqlite:") {
            return Err(NotADatabaseUrl { reason: ": `sqlite` alone is a file in the folder `sql` of the data folder" });
        }
        if text != "sqlite" && !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(NotADatabaseUrl { reason: "" });
        }
        // The parser's message may quote a part of the URL, and that part may be the password.
        if text != "sqlite" && text.parse::<PgConnectOptions>().is_err() {
            return Err(NotADatabaseUrl { reason: ": it does not parse (special characters in a password are written as `%XX`)" });
        }
        Ok(Self(url.clone()))
    }

    /// Returns where the database of this name is.
    pub(super) fn place(&self, name: &DatabaseName, data: &Path) -> Place {
        match self.0.expose().parse::<PgConnectOptions>() {
            Ok(options) if self.0.expose() != "sqlite" => {
                Place::Postgres(Box::new(options.application_name("picloud").disable_statement_logging()))
            }
            _ => Place::Sqlite(data.join(file_of(name))),
        }
    }

    /// Returns whether it is a file of SQLite.
    pub fn is_sqlite(&self) -> bool {
        self.0.expose() == "sqlite"
    }
}

/// Without user and password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.expose().parse::<PgConnectOptions>() {
            Ok(options) if !self.is_sqlite() => {
                write!(f, "postgres at {}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or("postgres"))
            }
            _ => f.write_str("sqlite"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_never_shows_its_password() {
        let read = |url: &str| DatabaseUrl::parse(&Secret::new(url));
        let shown = format!("{:?}", read("postgres://ann:hunter2@db.example:5433/app").unwrap());
        assert_eq!(shown, "postgres at db.example:5433/app");
        assert_eq!(format!("{:?}", read("sqlite").unwrap()), "sqlite");
        for wrong in ["mysql://ann:hunter2@db", "postgres://ann:hunt/er2@db.example:x", "sqlite:/tmp/x.db", ""] {
            let message = read(wrong).unwrap_err().to_string();
            assert!(message.contains("postgres://USER@HOST/NAME") && !message.contains("hunt"), "{message}");
        }
    }

    #[test]
    fn a_file_of_sqlite_is_in_the_data_folder() {
        let name = "app".parse().unwrap();
        let url = DatabaseUrl::parse(&Secret::new("sqlite")).unwrap();
        match url.place(&name, Path::new("data")) {
            Place::Sqlite(path) => assert_eq!(path, Path::new("data/sql/app.db")),
            Place::Postgres(_) => panic!("it is a file"),
        }
    }
}
