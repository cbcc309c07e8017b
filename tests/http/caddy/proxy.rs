//! A real Caddy with the repository's own Caddyfile, and callers that ask it from this machine or, as far as it can tell, from elsewhere.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::kit::{
    client::Response,
    node::{Node, PATIENCE, Setup, wait_until},
};

/// Where operators ask from.
pub const INSIDE: &str = "127.0.0.1";
/// An address of this machine that is none of the operators'.
pub const OUTSIDE: &str = "127.0.0.2";

/// What a node behind Caddy has in its configuration.
pub const BEHIND: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\", \"::1\"]\n";

/// Nobody, where tests run as root: Caddy needs no privilege.
const NOBODY: u32 = 65_534;
/// Another process may take a port between the look and the start.
const TRIES: usize = 5;

/// A Caddy that runs. It ends with this.
pub struct Caddy {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Caddy {
    /// Starts it in front of a node.
    pub fn before(node: &Node) -> Self {
        Self::with(node.address(), &[])
    }

    /// Starts it in front of what listens there, with these variables of its environment, too.
    pub fn with(node: SocketAddr, variables: &[(&str, &str)]) -> Self {
        (0..TRIES).find_map(|_| Self::start(node, variables)).expect("a port is free")
    }

    fn start(node: SocketAddr, variables: &[(&str, &str)]) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let caddyfile = folder.path().join("Caddyfile");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("caddy/Caddyfile")).unwrap();
        // Its log tells of each request that it sends on.
        fs::write(&caddyfile, text.replacen("{\n", "{\n\tdebug\n", 1)).unwrap();
        let [port, http_port] = free_ports();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&caddyfile).current_dir("/").env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.path());
        for folder_of in ["XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(folder_of, folder.path());
        }
        command.env("PICLOUD_NODE", node.to_string()).env("PICLOUD_CONTROL", node.to_string()).env("PICLOUD_CADDY_ADMIN", "off");
        command.env("PICLOUD_HTTPS_PORT", port.to_string()).env("PICLOUD_HTTP_PORT", http_port.to_string());
        command.envs(variables.iter().copied());
        if rustix::process::geteuid().is_root() {
            for path in [folder.path(), &caddyfile] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.expect("there is no `caddy` on this machine: `./scripts/setup test` installs it");
        let mut caddy = Self { child, folder, port };
        let mut has_ended = false;
        wait_until("Caddy answers", PATIENCE, || {
            has_ended = caddy.child.try_wait().unwrap().is_some();
            has_ended || caddy.answers()
        });
        let log = caddy.log();
        assert!(!has_ended || log.contains("address already in use"), "Caddy ended:\n{log}");
        (!has_ended).then_some(caddy)
    }

    /// Returns whether it has a certificate, and answers what it answers itself.
    fn answers(&self) -> bool {
        let asked = self.curl(OUTSIDE).arg(self.url("/_picloud/none")).output();
        asked.expect("there is no `curl` on this machine: `./scripts/setup test` installs it").status.success()
    }

    /// What it said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The certificate that those trust who ask it.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("caddy/pki/authorities/local/root.crt")
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// Prepares a request from an address of this machine; the URL is still to be added.
    pub fn curl(&self, from: &str) -> Command {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--path-as-is", "--interface", from, "--cacert"]).arg(self.root());
        command.args(["--max-time", "60", "--resolve", &format!("localhost:{}:127.0.0.1", self.port)]);
        command.env_remove("HOME").stdin(Stdio::null());
        command
    }

    /// Asks from an address of this machine, with more arguments of curl.
    #[track_caller]
    pub fn ask(&self, from: &str, path: &str, arguments: &[&str]) -> Response {
        let output = self.curl(from).arg("--include").args(arguments).arg(self.url(path)).output().unwrap();
        assert!(output.status.success(), "{path}: {}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        parse(&output.stdout)
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two ports that nobody listens at.
fn free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.each_ref().map(|listener| listener.local_addr().unwrap().port())
}

/// Has a node listen where it will again after a restart.
pub fn at_one_port(setup: Setup) -> Setup {
    setup.argument("--listen").argument(&format!("127.0.0.1:{}", free_ports()[0]))
}

/// Reads what curl printed: heads that only announce another, the head, the body.
fn parse(mut printed: &[u8]) -> Response {
    loop {
        let end = printed.windows(4).position(|part| part == b"\r\n\r\n").expect("a head has an end");
        let head = std::str::from_utf8(&printed[..end]).unwrap();
        printed = &printed[end + 4..];
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status >= 200 {
            let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
            return Response { status, headers, body: printed.to_vec() };
        }
    }
}
