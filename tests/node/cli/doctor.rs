//! `picloud doctor`: what is wrong around a node, said before or while it runs.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use serde_json::Value;

use super::{Folder, Node};

/// The port of a node that happens to run here is not free.
const PORT: [(&str, &str); 1] = [("PICLOUD_LISTEN", "127.0.0.1:0")];

impl Folder {
    /// Returns what `picloud doctor` says of each part, and how it ended.
    fn doctor(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let output = self.command(&[&["doctor", "--json"], arguments].concat()).envs(PORT).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        (output.status.code().unwrap(), findings)
    }

    fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.0.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Writes what is not well as `level part: says`, without the paths of this test.
fn wrong(findings: &[Value]) -> Vec<String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let wrong = findings.iter().filter(|finding| finding["level"] != "ok");
    wrong
        .map(|finding| {
            assert!(finding["hint"].is_string(), "it says what to do: {finding}");
            format!("{} {}: {}", text(finding, "level"), text(finding, "part"), text(finding, "says"))
        })
        .collect()
}

fn part<'f>(findings: &'f [Value], part: &str) -> &'f str {
    findings.iter().find(|finding| finding["part"] == part).unwrap()["says"].as_str().unwrap()
}

#[test]
fn a_new_project_is_well_before_and_while_it_runs() {
    let folder = Folder::project();
    let (code, findings) = folder.doctor(&[]);
    assert_eq!((code, wrong(&findings)), (0, vec![]), "{findings:?}");
    assert_eq!(part(&findings, "data"), "`.picloud` is made at the first start");
    assert!(part(&findings, "database").ends_with("is made at the first start"), "{findings:?}");
    assert!(!folder.0.path().join(".picloud").exists(), "looking leaves nothing behind");
    let told = folder.command(&["doctor"]).envs(PORT).output().unwrap();
    assert!(String::from_utf8(told.stdout).unwrap().starts_with("ok       functions  `functions`\n"));

    let node = Node::start(&folder);
    let (code, findings) = folder.doctor(&["--through", &format!("http://{}", node.address)]);
    assert_eq!(code, 0);
    assert_eq!(part(&findings, "node"), format!("runs at http://{}, and is well", node.address));
    let proxy = wrong(&findings);
    assert!(proxy.len() == 2 && proxy[0].contains(" is without TLS") && proxy[1].contains("no proxy is trusted"), "{proxy:?}");
    node.stop();
}

#[test]
fn what_keeps_a_node_from_its_work_is_an_error_with_a_hint() {
    let folder = Folder::project();
    Node::start(&folder).stop();
    fs::rename(folder.0.path().join("functions"), folder.0.path().join("elsewhere")).unwrap();
    folder.write(
        ".picloud/picloud.db",
        "this is no database of SQLite, and it is longer than the head of one, which has a hundred bytes or so.",
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    folder.write("picloud.toml", &format!("[server]\nlisten = \"{address}\"\nmax_connections = 1000000\n[source]\nkind = \"directory\"\n"));
    let output = folder.run(&["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let wrong = wrong(&findings);
    assert_eq!(output.status.code(), Some(1), "{wrong:?}");
    for part in ["error functions: `functions`: No such file", "error database: ", &format!("error address: cannot listen on {address}: ")]
    {
        assert!(wrong.iter().any(|wrong| wrong.starts_with(part)), "{part}: {wrong:?}");
    }
    assert!(findings.iter().any(|finding| finding["part"] == "limits"), "{findings:?}");
}

#[test]
fn what_others_of_the_machine_may_do_is_a_warning() {
    let folder = Folder::project();
    Node::start(&folder).stop();
    folder.set_mode("functions", 0o777);
    folder.set_mode(".picloud", 0o755);
    let (code, findings) = folder.doctor(&[]);
    let wrong = wrong(&findings);
    assert!(code == 0 && wrong.len() == 2, "{wrong:?}");
    assert!(wrong[0].starts_with("warning functions: every user of this machine may write `functions`"), "{wrong:?}");
    assert!(wrong[1].starts_with("warning data: other users of this machine may look into `.picloud`"), "{wrong:?}");
}

#[test]
fn a_proxy_that_leads_nowhere_and_a_folder_that_is_none_are_told() {
    let folder = Folder::project();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let (code, findings) = folder.doctor(&["--through", &url]);
    let wrong = wrong(&findings);
    assert!(code == 1 && wrong.len() == 1 && wrong[0].starts_with(&format!("error proxy: {url}: ")), "{wrong:?}");
    // A link to a file is no folder.
    fs::remove_dir_all(folder.0.path().join("functions")).unwrap();
    symlink(Path::new("picloud.toml"), folder.0.path().join("functions")).unwrap();
    let (code, findings) = folder.doctor(&[]);
    assert_eq!((code, self::wrong(&findings)), (1, vec!["error functions: `functions` is no folder".to_owned()]));
    let said = folder.refused(2, &["doctor", "--through", "example org"]);
    assert!(said.contains("--through <URL>"), "{said}");
}
