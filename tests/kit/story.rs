//! A repository that is pushed to, the node that follows it, and a working copy.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use picloud::{
    deployment::{Deployment, DeploymentStatus},
    store::Store,
};
use tempfile::TempDir;

use super::{
    api::admin,
    client::Response,
    command::{command, said},
    git::{Checkout, git, quoted, script_at, whoami},
    node::{Node, PATIENCE, Setup, node, wait_until},
};

/// A node that hosts its repository.
pub fn hosted() -> Setup {
    node(&[]).config("[source]\nkind = \"git\"\nrepository = \"hosted\"\n")
}

/// Where the repository of a node is for somebody with this token.
pub fn url(node: &Node, token: &str) -> String {
    format!("http://x:{token}@{}/functions.git", node.address())
}

/// A repository that is pushed to, the node that follows it, and a working copy.
pub struct Story {
    pub node: Node,
    pub checkout: Checkout,
    /// Whether pushes go over HTTP, or to a path.
    pub is_hosted: bool,
    repository: PathBuf,
}

/// Begins the description of a node that follows the bare repository `repo.git` in its folder, with more keys of `[source]`.
pub fn follower(keys: &str) -> Setup {
    let setup = node(&[]).config(&format!("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n{keys}"));
    let made = command(setup.folder(), &["init", "--bare", "repo.git"]).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    setup
}

impl Story {
    /// Begins with an empty repository that is pushed to by its path.
    pub fn begin() -> Self {
        Self::with("")
    }

    /// Begins so, with more keys of `[source]`.
    pub fn with(keys: &str) -> Self {
        Self::of(follower(keys))
    }

    /// Begins so, with the node described.
    pub fn of(setup: Setup) -> Self {
        let repository = setup.folder().join("repo.git");
        Self::at(setup, &repository)
    }

    /// Begins so, with a repository elsewhere.
    pub fn at(setup: Setup, repository: &Path) -> Self {
        let repository = repository.into();
        Self { node: setup.start(), checkout: Checkout::empty(), is_hosted: false, repository }
    }

    /// Begins with an empty repository that is hosted and pushed to over HTTP.
    pub fn over_http() -> Self {
        Self::hosted_by(hosted())
    }

    /// Begins so, with the node described.
    pub fn hosted_by(setup: Setup) -> Self {
        let node = setup.start();
        let repository = node.data().join("functions.git");
        Self { node, checkout: Checkout::empty(), is_hosted: true, repository }
    }

    /// Where pushes go.
    pub fn remote(&self) -> String {
        match self.is_hosted {
            true => url(&self.node, &admin(&self.node)),
            false => self.repository.to_str().unwrap().into(),
        }
    }

    /// The folder of the repository.
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// Runs git in the repository itself.
    #[track_caller]
    pub fn bare(&self, arguments: &[&str]) -> String {
        let output = git(&self.repository).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap().trim().into()
    }

    /// What a branch points to; nothing if it is not there.
    pub fn branch(&self, branch: &str) -> String {
        self.bare(&["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")])
    }

    /// Prepares a push of these references.
    pub fn pushing(&self, arguments: &[&str]) -> Command {
        self.pushing_from(&self.checkout, arguments)
    }

    /// Prepares a push from another working copy. Who pushes is not what the environment says.
    pub fn pushing_from(&self, checkout: &Checkout, arguments: &[&str]) -> Command {
        let (options, references): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|argument| argument.starts_with('-'));
        let mut push = git(checkout.folder());
        push.arg("push").args(options).arg(self.remote()).args(references).env("USER", "bob").stdout(Stdio::piped()).stderr(Stdio::piped());
        push
    }

    /// Pushes, which must succeed, and returns what the pusher sees.
    #[track_caller]
    pub fn push(&self, arguments: &[&str]) -> String {
        let output = self.pushing(arguments).output().unwrap();
        assert!(output.status.success(), "git push {arguments:?}: {}", said(&output));
        self.tame(&said(&output))
    }

    /// Pushes, which must be refused, and returns what the pusher sees.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.pushing(arguments).output().unwrap();
        assert!(!output.status.success(), "git push {arguments:?}: {}", said(&output));
        self.tame(&said(&output))
    }

    /// Commits functions that all answer this, and returns the commit.
    pub fn commit(&self, answer: &str) -> String {
        self.checkout.agree(answer)
    }

    /// Makes such a commit and pushes it.
    #[track_caller]
    pub fn deploy(&self, answer: &str) -> String {
        let commit = self.commit(answer);
        self.push(&["main"]);
        commit
    }

    /// What the functions answer, which must be the same.
    #[track_caller]
    pub fn answer(&self) -> String {
        let mut client = self.node.client();
        let [first, second, third] = ["/a", "/b", "/deep/c"].map(|path| client.get(path).unwrap());
        let deployment = |response: &Response| response.header("x-picloud-deployment").map(str::to_owned);
        // Between two requests another deployment may go live.
        if deployment(&first) == deployment(&third) {
            assert_eq!((first.text(), first.text()), (second.text(), third.text()), "one commit is live, whole");
        }
        third.text()
    }

    /// Waits until what is live, what is recorded as live and what the branch points to are this commit.
    #[track_caller]
    pub fn wait_for(&self, answer: &str, commit: &str) {
        assert_eq!(self.branch("main"), commit);
        wait_until(&format!("{commit} is live and answers {answer}"), PATIENCE, || self.answer() == answer);
        wait_until("it is what is recorded", PATIENCE, || self.live().is_some_and(|live| live.revision.0 == commit));
        let deployment = self.node.get("/a").header("x-picloud-deployment").unwrap().to_owned();
        assert_eq!(deployment, self.live().unwrap().id.to_string());
    }

    /// The last deployment that is recorded as live.
    pub fn live(&self) -> Option<Deployment> {
        self.deployments().into_iter().find(|deployment| deployment.status == DeploymentStatus::Live)
    }

    /// Every deployment that is recorded, the newest first.
    pub fn deployments(&self) -> Vec<Deployment> {
        deployments(&self.node)
    }

    /// The commits among them.
    pub fn commits(&self) -> Vec<String> {
        self.deployments().into_iter().map(|deployment| deployment.revision.0).filter(|revision| revision.len() == 40).collect()
    }

    /// Puts a script in the place of a hook, which may run the real one: `"$real"`.
    pub fn wrap(&self, hook: &str, script: &str) {
        let path = self.repository.join("hooks").join(hook);
        let real = path.with_extension("real");
        if !real.exists() {
            fs::rename(&path, &real).unwrap();
        }
        script_at(&path, &format!("real={}\n{script}", quoted(&real)));
    }

    /// Replaces what differs each time: commits by their order, deployments, times, and where things are.
    pub fn tame(&self, text: &str) -> String {
        let hosted = format!("http://{}/functions.git", self.node.address());
        let mut text = text.replace(&self.remote(), "URL").replace(&hosted, "URL").replace(self.node.folder().to_str().unwrap(), "DIR");
        text = text.replace(&format!("pushed by user:{}", whoami()), "pushed by USER");
        let commits = self.checkout.run(&["log", "--all", "--reflog", "--reverse", "--topo-order", "--format=%H"]).stdout;
        for (number, commit) in String::from_utf8(commits).unwrap().lines().enumerate() {
            for length in [40, 10, 7] {
                text = text.replace(&commit[..length], &format!("COMMIT{}", number + 1));
            }
        }
        let lines: Vec<String> = text.lines().map(|line| tame_words(line.rsplit('\r').next().unwrap().trim_end())).collect();
        lines.join("\n")
    }
}

/// Every deployment that a node has recorded in its data folder, the newest first.
pub fn deployments(node: &Node) -> Vec<Deployment> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_read_only("sqlite", &node.data()).await.unwrap();
        let deployments = store.deployments(1000, None).await;
        store.close().await;
        deployments.unwrap()
    })
}

/// Replaces milliseconds and deployments.
fn tame_words(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let tamed = words.iter().enumerate().map(|(at, word)| match at.checked_sub(1).map(|before| words[before]) {
        Some("in") if words.get(at + 1) == Some(&"ms,") => "N",
        Some("deployment") if at + 1 == words.len() => "DEPLOYMENT",
        _ => word,
    });
    tamed.collect::<Vec<_>>().join(" ")
}

/// A hook that waits where a test wants it to.
pub struct Waiting {
    folder: TempDir,
}

/// When a hook waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the real one runs.
    Before,
    /// After it.
    After,
}

/// Lets a hook of the story's repository wait, until it is told to go on; then it never does again.
pub fn waiting(story: &Story, hook: &str, when: When) -> Waiting {
    let folder = TempDir::new().unwrap();
    let here = quoted(folder.path());
    let wait = format!("touch {here}/reached\nuntil [ -e {here}/go-on ]; do sleep 0.01; done");
    let script = match when {
        When::Before => format!("echo $$ > {here}/pid\n{wait}\nexec \"$real\""),
        When::After => format!("echo $$ > {here}/pid\n\"$real\" || exit 1\n{wait}"),
    };
    story.wrap(hook, &script);
    Waiting { folder }
}

impl Waiting {
    /// Waits until it does.
    #[track_caller]
    pub fn reached(&self) {
        wait_until("the hook waits", PATIENCE, || self.folder.path().join("reached").exists());
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        fs::write(self.folder.path().join("go-on"), "").unwrap();
    }

    /// Whether its process is there.
    pub fn runs(&self) -> bool {
        let pid = fs::read_to_string(self.folder.path().join("pid")).unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
    }
}
