//! Scripts that are written while others push, and while others write.

use std::thread;

use crate::kit::{
    api::{Api, admin, path},
    git::Checkout,
    node::Node,
    story::Story,
};

/// Of each kind of change.
const CHANGES: usize = 8;

#[test]
fn pushes_and_writes_at_the_same_time_all_survive() {
    for story in [Story::over_http(), Story::begin()] {
        Api::of(&story.node).created("start", "1");
        let (remote, node) = (story.remote(), &story.node);
        let checkout = Checkout::of(&remote);
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..CHANGES {
                    let file = format!("functions/pushed{number}.rhai");
                    checkout.commit(&[(&file, b"1")]);
                    // Git itself says no to a push whose branch has moved.
                    while !checkout.run(&["push", "--quiet", &remote, "main"]).status.success() {
                        checkout.done(&["pull", "--quiet", "--rebase", &remote, "main"]);
                    }
                }
            });
            scope.spawn(|| {
                let api = Api::of(node);
                for number in 0..CHANGES {
                    api.created(&format!("written{number}"), "1");
                    assert_eq!(api.replace("start", &number.to_string()).status, 200);
                }
            });
        });
        let api = Api::of(node);
        assert_eq!(api.names("?prefix=pushed").len(), CHANGES);
        assert_eq!(api.names("?prefix=written").len(), CHANGES);
        assert_eq!(node.get("/start").text(), (CHANGES - 1).to_string());
        let files = story.bare(&["ls-tree", "--name-only", "main", "functions/"]);
        assert_eq!(files.lines().count(), 2 * CHANGES + 1, "{files}");
        // In one line, with no merge and nothing dropped.
        assert_eq!(story.bare(&["rev-list", "--count", "main"]), (1 + 3 * CHANGES).to_string());
        story.bare(&["fsck", "--strict"]);
        assert_eq!(api.status()["wanted"], story.branch("main").as_str());
        assert_eq!(api.status()["is_in_sync"], true);
    }
}

#[test]
fn of_many_who_change_the_version_that_they_saw_one_wins() {
    for node in [crate::kit::api::on_a_directory(), crate::kit::api::on_a_hosted_repository()] {
        let node: &Node = &node;
        let api = Api::of(node);
        api.created("a", "\"start\"");
        for round in 0..4 {
            let tag = api.get(&path("a")).header("etag").unwrap().to_owned();
            let token = admin(node);
            let statuses: Vec<(usize, u16)> = thread::scope(|scope| {
                let writers = (0..4).map(|number| {
                    let (token, tag) = (&token, &tag);
                    scope.spawn(move || {
                        let body = format!("{{\"source\":\"{round}{number}\"}}");
                        (number, Api::with(node, token).send("PUT", &path("a"), &[("if-match", tag)], body.as_bytes()).status)
                    })
                });
                writers.collect::<Vec<_>>().into_iter().map(|writer| writer.join().unwrap()).collect()
            });
            let won: Vec<usize> = statuses.iter().filter(|(_, status)| *status == 200).map(|(number, _)| *number).collect();
            assert!(won.len() == 1 && statuses.iter().all(|(_, status)| matches!(status, 200 | 412)), "{statuses:?}");
            // Numbers have no leading zero.
            assert_eq!(node.get("/a").text(), format!("{round}{}", won[0]).parse::<u64>().unwrap().to_string());
        }
    }
}

#[test]
fn a_commit_of_the_node_keeps_what_is_none_of_its_own() {
    for story in [Story::over_http(), Story::begin()] {
        story.checkout.commit(&[
            ("README.md", b"text"),
            ("functions/a.rhai", b"1"),
            ("functions/data.json", b"{}"),
            ("other/x.rhai", b"let"),
        ]);
        std::os::unix::fs::symlink("../other", story.checkout.folder().join("functions/link")).unwrap();
        let run = story.checkout.folder().join("functions/run.rhai");
        std::fs::write(&run, "1").unwrap();
        std::fs::set_permissions(&run, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        story.checkout.commit(&[]);
        story.push(&["main"]);
        let api = Api::of(&story.node);
        assert_eq!(api.replace("run", "2").status, 200);
        assert!(story.bare(&["ls-tree", "main", "functions/run.rhai"]).starts_with("100755 blob"));
        for (name, place) in [("link/b", "functions/link"), ("data.json/b", "functions/data.json")] {
            let refused = api.create(name, "1");
            assert_eq!(refused.status, 409, "{}", refused.text());
            assert!(refused.text().contains(&format!("`{place}` cannot be written: it is a ")), "{}", refused.text());
        }
        // Deleting the last one leaves a branch that can be followed.
        for name in ["a", "run"] {
            assert_eq!(api.delete(name).status, 204);
        }
        let files = story.bare(&["ls-tree", "-r", "--name-only", "main"]);
        assert_eq!(
            files,
            "README.md\nfunctions/data.json\nfunctions/link\nother/x.rhai".replace("functions/data", "functions/.gitkeep\nfunctions/data")
        );
        assert_eq!(api.status()["is_in_sync"], true, "{}", api.status());
        api.created("b \"quoted\" ä", "1");
        let last = story.bare(&["log", "-1", "--format=%an <%ae> %cn %s", "main"]);
        assert_eq!(last, "admin <admin@picloud> admin create b \"quoted\" ä");
        assert_eq!(story.bare(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
        story.bare(&["fsck", "--strict"]);
    }
}
