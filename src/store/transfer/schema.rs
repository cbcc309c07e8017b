//! The tables of a database, read from its schema. A table comes after the tables that it refers to.

use std::collections::BTreeSet;

use super::{Column, Connection, Kind, StoreError, TableSchema};
use crate::store::connect::is_own_table;

/// The columns of all tables, without those that SQLite and sqlx keep for themselves.
const SQLITE_COLUMNS: &str = "
    SELECT tables.name, columns.name, columns.type, columns.pk
    FROM sqlite_schema AS tables
    JOIN pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite!_%' ESCAPE '!' AND tables.name <> '_sqlx_migrations'
    ORDER BY tables.name, columns.cid";
const SQLITE_REFERENCES: &str = "
    SELECT tables.name, keys.\"table\"
    FROM sqlite_schema AS tables
    JOIN pragma_foreign_key_list(tables.name) AS keys
    WHERE tables.type = 'table'";
const POSTGRES_COLUMNS: &str = "
    SELECT CAST(tables.relname AS text), CAST(columns.attname AS text), format_type(columns.atttypid, columns.atttypmod),
        CAST(COALESCE(array_position(CAST(keys.indkey AS int2[]), columns.attnum) + 1, 0) AS bigint)
    FROM pg_class AS tables
    JOIN pg_namespace AS schemas ON schemas.oid = tables.relnamespace AND schemas.nspname = current_schema()
    JOIN pg_attribute AS columns ON columns.attrelid = tables.oid AND columns.attnum > 0 AND NOT columns.attisdropped
    LEFT JOIN pg_index AS keys ON keys.indrelid = tables.oid AND keys.indisprimary
    WHERE tables.relkind IN ('r', 'p') AND tables.relname <> '_sqlx_migrations'
    ORDER BY CAST(tables.relname AS text) COLLATE \"C\", columns.attnum";
const POSTGRES_REFERENCES: &str = "
    SELECT CAST(tables.relname AS text), CAST(others.relname AS text)
    FROM pg_constraint AS keys
    JOIN pg_class AS tables ON tables.oid = keys.conrelid
    JOIN pg_class AS others ON others.oid = keys.confrelid
    JOIN pg_namespace AS schemas ON schemas.oid = tables.relnamespace AND schemas.nspname = current_schema()
    WHERE keys.contype = 'f'";

/// Table, column, type, and the position in the primary key, from 1. 0: not in the key.
type ColumnRow = (String, String, String, i64);

impl Connection {
    /// Returns every table of this program, and none that others keep beside them.
    pub(super) async fn tables(&mut self) -> Result<Vec<TableSchema>, StoreError> {
        let what = || StoreError::query("read which tables there are");
        let (mut columns, references): (Vec<ColumnRow>, Vec<(String, String)>) = match self {
            Self::Postgres(connection) => (
                sqlx::query_as(POSTGRES_COLUMNS).fetch_all(&mut **connection).await.map_err(what())?,
                sqlx::query_as(POSTGRES_REFERENCES).fetch_all(&mut **connection).await.map_err(what())?,
            ),
            Self::Sqlite(connection) => (
                sqlx::query_as(SQLITE_COLUMNS).fetch_all(&mut **connection).await.map_err(what())?,
                sqlx::query_as(SQLITE_REFERENCES).fetch_all(&mut **connection).await.map_err(what())?,
            ),
        };
        columns.retain(|(table, ..)| is_own_table(table));
        let tables = columns.chunk_by(|one, other| one.0 == other.0).map(table).collect::<Result<Vec<_>, _>>()?;
        Ok(in_order(tables, &references))
    }
}

fn table(columns: &[ColumnRow]) -> Result<TableSchema, StoreError> {
    let name = columns.first().map(|column| column.0.clone()).unwrap_or_default();
    let mut key: Vec<_> = columns.iter().filter(|column| column.3 > 0).collect();
    key.sort_unstable_by_key(|column| column.3);
    let key: Vec<String> = key.into_iter().map(|column| column.1.clone()).collect();
    if key.is_empty() {
        return Err(StoreError::Immovable { table: name, reason: "it has no primary key".into() });
    }
    let column = |(_, column, kind, _): &ColumnRow| match kind_of(kind) {
        Some(kind) => Ok(Column { name: column.clone(), kind }),
        None => Err(StoreError::Immovable { table: name.clone(), reason: format!("column `{column}` is of the type {kind}") }),
    };
    Ok(TableSchema { columns: columns.iter().map(column).collect::<Result<_, _>>()?, name: name.clone(), key })
}

fn kind_of(name: &str) -> Option<Kind> {
    match name.to_ascii_lowercase().as_str() {
        "bigint" | "integer" | "int" | "smallint" => Some(Kind::Integer),
        "text" => Some(Kind::Text),
        "blob" | "bytea" => Some(Kind::Bytes),
        _ => None,
    }
}

/// Puts each table after the tables that it refers to.
fn in_order(mut waiting: Vec<TableSchema>, references: &[(String, String)]) -> Vec<TableSchema> {
    let mut placed: Vec<TableSchema> = Vec::new();
    while !waiting.is_empty() {
        let missing: BTreeSet<String> = waiting.iter().map(|table| table.name.clone()).collect();
        let is_ready =
            |table: &TableSchema| !references.iter().any(|(from, to)| *from == table.name && to != from && missing.contains(to.as_str()));
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_ready);
        // Tables that refer to each other in a circle have no order. The database reports that later.
        let is_circle = ready.is_empty();
        placed.extend(ready);
        if is_circle {
            placed.extend(rest);
            break;
        }
        waiting = rest;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refers_to_another_comes_after_it() {
        let order = |names: &[&str], references: &[(&str, &str)]| -> Vec<String> {
            let table = |name: &&str| TableSchema { name: (*name).into(), columns: Vec::new(), key: Vec::new() };
            let references: Vec<_> = references.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
            in_order(names.iter().map(table).collect(), &references).into_iter().map(|table| table.name).collect()
        };
        assert_eq!(order(&["a", "b", "c", "d"], &[("a", "c"), ("c", "d"), ("b", "b")]), ["b", "d", "c", "a"]);
        assert_eq!(order(&["a", "b", "c"], &[("a", "b"), ("b", "a")]), ["c", "a", "b"]);
    }
}
