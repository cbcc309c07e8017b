//! A real node for stories: the built binary on a folder of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use picloud::{
    clock::monotonic,
    execution::Execution,
    store::{ExecutionFilter, Store},
};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    client::{Client, Response},
    machine,
};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition; fails, saying for what, if it does not come to hold in time.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let began = monotonic();
    while !condition() {
        assert!(began.elapsed() < limit, "waited {limit:?} for this: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// How a node is to be started.
pub struct Setup {
    folder: TempDir,
    /// What runs the program: a command that ends in becoming it.
    wrapper: Vec<String>,
    /// Whether it sees mounts that nobody else does.
    has_own_mounts: bool,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// Begins the description of a node with these function files.
pub fn node(files: &[(&str, &str)]) -> Setup {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("functions")).unwrap();
    for (path, text) in files {
        write(&folder.path().join("functions").join(path), text);
    }
    Setup { folder, wrapper: Vec::new(), has_own_mounts: false, arguments: Vec::new(), environment: Vec::new() }
}

/// Writes a file in place, and makes the folders above it.
fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Setup {
    /// Adds a `picloud.toml`.
    pub fn config(self, toml: &str) -> Self {
        fs::write(self.folder.path().join("picloud.toml"), toml).unwrap();
        self
    }

    /// Adds an argument of `serve`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Has a shell do something before it becomes the node: `ulimit -n 100`.
    pub fn after(self, prelude: &str) -> Self {
        self.wrapped(&["sh", "-c", &format!("{prelude} && exec \"$@\""), "sh"])
    }

    /// Has it run by this command, which must become it.
    pub fn wrapped(mut self, command: &[&str]) -> Self {
        self.wrapper.extend(command.iter().map(ToString::to_string));
        self
    }

    /// Has it run where these lines of a shell, in the node's folder, were run before: they may mount what nobody else sees.
    pub fn in_own_mounts(mut self, script: &str) -> Self {
        self.has_own_mounts = true;
        let script = format!("set -e\n{script}\nexec \"$@\"");
        let unshare = machine::own_mounts().expect("the story needs `Need::OwnMounts`");
        self.wrapped(&[unshare, &["sh", "-c", &script, "sh"]].concat())
    }

    /// The folder that it is started in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, and waits until it says where it answers.
    pub fn start(self) -> Node {
        let mut node = Node { setup: self, child: None, address: ([127, 0, 0, 1], 0).into(), log: Arc::default() };
        node.start();
        node
    }

    /// Starts what will not say where it answers.
    pub fn begin(self) -> Node {
        let mut node = Node { setup: self, child: None, address: ([127, 0, 0, 1], 0).into(), log: Arc::default() };
        node.spawn();
        node
    }

    /// Starts what cannot run, and returns how it ended and what it said.
    pub fn fail(&self) -> (Option<i32>, String) {
        let mut child = self.command().spawn().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (child.wait().unwrap().code(), said)
    }

    fn command(&self) -> Command {
        let mut words = self.wrapper.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_picloud")]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PICLOUD_")) {
            command.env_remove(name);
        }
        command.arg("serve").current_dir(self.folder.path());
        if !self.arguments.iter().any(|argument| argument == "--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// A node that runs. It is killed when this is dropped.
pub struct Node {
    setup: Setup,
    child: Option<Child>,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Node {
    /// Starts a node with these function files.
    pub fn start_with(files: &[(&str, &str)]) -> Self {
        node(files).start()
    }

    /// Starts it on what is in its folder now.
    pub fn start(&mut self) {
        let before = self.log().len();
        let pid = self.spawn();
        let announcement = self.data().join("node.json");
        let mut url = None;
        wait_until("the node says where it answers", PATIENCE, || {
            if let Some(ended) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                panic!("the node ended: {ended}\n{}", self.log());
            }
            // The file is written before the line, and names the address of the control plane. On a full disk there is only the line.
            let log = self.log()[before..].to_owned();
            let said: Option<Value> = fs::read(&announcement).ok().and_then(|said| serde_json::from_slice(&said).ok());
            url = said.filter(|said| said["pid"] == pid).map(|said| said["url"].as_str().unwrap().to_owned());
            let listening = log.split_once("listening on ").and_then(|(_, rest)| rest.split_once('"'));
            url = url.take().or_else(|| Some(listening?.0.to_owned()));
            url.is_some()
        });
        self.address = url.unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        // On a busy machine it serves before its database is there. A story begins when that is, or is known not to be.
        wait_until("the database answers or refuses", PATIENCE, || {
            !self.get("/_picloud/ready").text().contains("the database has not answered yet")
        });
    }

    /// Starts its process, and returns the id of that.
    fn spawn(&mut self) -> u32 {
        assert!(self.child.is_none(), "it runs already");
        let mut child = self.setup.command().spawn().unwrap();
        let (stderr, log) = (child.stderr.take().unwrap(), self.log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let pid = child.id();
        self.child = Some(child);
        pid
    }

    /// Has its next start differ.
    pub fn change(&mut self, change: impl FnOnce(Setup) -> Setup) {
        self.setup = change(std::mem::replace(&mut self.setup, node(&[])));
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// How many files and sockets it has open.
    pub fn handles(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// The memory that it holds, in MiB.
    pub fn rss_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder that it was started in.
    pub fn folder(&self) -> &Path {
        self.setup.folder()
    }

    /// Whether it sees mounts that nobody else does.
    pub fn has_own_mounts(&self) -> bool {
        self.setup.has_own_mounts
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        let mut arguments = self.setup.arguments.iter().skip_while(|argument| *argument != "--data");
        let data = self.folder().join(arguments.nth(1).map_or(".picloud", String::as_str));
        match &self.child {
            Some(child) if self.setup.has_own_mounts => {
                Path::new(&format!("/proc/{}/root", child.id())).join(data.strip_prefix("/").unwrap())
            }
            _ => data,
        }
    }

    /// The variables of its environment that a command on its database needs, too.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.setup.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the path of a function file.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder().join("functions").join(path)
    }

    /// Saves a function file in place.
    pub fn write(&self, path: &str, text: &str) {
        write(&self.file(path), text);
    }

    /// Saves a function file as careful editors do: another file, renamed over it.
    pub fn replace(&self, path: &str, text: &str) {
        let next = self.file(path).with_extension("next~");
        write(&next, text);
        fs::rename(next, self.file(path)).unwrap();
    }

    /// Deletes a function file.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.file(path)).unwrap();
    }

    /// What it said on stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Opens a connection.
    pub fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// Waits until a line on stderr holds all of these, and returns it.
    #[track_caller]
    pub fn wait_for_line(&self, parts: &[&str]) -> String {
        let mut found = None;
        wait_until(&format!("a line with {parts:?} is in the log"), PATIENCE, || {
            found = self.log().lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned);
            found.is_some()
        });
        found.unwrap()
    }

    /// Asks on a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    /// Asks on a connection of its own.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.client().send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    /// Waits until a function answers so.
    #[track_caller]
    pub fn wait_for(&self, path: &str, text: &str) {
        let mut client = self.client();
        let mut last = String::new();
        wait_until(&format!("{path} answers `{text}`"), PATIENCE, || {
            last = client.get(path).unwrap().text();
            last == text
        });
    }

    /// Waits until a path has this status.
    #[track_caller]
    pub fn wait_for_status(&self, path: &str, status: u16) {
        let mut client = self.client();
        wait_until(&format!("{path} has status {status}"), PATIENCE, || client.get(path).unwrap().status == status);
    }

    /// What `/_picloud/ready` says.
    pub fn ready(&self) -> Value {
        self.get("/_picloud/ready").json()
    }

    /// Waits until it calls itself so: `ready`, `degraded`, `starting`.
    #[track_caller]
    pub fn wait_for_state(&self, state: &str) {
        wait_until(&format!("the node is {state}"), PATIENCE, || self.ready()["status"] == state);
    }

    /// Every execution in its database, newest first.
    pub fn executions(&self) -> Vec<Execution> {
        executions(&self.data())
    }

    /// Waits until its database has an execution like this, and returns it.
    #[track_caller]
    pub fn wait_for_execution(&self, what: &str, is_it: impl Fn(&Execution) -> bool) -> Execution {
        let mut found = None;
        wait_until(&format!("an execution is recorded: {what}"), PATIENCE, || {
            found = self.executions().into_iter().find(&is_it);
            found.is_some()
        });
        found.unwrap()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid() as i32).unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let mut status = None;
        wait_until("the node ends", PATIENCE, || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Ends it in order; fails if it does not end well.
    #[track_caller]
    pub fn stop(&mut self) {
        self.terminate();
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    /// Ends it without warning.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it in order and starts it again on the same folders.
    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the node's log\n{}---", self.log());
        }
    }
}

/// Every execution in a data folder's database, newest first; none while there is no database.
pub fn executions(data: &Path) -> Vec<Execution> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Ok(store) = Store::open_read_only("sqlite", data).await else { return Vec::new() };
        let found = store.executions(&ExecutionFilter { limit: u32::MAX, ..ExecutionFilter::default() }).await;
        store.close().await;
        found.unwrap()
    })
}
