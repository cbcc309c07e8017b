//! The command line as people use it: the real program in a folder of its own.

mod addresses;
mod hidden;
mod usage;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;

/// A folder in which commands run.
struct Folder(tempfile::TempDir);

impl Folder {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with a new project in it.
    fn project() -> Self {
        let folder = Self::empty();
        folder.done(&["init"]);
        folder
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
        command.args(arguments).current_dir(self.0.path()).env_clear().stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and returns what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must end with this code, and returns what it told on stderr.
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.run(arguments).stdout).unwrap()
    }
}

/// A node on a folder; stopped when dropped.
struct Node {
    process: Child,
    address: String,
}

impl Node {
    fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &["--listen", "127.0.0.1:0"])
    }

    fn start_with(folder: &Folder, arguments: &[&str]) -> Self {
        let mut process = folder.command(&[&["serve"], arguments].concat()).stderr(Stdio::null()).spawn().unwrap();
        let announcement = folder.0.path().join(".picloud/node.json");
        let url = wait(|| {
            assert!(process.try_wait().unwrap().is_none(), "the node ended");
            let announcement: Value = serde_json::from_slice(&fs::read(&announcement).ok()?).ok()?;
            Some(announcement["url"].as_str()?.to_owned())
        });
        let node = Self { process, address: url.strip_prefix("http://").unwrap().into() };
        // On a busy machine it serves before its database is there; commands that follow want to read it.
        wait(|| (!node.get("/_picloud/ready").contains("the database has not answered yet")).then_some(()));
        node
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until there is something, for half a minute at most.
#[expect(clippy::disallowed_methods, reason = "a test waits by the clock")]
fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let end = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < end, "it did not come to be within half a minute");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_new_project_checks_and_answers() {
    let folder = Folder::empty();
    insta::assert_snapshot!("init", folder.done(&["init"]));
    assert_eq!(folder.done(&["check"]), "2 functions, no errors\n");
    assert_eq!(folder.done(&["invoke", "/hello?name=Ada"]), "{\"message\":\"hello Ada\"}");
    assert_eq!(folder.done(&["invoke", "/users/7"]), "{\"id\":7,\"path\":\"/users/7\"}");
}

#[test]
fn init_overwrites_nothing() {
    let folder = Folder::empty();
    folder.write("shop/functions/hello.rhai", "\"mine\"");
    insta::assert_snapshot!("init_in_the_way", folder.refused(2, &["init", "shop"]));
    assert_eq!(fs::read_to_string(folder.0.path().join("shop/functions/hello.rhai")).unwrap(), "\"mine\"");
    assert!(!folder.0.path().join("shop/picloud.toml").exists());
    folder.write("new/shop/.gitignore", "/target\n");
    assert!(folder.done(&["init", "new/shop"]).contains("  cd new/shop\n"));
    assert_eq!(fs::read_to_string(folder.0.path().join("new/shop/.gitignore")).unwrap(), "/target\n");
    assert!(folder.refused(2, &["init", "new/shop"]).contains("`new/shop/picloud.toml` is there already"));
}

#[test]
fn check_tells_every_mistake_and_exits_with_1() {
    let folder = Folder::project();
    folder.write("functions/a.rhai", "let x = ;");
    folder.write("functions/b.rhai", "+++\nmetods = []\n+++\n1");
    folder.write("functions/c.rhai", "import \"greetigns\" as g;\ng::hi()");
    let output = folder.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
    let json = folder.json(&["check", "--json"]);
    assert_eq!((&json["ok"], &json["functions"], &json["diagnostics"][0]["line"]), (&false.into(), &2.into(), &1.into()));
}

#[test]
fn an_empty_file_is_the_same_for_every_command() {
    let folder = Folder::project();
    folder.write("functions/fresh.rhai", "");
    folder.write("functions/blank.get.rhai", " \n");
    let output = folder.run(&["check"]);
    let told = String::from_utf8(output.stdout).unwrap();
    for file in ["fresh.rhai", "blank.get.rhai"] {
        assert!(told.contains(&format!("{file}: warning: the file is empty, and is not served")), "{told}");
    }
    assert_eq!(output.status.code(), Some(0));
    let json = folder.json(&["routes", "--json"]);
    assert!(!json.to_string().contains("fresh"), "{json}");
    let output = folder.run(&["invoke", "/fresh"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("no function answers at `/fresh` (404)"), "{told}");
}

#[test]
fn check_counts_what_is_right_and_what_is_not() {
    let folder = Folder::empty();
    folder.write("f/a.rhai", "1");
    assert_eq!(folder.done(&["check", "f"]), "1 function, no errors\n");
    folder.write("f/b.gett.rhai", "2");
    let told = folder.done(&["check", "f"]);
    assert!(told.starts_with("f/b.gett.rhai: warning: ") && told.ends_with("\n\n2 functions, no errors, 1 warning\n"), "{told}");
    folder.write("f/c.rhai", "(");
    let output = folder.run(&["check", "f"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.ends_with("\n\n1 error, 1 warning; 2 functions without errors\n"), "{told}");
    let json = folder.json(&["check", "f", "--json"]);
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["diagnostics", "functions", "ok"]);
    assert_eq!((&json["diagnostics"][0]["severity"], &json["diagnostics"][1]["file"]), (&"warning".into(), &"c.rhai".into()));
}

#[test]
fn check_tells_of_names_that_are_probably_meant_as_others() {
    let folder = Folder::empty();
    for path in ["f/hello.rhai", "f/hello.rhai.txt", "f/BYE.RHAI", "f/hello - Copy.rhai", "f/hello_LOCAL_12.rhai"] {
        folder.write(path, "1");
    }
    let told = folder.done(&["check", "f"]);
    for part in
        ["`hello.rhai.txt` is not read", "`BYE.RHAI` is not read", "`hello - Copy` looks like a copy", "2 functions, no errors, 3 warnings"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    folder.write("f/adm/s.rhai", "1");
    for name in ["_middleware.RHAI", ".middleware.rhai", "_middleware/index.rhai", "_middleware.test.rhai"] {
        let path = format!("f/adm/{name}");
        folder.write(&path, "1");
        let output = folder.run(&["check", "f"]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(1) && told.contains("looks like a guard and is none"), "{name}: {told}");
        fs::remove_file(folder.0.path().join(path)).unwrap();
    }
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let told = Folder::empty().refused(2, &["check"]);
    insta::assert_snapshot!(told);
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    let folder = Folder::project();
    folder.write("picloud.toml", "[server]\nlisen = \"127.0.0.1:1\"\n");
    insta::assert_snapshot!(folder.refused(2, &["check"]));
}

#[test]
fn routes_lists_and_explains() {
    let folder = Folder::project();
    folder.write("functions/users/me.rhai", "+++\ntimeout = \"1s\"\n+++\n1");
    folder.write("functions/users/_middleware.rhai", "() // lets everyone in");
    folder.write("functions/users/[...rest].rhai", "2");
    insta::assert_snapshot!("routes_lists", folder.done(&["routes"]));
    insta::assert_snapshot!("routes_explains", folder.done(&["routes", "/users/me"]));
    assert_eq!(folder.json(&["routes", "/users/7", "--method", "POST", "--json"])["outcome"]["method_not_allowed"]["allow"][0], "GET");
    assert_eq!(folder.done(&["routes", "http://x:1/users/me?y"]), folder.done(&["routes", "/users/me"]));
    let me = &folder.json(&["routes", "--json"])[3];
    assert_eq!((&me["route"], &me["limits"]["timeout"]), (&"/users/me".into(), &"1s".into()));
    assert_eq!(me["guards"][0], "users/_middleware.rhai");
    folder.write("functions/broken.rhai", "(");
    let explained = folder.run(&["routes", "/broken"]);
    assert_eq!(explained.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&explained.stdout), "GET /broken: `broken.rhai (broken)` on /broken\n");
    assert_eq!(String::from_utf8_lossy(&explained.stderr), "1 error; `picloud check` shows where\n");
    let listed = folder.run(&["routes", "--json"]);
    assert_eq!(listed.status.code(), Some(1));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert!(listed.as_array().unwrap().iter().any(|route| route["file"] == "broken.rhai" && route["broken"] == true));
}

#[test]
fn invoke_sends_what_it_is_told_and_shows_what_happened() {
    let folder = Folder::project();
    folder.write(
        "functions/echo.rhai",
        "log::info(\"seen\"); #{ statusCode: 201, headers: #{ \"x-a\": ctx.request.headers[\"x-b\"] }, body: ctx.request.body }",
    );
    folder.write("functions/fail.rhai", "fn f(x) {\n  1 / x\n}\nf(0)");
    folder.write("body.json", "{\"a\":[1]}");
    let output = folder.run(&["invoke", "/echo", "-i", "-d", "@body.json", "-H", "X-B: 7"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "201 Created\nx-a: 7\ncontent-type: application/json\n\n{\"a\":[1]}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "info   seen\n");
    assert_eq!(folder.done(&["invoke", "/echo", "-d", "plain"]), "plain");
    assert_eq!(folder.done(&["invoke", "/echo", "-d", "-5"]), "-5");
    assert_eq!(folder.done(&["invoke", "/echo", "-d", "[1"]), "[1");
    assert_eq!(
        folder.done(&["invoke", "/echo", "-d", "a=1&b=2", "-H", "content-type: application/x-www-form-urlencoded"]),
        r#"{"a":"1","b":"2"}"#
    );
    assert!(folder.refused(2, &["invoke", "/echo", "-d", "{", "-H", "content-type: application/json"]).contains("the body is not JSON"));
    let mut piped = folder.command(&["invoke", "/echo", "-d", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(b"from a pipe").unwrap();
    assert_eq!(piped.wait_with_output().unwrap().stdout, b"from a pipe");
    assert_eq!(folder.done(&["invoke", "/hello", "-X", "head", "-i"]), "200 OK\ncontent-type: application/json\n\n");
    assert_eq!(folder.done(&["invoke", "/hello", "-X", "OPTIONS", "-i"]), "204 No Content\nallow: GET, HEAD, OPTIONS\n\n");
    insta::assert_snapshot!("invoke_failure", folder.refused(1, &["invoke", "/fail"]));
    insta::assert_snapshot!("invoke_not_found", folder.refused(2, &["invoke", "/nowhere"]));
    insta::assert_snapshot!("invoke_nearly_found", folder.refused(2, &["invoke", "/helo"]));
    insta::assert_snapshot!("invoke_wrong_method", folder.refused(2, &["invoke", "/hello", "-X", "DELETE"]));
    insta::assert_snapshot!("invoke_no_path", folder.refused(2, &["invoke", "hello"]));
    insta::assert_snapshot!("invoke_no_header", folder.refused(2, &["invoke", "/hello", "-H", "a b: c"]));
}

#[test]
fn invoke_runs_guards_and_leaves_broken_neighbours_alone() {
    let folder = Folder::project();
    folder.write("functions/admin/_middleware.rhai", "if ctx.request.headers[\"x-key\"] != \"7\" { #{ statusCode: 403, body: \"no\" } }");
    folder.write("functions/admin/list.rhai", "\"all\"");
    assert_eq!(folder.done(&["invoke", "/admin/list", "-i"]), "403 Forbidden\ncontent-type: text/plain; charset=utf-8\n\nno");
    assert_eq!(folder.done(&["invoke", "/admin/list", "-H", "X-Key: 7"]), "all");
    folder.write("functions/broken.rhai", "let x = ;");
    let output = folder.run(&["invoke", "/admin/list", "-H", "X-Key: 7"]);
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout)), (Some(0), "all".into()));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "1 error; `picloud check` shows where\n");
    insta::assert_snapshot!("invoke_broken", folder.refused(1, &["invoke", "/broken"]));
}

#[test]
fn a_url_of_no_database_is_refused_before_anything_is_made() {
    let folder = Folder::project();
    for (command, url) in
        [("serve", "mysql://ann:hunter2@db/x"), ("serve", "redis://x"), ("executions", "picloud.db"), ("deployments", "sqlite:")]
    {
        let said = folder.refused(2, &[command, "--database", url]);
        let wrong = "error: the database URL is none of `sqlite`, `sqlite:PATH` and `postgres://USER@HOST/NAME`";
        assert!(said.starts_with(wrong) && said.lines().count() == 1, "{url}: {said}");
        assert!(!said.contains("hunter2"));
    }
    assert!(!folder.0.path().join(".picloud").exists());
}

#[test]
fn without_a_database_status_tells_the_rest() {
    let folder = Folder::project();
    let output = folder.run(&["status"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("status_without_database", String::from_utf8(output.stdout).unwrap());
    insta::assert_snapshot!("no_database", String::from_utf8(output.stderr).unwrap());
    let json = folder.json(&["status", "--json", "--database", "postgres://ann:hunter2@127.0.0.1:1/cloud"]);
    let problem = json["database"]["problem"].as_str().unwrap();
    assert!(problem.starts_with("cannot connect to `cloud` on postgres at 127.0.0.1:1: "), "{problem}");
    assert!(!json.to_string().contains("hunter2"));
    for command in ["deployments", "executions", "logs"] {
        assert!(folder.refused(2, &[command]).contains("there is no database"), "{command}");
    }
    folder.write(".picloud/spool/00000001.jsonl", &" ".repeat(2048));
    assert_eq!(folder.json(&["status", "--json"])["spooled_bytes"], 2048);
    assert!(String::from_utf8(folder.run(&["status"]).stdout).unwrap().contains("spool     2 KiB of executions wait"));
}

#[test]
fn a_suspension_alone_is_no_difference() {
    let folder = Folder::project();
    let node = Node::start(&folder);
    wait(|| (folder.json(&["status", "--json"])["is_in_sync"] == true).then_some(()));
    folder.done(&["source", "suspend"]);
    let status = folder.json(&["status", "--json"]);
    assert_eq!((&status["is_in_sync"], &status["behind_us"]), (&true.into(), &Value::Null));
    let told = folder.done(&["status"]);
    assert!(told.contains("\nheld      the source is suspended by ") && !told.contains("\nwanted"), "{told}");
    let told = folder.done(&["sync"]);
    assert!(told.contains("\nheld      the source is suspended by ") && !told.contains("wanted"), "{told}");
    folder.write("functions/hello.rhai", "let x = ;");
    wait(|| folder.run(&["sync"]).stdout.windows(8).any(|part| part == b"\nwanted ").then_some(()));
    let status = folder.json(&["status", "--json"]);
    assert_eq!((&status["is_in_sync"], status["behind_us"].is_u64()), (&false.into(), true));
    // A mistake is named as seen from here, by every command.
    folder.run(&["source", "resume"]);
    wait(|| String::from_utf8(folder.run(&["sync"]).stdout).unwrap().contains("\nfunctions/hello.rhai:1:9: error").then_some(()));
    node.stop();
}

#[test]
fn signals_that_come_together_are_one() {
    let folder = Folder::project();
    for _ in 0..3 {
        let mut node = Node::start(&folder);
        let pid = rustix::process::Pid::from_child(&node.process);
        for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
            rustix::process::kill_process(pid, signal).unwrap();
        }
        assert_eq!(node.process.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn health_says_whether_a_node_serves() {
    let folder = Folder::empty();
    let none = folder.refused(2, &["health"]);
    assert_eq!(none, "error: no node runs on `.picloud`\n");
    let nobody = folder.refused(2, &["health", "--url", "http://127.0.0.1:1"]);
    assert!(nobody.starts_with("error: the node at http://127.0.0.1:1 does not answer: "), "{nobody}");
    // Its functions are not there yet.
    let node = Node::start(&folder);
    let url = format!("http://{}", node.address);
    assert_eq!(folder.refused(2, &["health"]), format!("error: the node at {url} is not ready: it is starting\n"));
    folder.write("functions/a.rhai", "1");
    wait(|| (folder.run(&["health"]).status.code() == Some(0)).then_some(()));
    assert_eq!(folder.done(&["health"]), "ready\n");
    folder.write("functions/b.rhai", "(");
    let said = wait(|| Some(folder.done(&["health", "--url", &url])).filter(|said| said != "ready\n"));
    assert_eq!(said, "degraded\n1 mistake(s) in the source; `picloud status` shows them\n");
    // Any other server is none.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
    });
    assert_eq!(folder.refused(2, &["health", "--url", &url]), format!("error: what answers at {url} is no node of PiCloud\n"));
    answering.join().unwrap();
}

#[test]
fn diff_shows_functions_and_lines_that_differ() {
    let folder = Folder::empty();
    folder.write("functions/hello.rhai", "let a = 1;\nlet b = 2;\na + b");
    folder.write("functions/old.get.rhai", "1\n");
    folder.write("functions/same.rhai", "1\n");
    Node::start(&folder).stop();
    // Before the first one nothing was live.
    assert!(folder.done(&["diff", "--stat"]).starts_with("nothing → "));
    let node = Node::start(&folder);
    folder.write("next/hello.rhai", "let a = 1;\nlet b = 3;\na + b\n");
    folder.write("next/orders/[id].post.rhai", "\"\u{1b}[31m\"\n");
    folder.write("next/same.rhai", "1\n");
    folder.done(&["deploy", "next"]);
    folder.write("functions/same.rhai", "(");
    let all = wait(|| Some(folder.json(&["deployments", "--json"])).filter(|all| all[0]["status"] == "rejected"));
    node.stop();
    let name = |at: usize| all[at]["id"].as_str().unwrap().to_owned();
    let (refused, second, first) = (name(0), name(1), name(2));
    let revision = all[1]["revision"].as_str().unwrap().to_owned();
    let plain = |text: String| {
        let text = text.replace(&refused, "THIRD").replace(&second, "SECOND").replace(&first, "FIRST");
        text.replace(&revision[..10], "REVISION")
    };
    insta::assert_snapshot!("diff", plain(folder.done(&["diff"])));
    insta::assert_snapshot!("diff_back", plain(folder.done(&["diff", &revision[..12], &first, "--stat"])));
    insta::assert_snapshot!("diff_first", plain(folder.done(&["diff", &first, &first])));
    let json = folder.json(&["diff", &first, "live", "--json"]);
    assert_eq!((&json["from"]["id"], &json["to"]["id"]), (&Value::from(first.as_str()), &Value::from(second.as_str())));
    assert_eq!((&json["plan"]["added"], &json["plan"]["changed"], &json["plan"]["removed"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(json["plan"]["functions"][1]["route"], "GET /old");
    let kinds: Vec<_> = json["files"].as_array().unwrap().iter().map(|file| (file["file"].as_str(), file["kind"].as_str())).collect();
    assert_eq!(
        kinds,
        [(Some("hello.rhai"), Some("changed")), (Some("old.get.rhai"), Some("removed")), (Some("orders/[id].post.rhai"), Some("added"))]
    );
    assert!(json["files"][2]["diff"].as_str().unwrap().starts_with("--- /dev/null\n+++ b/orders/[id].post.rhai\n@@ -0,0 +1 @@\n"));
    let json = folder.json(&["diff", "--json", "--stat", &second, &first]);
    assert_eq!((&json["plan"]["removed"], &json["files"]), (&1.into(), &Value::Array(Vec::new())));
    let wrong = [refused.as_str(), "0000000000000", "no-such-revision", &revision[..6], "dir-"];
    let told: String = wrong.iter().map(|key| plain(folder.refused(2, &["diff", key]))).collect();
    insta::assert_snapshot!("diff_wrong", plain(told).replace(&revision[..6], "SHORT"));
    // What newer rules forbid is told, and the rest is compared.
    folder.write("picloud.toml", "[limits]\nexpression_depth = 1\n");
    let output = folder.run(&["diff", "--stat"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("diff_stricter", plain(String::from_utf8(output.stderr).unwrap()));
}

#[test]
fn the_store_is_read_while_the_node_runs_and_after() {
    let folder = Folder::project();
    let node = Node::start(&folder);
    assert!(node.get("/hello?name=Ada").ends_with("{\"message\":\"hello Ada\"}"));
    folder.write("functions/fail.rhai", "throw \"no\"");
    wait(|| node.get("/fail").starts_with("HTTP/1.1 502").then_some(()));
    folder.write("functions/hello.rhai", "let x = ;");
    wait(|| folder.done(&["status"]).contains("functions/hello.rhai:1:9: error").then_some(()));
    assert!(node.get("/hello?name=Eve").ends_with("{\"message\":\"hello Eve\"}"));
    let status = folder.json(&["status", "--json"]);
    assert_eq!((&status["live"]["functions"], &status["is_in_sync"]), (&3.into(), &false.into()));
    assert_eq!(status["diagnostics"][0]["file"], "hello.rhai");
    assert_eq!((&status["database"]["place"], &status["database"]["problem"]), (&"`.picloud/picloud.db`".into(), &Value::Null));
    assert!(status["node"]["url"].as_str().unwrap().contains(&node.address));
    node.stop();

    let status = folder.json(&["status", "--json"]);
    assert_eq!((&status["node"], &status["refused"]["status"]), (&Value::Null, &"rejected".into()));
    let failed = folder.json(&["executions", "--status", "5xx", "--json"]);
    assert_eq!((&failed[0]["function"], &failed[0]["status"]), (&"fail".into(), &502.into()));
    assert_eq!(failed[0]["failure"]["message"], "no");
    assert_eq!(folder.json(&["executions", "--status", "failed", "--json"]), failed);
    assert_eq!(folder.json(&["executions", "--status", "timed_out", "--json"]), Value::Array(Vec::new()));
    assert_eq!(folder.json(&["executions", "--function", "hello", "--json"]).as_array().unwrap().len(), 2);
    assert_eq!(folder.json(&["executions", "--since", "1h", "--limit", "1", "--json"]).as_array().unwrap().len(), 1);
    assert_eq!(folder.json(&["executions", "--since", "2100-01-01T00:00:00Z", "--json"]).as_array().unwrap().len(), 0);
    let deployments = folder.json(&["deployments", "--json"]);
    assert_eq!(deployments.as_array().unwrap().len(), 3);
    assert_eq!((&deployments[0]["status"], &deployments[1]["changes"][0]["function"]), (&"rejected".into(), &"fail".into()));
    assert!(
        folder.done(&["deployments", "--limit", "1"]).lines().nth(1).unwrap().contains("  rejected  save   +0 ~0 -0  1 error      dir-")
    );
    let versions = folder.json(&["versions", "hello.rhai", "--json"]);
    assert_eq!((versions.as_array().unwrap().len(), &versions[0]["is_live"]), (1, &true.into()));

    insta::assert_snapshot!("unknown_function", folder.refused(2, &["versions", "helo"]));
    for command in ["executions", "logs"] {
        assert!(folder.refused(2, &[command, "--function", "helo"]).contains("did you mean `hello`?"), "{command}");
    }
    insta::assert_snapshot!("bad_time", folder.refused(2, &["executions", "--since", "soon"]));
    insta::assert_snapshot!("bad_status", folder.refused(2, &["executions", "--status", "x"]));
    assert!(folder.refused(2, &["executions", "--status", "faild"]).contains("did you mean `failed`?"));
}

#[test]
fn logs_are_lines_in_order_and_silent_runs_take_none_of_them() {
    let folder = Folder::project();
    folder.write("functions/silent.rhai", "1");
    folder.write("functions/talk.rhai", "log::info(\"one\\ntwo\"); log::warn(\"three\"); throw \"four\"");
    folder.write("functions/much.rhai", "+++\n[limits]\nlog_lines = 1\n+++\nfor i in 0..3 { log::error(i) }");
    let node = Node::start(&folder);
    for path in ["/talk", "/much", "/silent", "/silent", "/silent"] {
        node.get(path);
    }
    node.stop();
    // Time and execution are others in each run.
    let plain = |arguments: &[&str]| -> Vec<String> {
        let lines = folder.done(arguments);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        lines.lines().map(words).map(|words| format!("{} {}", words[1], words[3..].join(" "))).collect()
    };
    assert_eq!(
        plain(&["logs"]),
        [
            "info talk one\\ntwo",
            "warn talk three",
            "failure talk talk.rhai:1:44: four",
            "error much 0",
            "warn much 2 log lines did not fit the limit"
        ]
    );
    assert_eq!(plain(&["logs", "--limit", "2"]).len(), 2);
    assert_eq!(plain(&["logs", "--function", "much", "--limit", "1"]), ["warn much 2 log lines did not fit the limit"]);
    let lines: Vec<Value> = folder.done(&["logs", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["message"], &lines[0]["level"]), (&"one\ntwo".into(), &"info".into()));
    assert_eq!((&lines[2]["level"], &lines[2]["status"], &lines[2]["failure"]["line"]), (&"failure".into(), &502.into(), &1.into()));
    assert!(lines.windows(2).all(|pair| pair[0]["time"].as_str() <= pair[1]["time"].as_str()));
}

#[test]
fn logs_can_be_followed() {
    let folder = Folder::project();
    let node = Node::start(&folder);
    node.get("/hello?name=first");
    wait(|| folder.done(&["logs"]).contains("greeting first").then_some(()));
    let mut following = folder.command(&["logs", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    node.get("/hello?name=second");
    let mut seen = String::new();
    let mut out = following.stdout.take().unwrap();
    let mut part = [0; 4096];
    while !seen.contains("greeting second") {
        let read = out.read(&mut part).unwrap();
        assert_ne!(read, 0, "the command ended after {seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    assert_eq!(seen.matches("greeting first").count(), 1, "{seen}");
    following.kill().unwrap();
    following.wait().unwrap();
    node.stop();
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let folder = Folder::project();
    assert!(folder.refused(2, &["token", "create", "ci", "--scope", "read"]).contains("there is no database"));
    let node = Node::start(&folder);
    let output = folder.run(&["token", "create", "ci", "--scope", "deploy"]);
    assert_eq!(output.status.code(), Some(0));
    let secret = String::from_utf8(output.stdout).unwrap();
    let digits = secret.strip_prefix("picloud_").and_then(|rest| rest.strip_suffix('\n')).unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
    insta::assert_snapshot!("token_shown_once", String::from_utf8(output.stderr).unwrap());
    node.stop();

    // Without a node, too.
    folder.done(&["token", "create", "ann.laptop", "--scope", "read", "--expires", "90d"]);
    folder.done(&["token", "create", "brief", "--scope", "admin", "--expires", "1us"]);
    let listed = folder.done(&["token", "list"]);
    let plain =
        |line: &str| line.split_whitespace().filter(|word| !word.starts_with("20")).map(str::to_owned).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = listed.lines().map(plain).collect();
    assert_eq!(
        lines,
        [
            "NAME SCOPE FUNCTIONS CREATED EXPIRES LAST USED",
            "ann.laptop read all never",
            "brief admin all never expired",
            "ci deploy all never never"
        ]
    );
    let json = folder.json(&["token", "list", "--json"]);
    let keys: Vec<&String> = json[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["created", "expires", "functions", "is_expired", "last_used", "name", "scope"]);
    assert_eq!((&json[1]["is_expired"], &json[2]["expires"], &json[2]["last_used"]), (&true.into(), &Value::Null, &Value::Null));
    let database = fs::read(folder.0.path().join(".picloud/picloud.db")).unwrap();
    assert!(!database.windows(64).any(|part| part == digits.as_bytes()), "only a hash is kept");

    insta::assert_snapshot!("token_name_taken", folder.refused(2, &["token", "create", "ci", "--scope", "read"]));
    insta::assert_snapshot!("token_bad_name", folder.refused(2, &["token", "create", "a b", "--scope", "read"]));
    insta::assert_snapshot!("token_reserved_name", folder.refused(2, &["token", "create", "admin", "--scope", "read"]));
    insta::assert_snapshot!("token_bad_scope", folder.refused(2, &["token", "create", "x", "--scope", "write"]));
    insta::assert_snapshot!("token_bad_span", folder.refused(2, &["token", "create", "x", "--scope", "read", "--expires", "soon"]));
    insta::assert_snapshot!("token_nearly_known", folder.refused(2, &["token", "revoke", "ann.labtop"]));
    insta::assert_snapshot!("token_unknown", folder.refused(2, &["token", "revoke", "robot"]));
    let output = folder.run(&["token", "revoke", "ci"]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(0), true));
    insta::assert_snapshot!("token_revoked", String::from_utf8(output.stderr).unwrap());
    assert_eq!(folder.json(&["token", "list", "--json"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::project();
    for number in 0..300 {
        folder.write(&format!("functions/many/f{number}.rhai"), "1");
    }
    let piped = |script: &str| {
        let script = script.replace("picloud", env!("CARGO_BIN_EXE_picloud"));
        Command::new("bash").args(["-c", &script]).current_dir(folder.0.path()).output().unwrap()
    };
    let output = piped("set -o pipefail; picloud routes | head -1");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    // What it found it still says.
    folder.write("functions/broken.rhai", "(");
    let output = piped("picloud check --json | true; exit ${PIPESTATUS[0]}");
    assert_eq!((output.status.code(), output.stderr.is_empty()), (Some(1), true));
    let output = piped("picloud routes > /dev/full");
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("full_disk", String::from_utf8(output.stderr).unwrap());
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(Folder::empty().done(&["completions", shell]).contains("picloud"));
    }
}

#[test]
fn a_project_is_checked_where_its_functions_are_as_it_is_deployed() {
    let folder = Folder::empty();
    folder.write("shop/picloud.toml", "[source]\npath = \"src\"\n[limits]\nfile = \"1KiB\"\n");
    folder.write("shop/src/a.rhai", "import \"m\" as m; m::f()");
    folder.write("shop/src/_lib/m.rhai", "fn f() { 1 }");
    folder.write("shop/notes.rhai", "let x = ;");
    for dir in ["shop", "./shop"] {
        let checked = folder.run(&["check", dir]);
        assert_eq!(String::from_utf8_lossy(&checked.stdout), "1 function, no errors\n", "{}", String::from_utf8_lossy(&checked.stderr));
        let told = format!("`{dir}` is a project; its functions are in `{dir}/src`\n");
        assert_eq!((checked.status.code(), String::from_utf8_lossy(&checked.stderr)), (Some(0), told.into()));
    }
    // Its own limits hold, and a folder of functions is taken as it is.
    folder.write("shop/src/large.rhai", &format!("/*{}*/1", "x".repeat(1024)));
    assert_eq!(folder.run(&["check", "shop"]).status.code(), Some(1));
    assert_eq!(folder.done(&["check", "shop/src"]), "2 functions, no errors\n");
    folder.write("shop/picloud.toml", "[source]\npath = \"nowhere\"\n");
    assert!(folder.refused(2, &["check", "shop"]).contains("nowhere`, which is no folder"));
}

#[test]
fn status_right_after_a_broken_save_shows_the_mistake() {
    let folder = Folder::project();
    let _node = Node::start(&folder);
    for round in 0..5 {
        folder.write("functions/hello.rhai", &format!("let x = {round};\nlet y = ;"));
        // A machine as busy as this one may be may take longer than a person waits.
        wait(|| {
            let said = folder.done(&["status"]);
            let shows_it = said.contains("functions/hello.rhai:2:9: error");
            assert!(shows_it || !said.contains(" ms\n"), "{said}");
            shows_it.then_some(())
        });
        folder.write("functions/hello.rhai", &format!("{round}"));
        wait(|| (folder.json(&["status", "--json"])["is_in_sync"] == true).then_some(()));
    }
}

#[test]
fn the_node_s_own_urls_are_no_function_s() {
    let folder = Folder::empty();
    folder.write("functions/[...all].rhai", "1");
    for url in ["/_picloud/health", "/api/admin/x", "/%61pi/execute/y", "/functions.git/info/refs"] {
        assert_eq!(folder.done(&["routes", url]), format!("GET {url}: PiCloud answers this itself; no function does\n"));
        assert!(folder.refused(2, &["invoke", url]).contains("PiCloud answers `"));
    }
    assert_eq!(folder.done(&["invoke", "/api/admins"]), "1");
}

#[test]
fn a_hint_names_the_node_that_was_named() {
    let folder = Folder::project();
    Node::start(&folder).stop();
    fs::rename(folder.0.path().join(".picloud"), folder.0.path().join("its data")).unwrap();
    let create = ["token", "create", "ci", "--scope", "read", "--data", "its data"];
    folder.done(&create);
    assert!(folder.refused(2, &create).contains("`picloud token revoke ci --data 'its data'` first"));
}
