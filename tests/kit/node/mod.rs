//! A real node for stories: the built binary on a folder of its own.

pub mod ask;
mod setup;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use picloud::clock::monotonic;
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

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

    /// CPU time that the threads of its pool have used, in hundredths of a second. While it grows, a script runs there.
    pub fn ticks_of_runs(&self) -> u64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().map_while(Result::ok);
        let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
        let ticks = stats.filter_map(|stat| {
            let (_, fields) = stat.split_once("(run) ")?;
            let fields: Vec<u64> = fields.split_whitespace().skip(11).take(2).map_while(|ticks| ticks.parse().ok()).collect();
            Some(fields.iter().sum::<u64>())
        });
        ticks.sum()
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

    /// What it said on stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid() as i32).unwrap(), signal).unwrap();
    }

    /// Returns whether its process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().expect("it runs").try_wait().unwrap().is_some()
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
