//! The schema of Postgres that a node's tables are in: it stays the one, whatever schemas come beside it.
//!
//! The user of most of these tests is called `picloud`, so `"$user"` in the search path means the schema of `picloud.emit`.

use picloud::store::{ExecutionFilter, Store, StoreError, Turn};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::kit::{
    postgres::Server,
    store::{Fresh, execution},
};

/// A session of another program with the same user.
struct Other(PgConnection);

impl Other {
    async fn on(fresh: &Fresh) -> Self {
        Self(PgConnection::connect(&fresh.url).await.unwrap())
    }

    async fn run(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn text(&mut self, sql: &str) -> String {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.0).await.unwrap()
    }

    /// The schemas with the tables of a node.
    async fn homes(&mut self) -> String {
        self.text(
            "SELECT COALESCE(string_agg(schemaname, ', ' ORDER BY schemaname), '') FROM pg_tables WHERE tablename = 'deployment_functions'",
        )
        .await
    }

    /// The node that `picloud.emit` is of.
    async fn emits_for(&mut self) -> String {
        self.text("SELECT COALESCE(obj_description(to_regproc('picloud.emit'), 'pg_proc'), 'nobody')").await
    }
}

const OF_PUBLIC: &str = "Emits an event on the PiCloud node in the schema public.";

async fn count(store: &Store) -> usize {
    store.executions(&ExecutionFilter { limit: 9, ..ExecutionFilter::default() }).await.unwrap().len()
}

#[tokio::test]
async fn a_node_finds_its_tables_beside_the_schema_of_its_function() {
    let fresh = Fresh::postgres().await;
    let store = fresh.open().await;
    store.append_executions(&[execution(1)], Turn::First).await.unwrap();
    let mut other = Other::on(&fresh).await;
    assert_eq!((other.homes().await.as_str(), other.emits_for().await.as_str()), ("public", OF_PUBLIC));
    // Other programs of this user make their tables where they did.
    assert_eq!(other.text("SELECT CAST(current_schema() AS text)").await, "public");
    // Without that setting, as in a copy of the database on another server, the path begins with `picloud`.
    other.run("DO $$ BEGIN EXECUTE format('ALTER ROLE picloud IN DATABASE %I RESET search_path', current_database()); END $$").await;
    let mut other = Other::on(&fresh).await;
    assert_eq!(other.text("SELECT CAST(current_schema() AS text)").await, "picloud");
    let again = fresh.open().await;
    again.append_executions(&[execution(2)], Turn::First).await.unwrap();
    assert_eq!((count(&store).await, count(&again).await, other.homes().await.as_str()), (2, 2, "public"));
    let reader = Store::open_read_only(&fresh.url, fresh.folder.path()).await.unwrap();
    assert_eq!(count(&reader).await, 2);
}

#[tokio::test]
async fn a_schema_that_an_administrator_makes_later_moves_no_node() {
    let fresh = Fresh::postgres().await;
    fresh.open().await.append_executions(&[execution(1)], Turn::First).await.unwrap();
    let mut other = Other::on(&fresh).await;
    other.run("DROP SCHEMA picloud CASCADE; ALTER ROLE picloud RESET search_path; CREATE SCHEMA picloud").await;
    assert_eq!(count(&fresh.open().await).await, 1);
    assert_eq!((other.homes().await.as_str(), other.emits_for().await.as_str()), ("public", OF_PUBLIC));
}

#[tokio::test]
async fn a_schema_that_was_made_for_the_user_of_a_new_node_holds_its_tables() {
    let fresh = Fresh::postgres().await;
    Other::on(&fresh).await.run("CREATE SCHEMA picloud").await;
    fresh.open().await.append_executions(&[execution(1)], Turn::First).await.unwrap();
    let mut other = Other::on(&fresh).await;
    assert_eq!(count(&fresh.open().await).await, 1);
    assert_eq!((other.homes().await.as_str(), other.emits_for().await.ends_with(" picloud.")), ("picloud", true));
    other.run("SELECT picloud.emit('a'); SELECT seq FROM picloud.inbox").await;
}

#[tokio::test]
async fn two_nodes_in_two_schemas_have_one_function_and_it_stays_with_the_first() {
    let fresh = Fresh::postgres().await;
    fresh.open().await.append_executions(&[execution(1)], Turn::First).await.unwrap();
    let mut other = Other::on(&fresh).await;
    other.run("CREATE SCHEMA \"the second's\"").await;
    let url = format!("{}?options=-c%20search_path%3D%22the%5C%20second's%22,public", fresh.url);
    let second = Store::open(&url, fresh.folder.path()).await.unwrap();
    assert_eq!((count(&second).await, other.homes().await.as_str()), (0, "public, the second's"));
    assert_eq!(other.emits_for().await, OF_PUBLIC);
    // Where the first is gone, and the function with it, the second has it.
    other.run("DROP FUNCTION picloud.emit").await;
    Store::open(&url, fresh.folder.path()).await.unwrap();
    other.run("SELECT picloud.emit('a')").await;
    assert_eq!(other.text("SELECT topic FROM \"the second's\".inbox").await, "a");
    assert_eq!(other.text("SELECT CAST(COUNT(*) AS text) FROM public.inbox").await, "0");
}

#[tokio::test]
async fn a_function_of_an_earlier_version_is_brought_up_to_date_and_keeps_its_grants() {
    let fresh = Fresh::postgres().await;
    fresh.open().await;
    let mut other = Other::on(&fresh).await;
    let name = format!("app_{}", uuid::Uuid::now_v7().simple());
    other.run(&format!("CREATE ROLE {name}; GRANT EXECUTE ON FUNCTION picloud.emit TO {name}")).await;
    let body = "SELECT md5(prosrc) || CAST(has_function_privilege('NAME', oid, 'EXECUTE') AS text) FROM pg_proc WHERE proname = 'emit'";
    let body = body.replace("NAME", &name);
    let made = other.text(&body).await;
    other
        .run(
            "CREATE OR REPLACE FUNCTION picloud.emit(topic text, payload jsonb DEFAULT 'null', key text DEFAULT NULL,
                 delay interval DEFAULT '0', id text DEFAULT NULL) RETURNS text LANGUAGE sql AS 'SELECT topic'",
        )
        .await;
    assert_ne!(other.text(&body).await, made);
    fresh.open().await;
    assert_eq!(other.text(&body).await, made);
}

#[tokio::test]
async fn a_user_who_may_make_no_schema_has_a_node_without_the_function() {
    let fresh = Fresh::postgres().await;
    let mut other = Other::on(&fresh).await;
    let name = format!("node_{}", uuid::Uuid::now_v7().simple());
    other.run(&format!("CREATE ROLE {name} LOGIN; CREATE SCHEMA {name} AUTHORIZATION {name}")).await;
    let url = fresh.url.replace("//picloud@", &format!("//{name}@"));
    let (store, lease) = Store::open_as_node(&url, fresh.folder.path(), "first").await.unwrap();
    store.append_executions(&[execution(1)], Turn::First).await.unwrap();
    assert_eq!((other.homes().await, other.emits_for().await.as_str()), (name.clone(), "nobody"));
    // It is there at the next start when somebody has made the schema. A second node is refused meanwhile.
    other.run(&format!("CREATE SCHEMA picloud AUTHORIZATION {name}")).await;
    let refused = Store::open_as_node(&url, fresh.folder.path(), "second").await;
    assert!(matches!(refused, Err(StoreError::InUse { .. })));
    drop((store, lease));
    Store::open(&url, fresh.folder.path()).await.unwrap();
    assert!(other.emits_for().await.ends_with(&format!(" {name}.")));
}

#[tokio::test]
async fn a_server_that_knows_no_user_picloud_has_the_function() {
    let server = Server::start();
    let at = |user: &str, database: &str| Fresh {
        url: server.url().replace("picloud@", &format!("{user}@")).replace("/postgres", &format!("/{database}")),
        ..Fresh::sqlite()
    };
    Other::on(&at("picloud", "postgres")).await.run("CREATE ROLE admin SUPERUSER LOGIN").await;
    let mut admin = Other::on(&at("admin", "postgres")).await;
    admin.run("ALTER ROLE picloud RENAME TO another; CREATE ROLE node LOGIN").await;
    admin.run("CREATE DATABASE app OWNER node").await;
    let fresh = at("node", "app");
    fresh.open().await;
    let mut other = Other::on(&fresh).await;
    assert_eq!((other.homes().await.as_str(), other.emits_for().await.as_str()), ("public", OF_PUBLIC));
    other.run("SELECT picloud.emit('a')").await;
}
