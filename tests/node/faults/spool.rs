//! The spool, where executions wait for the database, is full or damaged.

use std::{fs, io::Write, path::PathBuf};

use crate::{
    faults::load::{FILES, ask, ids, lost, wait_for_degraded},
    kit::{
        node::{Node, PATIENCE, node, wait_until},
        proxy::Proxy,
        store::Fresh,
    },
};
use picloud::store::ExecutionFilter;

/// A node whose Postgres is away, with more in its configuration.
struct Story {
    node: Node,
    proxy: Proxy,
    fresh: Fresh,
    runtime: tokio::runtime::Runtime,
}

impl Story {
    fn begin(config: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (fresh, proxy, url) = runtime.block_on(async {
            let fresh = Fresh::postgres().await;
            let (proxy, url) = Proxy::before(&fresh.url).await;
            (fresh, proxy, url)
        });
        let node = node(&FILES).config(config).variable("PICLOUD_DATABASE_URL", &url).start();
        proxy.cut();
        Self { node, proxy, fresh, runtime }
    }

    fn recorded(&self) -> Vec<String> {
        self.runtime.block_on(async {
            let store = self.fresh.open().await;
            let filter = ExecutionFilter { limit: 1_000_000, ..ExecutionFilter::default() };
            let found = store.executions(&filter).await.unwrap();
            store.close().await;
            ids(found)
        })
    }

    /// The files of the spool, oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.node.data().join("spool")).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

#[test]
fn a_full_spool_drops_the_oldest_and_says_how_many() {
    let mut story = Story::begin("[journal]\nspool = \"64KiB\"\n");
    let mut answered = Vec::new();
    wait_until("executions are dropped", PATIENCE, || {
        ask(&story.node, 50, &mut answered);
        lost(&story.node) > 0
    });
    ask(&story.node, 50, &mut answered);
    let on_disk = || story.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>();
    assert!(on_disk() <= 64 << 10, "{} bytes", on_disk());
    story.proxy.restore();
    wait_until("the rest is recorded", PATIENCE, || (story.recorded().len() as u64 + lost(&story.node)) == answered.len() as u64);
    let recorded = story.recorded();
    assert_eq!(recorded, answered[answered.len() - recorded.len()..], "the newest are there, each once and in order");
    story.node.wait_for_state("ready");
    story.node.stop();
}

#[test]
fn a_damaged_spool_costs_the_damaged_lines_and_no_other() {
    let mut story = Story::begin("[journal]\nspool = \"1MiB\"\n");
    let mut answered = Vec::new();
    ask(&story.node, 60, &mut answered);
    wait_for_degraded(&story.node, "wait on disk for the database");
    // An end in order leaves everything in the spool.
    story.node.stop();
    let spooled = fs::read_to_string(story.files().last().unwrap()).unwrap();
    let lines: Vec<&str> = spooled.lines().collect();
    assert!(lines.len() >= 20, "{} lines", lines.len());
    let mut file = fs::File::create(story.files().last().unwrap()).unwrap();
    for (number, line) in lines.iter().enumerate() {
        match number {
            // Overwritten, and torn off where the process or the machine ended.
            5 => file.write_all(b"\xff\x00\xfegarbage\n").unwrap(),
            number if number + 1 == lines.len() => file.write_all(&line.as_bytes()[..line.len() / 2]).unwrap(),
            _ => file.write_all(format!("{line}\n").as_bytes()).unwrap(),
        }
    }
    // Half of a file that was never finished, and one that is nothing at all.
    let folder = story.node.data().join("spool");
    fs::write(folder.join("90000001.jsonl"), &lines[7][..lines[7].len() / 2]).unwrap();
    fs::write(folder.join("90000002.jsonl"), vec![0xa5; 30_000]).unwrap();
    fs::write(folder.join("90000003.jsonl"), "").unwrap();

    story.node.start();
    ask(&story.node, 20, &mut answered);
    story.proxy.restore();
    story.node.wait_for_state("ready");
    ask(&story.node, 20, &mut answered);
    wait_until("all others are recorded", PATIENCE, || story.recorded().len() == answered.len() - 2);
    let missing: Vec<&String> = answered.iter().filter(|id| !story.recorded().contains(id)).collect();
    assert!(missing.iter().all(|id| lines[5].contains(*id) || lines[lines.len() - 1].contains(*id)), "{missing:?}");
    assert_eq!(lost(&story.node), 4, "two lines, half a file, and a file of garbage");
    assert!(story.files().is_empty());
    story.node.stop();
}
