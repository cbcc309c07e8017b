//! Adds to rows of the table.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    execution::Trigger,
    hex::Hex,
    stats::{Point, RunTally, Series},
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
struct RowKey {
    span: i64,
    slot: Slot,
}

impl RowKey {
    fn values(&self) -> (i64, i64, i64, i64, i64) {
        let Slot { minute, function, version, node } = self.slot;
        (self.span, minute, function, version, node)
    }
}

/// A row as it is read: the columns in order.
pub(in crate::store) type StatsRow = (i64, i64, i64, i64, i64, Vec<u8>);

/// Rows that counts are added to. First each has what is added, then with [`add`](Self::add) all that it is going to have.
#[derive(Debug, Default)]
pub(in crate::store) struct Rows(BTreeMap<RowKey, Series>);

impl Rows {
    /// Returns what counts add to the rows of their minutes, and to those of the whole node.
    pub(in crate::store) fn of(counts: &RunTally<(Slot, Trigger)>) -> Self {
        let mut rows = Self::default();
        for ((slot, trigger), counts) in counts.iter() {
            for slot in [*slot, Slot { function: ALL, version: ALL, ..*slot }] {
                rows.row(Span::Minute, slot).add(Point { minute: 0, trigger: Some(*trigger) }, counts);
            }
        }
        rows
    }

    /// Returns what is added to one row.
    pub(super) fn row(&mut self, span: Span, slot: Slot) -> &mut Series {
        self.0.entry(RowKey { span: span as i64, slot }).or_default()
    }

    /// Keeps only the rows of these slots.
    pub(super) fn retain(&mut self, keeps: impl Fn(&Slot) -> bool) {
        self.0.retain(|key, _| keeps(&key.slot));
    }

    /// Returns the minutes in which rows begin, in order.
    pub(super) fn starts(&self) -> BTreeSet<i64> {
        self.0.keys().map(|key| key.slot.minute).collect()
    }

    /// Makes the steps of each row so many minutes long.
    pub(super) fn by(&mut self, step: u16) {
        self.0.values_mut().for_each(|row| *row = row.by(step));
    }

    /// Writes the query for what the table has of these rows. The keys are numbers, so they are a part of its text. They are read first: `CROSS
    /// JOIN` tells SQLite so. Until the end of the transaction nobody else adds to what it finds.
    pub(in crate::store) fn find(&self, database: &Database) -> String {
        let lock = match database {
            Database::Postgres { .. } => " FOR UPDATE OF stats",
            // There is one writer, which is us.
            Database::Sqlite { .. } => "",
        };
        let keys: Vec<String> = self.0.keys().map(|key| format!("{:?}", key.values())).collect();
        format!(
            "SELECT {} FROM (VALUES {}) AS wanted CROSS JOIN stats
             WHERE span = column1 AND start_min = column2 AND function_key = column3 AND version_key = column4 AND node = column5{lock}",
            columns!(stats),
            keys.join(","),
        )
    }

    /// Adds what the table has of these rows.
    pub(in crate::store) fn add(&mut self, there: impl IntoIterator<Item = StatsRow>) {
        for (span, minute, function, version, node, series) in there {
            let key = RowKey { span, slot: Slot { minute, function, version, node } };
            self.0.entry(key).and_modify(|row| row.merge(&decoded(&series)));
        }
    }

    /// Writes the rows as a JSON array, each its key and its series in hexadecimal digits: the parameter of [`put`].
    pub(in crate::store) fn json(&self) -> String {
        json(&self.0.iter().map(|(key, series)| (key.values(), Hex(&series.encode()).to_string())).collect::<Vec<_>>())
    }

    /// Adds to the rows of the table.
    pub(in crate::store) async fn merge(mut self, transaction: &mut EitherTransaction, database: &Database) -> sqlx::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let there = transaction.fetch_once(self.find(database)).await?;
        self.add(there);
        transaction.execute(put(database), vec![self.json().into()]).await.map(|_| ())
    }
}

/// Reads the counts of a row. A row that something else has damaged counts nothing: it must not keep executions from being recorded.
pub(super) fn decoded(series: &[u8]) -> Series {
    Series::decode(series).unwrap_or_else(|error| {
        tracing::warn!(%error, "a row of the table `stats` is damaged; what it counted is lost");
        Series::default()
    })
}

/// Writes the statement that puts the rows of its first parameter, which [`Rows::json`] writes, into the table.
pub(in crate::store) fn put(database: &Database) -> String {
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
