//! The texts of errors: what a driver says, without repetitions, and what to do about it.

use std::{error::Error, fmt};

/// The message of a database's driver, without repetitions, and a hint if there is one.
#[derive(Debug)]
pub struct Reason(pub(in crate::store) sqlx::Error);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        match error {
            sqlx::Error::Io(error) => write!(f, "{error}")?,
            // Without the line of Postgres' own source.
            sqlx::Error::Database(error) => f.write_str(error.message())?,
            sqlx::Error::AnyDriverError(error) => write!(f, "{error}")?,
            error => write!(f, "{error}")?,
        }
        match hint(error) {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

// The text above has the message of the cause in it, so there is no source.
impl Error for Reason {}

/// Returns a hint for a database that refuses the connection.
fn hint(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Some("start the server, or name the one that runs: `postgres://USER@HOST:PORT/NAME`")
        }
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound => Some(
            "start the server, if it is stopped; else its socket is in another folder: one like `/run/postgresql` is written `%2Frun%2Fpostgresql` in the URL",
        ),
        sqlx::Error::Database(error) => match error.code()?.as_ref() {
            "28000" | "28P01" => {
                Some("name the database user in the URL (`postgres://USER@…`); with `peer` it is the system user that the node runs as")
            }
            "3D000" => Some("make it: `createdb --owner=USER NAME`"),
            _ => None,
        },
        _ => None,
    }
}
