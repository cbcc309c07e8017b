//! Files that need what a node does not have: a change is refused, and what is live stays live.

use serde_json::{Value, json};

use crate::kit::{
    api::Api,
    command::{command, picloud, said},
    git::Checkout,
    node::{Node, PATIENCE, Setup, node, wait_until},
    store::{Fresh, on_both_nodes},
};

on_both_nodes! {
    a_save_waits_for_its_secret
    a_push_is_refused_until_its_secret_is_set
    an_upload_is_refused_with_the_command_to_run
    what_is_live_stays_live_without_its_secret
    a_database_that_is_not_there_is_a_mistake
}

const PAY: &str = "+++\nsecrets = [\"PAY_KEY\"]\n+++\n2";
const NO_KEY: &str = "pay.rhai:2:12: error: there is no secret `PAY_KEY`";
const HINT: &str = "`picloud secret set PAY_KEY` asks for its value";

fn set_key(node: &Node) {
    let set = Api::of(node).json("PUT", "/api/admin/secrets", &json!({ "values": { "PAY_KEY": "a long value" } }));
    assert_eq!(set.status, 200, "{}", set.text());
}

fn remove_key(node: &Node) {
    let removed = Api::of(node).send("DELETE", "/api/admin/secrets/PAY_KEY?force=true", &[], b"");
    assert_eq!(removed.status, 204, "{}", removed.text());
}

/// What the live deployment and the status say of files.
fn told(node: &Node) -> Vec<String> {
    let status = Api::of(node).status();
    let found = status["diagnostics"].as_array().unwrap().iter();
    found.map(|found| format!("{}: {}: {}", found["file"], found["severity"], found["message"]).replace('"', "")).collect()
}

fn live_id(node: &Node) -> Value {
    Api::of(node).status()["live"]["id"].clone()
}

fn a_save_waits_for_its_secret(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "1"), ("in/b.rhai", "1")])).start();
    node.wait_for("/a", "1");
    node.write("pay.rhai", PAY);
    node.wait_for_line(&[NO_KEY, HINT]);
    node.wait_for_status("/pay", 503);
    // Of a file that is live, what is live stays.
    node.write("a.rhai", &PAY.replace('2', "3"));
    node.wait_for_line(&["a.rhai:2:12: error: there is no secret `PAY_KEY`"]);
    assert_eq!(node.get("/a").text(), "1");
    // A guard that cannot go live opens nothing.
    node.write("in/_middleware.rhai", &PAY.replace('2', "()"));
    node.write("in/c.rhai", "1");
    node.wait_for_line(&["in/_middleware.rhai:2:12: error: there is no secret `PAY_KEY`"]);
    node.wait_for_status("/in/c", 503);
    assert_eq!(node.get("/in/b").text(), "1");
    // No file is touched.
    set_key(&node);
    node.wait_for("/pay", "2");
    node.wait_for("/a", "3");
    node.wait_for("/in/c", "1");
    assert_eq!(told(&node), [""; 0]);
}

/// A node that follows a repository, and a working copy of it.
fn on_git(on: impl Fn(Setup) -> Setup) -> (Node, Checkout) {
    let setup = on(node(&[])).config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n");
    let made = command(setup.folder(), &["init", "--bare", "repo.git"]).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    (setup.start(), Checkout::with(&[("functions/a.rhai", b"1")]))
}

fn a_push_is_refused_until_its_secret_is_set(on: impl Fn(Setup) -> Setup) {
    let (node, checkout) = on_git(on);
    let repository = node.folder().join("repo.git").display().to_string();
    let push = ["push", &repository, "main"];
    checkout.done(&push);
    node.wait_for("/a", "1");
    checkout.commit(&[("functions/a.rhai", b"2"), ("functions/pay.rhai", PAY.as_bytes())]);
    let told = checkout.refused(&push);
    for part in [&format!("functions/{NO_KEY}"), HINT, "nothing was pushed"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(node.get("/a").text(), "1");
    // To another branch it can be pushed, and it is told.
    assert!(said(&checkout.run(&["push", &repository, "main:next"])).contains(NO_KEY));
    set_key(&node);
    checkout.done(&push);
    node.wait_for("/pay", "2");
    // Others can push while the secret is gone again: the file is not theirs.
    remove_key(&node);
    checkout.commit(&[("functions/a.rhai", b"3")]);
    let told = said(&checkout.run(&push));
    assert!(told.contains("functions/pay.rhai:2:12: warning: there is no secret `PAY_KEY`"), "{told}");
    node.wait_for("/a", "3");
    assert_eq!(node.get("/pay").text(), "2");
}

fn an_upload_is_refused_with_the_command_to_run(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "1")])).start();
    let api = Api::of(&node);
    let asked = api.json("POST", "/api/admin/check", &json!({ "name": "pay", "source": PAY })).json();
    assert_eq!((&asked["ok"], &asked["diagnostics"][0]["column"]), (&json!(false), &json!(12)), "{asked}");
    let refused = api.create("pay", PAY);
    let found = &refused.json()["diagnostics"][0];
    assert_eq!((refused.status, &found["message"]), (422, &json!("there is no secret `PAY_KEY`")));
    assert_eq!((&found["line"], &found["hint"]), (&json!(2), &json!(HINT)));
    assert!(!node.file("pay.rhai").exists());
    set_key(&node);
    api.created("pay", PAY);
    assert_eq!(node.get("/pay").text(), "2");
}

fn what_is_live_stays_live_without_its_secret(on: impl Fn(Setup) -> Setup) {
    let warning = "pay.rhai: warning: there is no secret `PAY_KEY`";
    // What a node finds at its first start goes live.
    let mut node = on(node(&[("a.rhai", "1"), ("pay.rhai", PAY)])).start();
    node.wait_for("/pay", "2");
    node.wait_for_line(&["pay.rhai:2:12: warning: there is no secret `PAY_KEY`", HINT]);
    assert_eq!((told(&node), node.ready()["status"].clone()), (vec![warning.to_owned()], json!("ready")));
    let first = live_id(&node);
    // A secret comes and goes, which is no deployment.
    set_key(&node);
    wait_until("the warning is gone", PATIENCE, || told(&node).is_empty());
    remove_key(&node);
    wait_until("the warning is back", PATIENCE, || told(&node) == [warning]);
    assert_eq!(live_id(&node), first);
    // Others are saved beside it, and it comes back after a restart.
    node.write("a.rhai", "3");
    node.wait_for("/a", "3");
    node.restart();
    node.wait_for("/pay", "2");
    assert_eq!(told(&node), [warning]);
    // A new version of it is a change.
    node.write("pay.rhai", &PAY.replace('2', "4"));
    node.wait_for_line(&[NO_KEY]);
    assert_eq!(node.get("/pay").text(), "2");
    node.remove("pay.rhai");
    node.wait_for_status("/pay", 404);
    // Going back is none.
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/pay").text(), "2");
    assert_eq!(told(&node), [warning]);
}

const CONFIG: &str = "[databases.app]\nurl = \"sqlite\"\n";

/// A function that asks a database this.
fn asking(database: &str, statement: &str) -> String {
    format!("+++\n[sql]\ndatabase = \"{database}\"\n+++\nsql::query({statement}).len()")
}

fn a_database_that_is_not_there_is_a_mistake(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("first.rhai", &asking("old", "\"SELECT 1\""))])).config(CONFIG).start();
    node.wait_for_line(&["first.rhai:3:12: warning: this node has no database `old`"]);
    node.write("near.rhai", &asking("ap", "\"SELECT 1\""));
    node.wait_for_line(&["near.rhai:3:12: error: this node has no database `ap`", "did you mean `app`?"]);
    let refused = Api::of(&node).create("far", &asking("billing", "\"SELECT 1\""));
    assert_eq!(refused.status, 422);
    let hint = refused.json()["diagnostics"][0]["hint"].to_string();
    assert!(hint.contains("add it to picloud.toml: `[databases.billing]`"), "{hint}");
    node.write("near.rhai", &asking("app", "\"SELECT 1\""));
    node.wait_for("/near", "1");
}

const NOTES: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT);";

#[test]
fn statements_are_compared_with_the_tables_that_migrations_make() {
    let list = asking("app", "\"SELECT title FROM notes\"");
    let node = node(&[("_sql/app/0001_notes.sql", NOTES), ("list.rhai", &list)]).config(CONFIG).start();
    node.wait_for("/list", "0");
    let api = Api::of(&node);
    let refused = |source: &str| {
        let answer = api.create("new", source);
        assert_eq!(answer.status, 422, "{}", answer.text());
        let found = answer.json()["diagnostics"][0].clone();
        format!("{}:{}:{}: {}", found["file"], found["line"], found["column"], found["message"]).replace('"', "")
    };
    for (statement, told) in [
        ("\"SELECT titel FROM notes\"", "new.rhai:5:20: no such column: titel"),
        ("`SELECT title\n  FROM nots`", "new.rhai:5:12: no such table: nots"),
        ("\"SELEC title FROM notes\"", "new.rhai:5:13: near SELEC: syntax error"),
        ("\"PRAGMA journal_mode\"", "new.rhai:5:12: scripts cannot use this `PRAGMA`"),
    ] {
        assert_eq!(refused(&asking("app", statement)).replace("\\", ""), told, "{statement}");
    }
    let change = "+++\n[sql]\ndatabase = \"app\"\n+++\nlet id = 1;\nsql::transaction(|tx| {\n    tx.exec(\"DELETE FROM notes WHERE idd = $1\", [id]);\n});";
    assert_eq!(refused(change), "new.rhai:7:38: no such column: idd");
    // In a module it is told there.
    let module = json!({ "files": {
        "_lib/notes.rhai": "fn all() {\n    sql::query(\"SELECT body FROM notes\")\n}",
        "f.rhai": "+++\n[sql]\ndatabase = \"app\"\n+++\nimport \"notes\" as notes;\nnotes::all().len()",
    } });
    let found = api.json("POST", "/api/admin/check", &module).json()["diagnostics"][0].clone();
    assert_eq!((&found["file"], &found["line"], &found["column"]), (&json!("_lib/notes.rhai"), &json!(2), &json!(24)));
    // What comes with its migration is right.
    node.write("_sql/app/0002_body.sql", "ALTER TABLE notes ADD COLUMN body TEXT;");
    wait_until("the migration is live", PATIENCE, || api.create("new", &asking("app", "\"SELECT body FROM notes\"")).status == 201);
    // A migration that breaks what is live does not go live.
    node.write("_sql/app/0003_drop.sql", "ALTER TABLE notes DROP COLUMN title;");
    node.wait_for_line(&["list.rhai:5:20: error: no such column: title"]);
    assert_eq!(node.get("/list").text(), "0");
    node.write("list.rhai", &asking("app", "\"SELECT body FROM notes\""));
    wait_until("the column is gone", PATIENCE, || {
        let database = rusqlite::Connection::open(node.data().join("sql/app.db")).unwrap();
        database.prepare("SELECT title FROM notes").is_err()
    });
    node.wait_for("/list", "0");
}

#[test]
fn statements_for_postgres_are_not_looked_at() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    let node = node(&[]).config(&format!("[databases.app]\nurl = {:?}\n", fresh.url)).start();
    Api::of(&node).created("list", &asking("app", "\"SELECT title FROM notes\""));
    assert_eq!(node.get("/list").status, 502);
}

#[test]
fn a_check_without_a_node_knows_tables_and_no_secrets() {
    let good = asking("app", "\"SELECT title FROM notes\"");
    let node = node(&[("_sql/app/0001_notes.sql", NOTES), ("a.rhai", &good), ("pay.rhai", PAY), ("b.rhai", &asking("other", "\"x\""))]);
    let node = node.config(CONFIG);
    let checked = command(node.folder(), &["check"]).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    std::fs::write(node.folder().join("functions/a.rhai"), good.replace("title", "titel")).unwrap();
    let checked = command(node.folder(), &["check"]).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout);
    assert!(!checked.status.success() && told.contains("functions/a.rhai:5:20: error: no such column: titel"), "{told}");
    assert!(!node.folder().join(".picloud/sql").exists());
}
