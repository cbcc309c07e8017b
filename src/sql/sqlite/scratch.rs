//! The tables of a database without its rows: in memory, made by its migrations.

use super::{
    connection::{Connection, FileOptions},
    error::explained,
    migrate::run,
    statement::prepare,
};
use crate::{
    capability::sql::{SqlError, SqlErrorKind},
    sql::migrations::{Failure, Migration},
};

/// Limits of a database that has no rows but those that migrations insert.
const BYTES: u64 = 64 << 20;

/// A database in memory.
pub struct Scratch(Connection);

impl Scratch {
    /// Makes the tables. Returns why the first migration fails that does.
    pub fn new(migrations: &[Migration]) -> Result<Self, Failure> {
        let options = FileOptions { path: None, is_reader: false, value_bytes: BYTES as usize, file_bytes: BYTES };
        let opened = options.open().map_err(|error| {
            let message = format!("the tables cannot be made in memory: {error}");
            Failure::Unavailable(SqlError::new(SqlErrorKind::Unavailable, message))
        });
        let scratch = Self(opened?);
        migrations.iter().try_for_each(|migration| run(&scratch.0, migration))?;
        Ok(scratch)
    }

    /// Looks whether a statement could be run on these tables.
    pub fn prepare(&self, text: &str) -> Result<(), SqlError> {
        prepare(&self.0.sqlite, text).map(drop).map_err(|error| explained(&error, text, &self.0.guard))
    }
}
