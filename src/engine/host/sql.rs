//! The module `sql`: the database that the front-matter names.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{
    Answer, Ask, Call, HostError, HostFunction, HostModule, HostResult, Kind, ObjectClass, Parameter, Requirement, Type,
    check::{CheckedCall, Literal, Mistake},
    json::{from_json, to_json},
    secret::{NO_SECRETS, SecretText},
    time::Time,
};
use crate::engine::value::plain::{HostObject, Map, Object, Value};
use crate::{
    cancel::CancelFlag,
    capability::sql::{Databases, Rows, SqlError, SqlErrorKind, SqlValue, Statement, StatementBounds, Transaction},
    clock::monotonic,
    engine::meter::{self, limits::Stop},
    execution::EffectKind,
    function::grants::sql::DatabaseName,
};

const TEXT: Parameter = Parameter::new("text", Type::Sql);
const PARAMETERS: Parameter = Parameter::optional("parameters", Type::Array);

/// The function that calls a closure with a transaction.
pub const TRANSACTION: &str = "transaction";

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "sql",
    about: "Asks the database that the front-matter names.",
    functions: &[
        HostFunction::reaching(
            Requirement::Sql,
            "query",
            &[TEXT, PARAMETERS],
            "array",
            "Gives the rows of a statement, each a map.",
            |call| ask(call, rows),
        )
        .checked(built),
        HostFunction::reaching(
            Requirement::Sql,
            "one",
            &[TEXT, PARAMETERS],
            "map",
            "Gives the only row of a statement, or `()`.",
            |call| ask(call, one),
        )
        .checked(built),
        HostFunction::reaching(
            Requirement::Sql,
            "value",
            &[TEXT, PARAMETERS],
            "value",
            "Gives the first value of the first row, or `()`.",
            |call| ask(call, value),
        )
        .checked(built),
        HostFunction::reaching(
            Requirement::Sql,
            "exec",
            &[TEXT, PARAMETERS],
            "whole number",
            "Runs a statement and gives the number of rows that it changed.",
            |call| ask(call, affected),
        )
        .checked(built),
        HostFunction::reaching(
            Requirement::Sql,
            TRANSACTION,
            &[Parameter::new("work", Type::Closure)],
            "value",
            "Calls a closure with a transaction, keeps its changes when it returns, and undoes them when it throws.",
            transaction,
        ),
    ],
};

/// What transactions have in common.
pub static CLASS: ObjectClass = ObjectClass {
    name: "Transaction",
    properties: &[],
    methods: &[
        method("query", "array", "Gives the rows of a statement, each a map.", |call| ask_within(call, rows)),
        method("one", "map", "Gives the only row of a statement, or `()`.", |call| ask_within(call, one)),
        method("value", "value", "Gives the first value of the first row, or `()`.", |call| ask_within(call, value)),
        method("exec", "whole number", "Runs a statement and gives the number of rows that it changed.", |call| ask_within(call, affected)),
    ],
};

const fn method(name: &'static str, returns: &'static str, about: &'static str, call: fn(&mut Call<'_>) -> HostResult) -> HostFunction {
    HostFunction::new(name, &[TEXT, PARAMETERS], returns, Kind::Waits, about, call).checked(built)
}

/// A value in the text of a statement can be read as a part of it.
fn built(call: &CheckedCall<'_>) -> Option<Mistake> {
    let Some(Literal::Built(_)) = call.literal(0) else { return None };
    let warning = Mistake::at_argument(0, "the text of this statement is put together from values, which can then change what it does");
    Some(warning.warning().hint("pass it as a parameter: `sql::query(\"… WHERE id = $1\", [id])`"))
}

/// A transaction that is open. None: a replay, which asks nothing, or it is over.
struct Open {
    database: DatabaseName,
    transaction: Arc<Mutex<Option<Box<dyn Transaction>>>>,
}

impl HostObject for Open {
    fn class(&self) -> &'static str {
        CLASS.name
    }

    fn shown(&self) -> String {
        format!("[transaction of {}]", self.database)
    }
}

impl Answer for Result<Rows, SqlError> {
    fn outcome(&self) -> (String, bool) {
        match self {
            Ok(_) => ("ok".into(), false),
            Err(error) => (error.code.clone().unwrap_or_else(|| error.kind.as_str().into()), true),
        }
    }

    fn received_bytes(&self) -> usize {
        self.as_ref().map_or(0, |rows| rows.rows.iter().flatten().map(SqlValue::bytes).sum())
    }
}

impl Answer for Result<(), SqlError> {
    fn outcome(&self) -> (String, bool) {
        match self {
            Ok(()) => ("ok".into(), false),
            Err(error) => (error.code.clone().unwrap_or_else(|| error.kind.as_str().into()), true),
        }
    }

    fn received_bytes(&self) -> usize {
        0
    }
}

fn reach(call: &mut Call<'_>) -> Result<(Arc<dyn Databases>, DatabaseName), HostError> {
    if call.with_run(|run| run.in_transaction)? {
        // Outside of the transaction it would not be undone with it, and on SQLite it would wait for it.
        return Err("a transaction is open: call its own functions, such as `tx.exec(…)`, where `tx` is what the closure gets".into());
    }
    let database = call.with_run(|run| run.grants().and_then(|grants| grants.sql.clone()))?;
    let database = database.ok_or("the front-matter names no database; add `[sql]` with `database = \"…\"`")?;
    let databases = call.with_run(|run| run.capabilities().and_then(|all| all.sql.clone()))?;
    Ok((databases.ok_or("there are no databases without a node; `--url` names one")?, database))
}

/// Makes of an error a map that a script can look into.
fn thrown(error: &SqlError) -> HostError {
    if error.kind == SqlErrorKind::Timeout && meter::time_left() < OVER {
        // The database was told when the run ends, and its clock or its answer was faster than ours.
        meter::interrupt(Stop::Deadline);
        return HostError::Stopped;
    }
    let (line, column) = error.position.map(|place| (i64::from(place.line), i64::from(place.column))).unzip();
    HostError::Thrown(Value::map([
        ("kind", error.kind.as_str().into()),
        ("message", error.message.as_str().into()),
        ("hint", error.hint.as_deref().into()),
        ("code", error.code.as_deref().into()),
        ("constraint", error.constraint.as_deref().into()),
        ("line", line.into()),
        ("column", column.into()),
    ]))
}

/// So near to its end, a run is over.
const OVER: Duration = Duration::from_millis(50);

fn deadline() -> Instant {
    monotonic() + meter::time_left()
}

fn cancel() -> CancelFlag {
    meter::cancel_flag().unwrap_or_default()
}

/// The statement of a call whose text is the argument of this number, what a replay compares, and what it may use.
fn statement(call: &mut Call<'_>, database: &DatabaseName, at: usize) -> Result<(Ask, Statement, StatementBounds), HostError> {
    let Value::Array(parameters) = call.take(at + 1) else {
        return of(call, database, at, Vec::new(), Vec::new());
    };
    let secrets = call.secrets();
    let (mut values, mut shown) = (Vec::new(), Vec::new());
    for parameter in parameters {
        shown.push(match &parameter {
            Value::Object(object) => object.0.shown(),
            other => to_json(other, usize::MAX).unwrap_or_default(),
        });
        values.push(match parameter.as_object::<SecretText>() {
            Some(secret) => SqlValue::Text(secret.value(&**secrets.as_ref().ok_or(NO_SECRETS)?)?),
            None => to_sql(parameter)?,
        });
    }
    of(call, database, at, values, shown)
}

fn of(
    call: &mut Call<'_>,
    database: &DatabaseName,
    at: usize,
    values: Vec<SqlValue>,
    shown: Vec<String>,
) -> Result<(Ask, Statement, StatementBounds), HostError> {
    let statement = Statement::new(call.text(at), values);
    let sent = statement.parameters.iter().map(SqlValue::bytes).sum::<usize>() + statement.text.len();
    let ask = Ask::new(EffectKind::Sql, format!("{database} {}", statement.describe())).of(&statement.text).sending(sent);
    let ask = shown.iter().fold(ask, |ask, part| ask.of(part));
    // Rows are held twice for a moment: as they came, and as the run's.
    Ok((ask, statement, StatementBounds { deadline: deadline(), bytes: meter::memory_left() / 2, cancel: cancel() }))
}

/// What a call makes of the rows.
type Reading = fn(&Rows) -> HostResult;

fn ask(call: &mut Call<'_>, reading: Reading) -> HostResult {
    let (databases, database) = reach(call)?;
    let (ask, statement, bounds) = statement(call, &database, 0)?;
    call.effect(
        ask,
        async || databases.query(&database, &statement, bounds.clone()).await,
        |answer| answer.as_ref().map_err(thrown).and_then(reading),
    )?
}

fn ask_within(call: &mut Call<'_>, reading: Reading) -> HostResult {
    let Value::Object(object) = call.take(0) else { return Ok(Value::Unit) };
    let open = object.of::<Open>().ok_or("it is no transaction")?;
    let (ask, statement, bounds) = statement(call, &open.database, 1)?;
    let work = async || match open.transaction.lock().await.as_mut() {
        Some(transaction) => transaction.query(&statement, bounds.clone()).await,
        None => Err(over()),
    };
    call.effect(ask, work, |answer| answer.as_ref().map_err(thrown).and_then(reading))?
}

/// A script has kept a transaction beyond the closure that it was given to.
fn over() -> SqlError {
    SqlError::new(crate::capability::sql::SqlErrorKind::Statement, "the transaction is over")
}

fn transaction(call: &mut Call<'_>) -> HostResult {
    let Value::Closure(work) = call.take(0) else { return Err("`work` is a closure".into()) };
    let (databases, database) = reach(call)?;
    let transaction = Arc::new(Mutex::new(None));
    let began = {
        let ask = Ask::new(EffectKind::Sql, format!("{database} begin"));
        let begin = async || {
            *transaction.lock().await = Some(databases.begin(&database, deadline(), &cancel()).await?);
            Ok(())
        };
        call.effect(ask, begin, |began: &Result<(), SqlError>| began.as_ref().map_err(thrown).copied())?
    };
    began?;
    let open = Object::new(Open { database: database.clone(), transaction: transaction.clone() });
    call.with_run(|run| run.in_transaction = true)?;
    let result = call.call_back(&work, vec![open.into()]);
    call.with_run(|run| run.in_transaction = false)?;
    let (word, is_kept) = if result.is_ok() { ("commit", true) } else { ("rollback", false) };
    let end = async || match transaction.lock().await.take() {
        Some(transaction) if is_kept => transaction.commit().await,
        Some(transaction) => {
            transaction.rollback().await;
            Ok(())
        }
        None => Ok(()),
    };
    let ended = call.effect(Ask::new(EffectKind::Sql, format!("{database} {word}")), end, |ended| ended.as_ref().map_err(thrown).copied());
    let result = result?;
    ended??;
    Ok(result)
}

fn rows(answer: &Rows) -> HostResult {
    answer.rows.iter().map(|row| map_of(&answer.columns, row)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn one(answer: &Rows) -> HostResult {
    match &*answer.rows {
        [] => Ok(Value::Unit),
        [row] => map_of(&answer.columns, row),
        more => Err(format!("the statement gave {} rows, and one is wanted", more.len()).into()),
    }
}

fn value(answer: &Rows) -> HostResult {
    answer.rows.first().and_then(|row| row.first()).map_or(Ok(Value::Unit), of_sql)
}

fn affected(answer: &Rows) -> HostResult {
    Ok(Value::Int(answer.affected.cast_signed()))
}

fn map_of(columns: &[String], row: &[SqlValue]) -> HostResult {
    let mut map = Map::new();
    for (column, value) in columns.iter().zip(row) {
        map.insert(column.as_str().into(), of_sql(value)?);
    }
    Ok(Value::Map(map))
}

/// Gives a value of a script to a database.
fn to_sql(value: Value) -> Result<SqlValue, HostError> {
    Ok(match value {
        Value::Unit => SqlValue::Null,
        Value::Bool(truth) => SqlValue::Bool(truth),
        Value::Int(number) => SqlValue::Int(number),
        Value::Float(number) => SqlValue::Float(number),
        Value::Text(text) => SqlValue::Text(text.to_string()),
        Value::Blob(bytes) => SqlValue::Blob(bytes),
        Value::Array(items) => SqlValue::Array(items.into_iter().map(to_sql).collect::<Result<_, _>>()?),
        map @ Value::Map(_) => SqlValue::Json(to_json(&map, usize::MAX)?),
        Value::Object(object) => match (object.of::<Time>(), object.0.json()) {
            (Some(time), _) => SqlValue::Timestamp(time.us()),
            (None, Some(json)) => to_sql(json)?,
            (None, None) => return Err(format!("a value of type {} cannot be a parameter", object.0.class()).into()),
        },
        other => return Err(format!("{} cannot be a parameter", other.type_word()).into()),
    })
}

/// Gives a value of a database to a script.
fn of_sql(value: &SqlValue) -> HostResult {
    Ok(match value {
        SqlValue::Null => Value::Unit,
        SqlValue::Bool(truth) => (*truth).into(),
        SqlValue::Int(number) => (*number).into(),
        SqlValue::Float(number) => (*number).into(),
        SqlValue::Text(text) | SqlValue::Numeric(text) => text.as_str().into(),
        SqlValue::Blob(bytes) => bytes.clone().into(),
        SqlValue::Timestamp(us) => Time::of_us(*us).ok_or("a time is beyond the years from -9999 to 9999")?.into(),
        SqlValue::Uuid(uuid) => uuid.to_string().into(),
        SqlValue::Json(text) => from_json(text)?,
        SqlValue::Array(items) => Value::Array(items.iter().map(of_sql).collect::<Result<_, _>>()?),
    })
}
