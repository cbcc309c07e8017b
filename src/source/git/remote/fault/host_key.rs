//! Commands to learn a host key and to keep it.

use crate::source::git::{settings::Remote, url::RemoteUrl};

/// The commands about a host key, and their parts.
pub(super) struct HostKey {
    /// The command that asks for it.
    pub scan: String,
    /// Where ssh looks for it.
    pub file: String,
    /// What the host is called there.
    pub name: String,
}

/// Returns what there is to do about the key of a remote.
pub(super) fn host_key(remote: &Remote, place: &RemoteUrl<'_>) -> HostKey {
    let file = remote.known_hosts.as_ref().map_or("~/.ssh/known_hosts".into(), |file| {
        let file = file.display().to_string();
        let is_plain = file.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c));
        if is_plain { file } else { quoted(&file) }
    });
    let host = place.host;
    let (scan, name) = match place.port {
        Some(port) => (format!("ssh-keyscan -p {port} {host}"), format!("'[{host}]:{port}'")),
        None => (format!("ssh-keyscan {host}"), host.to_owned()),
    };
    HostKey { scan, file, name }
}

/// Returns a word as a shell takes it whole.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
