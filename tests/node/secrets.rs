//! Secrets of a node: set, rotated and removed by commands and over the API, and shown nowhere.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use flate2::read::GzDecoder;
use picloud::vault::KEY_FILE;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::{
    api::{Api, admin, token},
    command::said,
    node::{Node, PATIENCE, Setup, node, wait_until},
    store::{Fresh, on_both_nodes},
    visitor::{Visitor, on_terminal, url},
};

on_both_nodes! {
    a_secret_is_set_rotated_and_removed_while_a_node_runs
    no_value_is_shown_or_kept_in_clear
    secrets_are_set_before_the_first_start
    commands_at_once_make_one_key
    a_wrong_key_is_told_at_the_start
    a_backup_comes_back_with_the_key_and_not_without
    the_api_refuses_what_can_be_no_secret
}

/// A value that nothing else holds.
const VALUE: &str = "correct horse battery staple";

/// A command beside a node, or where one was.
fn command(folder: &Path, variables: &[(String, String)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
    command.args(arguments).current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn variables(node: &Node) -> Vec<(String, String)> {
    node.variables().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Begins a command with this on its stdin.
fn begin(mut command: Command, input: &str) -> Child {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A command that refuses before it reads has closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child
}

#[track_caller]
fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout.clone()).unwrap() + said(&output).as_str()
}

#[track_caller]
fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    said(&output)
}

/// Runs `picloud secret` beside a node.
fn secret(node: &Node, arguments: &[&str], input: &str) -> Output {
    begin(command(node.folder(), &variables(node), &[&["secret"], arguments].concat()), input).wait_with_output().unwrap()
}

fn list(node: &Node) -> Value {
    serde_json::from_slice(&secret(node, &["list", "--json"], "").stdout).unwrap()
}

const USER: &str = "+++\nsecrets = [\"STRIPE_KEY\"]\n+++\n1";

fn a_secret_is_set_rotated_and_removed_while_a_node_runs(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("pay.rhai", USER), ("b/refund.rhai", USER), ("other.rhai", "1")])).start();
    assert_eq!(list(&node), json!([]));
    let told = done(secret(&node, &["list"], ""));
    assert!(told.contains("`STRIPE_KEY` is not set, and wanted by b/refund, pay\n  hint: `picloud secret set STRIPE_KEY`"), "{told}");
    let told = done(secret(&node, &["set", "STRIPE_KEY"], "one value\n"));
    assert_eq!(told, "The secret `STRIPE_KEY` is set.\n");
    let listed = &list(&node)[0];
    assert_eq!((&listed["name"], &listed["used_by"]), (&json!("STRIPE_KEY"), &json!(["b/refund", "pay"])));
    assert_eq!((&listed["previous_until"], &listed["is_readable"], &listed["set_by"]), (&Value::Null, &json!(true), &json!("admin")));
    let table = done(secret(&node, &["list"], ""));
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], &row[2..]), ("STRIPE_KEY", &["admin", "b/refund,", "pay"][..]));

    assert_eq!(done(secret(&node, &["set", "STRIPE_KEY"], "one value")), "The secret `STRIPE_KEY` has this value already.\n");
    assert_eq!(done(secret(&node, &["set", "STRIPE_KEY"], "two value")), "The secret `STRIPE_KEY` has a new value.\n");
    assert!(list(&node)[0]["previous_until"].is_string());
    assert!(done(secret(&node, &["set", "STRIPE_KEY", "--final"], "")).contains("Only the current value"));
    assert_eq!(list(&node)[0]["previous_until"], Value::Null);
    assert!(done(secret(&node, &["set", "STRIPE_KEY", "--keep-previous", "0s"], "short")).contains("fewer than 8 bytes"));
    assert_eq!(list(&node)[0]["previous_until"], Value::Null);

    fs::write(node.folder().join("more.env"), "# more\nexport A='one\ntwo'\nB=2 # not the value\n").unwrap();
    assert!(done(secret(&node, &["import", "more.env"], "")).contains("The secret `A` is set.\nThe secret `B` is set."));
    let wrong = "good=1\nB=\nC=1\nC=2\n";
    let told = refused(secret(&node, &["import", "-"], wrong));
    for part in [
        "nothing of stdin was taken",
        "line 1: `good` cannot name a secret; write `GOOD`",
        "line 2: `B` has no value",
        "line 4: `C` stands",
    ] {
        assert!(told.contains(part), "{told}");
    }

    let told = refused(secret(&node, &["rm", "STRIPE_KEY"], ""));
    assert!(told.contains("live functions use the secret `STRIPE_KEY`: `b/refund`, `pay`"), "{told}");
    assert!(refused(secret(&node, &["rm", "NONE"], "")).contains("there is no secret `NONE`"));
    done(secret(&node, &["rm", "A", "B"], ""));
    done(secret(&node, &["rm", "STRIPE_KEY", "--force"], ""));
    assert_eq!(list(&node), json!([]));
    let audit = done(command(node.folder(), &variables(&node), &["audit"]).output().unwrap());
    for part in ["secret_set", "secret_final", "secret_remove", "STRIPE_KEY", "admin"] {
        assert!(audit.contains(part), "{audit}");
    }
    assert!(!audit.contains("value"), "{audit}");
}

/// All that there is in a folder and below it.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&entry.path())),
            kind if kind.is_file() => found.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap())),
            _ => {}
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

fn no_value_is_shown_or_kept_in_clear(on: impl Fn(Setup) -> Setup) {
    let mut node = on(node(&[("pay.rhai", USER)])).config("[log]\nlevel = \"trace\"\n").start();
    let mut shown = vec![done(secret(&node, &["set", "STRIPE_KEY"], "an earlier correct horse battery staple"))];
    shown.push(done(secret(&node, &["set", "STRIPE_KEY", "--from", "-"], VALUE)));
    let api = Api::of(&node);
    for (method, path, body) in [
        ("PUT", "/api/admin/secrets", json!({ "values": { "OTHER": VALUE } })),
        ("PUT", "/api/admin/secrets", json!({ "values": { "OTHER": [VALUE] } })),
        ("PUT", "/api/admin/secrets", json!({ "values": { "other": VALUE } })),
        ("PUT", "/api/admin/secrets", json!({ "values": { "OTHER": "x" }, "keep_previous": "soon" })),
        ("GET", "/api/admin/secrets", Value::Null),
        ("GET", "/api/admin/audit", Value::Null),
        ("GET", "/api/admin/status", Value::Null),
        ("GET", "/_picloud/ready", Value::Null),
    ] {
        shown.push(api.json(method, path, &body).text());
    }
    let half = format!("{{\"values\":{{\"A\":\"{VALUE}\",}}");
    shown.push(api.send("PUT", "/api/admin/secrets", &[], half.as_bytes()).text());
    done(command(node.folder(), &variables(&node), &["backup", "made.tar.gz"]).output().unwrap());
    let mut backup = Vec::new();
    GzDecoder::new(fs::File::open(node.folder().join("made.tar.gz")).unwrap()).read_to_end(&mut backup).unwrap();
    assert!(holds(&backup, "STRIPE_KEY"));
    let mut all = files(node.folder());
    node.stop();
    all.extend(files(node.folder()));
    all.push(("the backup, unpacked".into(), backup));
    all.push(("the log".into(), node.log().into_bytes()));
    all.extend(shown.into_iter().map(|shown| (shown.clone(), shown.into_bytes())));
    assert!(
        all.iter().any(|(name, _)| name.ends_with("node.lock")) && node.log().contains("listening on"),
        "there is much to look through"
    );
    let key = fs::read_to_string(node.data().join(KEY_FILE)).unwrap();
    for (name, bytes) in all {
        assert!(!holds(&bytes, VALUE), "{name}");
        assert!(!holds(&bytes, key.trim()) || name.ends_with(KEY_FILE), "{name}");
    }
    assert_eq!(node.data().join(KEY_FILE).metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

fn secrets_are_set_before_the_first_start(on: impl Fn(Setup) -> Setup) {
    let setup = on(node(&[("pay.rhai", USER)]));
    let mut node = setup.start();
    let folder = TempDir::new().unwrap();
    let database = variables(&node);
    node.stop();
    // In a folder where no node ever was; with Postgres on the database of the other.
    let set = begin(command(folder.path(), &database, &["secret", "set", "STRIPE_KEY"]), "value of a secret").wait_with_output().unwrap();
    assert!(done(set).contains("is set"));
    assert_eq!(folder.path().join(".picloud").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let read = |arguments: &[&str]| done(command(folder.path(), &database, &[&["secret"], arguments].concat()).output().unwrap());
    let listed: Value = serde_json::from_str(&read(&["list", "--json"])).unwrap();
    assert_eq!(listed[0]["is_readable"], true);
    let key = fs::read(folder.path().join(".picloud").join(KEY_FILE)).unwrap();
    if !database.is_empty() {
        assert_eq!(listed[0]["used_by"], json!(["pay"]), "of what was live there");
        let told = refused(command(folder.path(), &database, &["secret", "rm", "STRIPE_KEY"]).output().unwrap());
        assert!(told.contains("live functions use the secret `STRIPE_KEY`: `pay`"), "{told}");
        fs::write(node.data().join(KEY_FILE), key).unwrap();
        fs::set_permissions(node.data().join(KEY_FILE), fs::Permissions::from_mode(0o600)).unwrap();
        node.start();
        assert_eq!(list(&node)[0]["is_readable"], true);
        // Now the node has to know of every change.
        let told = refused(begin(command(folder.path(), &database, &["secret", "set", "A"]), "x").wait_with_output().unwrap());
        assert!(told.contains("another node uses the database") && told.contains("name that node with `--url`"), "{told}");
    }
}

fn commands_at_once_make_one_key(on: impl Fn(Setup) -> Setup) {
    let mut node = on(node(&[])).start();
    let database = variables(&node);
    node.stop();
    let names: Vec<String> = (0..4).map(|number| format!("S{number}")).collect();
    let begun: Vec<Child> =
        names.iter().map(|name| begin(command(node.folder(), &database, &["secret", "set", name]), "a value")).collect();
    for child in begun {
        done(child.wait_with_output().unwrap());
    }
    node.start();
    let listed = list(&node);
    let listed = listed.as_array().unwrap();
    assert!(listed.len() == 4 && listed.iter().all(|secret| secret["is_readable"] == true), "{listed:?}");
}

fn a_wrong_key_is_told_at_the_start(on: impl Fn(Setup) -> Setup) {
    let mut node = on(node(&[("pay.rhai", USER)])).start();
    done(secret(&node, &["set", "STRIPE_KEY"], VALUE));
    node.stop();
    node.change(|setup| setup.variable("PICLOUD_SECRET_KEY", &"ab".repeat(32)));
    node.start();
    let line = node.wait_for_line(&["secrets cannot be opened", "PICLOUD_SECRET_KEY is the key"]);
    assert!(!line.contains("abab"), "{line}");
    assert_eq!(node.ready()["degraded"], json!(["1 secret cannot be opened; `picloud secret list` says why"]));
    let told = done(secret(&node, &["list"], ""));
    assert!(told.contains("was sealed with the key `") && told.contains("PICLOUD_SECRET_KEY is the key `"), "{told}");
    assert_eq!(list(&node)[0]["is_readable"], false);
    let told = refused(secret(&node, &["set", "NEW"], "x"));
    assert!(
        told.contains("nothing was changed: 1 secret in the database was sealed") && told.contains("picloud secret rm --force STRIPE_KEY"),
        "{told}"
    );
    node.stop();
    // What is no key at all is refused, wherever it stands.
    node.change(|setup| setup.variable("PICLOUD_SECRET_KEY", "sesame"));
    refuses_to_start(&mut node, "PICLOUD_SECRET_KEY is no key: a key has 64 hexadecimal digits");
    node.change(|setup| setup.variable("PICLOUD_SECRET_KEY", ""));
    let file = node.data().join(KEY_FILE);
    let key = fs::read(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    refuses_to_start(&mut node, "is open to others (mode 644)");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, &key[..30]).unwrap();
    refuses_to_start(&mut node, "secret-key` is no key");
    fs::write(&file, key).unwrap();
    node.start();
    assert_eq!(list(&node)[0]["is_readable"], true);
    assert_eq!(node.ready()["degraded"], json!([]));
}

#[track_caller]
fn refuses_to_start(node: &mut Node, part: &str) {
    node.change(|setup| {
        let (code, told) = setup.fail();
        assert!(code == Some(2) && told.contains(part) && !told.contains("sesame"), "{told}");
        setup
    });
}

fn a_backup_comes_back_with_the_key_and_not_without(on: impl Fn(Setup) -> Setup) {
    let mut node = on(node(&[("pay.rhai", USER)])).start();
    done(secret(&node, &["set", "STRIPE_KEY"], VALUE));
    let made = done(command(node.folder(), &variables(&node), &["backup", "made.tar.gz"]).output().unwrap());
    assert!(made.contains("the key of the secrets (`secret-key`)"), "{made}");
    node.stop();
    let (there, backup) = (TempDir::new().unwrap(), node.folder().join("made.tar.gz"));
    let run = |arguments: &[&str]| done(command(there.path(), &[], arguments).output().unwrap());
    let told = run(&["restore", backup.to_str().unwrap()]);
    assert!(told.contains("1 secret can be opened with the key of the node that was backed up"), "{told}");
    let told = run(&["secret", "list"]);
    assert!(told.contains("cannot be opened") && told.contains("the key is lost: 1 secret in the database"), "{told}");
    fs::copy(node.data().join(KEY_FILE), there.path().join(".picloud").join(KEY_FILE)).unwrap();
    let told = run(&["secret", "list"]);
    assert!(told.contains("STRIPE_KEY") && !told.contains("cannot be opened"), "{told}");
    // And a copy of the database opens with it, too.
    let copied = TempDir::new().unwrap();
    let to = format!("sqlite:{}", copied.path().join("copy.db").display());
    run(&["db", "copy", "sqlite", &to]);
    assert!(!run(&["secret", "list", "--database", &to]).contains("cannot be opened"));
}

fn the_api_refuses_what_can_be_no_secret(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[])).start();
    let api = Api::of(&node);
    let put = |values: Value| api.json("PUT", "/api/admin/secrets", &json!({ "values": values }));
    let long = "x".repeat(65_537);
    for (values, status, part) in [
        (json!({ "lower": "x" }), 400, "write `LOWER`"),
        (json!({ "A\u{0}": "x" }), 400, "cannot name a secret"),
        (json!({ "A".repeat(65): "x" }), 400, "64 characters at most"),
        (json!({ "A": "" }), 400, "the value of `A` is empty"),
        (json!({ "A": long }), 400, "more than 65536 bytes"),
        (json!({ "A": 12_345_678 }), 400, "the value of a secret is a text"),
        (json!([]), 400, "in the body"),
    ] {
        let answer = put(values.clone());
        assert!(answer.status == status && answer.text().contains(part), "{} {}", answer.status, answer.text());
        assert!(!answer.text().contains("12345678"));
    }
    assert_eq!(put(json!({ "A": "\u{0}".repeat(65_536) })).status, 200, "the largest value fits, however it is escaped");
    let many: serde_json::Map<String, Value> = (0..1_000).map(|number| (format!("S{number}"), json!("x"))).collect();
    let answer = put(many.into());
    assert!(answer.status == 409 && answer.text().contains("more than 1000 secrets"), "{}", answer.text());
    for (method, path, status) in [
        ("DELETE", "/api/admin/secrets/a", 400),
        ("DELETE", "/api/admin/secrets/%00", 400),
        ("DELETE", "/api/admin/secrets/A?force=yes", 400),
        ("DELETE", "/api/admin/secrets/A%2Fprevious", 400),
        ("DELETE", "/api/admin/secrets/B/previous", 404),
        ("DELETE", "/api/admin/secrets/A/previous", 204),
        ("DELETE", "/api/admin/secrets/A", 204),
        ("DELETE", "/api/admin/secrets/A", 404),
    ] {
        assert_eq!(api.send(method, path, &[], b"").status, status, "{method} {path}");
    }
}

#[test]
fn a_value_is_never_an_argument_and_never_shown_while_it_is_typed() {
    let node = node(&[]).start();
    let told = refused(secret(&node, &["set", "KEY", "sesame"], ""));
    assert!(told.contains("a value does not belong on the command line") && !told.contains("sesame"), "{told}");
    let told = refused(secret(&node, &["set", "key"], "x"));
    assert!(told.contains("`key` cannot name a secret") && told.contains("write `KEY`"), "{told}");
    for (input, part) in
        [("", "no value was given for `KEY`"), ("\n", "no value was given"), (&*"x".repeat(65_537), "more than 65536 bytes")]
    {
        let told = refused(secret(&node, &["set", "KEY"], input));
        assert!(told.contains(part), "{told}");
    }
    fs::write(node.folder().join("binary"), [0xff, 0xfe]).unwrap();
    assert!(refused(secret(&node, &["set", "KEY", "--from", "binary"], "")).contains("keep it as Base64"));
    // From util-linux: runs a command on a terminal of its own.
    let mut script = Command::new("script");
    let set = format!("{} secret set TYPED", env!("CARGO_BIN_EXE_picloud"));
    script.args(["-qec", &set, "/dev/null"]).current_dir(node.folder()).env("HOME", node.folder());
    let shown = on_terminal(script, "Value of TYPED: ", "hidden value\n");
    assert!(shown.contains("The secret `TYPED` is set.") && !shown.contains("hidden"), "{shown}");
}

#[test]
fn a_node_elsewhere_takes_secrets_from_its_admins() {
    let (node, visitor) = (node(&[]).start(), Visitor::new());
    visitor.log_in(&node, &admin(&node));
    assert!(done(visitor.tell(&["secret", "set", "KEY"], "value of it")).contains("`KEY` is set"));
    assert_eq!(list(&node)[0]["name"], "KEY");
    let deploy = token(&node, "ci", "deploy", None);
    let api = Api::with(&node, &deploy);
    assert_eq!(api.get("/api/admin/secrets").json()["secrets"][0]["name"], "KEY");
    assert_eq!(api.json("PUT", "/api/admin/secrets", &json!({ "values": { "KEY": "x" } })).status, 403);
    assert!(url(&node).starts_with("http://"));
}

#[test]
fn a_node_that_reaches_its_database_late_knows_its_secrets_then() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (proxy, url) = runtime.block_on(async {
        let fresh = Fresh::postgres().await;
        crate::kit::proxy::Proxy::before(&fresh.url).await
    });
    let mut node = node(&[("pay.rhai", USER)]).variable("PICLOUD_DATABASE_URL", &url).start();
    done(secret(&node, &["set", "STRIPE_KEY"], VALUE));
    node.stop();
    proxy.cut();
    node.start();
    assert_eq!(Api::of(&node).json("PUT", "/api/admin/secrets", &json!({ "values": { "A": "x" } })).status, 503);
    assert_eq!(node.get("/pay").status, 200, "a function that does not ask for it runs");
    proxy.restore();
    wait_until("the secret is known", PATIENCE, || list(&node)[0]["is_readable"] == true);
}

#[test]
fn a_dot_env_file_is_for_development() {
    let setup = node(&[]);
    fs::write(setup.folder().join(".env"), "A=value of a\n").unwrap();
    let node = setup.start();
    let line = node.wait_for_line(&["`.env` is not read"]);
    assert!(line.contains("picloud secret import .env") && !line.contains("value of a"), "{line}");
    assert_eq!(list(&node), json!([]));
}
