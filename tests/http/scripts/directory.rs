//! What is particular to a directory: files, their permissions, links, editors, and kills.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use crate::kit::{
    api::{Api, messages, path, tar},
    node::{Node, PATIENCE, Signal, node, wait_until},
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_is_replaced_keeps_its_permissions_and_a_new_one_takes_its_folder_s() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let api = Api::of(&node);
    set_mode(&node.file("a.rhai"), 0o640);
    assert_eq!(api.replace("a", "2").status, 200);
    assert_eq!(mode(&node.file("a.rhai")), 0o640);
    let root = node.folder().join("functions");
    for (folder, file) in [(0o755, 0o644), (0o700, 0o600), (0o775, 0o664)] {
        set_mode(&root, folder);
        let name = format!("deep{folder}/b");
        api.created(&name, "1");
        assert_eq!((mode(&root.join(format!("deep{folder}"))), mode(&node.file(&format!("{name}.rhai")))), (folder, file));
    }
    let left: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn no_link_is_followed_or_replaced() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept.rhai"), "1").unwrap();
    let node = Node::start_with(&[("a.rhai", "1"), ("inside/b.rhai", "1"), ("plain", "text")]);
    symlink(outside.path(), node.file("out")).unwrap();
    symlink("a.rhai", node.file("link.rhai")).unwrap();
    symlink("inside", node.file("alias")).unwrap();
    symlink(outside.path().join("new.rhai"), node.file("dangling.rhai")).unwrap();
    node.wait_for("/alias/b", "1");
    node.wait_for("/link", "1");
    let api = Api::of(&node);
    for (name, place) in [("out/new", "out"), ("out/deep/new", "out"), ("dangling", "dangling.rhai"), ("plain/new", "plain")] {
        let refused = api.create(name, "2");
        assert_eq!(refused.status, 409, "{name}: {}", refused.text());
        assert!(
            refused.json()["detail"].as_str().unwrap().starts_with(&format!("`{place}` cannot be written: it is a ")),
            "{}",
            refused.text()
        );
    }
    assert_eq!((api.replace("link", "2").status, api.replace("alias/b", "2").status, api.delete("alias/b").status), (409, 409, 409));
    let names: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["kept.rhai"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/inside/b").text().as_str()), ("1", "1"));
    assert!(node.file("link.rhai").is_symlink() && node.file("alias").is_symlink());
}

#[test]
fn what_was_broken_before_keeps_nobody_from_changing_something_else() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let api = Api::of(&node);
    node.replace("b.rhai", "let x = ;");
    wait_until("the mistake is known", PATIENCE, || api.get(&path("b")).json()["state"] == "broken");
    assert_eq!(api.replace("a", "2").status, 200);
    api.created("c", "3");
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str(), node.get("/c").text().as_str()), ("2", "1", "3"));
    // It is shown as it is saved, with the mistake, and what is live of it.
    let broken = api.get(&path("b"));
    let script = broken.json();
    assert_eq!((&script["source"], &script["state"], &script["errors"]), (&json!("let x = ;"), &json!("broken"), &json!(1)));
    assert_eq!((messages(&broken).len(), script["version"].is_string()), (1, true));
    assert_eq!(api.names("?state=broken"), ["b"]);
    // Who saw the mistake may mend it.
    let tag = broken.header("etag").unwrap();
    assert_eq!(api.send("PUT", &path("b"), &[("if-match", tag)], b"{\"source\":\"2\"}").status, 200);
    assert_eq!(node.get("/b").text(), "2");
    assert!(api.names("?state=broken").is_empty());
    // A tree is whole or not at all.
    assert_eq!(api.tree("", &tar(&[("a.rhai", "3"), ("b.rhai", "let x = ;")])).status, 422);
    assert_eq!(node.get("/a").text(), "2");
}

#[test]
fn a_guard_and_a_module_are_live_at_once_beside_a_mistake_of_others() {
    let files = [
        ("n/a.rhai", "import \"m\" as m; m::f()"),
        ("_lib/m.rhai", "fn f() { 1 }"),
        ("o/_middleware.rhai", "#{statusCode: 401}"),
        ("o/a.rhai", "1"),
    ];
    let node = Node::start_with(&files);
    let api = Api::of(&node);
    node.replace("broken.rhai", "let x = ;");
    wait_until("the mistake is known", PATIENCE, || node.get("/broken").status == 503);
    assert_eq!((api.replace("_lib/m", "fn f() { 2 }").status, node.get("/n/a").text()), (200, "2".into()));
    assert_eq!((api.replace("o/_middleware", "#{statusCode: 403}").status, node.get("/o/a").status), (200, 403));
    api.created("n/_middleware", "#{statusCode: 401}");
    assert_eq!(node.get("/n/a").status, 401);
    api.created("_lib/new", "fn f() { 3 }");
    // Deleting a guard is answered with what it leaves open.
    assert_eq!((api.delete("n/_middleware").status, node.get("/n/a").text()), (200, "2".into()));
    // Somebody saves and somebody else is told at once.
    for round in 0..5 {
        node.replace("broken.rhai", &format!("let x = ; // {round}"));
        assert_eq!(api.replace("o/_middleware", &format!("#{{statusCode: {}}}", 410 + round)).status, 200);
        assert_eq!(node.get("/o/a").status, 410 + round);
    }
}

#[test]
fn a_save_that_nobody_has_seen_yet_is_not_overwritten_by_who_expects_another() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let api = Api::of(&node);
    for round in 2..12 {
        let seen = api.get(&path("a"));
        let saved = format!("{round} // by an editor");
        node.replace("a.rhai", &saved);
        let late = api.send("PUT", &path("a"), &[("if-match", seen.header("etag").unwrap())], b"{\"source\":\"0\"}");
        assert_eq!(late.status, 412, "{}", late.text());
        assert_eq!(fs::read_to_string(node.file("a.rhai")).unwrap(), saved);
        node.wait_for("/a", &round.to_string());
    }
}

#[test]
fn deletions_are_meant_however_many_they_are() {
    let files: Vec<(String, &str)> = (0..12).map(|number| (format!("f{number}.rhai"), "1")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let node = node(&files).start();
    let api = Api::of(&node);
    assert_eq!(api.tree("?allow_mass_delete=true", &tar(&[("a.rhai", "1"), ("_lib/m.rhai", "1")])).status, 200);
    assert_eq!((node.get("/a").text().as_str(), node.get("/f3").status), ("1", 404));
    assert_eq!(api.names(""), ["_lib/m", "a"]);
    for name in ["a", "_lib/m"] {
        assert_eq!(api.delete(name).status, 204);
    }
    assert_eq!(node.get("/a").status, 404);
    assert!(fs::read_dir(node.folder().join("functions")).unwrap().all(|entry| entry.unwrap().path().is_dir()));
}

#[test]
fn an_empty_script_is_written_and_not_served() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "2")]);
    let api = Api::of(&node);
    let emptied = api.replace("a", "");
    assert_eq!(emptied.status, 200, "{}", emptied.text());
    assert_eq!(emptied.json()["source"], "");
    assert_eq!((node.get("/a").status, node.get("/b").text().as_str()), (404, "2"));
    assert_eq!(fs::read_to_string(node.file("a.rhai")).unwrap(), "");
}

#[test]
fn what_was_saved_just_before_a_restart_can_be_changed_at_once() {
    let mut node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    node.kill();
    node.write("a.rhai", "2");
    node.write("new.rhai", "2");
    node.start();
    let api = Api::of(&node);
    assert_eq!((api.replace("a", "3").status, api.replace("new", "3").status), (200, 200));
    assert_eq!((node.get("/a").text(), node.get("/new").text()), ("3".into(), "3".into()));
}

#[test]
fn without_its_folder_nothing_is_written() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let api = Api::of(&node);
    fs::rename(node.folder().join("functions"), node.folder().join("away")).unwrap();
    wait_until("that is known", PATIENCE, || api.status()["problem"].is_string());
    let refused = api.replace("a", "2");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(!node.folder().join("functions").exists());
    fs::rename(node.folder().join("away"), node.folder().join("functions")).unwrap();
    wait_until("it is back", PATIENCE, || api.status()["problem"].is_null());
    assert_eq!(api.replace("a", "2").status, 200);
    assert_eq!(node.get("/a").text(), "2");
}

/// A script that answers this, as large as a file may be.
fn large(answer: usize) -> String {
    format!("{answer} /*{}*/", "x".repeat(250_000))
}

#[test]
fn a_node_that_is_killed_while_it_writes_leaves_whole_files() {
    let mut node = Node::start_with(&[("a.rhai", &large(0)), ("b.rhai", &large(0))]);
    for round in 1..=10 {
        let token = crate::kit::api::admin(&node);
        let (text, mut client) = (large(round), node.client());
        let tree = tar(&[("a.rhai", &text), ("b.rhai", &text), (&format!("c{round}.rhai"), &text)]);
        let writer = std::thread::spawn(move || {
            let bearer = format!("Bearer {token}");
            let _ = client.send("PUT", "/api/admin/tree", &[("authorization", &bearer)], &tree);
        });
        std::thread::sleep(Duration::from_millis(round as u64 * 6));
        node.signal(Signal::KILL);
        node.ended();
        writer.join().unwrap();
        let is_whole = |path: &Path| {
            let text = fs::read_to_string(path).unwrap();
            (0..=round).any(|known| text == large(known))
        };
        for entry in fs::read_dir(node.folder().join("functions")).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.extension().is_none_or(|extension| extension != "rhai") || is_whole(&path), "{}", path.display());
        }
        node.start();
        // What is left of the write is in nobody's way.
        assert_eq!(Api::of(&node).replace("a", &large(round)).status, 200, "round {round}");
        assert_eq!(node.get("/a").text(), round.to_string());
    }
    assert_eq!(Api::of(&node).tree("?allow_mass_delete=true", &tar(&[("a.rhai", "1")])).status, 200);
    assert_eq!(names_in(&node.folder().join("functions")), ["a.rhai"]);
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_a_killed_node_has_left_goes_with_the_next_write() {
    let files = [("a.rhai", "1"), ("in/b.rhai", "1"), ("in/deep/c.rhai", "1")];
    let node = Node::start_with(&files);
    let (api, functions) = (Api::of(&node), node.folder().join("functions"));
    // As nodes leave it that are killed before files of many folders, new ones among them, have their names.
    let leave = || {
        for path in
            [".picloud-next-0", "in/.picloud-next-7", "in/deep/.picloud-next-41", "new/.picloud-next-300", "new/deep/.picloud-next-301"]
        {
            let path = functions.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "half of").unwrap();
        }
    };
    leave();
    assert_eq!(api.replace("a", "2").status, 200);
    assert_eq!(names_in(&functions), ["a.rhai", "in"]);
    assert_eq!(
        (names_in(&functions.join("in")), names_in(&functions.join("in/deep"))),
        (vec!["b.rhai".into(), "deep".into()], vec!["c.rhai".into()])
    );
    leave();
    assert_eq!(api.tree("?allow_mass_delete=true", &tar(&[("a.rhai", "3")])).status, 200);
    assert_eq!((node.get("/a").text(), names_in(&functions)), ("3".into(), vec!["a.rhai".into()]));
    // Nothing is changed by who only asks, and so nothing is tidied.
    leave();
    assert_eq!(api.tree("?dry_run=true", &tar(&[("a.rhai", "4")])).status, 200);
    assert!(functions.join("new/.picloud-next-300").exists());
}

#[test]
fn after_a_rollback_a_save_goes_live_and_the_node_itself_writes_nothing() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let api = Api::of(&node);
    assert_eq!(api.replace("a", "2").status, 200);
    assert_eq!(api.json("POST", "/api/admin/rollback", &json!({ "reason": "it leaks" })).status, 200);
    let refused = || {
        let answer = api.create("sent", "1");
        let problem = answer.json();
        let [detail, hint] = [&problem["detail"], &problem["hint"]].map(|text| text.as_str().unwrap_or_default().to_owned());
        assert!(answer.status == 409 && detail.ends_with(" (it leaks), and the node writes nothing while any of that stays"), "{problem}");
        assert!(hint.starts_with("`picloud unpin` ") && !answer.text().contains("goes live"), "{problem}");
    };
    refused();
    node.write("saved.rhai", "1");
    node.wait_for("/saved", "1");
    refused();
    assert_eq!(api.json("POST", "/api/admin/unpin", &json!({})).status, 200);
    assert_eq!(api.create("sent", "1").status, 201);
}

#[test]
fn a_file_that_is_not_as_the_node_has_read_it_is_named() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let api = Api::of(&node);
    let mut file = fs::File::create(node.file("b.rhai")).unwrap();
    file.write_all(b"2").unwrap();
    let is_done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let is_done = is_done.clone();
        move || {
            while !is_done.load(Ordering::Relaxed) {
                file.write_all(b" ").unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    for query in ["?dry_run=true", ""] {
        let refused = api.tree(query, &tar(&[("a.rhai", "2"), ("b.rhai", "3")]));
        let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(refused.status == 409 && detail.contains("`b.rhai` is being written"), "{}", refused.text());
    }
    is_done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    node.wait_for("/b", "2");
    assert_eq!(api.tree("", &tar(&[("a.rhai", "2"), ("b.rhai", "3")])).status, 200);

    ["a.rhai", "b.rhai"].iter().for_each(|file| node.remove(file));
    let refused = api.tree("", &tar(&[("a.rhai", "4"), ("b.rhai", "4")]));
    let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(refused.status == 409 && detail.contains("`a.rhai` went away a moment ago"), "{}", refused.text());
}

#[test]
fn whoever_deletes_a_guard_is_told_what_it_leaves_open() {
    let guard = "#{statusCode: 401}";
    let node = Node::start_with(&[("a/_middleware.rhai", guard), ("a/x.rhai", "1"), ("a/b/y.rhai", "1"), ("c/_middleware.rhai", guard)]);
    let api = Api::of(&node);
    assert_eq!(node.get("/a/x").status, 401);
    let warned = "a/_middleware.rhai: this guard is deleted, and 2 functions are without it";
    let without = tar(&[("a/x.rhai", "1"), ("a/b/y.rhai", "1"), ("c/_middleware.rhai", guard)]);
    let planned = api.tree("?dry_run=true", &without);
    assert_eq!((planned.status, messages(&planned)), (200, vec![warned.to_owned()]), "{}", planned.text());
    let deleted = api.delete("a/_middleware");
    assert_eq!((deleted.status, messages(&deleted)), (200, vec![warned.to_owned()]), "{}", deleted.text());
    assert_eq!(node.get("/a/x").text(), "1");
    // It guarded nothing.
    assert_eq!((api.delete("c/_middleware").status, api.delete("a/x").status), (204, 204));
}

#[test]
fn a_guard_with_a_mistake_refuses_what_would_wait_for_it() {
    let node = Node::start_with(&[("a.rhai", "1"), ("n/_middleware.rhai", "let x = ;"), ("large/_middleware.rhai", &large(1).repeat(2))]);
    fs::create_dir(node.file("link")).unwrap();
    symlink("/etc/passwd", node.file("link/_middleware.rhai")).unwrap();
    let api = Api::of(&node);
    node.wait_for_line(&["link/_middleware.rhai: error"]);
    for folder in ["n", "large", "link"] {
        let refused = api.create(&format!("{folder}/api"), "1");
        assert_eq!(refused.status, 422, "{folder}: {}", refused.text());
        assert!(
            messages(&refused).iter().all(|message| message.starts_with(&format!("{folder}/_middleware.rhai: "))),
            "{}",
            refused.text()
        );
        assert!(!messages(&refused).is_empty() && !node.file(&format!("{folder}/api.rhai")).exists());
    }
    // Elsewhere it is in nobody's way.
    assert_eq!((api.create("b", "1").status, api.replace("a", "2").status), (201, 200));
}

#[test]
fn a_dry_run_is_refused_as_the_write_would_be_and_a_link_that_is_to_go_goes() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    symlink("a.rhai", node.file("alias.rhai")).unwrap();
    node.wait_for("/alias", "1");
    let api = Api::of(&node);
    for query in ["?dry_run=true", ""] {
        let refused = api.tree(query, &tar(&[("a.rhai", "1"), ("b.rhai", "1"), ("alias.rhai", "2")]));
        assert_eq!(refused.status, 409, "{query}: {}", refused.text());
        assert!(refused.text().contains("`alias.rhai` cannot be written: it is a link"), "{}", refused.text());
    }
    for query in ["?dry_run=true", ""] {
        assert!(node.file("alias.rhai").is_symlink());
        let done = api.tree(query, &tar(&[("a.rhai", "1"), ("b.rhai", "1")]));
        assert_eq!((done.status, done.json()["summary"].as_str()), (200, Some("0 added, 0 changed, 1 removed")), "{}", done.text());
    }
    assert!(!node.file("alias.rhai").is_symlink() && node.file("a.rhai").exists());
    assert_eq!((node.get("/alias").status, node.get("/a").text().as_str()), (404, "1"));
}

#[test]
fn a_file_that_is_the_folder_of_another_is_refused_before_anything_is_written() {
    let node = Node::start_with(&[("x.rhai", "1")]);
    let api = Api::of(&node);
    let files = [("x.rhai", "2"), ("a.rhai", "1"), ("a.rhai/b.rhai", "1"), ("a.rhai/c/d.rhai", "1")];
    for query in ["?dry_run=true", ""] {
        let refused = api.tree(query, &tar(&files));
        let wrong = "`a.rhai` is a file, and cannot be the folder of this one, too";
        assert_eq!(
            (refused.status, messages(&refused)),
            (422, vec![format!("a.rhai/b.rhai: {wrong}"), format!("a.rhai/c/d.rhai: {wrong}")])
        );
    }
    assert_eq!(fs::read_dir(node.folder().join("functions")).unwrap().count(), 1);
    assert_eq!((node.get("/x").text().as_str(), node.get("/a").status), ("1", 404));
    let checked = api.json("POST", "/api/admin/check", &json!({ "files": { "x.rhai/y.rhai": "1" } }));
    assert!(checked.text().contains("`x.rhai` is a file"), "{}", checked.text());
}

#[test]
fn a_guard_under_a_wrong_name_is_refused_in_a_tree() {
    let node = Node::start_with(&[("x.rhai", "1")]);
    let api = Api::of(&node);
    for name in ["adm/_middleware.rhai.txt", "adm/_middlewear.rhai", "adm/_middleware"] {
        let refused = api.tree("", &tar(&[("x.rhai", "1"), ("adm/s.rhai", "1"), (name, "1")]));
        assert_eq!(refused.status, 422, "{name}: {}", refused.text());
        assert!(messages(&refused)[0].contains("looks like a guard and is none"), "{}", refused.text());
    }
    assert_eq!(node.get("/adm/s").status, 404);
}

#[test]
fn what_a_guard_with_a_mistake_shuts_is_refused_before_it_is_written() {
    let node = Node::start_with(&[("x.rhai", "1")]);
    for (folder, guard) in [("text", "let x = ;"), ("empty", ""), ("large", &" ".repeat(300_000)), ("slip", "1")] {
        node.write(&format!("{folder}/{}", if folder == "slip" { "_middleware.RHAI" } else { "_middleware.rhai" }), guard);
        node.wait_for_line(&[&format!("{folder}/_middleware."), "error: "]);
    }
    let api = Api::of(&node);
    for folder in ["text", "empty", "large", "slip"] {
        let refused = api.create(&format!("{folder}/new"), "1");
        assert_eq!(refused.status, 422, "{folder}: {}", refused.text());
        assert!(refused.text().contains(&format!("{folder}/_middleware.")), "{}", refused.text());
        assert!(!node.file(&format!("{folder}/new.rhai")).exists());
    }
    api.created("other/new", "1");
    // Whoever mends the guard is not kept from it.
    node.write("text/_middleware.rhai", "()");
    node.write("text/old.rhai", "1");
    node.wait_for("/text/old", "1");
    api.created("text/new", "1");
}

#[test]
fn a_kill_while_a_tree_is_written_leaves_no_function_without_its_guard() {
    let mut node = Node::start_with(&[("x.rhai", "1")]);
    let tree = |folder: &str| {
        let mut files = vec![("x.rhai".to_owned(), "1"), (format!("{folder}/_middleware.rhai"), "()")];
        files.extend((0..300).map(|number| (format!("{folder}/f{number}.rhai"), "1")));
        tar(&files.iter().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>())
    };
    for round in 0..6 {
        let (token, mut client, tree) = (crate::kit::api::admin(&node), node.client(), tree(&format!("adm{}", round % 2)));
        let writer = std::thread::spawn(move || {
            let bearer = format!("Bearer {token}");
            let _ = client.send("PUT", "/api/admin/tree?allow_mass_delete=true", &[("authorization", &bearer)], &tree);
        });
        let begun = node.file(&format!("adm{}/_middleware.rhai", round % 2));
        wait_until("the first names are given", PATIENCE, || begun.exists() || writer.is_finished());
        std::thread::sleep(std::time::Duration::from_millis(round * 2));
        node.signal(Signal::KILL);
        node.ended();
        writer.join().unwrap();
        for folder in ["adm0", "adm1"].map(|folder| node.file(folder)) {
            let names: Vec<_> = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect();
            let functions = names.iter().filter(|name| name.to_string_lossy().starts_with('f')).count();
            assert!(
                functions == 0 || names.iter().any(|name| name == "_middleware.rhai"),
                "round {round}: {}: {functions}",
                folder.display()
            );
        }
        node.start();
    }
}

#[test]
fn a_folder_that_the_node_may_not_write_to_is_named_with_what_opens_it() {
    let read_only = "mount --bind functions functions\nmount -o remount,bind,ro functions";
    let node = node(&[("a.rhai", "1")]).in_own_mounts(read_only).start();
    let api = Api::of(&node);
    for query in ["?dry_run=true", ""] {
        let refused = api.tree(query, &tar(&[("a.rhai", "2")]));
        assert_eq!(refused.status, 500, "{}", refused.text());
        let problem = refused.json();
        assert!(problem["detail"].as_str().unwrap().contains("Read-only file system"), "{problem}");
        assert!(problem["hint"].as_str().unwrap().contains("`ReadWritePaths=`"), "{problem}");
    }
    assert_eq!(node.get("/a").text(), "1");
}

#[test]
fn a_folder_that_a_deletion_leaves_empty_goes_with_it() {
    let node = node(&[("kept/b.rhai", "1"), ("kept/notes.txt", "x"), ("a.rhai", "1")]).start();
    let api = Api::of(&node);
    for name in ["new/deep/x", "new/y"] {
        api.created(name, "1");
    }
    let delete = |name: &str| assert_eq!(api.delete(name).status, 204, "{name}");
    delete("new/deep/x");
    assert!(!node.file("new/deep").exists() && node.file("new/y.rhai").exists());
    delete("new/y");
    delete("kept/b");
    assert!(!node.file("new").exists() && node.file("kept/notes.txt").exists());
    // The root stays, whatever is left in it.
    fs::remove_dir_all(node.file("kept")).unwrap();
    delete("a");
    assert!(node.file("").is_dir());
    api.created("new/deep/x", "2");
    assert_eq!(node.get("/new/deep/x").text(), "2");
}
