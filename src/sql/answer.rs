//! Collects the rows of an answer within limits. What has no room is refused before it is copied.

use std::collections::BTreeSet;

use crate::capability::sql::{Rows, SqlError, SqlErrorKind, SqlValue, StatementBounds};

/// The most that the answer to one statement may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerLimits {
    /// Rows.
    pub rows: usize,
    /// Bytes of all values together, as [`SqlValue::bytes`] counts them.
    pub bytes: usize,
}

/// An answer that is being read.
pub struct Answer {
    rows: Rows,
    limits: AnswerLimits,
    bytes: usize,
}

impl Answer {
    /// Begins an answer, which must fit both the database's limits and the run's.
    pub fn new(limits: AnswerLimits, bounds: &StatementBounds) -> Self {
        Self { rows: Rows::default(), limits: AnswerLimits { bytes: limits.bytes.min(bounds.bytes), ..limits }, bytes: 0 }
    }

    /// Sets the names of the columns. A script gets a row as a map, so two cannot have one name.
    pub fn columns(&mut self, names: Vec<String>) -> Result<(), SqlError> {
        let mut known = BTreeSet::new();
        if let Some(name) = names.iter().find(|name| !known.insert(name.as_str())) {
            let message = format!("two columns of the answer have the name `{name}`");
            return Err(SqlError::new(SqlErrorKind::Statement, message).code("42701").hint("give one of them another name with `AS`"));
        }
        self.rows.columns = names;
        Ok(())
    }

    /// Begins the next row.
    pub fn begin_row(&mut self) -> Result<(), SqlError> {
        if self.rows.rows.len() >= self.limits.rows {
            let message = format!("the answer has more than {} rows", self.limits.rows);
            return Err(SqlError::new(SqlErrorKind::TooLarge, message).hint("ask for fewer with `LIMIT`, page by page"));
        }
        self.rows.rows.push(Vec::with_capacity(self.rows.columns.len()));
        Ok(())
    }

    /// Takes room for a value whose content has so many bytes.
    pub fn reserve(&mut self, content_bytes: usize) -> Result<(), SqlError> {
        self.bytes = self.bytes.saturating_add(size_of::<SqlValue>()).saturating_add(content_bytes);
        if self.bytes > self.limits.bytes {
            let message = format!("the answer has more than {} bytes", self.limits.bytes);
            return Err(SqlError::new(SqlErrorKind::TooLarge, message).hint("ask for fewer columns, or for fewer rows with `LIMIT`"));
        }
        Ok(())
    }

    /// Adds a value, for which room was taken, to the row.
    pub fn push(&mut self, value: SqlValue) {
        if let Some(row) = self.rows.rows.last_mut() {
            row.push(value);
        }
    }

    /// Counts rows that were found or changed.
    pub fn affected(&mut self, rows: u64) {
        self.rows.affected += rows;
    }

    /// Returns what was collected.
    pub fn done(self) -> Rows {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::CancelFlag;
    use crate::clock::monotonic;

    #[test]
    fn an_answer_ends_where_its_limits_are() {
        let bounds = StatementBounds { deadline: monotonic(), bytes: 10_000, cancel: CancelFlag::default() };
        let mut answer = Answer::new(AnswerLimits { rows: 2, bytes: 1_000 }, &bounds);
        let twice = answer.columns(["a", "b", "a"].map(str::to_owned).into()).unwrap_err();
        assert_eq!(twice.message, "two columns of the answer have the name `a`");
        answer.columns(vec!["a".into()]).unwrap();
        for value in [1, 2] {
            answer.begin_row().unwrap();
            answer.reserve(0).unwrap();
            answer.push(SqlValue::Int(value));
        }
        assert_eq!(answer.begin_row().unwrap_err().kind, SqlErrorKind::TooLarge);
        assert_eq!(answer.reserve(1_000).unwrap_err().message, "the answer has more than 1000 bytes");
        assert_eq!(answer.done().rows, [[SqlValue::Int(1)], [SqlValue::Int(2)]]);
        let mut small = Answer::new(AnswerLimits { rows: 2, bytes: 1_000 }, &StatementBounds { bytes: 10, ..bounds });
        assert!(small.reserve(usize::MAX).is_err());
    }
}
