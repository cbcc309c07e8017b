//! Repositories whose settings others may write: nothing that stands in them is run by the node.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::{
    git::signed::{commit_by, signed_by_ann},
    kit::{
        api::admin,
        command::picloud,
        git::{Checkout, quoted, script_at},
        node::{Setup, wait_until},
        story::{Story, follower},
    },
};

/// A program that leaves a trace when anybody runs it, and says what git wants to hear of a good signature.
struct Trap {
    program: PathBuf,
    trace: PathBuf,
}

impl Trap {
    fn set(folder: &Path) -> Self {
        let (program, trace) = (folder.join("trap"), folder.join("trace"));
        let good = r#"Good "git" signature for ann@example.org with ED25519 key SHA256:x"#;
        script_at(&program, &format!("id > {}\necho '{good}'\nprintf '\\n[GNUPG:] GOODSIG 1 ann\\n' >&2", quoted(&trace)));
        Self { program, trace }
    }

    fn program(&self) -> &str {
        self.program.to_str().unwrap()
    }

    #[track_caller]
    fn is_untouched(&self) {
        assert!(!self.trace.exists(), "{}", fs::read_to_string(&self.trace).unwrap());
    }
}

/// Sets everything in a repository that has git run a program.
fn arm(story: &Story, trap: &Trap) {
    let program = trap.program();
    for (key, value) in [
        ("gpg.program", program),
        ("gpg.ssh.program", program),
        ("gpg.openpgp.program", program),
        ("gpg.x509.program", program),
        ("gpg.ssh.defaultKeyCommand", program),
        ("core.alternateRefsCommand", program),
        ("core.fsmonitor", program),
        ("core.pager", program),
        ("core.sshCommand", program),
        ("credential.helper", program),
        ("uploadpack.packObjectsHook", program),
        ("protocol.ext.allow", "always"),
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", &format!("ext::{program}")),
    ] {
        story.bare(&["config", key, value]);
    }
    for hook in ["reference-transaction", "update", "post-update", "pre-auto-gc"] {
        fs::copy(&trap.program, story.repository().join("hooks").join(hook)).unwrap();
    }
}

fn sync(story: &Story) {
    crate::kit::command::run(&story.node, &["sync"]);
}

/// Moves a branch as whoever may write into the repository can, and without running what was set there.
fn write_branch(story: &Story, branch: &str, commit: &str) {
    fs::write(story.repository().join("refs/heads").join(branch), format!("{commit}\n")).unwrap();
}

#[test]
fn a_program_that_is_set_in_the_repository_confirms_no_signature() {
    let mut story = Story::of(signed_by_ann());
    let one = commit_by(&story, "ann", "one");
    story.push(&["main"]);
    let eve = commit_by(&story, "eve", "two");
    let unsigned = story.commit("three");
    story.push(&[&format!("{eve}:refs/kept/eve"), &format!("{unsigned}:refs/kept/unsigned")]);
    // It begins like a signature of another program, which would be asked.
    let text = story.checkout.done(&["cat-file", "commit", &unsigned]);
    let (head, message) = text.split_once("\n\n").unwrap();
    let pgp = format!("{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\n{message}");
    fs::write(story.checkout.folder().join("pgp"), pgp).unwrap();
    let pgp = story.checkout.done(&["hash-object", "-t", "commit", "-w", "pgp"]).trim().to_owned();
    story.push(&[&format!("{pgp}:refs/kept/pgp")]);

    let trap = Trap::set(story.node.folder());
    arm(&story, &trap);
    for (commit, why) in [(&eve, "signed by nobody who is listed"), (&unsigned, "is not signed,"), (&pgp, "not signed with a key of ssh")] {
        write_branch(&story, "main", commit);
        story.node.wait_for_line(&[&commit[..10], why]);
        assert_eq!(story.answer(), "one", "{why}");
    }
    story.node.restart();
    assert_eq!((story.answer().as_str(), story.live().unwrap().revision.0), ("one", one.clone()));
    trap.is_untouched();
    write_branch(&story, "main", &one);
    story.node.wait_for_state("ready");
}

#[test]
fn an_object_that_is_missing_is_not_fetched_by_what_the_repository_says() {
    let story = Story::of(follower("").config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n[previews]\nbranches = 3\n"));
    let one = story.deploy("one");
    let trap = Trap::set(story.node.folder());
    arm(&story, &trap);
    write_branch(&story, "lost", &"1".repeat(40));
    sync(&story);
    trap.is_untouched();
    assert_eq!(story.answer(), "one");
    write_branch(&story, "main", &"2".repeat(40));
    story.node.wait_for_state("degraded");
    assert_eq!(story.answer(), "one");
    write_branch(&story, "main", &one);
    story.node.wait_for_state("ready");
    trap.is_untouched();
}

#[test]
fn a_commit_of_the_node_runs_nothing_of_the_repository() {
    let story = Story::begin();
    let one = story.deploy("one");
    let trap = Trap::set(story.node.folder());
    arm(&story, &trap);
    let bearer = format!("Bearer {}", admin(&story.node));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for (method, path, order) in [
        ("PUT", "/api/admin/scripts/a", serde_json::json!({ "source": "\"two\"" })),
        ("POST", "/api/admin/scripts", serde_json::json!({ "name": "deep/er/new", "source": "1" })),
        ("DELETE", "/api/admin/scripts/deep%2Fc", serde_json::json!(null)),
    ] {
        let answer = story.node.send(method, path, &headers, order.to_string().as_bytes());
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.text());
    }
    assert_eq!((story.node.get("/a").text(), story.node.get("/deep/er/new").text()), ("two".into(), "1".into()));
    trap.is_untouched();
    // What it wrote is a history that git takes.
    for key in ["extensions.partialClone", "remote.origin.promisor", "remote.origin.url"] {
        story.bare(&["config", "--unset", key]);
    }
    story.bare(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(story.bare(&["rev-list", "--count", &format!("{one}..main")]), "3");
    assert_eq!(story.bare(&["ls-tree", "-r", "--name-only", "main"]), "functions/a.rhai\nfunctions/b.rhai\nfunctions/deep/er/new.rhai");
}

#[test]
fn a_repository_is_read_although_it_is_somebody_elses() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not here: only root can give files to another user");
        return;
    }
    let setup: Setup = follower("");
    let repository = setup.folder().join("repo.git");
    let story = Story::of(setup);
    let one = story.deploy("one");
    let given = std::process::Command::new("chown").args(["-R", "61002:61002"]).arg(&repository).status().unwrap();
    assert!(given.success());
    let mut story = story;
    story.node.restart();
    assert_eq!(story.answer(), "one");
    assert!(picloud(&story.node, &["status"]).contains(&one));
    wait_until("it is well", crate::kit::node::PATIENCE, || story.node.ready()["status"] == "ready");
}

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

/// What keeps the source from being read, as `status` says it.
fn problem(story: &Story) -> String {
    story.node.ready()["degraded"].to_string()
}

#[test]
fn a_pipe_in_the_place_of_a_file_holds_nothing_up() {
    let mut story = Story::with("interval = \"1s\"\n");
    story.deploy("one");
    story.deploy("two");
    let places = ["objects/info/alternates", "objects/pack/pack-1.idx", "objects/pack/multi-pack-index", "objects/ab/cd"];
    for place in places.map(|place| story.repository().join(place)) {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        pipe(&place);
        story.node.restart();
        sync(&story);
        assert!(problem(&story).contains(place.file_name().unwrap().to_str().unwrap()), "{}", problem(&story));
        picloud(&story.node, &["rollback", "--yes"]);
        assert_eq!(story.answer(), "one");
        story.node.stop();
        story.node.start();
        assert_eq!(story.answer(), "one");
        fs::remove_file(&place).unwrap();
        story.node.wait_for_state("ready");
        picloud(&story.node, &["unpin", "--yes"]);
        assert_eq!(story.answer(), "two");
    }
    // Hooks are files, too, and are put right.
    let hook = story.repository().join("hooks/pre-receive");
    fs::remove_file(&hook).unwrap();
    pipe(&hook);
    story.node.restart();
    assert_eq!(story.answer(), "two");
    story.node.wait_for_line(&["are not checked before git accepts them"]);
}

#[test]
fn a_repository_that_was_damaged_is_waited_for_at_the_start() {
    let mut story = Story::with("interval = \"1s\"\n");
    story.deploy("one");
    let config = story.repository().join("config");
    let whole = fs::read(&config).unwrap();
    for damage in ["", "[core", "[core]\n\tbare = false\n"] {
        story.node.stop();
        fs::write(&config, damage).unwrap();
        story.node.start();
        assert_eq!(story.answer(), "one");
        story.node.wait_for_line(&["the repository is waited for"]);
    }
    story.node.stop();
    fs::remove_file(&config).unwrap();
    pipe(&config);
    story.node.start();
    assert_eq!(story.answer(), "one");
    fs::remove_file(&config).unwrap();
    fs::write(&config, whole).unwrap();
    wait_until("hooks can ask", crate::kit::node::PATIENCE, || story.repository().join("picloud.sock").exists());
    story.deploy("two");
    assert_eq!(story.answer(), "two");
}

#[test]
fn a_socket_that_somebody_removes_is_made_again() {
    let story = Story::begin();
    let socket = story.repository().join("picloud.sock");
    fs::remove_file(&socket).unwrap();
    wait_until("it is there again", crate::kit::node::PATIENCE, || socket.exists());
    story.deploy("one");
    // In the place of something else, too.
    fs::remove_file(&socket).unwrap();
    symlink("/dev/null", &socket).unwrap();
    wait_until("it is there again", crate::kit::node::PATIENCE, || !socket.is_symlink());
    story.deploy("two");
}

#[test]
fn a_link_or_a_list_of_alternates_shows_nothing_of_another_repository() {
    let setup = follower("").config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\ninterval = \"1s\"\n[previews]\nbranches = 3\n");
    let other = setup.folder().join("private.git");
    fs::create_dir(&other).unwrap();
    crate::kit::git::bare(&other);
    let private = Checkout::empty();
    let secret = private.agree("private");
    private.done(&["push", "--quiet", other.to_str().unwrap(), "main"]);
    let story = Story::of(setup);
    let one = story.deploy("one");
    let within = |path: &str| story.repository().join(path);
    let is_kept = || {
        sync(&story);
        assert_eq!((story.answer(), story.commits()), ("one".into(), vec![one.clone()]));
    };
    fs::write(within("objects/info/alternates"), format!("{}\n", other.join("objects").display())).unwrap();
    write_branch(&story, "main", &secret);
    is_kept();
    assert!(problem(&story).contains("names another repository"), "{}", problem(&story));
    fs::remove_file(within("objects/info/alternates")).unwrap();
    write_branch(&story, "main", &one);
    for place in ["refs/heads", "refs", "objects"] {
        fs::rename(within(place), within("kept")).unwrap();
        symlink(other.join(place), within(place)).unwrap();
        is_kept();
        assert_ne!(problem(&story), "[]", "{place}");
        fs::remove_file(within(place)).unwrap();
        fs::rename(within("kept"), within(place)).unwrap();
    }
    story.node.wait_for_state("ready");
}
