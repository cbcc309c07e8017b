//! The same requests answered by axum and sqlx, with as many connections and as durable. Pools are of two kinds, because one may have more readers
//! than writers.

use std::{fs, path::Path};

use axum::{Json, Router, extract::Query, routing};
use serde::Deserialize;
use serde_json::json;
use sqlx::{
    Pool, Sqlite,
    pool::PoolOptions,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// The first argument that makes this program that server: `bare URL ask|trust FILE` writes its address into FILE. `ask` leaves sqlx's default:
/// a connection is asked whether it answers before each use.
pub const ROLE: &str = "bare";
/// The table of notes and its rows, as the functions have them.
const NOTES: &str = include_str!("functions/_sql/app/0001_notes.sql");
const LINKS: &str = "CREATE TABLE links (name TEXT NOT NULL PRIMARY KEY, url TEXT NOT NULL)";
const URL: &str = "https://example.org/a/path/that/is/as/long/as/those/that/people/want/to/have/shorter";

#[derive(Deserialize)]
struct Row {
    id: i64,
    /// Another one each time. SQLite writes nothing where a row stays as it is.
    #[serde(default)]
    turn: i64,
}

/// The pools for two tables, each a pair of readers and writers. They differ only in their driver.
macro_rules! router {
    ($notes:expr, $links:expr) => {{
        let ((note_readers, note_writers), (link_readers, link_writers)) = ($notes, $links);
        sqlx::raw_sql(NOTES).execute(&note_writers).await.unwrap();
        sqlx::raw_sql(LINKS).execute(&link_writers).await.unwrap();
        let read_note = async move |Query(Row { id, .. }): Query<Row>| {
            let select = "SELECT id, title FROM notes WHERE id = $1";
            let (id, title): (i64, String) = sqlx::query_as(select).bind(id).fetch_one(&note_readers).await.unwrap();
            Json(json!({ "id": id, "title": title }))
        };
        let write_note = async move |Query(Row { id, turn }): Query<Row>| {
            let update = "UPDATE notes SET title = $2 WHERE id = $1";
            let done = sqlx::query(update).bind(id).bind(format!("note {id}, turn {turn}")).execute(&note_writers).await.unwrap();
            Json(json!({ "changed": done.rows_affected() }))
        };
        let read_link = async move |Query(Row { id, .. }): Query<Row>| {
            let select = "SELECT url FROM links WHERE name = $1";
            let url: String = sqlx::query_scalar(select).bind(format!("link:{id}")).fetch_one(&link_readers).await.unwrap();
            Json(json!({ "url": url }))
        };
        let write_link = async move |Query(Row { id, turn }): Query<Row>| {
            let upsert = "INSERT INTO links (name, url) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET url = excluded.url";
            let query = sqlx::query(upsert).bind(format!("link:{id}")).bind(format!("{URL}?id={id}&turn={turn}"));
            query.execute(&link_writers).await.unwrap();
            Json(json!({ "kept": id.to_string() }))
        };
        Router::new()
            .route("/sql/read", routing::get(read_note))
            .route("/sql/write", routing::get(write_note))
            .route("/kv/read", routing::get(read_link))
            .route("/kv/write", routing::get(write_link))
    }};
}

/// Serves until it is ended.
pub fn serve(url: &str, before_use: &str, file: &Path) {
    let asks = before_use == "ask";
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let router = match url.strip_prefix("sqlite:") {
            // Statements of `sql` are as durable as a file of SQLite usually is in this mode; those of `kv` are on the disk.
            Some(folder) => router!(
                file_of(&format!("{folder}/notes.db"), SqliteSynchronous::Normal, 7, asks).await,
                file_of(&format!("{folder}/links.db"), SqliteSynchronous::Full, 4, asks).await
            ),
            None => {
                let pool = async |connections| {
                    let options: PgPoolOptions = PoolOptions::new().max_connections(connections).test_before_acquire(asks);
                    options.connect(url).await.unwrap()
                };
                let notes = pool(8).await;
                router!((notes.clone(), notes), (pool(4).await, pool(6).await))
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        fs::write(file, listener.local_addr().unwrap().to_string()).unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}

/// Opens a file for one writer and some readers.
async fn file_of(path: &str, synchronous: SqliteSynchronous, readers: u32, asks: bool) -> (Pool<Sqlite>, Pool<Sqlite>) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
    let pool = |connections| SqlitePoolOptions::new().max_connections(connections).test_before_acquire(asks);
    let writer = pool(1).connect_with(options.clone()).await.unwrap();
    (pool(readers).connect_lazy_with(options.read_only(true)), writer)
}
