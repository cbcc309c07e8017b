//! Settings of a watched directory: limits and waits.

use std::time::Duration;

/// Settings of a watched directory. The defaults suit people and their editors; tests shorten them.
#[derive(Debug, Clone)]
pub struct DirectorySettings {
    /// A larger file is a problem and is not read.
    pub max_file_bytes: u64,
    /// Everything is looked at again this often, for what nobody reports: writes through hard links and to mapped memory.
    pub full_scan: Duration,
    /// The same where nobody reports anything: network file systems, or more folders than may be watched.
    pub poll_interval: Duration,
    /// Look again this often instead of watching, whatever the file system.
    pub force_polling: bool,
    /// A content that has stayed for this long is no half of a save.
    pub settle: Duration,
    /// Where nobody reports that a file is closed, it is judged after nobody has written to it for this long. Over a slow line, seconds
    /// pass between two parts of a file.
    pub unclosed_for: Duration,
    /// Where that is reported, a file that is open for writing is judged all the same when nobody has written to it for this long.
    pub open_at_most: Duration,
    /// A file that is being written is read when nothing was reported for this long,
    pub quiet: Duration,
    /// or when reports have not stopped for this long.
    pub quiet_at_most: Duration,
    /// Everything is looked at once more when nothing was reported for this long after a change: reports get lost.
    pub follow_up: Duration,
    /// An empty file is taken for half of a save until it is this old.
    pub empty_after: Duration,
    /// A file is deleted when it has been missing for this long.
    pub gone_after: Duration,
    /// The same when more than half of ten files or more are missing.
    pub many_gone_after: Duration,
    /// The same when all files are missing, or the guard of a folder. When the last is missing nothing is deleted: that is more likely a
    /// mount than a wish.
    pub all_gone_after: Duration,
    /// After most or all files were missing, one is deleted at the latest after this time, although others still come back.
    pub copied_within: Duration,
}

impl Default for DirectorySettings {
    fn default() -> Self {
        Self {
            max_file_bytes: 256 * 1024,
            full_scan: Duration::from_secs(300),
            poll_interval: Duration::from_secs(2),
            force_polling: false,
            settle: Duration::from_millis(150),
            unclosed_for: Duration::from_secs(3),
            open_at_most: Duration::from_secs(60),
            quiet: Duration::from_millis(20),
            quiet_at_most: Duration::from_millis(500),
            follow_up: Duration::from_millis(500),
            empty_after: Duration::from_secs(1),
            gone_after: Duration::from_millis(100),
            many_gone_after: Duration::from_secs(1),
            all_gone_after: Duration::from_secs(10),
            copied_within: Duration::from_secs(60),
        }
    }
}
