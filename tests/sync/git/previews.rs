//! Stories of branches that are shown beside the one that deploys.

use serde_json::{Value, json};

use crate::kit::{
    api::admin,
    client::Response,
    command::{picloud, said, token},
    git::{Checkout, git},
    node::{Node, PATIENCE, Setup, node, wait_until},
    story::{deployments, url},
};

/// A node that shows two branches, and a working copy whose `main` is live.
struct Story {
    node: Node,
    checkout: Checkout,
}

/// Answers what a caller of the script sends.
const MIRROR: &[u8] = b"ctx.request.headers";

impl Story {
    fn with(previews: &str) -> Self {
        Self::of(node(&[]).config(&format!("[source]\nkind = \"git\"\n[previews]\nbranches = 2\n{previews}")))
    }

    fn of(setup: Setup) -> Self {
        let story = Self { node: setup.start(), checkout: Checkout::empty() };
        story.checkout.commit(&[("functions/hello.rhai", b"\"live\""), ("functions/mirror.rhai", MIRROR)]);
        story.checkout.done(&["push", "--quiet", &url(&story.node, &admin(&story.node)), "main"]);
        assert_eq!(story.node.get("/hello").text(), "live");
        story
    }

    /// Begins again from `main`, commits these files, and pushes that as this branch. Returns the commit and what git said.
    fn push(&self, branch: &str, files: &[(&str, &[u8])]) -> (String, String) {
        self.checkout.done(&["checkout", "--quiet", "-B", "work", "main"]);
        let commit = self.checkout.commit(files);
        (commit, self.push_head(branch))
    }

    fn push_head(&self, branch: &str) -> String {
        self.push_all(&[&format!("HEAD:refs/heads/{branch}")])
    }

    fn push_all(&self, references: &[&str]) -> String {
        let place = url(&self.node, &admin(&self.node));
        let output = self.checkout.run(&[&["push", "--force", &place], references].concat());
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }

    /// Pushes a function `hello` that answers so, and waits until it does.
    fn show(&self, branch: &str, answer: &str) -> String {
        let (commit, _) = self.push(branch, &[("functions/hello.rhai", format!("\"{answer}\"").as_bytes())]);
        wait_until(&format!("{branch} answers {answer}"), PATIENCE, || self.see(branch, "/hello").text() == answer);
        commit
    }

    /// Pushes so, committed in this hour of a day.
    fn push_at(&self, branch: &str, hour: u32) -> String {
        self.commit_at(hour);
        self.push_head(branch)
    }

    fn commit_at(&self, hour: u32) {
        self.checkout.done(&["checkout", "--quiet", "-B", "work", "main"]);
        let date = format!("2026-01-02T{hour:02}:00:00Z");
        let mut commit = git(self.checkout.folder());
        commit.args(["commit", "--quiet", "--allow-empty", "--message=change"]).env("GIT_COMMITTER_DATE", &date);
        assert!(commit.status().unwrap().success());
    }

    fn delete(&self, branch: &str) {
        self.checkout.done(&["push", "--quiet", &url(&self.node, &admin(&self.node)), &format!(":refs/heads/{branch}")]);
    }

    /// Asks a branch, with the admin's token.
    fn see(&self, branch: &str, path: &str) -> Response {
        self.see_with(branch, path, &[("x-picloud-token", &admin(&self.node))])
    }

    fn see_with(&self, branch: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        self.node.send("GET", &format!("/_picloud/preview/{branch}{path}"), headers, b"")
    }

    /// Asks under a host name, with the admin's token.
    fn at_host(&self, host: &str, path: &str) -> Response {
        let mut client = self.node.client();
        let token = admin(&self.node);
        client.write(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nx-picloud-token: {token}\r\n\r\n").as_bytes()).unwrap();
        client.read("GET").unwrap()
    }

    /// The branches that are shown or would be, as the status has them.
    fn previews(&self) -> Vec<Value> {
        let status: Value = serde_json::from_str(&picloud(&self.node, &["status", "--json"])).unwrap();
        status["previews"].as_array().unwrap().clone()
    }

    fn names(&self) -> Vec<String> {
        self.previews().iter().map(|preview| preview["branch"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    fn wait_for_names(&self, names: &[&str]) {
        wait_until(&format!("these are shown: {names:?}"), PATIENCE, || self.names() == names);
    }
}

fn basic(token: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("me:{token}")))
}

#[test]
fn a_branch_is_shown_and_live_is_untouched() {
    let story = Story::with("");
    let live = story.node.ready()["deployment"].clone();
    let (commit, told) = story.push("feature/new", &[("functions/hello.rhai", b"\"new\""), ("functions/only.rhai", b"ctx.request.path")]);
    assert!(told.contains("feature/new: checked; soon shown below /_picloud/preview/feature/new/"), "{told}");
    wait_until("it is shown", PATIENCE, || story.see("feature/new", "/hello").text() == "new");
    for branch in ["feature/new", "feature%2Fnew"] {
        let answer = story.see(branch, "/only?x=1");
        assert_eq!((answer.status, answer.text().as_str(), answer.header("x-picloud-preview")), (200, "/only", Some(&*commit)));
    }
    assert_eq!((story.see("feature/new", "/none").status, story.see("feature", "/hello").status), (404, 404));
    assert_eq!(story.see("feature/new", "/_picloud/health").status, 404);
    let answer = story.node.get("/hello");
    assert_eq!((answer.text().as_str(), answer.header("x-picloud-preview")), ("live", None));
    assert_eq!((story.node.get("/only").status, story.node.ready()["deployment"].clone()), (404, live));
    // The branch that deploys is no preview.
    assert_eq!(story.see("main", "/hello").status, 404);
    // Every run is recorded, with the path that the function saw.
    let id = story.see("feature/new", "/only").header("x-picloud-execution").unwrap().to_owned();
    let execution = story.node.wait_for_execution("the one of the preview", |execution| execution.id.to_string() == id);
    assert_eq!((execution.path.as_str(), execution.function.to_string().as_str()), ("/only", "only"));
}

#[test]
fn only_those_with_a_token_see_it() {
    let story = Story::with("");
    story.show("topic", "new");
    for headers in [&[][..], &[("authorization", "Bearer picloud_wrong")], &[("authorization", &basic("wrong"))]] {
        for branch in ["topic", "none"] {
            let answer = story.see_with(branch, "/hello", headers);
            assert_eq!((answer.status, answer.header("x-picloud-preview")), (401, None), "{headers:?}");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm=\"PiCloud\""));
        }
    }
    let reader = token(&story.node, &["reader", "--scope", "read"]);
    for headers in [("authorization", format!("Bearer {reader}")), ("authorization", basic(&reader)), ("x-picloud-token", reader.clone())] {
        assert_eq!(story.see_with("topic", "/hello", &[(headers.0, &headers.1)]).text(), "new", "{}", headers.0);
    }
}

#[test]
fn with_open_previews_anybody_sees_it() {
    let story = Story::with("open = true\n");
    story.show("topic", "new");
    assert_eq!(story.see_with("topic", "/hello", &[]).text(), "new");
    // What is not ours is the function's own.
    let seen = story.see_with("topic", "/mirror", &[("authorization", "Bearer of-the-function")]).json();
    assert_eq!(seen["authorization"], "Bearer of-the-function");
    assert_eq!(story.see_with("none", "/hello", &[]).status, 404);
}

#[test]
fn no_script_sees_the_token_of_its_caller() {
    for open in ["", "open = true\n"] {
        let story = Story::with(open);
        story.show("topic", "new");
        let reader = token(&story.node, &["reader", "--scope", "read"]);
        let (bearer, of_reader) = (format!("Bearer {}", admin(&story.node)), format!("Bearer {reader}"));
        let own = ("authorization", "Digest own");
        for (headers, expected) in [
            (vec![("authorization", bearer.as_str())], Value::Null),
            (vec![("authorization", &basic(&reader))], Value::Null),
            (vec![("x-picloud-token", &reader)], Value::Null),
            (vec![("x-picloud-token", &reader), own], json!("Digest own")),
            // Each of several is looked at.
            (vec![("authorization", &of_reader), ("authorization", &bearer)], Value::Null),
            (vec![own, ("authorization", &bearer)], json!("Digest own")),
            (vec![("authorization", &bearer), own, ("authorization", &of_reader)], json!("Digest own")),
            (vec![("x-picloud-token", &reader), ("x-picloud-token", &reader), ("authorization", &bearer)], Value::Null),
        ] {
            let answer = story.see_with("topic", "/mirror", &headers);
            assert_eq!(answer.status, 200, "{headers:?}");
            let seen = answer.json();
            assert_eq!(seen["authorization"], expected, "{headers:?}");
            let text = answer.text();
            assert!(!text.contains(&reader) && !text.contains(&admin(&story.node)) && seen["x-picloud-token"].is_null(), "{text}");
        }
    }
}

#[test]
fn a_broken_branch_says_so_until_it_is_mended() {
    let story = Story::with("");
    let (broken, told) = story.push("topic", &[("functions/hello.rhai", b"let x = ;")]);
    assert!(told.contains("functions/hello.rhai:1:9") && told.contains("topic: 1 mistake"), "{told}");
    wait_until("it answers that", PATIENCE, || story.see("topic", "/hello").status == 503);
    let answer = story.see("topic", "/mirror");
    assert_eq!((answer.status, answer.header("x-picloud-preview")), (503, Some(&*broken)));
    assert_eq!(answer.json()["diagnostics"][0]["file"], "hello.rhai");
    let preview = &story.previews()[0];
    assert_eq!((&preview["branch"], &preview["is_shown"], &preview["revision"]), (&json!("topic"), &json!(false), &json!(broken)));
    assert_eq!(preview["diagnostics"][0]["line"], 1);
    let status = picloud(&story.node, &["status"]);
    assert!(status.contains(&format!("preview   topic has mistakes, revision {broken}")), "{status}");
    assert_eq!((story.node.get("/hello").text().as_str(), story.node.ready()["status"].as_str()), ("live", Some("ready")));
    story.show("topic", "mended");
    assert_eq!(story.previews()[0]["is_shown"], true);
    // And back: what was shown is not shown any more.
    story.push("topic", &[("functions/hello.rhai", b"let x = ;")]);
    wait_until("it is broken again", PATIENCE, || story.see("topic", "/hello").status == 503);
}

#[test]
fn others_do_not_learn_what_is_wrong_with_a_branch() {
    let story = Story::with("open = true\n");
    story.push("topic", &[("functions/hello.rhai", b"let secret = ;")]);
    wait_until("it answers that", PATIENCE, || story.see_with("topic", "/hello", &[]).status == 503);
    assert_eq!(story.see_with("topic", "/hello", &[]).json()["diagnostics"], Value::Null);
    assert_eq!(story.see("topic", "/hello").json()["diagnostics"][0]["file"], "hello.rhai");
}

#[test]
fn a_deleted_branch_is_gone_and_a_third_displaces_the_oldest() {
    let story = Story::with("");
    story.push_at("first", 1);
    story.push_at("second", 2);
    story.wait_for_names(&["first", "second"]);
    story.push_at("third", 3);
    story.wait_for_names(&["second", "third"]);
    assert_eq!((story.see("first", "/hello").status, story.see("third", "/hello").status), (404, 200));
    // Older than both.
    story.push_at("zero", 0);
    story.push_at("second", 5);
    story.push_at("first", 4);
    story.wait_for_names(&["first", "second"]);
    story.delete("second");
    story.wait_for_names(&["first", "third"]);
    story.delete("first");
    story.delete("third");
    story.wait_for_names(&["zero"]);
    story.delete("zero");
    story.wait_for_names(&[]);
    assert_eq!(story.see("zero", "/hello").status, 404);
    assert_eq!(story.node.get("/hello").text(), "live");
}

#[test]
fn only_a_branch_that_will_be_shown_is_promised() {
    let story = Story::with("");
    let promised = |told: &str, branch: &str| told.contains(&format!("{branch}: checked; soon shown below"));
    let left_out = |told: &str, branch: &str| {
        told.contains(&format!(
            "{branch}: checked, no errors; not shown: `branches = 2` below `[previews]` is the limit, and others come first"
        ))
    };
    for (branch, hour) in [("second", 2), ("third", 3)] {
        let told = story.push_at(branch, hour);
        assert!(promised(&told, branch), "{told}");
    }
    let told = story.push_at("first", 1);
    assert!(left_out(&told, "first"), "{told}");
    story.wait_for_names(&["second", "third"]);
    // A branch that goes with the same push makes room; one that comes takes it.
    story.commit_at(4);
    let told = story.push_all(&[":second", "HEAD:refs/heads/fourth", "HEAD:refs/heads/fifth", "HEAD:refs/heads/sixth"]);
    assert!(promised(&told, "fifth") && promised(&told, "fourth") && left_out(&told, "sixth"), "{told}");
    story.wait_for_names(&["fifth", "fourth"]);
    story.push_all(&[":third", ":fourth"]);
    let told = story.push_at("zero", 0);
    assert!(left_out(&told, "zero"), "{told}");
    story.delete("fifth");
    let told = story.push_at("zero", 2);
    assert!(promised(&told, "zero"), "{told}");
    story.wait_for_names(&["sixth", "zero"]);
}

#[test]
fn a_branch_has_a_host_name_of_its_own() {
    let story = Story::with("host = \"{branch}.Preview.example.org\"\n");
    let commit = story.show("fix-typo-2", "new");
    for host in ["fix-typo-2.preview.example.org", "FIX-TYPO-2.preview.example.org:8080", "fix-typo-2.preview.example.org."] {
        let answer = story.at_host(host, "/hello");
        assert_eq!((answer.status, answer.text().as_str(), answer.header("x-picloud-preview")), (200, "new", Some(&*commit)), "{host}");
    }
    for host in ["none.preview.example.org", "main.preview.example.org", ".preview.example.org", "a.fix-typo-2.preview.example.org"] {
        assert_eq!(story.at_host(host, "/hello").status, 404, "{host}");
    }
    for host in ["preview.example.org", "example.org", "fix-typo-2.preview.example.org.evil"] {
        assert_eq!(story.at_host(host, "/hello").text(), "live", "{host}");
    }
    // A request line with a whole URL names the host, whatever the header says.
    let mut client = story.node.client();
    client.write(b"GET http://fix-typo-2.preview.example.org/hello HTTP/1.1\r\nhost: example.org\r\n\r\n").unwrap();
    assert_eq!(client.read("GET").unwrap().status, 401);
    // Without a token nothing is told, and the node's own paths are the node's.
    client.write(b"GET /hello HTTP/1.1\r\nhost: none.preview.example.org\r\n\r\n").unwrap();
    assert_eq!(client.read("GET").unwrap().status, 401);
    assert_eq!(story.at_host("fix-typo-2.preview.example.org", "/_picloud/health").json()["status"], "alive");
}

#[test]
fn no_branch_takes_the_host_of_another() {
    let story =
        Story::of(node(&[]).config("[source]\nkind = \"git\"\n[previews]\nbranches = 9\nhost = \"{branch}.preview.example.org\"\n"));
    let long = format!("long/{}", "x".repeat(80));
    let names = ["fix/typo", "Fix-Typo", "fix_typo", "fix-typo", &long, &format!("{long}y"), "日本語", "ünï#1"];
    for name in names {
        let (_, told) = story.push(name, &[("functions/hello.rhai", format!("\"{name}\"").as_bytes())]);
        wait_until("it is shown", PATIENCE, || story.previews().iter().any(|preview| preview["branch"] == name));
        let shown = story.previews().into_iter().find(|preview| preview["branch"] == name).unwrap();
        let (host, path) = (shown["host"].as_str().unwrap(), shown["path"].as_str().unwrap());
        assert!(told.contains(&format!("soon shown below {path} and at {host}")), "{told}");
        let status = picloud(&story.node, &["status"]);
        let row = status.lines().find(|line| line.starts_with(&format!("preview   {name} shown, revision ")));
        assert!(row.is_some_and(|row| row.ends_with(&format!(", at {host}"))), "{status}");
    }
    assert_eq!(story.previews().len(), names.len());
    let mut hosts = std::collections::BTreeSet::new();
    for preview in story.previews() {
        let (name, host) = (preview["branch"].as_str().unwrap(), preview["host"].as_str().unwrap().to_owned());
        assert_eq!(story.at_host(&host, "/hello").text(), name, "{host}");
        assert!(host.is_ascii() && host.split('.').next().unwrap().len() <= 63, "{host}");
        let path = preview["path"].as_str().unwrap();
        assert_eq!(
            story.node.send("GET", &format!("{path}hello"), &[("x-picloud-token", &admin(&story.node))], b"").text(),
            name,
            "{path}"
        );
        hosts.insert(host);
    }
    assert_eq!(hosts.len(), names.len());
    assert!(hosts.contains("fix-typo.preview.example.org"), "what is a label stays as it is: {hosts:?}");
    // A host below the domain of previews never shows what is live, however it is written.
    for host in ["ünï.preview.example.org", "日本語.preview.example.org", "fix typo.preview.example.org"] {
        let mut client = story.node.client();
        client.write(format!("GET /hello HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(client.read("GET").unwrap().status, 400, "{host}");
    }
    for host in ["f%69x-typo.preview.example.org", "xn--wgv71a119e.preview.example.org", "fix-typo-00000000.preview.example.org"] {
        assert_eq!(story.at_host(host, "/hello").status, 404, "{host}");
    }
}

#[test]
fn the_guards_of_a_branch_run() {
    let story = Story::with("");
    let guard = b"if ctx.request.query.key != \"k\" { return #{ statusCode: 418, body: ctx.request.path }; }";
    story.push("topic", &[("functions/_middleware.rhai", guard), ("functions/hello.rhai", b"\"new\"")]);
    wait_until("it is shown", PATIENCE, || story.see("topic", "/hello?key=k").text() == "new");
    let refused = story.see("topic", "/hello");
    assert_eq!((refused.status, refused.text().as_str()), (418, "/hello"));
    assert_eq!(story.node.get("/hello").text(), "live");
}

#[test]
fn a_restart_shows_branches_again() {
    let mut story = Story::with("");
    let commit = story.show("topic", "new");
    story.push("broken", &[("functions/hello.rhai", b"let x = ;")]);
    story.wait_for_names(&["broken", "topic"]);
    story.node.restart();
    wait_until("it is shown again", PATIENCE, || story.see("topic", "/hello").text() == "new");
    assert_eq!(story.see("topic", "/hello").header("x-picloud-preview"), Some(&*commit));
    assert_eq!(story.see("broken", "/hello").status, 503);
}

#[test]
fn what_live_and_branches_share_outlives_each_of_them() {
    let story = Story::with("");
    story.show("one", "new");
    story.show("two", "newer");
    let version = |response: &Response| response.header("x-picloud-version").map(str::to_owned);
    let live = story.node.get("/mirror");
    assert_eq!(version(&story.see("one", "/mirror")), version(&live));
    story.delete("one");
    story.wait_for_names(&["two"]);
    assert_eq!((story.node.get("/mirror").status, story.see("two", "/mirror").status), (200, 200));
    // The function is no longer live, but the branch has it.
    story.checkout.done(&["checkout", "--quiet", "main"]);
    story.checkout.done(&["rm", "--quiet", "functions/mirror.rhai"]);
    story.checkout.commit(&[("functions/hello.rhai", b"\"later\"")]);
    story.push_head("main");
    assert_eq!((story.node.get("/hello").text().as_str(), story.node.get("/mirror").status), ("later", 404));
    assert_eq!((story.see("two", "/mirror").status, story.see("two", "/hello").text().as_str()), (200, "newer"));
    // And live again, while the branch goes.
    story.checkout.commit(&[("functions/mirror.rhai", MIRROR)]);
    story.push_head("main");
    story.delete("two");
    story.wait_for_names(&[]);
    assert_eq!(version(&story.node.get("/mirror")), version(&live));
}

#[test]
fn branches_leave_no_deployments() {
    let story = Story::with("");
    story.show("one", "new");
    story.show("one", "newer");
    assert_eq!(deployments(&story.node).len(), 2, "the empty repository, and main");
}
