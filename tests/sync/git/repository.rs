//! Repositories that are refused, and those in odd places.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output};

use crate::kit::{
    command::{command, said},
    git::{Checkout, git, script_at},
    node::{PATIENCE, Setup, node, wait_until},
    story::{Story, follower, hosted},
};

/// A description of a node that follows `repo.git` in its folder, which was made by git with these options.
fn made_by_git(options: &[&str]) -> Setup {
    let setup = node(&[]).config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n");
    let made = git(setup.folder()).args(["init", "--quiet"]).args(options).arg("repo.git").output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    setup
}

fn init(setup: &Setup) -> Output {
    command(setup.folder(), &["init", "--bare", "repo.git"]).output().unwrap()
}

/// What `init --bare` and `serve` say of a repository that cannot be used.
fn refused(setup: &Setup) -> String {
    let output = init(setup);
    assert_eq!(output.status.code(), Some(2));
    let (code, served) = setup.fail();
    assert_eq!(code, Some(2), "{served}");
    let served: Vec<&str> = served.lines().filter(|line| !line.starts_with('{')).collect();
    format!("init --bare: {}\nserve: {}", said(&output), served.join("\n")).replace(setup.folder().to_str().unwrap(), "DIR")
}

#[test]
fn formats_that_cannot_be_read_are_refused() {
    insta::assert_snapshot!("sha256", refused(&made_by_git(&["--bare", "--object-format=sha256"])));
    let setup = made_by_git(&["--bare"]);
    let repository = setup.folder().join("repo.git");
    let has_made = git(&repository).args(["refs", "migrate", "--ref-format=reftable"]).output().unwrap().status.success();
    if !has_made {
        // This git is too old to make one.
        for (key, value) in [("core.repositoryformatversion", "1"), ("extensions.refStorage", "reftable")] {
            assert!(git(&repository).args(["config", key, value]).status().unwrap().success());
        }
    }
    insta::assert_snapshot!("reftable", refused(&setup));
}

#[test]
fn no_repository_is_made_among_somebody_s_files() {
    let setup = node(&[]);
    for (folder, file) in [("named", "config"), ("project", "picloud.toml"), ("hidden", ".env"), ("junk", "HEAD")] {
        let kept = setup.folder().join(folder).join(file);
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(&kept, "mine = 1\n").unwrap();
        let refused = command(setup.folder(), &["init", "--bare", folder]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("is no bare repository, and something else is there"), "{}", said(&refused));
        assert_eq!(fs::read_to_string(&kept).unwrap(), "mine = 1\n");
        assert_eq!(fs::read_dir(kept.parent().unwrap()).unwrap().count(), 1);
    }
}

#[test]
fn no_hint_names_the_command_that_was_typed() {
    let setup = node(&[]).config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n");
    let repository = setup.folder().join("repo.git");
    let typed = "picloud init --bare repo.git";
    fs::write(&repository, "x").unwrap();
    assert!(!refused(&setup).contains(typed), "{}", refused(&setup));
    fs::remove_file(&repository).unwrap();
    for made in [&["HEAD"][..], &["HEAD", "objects/x"], &["HEAD", "objects/x", "config"], &["notes.txt"]] {
        for file in made {
            fs::create_dir_all(repository.join(file).parent().unwrap()).unwrap();
            fs::write(repository.join(file), "").unwrap();
        }
        let told = refused(&setup);
        assert!(!told.contains(typed) && !told.contains("working copy"), "{told}");
        fs::remove_dir_all(&repository).unwrap();
    }
    // What the last hint says leads out.
    let said = |setup: &Setup| setup.fail().1;
    assert!(said(&setup).contains(typed), "{}", said(&setup));
    fs::create_dir(&repository).unwrap();
    assert!(said(&setup).contains(typed), "{}", said(&setup));
    assert!(init(&setup).status.success());
    fs::write(repository.join("config"), "").unwrap();
    let told = refused(&setup);
    let set =
        told.lines().find_map(|line| line.strip_prefix("  hint: if it is one: `")?.strip_suffix('`')).unwrap_or_else(|| panic!("{told}"));
    let set = std::process::Command::new("sh").args(["-c", set]).current_dir(setup.folder()).status().unwrap();
    assert!(set.success() && init(&setup).status.success());
}

#[test]
fn those_who_may_write_into_the_repository_may_ask_the_node() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (folder, socket) in [(0o755, 0o600), (0o775, 0o660), (0o700, 0o600)] {
        let setup = follower("");
        let repository = setup.folder().join("repo.git");
        fs::set_permissions(&repository, fs::Permissions::from_mode(folder)).unwrap();
        let story = Story::of(setup);
        assert_eq!(mode(&repository.join("picloud.sock")), socket, "{folder:o}");
        story.deploy("one");
    }
}

#[test]
fn what_is_no_bare_repository_is_refused() {
    insta::assert_snapshot!("working_copy", refused(&made_by_git(&[])));
    let setup = made_by_git(&[]);
    fs::rename(setup.folder().join("repo.git"), setup.folder().join("copy")).unwrap();
    let setup = setup.config("[source]\nkind = \"git\"\nrepository = \"copy/.git\"\n");
    insta::assert_snapshot!(
        "working_copy_inside",
        setup.fail().1.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n")
    );

    let setup = node(&[]).config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n");
    let said = |setup: &Setup| setup.fail().1.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("not_there", said(&setup));
    fs::create_dir(setup.folder().join("repo.git")).unwrap();
    fs::write(setup.folder().join("repo.git/notes.txt"), "hello").unwrap();
    insta::assert_snapshot!("no_repository", said(&setup));
    fs::remove_dir_all(setup.folder().join("repo.git")).unwrap();
    fs::write(setup.folder().join("repo.git"), "hello").unwrap();
    insta::assert_snapshot!("a_file", refused(&setup));
}

#[test]
fn hooks_of_somebody_else_are_left_and_named() {
    let setup = made_by_git(&["--bare"]);
    let hook = setup.folder().join("repo.git/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    script_at(&hook, "exit 0");
    let before = fs::read(&hook).unwrap();
    let output = init(&setup);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("foreign_hook", said(&output).replace(setup.folder().canonicalize().unwrap().to_str().unwrap(), "DIR"));
    assert_eq!(fs::read(&hook).unwrap(), before);
    // The node follows it all the same, and says that nothing guards it.
    let story = Story::of(setup);
    story.node.wait_for_line(&["are not checked before git accepts them"]);
    assert_eq!(fs::read(&hook).unwrap(), before);
    let one = story.deploy("one");
    story.wait_for("one", &one);
    story.checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    story.push(&["main"]);
    story.node.wait_for_state("degraded");
    assert_eq!(story.answer(), "one");
}

#[test]
fn hooks_that_its_user_has_elsewhere_do_not_open_the_gate() {
    let story = Story::begin();
    let one = story.deploy("one");
    story.checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    let settings = story.node.folder().join("gitconfig");
    fs::write(&settings, "[core]\nhooksPath = /nowhere\n").unwrap();
    let pushed = story.pushing(&["main"]).env("GIT_CONFIG_GLOBAL", settings).output().unwrap();
    assert!(!pushed.status.success() && said(&pushed).contains("unexpected ';'"), "{}", said(&pushed));
    story.wait_for("one", &one);
}

#[test]
fn a_repository_that_was_there_is_adopted_with_its_history() {
    let setup = made_by_git(&["--bare", "--initial-branch=main"]);
    let checkout = Checkout::empty();
    let one = checkout.agree("one");
    checkout.done(&["push", "--quiet", setup.folder().join("repo.git").to_str().unwrap(), "main"]);
    let output = init(&setup);
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("adopted "));
    let story = Story::of(setup);
    story.wait_for("one", &one);
}

/// Makes, follows and pushes to a repository at this place.
fn serves_at(place: &Path, setup: Setup) {
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let made = command(setup.folder(), &["init", "--bare"]).arg(place).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    // What it says to write is what works.
    let told = String::from_utf8(made.stdout).unwrap();
    let toml: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("  ")).take_while(|line| !line.starts_with("picloud")).collect();
    let setup = setup.config(&toml.join("\n"));
    let mut story = Story::at(setup, place);
    let one = story.deploy("one");
    story.wait_for("one", &one);
    story.checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    assert!(story.refused(&["main"]).contains("unexpected ';'"));
    story.node.kill();
    story.node.start();
    let two = story.deploy("two");
    story.wait_for("two", &two);
    story.node.stop();
    assert!(!place.join("picloud.sock").exists(), "a node that ends in order takes its socket with it");
}

#[test]
fn a_path_may_be_longer_than_an_address_of_a_socket() {
    let setup = node(&[]);
    let place = setup.folder().join("x".repeat(75)).join("y".repeat(75)).join("repo.git");
    serves_at(&place, setup);
}

#[test]
fn a_path_may_have_spaces_quotes_and_other_letters() {
    let setup = node(&[]);
    let place = setup.folder().join("it's a \"folder\" of\\größe $HOME").join("r epo.git");
    serves_at(&place, setup);
}

#[test]
fn a_data_folder_may_have_a_long_path() {
    let mut story = Story::hosted_by(hosted().argument("--data").argument(&"d".repeat(150)));
    let one = story.deploy("one");
    story.wait_for("one", &one);
    story.node.restart();
    story.wait_for("one", &one);
}

#[test]
fn a_large_push_costs_the_node_little_memory() {
    let story = Story::begin();
    story.deploy("one");
    let peak = |story: &Story| -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", story.node.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    let before = peak(&story);
    let mut noise = vec![0; 50 << 20];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut noise).unwrap();
    let two = story.checkout.commit(&[("large.bin", &noise), ("functions/new.rhai", b"1")]);
    story.push(&["main"]);
    story.wait_for("one", &two);
    assert_eq!(story.node.get("/new").status, 200);
    let after = peak(&story);
    assert!(after <= before + 64, "{before} MiB before, {after} MiB after");
}

#[test]
fn a_repository_of_one_node_is_not_followed_by_another() {
    let story = Story::begin();
    let second = follower("").config(&format!("[source]\nkind = \"git\"\nrepository = \"{}\"\n", story.repository().display()));
    let (code, told) = second.fail();
    assert_eq!(code, Some(2));
    assert!(told.contains("another node follows the repository"), "{told}");
    let one = story.deploy("one");
    story.wait_for("one", &one);
}

#[test]
fn a_repository_that_is_missing_at_the_start_is_waited_for() {
    let mut story = Story::of(follower("interval = \"1s\"\n"));
    story.deploy("one");
    story.node.stop();
    let (repository, away) = (story.repository().to_owned(), story.node.folder().join("away"));
    fs::rename(&repository, &away).unwrap();
    story.node.start();
    assert_eq!(story.answer(), "one", "what was live is live");
    assert!(story.node.ready()["degraded"][0].as_str().unwrap().contains("repo.git"), "{}", story.node.ready());
    fs::rename(&away, &repository).unwrap();
    story.node.wait_for_state("ready");
    // Its socket is there again, too.
    wait_until("hooks can ask", PATIENCE, || repository.join("picloud.sock").exists());
    story.deploy("two");
}
