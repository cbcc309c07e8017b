//! Writes objects as the files that they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind, Write as _},
    path::Path,
};

use flate2::{Compression, write::ZlibEncoder};
use git2::{ObjectType, Oid};

use crate::source::git::folder::Folder;

/// An object that is not in the repository yet.
pub(super) struct NewObject {
    /// Its name.
    pub id: Oid,
    /// What it is.
    pub kind: ObjectType,
    /// What it holds.
    pub content: Vec<u8>,
}

/// Writes objects as git writes single ones. They have their names only when their contents are on the disk.
pub(super) fn write(repository: &Path, new_objects: &[NewObject]) -> io::Result<()> {
    let objects = Folder::open(repository)?.enter("objects")?;
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    let mut written = BTreeSet::new();
    for NewObject { id, kind, content } in new_objects {
        let name = id.to_string();
        let (folder, file) = name.split_at(2);
        if !written.insert(name.clone()) {
            continue;
        }
        if !folders.contains_key(folder) {
            folders.insert(folder.into(), objects.enter(folder)?);
        }
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(format!("{} {}\0", kind.str(), content.len()).as_bytes())?;
        packed.write_all(content)?;
        let (folder, packed, temporary) = (&folders[folder], packed.finish()?, temporary(file));
        match folder.make(&temporary, &packed, false) {
            // Of a node that was killed here.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                folder.remove(&temporary)?;
                folder.make(&temporary, &packed, false)?;
            }
            made => drop(made?),
        }
    }
    objects.sync_all()?;
    for name in written {
        let (folder, file) = name.split_at(2);
        folders[folder].rename(&temporary(file), file)?;
    }
    Ok(())
}

/// A name that git takes for something unfinished, and removes after a while.
fn temporary(file: &str) -> String {
    format!("tmp_obj_picloud_{file}")
}
