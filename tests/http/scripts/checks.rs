//! Checks that take as long as they may: nobody waits for them but those who asked.

use std::{fs, time::Duration};

use serde_json::json;

use crate::kit::{
    api::{Api, messages, on_a_directory},
    node::{Node, wait_until},
};

const HOG: &str = "let s = \"\"; s.pad(800_000, \"xyz\u{e9}\"); let n = 0; loop { n += s.to_upper().len(); }";

/// Whether the node checks something at this moment.
fn is_checking(node: &Node) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    tasks.flatten().any(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "check"))
}

#[test]
fn a_slow_check_keeps_no_save_and_no_rollback_waiting() {
    let node = on_a_directory();
    let api = Api::of(&node);
    node.write("hello.rhai", "\"one\"");
    node.wait_for("/hello", "one");
    let token = api.token(&json!({ "name": "shop", "scope": "deploy", "functions": "shop" }));
    let slow = json!({ "files": {
        "shop/f.rhai": "import \"./_a\" as a; import \"./_b\" as b; import \"./_c\" as c; 1",
        "shop/_a.rhai": HOG, "shop/_b.rhai": HOG, "shop/_c.rhai": HOG,
    } });
    std::thread::scope(|scope| {
        let check = || Api::with(&node, &token).json("POST", "/api/admin/check", &slow);
        let checks: Vec<_> = (0..2).map(|_| scope.spawn(check)).collect();
        wait_until("it checks", Duration::from_secs(30), || is_checking(&node));
        node.write("hello.rhai", "\"two\"");
        node.wait_for("/hello", "two");
        let rollback = api.json("POST", "/api/admin/rollback", &json!({ "dry_run": true }));
        assert_eq!(rollback.status, 200, "{}", rollback.text());
        assert!(checks.iter().any(|check| !check.is_finished()), "none of that has waited for the checks");
        for check in checks {
            let answer = check.join().unwrap();
            assert_eq!(
                messages(&answer),
                ["shop/_a.rhai: loading the modules takes too long: together they may use 2s of CPU time, within 20s"]
            );
        }
    });
    // What others would find is as it was.
    let fine = api.json("POST", "/api/admin/check", &json!({ "name": "shop/f", "source": "1" }));
    assert_eq!((fine.json()["ok"].as_bool(), fine.json()["text"].as_str()), (Some(true), Some("+ any method /shop/f  shop/f.rhai")));
}

#[test]
fn a_check_whose_client_has_left_gives_its_place_to_the_next() {
    let node = on_a_directory();
    let api = Api::of(&node);
    let body = json!({ "files": { "f.rhai": "import \"m\" as m; 1", "_lib/m.rhai": HOG } }).to_string();
    for _ in 0..5 {
        let mut client = node.client();
        api.announce(&mut client, "POST", "/api/admin/check", body.len());
        client.write(body.as_bytes()).unwrap();
        wait_until("it checks", Duration::from_secs(30), || is_checking(&node));
    }
    wait_until("no check goes on", Duration::from_secs(30), || !is_checking(&node));
    let fine = api.json("POST", "/api/admin/check", &json!({ "name": "f", "source": "1" }));
    assert_eq!(fine.json()["ok"], true);
}
