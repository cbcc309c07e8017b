//! The copy of a remote repository keeps in line with it, and says why if it does not.

use std::{fs, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use picloud::{
    clock::{Clock as _, SystemClock},
    secret::Secret,
    source::git::{GitSettings, OwnRepository, Remote, Repository, remote::Fetcher},
};
use tempfile::TempDir;

use crate::{
    git::upstream::{Upstream, commit, git, processes_with, serve},
    kit::node::{PATIENCE, wait_until},
};

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3600);

/// A copy of a remote, to be followed.
struct Copy {
    folder: TempDir,
    remote: Remote,
    settings: GitSettings,
}

/// Describes a copy that is brought in line when it is asked to.
fn copy_of(url: &str) -> Copy {
    let remote = Remote { url: url.into(), user: "git".into(), token: None, ssh_key: None, known_hosts: None };
    let settings = GitSettings { repository: Repository::Remote(remote.clone()), interval: NEVER, ..GitSettings::default() };
    Copy { folder: TempDir::new().unwrap(), remote, settings }
}

impl Copy {
    fn follow(&self) -> Fetcher {
        let copy = OwnRepository::in_data(self.folder.path(), "functions.git").unwrap();
        Fetcher::start(&self.settings, self.remote.clone(), copy, Arc::new(SystemClock))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("functions.git")
    }

    fn commit(&self, branch: &str) -> Option<String> {
        commit(&self.path(), branch)
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited for this: {what}"))
}

/// Fetches, and returns what was wrong.
async fn problem(fetcher: &Fetcher) -> String {
    soon("the fetch ends", fetcher.fetch_now()).await;
    fetcher.problem().expect("the fetch fails")
}

async fn fetch(fetcher: &Fetcher) {
    soon("the fetch ends", fetcher.fetch_now()).await;
    assert_eq!(fetcher.problem(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_commit_is_seen_without_being_told() {
    let upstream = Upstream::new();
    let mut copy = copy_of(&upstream.url());
    copy.settings.interval = Duration::from_millis(50);
    let fetcher = copy.follow();
    soon("the first commit is there", fetcher.changed()).await;
    let first = copy.commit("main");
    assert!(first.is_some());
    let second = upstream.push("main");
    soon("the second is there", fetcher.changed()).await;
    assert_eq!((copy.commit("main"), fetcher.problem()), (Some(second), None));
    assert!(fetcher.last_us().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_asked_for_has_what_was_there_before() {
    let upstream = Upstream::new();
    let copy = copy_of(&upstream.url());
    let fetcher = copy.follow();
    for _ in 0..3 {
        let pushed = upstream.push("main");
        fetch(&fetcher).await;
        assert_eq!(copy.commit("main"), Some(pushed));
    }
    // Many who ask at once are served together, and all have the news.
    let pushed = upstream.push("main");
    let many: Vec<_> = (0..40).map(|_| fetcher.clone()).map(|fetcher| tokio::spawn(async move { fetcher.fetch_now().await })).collect();
    for one in many {
        soon("each is answered", one).await.unwrap();
    }
    assert_eq!(copy.commit("main"), Some(pushed));
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten_history_is_followed_and_so_is_another_url() {
    let upstream = Upstream::new();
    let copy = copy_of(&upstream.url());
    let fetcher = copy.follow();
    fetch(&fetcher).await;
    let rewritten = upstream.rewrite("2");
    fetch(&fetcher).await;
    assert_eq!(copy.commit("main"), Some(rewritten));
    drop(fetcher);
    let other = Upstream::new();
    let there = other.push("main");
    let copy = Copy { remote: Remote { url: other.url(), ..copy.remote.clone() }, ..copy };
    fetch(&copy.follow()).await;
    assert_eq!(copy.commit("main"), Some(there));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_branch_is_kept_and_told_and_the_others_go_on() {
    let upstream = Upstream::new();
    upstream.push("feature/a");
    upstream.push("old");
    let mut copy = copy_of(&upstream.url());
    fetch(&copy.follow()).await;
    assert_eq!((copy.commit("feature/a"), copy.commit("old")), (None, None), "nobody wants to see them");
    copy.settings.previews = 5;
    let fetcher = copy.follow();
    fetch(&fetcher).await;
    let main = copy.commit("main");
    assert!(main.is_some() && copy.commit("feature/a").is_some() && copy.commit("old").is_some());
    upstream.delete("main");
    upstream.delete("old");
    let feature = upstream.push("feature/a");
    let told = problem(&fetcher).await;
    assert!(told.starts_with("the remote has no branch `main`"), "{told}");
    assert_eq!((copy.commit("main"), copy.commit("feature/a"), copy.commit("old")), (main.clone(), Some(feature), None));
    // Without the others it is the same.
    copy.settings.previews = 0;
    let fetcher = copy.follow();
    assert!(problem(&fetcher).await.starts_with("the remote has no branch `main`"));
    assert_eq!(copy.commit("main"), main);
    let again = upstream.push("main");
    fetch(&fetcher).await;
    assert_eq!(copy.commit("main"), Some(again));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_is_away_is_asked_ever_more_seldom_until_it_is_back() {
    let upstream = Upstream::new();
    upstream.leave();
    let mut copy = copy_of(&upstream.url());
    copy.settings.interval = Duration::from_millis(100);
    let fetcher = copy.follow();
    wait_until("the pauses grow", PATIENCE, || {
        fetcher.next_us().is_some_and(|next| next - SystemClock.now_us() > 5 * copy.settings.interval.as_micros() as i64)
    });
    let told = fetcher.problem().unwrap();
    assert!(told.starts_with("there is no repository at `file://"), "{told}");
    assert_eq!(fetcher.last_us(), None);
    upstream.come_back();
    soon("it is found again", fetcher.changed()).await;
    fetch(&fetcher).await;
    assert!(fetcher.next_us().is_none_or(|next| next - SystemClock.now_us() <= 110_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_says_nothing_is_given_up_with_every_process() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    for url in [format!("http://{address}/f.git"), format!("git://{address}/f.git")] {
        let mut copy = copy_of(&url);
        copy.settings.timeout = Duration::from_millis(500);
        let fetcher = copy.follow();
        let told = problem(&fetcher).await;
        assert!(told.starts_with(&format!("fetching from `{url}` took longer than 0.5 s and was stopped")), "{told}");
        wait_until("no process is left", PATIENCE, || processes_with(&address).is_empty());
        // What git had written so far does not stand in the way of the next.
        let upstream = Upstream::new();
        fs::write(copy.path().join("refs/heads/main.lock"), "").unwrap();
        let copy = Copy { remote: Remote { url: upstream.url(), ..copy.remote.clone() }, ..copy };
        fetch(&copy.follow()).await;
    }
    // Nobody waits for it when the node stops.
    let mut copy = copy_of(&format!("http://{address}/f.git"));
    copy.settings.timeout = NEVER;
    let fetcher = copy.follow();
    wait_until("git asks", PATIENCE, || !processes_with(&address).is_empty());
    drop(fetcher);
    wait_until("no process is left", PATIENCE, || processes_with(&address).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_a_remote_over_http_and_is_never_shown() {
    let upstream = Upstream::new();
    let url = format!("{}/f.git", serve(upstream.folder().into(), "sesame"));
    let mut copy = copy_of(&url);
    let told = problem(&copy.follow()).await;
    assert!(told.contains("wants to know who fetches") && told.contains("PICLOUD_GIT_TOKEN"), "{told}");
    copy.remote.token = Some(Secret::new("wrong-token"));
    let told = problem(&copy.follow()).await;
    assert!(told.contains("does not accept the token") && told.contains("PICLOUD_GIT_TOKEN") && !told.contains("wrong-token"), "{told}");
    copy.remote.token = Some(Secret::new("sesame"));
    let fetcher = copy.follow();
    fetch(&fetcher).await;
    let pushed = upstream.push("main");
    fetch(&fetcher).await;
    assert_eq!(copy.commit("main"), Some(pushed));
    // Nor is it written anywhere.
    let kept = fs::read_to_string(copy.path().join("config")).unwrap();
    assert!(!kept.contains("sesame") && !copy.path().join("FETCH_HEAD").exists(), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_here_is_told() {
    let upstream = Upstream::new();
    let folder = upstream.folder();
    git(folder, &["init", "--quiet", "--initial-branch=main", "--object-format=sha256", "other"]);
    git(&folder.join("other"), &["commit", "--quiet", "--allow-empty", "--message", "change"]);
    let told = problem(&copy_of(&format!("file://{}/other", folder.display())).follow()).await;
    assert!(told.contains("object format sha256"), "{told}");
    let told = problem(&copy_of("ext::sh -c 'touch /tmp/never'").follow()).await;
    assert!(told.contains("transport 'ext' not allowed"), "{told}");
    let told = problem(&copy_of("http://127.0.0.1:1/f.git").follow()).await;
    assert!(told.starts_with("cannot reach `127.0.0.1:1`"), "{told}");
    if rustix::process::geteuid().is_root() {
        let given = std::process::Command::new("chown").args(["-R", "61003:61003"]).arg(upstream.path()).status().unwrap();
        assert!(given.success());
        let told = problem(&copy_of(&upstream.url()).follow()).await;
        assert!(told.contains("belongs to another user") && told.contains(upstream.path().to_str().unwrap()), "{told}");
    } else {
        eprintln!("not here: only root can give files to another user");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_is_not_there_is_told_with_those_that_are() {
    let upstream = Upstream::new();
    upstream.push("side");
    let wanting = |branch: &str| {
        let mut copy = copy_of(&upstream.url());
        copy.settings.branch = branch.into();
        copy
    };
    let told = problem(&wanting("trunk").follow()).await;
    assert!(told.starts_with("the remote has no branch `trunk`; it has `main`, `side`\n"), "{told}");
    let told = problem(&wanting("origin/side").follow()).await;
    assert!(told.contains("did you mean `side`?"), "{told}");
    // What is here of it is said to stay only if there is something.
    let copy = copy_of(&upstream.url());
    let fetcher = copy.follow();
    fetch(&fetcher).await;
    upstream.delete("main");
    let told = problem(&fetcher).await;
    assert!(told.starts_with("the remote has no branch `main`; what was fetched of it stays; it has `side`\n"), "{told}");
}

/// A server that sends everybody elsewhere, and how often the other place was asked.
fn elsewhere(to: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, to) = (listener.local_addr().unwrap(), to.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(&stream), &mut line).unwrap();
            let path = line.split(' ').nth(1).unwrap();
            let path = path.split_once("/info/").map_or(path, |(_, rest)| rest);
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}/info/{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    format!("http://{address}/f.git")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_told_and_not_followed() {
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    inside.set_nonblocking(true).unwrap();
    let place = format!("http://{}/latest/meta-data.git", inside.local_addr().unwrap());
    let told = problem(&copy_of(&elsewhere(&place)).follow()).await;
    assert!(told.contains(&format!("is now at `{place}`")), "{told}");
    assert!(inside.accept().is_err(), "nobody has asked there");
}
