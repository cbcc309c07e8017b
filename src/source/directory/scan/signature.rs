//! Signatures from `stat`, to see without reading whether a file has changed.

use std::{fs, os::unix::fs::MetadataExt as _};

/// Device and inode of a file, whatever its name is.
pub type Inode = (u64, u64);

/// What `stat` says of a file. While it stays the same, so has the content, unless the two were written within one tick of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    device: u64,
    inode: u64,
    size_bytes: u64,
    /// How many names it has. A write through one of them is reported where that name is.
    links: u64,
    modified_ns: i64,
    /// The kernel sets it at every write and nobody can set it back.
    pub changed_ns: i64,
}

impl From<&fs::Metadata> for Signature {
    fn from(metadata: &fs::Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            links: metadata.nlink(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Signature {
    /// Returns which file it is.
    pub fn inode(&self) -> Inode {
        (self.device, self.inode)
    }

    /// Returns whether the file has another name, perhaps where nobody watches.
    pub fn has_other_names(&self) -> bool {
        self.links > 1
    }
}

#[cfg(test)]
impl Signature {
    /// Returns what `stat` would say of a file changed at this time.
    pub fn changed_at(changed_us: i64) -> Self {
        Self { device: 1, inode: 1, size_bytes: 1, links: 1, modified_ns: 0, changed_ns: changed_us * 1000 }
    }
}
