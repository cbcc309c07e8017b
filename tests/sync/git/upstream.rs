//! Repositories elsewhere: one to push from, one that is the remote, and a small HTTP server before it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::Engine as _;
use tempfile::TempDir;

use crate::kit::{
    command::said,
    git::{self, Checkout},
};

/// Runs git and returns what it prints.
#[track_caller]
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = git::git(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A bare repository with one commit on `main`, and a clone to change it from.
pub struct Upstream {
    folder: TempDir,
    checkout: Checkout,
}

impl Upstream {
    /// Makes one whose function `hello` answers `one`.
    pub fn new() -> Self {
        let upstream = Self { folder: TempDir::new().unwrap(), checkout: Checkout::empty() };
        fs::create_dir(upstream.path()).unwrap();
        git::bare(&upstream.path());
        upstream.hello("\"one\"");
        upstream
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("f.git")
    }

    /// The folder that it is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its URL on this machine.
    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Commits this as the function `hello`, and pushes it as `main`. Returns the commit.
    pub fn hello(&self, script: &str) -> String {
        self.push_with("main", &[("functions/hello.rhai", script.as_bytes())])
    }

    /// Commits something and pushes it as this branch. Returns the commit.
    pub fn push(&self, branch: &str) -> String {
        self.push_with(branch, &[])
    }

    fn push_with(&self, branch: &str, files: &[(&str, &[u8])]) -> String {
        let commit = self.checkout.commit(files);
        self.checkout.done(&["push", "--quiet", "--force", self.path().to_str().unwrap(), &format!("HEAD:refs/heads/{branch}")]);
        commit
    }

    /// Replaces the history of `main` by another, whose function `hello` answers so. Returns its commit.
    pub fn rewrite(&self, script: &str) -> String {
        self.checkout.done(&["checkout", "--quiet", "--orphan", "again"]);
        self.checkout.run(&["branch", "--quiet", "-D", "main"]);
        self.checkout.done(&["branch", "--quiet", "-m", "main"]);
        self.hello(script)
    }

    /// Deletes a branch.
    pub fn delete(&self, branch: &str) {
        git(&self.path(), &["update-ref", "-d", &format!("refs/heads/{branch}")]);
    }

    /// Takes it away.
    pub fn leave(&self) {
        fs::rename(self.path(), self.path().with_extension("away")).unwrap();
    }

    /// Brings it back.
    pub fn come_back(&self) {
        fs::rename(self.path().with_extension("away"), self.path()).unwrap();
    }
}

/// Returns the commit that a branch points to.
pub fn commit(repository: &Path, branch: &str) -> Option<String> {
    let refs = git(repository, &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")]);
    Some(refs).filter(|commit| !commit.is_empty())
}

/// Serves the repositories of a folder over HTTP to whoever knows the password. Returns the URL of the folder.
pub fn serve(folder: PathBuf, password: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &folder, password);
        }
    });
    url
}

/// Answers one request through git's own CGI program.
fn answer(mut stream: TcpStream, folder: &Path, password: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let header = |name: &str| head.iter().find_map(|line| line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name)));
    let header = |name: &str| header(name).map_or("", |(_, value)| value);
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("git:{password}")));
    if header("authorization") != basic {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"f\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(refusal.as_bytes()).unwrap();
        return;
    }
    let mut words = head[0].split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .envs([("GIT_PROJECT_ROOT", folder.to_str().unwrap()), ("GIT_HTTP_EXPORT_ALL", "1"), ("REQUEST_METHOD", method)])
        .envs([("PATH_INFO", path), ("QUERY_STRING", query), ("CONTENT_TYPE", header("content-type"))])
        .envs([("HTTP_CONTENT_ENCODING", header("content-encoding")), ("GIT_PROTOCOL", header("git-protocol"))])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&body).unwrap();
    let said = child.wait_with_output().unwrap().stdout;
    let status = match said.strip_prefix(b"Status: ") {
        Some(rest) => String::from_utf8_lossy(&rest[..rest.iter().position(|byte| *byte == b'\r').unwrap()]).into_owned(),
        None => "200 OK".into(),
    };
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\n").as_bytes());
    let _ = stream.write_all(&said);
}

/// Returns the processes whose command line holds this word.
pub fn processes_with(word: &str) -> Vec<String> {
    let commands = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    commands.map(|command| String::from_utf8_lossy(&command).replace('\0', " ")).filter(|command| command.contains(word)).collect()
}
