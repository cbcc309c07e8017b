//! Whole trees: all of them or nothing, and nothing that a tar could do to a machine.

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use std::io::Write as _;
use tar::EntryType;

use crate::kit::{
    api::{Api, entry, messages, on_every_source, tar},
    client::Client,
    node::{Node, PATIENCE, wait_until},
    story::Story,
};

on_every_source! {
    a_tree_takes_the_place_of_all_that_was_there
    a_tree_with_a_mistake_changes_nothing
    most_functions_do_not_go_by_mistake
    what_is_no_tree_is_refused
}

fn a_tree_takes_the_place_of_all_that_was_there(node: &Node) {
    let api = Api::of(node);
    for name in ["a", "b", "c"] {
        api.created(name, "1");
    }
    let before = api.status()["live"]["id"].clone();
    let files = [
        ("a.rhai", "1"),
        ("b.rhai", "import \"m\" as m; m::f()"),
        ("_lib/m.rhai", "fn f() { 2 }"),
        ("deep/er/d.get.rhai", "3"),
        ("README.md", "text"),
    ];
    let tree = tar(&files);
    let planned = api.tree("?dry_run=true", &tree);
    assert_eq!(planned.status, 200, "{}", planned.text());
    let planned = planned.json();
    let plan = "~ any method /b  b.rhai\n- any method /c  c.rhai\n+ GET /deep/er/d  deep/er/d.get.rhai";
    let squeezed: Vec<String> = planned["text"].as_str().unwrap().lines().map(squeeze).collect();
    assert_eq!((squeezed, &planned["summary"]), (plan.lines().map(squeeze).collect(), &json!("1 added, 1 changed, 1 removed")));
    assert_eq!((&api.status()["live"]["id"], node.get("/c").status), (&before, 200));

    let done = api.tree("", &tree);
    assert_eq!(done.status, 200, "{}", done.text());
    let live = api.status()["live"].clone();
    assert_eq!((&done.json()["live"]["deployment"], &done.json()["plan"]), (&live["id"], &planned["plan"]));
    assert_eq!((node.get("/b").text().as_str(), node.get("/c").status, node.get("/deep/er/d").text().as_str()), ("2", 404, "3"));
    assert_eq!(api.names(""), ["_lib/m", "a", "b", "deep/er/d.get"]);
    // The same again is no deployment.
    assert_eq!(api.tree("", &tree).json()["summary"], "0 added, 0 changed, 0 removed");
    assert_eq!(api.status()["live"]["id"], live["id"]);
}

/// One blank between words.
fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn a_tree_with_a_mistake_changes_nothing(node: &Node) {
    let api = Api::of(node);
    api.created("a", "1");
    let before = api.status()["live"]["id"].clone();
    let refused = api.tree("", &tar(&[("a.rhai", "2"), ("b.rhai", "let x = ;"), ("c/index.rhai", "1"), ("c.rhai", "1")]));
    assert_eq!(refused.status, 422, "{}", refused.text());
    let files: Vec<String> = messages(&refused).iter().map(|found| found.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(files, ["b.rhai", "c.rhai", "c/index.rhai"]);
    assert_eq!(refused.json()["detail"], "there are 3 mistakes, and nothing was written");
    assert_eq!(api.tree("?dry_run=true", &tar(&[("a.rhai", "let")])).status, 422);
    assert_eq!((&api.status()["live"]["id"], node.get("/a").text().as_str()), (&before, "1"));
    assert_eq!(api.names(""), ["a"]);
}

fn most_functions_do_not_go_by_mistake(node: &Node) {
    let api = Api::of(node);
    let names: Vec<String> = (0..10).map(|number| format!("f{number}.rhai")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(api.tree("", &tar(&files)).status, 200);
    let refused = api.tree("", &tar(&files[..4]));
    assert_eq!(refused.status, 409, "{}", refused.text());
    let refused = refused.json();
    assert!(refused["detail"].as_str().unwrap().starts_with("this would remove 6 of 10 functions, and nothing was written"), "{refused}");
    assert_eq!((&refused["plan"]["removed"], refused["text"].as_str().unwrap().lines().count()), (&json!(6), 6));
    assert_eq!(api.names("").len(), 10);
    assert_eq!(api.tree("?allow_mass_delete=true", &tar(&files[..4])).status, 200);
    assert_eq!(api.names("").len(), 4);
    // Nothing at all is never meant, however few there are.
    assert_eq!(api.tree("", &tar(&[("README.md", "text")])).status, 409);
    assert_eq!(api.tree("?allow_mass_delete=true", &tar(&[])).status, 200);
    assert_eq!((api.names("").len(), node.get("/f0").status), (0, 404));
}

/// A tar of one entry.
fn one(kind: EntryType, path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    entry(&mut tar, kind, path, bytes);
    tar.into_inner().unwrap()
}

fn what_is_no_tree_is_refused(node: &Node) {
    let api = Api::of(node);
    api.created("a", "1");
    let before = api.status()["live"]["id"].clone();
    for path in ["../b.rhai", "/etc/b.rhai", "b/../../c.rhai", "b//c.rhai"] {
        let refused = api.tree("?allow_mass_delete=true", &one(EntryType::Regular, path, b"1"));
        assert_eq!((refused.status, messages(&refused).len()), (422, 1), "{path}: {}", refused.text());
    }
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        assert_eq!(api.tree("?allow_mass_delete=true", &one(kind, "b.rhai", b"")).status, 422, "{kind:?}");
    }
    let large = one(EntryType::Regular, "b.rhai", &vec![b' '; 256 * 1024 + 1]);
    assert_eq!(api.tree("?allow_mass_delete=true", &large).status, 413);
    for (body, status) in [(&b""[..], 415), (b"PK\x03\x04", 415), (b"hello", 415), (&[0x1f, 0x8b, 8, 0], 415)] {
        assert_eq!(api.tree("?allow_mass_delete=true", body).status, status, "{body:?}");
    }
    let mut two = tar::Builder::new(Vec::new());
    entry(&mut two, EntryType::Regular, "a.rhai", b"1");
    entry(&mut two, EntryType::Regular, "b.rhai", b"1");
    let two = two.into_inner().unwrap();
    assert_eq!(api.tree("", &two[..1_300]).status, 400, "it breaks off");
    assert_eq!(api.tree("?dryrun=true", &two).status, 400);
    assert_eq!((&api.status()["live"]["id"], node.get("/a").text().as_str()), (&before, "1"));
    assert_eq!(api.names(""), ["a"]);
    assert_eq!(api.tree("", &two).status, 200);
}

#[test]
fn a_bomb_does_not_go_off() {
    let node = crate::kit::api::on_a_directory();
    let api = Api::of(&node);
    api.created("a", "1");
    let before_mib = node.rss_mib();
    let gzip = |bytes: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    // Says that it has a terabyte, of a file that nobody reads.
    let mut says = one(EntryType::Regular, "x.bin", b"");
    let mut header = tar::Header::new_old();
    header.as_mut_bytes()[..5].copy_from_slice(b"x.bin");
    header.set_entry_type(EntryType::Regular);
    header.set_size(1 << 40);
    header.set_cksum();
    says[..512].copy_from_slice(header.as_bytes());
    let too_much = api.tree("", &gzip(&says));
    assert_eq!(
        (too_much.status, &too_much.json()["detail"]),
        (413, &json!("the files in the tar have too many bytes: 67108864 are the most"))
    );
    // Is as large as it says: a name of 300 MB, in a body of a few hundred kilobytes.
    let mut name = tar::Header::new_gnu();
    name.set_entry_type(EntryType::GNULongName);
    name.set_size(300 << 20);
    name.set_cksum();
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(name.as_bytes()).unwrap();
    for _ in 0..300 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 2 << 20);
    let refused = api.tree("", &bomb);
    assert!(matches!(refused.status, 400 | 413 | 415), "{}", refused.text());
    // More files than anybody has.
    let mut many = tar::Builder::new(Vec::new());
    for number in 0..20_001 {
        entry(&mut many, EntryType::Directory, &format!("{number}/"), b"");
    }
    let too_many = api.tree("", &gzip(&many.into_inner().unwrap()));
    assert_eq!(
        (too_many.status, &too_many.json()["detail"]),
        (413, &json!("there are too many files and folders in the tar: 20000 are the most"))
    );
    // A body that is too large is not even read.
    let mut client = node.client();
    api.announce(&mut client, "PUT", "/api/admin/tree", (32 << 20) + 1);
    assert_eq!(client.read("PUT").unwrap().status, 413);
    assert_eq!(node.get("/a").text(), "1");
    assert!(node.rss_mib() < before_mib + 300, "{} MiB, and {before_mib} before", node.rss_mib());
}

#[test]
fn two_trees_at_once_are_read_and_no_more() {
    let node = crate::kit::api::on_a_directory();
    let api = Api::of(&node);
    let tree = tar(&[("a.rhai", "1")]);
    let begun = || {
        let mut client = node.client();
        api.announce(&mut client, "PUT", "/api/admin/tree", tree.len());
        client
    };
    let mut clients = vec![begun(), begun(), begun()];
    let mut refused = None;
    wait_until("one of three is refused", PATIENCE, || {
        refused = clients.iter().position(has_answer);
        refused.is_some()
    });
    let refused = clients.remove(refused.unwrap()).read("PUT").unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
    assert_eq!(refused.json()["detail"], "too many trees come at once");
    for client in &mut clients {
        client.write(&tree).unwrap();
        assert_eq!(client.read("PUT").unwrap().status, 200);
    }
    assert_eq!(api.tree("", &tree).status, 200);
}

/// Whether something has come.
fn has_answer(client: &Client) -> bool {
    client.socket().set_nonblocking(true).unwrap();
    let has_answer = matches!(client.socket().peek(&mut [0]), Ok(1));
    client.socket().set_nonblocking(false).unwrap();
    has_answer
}

#[test]
fn a_tree_is_one_commit() {
    for story in [Story::over_http(), Story::begin()] {
        story.checkout.commit(&[("README.md", b"text"), ("functions/a.rhai", b"1"), ("functions/old.rhai", b"1")]);
        story.push(&["main"]);
        let done = Api::of(&story.node).tree("", &tar(&[("a.rhai", "2"), ("deep/b.rhai", "1")]));
        assert_eq!(done.status, 200, "{}", done.text());
        assert_eq!(done.json()["live"]["revision"], story.branch("main").as_str());
        assert_eq!(story.bare(&["rev-list", "--count", "main"]), "2");
        assert_eq!(story.bare(&["ls-tree", "-r", "--name-only", "main"]), "README.md\nfunctions/a.rhai\nfunctions/deep/b.rhai");
        assert_eq!(story.bare(&["log", "-1", "--format=%an %s", "main"]), "admin deploy a tree");
        assert_eq!(story.live().unwrap().pushed_by.as_deref(), Some("admin"));
    }
}
