//! What several stories of faults need: load, a disk that is full, what a process has used.

use std::{
    fs::{self, File},
    io::{self, Write},
    panic,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use picloud::{clock::monotonic, execution::Execution};
use serde_json::Value;

use crate::kit::{
    machine,
    node::{Node, PATIENCE, wait_until},
};

/// The functions of most stories: one that tells what is live, and one that tells which execution it is.
pub const FILES: [(&str, &str); 2] = [("n.rhai", "\"one\""), ("id.rhai", "ctx.execution_id")];

/// Asks for executions and notes which were answered.
#[track_caller]
pub fn ask(node: &Node, times: usize, answered: &mut Vec<String>) {
    let mut client = node.client();
    for _ in 0..times {
        let response = client.get("/id").unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        answered.push(response.text());
    }
}

/// Prepares a command where a node runs, with the mounts that it sees.
pub fn beside(node: &Node, program: &str) -> Command {
    let mut command = match node.has_own_mounts() {
        true => {
            let mut command = Command::new("nsenter");
            command.args(["--target", &node.pid().to_string()]).args(machine::into_own_mounts());
            command.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(node.folder()).arg(program);
            command
        }
        false => {
            let mut command = Command::new(program);
            command.current_dir(node.folder());
            command
        }
    };
    command.stdin(Stdio::null());
    command
}

/// Runs a command of the program where a node runs.
pub fn picloud(node: &Node, arguments: &[&str]) -> Output {
    beside(node, env!("CARGO_BIN_EXE_picloud")).args(arguments).output().unwrap()
}

/// The ids of every execution of `/id` in a node's database, oldest first; none while it cannot be read.
pub fn recorded(node: &Node) -> Vec<String> {
    let listed = picloud(node, &["executions", "--function", "id", "--limit", "1000000", "--json"]);
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap_or_default();
    listed.iter().rev().map(|execution| execution["id"].as_str().unwrap().to_owned()).collect()
}

/// How many executions of any function are in a node's database.
pub fn all_recorded(node: &Node) -> u64 {
    let listed = picloud(node, &["executions", "--limit", "1000000", "--json"]);
    serde_json::from_slice(&listed.stdout).map_or(0, |listed: Vec<Value>| listed.len() as u64)
}

/// The ids of executions of `/id`, oldest first.
pub fn ids(executions: Vec<Execution>) -> Vec<String> {
    executions.iter().rev().filter(|execution| execution.path == "/id").map(|execution| execution.id.to_string()).collect()
}

/// Everything that `/_picloud/ready` says is not as it should be.
pub fn degraded(node: &Node) -> String {
    node.ready()["degraded"].to_string()
}

/// Waits until that has this in it, and returns it.
#[track_caller]
pub fn wait_for_degraded(node: &Node, part: &str) -> String {
    let mut said = String::new();
    wait_until(&format!("the node says `{part}`"), PATIENCE, || {
        said = degraded(node);
        said.contains(part)
    });
    said
}

/// Executions that the node says are lost.
pub fn lost(node: &Node) -> u64 {
    node.ready()["lost_executions"].as_u64().unwrap()
}

/// Fills the disk that a folder is on with one file, and returns what deletes it.
pub fn fill(folder: &Path) -> Ballast<'_> {
    let mut file = File::create(folder.join("ballast")).unwrap();
    for size in [1 << 16, 1 << 12, 1 << 9, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    Ballast(folder)
}

/// A file that fills a disk.
pub struct Ballast<'a>(&'a Path);

impl Ballast<'_> {
    pub fn drop_it(self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

/// Lets time pass, in which nothing is expected to happen.
pub fn let_pass(time: Duration) {
    let began = monotonic();
    wait_until("time passes", PATIENCE.max(time * 2), || began.elapsed() >= time);
}

/// The CPU time that a process has used.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // User and system time, in hundredths of a second.
    Duration::from_millis(10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()))
}

/// The CPU time that a process uses in this time.
pub fn cpu_in(pid: u32, time: Duration) -> Duration {
    let before = cpu_time(pid);
    let_pass(time);
    cpu_time(pid) - before
}

/// A number from `/proc/PID/status`, in KiB where it has a unit.
pub fn status_of(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// An answer that came to a client under load.
pub struct Answered {
    pub id: String,
    pub text: String,
    pub deployment: String,
    pub at: Instant,
}

/// Clients that ask one path over and over, each on its own connection, until they are told to stop or their connection ends.
#[derive(Default)]
pub struct Load {
    stop: AtomicBool,
    answered: Mutex<Vec<Answered>>,
}

impl Load {
    /// Starts the clients.
    pub fn start<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        node: &Node,
        clients: usize,
        path: &'static str,
    ) -> Clients<'scope> {
        let address = node.address();
        (0..clients)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = crate::kit::client::Client::to(address);
                    while !self.stop.load(Ordering::Relaxed) {
                        let response = client.get(path)?;
                        let header = |name| response.header(name).unwrap().to_owned();
                        assert_eq!(response.status, 200, "{}", response.text());
                        let (id, deployment) = (header("x-picloud-execution"), header("x-picloud-deployment"));
                        self.answered.lock().unwrap().push(Answered { id, text: response.text(), deployment, at: monotonic() });
                    }
                    Ok(())
                })
            })
            .collect()
    }

    /// How many answers have come.
    pub fn count(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    /// Waits until so many more have come.
    #[track_caller]
    pub fn wait_for_more(&self, more: usize) {
        let before = self.count();
        wait_until("answers come", PATIENCE, || self.count() >= before + more);
    }

    /// Does the work of a story while the clients ask, and stops them at its end, however that comes.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let done = panic::catch_unwind(panic::AssertUnwindSafe(work));
        self.stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    /// What came.
    pub fn answered(self) -> Vec<Answered> {
        self.answered.into_inner().unwrap()
    }
}

/// The threads of a load; each ends with how its connection did.
pub type Clients<'scope> = Vec<ScopedJoinHandle<'scope, io::Result<()>>>;

/// Checks a node's own database, whether the node runs or not.
#[track_caller]
pub fn assert_whole(node: &Node) {
    use sqlx::{Connection, SqliteConnection};
    let copy = tempfile::tempdir().unwrap();
    for name in ["picloud.db", "picloud.db-wal"] {
        let _ = fs::copy(node.data().join(name), copy.path().join(name));
    }
    let url = format!("sqlite://{}", copy.path().join("picloud.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found: Vec<String> = runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let found = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        found
    });
    assert_eq!(found, ["ok"]);
}
