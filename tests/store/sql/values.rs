//! Values go in and come back as what they are.

use std::sync::atomic::{AtomicUsize, Ordering};

use picloud::capability::sql::{Rows, SqlError, SqlErrorKind, SqlValue, Statement};

use super::{App, generous};
use crate::kit::store::{Fresh, on_both};

on_both! {
    every_kind_of_value_comes_back
    null_is_null_in_every_column
    numbers_keep_their_digits
}

const US: i64 = 1_795_424_645_678_901;

fn text(text: &str) -> SqlValue {
    SqlValue::Text(text.into())
}

/// Writes a value into a column of this type, and reads it.
async fn through(app: &App, kind: &str, value: SqlValue) -> Result<SqlValue, SqlError> {
    // A table of its own: what is prepared for one is kept.
    static TABLES: AtomicUsize = AtomicUsize::new(0);
    let table = format!("t{}", TABLES.fetch_add(1, Ordering::Relaxed));
    let mut transaction = app.begin().await;
    transaction.query(&Statement::new(format!("CREATE TABLE {table} (v {kind})"), []), generous()).await?;
    transaction.query(&Statement::new(format!("INSERT INTO {table} VALUES ($1)"), [value]), generous()).await?;
    let Rows { rows, .. } = transaction.query(&Statement::new(format!("SELECT v FROM {table}"), []), generous()).await?;
    transaction.rollback().await;
    Ok(rows[0][0].clone())
}

async fn every_kind_of_value_comes_back(fresh: Fresh) {
    let app = App::new(fresh);
    let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    for (kind, value) in [
        ("BOOLEAN", SqlValue::Bool(true)),
        ("BIGINT", SqlValue::Int(i64::MIN)),
        ("DOUBLE PRECISION", SqlValue::Float(0.1)),
        ("TEXT", text("é\u{1F600}'\"\\")),
        ("TIMESTAMP", SqlValue::Timestamp(US)),
        ("UUID", SqlValue::Uuid(uuid.parse().unwrap())),
        ("JSON", SqlValue::Json("{\"a\":[1,null]}".into())),
        (if app.is_sqlite() { "BLOB" } else { "BYTEA" }, SqlValue::Blob(vec![0, 1, 255])),
    ] {
        assert_eq!(through(&app, kind, value.clone()).await.unwrap(), value, "{kind}");
    }
    // Texts as people write them.
    assert_eq!(through(&app, "UUID", text(uuid)).await.unwrap(), SqlValue::Uuid(uuid.parse().unwrap()));
    assert_eq!(through(&app, "TIMESTAMP", text("2026-11-23T09:04:05.678901Z")).await.unwrap(), SqlValue::Timestamp(US));
    assert_eq!(through(&app, "BIGINT", text("-5")).await.unwrap(), SqlValue::Int(-5));
}

async fn null_is_null_in_every_column(fresh: Fresh) {
    let app = App::new(fresh);
    for kind in ["BOOLEAN", "INTEGER", "TEXT", "TIMESTAMP", "UUID", "JSON", "NUMERIC"] {
        assert_eq!(through(&app, kind, SqlValue::Null).await.unwrap(), SqlValue::Null, "{kind}");
    }
}

async fn numbers_keep_their_digits(fresh: Fresh) {
    let app = App::new(fresh);
    let digits = "123456789012345678901234567890.12";
    let kind = if app.is_sqlite() { "TEXT" } else { "NUMERIC" };
    let back = through(&app, kind, SqlValue::Numeric(digits.into())).await.unwrap();
    assert_eq!(back, if app.is_sqlite() { text(digits) } else { SqlValue::Numeric(digits.into()) });
    let count = app.value("SELECT count(*) FROM (SELECT 1 AS a) AS b WHERE a = 1").await;
    assert_eq!(count, SqlValue::Int(1));
}

#[tokio::test]
async fn types_of_postgres_come_as_what_is_nearest() {
    let app = App::new(Fresh::postgres().await);
    app.done("CREATE TYPE mood AS ENUM ('happy', 'sad')").await;
    app.done("CREATE DOMAIN positive AS integer CHECK (VALUE > 0)").await;
    for (sql, value) in [
        ("'happy'::mood", text("happy")),
        ("5::positive", SqlValue::Int(5)),
        ("5::smallint", SqlValue::Int(5)),
        ("0.1::real", SqlValue::Float(0.1)),
        ("'NaN'::numeric", SqlValue::Numeric("NaN".into())),
        ("1.50::numeric(6,2)", SqlValue::Numeric("1.50".into())),
        ("'x'::name", text("x")),
        ("'2026-11-23'::date", text("2026-11-23")),
        ("'infinity'::date", text("infinity")),
        ("'09:04:05.5'::time", text("09:04:05.5")),
        ("'2026-11-23 10:04:05.678901+01'::timestamptz", SqlValue::Timestamp(US)),
        ("'infinity'::timestamptz", text("infinity")),
        ("'1 year 2 days 3 hours'::interval", text("P1Y2DT3H")),
        ("'{\"a\": 1}'::jsonb", SqlValue::Json("{\"a\": 1}".into())),
        ("ARRAY[1, NULL, 3]", SqlValue::Array(vec![SqlValue::Int(1), SqlValue::Null, SqlValue::Int(3)])),
        (
            "ARRAY[[1, 2], [3, 4]]",
            SqlValue::Array(vec![
                SqlValue::Array(vec![SqlValue::Int(1), SqlValue::Int(2)]),
                SqlValue::Array(vec![SqlValue::Int(3), SqlValue::Int(4)]),
            ]),
        ),
        ("ARRAY[]::text[]", SqlValue::Array(vec![])),
        ("pg_sleep(0)", SqlValue::Null),
        ("pg_typeof(1)::text", text("integer")),
    ] {
        assert_eq!(app.value(&format!("SELECT {sql}")).await, value, "{sql}");
    }
    for (kind, value, back) in [
        ("mood", text("sad"), text("sad")),
        ("positive", SqlValue::Int(7), SqlValue::Int(7)),
        ("smallint", text("7"), SqlValue::Int(7)),
        ("numeric", SqlValue::Float(0.1), SqlValue::Numeric("0.1".into())),
        ("date", text("2026-11-23"), text("2026-11-23")),
        ("date", SqlValue::Timestamp(US), text("2026-11-23")),
        ("time", text("09:04:05"), text("09:04:05")),
        ("timestamptz", text("2026-11-23 10:04:05.678901+01"), SqlValue::Timestamp(US)),
        ("jsonb", SqlValue::Array(vec![SqlValue::Int(1), text("a")]), SqlValue::Json("[1, \"a\"]".into())),
        ("integer[]", SqlValue::Array(vec![SqlValue::Int(1), SqlValue::Null]), SqlValue::Array(vec![SqlValue::Int(1), SqlValue::Null])),
        ("mood[]", SqlValue::Array(vec![text("sad")]), SqlValue::Array(vec![text("sad")])),
        ("text", SqlValue::Int(5), text("5")),
        ("varchar(3)", text("abc"), text("abc")),
    ] {
        assert_eq!(through(&app, kind, value).await.unwrap(), back, "{kind}");
    }
}

#[tokio::test]
async fn a_type_without_a_form_is_read_and_written_as_text() {
    let app = App::new(Fresh::postgres().await);
    let error = app.refused("SELECT '10.0.0.1'::inet AS address").await;
    assert_eq!(error.message, "the column `address` has the type `inet`, which has no form here");
    assert_eq!(error.hint.as_deref(), Some("read it as text: `CAST(address AS text)`"));
    assert_eq!(app.value("SELECT CAST('10.0.0.1'::inet AS text)").await, text("10.0.0.1/32"));
    let error = through(&app, "inet", text("10.0.0.1")).await.unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("give it as text: `CAST(CAST($1 AS text) AS inet)`"));
    let statement = Statement::new("SELECT CAST(CAST(CAST($1 AS text) AS inet) AS text)", [text("10.0.0.1")]);
    assert_eq!(app.run(&statement).await.unwrap().rows, [[text("10.0.0.1/32")]]);
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_told_without_itself() {
    let app = App::new(Fresh::postgres().await);
    for (kind, value) in
        [("integer", text("sesame")), ("smallint", SqlValue::Int(70_000)), ("uuid", text("sesame")), ("bytea", SqlValue::Int(1))]
    {
        let error = through(&app, kind, value).await.unwrap_err();
        assert_eq!(error.kind, SqlErrorKind::Statement);
        assert!(error.message.starts_with("parameter 1 is ") && !format!("{error:?}").contains("sesame"), "{error:?}");
    }
}
