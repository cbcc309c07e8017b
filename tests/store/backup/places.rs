//! Places that are not empty stay as they are.

use std::{fs, path::Path};

use crate::{
    backup::project::{Empty, Kind, Project, done, fill, must_be_equal, refused, rows, wait},
    kit::node::node,
};

#[test]
fn a_backup_takes_no_other_file_s_place() {
    let project = Project::with(3);
    let before = fs::read(project.data().join("picloud.db")).unwrap();
    let said = refused(project.folder(), &["backup", ".picloud/picloud.db"]);
    assert_eq!(fs::read(project.data().join("picloud.db")).unwrap(), before);
    let none = refused(project.folder(), &["backup", "no/such/folder/made.tar.gz"]);
    let without = tempfile::TempDir::new().unwrap();
    let nothing = refused(without.path(), &["backup", "made.tar.gz"]);
    assert_eq!(fs::read_dir(without.path()).unwrap().count(), 0);
    // A file that is half made has no place either.
    fs::write(project.folder().join("made.tar.gz.partial"), "of an earlier try").unwrap();
    project.backup();
    assert_eq!(project.names(), [".picloud", "made.tar.gz"]);
    insta::assert_snapshot!([said, none, nothing].join("\n"));
}

#[test]
fn a_backup_of_another_database_than_that_of_the_node_is_none_of_the_node() {
    let used = Empty::of(Kind::Postgres);
    let node = node(&[("a.rhai", "1")]).argument("--database").argument(&used.url).start();
    let name = used.url.rsplit('/').next().unwrap();
    // Without a file, and with one of an earlier time.
    for _ in 0..2 {
        let said = refused(node.folder(), &["backup", "made.tar.gz"]);
        assert!(said.contains(&format!("uses the database `{name}` on postgres at ")), "{said}");
        assert!(said.contains(", and this is `") && said.contains("PICLOUD_DATABASE_URL"), "{said}");
        assert!(!node.folder().join("made.tar.gz").exists());
        wait(async { picloud::store::Store::open("sqlite", &node.data()).await.unwrap().close().await });
    }
    done(node.folder(), &["backup", "made.tar.gz", "--database", &used.url]);
    // A server may have several names, so this is only told.
    let other = Empty::of(Kind::Postgres);
    wait(async { other.open().await.close().await });
    let made = crate::kit::command::command(node.folder(), &["backup", "other.tar.gz", "--database", &other.url]).output().unwrap();
    assert!(
        made.status.success() && crate::kit::command::said(&made).contains("uses the database"),
        "{}",
        crate::kit::command::said(&made)
    );
}

#[test]
fn a_restore_changes_nothing_that_is_there() {
    let project = Project::with(3);
    project.backup();
    let refuse = |arguments: &[&str]| refused(project.folder(), &[&["restore", "made.tar.gz"], arguments].concat());
    let before = rows("sqlite", &project.data());
    // Its own data folder, with a node or without.
    let mut told = vec![refuse(&[])];
    must_be_equal(&before, &rows("sqlite", &project.data()));
    fs::create_dir(project.folder().join("other")).unwrap();
    fs::write(project.folder().join("other/file"), "").unwrap();
    told.push(refuse(&["--data", "other"]));
    assert_eq!(fs::read_dir(project.folder().join("other")).unwrap().count(), 1);
    // A database that is used: the data folder stays empty, too.
    let used = Empty::of(Kind::Postgres);
    wait(async {
        let store = used.open().await;
        fill(&store, 1).await;
        store.close().await;
    });
    let said = refuse(&["--data", "new", "--database", &used.url]);
    assert!(said.contains("is not empty, and nothing in it was changed"), "{said}");
    assert!(is_empty(&project.folder().join("new")));
    told.push(refuse(&["--data", "new", "--database", "sqlite:.picloud/picloud.db"]));
    must_be_equal(&before, &rows("sqlite", &project.data()));
    told.push(refused(project.folder(), &["restore", "none.tar.gz", "--data", "new"]));
    insta::assert_snapshot!(told.join("\n"));
    // What is empty will do, and what an earlier try has left is no hindrance.
    fs::create_dir_all(project.folder().join("new/restoring/functions.git")).unwrap();
    done(project.folder(), &["restore", "made.tar.gz", "--data", "new"]);
    must_be_equal(&before, &rows("sqlite", &project.folder().join("new")));
}

#[test]
fn a_database_that_only_has_its_tables_will_do() {
    let project = Project::with(3);
    project.backup();
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let there = Empty::of(kind);
        wait(async { there.open().await.close().await });
        done(
            project.folder(),
            &["restore", "made.tar.gz", "--data", there.folder().join("data").to_str().unwrap(), "--database", &there.url],
        );
        must_be_equal(&rows("sqlite", &project.data()), &rows(&there.url, there.folder()));
    }
}

#[test]
fn a_node_that_runs_keeps_its_data_folder() {
    let node = node(&[("a.rhai", "\"one\"")]).start();
    done(node.folder(), &["backup", "made.tar.gz"]);
    assert!(refused(node.folder(), &["restore", "made.tar.gz"]).contains("`.picloud` is not empty"));
    assert_eq!(node.get("/a").text(), "one");
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}
