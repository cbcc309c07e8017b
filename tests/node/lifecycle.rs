//! Starting, refusing to start, and what is left on the disk.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::Path,
};

use crate::kit::node::{Node, PATIENCE, node, wait_until};

#[test]
fn a_data_folder_is_one_node_s_at_a_time() {
    let first = Node::start_with(&[("a.rhai", "1")]);
    let (code, said) = node(&[]).argument("--data").argument(first.data().to_str().unwrap()).fail();
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("error: another node uses the data folder `") && said.contains("hint: stop it, or name another folder"),
        "{said}"
    );
    // The one that runs feels nothing of it.
    assert_eq!(first.get("/a").text(), "1");
    assert!(first.data().join("node.json").exists());
}

#[test]
fn a_killed_node_leaves_nothing_that_keeps_the_next_from_starting() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    node.kill();
    assert!(node.data().join("node.json").exists());
    node.start();
    assert_eq!(node.get("/a").text(), "1");
    node.stop();
    assert!(!node.data().join("node.json").exists());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = node(&[]).argument("--listen").argument(&address).fail();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(&format!("error: cannot listen on {address}: ")), "{said}");
}

#[test]
fn a_mistake_in_the_configuration_is_told_with_its_place_and_a_hint() {
    let (code, said) = node(&[]).config("data = \"x\"\n\n[server]\nlisen = \"127.0.0.1:1\"\n").fail();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("picloud.toml:4:1: error: unknown key `lisen`"), "{said}");
    assert!(said.contains("did you mean `listen`?"), "{said}");
    let (code, said) = node(&[]).config("[limits]\ntimeout = \"soon\"\n").fail();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("picloud.toml:2:11: "), "{said}");
    let (code, said) = node(&[]).argument("--config").argument("nowhere.toml").fail();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("cannot read the configuration `nowhere.toml`"), "{said}");
}

/// Threads that serve, each with a stack of two GiB.
const LARGE_STACKS: &str = "[executor]\nstack = \"2GiB\"\n";

fn gibibytes_of_stacks() -> usize {
    2 * std::thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn without_address_space_for_its_threads_a_node_says_so() {
    let kib = gibibytes_of_stacks() << 20;
    let (code, said) = node(&[]).config(LARGE_STACKS).after(&format!("ulimit -v {kib}")).fail();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("threads with stacks of 2048 MiB: ") && said.contains("hint: lower `stack`"), "{said}");
}

#[test]
fn a_node_that_waits_for_a_thread_stops_when_it_is_told_to() {
    // Enough for the threads that serve, and not for one that checks what is to go live.
    let kib = (gibibytes_of_stacks() << 20) + (1_900 << 10);
    let setup = node(&[("a.rhai", "1")]).config(LARGE_STACKS).after(&format!("ulimit -v {kib}"));
    let mut node = setup.begin();
    node.wait_for_line(&["waits for a thread that checks it"]);
    node.stop();
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let functions = |name: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("who.rhai"), format!("\"{name}\"")).unwrap();
        folder
    };
    let (by_file, by_variable, by_flag) = (functions("file"), functions("variable"), functions("flag"));
    let text = |folder: &tempfile::TempDir| folder.path().to_str().unwrap().to_owned();
    let configured = || node(&[("who.rhai", "\"default\"")]).config(&format!("[source]\npath = \"{}\"\n", text(&by_file)));
    assert_eq!(node(&[("who.rhai", "\"default\"")]).start().get("/who").text(), "default");
    assert_eq!(configured().start().get("/who").text(), "file");
    assert_eq!(configured().variable("PICLOUD_FUNCTIONS", &text(&by_variable)).start().get("/who").text(), "variable");
    let all = configured().variable("PICLOUD_FUNCTIONS", &text(&by_variable)).argument("--functions").argument(&text(&by_flag));
    assert_eq!(all.start().get("/who").text(), "flag");
}

#[test]
fn the_admin_token_is_its_owner_s_alone_and_stays() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    let file = node.data().join("admin-token");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&node.data())), (0o600, 0o700));
    let token = fs::read_to_string(&file).unwrap();
    assert!(token.starts_with("picloud_") && token.trim().len() > 40, "its form");
    node.wait_for_line(&["an admin token is in `", "admin-token`"]);
    node.restart();
    assert_eq!(fs::read_to_string(&file).unwrap(), token);
    assert!(!node.log().contains(token.trim()), "the token is in the log");
}

/// Returns what in a folder others than its owner may read or enter; below what they may not enter nothing counts.
fn open_to_others(folder: &Path, open: &mut Vec<String>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.permissions().mode() & 0o077 == 0 {
            continue;
        }
        open.push(format!("{:03o} {}", metadata.permissions().mode() & 0o777, path.display()));
        if metadata.is_dir() {
            open_to_others(&path, open);
        }
    }
}

#[test]
fn what_a_node_keeps_is_its_owner_s_alone_even_in_a_folder_that_others_may_enter() {
    let hosted = "[source]\nkind = \"git\"\n[database]\nurl = \"sqlite:elsewhere/kept.db\"\n";
    // Without a database executions go to the spool.
    let nowhere = "[database]\nurl = \"postgres://nobody@127.0.0.1:1/nothing\"\n";
    for (config, kept) in [("", "picloud.db"), (hosted, "functions.git/HEAD"), (nowhere, "spool/00000001.jsonl")] {
        // What most systems give to a process.
        let setup = node(&[("a.rhai", "1")]).config(config).after("umask 022");
        for folder in [".picloud", "elsewhere"] {
            fs::create_dir(setup.folder().join(folder)).unwrap();
            fs::set_permissions(setup.folder().join(folder), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let node = setup.start();
        node.get("/a");
        wait_until(kept, PATIENCE, || node.data().join(kept).exists());
        let mut open = Vec::new();
        open_to_others(&node.data(), &mut open);
        open_to_others(&node.folder().join("elsewhere"), &mut open);
        assert_eq!(open, Vec::<String>::new());
    }
}

#[test]
fn who_starts_a_node_hears_when_it_serves_and_when_it_stops() {
    let listener = tempfile::tempdir().unwrap();
    let path = listener.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let said = || {
        let mut message = [0; 100];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let mut node = node(&[("a.rhai", "1")]).variable("NOTIFY_SOCKET", path.to_str().unwrap()).start();
    assert_eq!(said(), "READY=1");
    assert_eq!(node.get("/a").text(), "1");
    node.stop();
    assert_eq!(said(), "STOPPING=1");
}

#[test]
fn one_that_hears_nothing_is_served_all_the_same() {
    let node = node(&[("a.rhai", "1")]).variable("NOTIFY_SOCKET", "@picloud-test-nobody-listens").start();
    assert_eq!(node.get("/a").text(), "1");
    node.wait_for_line(&["WARN", "cannot send `READY=1` to `NOTIFY_SOCKET`: "]);
}

#[test]
fn a_folder_of_functions_may_come_after_the_node() {
    let setup = node(&[]);
    fs::remove_dir(setup.folder().join("functions")).unwrap();
    let node = setup.start();
    assert_eq!(node.get("/_picloud/health").status, 200);
    node.write("a.rhai", "1");
    node.wait_for("/a", "1");
}
