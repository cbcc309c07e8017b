//! Work on the files while clients ask: no request fails.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::kit::node::{Node, PATIENCE, wait_until};

/// Returns whether an answer is one that the path may give at some time of the story.
fn is_expected(path: &str, status: u16, text: &str) -> bool {
    match path {
        // Edited, broken and mended; there all the time.
        "/edited" => status == 200 && text.starts_with("edit "),
        "/steady" => status == 200 && text == "steady",
        // Deleted and added.
        "/fleeting" => status == 200 && text == "here" || status == 404,
        _ => false,
    }
}

#[test]
fn no_request_fails_while_files_are_worked_on() {
    let node = Node::start_with(&[
        ("edited.rhai", "import \"m\" as m; m::word() + \" 0\""),
        ("_lib/m.rhai", "fn word() { \"edit\" }"),
        ("steady.rhai", "\"steady\""),
        ("fleeting.rhai", "\"here\""),
    ]);
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = node.client();
                    while !stop.load(Ordering::Relaxed) {
                        for path in ["/edited", "/steady", "/fleeting"] {
                            let seen = client.get(path).unwrap_or_else(|error| panic!("{path}: {error}"));
                            assert!(is_expected(path, seen.status, &seen.text()), "{path}: {} {}", seen.status, seen.text());
                            asked.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let work = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&node, &asked)));
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("no request fails");
        }
        work.unwrap();
    });
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

/// What a person does to files, several times over.
fn work(node: &Node, asked: &AtomicU64) {
    let code = |number: u32| format!("import \"m\" as m; m::word() + \" {number}\"");
    for round in 0..4_u32 {
        let number = round * 10 + 1;
        node.write("edited.rhai", &code(number));
        node.wait_for("/edited", &format!("edit {number}"));
        node.replace("edited.rhai", &code(number + 1));
        node.wait_for("/edited", &format!("edit {}", number + 1));
        let expression = format!("s/ {} *\"/ {}\"/", number + 1, number + 2);
        assert!(Command::new("sed").args(["-i", &expression]).arg(node.file("edited.rhai")).status().unwrap().success());
        node.wait_for("/edited", &format!("edit {}", number + 2));
        node.write("edited.rhai", "let x = ;");
        node.wait_for_state("degraded");
        node.write("edited.rhai", &code(number + 3));
        node.wait_for("/edited", &format!("edit {}", number + 3));
        node.write("_lib/m.rhai", "fn word() {");
        node.wait_for_state("degraded");
        node.write("_lib/m.rhai", &format!("fn word() {{ let round = {round}; \"edit\" }}"));
        node.wait_for_state("ready");
        node.remove("fleeting.rhai");
        node.wait_for_status("/fleeting", 404);
        node.write("fleeting.rhai", "\"here\"");
        node.wait_for("/fleeting", "here");
        node.write(&format!("nested/{round}/new.rhai"), "1");
        node.wait_for(&format!("/nested/{round}/new"), "1");
        fs::remove_dir_all(node.file(&format!("nested/{round}"))).unwrap();
        node.wait_for_status(&format!("/nested/{round}/new"), 404);
        let before = asked.load(Ordering::Relaxed);
        wait_until("the clients go on", PATIENCE, || asked.load(Ordering::Relaxed) > before + 24);
    }
}
