//! The dashboard that is embedded is made of the sources beside it. `scripts/dashboard build` writes the digest of its sources into
//! `dist/SOURCE`; what it is made of is in dashboard/README.md. This needs no Node.

use std::{
    fs,
    path::{Path, PathBuf},
};

use picloud::hex::Hex;
use sha2::{Digest as _, Sha256};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns what the script takes the digest of: the words of its line `sources=(…)`.
fn sources() -> Vec<String> {
    let script = fs::read_to_string(Path::new(ROOT).join("scripts/dashboard")).unwrap();
    let list =
        script.lines().find_map(|line| line.strip_prefix("sources=(")?.strip_suffix(')')).expect("scripts/dashboard has `sources=(…)`");
    list.split(' ').map(str::to_owned).collect()
}

/// Returns the files at and below a path, as `find` does.
fn files(path: PathBuf) -> Vec<PathBuf> {
    match path.is_dir() {
        true => fs::read_dir(path).unwrap().flat_map(|entry| files(entry.unwrap().path())).collect(),
        false => vec![path],
    }
}

/// Returns the digest of the lines that `sha256sum` prints for the files below a folder, in the order of their paths.
fn digest(folder: &Path, sources: &[String]) -> String {
    let mut paths: Vec<PathBuf> = sources.iter().flat_map(|source| files(folder.join(source))).collect();
    paths.sort_by(|one, other| one.as_os_str().as_encoded_bytes().cmp(other.as_os_str().as_encoded_bytes()));
    let mut all = Sha256::new();
    for path in paths {
        let content = Sha256::digest(fs::read(&path).unwrap());
        all.update(format!("{}  {}\n", Hex(&content), path.strip_prefix(folder).unwrap().display()));
    }
    Hex(&all.finalize()).to_string()
}

#[test]
fn the_dashboard_is_built_of_the_sources_beside_it() {
    let folder = Path::new(ROOT).join("dashboard");
    let built = fs::read_to_string(folder.join("dist/SOURCE")).unwrap();
    let now = digest(&folder, &sources());
    assert_eq!(built.trim(), now, "dashboard/dist is of other sources; run `scripts/dashboard build`, and commit dist");
}

#[test]
fn another_file_or_another_content_is_another_digest() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).unwrap();
    let now = || digest(folder.path(), &["a".into(), "src".into()]);
    fs::create_dir(folder.path().join("src")).unwrap();
    write("a", "1\n");
    write("src/b", "2\n");
    // printf '1\n' >a; printf '2\n' >src/b; sha256sum a src/b | sha256sum
    assert_eq!(now(), "a6c21291f9c0a4ac441a16663682d8084c5a88bc246a83336cb6a0abf3513bcf");
    let before = now();
    write("src/b", "3\n");
    let changed = now();
    write("src/b", "2\n");
    write("src/c", "");
    assert!(changed != before && now() != before && now() != changed);
}
