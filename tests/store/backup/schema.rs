//! Nothing of a schema is forgotten, whatever a later migration adds.

use std::collections::BTreeSet;

use picloud::store::{Store, transfer::DatabaseSnapshot};
use sqlx::Connection as _;

use crate::backup::project::{Empty, Kind, wait};

type Names = BTreeSet<(String, String)>;

/// Tables and columns, as the database itself lists them.
async fn listed(url: &str) -> Names {
    let names: Vec<(String, String)> = match url.strip_prefix("sqlite:") {
        Some(path) => {
            let mut connection = sqlx::SqliteConnection::connect(path).await.unwrap();
            let sql = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'";
            sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
        }
        None => {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            let sql =
                "SELECT CAST(table_name AS text), CAST(column_name AS text) FROM information_schema.columns WHERE table_schema = 'public'";
            sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
        }
    };
    names.into_iter().filter(|(table, _)| table != "_sqlx_migrations" && !table.starts_with("sqlite_")).collect()
}

#[test]
fn every_table_and_column_is_moved_on_both_databases() {
    let moved = [Kind::Sqlite, Kind::Postgres].map(|kind| {
        let place = Empty::of(kind);
        wait(async {
            Store::open(&place.url, place.folder()).await.unwrap().close().await;
            let tables = DatabaseSnapshot::open(&place.url, place.folder()).await.unwrap().tables().to_vec();
            let columns = |table: &picloud::store::transfer::TableSchema| {
                let table = table.clone();
                table.columns.into_iter().map(move |column| (table.name.clone(), column.name))
            };
            let names: Names = tables.iter().flat_map(columns).collect();
            assert_eq!(names, listed(&place.url).await, "{kind:?}");
            assert!(tables.iter().all(|table| !table.key.is_empty()));
            tables
        })
    });
    assert!(moved[0].len() >= 9);
    for table in &moved[0] {
        let other = moved[1].iter().find(|other| other.name == table.name).unwrap();
        assert_eq!(table.key, other.key, "the order of rows in `{}`", table.name);
        for column in &table.columns {
            assert!(other.columns.contains(column), "`{}` of `{}` is the same on both", column.name, table.name);
        }
    }
}
