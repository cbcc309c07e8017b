//! Databases as functions see them.

use serde_json::json;

use crate::kit::{
    node::{Setup, node},
    store::on_both_nodes,
};

on_both_nodes! {
    a_time_of_a_row_is_a_time
    an_error_is_a_map_that_says_what_to_do
    what_goes_around_an_open_transaction_is_refused
}

const CONFIG: &str = "[databases.app]\nurl = \"sqlite\"\n";
const EVENTS: &str = "CREATE TABLE events (id INTEGER PRIMARY KEY, at TIMESTAMP NOT NULL UNIQUE);";

/// A function that uses the database.
fn script(body: &str) -> String {
    format!("+++\n[sql]\ndatabase = \"app\"\n+++\n{body}")
}

fn a_time_of_a_row_is_a_time(on: impl Fn(Setup) -> Setup) {
    let body = r#"
        let at = time::parse("2026-11-23T10:04:05.678901+01:00");
        sql::exec("INSERT INTO events VALUES ($1, $2)", [1, at]);
        sql::exec("INSERT INTO events VALUES ($1, $2)", [2, "2026-11-23T11:00:00Z"]);
        let event = sql::one("SELECT id, at FROM events WHERE at = $1", [at]);
        #{
            event: event, is_same: event.at == at, later: event.at.add("1d").format("%F"), berlin: event.at.in_zone("Europe/Berlin"),
            hours: sql::query("SELECT at FROM events WHERE at >= $1 ORDER BY at", [event.at]).map(|event| event.at.hour),
            text: `${sql::value("SELECT at FROM events WHERE id = 1")}`,
        }"#;
    let node = on(node(&[("_sql/app/0001_events.sql", EVENTS), ("at.post.rhai", &script(body))]).config(CONFIG)).start();
    node.wait_for_status("/at", 405);
    assert_eq!(
        node.send("POST", "/at", &[], b"").json(),
        json!({
            "event": { "id": 1, "at": "2026-11-23T09:04:05.678901+00:00" },
            "is_same": true,
            "later": "2026-11-24",
            "berlin": "2026-11-23T10:04:05.678901+01:00",
            "hours": [9, 11],
            "text": "2026-11-23T09:04:05.678901+00:00",
        })
    );
}

fn what_goes_around_an_open_transaction_is_refused(on: impl Fn(Setup) -> Setup) {
    let around = r#"
        try {
            sql::transaction(|tx| {
                tx.exec("INSERT INTO events VALUES (1, '2026-11-23T11:00:00Z')");
                sql::exec("INSERT INTO events VALUES (2, '2026-11-23T12:00:00Z')");
            });
        } catch (error) {
            return error;
        }"#;
    let count = r#"sql::transaction(|tx| 1); sql::value("SELECT count(*) FROM events")"#;
    let files = [("_sql/app/0001_events.sql", EVENTS.to_owned()), ("around.rhai", script(around)), ("count.rhai", script(count))];
    let node = on(node(&files.each_ref().map(|(path, text)| (*path, text.as_str()))).config(CONFIG)).start();
    node.wait_for_status("/around", 200);
    let error = node.get("/around").json();
    assert_eq!(error["kind"], "invalid", "{error}");
    assert!(error["message"].as_str().unwrap().contains("call its own functions, such as `tx.exec(…)`"), "{error}");
    assert_eq!(node.get("/count").text(), "0");
}

fn an_error_is_a_map_that_says_what_to_do(on: impl Fn(Setup) -> Setup) {
    let caught = |statement: &str| {
        script(&format!("let text = {statement:?};\ntry {{ return sql::query(text); }} catch (error) {{ return error; }}"))
    };
    let files = [
        ("_sql/app/0001_events.sql", EVENTS.to_owned()),
        ("wrong.rhai", caught("SELECT id\n  FORM events")),
        ("twice.rhai", caught("SELECT a.id, b.id FROM events AS a JOIN events AS b ON a.id = b.id")),
        ("uncaught.rhai", script(r#"sql::value("SELECT id AS n, at AS n FROM events")"#)),
    ];
    let node = on(node(&files.each_ref().map(|(path, text)| (*path, text.as_str()))).config(CONFIG)).start();
    node.wait_for_status("/uncaught", 502);
    let wrong = node.get("/wrong").json();
    assert_eq!((&wrong["kind"], &wrong["code"], &wrong["line"]), (&json!("statement"), &json!("42601"), &json!(2)), "{wrong}");
    assert!(wrong["column"].is_u64() && wrong["constraint"].is_null(), "{wrong}");
    let twice = node.get("/twice").json();
    assert_eq!(
        (&twice["message"], &twice["hint"], &twice["code"]),
        (&json!("two columns of the answer have the name `id`"), &json!("give one of them another name with `AS`"), &json!("42701"))
    );
    assert!(node.wait_for_line(&["two columns of the answer have the name `n`"]).contains("another name with `AS`"));
}
