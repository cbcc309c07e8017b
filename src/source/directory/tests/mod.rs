//! Stories of a directory, with real files. Every change that is told must show something different, so each story also proves that
//! nothing is told for nothing.

mod folders;
mod problems;
mod roots;
mod saves;

use std::{fs, path::PathBuf, time::Duration};

use tokio::time::timeout;

use super::*;
use crate::{function::tree::Content, source::SourceError};

/// Ends a test that would wait for ever.
const LIMIT: Duration = Duration::from_secs(30);

struct WatchedFolder {
    /// Holds the root, so that a test can put something in its place.
    base: tempfile::TempDir,
    root: PathBuf,
    source: DirectorySource,
    last: Option<Result<Snapshot, String>>,
    /// What was wrong with the watching at the last look.
    problem: Option<String>,
}

impl WatchedFolder {
    /// Watches `root` in a new folder, after that was prepared.
    fn prepared(settings: DirectorySettings, prepare: impl FnOnce(&std::path::Path)) -> Self {
        let base = tempfile::tempdir().unwrap();
        prepare(base.path());
        let root = base.path().join("root");
        let source = DirectorySource::new(root.clone(), settings);
        Self { base, root, source, last: None, problem: None }
    }

    /// Watches a root that holds `files`, each with its own path as content.
    fn with(settings: DirectorySettings, files: &[&str]) -> Self {
        Self::prepared(settings, |base| {
            fs::create_dir(base.join("root")).unwrap();
            files.iter().for_each(|path| write(&base.join("root").join(path), path));
        })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    async fn look(&mut self) -> Result<Snapshot, String> {
        // First, so that what comes meanwhile counts as different the next time.
        self.problem = self.source.problem();
        let seen = self.source.snapshot().await.map_err(|error: SourceError| error.to_string());
        self.last = Some(seen.clone());
        seen
    }

    /// Waits for the next difference.
    async fn next(&mut self) -> Result<Snapshot, String> {
        let before = match self.last.clone() {
            Some(seen) => seen,
            None => return self.look().await,
        };
        let problem = self.problem.clone();
        let told = self.source.seen.load(Ordering::Relaxed);
        timeout(LIMIT, self.source.changed()).await.expect("a change is told within the limit");
        let seen = self.look().await;
        // Two differences may have been there and back.
        let is_one = self.source.seen.load(Ordering::Relaxed) == told + 1;
        assert!(!is_one || before != seen || problem != self.problem, "a change was told and nothing is different: {seen:?}");
        seen
    }

    /// Waits until the files are as wanted, and returns what was seen on the way.
    async fn until(&mut self, wanted: impl Fn(&Snapshot) -> bool) -> Vec<Snapshot> {
        let mut way = Vec::new();
        if let Some(Ok(now)) = self.last.clone().filter(|seen| seen.as_ref().is_ok_and(&wanted)) {
            return vec![now];
        }
        loop {
            let snapshot = self.next().await.unwrap();
            way.push(snapshot);
            if wanted(&way[way.len() - 1]) {
                return way;
            }
        }
    }

    /// Waits until these are all files, with these contents, and all of them have settled.
    async fn until_files(&mut self, files: &[(&str, &str)]) -> Vec<Snapshot> {
        let is_same = |snapshot: &Snapshot| {
            snapshot.unsettled.is_empty()
                && snapshot.tree.len() == files.len()
                && files.iter().all(|(path, text)| text_of(snapshot, path).as_deref() == Some(*text))
        };
        self.until(is_same).await
    }

    /// Waits until nothing is new, with whatever there is.
    async fn until_settled(&mut self) -> Snapshot {
        self.until(|snapshot| snapshot.unsettled.is_empty()).await.pop().unwrap()
    }

    /// Proves that nothing is told before something else has been saved and has settled.
    async fn nothing_until_a_marker(&mut self) {
        let before = self.until_settled().await;
        self.write("marker.rhai", "marker");
        let marked = |snapshot: &Snapshot| snapshot.unsettled.is_empty() && snapshot.tree.contains_key("marker.rhai");
        for mut snapshot in self.until(marked).await {
            snapshot.tree.remove("marker.rhai");
            assert_eq!(snapshot.tree, before.tree);
            assert_eq!(snapshot.problems, before.problems);
        }
    }
}

fn write(path: &std::path::Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn text_of(snapshot: &Snapshot, path: &str) -> Option<String> {
    snapshot.tree.get(path).map(|content: &Content| String::from_utf8(content.bytes.to_vec()).unwrap())
}

/// Sets the times of a file back, to before any test began.
fn make_old(path: &std::path::Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
}
