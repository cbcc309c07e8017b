//! What a push costs, by the number of functions; and a thousand pushes in a row under load. `cargo bench --bench push`.

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use support::{Server, function, median, now, wrk};

/// One-file pushes for each figure.
const PUSHES: usize = 15;
/// Pushes in a row under load.
const IN_A_ROW: usize = 1_000;

fn main() {
    // `cargo test --benches` only wants to see that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!(
        "| functions | first push: whole ms | ref moved → live ms | one-file push: whole ms | ref moved → live ms | restart ms | restart, database gone ms |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    if !std::env::args().any(|argument| argument == "row") {
        for count in [10, 1_000, 10_000] {
            measure(count);
        }
    }
    in_a_row();
}

/// A node that hosts its repository, and a working copy to push from.
struct Pushed {
    folder: tempfile::TempDir,
    node: Option<Server>,
}

const CONFIG: &str = "[source]\nkind = \"git\"\n";

impl Pushed {
    fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..count {
            let group = folder.path().join(format!("copy/functions/g{}", number / 100));
            fs::create_dir_all(&group).unwrap();
            fs::write(group.join(format!("f{number}.rhai")), function(number)).unwrap();
        }
        let node = Server::configured(folder.path(), CONFIG);
        let pushed = Self { folder, node: Some(node) };
        pushed.git(&["init", "--quiet", "--initial-branch=main"]);
        pushed
    }

    fn copy(&self) -> std::path::PathBuf {
        self.folder.path().join("copy")
    }

    fn node(&self) -> &Server {
        self.node.as_ref().unwrap()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(self.copy()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").stdin(Stdio::null());
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "gc.auto=0"]).args(arguments);
        let output = git.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {said}");
        said
    }

    /// Commits and pushes. Returns the time that the whole push took, and the part after the branch had moved, in milliseconds.
    fn push(&self) -> (f64, f64) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=change"]);
        let token = fs::read_to_string(self.folder.path().join("data/admin-token")).unwrap();
        let url = format!("http://x:{}@{}/functions.git", token.trim(), self.node().address);
        let began = now();
        let said = self.git(&["push", "--quiet", &url, "main"]);
        let whole = began.elapsed().as_secs_f64() * 1e3;
        let live = said.split(" in ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|ms| ms.parse().ok());
        (whole, live.unwrap_or_else(|| panic!("not live: {said}")))
    }

    fn restart(&mut self) -> f64 {
        self.node.take().unwrap().stop();
        self.node = Some(Server::configured(self.folder.path(), CONFIG));
        self.node().ready.as_secs_f64() * 1e3
    }

    fn change(&self, round: usize) {
        let path = self.copy().join("functions/g0/f5.rhai");
        fs::write(path, format!("\"round {round}\"")).unwrap();
    }
}

fn measure(count: usize) {
    let mut pushed = Pushed::new(count);
    let (first, first_live) = pushed.push();
    let (whole, live): (Vec<f64>, Vec<f64>) = (0..PUSHES)
        .map(|round| {
            pushed.change(round);
            pushed.push()
        })
        .unzip();
    let restart = median((0..3).map(|_| pushed.restart()).collect());
    pushed.node.take().unwrap().stop();
    remove_database(pushed.folder.path());
    pushed.node = Some(Server::configured(pushed.folder.path(), CONFIG));
    let cold = pushed.node().ready.as_secs_f64() * 1e3;
    println!("| {count} | {first:.0} | {first_live:.0} | {:.0} | {:.0} | {restart:.0} | {cold:.0} |", median(whole), median(live));
}

fn remove_database(folder: &Path) {
    for file in ["picloud.db", "picloud.db-wal", "picloud.db-shm"] {
        let _ = fs::remove_file(folder.join("data").join(file));
    }
}

/// Pushes a thousand times while requests come. `cargo bench --bench push -- row` does only this.
fn in_a_row() {
    let pushed = Pushed::new(10);
    pushed.push();
    let node = pushed.node();
    let url = format!("http://{}/g0/f7", node.address);
    // Load alone takes memory: what is asked for here is what pushes add.
    wrk(&url, 8, 20, &[]);
    let (rss, handles) = (node.rss_mib(), node.handles());
    let (load, whole) = std::thread::scope(|scope| {
        let pushes = scope.spawn(|| {
            let began = now();
            for round in 0..IN_A_ROW {
                pushed.change(round);
                pushed.push();
            }
            began.elapsed().as_secs_f64()
        });
        let mut loads = Vec::new();
        while !pushes.is_finished() {
            loads.push(wrk(&url, 8, 5, &[]));
        }
        (loads, pushes.join().unwrap())
    });
    let requests: u64 = load.iter().map(|load| load.requests).sum();
    let failed = load.iter().filter(|load| load.errors.is_some()).count();
    let loose = fs::read_dir(pushed.folder.path().join("data/functions.git/objects")).unwrap();
    let loose: usize = loose
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().len() == 2)
        .map(|entry| fs::read_dir(entry.path()).unwrap().count())
        .sum();
    println!(
        "\n{IN_A_ROW} pushes in a row in {whole:.0} s beside {requests} requests; rounds of load with a failed request: {failed}; memory {rss:.0} → {:.0} MiB, handles {handles} → {}, loose objects {loose}",
        node.rss_mib(),
        node.handles(),
    );
}
