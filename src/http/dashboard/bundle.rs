//! The files of the dashboard, as they were when PiCloud was compiled. `scripts/dashboard build` writes them.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{LazyLock, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::HeaderValue;
use rust_embed::{Embed, EmbeddedFile};
use sha2::{Digest as _, Sha256};

use crate::hex::Hex;

#[derive(Embed)]
#[folder = "dashboard/dist"]
struct Dist;

/// The page that every other path is answered with.
const INDEX: &str = "index.html";
/// What is below it has the digest of its content in its name.
const IMMUTABLE: &str = "_app/immutable/";
/// What the bundler makes. Nothing below it is a page.
const BUILT: &str = "_app/";

/// All files, by their paths.
pub static BUNDLE: LazyLock<Bundle> = LazyLock::new(Bundle::embedded);

/// The files of the dashboard.
pub struct Bundle {
    assets: BTreeMap<String, Asset>,
    /// Digests of the scripts that stand in the page itself, as a content security policy names them.
    pub script_hashes: Vec<String>,
}

/// One file.
pub struct Asset {
    /// What it is.
    pub media_type: HeaderValue,
    /// Names its content.
    pub tag: HeaderValue,
    /// Whether other content has another path.
    pub is_immutable: bool,
    /// Its content.
    pub bytes: Bytes,
    packed: OnceLock<Bytes>,
}

impl Bundle {
    fn embedded() -> Self {
        let files = Dist::iter().filter_map(|path| Some((path.to_string(), Dist::get(&path)?)));
        let assets: BTreeMap<String, Asset> = files.map(|(path, file)| (path.clone(), Asset::new(&path, file))).collect();
        let script_hashes = assets.get(INDEX).map_or_else(Vec::new, |index| inline_scripts(&index.bytes));
        Self { assets, script_hashes }
    }

    /// Returns the file at this path below the dashboard. A path of no file is that of a page: the script in [`INDEX`] draws it. There are no
    /// pages among what the bundler makes.
    pub fn find(&self, path: &str) -> Option<&Asset> {
        let page = || self.assets.get(INDEX).filter(|_| !path.starts_with(BUILT));
        self.assets.get(path).or_else(page)
    }
}

impl Asset {
    fn new(path: &str, file: EmbeddedFile) -> Self {
        let charset = if file.metadata.mimetype().starts_with("text/") { "; charset=utf-8" } else { "" };
        let media_type = format!("{}{charset}", file.metadata.mimetype());
        let digest = file.metadata.sha256_hash();
        // Weak: it is the same for the packed bytes.
        let tag = format!("W/\"{}\"", Hex(&digest[..16]));
        let value = |text: String| HeaderValue::from_str(&text).expect("media types and digits are ASCII");
        Self {
            media_type: value(media_type),
            tag: value(tag),
            is_immutable: path.starts_with(IMMUTABLE),
            bytes: file.data.into_owned().into(),
            packed: OnceLock::new(),
        }
    }

    /// Returns the content compressed by gzip, if that has been done.
    pub fn packed(&self) -> Option<Bytes> {
        self.packed.get().cloned()
    }

    /// The same, and does it if nobody has. It takes some milliseconds.
    pub fn pack(&self) -> Bytes {
        let pack = || {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(&self.bytes).expect("memory takes what is written");
            gzip.finish().expect("memory takes what is written").into()
        };
        self.packed.get_or_init(pack).clone()
    }
}

/// Returns the digests of the scripts that stand in a page itself.
fn inline_scripts(page: &[u8]) -> Vec<String> {
    let page = String::from_utf8_lossy(page);
    let scripts = page.split("<script>").skip(1).filter_map(|rest| Some(rest.split_once("</script>")?.0));
    scripts.map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_of_the_page_is_named_by_its_digest() {
        // The example of the specification (CSP 3, 2.3.1).
        let page = b"<script>alert('Hello, world.');</script><script src=\"/x.js\"></script>";
        assert_eq!(inline_scripts(page), ["'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"]);
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let index = String::from_utf8(BUNDLE.find("").unwrap().bytes.to_vec()).unwrap();
        let named: Vec<&str> = index.split("\"/_picloud/dashboard/").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
        assert!(named.len() >= 3 && named.iter().all(|path| BUNDLE.assets.contains_key(*path)), "{named:?}");
        assert_eq!(BUNDLE.script_hashes.len(), 1);
    }
}
