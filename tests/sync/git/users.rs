//! A bare repository that users of this machine share, set up as docs/git.md says: the node is one of them, and those who push are others.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use crate::kit::{
    api::admin,
    command::{command, said},
    git::{Checkout, git},
    machine::{Need, needs, own_limits},
    node::{Setup, node, wait_until},
    story::Story,
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
    let setup = owned_by(NODE);
    share(&setup.folder().join("repo.git"));
    begin(setup, &user(NODE).each_ref().map(String::as_str))
}

/// A node's folder, and in it a repository, which both are this user's.
fn owned_by(uid: u32) -> Setup {
    let setup = node(&[]).config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\ninterval = \"1s\"\n");
    give(setup.folder(), uid, 0o750);
    let made = by(uid, &command(setup.folder(), &["init", "--bare", "repo.git"])).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    setup
}

/// Gives a repository to the group, as docs/git.md says.
fn share(repository: &Path) {
    let group = GROUP.to_string();
    for arguments in
        [&["chgrp", "-R", &group, "."][..], &["chmod", "-R", "g+ws", "."], &["git", "config", "core.sharedRepository", "group"]]
    {
        let mut change = Command::new(arguments[0]);
        change.args(&arguments[1..]).current_dir(repository).env("GIT_CONFIG_GLOBAL", "/dev/null");
        change.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
        assert!(change.status().unwrap().success());
    }
}

/// Starts the node as this command runs it.
fn begin(setup: Setup, wrapper: &[&str]) -> Story {
    let story = Story::of(setup.wrapped(wrapper));
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
        wait_until("it is recorded", crate::kit::node::PATIENCE, || story.live().is_some_and(|live| live.revision.0 == commit));
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

#[test]
fn who_pushes_is_not_made_up_where_the_system_does_not_tell() {
    if !can_be_others() {
        return;
    }
    needs!(Need::OwnLimits);
    let setup = owned_by(0);
    share(&setup.folder().join("repo.git"));
    // Other users have no numbers there, as under `PrivateUsers=true`.
    let groups = format!("--groups={GROUP}");
    let story = begin(setup, &[&["setpriv", &groups][..], &own_limits()].concat());
    for answer in ["one", "two"] {
        let (commit, mut push) = push_of(&story, PUSHER, answer);
        let pushed = push.output().unwrap();
        assert!(said(&pushed).contains("remote: live at"), "{}", said(&pushed));
        wait_until("it is recorded", crate::kit::node::PATIENCE, || story.live().is_some_and(|live| live.revision.0 == commit));
        assert_eq!(story.live().unwrap().pushed_by.as_deref(), Some("user:?"));
    }
    let audit = crate::kit::command::picloud(&story.node, &["audit", "--json"]);
    assert!(audit.contains("user:?") && !audit.contains("nobody"), "{audit}");
    let told = story.node.wait_for_line(&["WARN", "does not tell who pushes", "`PrivateUsers=false`"]);
    assert_eq!(story.node.log().matches("does not tell who pushes").count(), 1, "{told}");
}

#[test]
fn what_the_node_may_not_write_into_is_named_with_its_user_and_the_way_out() {
    if !can_be_others() {
        return;
    }
    let story = shared();
    let (_, mut push) = push_of(&story, PUSHER, "one");
    assert!(push.output().unwrap().status.success());
    let branch = || fs::read_to_string(story.repository().join("refs/heads/main")).unwrap();
    let (bearer, commit) = (format!("Bearer {}", admin(&story.node)), branch());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for name in ["objects", "refs/heads"] {
        let folder = story.repository().join(name);
        let before = fs::metadata(&folder).unwrap().permissions();
        give(&folder, PUSHER, 0o2750);
        let refused = story.node.send("PUT", "/api/admin/scripts/a", &headers, br#"{"source":"\"two\""}"#);
        assert_eq!(refused.status, 500, "{}", refused.text());
        let problem = refused.json();
        let detail = problem["detail"].as_str().unwrap();
        let folder_named = format!("`user 61001` may not write into `{}`", folder.canonicalize().unwrap().display());
        assert!(detail.starts_with("cannot write `") && detail.contains(&folder_named), "{problem}");
        assert!(problem["hint"].as_str().unwrap().contains("start the node again"), "{problem}");
        fs::set_permissions(&folder, before).unwrap();
    }
    assert_eq!((story.node.get("/a").text(), branch()), ("one".into(), commit));
    let answer = story.node.send("PUT", "/api/admin/scripts/a", &headers, br#"{"source":"\"two\""}"#);
    assert!(answer.status < 300, "{}", answer.text());
    assert_eq!(story.node.get("/a").text(), "two");
}

#[test]
fn what_the_node_may_not_read_is_named_with_its_user_and_the_way_out() {
    if !can_be_others() {
        return;
    }
    let way_out = "start the node again: it has the groups that it was started with";
    // Its user is not in the group yet, or was not when it was started.
    let outside = ["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups"];
    let setup = owned_by(NODE);
    chown(setup.folder(), None, Some(NODE)).unwrap();
    let repository = setup.folder().join("repo.git");
    let story = begin(setup, &outside);
    fs::set_permissions(story.node.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    share(&repository);
    let (_, mut push) = push_of(&story, PUSHER, "one");
    let told = said(&push.output().unwrap());
    let brought = format!("`user 61001` may not read `{}/objects/tmp_objdir-", repository.canonicalize().unwrap().display());
    assert!(told.contains(&brought) && told.contains(way_out), "{told}");

    // One object, or one branch, of somebody who shares nothing.
    give_all(story.checkout.folder(), 0);
    let commit = story.commit("one");
    story.bare(&["-c", "safe.directory=*", "fetch", "--quiet", story.checkout.folder().to_str().unwrap(), "HEAD:refs/heads/main"]);
    story.node.wait_for("/a", "one");
    let next = story.commit("two");
    story.bare(&["-c", "safe.directory=*", "fetch", "--quiet", story.checkout.folder().to_str().unwrap(), "HEAD:refs/kept/next"]);
    let object = repository.join("objects").join(&next[..2]).join(&next[2..]);
    let main = repository.join("refs/heads/main");
    let close = |path: &Path| give(path, PUSHER, 0o600);
    close(&object);
    fs::write(&main, format!("{next}\n")).unwrap();
    story.node.wait_for_state("degraded");
    let problem = || story.node.ready()["degraded"].to_string();
    wait_until("it is named", crate::kit::node::PATIENCE, || problem().contains(object.file_name().unwrap().to_str().unwrap()));
    assert!(problem().contains("`user 61001` may not read") && problem().contains(way_out), "{}", problem());
    fs::set_permissions(&object, fs::Permissions::from_mode(0o444)).unwrap();
    story.node.wait_for("/a", "two");
    close(&main);
    wait_until("it is named", crate::kit::node::PATIENCE, || problem().contains("repo.git/refs/heads/main`"));
    fs::write(&main, format!("{commit}\n")).unwrap();
    fs::set_permissions(&main, fs::Permissions::from_mode(0o444)).unwrap();
    story.node.wait_for("/a", "one");
    drop(story);

    // At the start: all of it, or the folder that the socket lies in.
    let setup = owned_by(NODE).wrapped(&outside);
    let repository = setup.folder().join("repo.git");
    chown(setup.folder(), None, Some(NODE)).unwrap();
    for name in ["repo.git", "repo.git/objects", "repo.git/config", "repo.git/HEAD"] {
        let part = setup.folder().join(name);
        let before = fs::metadata(&part).unwrap().permissions();
        give(&part, PUSHER, 0o750 & before.mode());
        let (code, told) = setup.fail();
        let is_named = told.contains(&format!("`user 61001` may not read `{name}`"));
        assert!(code == Some(2) && is_named && told.contains(way_out), "{told}");
        chown(&part, Some(NODE), None).unwrap();
        fs::set_permissions(&part, before).unwrap();
    }
    give(&repository, PUSHER, 0o755);
    let story = Story::of(setup);
    story.node.wait_for_line(&["`user 61001` may not write into", way_out]);
}
