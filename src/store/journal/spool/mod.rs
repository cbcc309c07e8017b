//! Keeps executions while the database is away: append-only files in the data folder, with one line for each execution.
//!
//! The bytes of all files are bounded. When they are full, the oldest file is removed, and its rows count as lost.

mod line;

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::PathBuf,
};

use line::{read_line, write_line};

use crate::execution::Execution;

/// The number of files that share the bytes of the spool. The oldest file has an eighth of them.
const SEGMENTS: u64 = 8;

/// Executions on disk, oldest first.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    max_bytes: u64,
    /// Oldest first; rows go to the end of the last one.
    segments: VecDeque<Segment>,
    /// The last segment, if this process began it. One of an earlier process may end in half a line, so nothing is added to it.
    tail: Option<File>,
    next_number: u64,
    lost: SpoolLoss,
    /// The chunk that was read last, until it is advanced over or read again.
    in_flight: Option<InFlight>,
}

/// A chunk on its way to the store.
#[derive(Debug)]
struct InFlight {
    number: u64,
    rows: u64,
    /// Whether its file was dropped meanwhile. Its rows are lost only if they do not reach the store.
    is_dropped: bool,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    /// Lines not read yet.
    rows: u64,
    /// Where the next unread line begins.
    read: u64,
}

/// The executions that the spool could not keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolLoss {
    /// Executions dropped because the spool was full.
    pub dropped: u64,
    /// Lines that cannot be read: the last line of a killed process.
    pub torn: u64,
}

/// The oldest executions of the spool. [`Spool::advance`] removes them.
#[derive(Debug)]
pub struct Chunk {
    /// The executions, in the order in which they came.
    pub executions: Vec<Execution>,
    number: u64,
    read: u64,
    rows: u64,
    torn: u64,
}

impl Spool {
    /// Opens the spool in this folder, with what an earlier process left in it.
    pub fn open(folder: impl Into<PathBuf>, max_bytes: u64) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        let mut spool = Self {
            folder,
            max_bytes,
            segments: VecDeque::new(),
            tail: None,
            next_number: numbers.last().map_or(1, |last| last + 1),
            lost: SpoolLoss::default(),
            in_flight: None,
        };
        for number in numbers {
            let (mut rows, mut bytes) = (0, 0);
            for line in BufReader::new(File::open(spool.path(number))?).split(b'\n') {
                rows += 1;
                bytes += line?.len() as u64 + 1;
            }
            spool.segments.push_back(Segment { number, bytes, rows, read: 0 });
        }
        spool.drop_beyond_limit()?;
        Ok(spool)
    }

    /// Returns whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Returns the bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Returns what was lost since the spool was opened.
    pub fn lost(&self) -> SpoolLoss {
        self.lost
    }

    /// Adds executions at the end. Those that are not written because of an error count as dropped.
    pub fn append(&mut self, executions: &[Execution]) -> io::Result<()> {
        let mut unwritten = executions.len() as u64;
        let appended = self.append_counting(executions, &mut unwritten);
        self.lost.dropped += unwritten;
        appended.and_then(|()| self.drop_beyond_limit())
    }

    fn append_counting(&mut self, executions: &[Execution], unwritten: &mut u64) -> io::Result<()> {
        let (mut lines, mut rows) = (Vec::new(), 0);
        for execution in executions {
            write_line(&mut lines, execution)?;
            lines.push(b'\n');
            rows += 1;
            let begun = self.tail.as_ref().and(self.segments.back()).map_or(0, |segment| segment.bytes);
            let is_full = begun + lines.len() as u64 >= self.max_bytes / SEGMENTS;
            if is_full || rows == *unwritten {
                self.write(&lines, rows)?;
                *unwritten -= rows;
                lines.clear();
                rows = 0;
            }
            if is_full {
                self.tail = None;
            }
        }
        Ok(())
    }

    /// Reads the oldest executions: at most `limit`, and only of one file. None: the spool is empty.
    pub fn oldest(&mut self, limit: usize) -> io::Result<Option<Chunk>> {
        // The chunk before did not reach the store.
        self.lost.dropped += self.in_flight.take().filter(|read| read.is_dropped).map_or(0, |read| read.rows);
        while let Some(segment) = self.segments.front() {
            let mut file = match File::open(self.path(segment.number)) {
                // Somebody removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.drop_oldest()?;
                    continue;
                }
                file => file?,
            };
            file.seek(SeekFrom::Start(segment.read))?;
            let mut chunk = Chunk { executions: Vec::new(), number: segment.number, read: segment.read, rows: 0, torn: 0 };
            let (mut reader, mut line) = (BufReader::new(file), Vec::new());
            while chunk.executions.len() < limit {
                line.clear();
                let length = reader.read_until(b'\n', &mut line)? as u64;
                if length == 0 {
                    break;
                }
                chunk.read += length;
                chunk.rows += 1;
                match read_line(&line) {
                    Ok(execution) => chunk.executions.push(execution),
                    Err(_) => chunk.torn += 1,
                }
            }
            if !chunk.executions.is_empty() {
                self.in_flight = Some(InFlight { number: chunk.number, rows: chunk.rows, is_dropped: false });
                return Ok(Some(chunk));
            }
            self.lost.torn += chunk.torn;
            self.remove_oldest()?;
        }
        Ok(None)
    }

    /// Removes the executions of the chunk that was read last.
    pub fn advance(&mut self, chunk: &Chunk) -> io::Result<()> {
        self.in_flight = None;
        self.lost.torn += chunk.torn;
        let Some(segment) = self.segments.front_mut().filter(|segment| segment.number == chunk.number) else { return Ok(()) };
        segment.read = chunk.read;
        segment.rows = segment.rows.saturating_sub(chunk.rows);
        if segment.rows == 0 {
            self.remove_oldest()?;
        }
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.jsonl"))
    }

    /// Writes whole lines to the last segment, or to a new one.
    fn write(&mut self, lines: &[u8], rows: u64) -> io::Result<()> {
        if self.tail.is_none() {
            let number = self.next_number;
            self.tail = Some(OpenOptions::new().append(true).create_new(true).open(self.path(number))?);
            self.next_number += 1;
            self.segments.push_back(Segment { number, bytes: 0, rows: 0, read: 0 });
        }
        let (Some(file), Some(segment)) = (&mut self.tail, self.segments.back_mut()) else { return Ok(()) };
        if let Err(error) = file.write_all(lines) {
            // Half a line must not stay before whole lines.
            file.set_len(segment.bytes)?;
            return Err(error);
        }
        segment.bytes += lines.len() as u64;
        segment.rows += rows;
        Ok(())
    }

    fn drop_beyond_limit(&mut self) -> io::Result<()> {
        while self.segments.len() > 1 && self.bytes() > self.max_bytes {
            self.drop_oldest()?;
        }
        Ok(())
    }

    fn drop_oldest(&mut self) -> io::Result<()> {
        if let Some(segment) = self.segments.front() {
            let on_its_way = self.in_flight.as_mut().filter(|read| read.number == segment.number).map_or(0, |read| {
                read.is_dropped = true;
                read.rows
            });
            self.lost.dropped += segment.rows.saturating_sub(on_its_way);
        }
        self.remove_oldest()
    }

    fn remove_oldest(&mut self) -> io::Result<()> {
        let Some(segment) = self.segments.pop_front() else { return Ok(()) };
        if self.segments.is_empty() {
            self.tail = None;
        }
        match fs::remove_file(self.path(segment.number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        deployment::DeploymentId,
        execution::{Outcome, Trigger},
        function::{Digest, FunctionName},
        id::ExecutionId,
    };

    fn executions(ids: std::ops::Range<i64>) -> Vec<Execution> {
        let execution = |id| Execution {
            id: ExecutionId(id),
            function: FunctionName::new("hello"),
            version: Digest::of(b"hello").into(),
            deployment: DeploymentId(1),
            trigger: Trigger::Http,
            replay_of: None,
            request_id: None,
            method: "GET".into(),
            path: "/hello".into(),
            status: 200,
            response_type: None,
            response_bytes: None,
            outcome: Outcome::Ok,
            duration_us: 1,
            operations: 1,
            peak_memory_bytes: 1,
            logs: Vec::new(),
            logs_dropped: 0,
            effects: Vec::new(),
            effects_dropped: 0,
            events: Vec::new(),
            failure: None,
            captured: false,
            capture: None,
        };
        ids.map(execution).collect()
    }

    fn read_all(spool: &mut Spool, limit: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        while let Some(batch) = spool.oldest(limit).unwrap() {
            ids.extend(batch.executions.iter().map(|execution| execution.id.0));
            spool.advance(&batch).unwrap();
        }
        ids
    }

    #[test]
    fn what_goes_in_comes_out_in_order_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), 8 * 1000).unwrap();
        for part in [0..7, 7..8, 8..20] {
            spool.append(&executions(part)).unwrap();
        }
        assert!(fs::read_dir(folder.path()).unwrap().count() > 1);
        assert_eq!(read_all(&mut spool, 3), (0..20).collect::<Vec<_>>());
        assert!(spool.is_empty() && spool.bytes() == 0 && spool.lost() == SpoolLoss::default());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_read_but_not_advanced_over_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.append(&executions(0..5)).unwrap();
        let batch = spool.oldest(2).unwrap().unwrap();
        assert_eq!(spool.oldest(2).unwrap().unwrap().executions, batch.executions);
        spool.advance(&batch).unwrap();
        spool.append(&executions(5..7)).unwrap();
        assert_eq!(read_all(&mut spool, 2), [2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_full_spool_drops_the_oldest_and_counts_it() {
        let folder = tempfile::tempdir().unwrap();
        let limit = 8 * 1000;
        let mut spool = Spool::open(folder.path(), limit).unwrap();
        spool.append(&executions(0..100)).unwrap();
        assert!(spool.bytes() <= limit, "{}", spool.bytes());
        let dropped = spool.lost().dropped as i64;
        assert!(dropped > 0);
        assert_eq!(read_all(&mut spool, 10), (dropped..100).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_dropped_on_its_way_is_lost_only_if_it_does_not_arrive() {
        for arrives in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = Spool::open(folder.path(), 8 * 1000).unwrap();
            spool.append(&executions(0..10)).unwrap();
            let batch = spool.oldest(3).unwrap().unwrap();
            spool.append(&executions(10..100)).unwrap();
            if arrives {
                spool.advance(&batch).unwrap();
            }
            let kept = read_all(&mut spool, 10);
            assert_eq!(kept, (kept[0]..100).collect::<Vec<_>>(), "the newest, without a gap");
            let arrived = if arrives { 3 } else { 0 };
            assert_eq!(spool.lost(), SpoolLoss { dropped: kept[0] as u64 - arrived, torn: 0 });
        }
    }

    #[test]
    fn a_torn_last_line_is_skipped_and_counted_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        Spool::open(folder.path(), 1 << 20).unwrap().append(&executions(0..3)).unwrap();
        let path = folder.path().join("00000001.jsonl");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 10]).unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.append(&executions(3..5)).unwrap();
        assert_eq!(read_all(&mut spool, 10), [0, 1, 3, 4]);
        assert_eq!(spool.lost(), SpoolLoss { dropped: 0, torn: 1 });
    }

    #[test]
    fn files_that_are_empty_garbage_or_gone_stop_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("00000001.jsonl"), "").unwrap();
        fs::write(folder.path().join("00000002.jsonl"), [0xff, b'\n', b'{']).unwrap();
        fs::write(folder.path().join("00000003.jsonl"), "").unwrap();
        fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.append(&executions(0..2)).unwrap();
        fs::remove_file(folder.path().join("00000003.jsonl")).unwrap();
        assert_eq!(read_all(&mut spool, 10), [0, 1]);
        assert_eq!(spool.lost(), SpoolLoss { dropped: 0, torn: 2 });
    }
}
