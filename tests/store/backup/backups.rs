//! Backups of nodes that run, put back into other places.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use flate2::read::GzDecoder;

use crate::{
    backup::project::{Empty, Kind, Project, done, must_be_equal, rows},
    kit::{
        api::admin,
        command::{command, said},
        git::Checkout,
        node::{PATIENCE, Setup, node, wait_until},
        story::{hosted, url},
    },
};

fn on(kind: Kind, setup: Setup) -> (Setup, Option<Empty>) {
    match kind {
        Kind::Sqlite => (setup, None),
        Kind::Postgres => {
            let place = Empty::of(kind);
            (setup.argument("--database").argument(&place.url), Some(place))
        }
    }
}

/// The member of a backup, or nothing.
fn member(backup: &Path, name: &str) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(backup).unwrap()));
    let mut entry = archive.entries().unwrap().map(Result::unwrap).find(|entry| entry.path().unwrap() == Path::new(name))?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn a_node_comes_back_elsewhere_with_everything() {
    for (from, to) in [(Kind::Sqlite, Kind::Postgres), (Kind::Postgres, Kind::Sqlite)] {
        let (setup, place) = on(from, hosted());
        let node = setup.start();
        let database: Vec<&str> = place.iter().flat_map(|place| ["--database", place.url.as_str()]).collect();
        let checkout = Checkout::empty();
        checkout.agree("one");
        checkout.done(&["push", "--quiet", &url(&node, &admin(&node)), "main", "main:refs/heads/side", "main:refs/tags/v1"]);
        let secret = done(node.folder(), &[&["token", "create", "ann", "--scope", "deploy"], database.as_slice()].concat());

        // While requests come and functions change.
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let done = Done(&is_done);
            scope.spawn(|| {
                let mut client = node.client();
                for _ in (0..MOST_REQUESTS).take_while(|_| !is_done.load(Ordering::Relaxed)) {
                    assert_eq!(client.get("/a").unwrap().status, 200);
                }
            });
            let pushing = scope.spawn(|| {
                for number in (0..).take_while(|_| !is_done.load(Ordering::Relaxed)) {
                    checkout.agree(&format!("push {number}"));
                    checkout.done(&["push", "--quiet", &url(&node, secret.trim()), "main"]);
                }
            });
            let asked = place.as_ref().map_or("sqlite", |place| &place.url);
            wait_until("there are executions", PATIENCE, || rows(asked, &node.data())["executions"].len() >= 200);
            let backup = [&["backup", "made.tar.gz"], database.as_slice()].concat();
            let output = command(node.folder(), &backup).output().unwrap();
            drop(done);
            pushing.join().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        });

        let there = Empty::of(to);
        let (file, data) = (node.folder().join("made.tar.gz"), there.folder().join("data"));
        let told = done(node.folder(), &["restore", file.to_str().unwrap(), "--data", data.to_str().unwrap(), "--database", &there.url]);
        assert!(told.contains("  repository  "), "{told}");
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        let restored = rows(&there.url, &data);
        assert!(restored["executions"].len() >= 200 && !restored["tokens"].is_empty());
        let before = rows(place.as_ref().map_or("sqlite", |place| &place.url), &node.data());
        for (table, rows) in &restored {
            let known: BTreeSet<String> = before[table].iter().map(|row| format!("{row:?}")).collect();
            // What came meanwhile came after. Of these the rows themselves change: the last use of a token, the last word of an operator, the
            // sizes and counts of this minute.
            let changes = ["tokens", "following", "execution_sizes", "stats"].contains(&table.as_str());
            assert!(changes || rows.iter().all(|row| known.contains(&format!("{row:?}"))), "`{table}`");
        }

        // A node on it, and a push by who could push before.
        let mut second = hosted().argument("--data").argument(data.to_str().unwrap()).argument("--database").argument(&there.url).start();
        second.wait_for_state("ready");
        let answer = second.get("/a").text();
        assert!(answer == "one" || answer.starts_with("push "), "{answer}");
        let clone = Checkout::of(&url(&second, secret.trim()));
        assert_eq!(fs::read_to_string(clone.folder().join("functions/a.rhai")).unwrap(), format!("\"{answer}\""));
        let refs = clone.done(&["for-each-ref", "--format=%(refname)"]);
        assert!(refs.contains("refs/remotes/origin/side") && refs.contains("refs/tags/v1"), "{refs}");
        clone.agree("after");
        clone.done(&["push", "--quiet", &url(&second, secret.trim()), "main"]);
        second.wait_for("/a", "after");
        assert_ne!(admin(&second), admin(&node), "it has an admin token of its own");
        second.stop();
    }
}

/// So that a story ends that goes wrong, too.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Enough to last, and few enough to compare.
const MOST_REQUESTS: usize = 20_000;

#[test]
fn a_backup_is_put_back_row_by_row() {
    let project = Project::with(5_000);
    let backup = project.backup();
    let before = rows("sqlite", &project.data());
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let there = Empty::of(kind);
        let (data, second) = (there.folder().join("data"), there.folder().join("second.tar.gz"));
        let (data_text, second_text) = (data.to_str().unwrap(), second.to_str().unwrap());
        done(project.folder(), &["restore", backup.to_str().unwrap(), "--data", data_text, "--database", &there.url]);
        must_be_equal(&before, &rows(&there.url, &data));
        // A backup of that is the same rows again.
        done(project.folder(), &["backup", second_text, "--data", data_text, "--database", &there.url]);
        let sums =
            |path: &Path| serde_json::from_slice::<serde_json::Value>(&member(path, "sums.json").unwrap()).unwrap()["tables"].clone();
        assert_eq!(sums(&backup), sums(&second));
        assert!(done(project.folder(), &["restore", second_text, "--check"]).contains(" is whole, of "));
    }
    // In the data folder, as nodes have it by default.
    let folder = tempfile::TempDir::new().unwrap();
    done(folder.path(), &["restore", backup.to_str().unwrap()]);
    let names: Vec<_> = fs::read_dir(folder.path().join(".picloud")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["picloud.db"]);
    must_be_equal(&before, &rows("sqlite", &folder.path().join(".picloud")));
}

#[test]
fn no_secret_is_in_a_backup() {
    let config = "# sesame: a comment\n[source]\nkind = \"git\"\nrepository = \"https://127.0.0.1:1/f.git\"\ntoken = \"sesame\"\nwebhook_secret = \"sesame\"\n";
    let node = node(&[]).config(config).variable("PICLOUD_GIT_TOKEN", "sesame").start();
    let secret = done(node.folder(), &["token", "create", "ann", "--scope", "deploy"]);
    let told = done(node.folder(), &["backup", "made.tar.gz"]);
    assert!(told.contains("without source.token, source.webhook_secret"), "{told}");
    let backup = node.folder().join("made.tar.gz");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let mut all = Vec::new();
    GzDecoder::new(fs::File::open(&backup).unwrap()).read_to_end(&mut all).unwrap();
    for hidden in ["sesame", admin(&node).as_str(), secret.trim()] {
        assert!(!all.windows(hidden.len()).any(|part| part == hidden.as_bytes()), "{hidden}");
    }
    let settings = String::from_utf8(member(&backup, "picloud.toml").unwrap()).unwrap();
    assert_eq!(settings, "[source]\nkind = \"git\"\nrepository = \"https://127.0.0.1:1/f.git\"\n");
    // The token is still good where the backup is put back.
    let data = node.folder().join("second");
    done(node.folder(), &["restore", "made.tar.gz", "--data", data.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(data.join("picloud.toml")).unwrap(), settings);
    let second = crate::kit::node::node(&[("a.rhai", "1")]).argument("--data").argument(data.to_str().unwrap()).start();
    let bearer = format!("Bearer {}", secret.trim());
    assert_eq!(second.send("GET", "/api/admin/whoami", &[("authorization", &bearer)], b"").json()["name"], "ann");
}

#[test]
fn a_repository_without_a_push_is_put_back_empty() {
    let node = hosted().start();
    let told = done(node.folder(), &["backup", "made.tar.gz"]);
    assert!(!told.contains("repository"), "{told}");
    assert_eq!(member(&node.folder().join("made.tar.gz"), "functions.bundle"), None);
    let data = node.folder().join("second");
    done(node.folder(), &["restore", "made.tar.gz", "--data", data.to_str().unwrap()]);
    let second = hosted().argument("--data").argument(data.to_str().unwrap()).start();
    let checkout = Checkout::empty();
    checkout.agree("one");
    checkout.done(&["push", "--quiet", &url(&second, &admin(&second)), "main"]);
    second.wait_for("/a", "one");
}

#[test]
fn a_backup_may_have_any_name_but_that_of_standard_output() {
    let node = hosted().start();
    let checkout = Checkout::empty();
    checkout.agree("one");
    checkout.done(&["push", "--quiet", &url(&node, &admin(&node)), "main"]);
    for name in ["-x.tar.gz", "--all", "a b.tar.gz"] {
        let made = command(node.folder(), &["backup", "--", name]).output().unwrap();
        assert!(made.status.success(), "{name}: {}", said(&made));
        let checked = command(node.folder(), &["restore", "--check", "--", name]).output().unwrap();
        assert!(checked.status.success(), "{name}: {}", said(&checked));
    }
    for verb in ["backup", "restore"] {
        let refused = command(node.folder(), &[verb, "-"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(said(&refused).contains("`-` is no file name here"), "{}", said(&refused));
    }
    assert!(!node.folder().join("-").exists());
}
