//! Many pushes, and large ones, to a repository that the node hosts.

use std::{
    fs,
    io::Read as _,
    sync::atomic::{AtomicBool, Ordering},
};

use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use crate::kit::{
    api::admin,
    command::said,
    git::{Checkout, git},
    node::{Node, PATIENCE, wait_until},
    story::{hosted, url},
};

/// What a node may need above what it has when it does nothing.
const MEMORY_BYTES: u64 = 64 << 20;

/// A line of `/proc/PID/status`.
fn told_by_system(node: &Node, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

/// Connections that read the database. They are opened when they are needed first, and stay; each has a thread and two files.
const READERS: usize = 4;

/// Open files and threads of the node.
fn handles(node: &Node) -> (usize, u64) {
    (fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count(), told_by_system(node, "Threads"))
}

fn push_number(node: &Node, checkout: &Checkout, number: usize) {
    checkout.commit(&[("functions/hello.rhai", number.to_string().as_bytes())]);
    checkout.done(&["push", "--quiet", &url(node, &admin(node)), "main"]);
}

/// Asks until it is told to stop; the answers never go back, and none fails.
fn keep_asking(node: &Node, stop: &AtomicBool) -> usize {
    let (mut client, mut last, mut asked) = (node.client(), 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let answer = client.get("/hello").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let number: usize = answer.text().parse().unwrap();
        assert!(number >= last, "{number} after {last}");
        (last, asked) = (number, asked + 1);
    }
    asked
}

#[test]
fn a_push_of_fifty_megabytes_takes_little_memory() {
    let node = hosted().start();
    let checkout = Checkout::empty();
    push_number(&node, &checkout, 1);
    let idle = told_by_system(&node, "VmHWM") * 1024;
    let mut large = Vec::new();
    fs::File::open("/dev/urandom").unwrap().take(50 << 20).read_to_end(&mut large).unwrap();
    checkout.commit(&[("large.bin", &large), ("functions/hello.rhai", b"2")]);
    checkout.done(&["push", "--quiet", &url(&node, &admin(&node)), "main"]);
    assert_eq!(node.get("/hello").text(), "2");
    // And back out.
    let clone = Checkout::of(&url(&node, &admin(&node)));
    assert!(fs::read(clone.folder().join("large.bin")).unwrap() == large);
    let peak = told_by_system(&node, "VmHWM") * 1024;
    assert!(peak <= idle + MEMORY_BYTES, "{} MiB above {} MiB", (peak - idle) >> 20, idle >> 20);
}

#[test]
fn thirty_pushes_disturb_nobody_and_leave_nothing_open() {
    let node = hosted().start();
    let checkout = Checkout::empty();
    for number in 1..=5 {
        push_number(&node, &checkout, number);
    }
    let (stop, before) = (AtomicBool::new(false), handles(&node));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2).map(|_| scope.spawn(|| keep_asking(&node, &stop))).collect();
        for number in 6..=35 {
            push_number(&node, &checkout, number);
        }
        stop.store(true, Ordering::Relaxed);
        let asked: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(asked > 100, "{asked}");
    });
    assert_eq!(node.get("/hello").text(), "35");
    wait_until("no more is open than before", PATIENCE, || {
        let now = handles(&node);
        now.0 <= before.0 + 2 * READERS && now.1 <= before.1 + READERS as u64
    });
    // The thirty-first finds a repository that is in order.
    let counted = || {
        let counted = git(&node.data().join("functions.git")).args(["count-objects", "-v"]).output().unwrap();
        let counted = String::from_utf8(counted.stdout).unwrap();
        let number =
            |name: &str| counted.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse::<u64>().ok()).unwrap();
        (number("count"), number("packs"), number("garbage"))
    };
    wait_until("it is packed", PATIENCE, || matches!(counted(), (0..600, 0..=20, 0)));
}

#[test]
fn many_objects_are_packed_between_pushes() {
    let node = hosted().start();
    let checkout = Checkout::empty();
    let packed = || {
        let packs = fs::read_dir(node.data().join("functions.git/objects/pack")).unwrap();
        packs.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|kind| kind == "pack")).count()
    };
    // Fewer than git leaves in a pack, so that each becomes a file.
    for number in 0..12 {
        let files: Vec<(String, String)> = (0..80).map(|file| (format!("notes/{number}/{file}"), format!("{number} {file}"))).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
        checkout.commit(&files);
        push_number(&node, &checkout, number);
    }
    wait_until("it is packed", PATIENCE, || packed() > 0);
    assert_eq!(node.get("/hello").text(), "11");
    Checkout::of(&url(&node, &admin(&node))).done(&["fsck", "--strict"]);
}

#[test]
fn a_node_that_restarts_in_the_middle_of_a_series_goes_on() {
    let mut node = hosted().start();
    let checkout = Checkout::empty();
    for number in 1..=12 {
        push_number(&node, &checkout, number);
        assert_eq!(node.get("/hello").text(), number.to_string());
        match number % 4 {
            0 => node.restart(),
            2 => {
                node.kill();
                let place = format!("http://x:{}@{}/functions.git", admin(&node), node.address());
                checkout.commit(&[("functions/hello.rhai", b"0")]);
                assert!(checkout.refused(&["push", &place, "main"]).contains("unable to access"));
                checkout.done(&["reset", "--quiet", "--hard", "HEAD~1"]);
                node.start();
            }
            _ => continue,
        }
        assert_eq!(node.get("/hello").text(), number.to_string(), "after the restart");
    }
}

#[test]
fn a_push_while_the_database_is_locked_hears_so() {
    let node = hosted().start();
    let checkout = Checkout::empty();
    push_number(&node, &checkout, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lock = runtime.block_on(async {
        let mut other = SqliteConnectOptions::new().filename(node.data().join("picloud.db")).connect().await.unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
        other
    });
    let commit = checkout.commit(&[("functions/hello.rhai", b"2")]);
    let output = checkout.run(&["push", &url(&node, &admin(&node)), "main"]);
    let told = said(&output);
    assert!(told.contains("is not live: the deployment of ") && told.contains("waits for the database and goes live"), "{told}");
    assert_eq!(node.get("/hello").text(), "1");
    assert_eq!(node.ready()["status"], "degraded");
    runtime.block_on(lock.close()).unwrap();
    wait_until("it goes live when the database is free", PATIENCE, || node.get("/hello").text() == "2");
    node.wait_for_state("ready");
    assert_eq!(checkout.done(&["ls-remote", &url(&node, &admin(&node)), "main"]).split('\t').next(), Some(&*commit));
}
