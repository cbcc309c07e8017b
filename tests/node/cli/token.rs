//! `picloud token`: who there is, who comes, who goes.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use super::{Folder, Node};

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
fn a_hint_names_the_node_that_was_named() {
    let folder = Folder::project();
    Node::start(&folder).stop();
    fs::rename(folder.0.path().join(".picloud"), folder.0.path().join("its data")).unwrap();
    let create = ["token", "create", "ci", "--scope", "read", "--data", "its data"];
    folder.done(&create);
    assert!(folder.refused(2, &create).contains("`picloud token revoke ci --data 'its data'` first"));
}

#[test]
fn the_admin_token_is_rotated_while_the_node_runs_and_when_it_does_not() {
    let folder = Folder::project();
    let said = folder.refused(2, &["token", "rotate-admin"]);
    assert!(said.contains("there is no admin token in `") && said.contains("hint: a node makes one when it starts"), "{said}");
    assert!(!folder.0.path().join(".picloud").exists());

    let file = folder.0.path().join(".picloud/admin-token");
    let token = || fs::read_to_string(&file).unwrap().trim().to_owned();
    let mut node = Node::start(&folder);
    let mut old = token();
    for _ in 0..2 {
        let output = folder.run(&["token", "rotate-admin"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(0), true), "{said}");
        assert!(said.contains("`.picloud/admin-token` holds another admin token") && !said.contains(&token()), "{said}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let url = format!("http://{}", node.address);
        for (secret, code) in [(old, 2), (token(), 0)] {
            let asked = folder.command(&["sync", "--url", &url]).env("PICLOUD_TOKEN", secret).output().unwrap();
            assert_eq!(asked.status.code(), Some(code), "{}", String::from_utf8_lossy(&asked.stderr));
        }
        old = token();
    }
    node.stop();
    folder.done(&["token", "rotate-admin"]);
    assert_ne!(token(), old);
    node = Node::start(&folder);
    folder.done(&["sync"]);
    let actions: Vec<String> = (folder.json(&["audit", "--json", "--action", "admin_token_rotate"]).as_array().unwrap().iter())
        .map(|entry| entry["who"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((actions.len(), &*actions[1]), (3, "admin"), "{actions:?}");
    node.stop();
}
