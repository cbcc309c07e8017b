//! A Postgres that a story may stop and start again.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

use super::node::{PATIENCE, wait_until};

/// A server of the story's own, which can be stopped.
pub struct Server {
    folder: TempDir,
    port: u16,
    binaries: PathBuf,
}

impl Server {
    pub fn start() -> Self {
        let binaries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|version| version.path().join("bin"));
        let binaries = binaries.filter(|bin| bin.join("initdb").exists()).max().expect("`scripts/setup test` installs Postgres");
        let folder = TempDir::new().unwrap();
        if rustix::process::geteuid().is_root() {
            // Postgres refuses to run as root.
            assert!(Command::new("chown").arg(user()).arg(folder.path()).status().unwrap().success());
        }
        let mut server = Self { folder, port: 0, binaries };
        let made = server.run("initdb", &["-U", "picloud", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // Somebody else may take the port between the look and the start.
        wait_until("the server starts", PATIENCE, || {
            server.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            server.go_on()
        });
        server
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = match rustix::process::geteuid().is_root() {
            true => Command::new("runuser"),
            false => Command::new("env"),
        };
        if rustix::process::geteuid().is_root() {
            command.args(["-u", user(), "--"]);
        }
        command.arg(self.binaries.join(program)).arg("-D").arg(self.folder.path().join("data")).args(arguments);
        command.current_dir(self.folder.path()).output().unwrap()
    }

    /// Starts it where it was.
    pub fn go_on(&self) -> bool {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off", self.port);
        let log = self.folder.path().join("log");
        self.run("pg_ctl", &["-w", "-t", "30", "-l", log.to_str().unwrap(), "-o", &options, "start"]).status.success()
    }

    /// Stops it: `fast`, or `immediate` as in a crash.
    pub fn stop(&self, mode: &str) {
        let stopped = self.run("pg_ctl", &["-w", "-m", mode, "stop"]);
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
    }

    pub fn url(&self) -> String {
        format!("postgres://picloud@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-w", "-m", "immediate", "stop"]);
    }
}

fn user() -> &'static str {
    match fs::read_to_string("/etc/passwd").unwrap().lines().any(|line| line.starts_with("postgres:")) {
        true => "postgres",
        false => "nobody",
    }
}
