//! The command line as people use it: the real program in a folder of its own.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
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
        let mut process = folder.command(&["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::null()).spawn().unwrap();
        let announcement = folder.0.path().join(".picloud/node.json");
        let url = wait(|| {
            assert!(process.try_wait().unwrap().is_none(), "the node ended");
            let announcement: Value = serde_json::from_slice(&fs::read(&announcement).ok()?).ok()?;
            Some(announcement["url"].as_str()?.to_owned())
        });
        Self { process, address: url.strip_prefix("http://").unwrap().into() }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
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
    let folder = Folder::project();
    assert_eq!(folder.done(&["check"]), "2 functions, no errors\n");
    assert_eq!(folder.done(&["invoke", "/hello?name=Ada"]), "{\"message\":\"hello Ada\"}\n");
    assert_eq!(folder.done(&["invoke", "/users/7"]), "{\"id\":7,\"path\":\"/users/7\"}\n");
    let second = folder.refused(2, &["init"]);
    assert!(second.contains("`./picloud.toml` is there already") && second.contains("hint"), "{second}");
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
    folder.write("functions/users/_middleware.rhai", "// lets everyone in");
    folder.write("functions/users/[...rest].rhai", "2");
    insta::assert_snapshot!("routes_lists", folder.done(&["routes"]));
    insta::assert_snapshot!("routes_explains", folder.done(&["routes", "/users/me"]));
    assert_eq!(folder.json(&["routes", "/users/7", "--method", "POST", "--json"])["outcome"]["method_not_allowed"]["allow"][0], "GET");
    folder.write("functions/broken.rhai", "(");
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
    assert_eq!(String::from_utf8_lossy(&output.stdout), "201 Created\nx-a: 7\ncontent-type: application/json\n\n{\"a\":[1]}\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Info seen"));
    assert_eq!(folder.done(&["invoke", "/echo", "-d", "plain"]), "plain\n");
    insta::assert_snapshot!("invoke_failure", folder.refused(1, &["invoke", "/fail"]));
    insta::assert_snapshot!("invoke_not_found", folder.refused(2, &["invoke", "/nowhere"]));
    insta::assert_snapshot!("invoke_wrong_method", folder.refused(2, &["invoke", "/hello", "-X", "DELETE"]));
}

#[test]
fn the_store_is_read_while_the_node_runs_and_after() {
    let folder = Folder::project();
    let told = folder.refused(2, &["status"]);
    assert!(told.contains("there is no database") && told.contains("picloud serve"), "{told}");

    let node = Node::start(&folder);
    assert!(node.get("/hello?name=Ada").ends_with("{\"message\":\"hello Ada\"}"));
    folder.write("functions/fail.rhai", "throw \"no\"");
    wait(|| node.get("/fail").starts_with("HTTP/1.1 502").then_some(()));
    folder.write("functions/hello.rhai", "let x = ;");
    wait(|| folder.done(&["status"]).contains("functions/hello.rhai:1:9: error").then_some(()));
    assert!(node.get("/hello?name=Eve").ends_with("{\"message\":\"hello Eve\"}"));
    let status = folder.json(&["status", "--json"]);
    assert_eq!((&status["live"]["functions"], &status["refused"]["status"]), (&3.into(), &"rejected".into()));
    assert!(status["node"]["url"].as_str().unwrap().contains(&node.address));
    node.stop();

    assert!(folder.json(&["status", "--json"])["node"].is_null());
    let failed = folder.json(&["executions", "--status", "5xx", "--json"]);
    assert_eq!((&failed[0]["function"], &failed[0]["status"]), (&"fail".into(), &502.into()));
    assert_eq!(failed[0]["failure"]["message"], "no");
    assert_eq!(folder.json(&["executions", "--function", "hello", "--json"]).as_array().unwrap().len(), 2);
    assert_eq!(folder.json(&["executions", "--since", "1h", "--limit", "1", "--json"]).as_array().unwrap().len(), 1);
    let logs = folder.done(&["logs"]);
    assert!(logs.contains("hello: greeting Ada") && logs.contains("fail: fail.rhai:1:1: no"), "{logs}");
    assert_eq!(folder.json(&["deployments", "--json"]).as_array().unwrap().len(), 3);
    assert_eq!(folder.json(&["versions", "hello", "--json"]).as_array().unwrap().len(), 1);
    assert!(folder.refused(2, &["versions", "helo"]).contains("did you mean `hello`?"));
    assert!(folder.refused(2, &["executions", "--since", "soon"]).contains("`soon` is no time"));
    assert!(folder.refused(2, &["executions", "--status", "x"]).contains("is not a status"));
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
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::project();
    for number in 0..300 {
        folder.write(&format!("functions/many/f{number}.rhai"), "1");
    }
    let program = Path::new(env!("CARGO_BIN_EXE_picloud")).display().to_string();
    let script = format!("set -o pipefail; {program} routes | head -1");
    let output = Command::new("bash").args(["-c", &script]).current_dir(folder.0.path()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(Folder::empty().done(&["completions", shell]).contains("picloud"));
    }
}
