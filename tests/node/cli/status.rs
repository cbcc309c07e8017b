//! How a node is: `picloud status`, `health`, and its end.

use std::io::{Read as _, Write as _};

use serde_json::Value;

use super::{Folder, Node, wait};

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
fn health_says_whether_a_node_serves() {
    let folder = Folder::empty();
    let none = folder.refused(2, &["health"]);
    assert_eq!(
        none,
        "error: no node runs on `.picloud`\n  hint: it asks the node of the data folder, whoever is logged in elsewhere; `--url` names another\n"
    );
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
    // The same as a list, with what to do. It stays the same trouble however often somebody asks.
    let parts = || folder.json(&["health", "--parts", "--json"])["parts"].clone();
    let told = parts();
    assert_eq!((told.as_array().unwrap().len(), &told[0]["part"], &told[0]["level"]), (1, &"files".into(), &"warn".into()), "{told}");
    assert!(told[0]["says"].as_str().unwrap().starts_with("1 mistake(s)") && told[0]["do"].as_str().unwrap().contains("mend"), "{told}");
    assert_eq!(parts(), told);
    assert!(folder.done(&["health", "--parts"]).contains("\nfiles  warn   "));
    folder.write("functions/b.rhai", "1");
    wait(|| (folder.done(&["health", "--parts"]) == "all is well\n").then_some(()));
    let nodes = folder.json(&["nodes", "--json"]);
    let [one] = nodes.as_array().unwrap().as_slice() else { panic!("a node alone is a list of one: {nodes}") };
    assert_eq!((&one["address"], &one["leases"]), (&node.address.to_string().into(), &serde_json::json!(["database"])));
    assert_eq!(one["deployment"], folder.json(&["status", "--json"])["live"]["id"]);
    assert!(one["ready_us"].as_i64().unwrap() > 0 && one["memory_bytes"].as_u64().unwrap() > 0, "{one}");
    assert!(folder.done(&["nodes"]).contains(one["id"].as_str().unwrap()));
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
