//! `picloud.emit`: sessions of Postgres emit events inside their transactions.

use std::{fs, path::Path};

use picloud::function::topic::TOPIC_HINT;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgDatabaseError};
use tokio::runtime::Runtime;

use crate::kit::{
    api::Api,
    command::picloud,
    node::{Node, PATIENCE, node, wait_until},
    store::on_postgres,
};

/// Notes every event that it handles in the key-value store, in their order.
const NOTES: &str = "+++\n[kv]\nname = \"notes\"\n+++\nkv::update(\"seen\", |seen| (seen ?? []) + [ctx.event.payload]);";
/// The file of a handler of topic `a`.
const A: &str = "_events/a.rhai";

fn start(files: &[(&str, &str)]) -> Node {
    on_postgres()(node(files)).start()
}

/// Another program, with a session of its own.
struct Session {
    runtime: Runtime,
    connection: PgConnection,
}

impl Session {
    fn of(node: &Node) -> Self {
        Self::at(url(node))
    }

    fn at(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(PgConnection::connect(url)).unwrap();
        Self { runtime, connection }
    }

    fn run(&mut self, sql: &str) {
        self.try_run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn try_run(&mut self, sql: &str) -> sqlx::Result<()> {
        self.runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection)).map(drop)
    }

    fn text(&mut self, sql: &str) -> String {
        self.runtime.block_on(sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.connection)).unwrap()
    }

    fn count(&mut self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM public.{table}");
        self.runtime.block_on(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.connection)).unwrap()
    }

    /// Runs what is refused. Returns the code, and the message with its hint.
    #[track_caller]
    fn refused(&mut self, sql: &str) -> (String, String) {
        let error = self.try_run(sql).expect_err(sql);
        let error = error.as_database_error().unwrap().downcast_ref::<PgDatabaseError>();
        (error.code().to_owned(), format!("{}; {}", error.message(), error.hint().unwrap_or("no hint")))
    }
}

fn url(node: &Node) -> &str {
    node.variables().find(|(name, _)| *name == "PICLOUD_DATABASE_URL").unwrap().1
}

/// A login role of a name that no other test has, and the URL of the database for it.
fn role(node: &Node, session: &mut Session) -> (String, String) {
    let name = format!("app_{}", uuid::Uuid::now_v7().simple());
    session.run(&format!("CREATE ROLE {name} LOGIN"));
    (name.clone(), url(node).replace("//picloud@", &format!("//{name}@")))
}

#[track_caller]
fn wait_for_notes(api: &Api, expected: &Value) {
    wait_until("the handlers have run", PATIENCE, || api.get("/api/admin/kv/notes/seen").json()["value"] == *expected);
}

#[test]
fn what_sql_emits_is_handled_when_its_transaction_is_committed() {
    let handler = NOTES
        .replace("+++\nkv", "[[on]]\ntopic = \"orders.*\"\n+++\nkv")
        .replace("[ctx.event.payload]", "[[ctx.event.payload, ctx.event.emitted_by, ctx.event.key, ctx.event.depth]]");
    let node = start(&[("orders.rhai", &handler)]);
    let (api, mut open, mut other) = (Api::of(&node), Session::of(&node), Session::of(&node));
    let by = |payload: Value, key: Value| json!([payload, { "database": true }, key, 1]);
    open.run("BEGIN; SELECT picloud.emit('orders.created', '{\"n\": 1}', 'k')");
    let id = other.text("SELECT picloud.emit('orders.paid')");
    let mut expected = vec![by(json!(null), json!(null))];
    wait_for_notes(&api, &json!(expected));
    assert_eq!(api.get(&format!("/api/admin/events?id={id}")).json()["events"][0]["emitted_by"], "database");
    // A later one was taken meanwhile: the earlier one is not passed over.
    open.run("COMMIT");
    expected.push(by(json!({ "n": 1 }), json!("k")));
    wait_for_notes(&api, &json!(expected));
    // What is rolled back was never there.
    open.run("BEGIN; SELECT picloud.emit('orders.created', '2'); ROLLBACK");
    open.run(
        "BEGIN; SAVEPOINT a; SELECT picloud.emit('orders.created', '3'); ROLLBACK TO a; SELECT picloud.emit('orders.created', '4'); COMMIT",
    );
    expected.push(by(json!(4), json!(null)));
    wait_for_notes(&api, &json!(expected));
    assert_eq!((other.count("inbox"), other.count("events")), (0, 3));
}

#[test]
fn a_transaction_that_emits_more_than_may_wait_is_taken_in_parts() {
    let setup = node(&[(A, NOTES)]).config("[events]\nmax_waiting = 20\n");
    let node = on_postgres()(setup).start();
    let api = Api::of(&node);
    Session::of(&node).run("SELECT COUNT(picloud.emit('a', '1')) FROM generate_series(1, 31)");
    wait_for_notes(&api, &json!(vec![1; 31]));
}

#[test]
fn what_sql_emits_while_no_node_runs_or_listens_is_taken() {
    let mut node = start(&[(A, NOTES)]);
    let mut session = Session::of(&node);
    node.stop();
    session.run("SELECT picloud.emit('a', '1', delay => '1 second'); SELECT picloud.emit('a', '2', delay => NULL)");
    assert_eq!(session.count("inbox"), 2);
    node.start();
    let api = Api::of(&node);
    wait_until("both have run", PATIENCE, || {
        api.get("/api/admin/kv/notes/seen").json()["value"].as_array().is_some_and(|seen| seen.len() == 2)
    });
    // Sooner than after a minute, so it listens again.
    let listener = "SELECT CAST(pid AS text) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let before = session.text(listener);
    session.run(&format!("SELECT pg_terminate_backend({before})"));
    wait_until("it listens again", PATIENCE, || {
        let now: Option<String> = session.runtime.block_on(sqlx::query_scalar(listener).fetch_optional(&mut session.connection)).unwrap();
        now.is_some_and(|now| now != before)
    });
    session.run("SELECT picloud.emit('a', '3')");
    wait_until("the third has run", PATIENCE, || api.get("/api/admin/kv/notes/seen").json()["value"][2] == 3);
}

#[test]
fn sql_is_told_what_is_wrong_with_an_event() {
    let handler = NOTES.replace("+++\nkv", "[[on]]\ntopic = \"**\"\n+++\nkv").replace("ctx.event.payload", "type_of(ctx.event.payload)");
    let node = start(&[("all.rhai", &handler)]);
    let (api, mut session) = (Api::of(&node), Session::of(&node));
    let nested = |depth: usize| format!("'{}{}'", "[".repeat(depth), "]".repeat(depth));
    let largest = "to_jsonb(repeat('x', 262142))";
    let (bad, limit) = ("22023", "54000");
    for (arguments, code, told) in [
        ("'A B', '1'".into(), bad, format!("'A B' is no topic; {TOPIC_HINT}")),
        ("NULL, '1'".into(), bad, format!("NULL is no topic; {TOPIC_HINT}")),
        ("E'a\\n', '1'".into(), bad, format!("'a\n' is no topic; {TOPIC_HINT}")),
        ("repeat('a', 129), '1'".into(), bad, format!("'{}' is no topic; {TOPIC_HINT}", "a".repeat(129))),
        ("'picloud.event.dead', '1'".into(), bad, "only the node emits on picloud.event.dead; choose another first word".into()),
        (
            "'a', to_jsonb(repeat('x', 262143))".into(),
            limit,
            "the payload has 262145 bytes, and 262144 are allowed; keep it in a table, and emit its key".into(),
        ),
        (format!("'a', {}", nested(127)), limit, "the payload is nested more than 126 deep; emit less of it".into()),
        ("'a', '[1, -1e309]'".into(), bad, "a number of the payload is too large for whoever reads JSON; emit it as text".into()),
        ("'a', '1', ''".into(), bad, "the key has 1 to 256 bytes, without control characters; NULL is no key".into()),
        ("'a', '1', E'\\u0085'".into(), bad, "the key has 1 to 256 bytes, without control characters; NULL is no key".into()),
        ("'a', '1', repeat('ä', 129)".into(), bad, "the key has 1 to 256 bytes, without control characters; NULL is no key".into()),
        (
            "'a', '1', id => repeat('x', 257)".into(),
            bad,
            "the id has 1 to 256 bytes, without control characters; leave it out where one event need not be told from its repetition"
                .into(),
        ),
        (
            "'a', '1', delay => '30 days 1 second'".into(),
            bad,
            "the delay is a time up to 30 days; write delay => interval '5 minutes'".into(),
        ),
        ("'a', '1', delay => '-1 s'".into(), bad, "the delay is a time up to 30 days; write delay => interval '5 minutes'".into()),
    ] as [(String, _, _); 14]
    {
        assert_eq!(session.refused(&format!("SELECT picloud.emit({arguments})")), (code.into(), told), "{arguments}");
    }
    // What is just allowed is handled: the node takes all that the function takes.
    let topic = "a.".repeat(63) + "ab";
    let mut expected = Vec::new();
    for (arguments, kind) in [
        (largest.to_owned(), "string"),
        (nested(126), "array"),
        ("'[1.7e308, 12345678901234567890123456789012345678901234567890]'".into(), "array"),
        ("'1', repeat('ä', 128), '0', repeat('x', 256)".into(), "i64"),
    ] {
        session.run(&format!("SELECT picloud.emit('{topic}', {arguments})"));
        expected.push(kind);
        wait_for_notes(&api, &json!(expected));
    }
    session.run("SELECT picloud.emit('a', '1', delay => '30 days')");
    wait_until("it is taken", PATIENCE, || session.count("events") == 5);
    assert!(!node.log().contains("thrown away"), "{}", node.log());
}

#[test]
fn only_roles_with_the_right_emit_and_none_sees_the_inbox() {
    let node = start(&[(A, NOTES)]);
    let mut session = Session::of(&node);
    let (name, url) = role(&node, &mut session);
    let mut app = Session::at(&url);
    let denied = |of: &str| ("42501".into(), format!("permission denied for {of}; no hint"));
    assert_eq!(app.refused("SELECT picloud.emit('a', '1')"), denied("schema picloud"));
    session.run(&format!("GRANT USAGE ON SCHEMA picloud TO {name}"));
    assert_eq!(app.refused("SELECT picloud.emit('a', '1')"), denied("function emit"));
    session.run(&format!("GRANT EXECUTE ON FUNCTION picloud.emit TO {name}"));
    // What a role puts into its path, or makes under the names of what the function calls, is not called.
    app.run(
        "CREATE FUNCTION pg_temp.octet_length(text) RETURNS int LANGUAGE sql AS 'SELECT 1 / 0'; CREATE TEMPORARY TABLE inbox (seq bigint);
         SET search_path = pg_temp, pg_catalog; SELECT picloud.emit('a', '1')",
    );
    wait_for_notes(&Api::of(&node), &json!([1]));
    assert_eq!(app.refused("SELECT * FROM public.inbox"), denied("table inbox"));
    assert_eq!(app.refused("CREATE TABLE picloud.x ()"), denied("schema picloud"));
}

#[test]
fn events_of_sql_have_ids_keys_and_delays_as_others_do() {
    let node = start(&[(A, NOTES), ("_events/b.rhai", "()")]);
    let (api, mut session) = (Api::of(&node), Session::of(&node));
    // The handler of one key gets them in their order, of those with one id the first.
    session.run("SELECT picloud.emit('a', to_jsonb(n), 'k', id => 'id-' || n / 2) FROM generate_series(0, 39) AS n ORDER BY n");
    wait_for_notes(&api, &json!((0..40).step_by(2).collect::<Vec<_>>()));
    assert_eq!(session.text("SELECT picloud.emit('b', delay => '1 hour', id => 'later')"), "later");
    let mut shown = Value::Null;
    wait_until("it waits", PATIENCE, || {
        shown = api.get("/api/admin/events/b/later").json();
        shown["deliveries"][0]["state"] == "waiting"
    });
    session.run("SELECT picloud.emit('b', to_jsonb(n)) FROM generate_series(1, 1000) AS n");
    wait_until("all are taken", PATIENCE, || session.count("inbox") == 0 && session.count("events") == 1_021);
    wait_until("all are done", PATIENCE, || session.count("deliveries") == 1);
}

#[test]
fn what_is_no_event_keeps_no_other_waiting() {
    let mut node = start(&[(A, NOTES)]);
    let mut session = Session::of(&node);
    node.stop();
    session.run("SELECT picloud.emit('a', '1')");
    for values in ["'x', 'A B', NULL, '2', 0", "'', 'a', NULL, '2', 1", "'x', 'a', E'k\\n', '2', 1", "'x', 'a', NULL, 'no JSON', 0"] {
        session.run(&format!("INSERT INTO inbox (id, topic, key, payload, is_named, due_us) VALUES ({values}, 0)"));
    }
    session.run("SELECT picloud.emit('a', '3')");
    node.start();
    let api = Api::of(&node);
    wait_until("both have run", PATIENCE, || {
        api.get("/api/admin/kv/notes/seen").json()["value"].as_array().is_some_and(|seen| seen.len() == 2)
    });
    for why in ["its topic is none", "its id or its key is too long", "its payload is too large, nested too deep, or no JSON"] {
        node.wait_for_line(&["thrown away", why]);
    }
    assert_eq!(session.count("inbox"), 0);
}

#[test]
fn sql_emits_no_more_than_may_wait() {
    let mut node = start(&[(A, NOTES)]);
    let mut session = Session::of(&node);
    node.stop();
    // The ends are far apart, and there is room.
    session.run("SELECT picloud.emit('a', '1')");
    session.run("SELECT setval(pg_get_serial_sequence('inbox', 'seq'), 200000)");
    session.run("SELECT picloud.emit('a', '2')");
    session.run("INSERT INTO inbox (id, topic, payload, is_named, due_us) SELECT 'x', 'b', '1', 0, 0 FROM generate_series(1, 99998)");
    let told = "as many events as the node may leave untaken wait: 100000; does the node run? its log says why it takes none";
    assert_eq!(session.refused("SELECT picloud.emit('a', '3')"), ("53400".into(), told.into()));
    session.run("DELETE FROM inbox WHERE topic = 'b'; SELECT picloud.emit('a', '3')");
    node.start();
    let api = Api::of(&node);
    wait_until("they have run", PATIENCE, || {
        api.get("/api/admin/kv/notes/seen").json()["value"].as_array().is_some_and(|seen| seen.len() == 3)
    });
}

#[test]
fn what_finds_the_queue_full_waits_for_room() {
    let node = on_postgres()(node(&[(A, NOTES)]).config("[events]\nmax_waiting = 2\n")).start();
    let mut session = Session::of(&node);
    session.run("SELECT picloud.emit('a', '1', delay => '1 hour', id => 'first'), picloud.emit('a', '2', delay => '1 hour')");
    wait_until("they are taken", PATIENCE, || session.count("deliveries") == 2);
    session.run("SELECT picloud.emit('a', '3')");
    node.wait_for_line(&["events that SQL emitted wait: the queue is full"]);
    assert_eq!((session.count("inbox"), session.count("deliveries")), (1, 2));
    let api = Api::of(&node);
    let first = api.get("/api/admin/events/a/first").json();
    picloud(&node, &["events", "discard", first["deliveries"][0]["id"].as_str().unwrap()]);
    wait_for_notes(&api, &json!([3]));
}

#[test]
fn what_one_transaction_emits_is_taken_in_parts_where_the_queue_holds_less() {
    let late = "+++\n[[on]]\ntopic = \"late\"\n+++\n()";
    let node = on_postgres()(node(&[(A, NOTES), ("one.rhai", late), ("two.rhai", late)]).config("[events]\nmax_waiting = 3\n")).start();
    let mut session = Session::of(&node);
    session.run("SELECT picloud.emit('a', to_jsonb(n), 'k') FROM generate_series(1, 7) AS n");
    wait_for_notes(&Api::of(&node), &json!([1, 2, 3, 4, 5, 6, 7]));
    wait_until("all are done", PATIENCE, || session.count("inbox") == 0 && session.count("deliveries") == 0);
    // As many as fit, and no more: two deliveries for each.
    session.run("SELECT picloud.emit('late', delay => '1 hour') FROM generate_series(1, 4)");
    wait_until("one is taken", PATIENCE, || session.count("deliveries") == 2);
    node.wait_for_line(&["events that SQL emitted wait: the queue is full"]);
    assert_eq!((session.count("inbox"), session.count("deliveries")), (3, 2));
}

#[test]
fn an_event_with_more_handlers_than_may_wait_is_taken_by_an_empty_queue() {
    let two = NOTES.replace("+++\nkv", "[[on]]\ntopic = \"a\"\n+++\nkv");
    let node = on_postgres()(node(&[(A, NOTES), ("b.rhai", &two)]).config("[events]\nmax_waiting = 1\n")).start();
    Session::of(&node).run("SELECT picloud.emit('a', '1'), picloud.emit('a', '2')");
    wait_for_notes(&Api::of(&node), &json!([1, 1, 2, 2]));
}

#[test]
fn serializable_transactions_emit_beside_one_another() {
    let node = start(&[(A, NOTES)]);
    let (mut one, mut other) = (Session::of(&node), Session::of(&node));
    for session in [&mut one, &mut other] {
        session.run("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT picloud.emit('a', '1')");
    }
    one.run("SELECT picloud.emit('b', '1'); COMMIT");
    other.run("SELECT picloud.emit('b', '1'); COMMIT");
    wait_for_notes(&Api::of(&node), &json!([1, 1]));
}

#[test]
fn the_trigger_of_the_manual_works() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).unwrap();
    let mut blocks = manual.split("```sql\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let (trigger, grants) = (blocks.next().unwrap(), blocks.next().unwrap());
    let node = start(&[("_events/orders.created.rhai", NOTES)]);
    let mut session = Session::of(&node);
    let (name, url) = role(&node, &mut session);
    session.run(trigger);
    session.run(&grants.replace("shop", &name));
    session.run(&format!("GRANT INSERT ON orders TO {name}"));
    Session::at(&url).run("INSERT INTO orders (item) VALUES ('lamp')");
    wait_for_notes(&Api::of(&node), &json!([{ "id": 1, "item": "lamp" }]));
}

#[test]
fn tables_of_others_in_the_database_of_the_node_stay_there() {
    let mut node = start(&[(A, NOTES)]);
    let from = url(&node).to_owned();
    let mut session = Session::of(&node);
    session.run(
        "CREATE TABLE orders (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, item text); INSERT INTO orders (item) VALUES ('lamp');
         CREATE TABLE without_key (at timestamptz DEFAULT now()); INSERT INTO without_key DEFAULT VALUES;
         SELECT picloud.emit('a', '1', delay => '1 hour', id => 'late')",
    );
    wait_until("it is taken", PATIENCE, || session.count("deliveries") == 1);
    node.stop();
    picloud(&node, &["backup", "made.tar.gz", "--database", &from]);
    picloud(&node, &["restore", "made.tar.gz", "--data", "restored", "--database", "sqlite"]);
    let copy = format!("sqlite:{}", node.folder().join("copy.db").display());
    picloud(&node, &["db", "copy", &from, &copy]);
    for path in [node.folder().join("copy.db"), node.folder().join("restored/picloud.db")] {
        session.runtime.block_on(async {
            let mut copy = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
            let sql = "SELECT COUNT(*), (SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('orders', 'without_key')) FROM deliveries";
            assert_eq!(sqlx::query_as::<_, (i64, i64)>(sql).fetch_one(&mut copy).await.unwrap(), (1, 0), "{}", path.display());
        });
    }
    assert_eq!((session.count("orders"), session.count("without_key")), (1, 1));
}

#[test]
fn what_waits_moves_with_a_copy_of_the_database() {
    let mut node = start(&[(A, NOTES)]);
    let (from, to) = (url(&node).to_owned(), format!("sqlite:{}", node.folder().join("copy.db").display()));
    node.stop();
    Session::at(&from).run("SELECT picloud.emit('a', '1')");
    picloud(&node, &["db", "copy", &from, &to]);
    node.change(|setup| setup.variable("PICLOUD_DATABASE_URL", &to));
    node.start();
    wait_for_notes(&Api::of(&node), &json!([1]));
}
