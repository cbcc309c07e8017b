//! The children that serve a repository, whatever their clients do.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use picloud::source::git::{
    OwnRepository,
    backend::{Client, GitBackend as _, ServeError, Service},
    serve::HostedRepository,
};
use tempfile::TempDir;

use crate::kit::{
    git::{Checkout, bare, git, push_request},
    node::PATIENCE,
};

const ANN: Client = Client { name: "ann", protocol: None };

/// A repository with hooks, and the number of pushes that it told of.
struct Repository {
    folder: TempDir,
    hosted: HostedRepository,
    pushes: Arc<AtomicUsize>,
}

impl Repository {
    fn new(max_push_bytes: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let (repository, hooks) = (folder.path().join("r.git"), folder.path().join("hooks"));
        fs::create_dir(&repository).unwrap();
        fs::create_dir(&hooks).unwrap();
        bare(&repository);
        let pushes = Arc::new(AtomicUsize::new(0));
        let pushed = pushes.clone();
        let pushed = Arc::new(move || {
            pushed.fetch_add(1, Ordering::SeqCst);
        });
        let repository = OwnRepository::in_data(folder.path(), "r.git").unwrap();
        Self { hosted: HostedRepository::new(repository, hooks, max_push_bytes, pushed), folder, pushes }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn hook(&self, name: &str, script: &str) {
        let path = self.path("hooks").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn main(&self) -> String {
        let output = git(&self.path("r.git")).args(["for-each-ref", "--format=%(objectname)", "refs/heads/main"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().into()
    }
}

/// Fails if it takes longer than anything may.
async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for this: {what}"))
}

async fn wait_for(file: &Path) {
    let exists = async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    in_time(&format!("{} is there", file.display()), exists).await;
}

#[tokio::test]
async fn a_push_goes_on_when_its_client_has_left() {
    let repository = Repository::new(1 << 20);
    let (thinking, go_on, done) = (repository.path("thinking"), repository.path("go-on"), repository.path("done"));
    // Says much, so that an answer which nobody reads would be noticed.
    let much = "head -c 300000 /dev/zero | tr '\\0' x >&2";
    repository.hook("pre-receive", &format!("touch {}; until [ -e {} ]; do sleep 0.01; done; {much}", thinking.display(), go_on.display()));
    repository.hook("post-receive", &format!("{much}; echo $PICLOUD_PUSHER > {}", done.display()));
    let checkout = Checkout::empty();
    let commit = checkout.commit(&[("a", b"1")]);
    let request = push_request(&checkout, &commit);
    let answer = repository.hosted.run(Service::ReceivePack, ANN, Box::pin(std::io::Cursor::new(request))).await.unwrap();
    wait_for(&thinking).await;
    drop(answer);
    fs::write(go_on, "").unwrap();
    in_time("its children end", repository.hosted.ended()).await;
    assert_eq!((repository.main(), fs::read_to_string(done).unwrap()), (commit, "ann\n".into()));
    assert_eq!(repository.pushes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refused_push_is_answered_and_moves_nothing() {
    let repository = Repository::new(1 << 20);
    repository.hook("pre-receive", "echo not today >&2; exit 1");
    let checkout = Checkout::empty();
    let commit = checkout.commit(&[("a", b"1")]);
    let request = push_request(&checkout, &commit);
    let mut answer = repository.hosted.run(Service::ReceivePack, ANN, Box::pin(std::io::Cursor::new(request))).await.unwrap();
    let mut text = Vec::new();
    while let Some(part) = in_time("the answer goes on or ends", answer.recv()).await {
        text.extend(part);
    }
    assert!(String::from_utf8_lossy(&text).contains("ng refs/heads/main pre-receive hook declined"));
    assert_eq!((repository.main().as_str(), repository.pushes.load(Ordering::SeqCst)), ("", 1));
}

#[tokio::test]
async fn the_hooks_of_the_repository_itself_do_not_run() {
    let repository = Repository::new(1 << 20);
    let foreign = repository.path("r.git/hooks/pre-receive");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(foreign, fs::Permissions::from_mode(0o755)).unwrap();
    let checkout = Checkout::empty();
    let commit = checkout.commit(&[("a", b"1")]);
    let request = push_request(&checkout, &commit);
    let _answer = repository.hosted.run(Service::ReceivePack, ANN, Box::pin(std::io::Cursor::new(request))).await.unwrap();
    in_time("its children end", repository.hosted.ended()).await;
    assert_eq!(repository.main(), commit);
}

#[tokio::test]
async fn input_without_end_has_an_end() {
    let repository = Repository::new(1 << 20);
    // The child takes the first four bytes for an end, and leaves.
    for service in [Service::ReceivePack, Service::UploadPack] {
        let _answer = in_time("it is served", repository.hosted.run(service, ANN, Box::pin(tokio::io::repeat(b'0')))).await.unwrap();
    }
    in_time("its children end", repository.hosted.ended()).await;
}

#[tokio::test]
async fn eight_are_served_at_once_and_a_fetch_ends_with_its_client() {
    let repository = Repository::new(1 << 20);
    let mut clients = Vec::new();
    for _ in 0..8 {
        let (client, input) = tokio::io::duplex(64);
        clients.push((client, repository.hosted.run(Service::UploadPack, ANN, Box::pin(input)).await.unwrap()));
    }
    let ninth = repository.hosted.advertise(Service::UploadPack, ANN).await;
    assert!(matches!(ninth, Err(ServeError::Busy)));
    // Its input stays open: it is not for want of it that the child ends.
    let (_client, answer) = clients.pop().unwrap();
    drop(answer);
    in_time("a place is free", repository.hosted.advertise(Service::UploadPack, ANN)).await.unwrap();
}
