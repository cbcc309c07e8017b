//! Backups that are not as they were made: told before anything is written.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::Path,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use picloud::{
    hex::Hex,
    store::transfer::{Filling, Value},
};
use sha2::{Digest as _, Sha256};

use crate::backup::project::{Empty, Kind, Project, done, refused, rows, wait};

/// Names and contents.
type Members = Vec<(String, Vec<u8>)>;

/// The members of a backup.
fn members(backup: &Path) -> Members {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(backup).unwrap()));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let (name, mut bytes) = (entry.path().unwrap().display().to_string(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

/// Packs members as a backup has them.
fn pack(path: &Path, members: &[(String, Vec<u8>)]) {
    let mut tar = tar::Builder::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
}

#[test]
fn what_is_no_whole_backup_says_so_and_changes_nothing() {
    let project = Project::with(50);
    fs::write(project.folder().join("picloud.toml"), "data = \".picloud\"\n").unwrap();
    let whole = members(&project.backup());
    let there = Empty::of(Kind::Postgres);
    let changed = |change: &dyn Fn(&mut Members)| {
        let mut members = whole.clone();
        change(&mut members);
        pack(&project.folder().join("bad"), &members);
    };
    let at = |members: &[(String, Vec<u8>)], name: &str| members.iter().position(|member| member.0.starts_with(name)).unwrap();
    let replace = |name: &'static str, from: &'static str, to: &'static str| {
        move |members: &mut Members| {
            let at = at(members, name);
            let text = String::from_utf8(members[at].1.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            members[at].1 = text.replacen(from, to, 1).into_bytes();
        }
    };
    let mut told = Vec::new();
    let mut refuse = || {
        for arguments in [&["restore", "bad", "--data", "new", "--database", &there.url][..], &["restore", "bad", "--check"]] {
            told.push(refused(project.folder(), arguments));
        }
        assert!(!project.folder().join("new").exists() && there.is_empty());
        assert_eq!(told[told.len() - 1], told[told.len() - 2]);
        told.pop();
    };
    changed(&replace("tables/executions/", "/hello", "/hullo"));
    refuse();
    changed(&replace("tables/tokens/", "deploy", "admin"));
    refuse();
    changed(&replace("picloud.toml", "data", "dada"));
    refuse();
    changed(&replace("backup.json", "\"picloud\"", "\"Picloud\""));
    refuse();
    changed(&replace("backup.json", "\"format\": 2", "\"format\": 3"));
    refuse();
    changed(&|members| {
        let at = at(members, "backup.json");
        let mut head: serde_json::Value = serde_json::from_slice(&members[at].1).unwrap();
        head["schema"] = 9_999.into();
        members[at].1 = serde_json::to_vec(&head).unwrap();
    });
    refuse();
    for gone in ["tables/words/", "picloud.toml", "backup.json", "sums.json"] {
        changed(&|members| drop(members.remove(at(members, gone))));
        refuse();
    }
    changed(&|members| members.insert(1, ("tables/other/000001.jsonl".into(), b"[]\n".to_vec())));
    refuse();
    changed(&|members| members.insert(1, ("stranger".into(), Vec::new())));
    refuse();
    changed(&|members| members.clear());
    refuse();
    fs::write(project.folder().join("bad"), "no archive at all").unwrap();
    refuse();
    File::create(project.folder().join("bad")).unwrap().flush().unwrap();
    refuse();
    // How long the head is depends on how many tables there are.
    let told: Vec<_> = told
        .iter()
        .map(|said| match said.split_once(" at line ") {
            Some((before, after)) => format!("{before} at its end{}", &after[after.find(';').unwrap()..]),
            None => said.clone(),
        })
        .collect();
    let known = picloud::store::transfer::last_schema();
    insta::assert_snapshot!(told.join("\n").replace(&format!("this program knows {known}"), "this program knows N"));
}

#[test]
fn a_backup_of_an_older_version_is_brought_up_to_date() {
    let sum = |bytes: &[u8], rows: u64| serde_json::json!({ "rows": rows, "sha256": Hex(&Sha256::digest(bytes)).to_string() });
    let older = Empty::of(Kind::Sqlite);
    let tables = wait(async { Filling::open(&older.url, older.folder(), 2).await.unwrap().tables().await.unwrap() });
    assert!(!tables.iter().any(|table| table.name == "tokens"), "it came later");
    let head = serde_json::json!({ "format": 1, "picloud": "0.0.1", "created": "then", "schema": 2, "tables": tables, "branch": null });
    let (head, words) = (head.to_string().into_bytes(), b"[7,\"hello\"]\n".to_vec());
    let sums = serde_json::json!({
        "members": { "backup.json": sum(&head, 0)["sha256"] },
        "tables": tables.iter().map(|table| match table.name.as_str() {
            "words" => ("words", sum(&words, 1)),
            other => (other, sum(b"", 0)),
        }).collect::<std::collections::BTreeMap<_, _>>(),
    });
    let members = [("backup.json", head), ("tables/words/000001.jsonl", words), ("sums.json", sums.to_string().into_bytes())];
    let file = older.folder().join("older.tar.gz");
    pack(&file, &members.map(|(name, bytes)| (name.to_owned(), bytes)));
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let there = Empty::of(kind);
        let data = there.folder().join("data");
        done(there.folder(), &["restore", file.to_str().unwrap(), "--data", data.to_str().unwrap(), "--database", &there.url]);
        let restored = rows(&there.url, &data);
        assert_eq!(restored["words"], [[Value::Integer(7), Value::Text("hello".into())]]);
        assert!(restored["tokens"].is_empty());
    }
}

#[test]
fn no_node_begins_anew_where_a_restore_was_killed() {
    let project = Project::with(5);
    project.backup();
    let half = project.folder().join("new/restoring");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("picloud.db"), "half").unwrap();
    let told = refused(project.folder(), &["serve", "--data", "new", "--listen", "127.0.0.1:0"]);
    assert!(told.contains("a restore into `new` has not ended") && told.contains("`new/restoring`"), "{told}");
    assert_eq!(fs::read_dir(project.folder().join("new")).unwrap().count(), 1, "nothing was made beside it");
    done(project.folder(), &["restore", "made.tar.gz", "--data", "new"]);
    assert!(!half.exists());
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_owned();
    flipped[at] ^= 16;
    flipped
}

/// What a file of gzip unpacks to, if it does.
fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[test]
fn a_file_that_is_cut_or_has_a_flipped_bit_is_refused_wherever() {
    let project = Project::with(200);
    let backup = project.backup();
    let whole = fs::read(&backup).unwrap();
    let bad = project.folder().join("bad");
    for part in 0..20 {
        let at = whole.len() * part / 20;
        fs::write(&bad, &whole[..at]).unwrap();
        refused(project.folder(), &["restore", "bad", "--data", "new"]);
        // The first bytes of gzip say when and where it was made. A few bits may be the other way round, and all unpacks to the same.
        let flipped = (at.max(10)..).map(|at| flip(&whole, at)).find(|flipped| unpacked(flipped) != unpacked(&whole)).unwrap();
        fs::write(&bad, flipped).unwrap();
        refused(project.folder(), &["restore", "bad", "--data", "new"]);
        assert!(!project.folder().join("new").exists());
    }
    done(project.folder(), &["restore", "made.tar.gz", "--check"]);
}
