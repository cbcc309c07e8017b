//! Where a node listens, and where commands look for one.

use std::{fs, net::TcpListener};

use crate::cli::{Folder, Node};

#[test]
fn an_address_to_listen_on_is_taken_as_people_write_it() {
    for address in ["0", ":0", "localhost:0", "127.0.0.1:0"] {
        let folder = Folder::project();
        let node = Node::start_with(&folder, &["--listen", address]);
        assert!(node.address.starts_with("127.0.0.1:"), "{address}: {}", node.address);
        node.stop();
    }
    let folder = Folder::project();
    folder.write("picloud.toml", "[server]\nlisten = \"localhost:0\"\nadmin_listen = 0\n");
    Node::start_with(&folder, &[]).stop();
}

#[test]
fn what_is_no_address_is_told_with_what_to_write() {
    let folder = Folder::project();
    for address in ["example.org:80", "127.0.0.1", "unix:/run/x", "localhost:http"] {
        let told = folder.refused(2, &["serve", "--listen", address]);
        assert!(told.contains(address) && told.contains("`127.0.0.1:8080`"), "{told}");
        folder.write("picloud.toml", &format!("[server]\nlisten = \"{address}\"\n"));
        let told = folder.refused(2, &["serve"]);
        assert!(told.starts_with("picloud.toml:2:10: error: `") && told.contains("`127.0.0.1:8080`"), "{told}");
        fs::remove_file(folder.0.path().join("picloud.toml")).unwrap();
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_one_that_is_free_and_leaves_nothing_behind() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    for flags in [&["--listen"][..], &["--listen", "127.0.0.1:0", "--admin-listen"]] {
        let folder = Folder::project();
        let told = folder.refused(2, &[&["serve"], flags, &[&taken.to_string()]].concat());
        assert!(told.starts_with(&format!("error: cannot listen on {taken}: Address already in use")), "{told}");
        let flag = flags.last().unwrap();
        assert!(told.contains(&format!("hint: another program listens there; `{flag} 127.0.0.1:")), "{told}");
        assert!(!folder.0.path().join(".picloud").exists(), "there is no data folder, and no token");
    }
}

#[test]
fn a_second_node_on_the_same_folder_and_port_is_told_of_the_first() {
    let folder = Folder::project();
    let node = Node::start(&folder);
    let told = folder.refused(2, &["serve", "--listen", &node.address]);
    assert!(told.starts_with("error: another node uses the data folder `.picloud`\n  hint: "), "{told}");
}

#[test]
fn an_address_that_this_machine_has_not_is_told_with_one_that_it_has() {
    let told = Folder::project().refused(2, &["serve", "--listen", "192.0.2.1:8080"]);
    assert!(told.contains("hint: this machine has no such address; `--listen 0.0.0.0:8080`"), "{told}");
}

#[test]
fn a_node_that_is_not_there_does_not_want_a_token() {
    let folder = Folder::empty();
    for url in ["http://127.0.0.1:1", "http://nohost.invalid"] {
        for command in ["status", "sync", "executions"] {
            let told = folder.refused(2, &[command, "--url", url]);
            assert!(told.starts_with(&format!("error: the node at {url} does not answer: ")), "{told}");
        }
    }
    let project = Folder::project();
    let node = Node::start(&project);
    let told = Folder::empty().refused(2, &["status", "--url", &format!("http://{}/", node.address)]);
    assert!(told.starts_with(&format!("error: `http://{}` wants a token\n  hint: ", node.address)), "{told}");
    // In its own folder it is the same node by whichever name.
    assert!(project.run(&["status", "--url", &format!("http://{}", node.address)]).status.success());
}

#[test]
fn an_address_without_http_is_told_with_it() {
    let folder = Folder::empty();
    for (address, url) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost:80", "http://localhost:80"),
        ("picloud.example.org", "https://picloud.example.org"),
    ] {
        for command in [&["status", "--url", address][..], &["health", "--url", address], &["login", address]] {
            assert_eq!(
                folder.refused(2, command),
                format!("error: `{address}` is no URL of a node\n  hint: write it like `{url}`\n"),
                "{command:?}"
            );
        }
    }
}
