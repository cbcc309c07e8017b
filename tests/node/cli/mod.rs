//! The command line as people use it: the real program in a folder of its own.

mod addresses;
mod check;
mod dev;
mod doctor;
mod hidden;
mod history;
mod invoke;
mod project;
mod status;
mod token;
mod usage;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

/// A folder in which commands run.
struct Folder(tempfile::TempDir);

impl Folder {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with a new project in it.
    fn project() -> Self {
        let folder = Self::empty();
        folder.done(&["init"]);
        folder
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
        command.args(arguments).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and returns what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must end with this code, and returns what it told on stderr.
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.run(arguments).stdout).unwrap()
    }
}

/// A node on a folder; stopped when dropped.
struct Node {
    process: Child,
    address: String,
}

impl Node {
    fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &["--listen", "127.0.0.1:0"])
    }

    fn start_with(folder: &Folder, arguments: &[&str]) -> Self {
        Self::of(folder, folder.command(&[&["serve"], arguments].concat()))
    }

    /// Starts it by this command.
    fn of(folder: &Folder, mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::null()).spawn().unwrap();
        let announcement = folder.0.path().join(".picloud/node.json");
        let url = wait(|| {
            assert!(process.try_wait().unwrap().is_none(), "the node ended");
            let announcement: Value = serde_json::from_slice(&fs::read(&announcement).ok()?).ok()?;
            Some(announcement["url"].as_str()?.to_owned())
        });
        let node = Self { process, address: url.strip_prefix("http://").unwrap().into() };
        // On a busy machine it serves before its database is there; commands that follow want to read it.
        wait(|| (!node.get("/_picloud/ready").contains("the database has not answered yet")).then_some(()));
        node
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends a form.
    fn post(&self, path: &str, form: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = form.len();
        let head = "host: x\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded";
        write!(stream, "POST {path} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{form}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until there is something, for half a minute at most.
#[expect(clippy::disallowed_methods, reason = "a test waits by the clock")]
fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < end, "it did not come to be within half a minute");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
