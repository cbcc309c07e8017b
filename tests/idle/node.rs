//! A node with nothing to do does nothing. Alone in its binary, so that no other test keeps the machine's timers busy.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use sqlx::{Connection as _, PgConnection};

use crate::kit::{
    node::{Node, node},
    store::on_postgres,
};

const SECOND: Duration = Duration::from_secs(1);

/// What the threads of a process have done: clock ticks of all, and how often each went to sleep by its own will.
#[derive(Debug, Clone, PartialEq)]
struct Activity {
    ticks: u64,
    sleeps: BTreeMap<String, u64>,
}

fn activity(pid: u32) -> Activity {
    let mut activity = Activity { ticks: 0, sleeps: BTreeMap::new() };
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|task| task.unwrap().path()) {
        // A thread may end between the listing and the look.
        let (Ok(stat), Ok(status)) = (fs::read_to_string(task.join("stat")), fs::read_to_string(task.join("status"))) else { continue };
        // The name, in parentheses, may hold spaces; utime and stime are the 14th and 15th field.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        activity.ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        let name = status.lines().next().unwrap().trim_start_matches("Name:").trim();
        let thread = task.file_name().unwrap().to_str().unwrap();
        activity.sleeps.insert(format!("{name} {thread}"), line.split_whitespace().nth(1).unwrap().parse().unwrap());
    }
    activity
}

/// The examples, with a hundred schedules and twenty handlers of events: none of them is due, and nothing happens.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = ["hello.rhai", "compute.get.rhai"]
        .map(|file| (file.to_owned(), fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("functions").join(file)).unwrap()))
        .into();
    let yearly = |day: usize| format!("+++\n[[schedule]]\ncron = \"0 0 {} 2 *\"\n+++\n()", day % 28 + 1);
    files.extend((0..100).map(|number| (format!("_cron/job{number}.rhai"), yearly(number))));
    files.extend((0..20).map(|number| (format!("_events/topic{number}.rhai"), "()".into())));
    files
}

/// Has a node run functions on both ways; so everything that is started by work has been.
fn work(node: &Node) {
    let mut client = node.client();
    for path in ["/hello", "/hello", "/compute"] {
        assert_eq!(client.get(path).unwrap().status, 200);
    }
}

#[test]
fn a_node_with_nothing_to_do_does_nothing() {
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let node = node(&files).start();
    work(&node);
    node.wait_for_execution("the work", |execution| execution.path == "/compute");
    // Settled: the pool's thread has ended, and two looks a second apart agree.
    let mut before = activity(node.pid());
    let settles = (0..20).any(|_| {
        std::thread::sleep(SECOND);
        let now = activity(node.pid());
        let has_pool = now.sleeps.keys().any(|thread| thread.starts_with("run "));
        std::mem::replace(&mut before, now.clone()) == now && !has_pool
    });
    assert!(settles, "it does not come to rest: {before:?}");
    std::thread::sleep(10 * SECOND);
    assert_eq!(activity(node.pid()), before);
}

/// Returns the sessions of a database, each with the beginning of its last statement.
fn statements(url: &str) -> Vec<(i32, String)> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let sessions = "SELECT pid, COALESCE(CAST(query_start AS text), '') || query FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        sqlx::query_as(sessions).fetch_all(&mut connection).await.unwrap()
    })
}

#[test]
fn a_node_with_nothing_to_do_asks_postgres_nothing() {
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let node = on_postgres()(node(&files)).start();
    work(&node);
    let url = node.variables().find(|(name, _)| *name == "PICLOUD_DATABASE_URL").unwrap().1;
    let mut before = statements(url);
    let settles = (0..20).any(|_| {
        std::thread::sleep(SECOND);
        let now = statements(url);
        std::mem::replace(&mut before, now.clone()) == now
    });
    assert!(settles && !before.is_empty(), "it does not come to rest: {before:?}");
    // Shorter than the minute after which the queue is looked at again. Sessions that nobody needs may end.
    std::thread::sleep(10 * SECOND);
    let after = statements(url);
    assert!(after.iter().all(|session| before.contains(session)), "{before:?} became {after:?}");
}
