//! Databases of users: what a script may send to one, and what comes back.

use std::{fmt, time::Instant};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    cancel::CancelFlag,
    function::{Diagnostic, FilePath, Position, Tree, diagnostic::near_miss, grants::sql::DatabaseName},
};

/// Databases that scripts may use, as the node's configuration names them.
#[async_trait]
pub trait Databases: Send + Sync {
    /// Returns their names in alphabetical order.
    fn names(&self) -> Vec<DatabaseName>;

    /// Runs one statement in a transaction of its own. If the future is dropped or the bounds say so, the database ends the statement. A file
    /// of SQLite is read and written on the calling thread.
    async fn query(&self, database: &DatabaseName, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError>;

    /// Begins a transaction, which ends at this deadline, and does nothing more when the flag is set.
    async fn begin(&self, database: &DatabaseName, deadline: Instant, cancel: &CancelFlag) -> Result<Box<dyn Transaction>, SqlError>;
}

/// A transaction. If it is dropped before its commit, nothing of it stays. After an error it can only be rolled back.
#[async_trait]
pub trait Transaction: Send {
    /// Runs one statement in it.
    async fn query(&mut self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError>;

    /// Keeps the changes.
    async fn commit(self: Box<Self>) -> Result<(), SqlError>;

    /// Undoes the changes, and gives the connection back sooner than dropping does.
    async fn rollback(self: Box<Self>);
}

/// Migrations of databases, which are files of the source. They are applied before what uses them goes live, and never undone.
#[async_trait]
pub trait Migrations: Send + Sync {
    /// Returns what is wrong with the migrations of a tree, and changes nothing. The error: a database does not answer.
    async fn check(&self, tree: &Tree) -> Result<Vec<Diagnostic>, SqlError>;

    /// Applies the migrations of a tree that are pending, and returns their files.
    async fn apply(&self, tree: &Tree) -> Result<Vec<FilePath>, MigrationError>;

    /// Looks whether statements fit the tables that the migrations of a tree make, each of its database. Only SQLite can tell without the
    /// database itself. Where there are no migrations, every table may be there.
    fn fit(&self, tree: &Tree, statements: &[(&DatabaseName, &str)]) -> Vec<Result<(), SqlError>>;
}

/// Why migrations were not applied.
#[derive(Debug)]
pub enum MigrationError {
    /// A migration is wrong, and those after it wait.
    Wrong(Vec<Diagnostic>),
    /// A database does not answer, or is in use.
    Unavailable(SqlError),
}

/// One statement and the values of its parameters: `$1` is the first.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// SQL as the author wrote it.
    pub text: String,
    /// What the placeholders stand for.
    pub parameters: Vec<SqlValue>,
}

/// Most characters of a statement's text in a description of it.
const DESCRIPTION: usize = 160;

impl Statement {
    /// Takes a text and the values of its parameters.
    pub fn new(text: impl Into<String>, parameters: impl Into<Vec<SqlValue>>) -> Self {
        Self { text: text.into(), parameters: parameters.into() }
    }

    /// Describes it in a line, without values: parameters are left out, and `?` stands for what is written in the text.
    pub fn describe(&self) -> String {
        let words = without_values(&self.text);
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.char_indices().nth(DESCRIPTION) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None => words,
        }
    }
}

/// Returns a text of SQL with `?` in the place of its strings and numbers, and without its comments.
fn without_values(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let is_in_word = out.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '$'));
        let (shown, end) = match first {
            '\'' => ("?", end_of_string(rest, out.ends_with(['e', 'E']))),
            '"' => (&rest[..end_of(rest, 1, "\"")], end_of(rest, 1, "\"")),
            '-' if rest.starts_with("--") => (" ", rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (" ", end_of(rest, 2, "*/")),
            '$' if !is_in_word => match dollar_quote(rest) {
                Some(quote) => ("?", end_of(rest, quote.len(), quote)),
                None => ("$", 1),
            },
            '0'..='9' if !is_in_word => ("?", rest.find(|c: char| !c.is_alphanumeric() && c != '.').unwrap_or(rest.len())),
            other => (&rest[..other.len_utf8()], other.len_utf8()),
        };
        out.push_str(shown);
        rest = &rest[end..];
    }
    out
}

/// Returns where the first `closing` from this byte on ends; where there is none, all that follows belongs to it.
fn end_of(text: &str, from: usize, closing: &str) -> usize {
    text[from..].find(closing).map_or(text.len(), |at| from + at + closing.len())
}

/// Returns where a string in quotes ends. Two quotes are one in it, as is a quote after a backslash where those count.
fn end_of_string(text: &str, has_escapes: bool) -> usize {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if has_escapes => drop(letters.next()),
            '\'' if letters.next_if(|(_, next)| *next == '\'').is_none() => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns what opens and closes a string in dollars, if one begins here: `$$` or `$word$`.
fn dollar_quote(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[1..end - 1];
    let is_tag = tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then_some(&text[..end])
}

/// Without values of parameters: they may be secrets.
impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({:?}, {} parameters)", self.text, self.parameters.len())
    }
}

/// What one statement may use.
#[derive(Debug, Clone)]
pub struct StatementBounds {
    /// When the run ends, and with it the statement.
    pub deadline: Instant,
    /// Most bytes of the answer, beside the limit of the database in the configuration.
    pub bytes: usize,
    /// Set when nobody wants the answer any more.
    pub cancel: CancelFlag,
}

/// A value of SQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SqlValue {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a binary fraction.
    Float(#[serde(with = "bits")] f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// A moment: microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// A UUID.
    Uuid(Uuid),
    /// The text of a JSON value.
    Json(String),
    /// A decimal number as the database writes it, so that no digit is lost.
    Numeric(String),
    /// Several values of one type.
    Array(Vec<SqlValue>),
}

/// Keeps a number as its bits: JSON has no NaN and no infinity, and a number that is written in digits may come back as its neighbour.
mod bits {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

impl SqlValue {
    /// Returns the memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let inner = match self {
            Self::Text(text) | Self::Json(text) | Self::Numeric(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            Self::Array(values) => values.iter().map(Self::bytes).sum(),
            _ => 0,
        };
        size_of::<Self>() + inner
    }

    /// Names its kind, as messages do.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Blob(_) => "bytes",
            Self::Timestamp(_) => "a time",
            Self::Uuid(_) => "a UUID",
            Self::Json(_) => "JSON",
            Self::Numeric(_) => "a decimal number",
            Self::Array(_) => "an array",
        }
    }
}

/// The answer to a statement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The names of the columns. No two are the same.
    pub columns: Vec<String>,
    /// The values of each row, in the order of the columns.
    pub rows: Vec<Vec<SqlValue>>,
    /// Rows that were inserted, changed or deleted; of a query, as many as it found.
    pub affected: u64,
}

/// Why a statement has no answer. It never holds a value of a parameter or a way to the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// What to do about it depends on this.
    pub kind: SqlErrorKind,
    /// One sentence.
    pub message: String,
    /// The SQLSTATE, for SQLite the nearest one.
    pub code: Option<String>,
    /// The constraint that a change would break, if the database names it.
    pub constraint: Option<String>,
    /// The place in the text of the statement.
    pub position: Option<Position>,
    /// What to do, if we know.
    pub hint: Option<String>,
}

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqlErrorKind {
    /// The configuration has no such database.
    NoDatabase,
    /// Scripts may not run this statement.
    Denied,
    /// The statement or a parameter is wrong.
    Statement,
    /// The change would break a constraint.
    Constraint,
    /// Another transaction was in the way; the same may succeed when it is tried again.
    Conflict,
    /// The answer has too many rows or bytes.
    TooLarge,
    /// The time of the run, or of the statement, is over.
    Timeout,
    /// The database does not answer, or all connections are in use.
    Unavailable,
}

impl SqlErrorKind {
    /// Returns the word that scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoDatabase => "no_database",
            Self::Denied => "denied",
            Self::Statement => "statement",
            Self::Constraint => "constraint",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
        }
    }
}

impl SqlError {
    /// Says what went wrong; more is added by the methods below.
    pub fn new(kind: SqlErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, constraint: None, position: None, hint: None }
    }

    /// Says that there is no such database, and which one may be meant.
    pub fn no_database(name: &DatabaseName, names: &[DatabaseName]) -> Self {
        let hint = match near_miss(name.as_str(), names.iter().map(DatabaseName::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add it to picloud.toml: `[databases.{name}]` with `url = \"sqlite\"` or `url = \"postgres://…\"`"),
        };
        Self::new(SqlErrorKind::NoDatabase, format!("this node has no database `{name}`")).hint(hint)
    }

    /// Adds the SQLSTATE.
    #[must_use]
    pub fn code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds the place in the text of the statement.
    #[must_use]
    pub fn at(self, position: Option<Position>) -> Self {
        Self { position: position.or(self.position), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_described_without_the_values_in_its_text() {
        for (text, described) in [
            ("SELECT a, b2 FROM t1 WHERE id = $1", "SELECT a, b2 FROM t1 WHERE id = $1"),
            ("SELECT 'ada@example.org pw=''hunter2''', 15.5e3", "SELECT ?, ?"),
            ("INSERT INTO t VALUES (-7, E'it\\'s', $$a$$, $x$ $$ $x$, true)", "INSERT INTO t VALUES (-?, E?, ?, ?, true)"),
            ("SELECT \"my 1\" -- 42\n FROM t /* secret */ WHERE a='x", "SELECT \"my 1\" FROM t WHERE a=?"),
            ("", ""),
        ] {
            assert_eq!(Statement::new(text, []).describe(), described, "{text}");
        }
    }

    #[test]
    fn a_statement_is_described_without_its_parameters() {
        let statement = Statement::new("SELECT *\n  FROM notes\n WHERE id = $1", [SqlValue::Text("sesame".into())]);
        assert_eq!(statement.describe(), "SELECT * FROM notes WHERE id = $1");
        assert!(!format!("{statement:?}").contains("sesame"));
        let long = Statement::new("é".repeat(1_000), []);
        assert_eq!(long.describe().chars().count(), DESCRIPTION + 1);
    }

    #[test]
    fn answers_and_errors_can_be_kept() {
        let values = vec![
            SqlValue::Null,
            SqlValue::Int(i64::MAX),
            SqlValue::Float(f64::NEG_INFINITY),
            SqlValue::Timestamp(1_795_424_645_678_901),
            SqlValue::Blob(vec![0, 255]),
            SqlValue::Numeric("1.10".into()),
            SqlValue::Array(vec![SqlValue::Bool(true)]),
        ];
        let rows = Rows { columns: ["a", "b", "c", "d", "e", "f", "g"].map(str::to_owned).into(), rows: vec![values], affected: 1 };
        let kept: Rows = serde_json::from_str(&serde_json::to_string(&rows).unwrap()).unwrap();
        assert_eq!(kept, rows);
        let kept = serde_json::to_string(&SqlValue::Float(f64::NAN)).unwrap();
        assert!(matches!(serde_json::from_str(&kept).unwrap(), SqlValue::Float(number) if number.is_nan()));
        let error = SqlError::new(SqlErrorKind::Constraint, "already there").code("23505");
        assert_eq!(serde_json::from_str::<SqlError>(&serde_json::to_string(&error).unwrap()).unwrap(), error);
    }

    #[test]
    fn a_database_that_is_not_there_is_told_with_what_to_do() {
        let names: Vec<DatabaseName> = ["app", "shop"].map(|name| name.parse().unwrap()).into();
        let hint = |name: &str| SqlError::no_database(&name.parse().unwrap(), &names).hint.unwrap();
        assert_eq!(hint("shp"), "did you mean `shop`?");
        assert!(hint("billing").contains("[databases.billing]"));
    }
}
