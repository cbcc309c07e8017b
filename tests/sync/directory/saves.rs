//! What becomes live, and when it goes.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    time::Duration,
};

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::kit::{client::Response, node::Node, story::deployments};

#[test]
fn a_saved_file_is_live() {
    let node = Node::start_with(&[("hello.rhai", "1")]);
    node.write("hello.rhai", "2");
    node.wait_for("/hello", "2");
    node.replace("hello.rhai", "3");
    node.wait_for("/hello", "3");
}

#[test]
fn a_save_is_called_by_its_files() {
    let node = Node::start_with(&[("hello.rhai", "1"), ("other.rhai", "1")]);
    node.write("hello.rhai", "2");
    node.wait_for("/hello", "2");
    node.write("hello.rhai", "let a = ;");
    node.wait_for_state("degraded");
    node.remove("other.rhai");
    node.wait_for_status("/other", 404);
    let subjects: Vec<Option<String>> = deployments(&node).into_iter().map(|deployment| deployment.subject).collect();
    assert_eq!(subjects, [Some("other.rhai".into()), Some("hello.rhai".into()), Some("hello.rhai".into()), None]);
}

#[test]
fn a_file_in_a_new_nested_folder_is_live() {
    let node = Node::start_with(&[]);
    node.write("a/b/c/deep.rhai", "\"deep\"");
    node.wait_for("/a/b/c/deep", "deep");
    node.write("a/b/[id].get.rhai", "ctx.request.params.id");
    node.wait_for("/a/b/7", "7");
}

#[test]
fn an_empty_file_is_told_and_not_served() {
    let node = Node::start_with(&[("hello.rhai", "1"), ("fresh.rhai", "")]);
    node.wait_for_line(&["fresh.rhai: warning: the file is empty, and is not served"]);
    assert_eq!((node.get("/fresh").status, node.get("/hello").status), (404, 200));
    node.write("fresh.rhai", "\"written\"");
    node.wait_for("/fresh", "written");
}

#[test]
fn a_deleted_file_is_not_found() {
    let node = Node::start_with(&[("hello.rhai", "1"), ("other.rhai", "2")]);
    node.remove("hello.rhai");
    node.wait_for_status("/hello", 404);
    assert_eq!(node.get("/other").text(), "2");
    node.write("hello.rhai", "3");
    node.wait_for("/hello", "3");
}

#[test]
fn the_last_function_is_deleted_when_somebody_says_so() {
    let node = Node::start_with(&[("hello.rhai", "1")]);
    node.remove("hello.rhai");
    node.wait_for_state("degraded");
    // Only who asks for it means it.
    for path in ["/api/admin/unpin", "/api/admin/source/suspend", "/api/admin/source/resume"] {
        ask(&node, "POST", path, b"");
    }
    ask(&node, "PUT", "/api/admin/scripts/unknown", b"1");
    assert_eq!(node.get("/hello").text(), "1");
    sync(&node);
    assert_eq!(node.get("/hello").status, 404);
    node.wait_for_state("ready");
}

/// Has everything looked at now, as `picloud sync` does.
pub fn sync(node: &Node) {
    let answer = ask(node, "POST", "/api/admin/sync", b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn ask(node: &Node, method: &str, path: &str, body: &[u8]) -> Response {
    let token = fs::read_to_string(node.data().join("admin-token")).unwrap();
    node.send(method, path, &[("authorization", &format!("Bearer {}", token.trim()))], body)
}

#[test]
fn a_renamed_file_answers_under_its_new_name_only() {
    let node = Node::start_with(&[("old.rhai", "1"), ("other.rhai", "2")]);
    fs::rename(node.file("old.rhai"), node.file("new.rhai")).unwrap();
    node.wait_for("/new", "1");
    node.wait_for_status("/old", 404);
}

#[test]
fn a_folder_that_moves_takes_its_functions_along() {
    let node = Node::start_with(&[("old/a.rhai", "1"), ("old/b/c.rhai", "2"), ("other.rhai", "3")]);
    fs::rename(node.file("old"), node.file("new")).unwrap();
    node.wait_for("/new/b/c", "2");
    node.wait_for("/new/a", "1");
    node.wait_for_status("/old/a", 404);
    node.wait_for_status("/old/b/c", 404);
}

#[test]
fn a_half_written_file_is_never_seen() {
    let node = Node::start_with(&[("hello.rhai", "let a = 1;\n\"old\"")]);
    let mut client = node.client();
    for round in 0..20 {
        // In place: emptied, a pause, a half that does not compile, a pause, the rest.
        let mut file = OpenOptions::new().write(true).truncate(true).open(node.file("hello.rhai")).unwrap();
        let mut look = |until: Duration| {
            let began = picloud::clock::monotonic();
            while began.elapsed() < until {
                let seen = client.get("/hello").unwrap();
                let text = seen.text();
                assert!(seen.status == 200 && (text == "old" || text.starts_with("new")), "round {round}: {seen:?}");
            }
        };
        look(Duration::from_millis(15));
        file.write_all(b"let a = (1").unwrap();
        look(Duration::from_millis(15));
        file.write_all(format!("); \"new{round}\"").as_bytes()).unwrap();
        drop(file);
        node.wait_for("/hello", &format!("new{round}"));
    }
    assert!(!node.log().contains("\"ERROR\""), "{}", node.log());
}

#[test]
fn a_guard_is_added_and_removed() {
    let node = Node::start_with(&[("in/f.rhai", "\"in\""), ("out.rhai", "\"out\"")]);
    node.write("in/_middleware.rhai", "#{ statusCode: 401, body: \"closed\" }");
    node.wait_for_status("/in/f", 401);
    assert_eq!(node.get("/out").text(), "out");
    node.remove("in/_middleware.rhai");
    node.wait_for("/in/f", "in");
}

#[test]
fn of_two_files_for_one_route_the_live_one_stays() {
    let node = Node::start_with(&[("users.rhai", "\"first\"")]);
    node.write("users/index.rhai", "\"second\"");
    node.wait_for_state("degraded");
    assert_eq!(node.get("/users").text(), "first");
    node.wait_for_line(&["users/index.rhai", "users.rhai"]);
    node.remove("users.rhai");
    node.wait_for("/users", "second");
    node.wait_for_state("ready");
}

#[test]
fn a_root_that_vanishes_unloads_nothing() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "2")]);
    let (root, away) = (node.folder().join("functions"), node.folder().join("away"));
    fs::rename(&root, &away).unwrap();
    node.wait_for_state("degraded");
    assert_eq!((node.get("/a").text(), node.get("/b").text()), ("1".into(), "2".into()));
    fs::write(away.join("a.rhai"), "3").unwrap();
    fs::rename(&away, &root).unwrap();
    node.wait_for("/a", "3");
    node.wait_for_state("ready");
    node.write("b.rhai", "4");
    node.wait_for("/b", "4");
}

#[test]
fn every_deployment_has_a_name_of_its_own_and_a_version_for_each_function() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let names = |path: &str| {
        let response = node.get(path);
        (response.header("x-picloud-version").unwrap().to_owned(), response.header("x-picloud-deployment").unwrap().to_owned())
    };
    let (a, first) = names("/a");
    let (b, _) = names("/b");
    node.write("a.rhai", "2");
    node.wait_for("/a", "2");
    let (changed, second) = names("/a");
    assert!(a != changed && first < second, "{a} {changed} {first} {second}");
    assert_eq!(names("/b"), (b, second));
    node.write("a.rhai", "1");
    node.wait_for("/a", "1");
    assert_eq!(names("/a").0, a);
}

/// Something that lets in who has the key, in two parts that both compile.
const GUARD: [&str; 2] = ["let key = ctx.request.query.key;\n", "if key != \"1\" { return #{ statusCode: 401 }; }\n"];

fn guarded() -> Node {
    Node::start_with(&[("adm/s.rhai", "\"the secret\""), ("adm/_middleware.rhai", &GUARD.concat()), ("other.rhai", "1")])
}

/// Looks for so long, and fails if anybody is let in.
fn stays_shut(node: &Node, during: Duration) {
    let mut client = node.client();
    let began = picloud::clock::monotonic();
    while began.elapsed() < during {
        let seen = client.get("/adm/s").unwrap();
        assert_ne!(seen.status, 200, "{seen:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn half_a_guard_lets_nobody_in() {
    let node = guarded();
    assert_eq!(node.get("/adm/s").status, 401);
    let before = node.ready()["deployment"].clone();
    // As over a slow line: the pauses are what is tested.
    let mut file = OpenOptions::new().write(true).truncate(true).open(node.file("adm/_middleware.rhai")).unwrap();
    stays_shut(&node, Duration::from_millis(1500));
    for part in GUARD {
        file.write_all(part.as_bytes()).unwrap();
        stays_shut(&node, Duration::from_millis(1000));
    }
    drop(file);
    stays_shut(&node, Duration::from_millis(300));
    assert_eq!(node.ready()["deployment"], before, "no half of it was a deployment");
    assert_eq!(node.get("/adm/s?key=1").text(), "the secret");
}

#[test]
fn half_a_guard_stays_half_whatever_others_do() {
    let node = guarded();
    let open = |name: &str| OpenOptions::new().write(true).create(true).truncate(true).open(node.file(name)).unwrap();
    let whole = |mut file: fs::File| {
        file.write_all(GUARD[1].as_bytes()).unwrap();
        drop(file);
        stays_shut(&node, Duration::from_millis(300));
        assert_eq!(node.get("/adm/s?key=1").text(), "the secret");
    };
    let begun = |name: &str| {
        let mut file = open(name);
        file.write_all(GUARD[0].as_bytes()).unwrap();
        file
    };
    // Somebody else opens it for writing, and closes it.
    let file = begun("adm/_middleware.rhai");
    stays_shut(&node, Duration::from_millis(100));
    drop(OpenOptions::new().append(true).open(node.file("adm/_middleware.rhai")).unwrap());
    stays_shut(&node, Duration::from_millis(1000));
    whole(file);
    // It gets its name before it is finished. Longer than what nobody has reported is waited for: that is what is tested.
    for name in ["adm/next.rhai", "adm/next.tmp"] {
        let file = begun(name);
        stays_shut(&node, Duration::from_millis(100));
        fs::rename(node.file(name), node.file("adm/_middleware.rhai")).unwrap();
        stays_shut(&node, Duration::from_millis(3500));
        whole(file);
    }
    // Somebody has everything looked at.
    let file = begun("adm/_middleware.rhai");
    stays_shut(&node, Duration::from_millis(100));
    sync(&node);
    stays_shut(&node, Duration::from_millis(3500));
    whole(file);
}

#[test]
fn a_guard_that_cannot_be_read_shuts_its_folder_from_the_first_look() {
    type Make = fn(&Path);
    let guards: [(&str, Make); 5] = [
        ("out", |guard| symlink("/etc/passwd", guard).unwrap()),
        ("dangling", |guard| symlink("../_shared/guard.rhai", guard).unwrap()),
        ("large", |guard| fs::write(guard, " ".repeat(300_000)).unwrap()),
        ("folder", |guard| fs::create_dir(guard).unwrap()),
        ("pipe", |guard| mkfifoat(CWD, guard, Mode::RUSR | Mode::WUSR).unwrap()),
    ];
    let mut node = Node::start_with(&[("other.rhai", "1")]);
    for (name, make) in guards {
        let away = node.folder().join(name);
        fs::create_dir(&away).unwrap();
        fs::write(away.join("s.rhai"), "\"secret\"").unwrap();
        make(&away.join("_middleware.rhai"));
        fs::rename(&away, node.file(name)).unwrap();
        node.wait_for_status(&format!("/{name}/s"), 503);
        node.wait_for_line(&[&format!("{name}/_middleware.rhai: error: ")]);
        assert_eq!(node.get(&format!("/{name}/s")).status, 503, "{name}");
    }
    node.restart();
    // What was saved a moment ago is only told of when it is older.
    for (name, _) in guards {
        node.wait_for_status(&format!("/{name}/s"), 503);
    }
    assert_eq!(node.get("/other").text(), "1");
}

#[test]
fn half_a_function_is_never_live_though_it_compiles() {
    let node = Node::start_with(&[("price.rhai", "let a = 119;\na")]);
    let mut client = node.client();
    let mut file = OpenOptions::new().write(true).truncate(true).open(node.file("price.rhai")).unwrap();
    for part in ["let a = 238;\n", "a"] {
        file.write_all(part.as_bytes()).unwrap();
        let began = picloud::clock::monotonic();
        while began.elapsed() < Duration::from_millis(800) {
            assert_eq!(client.get("/price").unwrap().text(), "119");
        }
    }
    drop(file);
    node.wait_for("/price", "238");
}

#[test]
fn a_guard_that_is_moved_away_and_comes_back_is_never_missed() {
    let node = guarded();
    fs::rename(node.file("adm/_middleware.rhai"), node.file("adm/_middleware.rhai~")).unwrap();
    stays_shut(&node, Duration::from_millis(1500));
    fs::copy(node.file("adm/_middleware.rhai~"), node.file("adm/_middleware.rhai")).unwrap();
    stays_shut(&node, Duration::from_millis(500));
    assert_eq!(node.get("/adm/s?key=1").text(), "the secret");
}

#[test]
fn an_empty_guard_is_a_mistake() {
    let node = guarded();
    for text in ["", "// nothing but a comment\n", "+++\ndescription = \"a guard\"\n+++\n"] {
        node.write("adm/_middleware.rhai", text);
        node.wait_for_state("degraded");
        assert_eq!(node.get("/adm/s").status, 401, "{text:?}");
        node.wait_for_line(&["this guard is empty"]);
        node.write("adm/_middleware.rhai", &GUARD.concat());
        node.wait_for_state("ready");
    }
    // Where there was none, nothing new goes live behind it.
    node.write("new/_middleware.rhai", "");
    node.wait_for_state("degraded");
    node.write("new/s.rhai", "\"secret\"");
    node.wait_for_status("/new/s", 503);
}

#[test]
fn a_guard_under_a_wrong_name_opens_nothing() {
    for name in
        ["_middleware.RHAI", "_middleware.rhai.txt", "_middleware", ".middleware.rhai", "_middlewear.rhai", "_middleware/index.rhai"]
    {
        let mut node = guarded();
        node.stop();
        let wrong = node.file("adm").join(name);
        fs::create_dir_all(wrong.parent().unwrap()).unwrap();
        fs::rename(node.file("adm/_middleware.rhai"), &wrong).unwrap_or_else(|_| {
            let text = fs::read(node.file("adm/_middleware.rhai")).unwrap();
            fs::remove_file(node.file("adm/_middleware.rhai")).unwrap();
            fs::write(&wrong, text).unwrap();
        });
        node.start();
        node.wait_for_state("degraded");
        node.wait_for_line(&["looks like a guard and is none", "ERROR"]);
        assert_eq!(node.get("/adm/s").status, 401, "{name}");
    }
}

#[test]
fn a_copy_that_began_by_deleting_takes_no_route_away_and_opens_no_folder() {
    let mut files: Vec<(String, String)> = (0..11).map(|number| (format!("f{number}.rhai"), number.to_string())).collect();
    files.insert(0, ("adm/s.rhai".into(), "\"the secret\"".into()));
    files.push(("adm/_middleware.rhai".into(), GUARD.concat()));
    let node = Node::start_with(&files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());
    assert_eq!(node.get("/adm/s").status, 401);
    for entry in fs::read_dir(node.folder().join("functions")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { fs::remove_dir_all(entry).unwrap() } else { fs::remove_file(entry).unwrap() }
    }
    let mut client = node.client();
    let mut look = |during: Duration| {
        let began = picloud::clock::monotonic();
        while began.elapsed() < during {
            assert_eq!(client.get("/adm/s").unwrap().status, 401);
            assert_eq!(client.get("/f10").unwrap().text(), "10");
        }
    };
    // The pauses are what is tested.
    look(Duration::from_millis(1500));
    for (path, text) in &files {
        node.write(path, text);
        look(Duration::from_millis(400));
    }
    look(Duration::from_millis(300));
    node.wait_for_state("ready");
}

/// Moves what is in the functions folder elsewhere, or back, as unmounting and mounting does.
fn moved(node: &Node, from: &str, to: &str) {
    fs::create_dir_all(node.folder().join(to)).unwrap();
    for entry in fs::read_dir(node.folder().join(from)).unwrap().map(|entry| entry.unwrap()) {
        fs::rename(entry.path(), node.folder().join(to).join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_folder_whose_volume_is_away_at_the_start_unloads_nothing_and_ends_no_rollback() {
    let mut node = Node::start_with(&[("v.rhai", "\"good\""), ("w.rhai", "1")]);
    node.write("v.rhai", "\"bad\"");
    node.wait_for("/v", "bad");
    let token = fs::read_to_string(node.data().join("admin-token")).unwrap();
    let token = format!("Bearer {}", token.trim());
    let back = node.send("POST", "/api/admin/rollback", &[("authorization", &token), ("content-type", "application/json")], b"{}");
    assert_eq!((back.status, node.get("/v").text()), (200, "good".into()), "{}", back.text());
    for _ in 0..2 {
        node.stop();
        moved(&node, "functions", "away");
        node.start();
        assert_eq!((node.get("/v").text(), node.get("/w").text()), ("good".into(), "1".into()));
        let ready = node.ready();
        assert!(
            ready["status"] == "degraded" && ready["degraded"].to_string().contains("is empty; its volume may not be mounted"),
            "{ready}"
        );
        moved(&node, "away", "functions");
        node.wait_for_state("ready");
        node.write("marker.rhai", "1");
        node.wait_for("/marker", "1");
        assert_eq!(node.get("/v").text(), "good", "what was gone back from does not return");
        node.remove("marker.rhai");
        node.wait_for_status("/marker", 404);
    }
}

#[test]
fn a_name_answers_in_both_forms_of_its_letters() {
    let node = Node::start_with(&[
        ("cafe\u{301}.rhai", "1"),
        ("na\u{ef}ve/[id].rhai", "ctx.request.params.id"),
        ("u\u{308}ber-[x].rhai", "ctx.request.params.x"),
    ]);
    for path in ["/caf%C3%A9", "/cafe%CC%81"] {
        assert_eq!(node.get(path).text(), "1", "{path}");
    }
    for (path, id) in [("/na%C3%AFve/7", "7"), ("/nai%CC%88ve/7", "7"), ("/%C3%BCber-1", "1"), ("/u%CC%88ber-1", "1")] {
        assert_eq!(node.get(path).text(), id, "{path}");
    }
    // What a caller sends stays as it was sent.
    assert_eq!(node.get("/na%C3%AFve/e%CC%81").text(), "e\u{301}");
    node.write("caf\u{e9}.rhai", "2");
    node.wait_for_state("degraded");
    node.wait_for_line(&["are one name", "`cafe\\\\u{301}.rhai` and `caf\u{e9}.rhai`"]);
}
