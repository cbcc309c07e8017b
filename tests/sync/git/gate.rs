//! What the pusher is told, what goes live, and what is refused.

use picloud::deployment::Cause;

use crate::kit::{
    command::{picloud, said},
    git::Checkout,
    story::Story,
};

#[test]
fn a_good_push_goes_live_and_a_broken_one_is_refused_with_everything_that_is_wrong() {
    for story in [Story::begin(), Story::over_http()] {
        let good = story.commit("one");
        insta::assert_snapshot!("good", story.push(&["main"]));
        story.wait_for("one", &good);

        story.checkout.commit(&[
            ("functions/a.rhai", b"+++\nmetods = [\"GET\"]\n+++\n1"),
            ("functions/b.rhai", b"let x = ;\n"),
            ("functions/deep/c.rhai", b"import \"nowhere\" as n; 1"),
            ("functions/new.rhai", b"1"),
        ]);
        insta::assert_snapshot!("broken", story.refused(&["main"]));
        story.wait_for("one", &good);
        assert_eq!(story.commits(), [&*good], "what git never accepted is not recorded");

        story.commit("two");
        let mended = story.checkout.done(&["rev-parse", "HEAD"]).trim().to_owned();
        insta::assert_snapshot!("mended", story.push(&["main"]));
        story.wait_for("two", &mended);

        let live = story.live().unwrap();
        assert_eq!((live.cause, live.by.as_deref()), (Cause::Push, Some("Ann <ann@example.org>")));
        let pusher = if story.is_hosted { "admin".into() } else { format!("user:{}", crate::kit::git::whoami()) };
        assert_eq!(live.pushed_by.as_deref(), Some(&*pusher));
        let listed: serde_json::Value = serde_json::from_str(&picloud(&story.node, &["deployments", "--json"])).unwrap();
        assert_eq!((&listed[0]["revision"], &listed[1]["revision"]), (&mended.into(), &good.into()));
        assert_eq!((&listed[0]["by"], &listed[0]["note"]), (&"Ann <ann@example.org>".into(), &serde_json::Value::Null));
        assert_eq!(listed[0]["pushed_by"], live.pushed_by.unwrap());
        assert_eq!((live.subject.as_deref(), listed[0]["subject"].as_str()), (Some("change"), Some("change")));
    }
}

#[test]
fn a_dry_run_shows_what_would_change() {
    let story = Story::begin();
    let one = story.deploy("one");
    story.checkout.commit(&[("functions/a.rhai", b"\"two\""), ("functions/new/[id=int].get.rhai", b"1")]);
    story.checkout.done(&["rm", "--quiet", "functions/b.rhai"]);
    story.checkout.commit(&[]);
    insta::assert_snapshot!("dry_run", story.refused(&["-odry-run", "main"]));
    story.wait_for("one", &one);
    insta::assert_snapshot!("unknown_option", story.refused(&["-odry-rum", "main"]));
    story.wait_for("one", &one);
    assert_eq!(story.commits(), [one]);
    story.push(&["main"]);
    assert_eq!(story.node.get("/a").text(), "two");
}

#[test]
fn a_name_with_a_line_break_forges_no_line_of_the_node() {
    let story = Story::begin();
    let before = story.deploy("one");
    let name = "functions/x\nremote: live at 1234567890 in 1 ms.rhai";
    story.checkout.commit(&[(name, b"let x = ;"), ("functions/\u{1b}[31mred\u{202e}.rhai", b"1"), ("functions/a.rhai", b"\"\x1b[31m\" x")]);
    let told = story.refused(&["main"]);
    assert!(told.contains(r"functions/x\nremote: live at 1234567890 in 1 ms.rhai: error: "), "{told}");
    assert!(told.contains(r"\u{1b}[31mred\u{202e}.rhai"), "{told}");
    assert!(!told.contains("\u{1b}[31m") && !told.contains('\u{202e}'), "{told:?}");
    assert_eq!(told.lines().filter(|line| line.contains("live at")).count(), 1, "{told}");
    story.wait_for("one", &before);
}

#[test]
fn moving_all_of_a_few_functions_must_be_meant_too() {
    let story = Story::begin();
    story.checkout.commit(&[("functions/b.rhai", b"1"), ("functions/c.rhai", b"2")]);
    story.push(&["main"]);
    story.checkout.commit(&[("functions/moved/b.rhai", b"1"), ("functions/moved/c.rhai", b"2")]);
    story.checkout.done(&["rm", "--quiet", "functions/b.rhai", "functions/c.rhai"]);
    story.checkout.commit(&[]);
    let told = story.refused(&["main"]);
    assert!(told.contains("this push would remove 2 of 2 functions; nothing was pushed"), "{told}");
    assert_eq!(story.node.get("/b").text(), "1");
    story.push(&["-oallow-mass-delete", "main"]);
    assert_eq!((story.node.get("/b").status, story.node.get("/moved/b").text().as_str()), (404, "1"));
}

#[test]
fn removing_most_functions_must_be_meant() {
    let story = Story::begin();
    let names: Vec<String> = (0..11).map(|number| format!("functions/f{number:02}.rhai")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"1"[..])).collect();
    let all = story.checkout.commit(&files);
    story.push(&["main"]);
    let removed: Vec<&str> = names[..6].iter().map(String::as_str).collect();
    story.checkout.done(&[&["rm", "--quiet"], &removed[..]].concat());
    let few = story.checkout.commit(&[]);
    insta::assert_snapshot!("mass_delete", story.refused(&["main"]));
    assert_eq!((story.branch("main"), story.node.get("/f00").status), (all, 200));
    story.push(&["-oallow-mass-delete", "main"]);
    assert_eq!((story.branch("main"), story.node.get("/f00").status, story.node.get("/f10").status), (few, 404, 200));
}

#[test]
fn a_forced_push_goes_live_and_says_what_it_left_behind() {
    let story = Story::begin();
    let one = story.deploy("one");
    let two = story.deploy("two");
    story.checkout.done(&["reset", "--quiet", "--hard", &one]);
    let three = story.commit("three");
    assert!(story.refused(&["main"]).contains("non-fast-forward"), "git itself asks for --force");
    story.wait_for("two", &two);
    insta::assert_snapshot!("forced", story.push(&["--force", "main"]));
    story.wait_for("three", &three);
    assert_eq!(story.live().unwrap().note, Some(format!("forced: does not contain {two}")));
    // Back to where it was is forced as well.
    story.checkout.done(&["reset", "--quiet", "--hard", &one]);
    story.push(&["--force", "main"]);
    story.wait_for("one", &one);
}

#[test]
fn forced_pushes_can_be_off() {
    let story = Story::with("allow_force = false\n");
    let one = story.deploy("one");
    let two = story.deploy("two");
    story.checkout.done(&["reset", "--quiet", "--hard", &one]);
    story.commit("three");
    insta::assert_snapshot!("force_refused", story.refused(&["--force", "main"]));
    story.wait_for("two", &two);
}

#[test]
fn the_branch_that_deploys_cannot_be_deleted_and_others_can() {
    for story in [Story::begin(), Story::over_http()] {
        let one = story.deploy("one");
        story.push(&["main:topic"]);
        insta::assert_snapshot!("delete_refused", story.refused(&["--delete", "main"]));
        story.push(&["--delete", "topic"]);
        story.wait_for("one", &one);
        assert_eq!(story.branch("topic"), "");
    }
}

#[test]
fn another_branch_is_stored_with_warnings_and_deploys_nothing() {
    let story = Story::begin();
    let one = story.deploy("one");
    let broken = story.checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    insta::assert_snapshot!("broken_branch", story.push(&["HEAD:refs/heads/fix/typo"]));
    story.commit("two");
    insta::assert_snapshot!("good_branch", story.push(&["HEAD:refs/heads/topic"]));
    story.checkout.done(&["tag", "v1"]);
    insta::assert_snapshot!("tag", story.push(&["v1"]));
    story.wait_for("one", &one);
    assert_eq!((story.branch("fix/typo"), story.commits()), (broken, vec![one]));
}

#[test]
fn of_several_references_all_move_or_none() {
    let story = Story::begin();
    let one = story.deploy("one");
    let two = story.commit("two");
    story.checkout.done(&["branch", "topic"]);
    story.checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    insta::assert_snapshot!("several", story.refused(&["main", "topic", "HEAD:refs/tags/v1"]));
    story.wait_for("one", &one);
    assert_eq!(story.bare(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    story.checkout.done(&["reset", "--quiet", "--hard", &two]);
    story.push(&["main", "topic"]);
    story.wait_for("two", &two);
    assert_eq!(story.branch("topic"), two);
}

#[test]
fn a_commit_that_changes_no_function_is_live_as_well() {
    let story = Story::begin();
    let one = story.deploy("one");
    let readme = story.checkout.commit(&[("README.md", b"hello")]);
    insta::assert_snapshot!("no_function_changed", story.push(&["main"]));
    story.wait_for("one", &readme);
    // The next node knows it, too.
    let mut story = story;
    story.node.restart();
    story.wait_for("one", &readme);
    assert_eq!(story.commits(), [readme, one]);
}

#[test]
fn a_repository_that_waits_for_its_first_push_is_well() {
    let mut story = Story::begin();
    assert_eq!(story.node.ready()["status"], "ready");
    story.node.restart();
    assert_eq!(story.node.ready()["status"], "ready");
    assert!(!story.node.log().contains("WARN"), "{}", story.node.log());
    let one = story.deploy("one");
    story.wait_for("one", &one);
}

#[test]
fn a_first_clone_of_an_empty_repository_can_push() {
    for story in [Story::begin(), Story::over_http()] {
        let clone = Checkout::of(&story.remote());
        let commit = clone.agree("one");
        let output = story.pushing_from(&clone, &["main"]).output().unwrap();
        assert!(said(&output).contains("remote: live at"), "{}", said(&output));
        story.wait_for("one", &commit);
    }
}

#[test]
fn names_that_are_probably_meant_as_others_are_told_of() {
    let story = Story::begin();
    story.checkout.commit(&[("functions/BYE.RHAI", b"1"), ("functions/middleware.rhai", b"1")]);
    let said = story.push(&["main"]);
    assert!(said.contains("`BYE.RHAI` is not read"), "{said}");
    for name in ["_middleware.rhai.txt", "_middleware", ".middleware.rhai", "_middlewear.rhai"] {
        let path = format!("functions/adm/{name}");
        story.checkout.commit(&[("functions/adm/s.rhai", b"1"), (&path, b"1")]);
        let said = story.refused(&["main"]);
        assert!(said.contains(&format!("`{name}` looks like a guard and is none")), "{said}");
        story.checkout.done(&["rm", "--quiet", &path]);
    }
    story.checkout.commit(&[("functions/adm/_middleware.rhai", b"()"), ("functions/adm/_middleware.rhai.txt", b"1")]);
    story.push(&["main"]);
    assert_eq!(story.node.get("/adm/s").text(), "1");
}

#[test]
fn a_shallow_clone_is_told_to_get_its_history_first() {
    let elsewhere = Checkout::with(&[("functions/a.rhai", b"\"one\"")]);
    elsewhere.agree("two");
    let clone = Checkout::empty();
    let from = format!("file://{}", elsewhere.folder().display());
    clone.done(&["fetch", "--quiet", "--depth=1", &from, "main"]);
    clone.done(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    for story in [Story::begin(), Story::over_http()] {
        for arguments in [&["HEAD:main"][..], &["-odry-run", "HEAD:main"], &["HEAD:refs/heads/topic"], &["--force", "HEAD:main"]] {
            let told = said(&story.pushing_from(&clone, arguments).output().unwrap());
            assert!(told.contains("this clone is shallow") && told.contains("git fetch --unshallow"), "{told}");
            assert!(!told.contains("added"), "{told}");
        }
        assert_eq!(story.branch("main"), "");
    }
    // One commit on top of it does not help, and a whole history does.
    clone.agree("three");
    let story = Story::begin();
    assert!(said(&story.pushing_from(&clone, &["HEAD:main"]).output().unwrap()).contains("this clone is shallow"));
    clone.done(&["fetch", "--quiet", "--unshallow", &from, "main"]);
    assert!(story.pushing_from(&clone, &["HEAD:main"]).output().unwrap().status.success());
    assert_eq!(story.answer(), "three");
    // A shallow clone of this very repository has all that is missing here.
    let again = Checkout::empty();
    again.done(&["fetch", "--quiet", "--depth=1", &format!("file://{}", story.repository().display()), "main"]);
    again.done(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    again.agree("four");
    let pushed = story.pushing_from(&again, &["HEAD:main"]).output().unwrap();
    assert!(pushed.status.success(), "{}", said(&pushed));
    assert_eq!(story.answer(), "four");
}

#[test]
fn a_branch_is_pushed_to_commits_only() {
    let story = Story::begin();
    let one = story.deploy("one");
    story.commit("two");
    story.checkout.done(&["tag", "--annotate", "v1", "--message", "v1"]);
    insta::assert_snapshot!("annotated_tag", story.refused(&["v1:main"]));
    assert!(story.refused(&["v1:refs/heads/topic"]).contains("`v1` is an annotated tag"));
    assert!(story.refused(&["HEAD:functions/a.rhai:refs/heads/topic"]).contains("is a blob, and a branch points to a commit"));
    story.wait_for("one", &one);
    story.push(&["v1", "v1^{}:main"]);
    assert_eq!(story.answer(), "two");
}

#[test]
fn what_cannot_be_stored_is_not_called_stored() {
    let story = Story::begin();
    let one = story.deploy("one");
    story.push(&["main:feature/x"]);
    for name in ["feature", "feature/x/y", "main/x", "main/x/y"] {
        let told = story.refused(&[&format!("main:refs/heads/{name}")]);
        assert!(told.contains("is there, so there cannot be") && !told.contains("stored"), "{name}: {told}");
    }
    // In the place of one that goes with the same push it can.
    story.push(&[":feature/x", "main:refs/heads/feature"]);
    assert_eq!((story.branch("feature"), story.branch("main")), (one.clone(), one.clone()));
    // Nor is it stored before git has moved the branch.
    story.wrap("post-receive", "exit 0");
    let told = story.push(&["main:refs/heads/quiet"]);
    assert!(told.contains("quiet: checked, no errors") && !told.contains("stored"), "{told}");
}

#[test]
fn a_name_that_git_takes_for_another_keeps_nobody_from_pushing() {
    for story in [Story::begin(), Story::over_http()] {
        let one = story.deploy("one");
        let heads = ["refs/heads/refs/heads/main", "refs/heads/refs/x", "refs/heads/refs/tags/v1"];
        for name in heads.into_iter().chain(["refs/tags/refs/heads/main", "refs/refs/heads/main", "refs/refs/x"]) {
            let told = story.refused(&[&format!("main:{name}")]);
            let meant = ["refs/heads/", "refs/tags/", "refs/"].iter().find_map(|above| name.strip_prefix(above)).unwrap();
            assert!(told.contains(&format!("`{name}` for `{meant}`")) && told.contains(&format!("HEAD:{meant}")), "{told}");
            assert!(!told.contains("stored"), "{told}");
        }
        // Deeper in a name it is no harm.
        story.push(&["main:refs/heads/fix/refs/heads/main", "main:refs/heads/references"]);
        let two = story.deploy("two");
        story.push(&["HEAD:refs/heads/main"]);
        story.wait_for("two", &two);
        // One that came past the gate can be removed.
        story.bare(&["update-ref", "refs/heads/refs/heads/main", &one]);
        let told = story.refused(&["main"]);
        assert!(told.contains("matches more than one"), "{told}");
        story.push(&[":refs/heads/refs/heads/main"]);
        story.deploy("three");
    }
}

#[test]
fn a_reference_that_is_no_branch_says_that_it_deploys_nothing() {
    let story = Story::begin();
    let one = story.deploy("one");
    story.commit("two");
    let told = story.push(&["HEAD:refs/for/main", "HEAD:refs/pull/1/head", "HEAD:refs/picloud/upload/x"]);
    for name in ["refs/for/main", "refs/pull/1/head", "refs/picloud/upload/x"] {
        assert!(told.contains(&format!("{name}: stored; deploys nothing")), "{told}");
    }
    story.wait_for("one", &one);
    // None of them is in the way of what the node commits itself.
    let bearer = format!("Bearer {}", crate::kit::api::admin(&story.node));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = story.node.send("PUT", "/api/admin/scripts/a", &headers, br#"{"source":"\"three\""}"#);
    assert!(answer.status < 300, "{}", answer.text());
    assert_eq!(story.node.get("/a").text(), "three");
}

#[test]
fn who_pushes_to_a_path_is_told_by_the_system() {
    let story = Story::begin();
    story.commit("one");
    let pushed = story.pushing(&["main"]).env("PICLOUD_PUSHER", "admin").env("USER", "root2").output().unwrap();
    assert!(pushed.status.success(), "{}", said(&pushed));
    let expected = format!("user:{}", crate::kit::git::whoami());
    assert_eq!(story.live().unwrap().pushed_by, Some(expected.clone()));
    let audit = picloud(&story.node, &["audit", "--json"]);
    assert!(audit.contains(&expected) && !audit.contains("\"who\":\"admin\""), "{audit}");
}

#[test]
fn who_pushed_is_known_after_a_restart() {
    let mut story = Story::over_http();
    story.deploy("one");
    picloud(&story.node, &["source", "suspend"]);
    story.checkout.commit(&[("functions/a.rhai", b"\"two\"")]);
    story.checkout.done(&["commit", "--quiet", "--amend", "--no-edit", "--author=root <root@picloud>"]);
    story.push(&["main"]);
    for is_killed in [false, true] {
        picloud(&story.node, &["sync"]);
        if is_killed {
            story.node.kill();
            story.node.start();
        } else {
            story.node.restart();
        }
    }
    picloud(&story.node, &["source", "resume"]);
    let live = story.live().unwrap();
    assert_eq!((live.by.as_deref(), live.pushed_by.as_deref()), (Some("root <root@picloud>"), Some("admin")));
    let audit: serde_json::Value = serde_json::from_str(&picloud(&story.node, &["audit", "--json"])).unwrap();
    let pushes: Vec<_> = audit.as_array().unwrap().iter().filter(|entry| entry["action"] == "push").collect();
    assert!(pushes.len() == 2 && pushes.iter().all(|push| push["who"] == "admin"), "{audit}");
}

#[test]
fn an_object_that_is_too_large_is_not_read() {
    for story in [Story::begin(), Story::over_http()] {
        let one = story.deploy("one");
        std::fs::write(story.checkout.folder().join(".git/long"), "m".repeat(2 << 20)).unwrap();
        story.checkout.done(&["commit", "--quiet", "--allow-empty", "--file=.git/long"]);
        // It is in the history of what is pushed.
        let two = story.commit("two");
        for push in [&["main"][..], &["main:refs/heads/other"], &["-odry-run", "main"]] {
            let told = story.refused(push);
            assert!(told.contains("bytes, and at most 1048576 are read"), "{told}");
        }
        let names: String =
            (0..400_000).map(|number| format!("100644 blob e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\t{number:040}\n")).collect();
        std::fs::write(story.checkout.folder().join(".git/names"), names).unwrap();
        story.checkout.done(&["hash-object", "-w", "-t", "blob", "/dev/null"]);
        let file = std::fs::File::open(story.checkout.folder().join(".git/names")).unwrap();
        let tree = crate::kit::git::git(story.checkout.folder()).arg("mktree").stdin(file).output().unwrap();
        let tree = String::from_utf8(tree.stdout).unwrap();
        let commit = story.checkout.done(&["commit-tree", "-m", "many", "-p", &one, tree.trim()]);
        let told = story.refused(&[&format!("{}:refs/heads/main", commit.trim())]);
        assert!(told.contains("bytes, and at most 16777216 are read"), "{told}");
        story.wait_for("one", &one);
        // Past the gate it is the same.
        if !story.is_hosted {
            story.bare(&["fetch", "--quiet", story.checkout.folder().to_str().unwrap(), "refs/heads/main:refs/kept/main"]);
            story.bare(&["update-ref", "refs/heads/main", &format!("{two}~1")]);
            story.node.wait_for_state("degraded");
            assert_eq!(story.answer(), "one");
        }
    }
}
