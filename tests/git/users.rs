//! A bare repository that users of this machine share, set up as docs/git.md says: the node is one of them, and those who push are others.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    kit::{Checkout, Story, admin, command, git, said},
    node::{node, wait_until},
};

const GROUP: u32 = 61_000;
const NODE: u32 = 61_001;
const PUSHER: u32 = 61_002;
const STRANGER: u32 = 61_003;

/// Returns whether processes can be given to other users here.
fn can_be_others() -> bool {
    let can = rustix::process::geteuid().is_root();
    if !can {
        eprintln!("not here: only root can be several users");
    }
    can
}

/// What makes a command that of a user, and of the group if that one is in it.
fn user(uid: u32) -> [String; 4] {
    let gid = if uid == STRANGER { STRANGER } else { GROUP };
    ["setpriv".into(), format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".into()]
}

/// Turns a command into one of a user.
fn by(uid: u32, command: &Command) -> Command {
    let mut theirs = Command::new("setpriv");
    theirs.args(&user(uid)[1..]).arg(command.get_program()).args(command.get_args()).env_clear();
    theirs.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    theirs.current_dir(command.get_current_dir().unwrap());
    theirs
}

fn give(path: &Path, uid: u32, mode: u32) {
    chown(path, Some(uid), Some(GROUP)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn give_all(path: &Path, uid: u32) {
    let given = Command::new("chown").arg("-R").arg(format!("{uid}:{GROUP}")).arg(path).status().unwrap();
    assert!(given.success());
}

/// A node of one user that follows a repository of its group, and a working copy of another user.
fn shared() -> Story {
    let setup = node(&[]).config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n");
    give(setup.folder(), NODE, 0o750);
    let made = by(NODE, &command(setup.folder(), &["init", "--bare", "repo.git"])).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let repository = setup.folder().join("repo.git");
    let words = user(NODE);
    for arguments in [vec!["chmod", "-R", "g+ws", "."], vec!["git", "config", "core.sharedRepository", "group"]] {
        let mut change = Command::new(arguments[0]);
        change.args(&arguments[1..]).current_dir(&repository).env("PATH", std::env::var_os("PATH").unwrap());
        assert!(by(NODE, &change).status().unwrap().success());
    }
    let story = Story::of(setup.wrapped(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    give_all(story.checkout.folder(), PUSHER);
    story
}

/// Settings of a user who trusts the repository of another, as git wants it said.
fn trusting(story: &Story) -> PathBuf {
    let settings = story.node.folder().join("trusting");
    fs::write(&settings, "[safe]\n\tdirectory = *\n").unwrap();
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o644)).unwrap();
    settings
}

/// Commits as the user who pushes, and prepares the push.
fn push_of(story: &Story, uid: u32, answer: &str) -> (String, Command) {
    give_all(story.checkout.folder(), 0);
    let commit = story.commit(answer);
    give_all(story.checkout.folder(), uid);
    let mut push = by(uid, &story.pushing(&["main"]));
    push.env("GIT_CONFIG_GLOBAL", trusting(story));
    (commit, push)
}

#[test]
fn a_group_shares_a_repository_with_the_node() {
    if !can_be_others() {
        return;
    }
    let story = shared();
    for answer in ["one", "two"] {
        let (commit, mut push) = push_of(&story, PUSHER, answer);
        let pushed = push.env("PICLOUD_PUSHER", "admin").output().unwrap();
        assert!(pushed.status.success(), "{}", said(&pushed));
        assert!(said(&pushed).contains("remote: live at"), "{}", said(&pushed));
        wait_until("it is recorded", crate::node::PATIENCE, || story.live().is_some_and(|live| live.revision.0 == commit));
        assert_eq!(story.live().unwrap().pushed_by.as_deref(), Some("user:61002"), "a name that the pusher made up is not believed");
        assert_eq!(story.answer(), answer);
    }
    // A mistake is told, as to everybody.
    give_all(story.checkout.folder(), 0);
    story.checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    give_all(story.checkout.folder(), PUSHER);
    let mut push = by(PUSHER, &story.pushing(&["main"]));
    push.env("GIT_CONFIG_GLOBAL", trusting(&story));
    let told = said(&push.output().unwrap());
    assert!(told.contains("unexpected ';'"), "{told}");
    assert_eq!(story.answer(), "two");
}

#[test]
fn what_the_node_commits_the_group_can_read_and_build_on() {
    if !can_be_others() {
        return;
    }
    let story = shared();
    let (_, mut push) = push_of(&story, PUSHER, "one");
    assert!(push.output().unwrap().status.success());
    let bearer = format!("Bearer {}", admin(&story.node));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = story.node.send("PUT", "/api/admin/scripts/deep%2Fc", &headers, br#"{"source":"\"by the node\""}"#);
    assert!(answer.status < 300, "{}", answer.text());
    assert_eq!(story.node.get("/deep/c").text(), "by the node");
    // Whoever pushes gets it, and pushes on top of it.
    let mut pull = git(story.checkout.folder());
    pull.args(["pull", "--quiet", "--rebase"]).arg(story.repository()).arg("main");
    let mut pull = by(PUSHER, &pull);
    pull.env("GIT_CONFIG_GLOBAL", trusting(&story));
    let pulled = pull.output().unwrap();
    assert!(pulled.status.success(), "{}", said(&pulled));
    let text = fs::read_to_string(story.checkout.folder().join("functions/deep/c.rhai")).unwrap();
    assert_eq!(text, "\"by the node\"");
    let (_, mut push) = push_of(&story, PUSHER, "two");
    let pushed = push.output().unwrap();
    assert!(pushed.status.success(), "{}", said(&pushed));
    assert_eq!(story.answer(), "two");
}

#[test]
fn a_user_outside_of_the_group_may_neither_push_nor_ask() {
    if !can_be_others() {
        return;
    }
    let story = shared();
    fs::set_permissions(story.node.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let (one, mut push) = push_of(&story, PUSHER, "one");
    assert!(push.output().unwrap().status.success());
    let theirs = Checkout::empty();
    theirs.agree("two");
    give_all(theirs.folder(), STRANGER);
    let mut push = by(STRANGER, &story.pushing_from(&theirs, &["--force", "main"]));
    push.env("GIT_CONFIG_GLOBAL", trusting(&story));
    assert!(!push.output().unwrap().status.success());
    let hook = by(STRANGER, &command(story.repository(), &["hook", "pre-receive"])).output().unwrap();
    assert!(said(&hook).contains("this user may not ask the node"), "{}", said(&hook));
    assert_eq!((story.answer().as_str(), story.live().unwrap().revision.0), ("one", one));
}
