//! Branches in files and in packs, and how they move.

use std::fs;

use super::{
    heads,
    update::{MoveError, move_branch},
};

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";

fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("refs/heads")).unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn found(folder: &tempfile::TempDir) -> Vec<String> {
    heads(folder.path()).unwrap().into_iter().map(|head| format!("{} {}", head.branch, &head.commit[..1])).collect()
}

#[test]
fn branches_are_files_or_lines_of_the_packed_ones() {
    let packed = format!("# pack-refs with: peeled\n{ONE} refs/heads/a\n{ONE} refs/heads/b/c\n{ONE} refs/tags/v1\n^{TWO}\nnonsense\n");
    let folder = repository(&[
        ("packed-refs", &packed),
        ("refs/heads/a", &format!("{TWO}\n")),
        ("refs/heads/d", TWO),
        ("refs/heads/d.lock", ONE),
        ("refs/heads/alias", "ref: refs/heads/d\n"),
        ("refs/heads/circle", "ref: refs/heads/circle\n"),
        ("refs/heads/lost", "ref: refs/heads/nowhere\n"),
        ("refs/heads/secret", "ref: ../../secret\n"),
        ("secret", ONE),
        ("refs/heads/none", "0000000000000000000000000000000000000000\n"),
        ("refs/tags/v2", ONE),
    ]);
    assert_eq!(found(&folder), ["a 2", "alias 2", "b/c 1", "d 2"]);
    // What is damaged does not bring back what was packed of it.
    fs::write(folder.path().join("refs/heads/b").join("c"), "").unwrap_or_else(|_| {
        fs::create_dir(folder.path().join("refs/heads/b")).unwrap();
        fs::write(folder.path().join("refs/heads/b/c"), "").unwrap();
    });
    assert_eq!(found(&folder), ["a 2", "alias 2", "d 2"]);
    assert!(heads(&folder.path().join("elsewhere")).is_err(), "no repository is not one without branches");
}

#[test]
fn what_is_no_file_is_no_branch_and_is_not_waited_for() {
    let folder = repository(&[("secret", ONE)]);
    std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("refs/heads/link")).unwrap();
    let pipe = folder.path().join("refs/heads/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("packed-refs"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    assert_eq!(found(&folder), Vec::<String>::new());
}

#[test]
fn a_branch_moves_only_from_where_it_was() {
    let folder = repository(&[("packed-refs", &format!("{ONE} refs/heads/packed\n")), ("refs/heads/alias", "ref: refs/heads/packed")]);
    let go = |branch: &str, from: Option<&str>, to: &str| match move_branch(folder.path(), branch, from, to) {
        Ok(()) => "done".to_owned(),
        Err(MoveError::Moved) => "moved".into(),
        Err(MoveError::InTheWay(other)) => format!("{other} is in the way"),
        Err(MoveError::Io(error)) => error.to_string(),
    };
    for (branch, from, to, came_of_it) in [
        ("new", None, ONE, "done"),
        ("new", None, TWO, "moved"),
        ("new", Some(TWO), ONE, "moved"),
        ("new", Some(ONE), TWO, "done"),
        ("packed", Some(ONE), TWO, "done"),
        ("alias", Some(TWO), ONE, "done"),
        ("gone", Some(ONE), TWO, "moved"),
        ("deep/er/one", None, ONE, "done"),
        ("deep/er", None, ONE, "refs/heads/deep/er/one is in the way"),
        ("new/er", None, ONE, "refs/heads/new is in the way"),
    ] {
        assert_eq!(go(branch, from, to), came_of_it, "{branch}");
    }
    assert_eq!(found(&folder), ["alias 1", "deep/er/one 1", "new 2", "packed 1"]);
    fs::write(folder.path().join("refs/heads/new.lock"), "").unwrap();
    assert_eq!(go("new", Some(TWO), ONE), "moved", "somebody else is moving it");
    assert!(!folder.path().join("refs/heads/packed.lock").exists());
}

#[test]
fn a_link_to_a_folder_shows_no_branches_of_another_repository() {
    let (folder, other) = (repository(&[("refs/heads/a", ONE)]), repository(&[("refs/heads/private", TWO), ("refs/heads/b/c", TWO)]));
    let link = |from: &str, to: &str| std::os::unix::fs::symlink(other.path().join(from), folder.path().join(to)).unwrap();
    link("refs/heads/b", "refs/heads/b");
    assert_eq!(found(&folder), ["a 1"]);
    for place in ["refs/heads", "refs"] {
        fs::rename(folder.path().join(place), folder.path().join("kept")).unwrap();
        link(place, place);
        assert!(!heads(folder.path()).is_ok_and(|heads| !heads.is_empty()), "{place}");
        fs::remove_file(folder.path().join(place)).unwrap();
        fs::rename(folder.path().join("kept"), folder.path().join(place)).unwrap();
    }
}

#[test]
fn a_link_leads_nobody_elsewhere() {
    let (folder, elsewhere) = (repository(&[]), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("refs/heads/out")).unwrap();
    assert!(matches!(move_branch(folder.path(), "out/main", None, ONE), Err(MoveError::Io(_))));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}
