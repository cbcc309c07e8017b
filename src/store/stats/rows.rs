//! Adds to rows of the table.

use std::collections::BTreeMap;

use crate::{
    hex::Hex,
    stats::{RunTally, Series},
    store::{batch::json, columns::columns, database::Database, transaction::EitherTransaction},
};

/// How long a row is, and by what: the column `span`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Span {
    /// A minute.
    Minute = 0,
    /// A day, by ten minutes.
    DayByTen = 1,
    /// A day, by the hour.
    DayByHour = 2,
}

/// What counts of a minute are of, by the numbers of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Slot {
    /// The minute since 1970.
    pub minute: i64,
    /// Which function.
    pub function: i64,
    /// With which content.
    pub version: i64,
    /// The node that ran it.
    pub node: i64,
}

/// Stands for every function, and for every version.
pub(super) const ALL: i64 = 0;

/// The key of a row, in the order of the table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    span: i64,
    pub slot: Slot,
}

impl RowKey {
    pub(super) fn new(span: Span, slot: Slot) -> Self {
        Self { span: span as i64, slot }
    }

    fn values(&self) -> (i64, i64, i64, i64, i64) {
        let Slot { minute, function, version, node } = self.slot;
        (self.span, minute, function, version, node)
    }
}

/// A row as it is read: the columns in order.
pub(super) type StatsRow = (i64, i64, i64, i64, i64, Vec<u8>);

/// Adds counts to the rows of their minutes, and to those of the whole node.
pub(in crate::store) async fn add(transaction: &mut EitherTransaction, database: &Database, counts: &RunTally<Slot>) -> sqlx::Result<()> {
    let mut rows: BTreeMap<RowKey, Series> = BTreeMap::new();
    for (slot, counts) in counts.iter() {
        for slot in [*slot, Slot { function: ALL, version: ALL, ..*slot }] {
            rows.entry(RowKey::new(Span::Minute, slot)).or_default().add(0, counts);
        }
    }
    merge(transaction, database, rows).await
}

/// Adds series to the rows of these keys. Until the end of the transaction nobody else adds to them.
pub(super) async fn merge(
    transaction: &mut EitherTransaction,
    database: &Database,
    mut rows: BTreeMap<RowKey, Series>,
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = rows.keys().map(RowKey::values).collect();
    let there: Vec<StatsRow> = transaction.fetch(find(database), vec![json(&keys).into()]).await?;
    for (span, minute, function, version, node, series) in there {
        let key = RowKey { span, slot: Slot { minute, function, version, node } };
        rows.entry(key).or_default().merge(&decoded(&series));
    }
    let rows: Vec<_> = rows.iter().map(|(key, series)| (key.values(), Hex(&series.encode()).to_string())).collect();
    transaction.execute(put(database), vec![json(&rows).into()]).await.map(|_| ())
}

/// Reads the counts of a row. A row that something else has damaged counts nothing: it must not keep executions from being recorded.
pub(super) fn decoded(series: &[u8]) -> Series {
    Series::decode(series).unwrap_or_else(|error| {
        tracing::warn!(%error, "a row of the table `stats` is damaged; what it counted is lost");
        Series::default()
    })
}

/// Finds the rows of the keys in a JSON array. The keys are read first: `CROSS JOIN` tells SQLite so.
fn find(database: &Database) -> String {
    let lock = match database {
        Database::Postgres { .. } => " FOR UPDATE OF stats",
        // There is one writer, which is us.
        Database::Sqlite { .. } => "",
    };
    format!(
        "WITH wanted AS (
             SELECT CAST(value->>0 AS bigint) AS a, CAST(value->>1 AS bigint) AS b, CAST(value->>2 AS bigint) AS c,
                 CAST(value->>3 AS bigint) AS d, CAST(value->>4 AS bigint) AS e
             FROM {}
         )
         SELECT {} FROM wanted CROSS JOIN stats
         WHERE span = a AND start_min = b AND function_key = c AND version_key = d AND node = e{lock}",
        database.rows_of_json(),
        columns!(stats),
    )
}

/// Writes the rows in a JSON array, each its key and its series in hexadecimal digits.
fn put(database: &Database) -> String {
    let bytes = match database {
        Database::Postgres { .. } => "decode(value->>1, 'hex')",
        Database::Sqlite { .. } => "unhex(value->>1)",
    };
    format!(
        "INSERT INTO stats ({})
         SELECT CAST(value->0->>0 AS bigint), CAST(value->0->>1 AS bigint), CAST(value->0->>2 AS bigint), CAST(value->0->>3 AS bigint),
             CAST(value->0->>4 AS bigint), {bytes}
         FROM {}
         ON CONFLICT ({}) DO UPDATE SET series = excluded.series",
        columns!(stats),
        database.rows_of_json(),
        columns!(stats_key),
    )
}
