//! Databases moved with `picloud db copy`.

use picloud::{
    id::{ExecutionId, first_id_at},
    store::{Store, Turn},
};

use crate::{
    backup::project::{Empty, Kind, Project, done, fill, must_be_equal, refused, rows, wait},
    kit::{
        client::Response,
        command::{command, said},
        node::node,
        store::{Fresh, NOW_US, execution, name, rich_execution},
    },
};

/// More than one batch of everything.
const MANY: i64 = 5_000;

#[test]
fn a_database_moves_to_postgres_and_back_row_by_row() {
    let project = Project::with(MANY);
    let (there, back) = (Empty::of(Kind::Postgres), Empty::of(Kind::Sqlite));
    let before = rows("sqlite", &project.data());
    for table in [
        "contents",
        "deployment_files",
        "deployment_functions",
        "deployments",
        "executions",
        "following",
        "kv",
        "kv_namespaces",
        "tokens",
        "versions",
        "words",
    ] {
        assert!(!before[table].is_empty(), "`{table}` has something to lose");
    }
    assert_eq!(before["executions"].len(), MANY as usize);
    let told = done(project.folder(), &["db", "copy", "sqlite", &there.url]);
    assert!(told.contains(&format!("executions            {MANY}  ")), "{told}");
    must_be_equal(&before, &rows(&there.url, there.folder()));
    done(project.folder(), &["db", "copy", &there.url, &back.url]);
    must_be_equal(&before, &rows(&back.url, back.folder()));
    // And within one kind.
    let second = Empty::of(Kind::Postgres);
    done(project.folder(), &["db", "copy", &there.url, &second.url]);
    must_be_equal(&before, &rows(&second.url, second.folder()));
}

#[test]
fn a_copy_goes_on_where_the_other_ended() {
    let project = Project::with(30);
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let there = Empty::of(kind);
        done(project.folder(), &["db", "copy", "sqlite", &there.url]);
        wait(async {
            let store = there.open().await;
            assert_eq!(store.last_id().await.unwrap(), Some(first_id_at(NOW_US) + 29));
            assert_eq!(store.execution(rich_execution(27).id).await.unwrap(), Some(rich_execution(27)));
            // Names that are new get numbers that no other has.
            let new = picloud::execution::Execution { function: name("new"), id: ExecutionId(first_id_at(NOW_US + 9)), ..execution(0) };
            store.append_executions(std::slice::from_ref(&new), Turn::First).await.unwrap();
            assert_eq!(store.execution(new.id).await.unwrap(), Some(new));
            store.close().await;
        });
    }
}

#[test]
fn a_node_on_the_copy_answers_as_before() {
    let mut node = node(&[("a.rhai", "\"one\""), ("who/[name].rhai", "log::info(\"asked\"); ctx.request.params.name")]).start();
    let first = node.get("/a").header("x-picloud-deployment").unwrap().to_owned();
    node.write("a.rhai", "\"two\"");
    node.wait_for("/a", "two");
    let secret = done(node.folder(), &["token", "create", "ann", "--scope", "read"]);
    let bearer = format!("Bearer {}", secret.trim());
    assert_eq!(node.get("/who/ada").text(), "ada");
    node.stop();
    let listings: [&[&str]; 4] = [&["deployments", "--json"], &["executions", "--json"], &["logs", "--json"], &["versions", "a", "--json"]];
    let before = listings.map(|listing| done(node.folder(), listing));
    let there = Empty::of(Kind::Postgres);
    done(node.folder(), &["db", "copy", "sqlite", &there.url]);
    assert_eq!(listings.map(|listing| done(node.folder(), &[listing, &["--database", &there.url]].concat())), before);

    node.change(|setup| setup.argument("--database").argument(&there.url));
    node.start();
    node.wait_for_state("ready");
    let whoami = |token: &str| -> Response { node.send("GET", "/api/admin/whoami", &[("authorization", token)], b"") };
    assert_eq!((node.get("/a").text(), node.get("/who/eve").text()), ("two".into(), "eve".into()));
    assert_eq!((whoami(&bearer).status, whoami("Bearer picloud_0").status), (200, 401));
    let earlier = node.send("GET", &format!("/_picloud/v/{first}/a"), &[("authorization", &bearer)], b"");
    assert_eq!(earlier.text(), "one");
    let parse = |text: &str| serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap();
    let (before, after) = (parse(&before[0]), parse(&done(node.folder(), &["deployments", "--json", "--database", &there.url])));
    assert!(after.ends_with(&before));
    // One that starts before its database answers may note that it did.
    assert!(after.iter().all(|deployment| before.iter().any(|known| known["revision"] == deployment["revision"])));
}

#[test]
fn what_a_node_writes_meanwhile_is_not_half_there() {
    let node = node(&[("a.rhai", "\"one\""), ("b.rhai", "\"one\"")]).start();
    let there = Empty::of(Kind::Postgres);
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = node.client();
            for number in (0..1_000).take_while(|_| !is_done.load(std::sync::atomic::Ordering::Relaxed)) {
                node.write("a.rhai", &format!("\"{number}\""));
                for _ in 0..50 {
                    client.get("/a").unwrap();
                }
            }
        });
        let copied = command(node.folder(), &["db", "copy", "sqlite", &there.url]).output().unwrap();
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(copied.status.success(), "{}", said(&copied));
        assert!(said(&copied).contains("what it writes from now on is not copied"), "{}", said(&copied));
    });
    // Whole deployments, and no execution without its names.
    let data = there.folder();
    let listed = done(data, &["executions", "--limit", "1000000", "--json", "--database", &there.url]);
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&listed).unwrap().len(), rows(&there.url, data)["executions"].len());
    wait(async {
        let store = Store::open(&there.url, data).await.unwrap();
        for deployment in store.deployments(1_000, None).await.unwrap() {
            assert_eq!(store.tree_of(deployment.id).await.unwrap().unwrap().len(), 2);
        }
    });
}

#[test]
fn what_cannot_be_copied_changes_nothing() {
    let project = Project::with(3);
    let there = Empty::of(Kind::Postgres);
    let tame = |said: String| {
        let said = said.replace(there.url.rsplit('/').next().unwrap(), "NAME").replace(there.folder().to_str().unwrap(), "FOLDER");
        let port = there.url.rsplit_once('/').unwrap().0.rsplit_once(':').unwrap().1.to_owned();
        said.replace(&format!(":{port}"), ":PORT")
    };
    let mut told = Vec::new();
    let elsewhere = project.folder();
    let mut refuse = |arguments: &[&str]| told.push(tame(refused(elsewhere, &[&["db", "copy"], arguments].concat())));
    refuse(&["sqlite:none.db", &there.url]);
    refuse(&["sqlite", "mysql://db/picloud"]);
    refuse(&["sqlite", "sqlite"]);
    assert!(there.is_empty());
    // A database of somebody else, and one that a node has used.
    let foreign = wait(Fresh::postgres());
    wait(async {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&foreign.url).await.unwrap();
        sqlx::query("CREATE TABLE theirs (id BIGINT)").execute(&mut connection).await.unwrap();
    });
    let name = foreign.url.rsplit('/').next().unwrap().to_owned();
    let said = refused(elsewhere, &["db", "copy", "sqlite", &foreign.url]);
    assert!(said.contains(&format!("the database at `{name}` on postgres at ")) && said.contains("is not empty"), "{said}");
    let used = Empty::of(Kind::Sqlite);
    wait(async {
        let store = used.open().await;
        fill(&store, 1).await;
        store.close().await;
    });
    let before = rows(&used.url, used.folder());
    assert!(refused(elsewhere, &["db", "copy", "sqlite", &used.url]).contains("is not empty"));
    must_be_equal(&before, &rows(&used.url, used.folder()));
    // Of another version of the program.
    wait(async {
        let store = sqlx::SqlitePool::connect(&used.url).await.unwrap();
        sqlx::query("UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
            .execute(&store)
            .await
            .unwrap();
        store.close().await;
    });
    let said = refused(elsewhere, &["db", "copy", &used.url, &there.url]);
    assert!(said.contains("has schema 9999") && said.contains("use the program that the node runs"), "{said}");
    assert!(there.is_empty());
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_copy_that_breaks_off_is_taken_back_and_can_be_tried_again() {
    let project = Project::with(2_000);
    // What Postgres cannot hold, in the last of the rows.
    let change = |sql: &'static str| {
        wait(async {
            let store = sqlx::SqlitePool::connect(&format!("sqlite:{}", project.data().join("picloud.db").display())).await.unwrap();
            sqlx::query(sql).execute(&store).await.unwrap();
            store.close().await;
        });
    };
    change("UPDATE executions SET path = '/a' || char(0) WHERE id = (SELECT MAX(id) FROM executions)");
    let there = Empty::of(Kind::Postgres);
    let said = refused(project.folder(), &["db", "copy", "sqlite", &there.url]);
    assert!(said.contains("cannot write the table `executions`"), "{said}");
    assert!(rows(&there.url, there.folder()).values().all(Vec::is_empty), "its tables are there, and empty");
    change("UPDATE executions SET path = '/a' WHERE id = (SELECT MAX(id) FROM executions)");
    done(project.folder(), &["db", "copy", "sqlite", &there.url]);
    must_be_equal(&rows("sqlite", &project.data()), &rows(&there.url, there.folder()));
}

#[test]
fn on_a_terminal_it_says_how_far_it_has_come() {
    let project = Project::with(MANY);
    let there = Empty::of(Kind::Sqlite);
    let copy = format!("{} db copy sqlite {}", env!("CARGO_BIN_EXE_picloud"), there.url);
    // From util-linux: runs a command on a terminal of its own.
    let shown = std::process::Command::new("script").args(["-qec", &copy, "/dev/null"]).current_dir(project.folder()).output().unwrap();
    assert!(shown.status.success(), "{}", said(&shown));
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&format!("\r\u{1b}[Kexecutions: {MANY} of {MANY}")), "{shown:?}");
}

#[test]
fn a_password_needs_no_argument() {
    let project = Project::with(3);
    let there = Empty::of(Kind::Postgres);
    let copied = command(project.folder(), &["db", "copy", "sqlite"]).env("PICLOUD_DATABASE_URL", &there.url).output().unwrap();
    assert!(copied.status.success(), "{}", said(&copied));
    assert!(!there.is_empty());
}
