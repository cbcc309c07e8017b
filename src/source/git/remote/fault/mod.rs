//! Reasons of a failed fetch, recognized in git's messages.

pub mod explain;
pub mod host_key;
#[cfg(test)]
mod tests;

/// Why a fetch failed, as far as git's words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchFault {
    /// The remote is there, and the branch is not.
    NoBranch,
    /// It says that the repository is elsewhere.
    Moved,
    /// It is on this machine, and another user's: git reads no such repository.
    OtherOwner,
    /// Its name leads nowhere.
    UnknownHost,
    /// Nobody answers, or the connection broke.
    Unreachable,
    /// It wants to know who we are, or does not like the answer.
    Denied,
    /// It is there and is no repository, or hides it.
    NotFound,
    /// ssh does not know its host key.
    UnknownHostKey,
    /// ssh knows another host key.
    ChangedHostKey,
    /// The file of our own key is missing or open to others.
    BadKeyFile,
    /// TLS does not trust it.
    Certificate,
    /// Its objects have names that cannot be read here.
    OtherHash,
    /// A kind of URL that is not used.
    Protocol,
    /// The disk of this machine.
    DiskFull,
    /// It has failed itself.
    RemoteFailed,
    /// Everything else.
    Other,
}

/// Messages of git, ssh and curl (`LC_ALL=C`). The first that is found counts, so causes come before their consequences.
const SIGNS: [(&str, FetchFault); 47] = [
    ("couldn't find remote ref", FetchFault::NoBranch),
    ("detected dubious ownership", FetchFault::OtherOwner),
    ("returned error: 30", FetchFault::Moved),
    ("No space left on device", FetchFault::DiskFull),
    ("mismatched algorithms", FetchFault::OtherHash),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", FetchFault::ChangedHostKey),
    ("Host key verification failed", FetchFault::UnknownHostKey),
    ("Could not resolve host", FetchFault::UnknownHost),
    ("Could not resolve proxy", FetchFault::UnknownHost),
    ("unable to look up", FetchFault::UnknownHost),
    ("Failed to connect", FetchFault::Unreachable),
    ("unable to connect", FetchFault::Unreachable),
    ("Connection refused", FetchFault::Unreachable),
    ("Connection timed out", FetchFault::Unreachable),
    ("Operation timed out", FetchFault::Unreachable),
    ("Operation too slow", FetchFault::Unreachable),
    ("No route to host", FetchFault::Unreachable),
    ("Network is unreachable", FetchFault::Unreachable),
    ("Connection reset", FetchFault::Unreachable),
    ("Connection closed by", FetchFault::Unreachable),
    ("Empty reply from server", FetchFault::Unreachable),
    ("Recv failure", FetchFault::Unreachable),
    ("hung up unexpectedly", FetchFault::Unreachable),
    ("early EOF", FetchFault::Unreachable),
    ("UNPROTECTED PRIVATE KEY FILE", FetchFault::BadKeyFile),
    ("Identity file", FetchFault::BadKeyFile),
    ("Load key", FetchFault::BadKeyFile),
    ("Repository not found", FetchFault::NotFound),
    ("does not appear to be a git repository", FetchFault::NotFound),
    ("could not be found or you don't have permission", FetchFault::NotFound),
    ("info/refs not valid", FetchFault::NotFound),
    ("' not found", FetchFault::NotFound),
    ("Permission denied", FetchFault::Denied),
    ("Too many authentication failures", FetchFault::Denied),
    ("Authentication failed", FetchFault::Denied),
    ("could not read Username", FetchFault::Denied),
    ("could not read Password", FetchFault::Denied),
    ("returned error: 401", FetchFault::Denied),
    ("returned error: 403", FetchFault::Denied),
    ("returned error: 429", FetchFault::RemoteFailed),
    ("returned error: 5", FetchFault::RemoteFailed),
    ("certificate", FetchFault::Certificate),
    ("SSL", FetchFault::Certificate),
    ("TLS", FetchFault::Certificate),
    ("gnutls", FetchFault::Certificate),
    ("not allowed", FetchFault::Protocol),
    ("remote helper", FetchFault::Protocol),
];

impl FetchFault {
    /// Returns what git's words mean. What the other side says is not looked at: it could say anything.
    pub fn of(said: &str) -> Self {
        let own: Vec<&str> = said.lines().filter(|line| !line.starts_with("remote:")).collect();
        let is_said = |sign: &str| own.iter().any(|line| line.contains(sign));
        SIGNS.into_iter().find(|(sign, _)| is_said(sign)).map_or(Self::Other, |(_, fault)| fault)
    }
}

/// Returns the line that says most: the first of git's own that is fatal or an error, else the last one.
fn reason(said: &str) -> &str {
    let said_by_us = || said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("remote:"));
    let is_cause = |line: &&str| {
        let is_known = FetchFault::of(line) != FetchFault::Other || line.starts_with("fatal:") || line.starts_with("error:");
        is_known && !line.ends_with(':')
    };
    let line = said_by_us().find(is_cause).or_else(|| said_by_us().next_back()).unwrap_or("git gave no reason");
    let line = line.trim_start_matches("fatal: ").trim_start_matches("error: ");
    // `unable to access 'URL': …` repeats what the sentence says.
    line.strip_prefix("unable to access '").and_then(|rest| rest.split_once("': ")).map_or(line, |(_, why)| why)
}
