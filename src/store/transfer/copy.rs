//! From one database into another, and compared.

use futures_util::TryStreamExt as _;

use super::{DatabaseSnapshot, Filling, StoreError, Sum, TableSchema, Tally, write_line};

/// Bytes of rows that are held between the databases.
const HELD_BYTES: usize = 1 << 20;

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Which table.
    pub table: &'a str,
    /// Rows that are done.
    pub rows: u64,
    /// Rows that there are.
    pub of: u64,
}

/// Copies every table, reads the copy back, and keeps it if it is the same. Returns what was copied.
pub async fn copy(
    mut from: DatabaseSnapshot,
    mut to: Filling,
    mut tell: impl FnMut(Progress<'_>),
) -> Result<Vec<(TableSchema, Sum)>, StoreError> {
    let tables = from.tables().to_vec();
    to.must_have(&tables).await?;
    let mut copied = Vec::new();
    for table in tables {
        let of = from.count(&table).await?;
        let sum = copy_table(&mut from, &mut to, &table, |rows| tell(Progress { table: &table.name, rows, of })).await?;
        copied.push((table, sum));
    }
    for (table, sum) in &copied {
        to.must_hold(table, sum).await?;
    }
    to.finish().await?;
    Ok(copied)
}

async fn copy_table(
    from: &mut DatabaseSnapshot,
    to: &mut Filling,
    table: &TableSchema,
    mut tell: impl FnMut(u64),
) -> Result<Sum, StoreError> {
    let (mut tally, mut line, mut held, mut held_bytes, mut done) = (Tally::default(), Vec::new(), Vec::new(), 0, 0);
    let mut rows = from.rows(table);
    while let Some(row) = rows.try_next().await? {
        line.clear();
        write_line(&row, &mut line);
        tally.add(&line);
        held_bytes += line.len();
        held.push(row);
        if held_bytes >= HELD_BYTES {
            to.insert(table, &held).await?;
            done += held.len() as u64;
            tell(done);
            held.clear();
            held_bytes = 0;
        }
    }
    to.insert(table, &held).await?;
    tell(done + held.len() as u64);
    Ok(tally.sum())
}
