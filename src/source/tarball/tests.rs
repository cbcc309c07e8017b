use super::*;

const LIMITS: TarLimits = TarLimits { entries: 10, total_bytes: 1_000, file_bytes: 100 };

/// An entry of a tar as somebody may make it: kind, path, bytes.
type Raw<'a> = (EntryType, &'a str, &'a [u8]);

/// Writes entries that the crate would not write.
fn tar(entries: &[Raw]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (kind, path, bytes) in entries {
        let mut header = Header::new_old();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o777);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn paths(bytes: &[u8]) -> Vec<String> {
    read(bytes, LIMITS).unwrap().keys().map(ToString::to_string).collect()
}

fn refused(entries: &[Raw]) -> String {
    match read(&tar(entries), LIMITS) {
        Err(TarError::Wrong(found)) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        other => panic!("{other:?}"),
    }
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn what_is_packed_is_unpacked() {
    let tree: Tree = [("a.rhai", "1"), ("deep/[id=int].get.rhai", "2"), (&*format!("{}.rhai", "x/".repeat(80) + "long"), "3")]
        .into_iter()
        .map(|(path, text)| (path.into(), Content::new(text.as_bytes())))
        .collect();
    let mut expected = tree.clone();
    let packed = pack(&tree).unwrap();
    assert_eq!(packed, pack(&tree).unwrap());
    // The deepest one is for nobody.
    assert!(matches!(read(&packed, LIMITS), Err(TarError::Wrong(found)) if found.len() == 1));
    expected.pop_last();
    assert_eq!(read(&pack(&expected).unwrap(), LIMITS).unwrap(), expected);
}

#[test]
fn only_what_a_source_reads_is_taken() {
    let entries: &[Raw] = &[
        (EntryType::Directory, "./", b""),
        (EntryType::Directory, "a/", b""),
        (FILE, "./a/b.rhai", b"1"),
        (FILE, "README.md", b"text"),
        (FILE, ".git/x.rhai", b"1"),
        (FILE, "a/c.rhai~", b"1"),
        (EntryType::XGlobalHeader, "pax_global_header", b"11 comment=\n"),
    ];
    assert_eq!(paths(&tar(entries)), ["a/b.rhai"]);
    assert_eq!(paths(&gzip(&tar(entries))), ["a/b.rhai"]);
    assert!(paths(&tar(&[])).is_empty());
}

#[test]
fn no_path_leads_out_and_nothing_but_files_is_taken() {
    for path in ["../a.rhai", "a/../../b.rhai", "/etc/a.rhai", "a/./b.rhai", "a//b.rhai", "..", "a/.."] {
        assert!(refused(&[(FILE, path, b"1")]).contains("the path leads out of the tree"), "{path}");
    }
    assert!(refused(&[(EntryType::Directory, "../a", b"")]).contains("the path leads out of the tree"));
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        let found = refused(&[(FILE, "good.rhai", b"1"), (kind, "a.rhai", b"")]);
        assert!(found.contains("this is not a file"), "{kind:?}: {found}");
    }
    assert!(refused(&[(FILE, "a.rhai", b"1"), (FILE, "./a.rhai", b"2")]).contains("twice"));
    let header = tar(&[(FILE, "xx.rhai", b"1")]);
    let mut not_utf8 = header.clone();
    not_utf8[0] = 0xff;
    let sum: u32 = header[..512].iter().map(|byte| u32::from(*byte)).sum::<u32>()
        - header[148..156].iter().map(|byte| u32::from(*byte)).sum::<u32>()
        + 8 * 32
        - u32::from(b'x')
        + 0xff;
    not_utf8[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(matches!(read(&not_utf8, LIMITS), Err(TarError::Wrong(found)) if found[0].message.contains("UTF-8")));
}

#[test]
fn a_small_file_does_not_become_a_large_one() {
    let too_much = |bytes: &[u8]| match read(bytes, LIMITS) {
        Err(TarError::TooMuch { what, limit }) => format!("{what}: {limit}"),
        other => panic!("{other:?}"),
    };
    let large = [b' '; 101];
    assert_eq!(too_much(&tar(&[(FILE, "a.rhai", &large)])), "`a.rhai` has 101 bytes: 100");
    // A file that is not read counts, too, and is not waited for.
    let mut bomb = tar(&[(FILE, "x.bin", b"")]);
    let mut header = Header::new_old();
    header.as_mut_bytes()[..5].copy_from_slice(b"x.bin");
    header.set_entry_type(FILE);
    header.set_size(1 << 40);
    header.set_cksum();
    bomb[..512].copy_from_slice(header.as_bytes());
    assert!(too_much(&gzip(&bomb)).ends_with("1000"));
    let many: Vec<String> = (0..11).map(|number| format!("{number}.rhai")).collect();
    let some: Vec<Raw> = many.iter().map(|path| (FILE, path.as_str(), &b"1"[..])).collect();
    assert_eq!(paths(&tar(&some[..10])).len(), 10);
    assert!(too_much(&tar(&some)).ends_with("10"));
    let full: Vec<Raw> = many.iter().map(|path| (FILE, path.as_str(), &large[..100])).collect();
    assert_eq!(paths(&tar(&full[..10])).len(), 10);
    let more = [&full[..9], &[(FILE, "more.txt", &large[..])]].concat();
    assert!(too_much(&tar(&more)).ends_with("1000"));
    // Zeros without end, behind a name that never ends.
    let mut name = Header::new_gnu();
    name.set_entry_type(EntryType::GNULongName);
    name.set_size(1 << 40);
    name.set_cksum();
    let zeros = gzip(&[name.as_bytes().as_slice(), &vec![0; 1 << 20]].concat());
    assert!(read(&zeros, LIMITS).is_err());
}

#[test]
fn what_is_no_tar_is_said_to_be_none() {
    for bytes in [&b""[..], b"PK\x03\x04", b"hello, this is text and no tar, however long it may go on ".repeat(20).as_slice()] {
        assert!(matches!(read(bytes, LIMITS), Err(TarError::NoTar { .. })), "{bytes:?}");
    }
    let good = tar(&[(FILE, "a.rhai", b"1"), (FILE, "b.rhai", b"2")]);
    for length in [600, 1_300] {
        assert!(read(&good[..length], LIMITS).is_err(), "{length}");
    }
    assert!(read(&gzip(&good)[..60], LIMITS).is_err());
    assert!(read(b"\x1f\x8b", LIMITS).is_err());
}
