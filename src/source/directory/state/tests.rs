//! The rules as tables: looks at a time, and the changes that they make.

use super::*;
use crate::source::directory::fault::FileFault;

/// A state and the time that it is told, in milliseconds since it began.
struct TimedState {
    state: State,
    began: Now,
}

impl TimedState {
    fn new() -> Self {
        Self { state: State::new(DirectorySettings::default()), began: Now::read() }
    }

    fn at(&self, ms: u64) -> Now {
        Now { instant: self.began.instant + Duration::from_millis(ms), wall_us: self.began.wall_us + ms as i64 * 1000 }
    }

    fn file(&self, changed_at_ms: i64, text: &str) -> Look {
        Look::Read(self.signature(changed_at_ms), Content::new(text.as_bytes()), Trust::Closed)
    }

    fn signature(&self, changed_at_ms: i64) -> Signature {
        Signature::changed_at(self.began.wall_us + changed_at_ms * 1000)
    }

    fn look(&mut self, ms: u64, looks: &[(&str, Look)]) -> Vec<String> {
        let looks = looks.iter().map(|(path, look)| ((*path).into(), look.clone())).collect();
        let now = self.at(ms);
        let changes = self.state.apply(looks, now);
        assert!(self.state.next_due().is_none_or(|due| due > now.instant), "what is due has been done");
        changes.iter().map(in_words).collect()
    }

    fn due_in_ms(&self, ms: u64) -> Option<u128> {
        self.state.next_due().map(|due| due.duration_since(self.at(ms).instant).as_millis())
    }
}

fn in_words(change: &Change) -> String {
    match change {
        Change::Content(path, Some(content)) => format!("{path} = {}", String::from_utf8_lossy(&content.bytes)),
        Change::Content(path, None) => format!("{path} gone"),
        Change::Unsettled(path) => format!("{path} unsettled"),
        Change::Settled(path) => format!("{path} settled"),
        Change::Problem(path, Some(diagnostic)) => format!("{path}: {}", diagnostic.message),
        Change::Problem(path, None) => format!("{path} mended"),
    }
}

fn too_large(size_bytes: u64) -> Look {
    Look::Fault(FileFault::TooLarge { size_bytes, limit_bytes: 10 })
}

#[test]
fn a_content_as_young_as_the_clock_is_coarse_is_read_twice() {
    let mut timed = TimedState::new();
    let (young, old) = (timed.signature(995), timed.signature(0));
    timed.look(1000, &[("young", timed.file(995, "1")), ("old", timed.file(0, "1"))]);
    assert!(timed.state.must_read("young", &young) && !timed.state.must_read("old", &old));
    assert!(timed.state.must_read("old", &young) && timed.state.must_read("new", &old));
    assert_eq!(timed.due_in_ms(1000), Some(20));
    assert_eq!(timed.look(1020, &[("young", timed.file(995, "2"))]), ["young = 2"]);
    assert!(!timed.state.must_read("young", &young));
}

#[test]
fn a_content_settles_by_its_age_whatever_the_files_clock_says() {
    let mut timed = TimedState::new();
    assert_eq!(timed.look(1000, &[("a", timed.file(0, "1"))]), ["a = 1"]);
    assert_eq!(timed.look(2000, &[("a", timed.file(1900, "2"))]), ["a = 2", "a unsettled"]);
    assert_eq!(timed.look(2050, &[("a", Look::Unchanged)]), ["a settled"]);
    let in_an_hour = 3_600_000;
    assert_eq!(timed.look(3000, &[("a", timed.file(in_an_hour, "3"))]), ["a = 3", "a unsettled"]);
    assert_eq!(timed.look(3150, &[("a", timed.file(in_an_hour, "3"))]), ["a settled"]);
    assert_eq!(timed.state.next_due(), None);
}

#[test]
fn an_empty_file_waits_only_while_it_is_young_and_the_same() {
    let mut timed = TimedState::new();
    timed.look(1000, &[("a", timed.file(0, "1"))]);
    assert!(timed.look(2000, &[("a", timed.file(2000, ""))]).is_empty());
    assert_eq!(timed.due_in_ms(2000), Some(1000));
    assert!(timed.look(2900, &[("a", timed.file(2900, ""))]).is_empty(), "truncated once more");
    assert!(timed.look(3100, &[("a", timed.file(2900, ""))]).is_empty());
    assert_eq!(timed.look(3900, &[("a", timed.file(2900, ""))]), ["a = "]);
    assert_eq!(timed.look(5000, &[("b", timed.file(0, ""))]), ["b = "]);
}

#[test]
fn a_fault_takes_the_content_away_when_it_has_lasted_and_is_told_once() {
    let mut timed = TimedState::new();
    assert_eq!(
        timed.look(0, &[("a", timed.file(-5000, "1")), ("b", too_large(11))]),
        ["a = 1", "b: the file has 11 bytes; the limit is 10"]
    );
    assert!(timed.look(1000, &[("a", too_large(12)), ("b", too_large(11))]).is_empty());
    assert_eq!(timed.due_in_ms(1000), Some(150));
    assert_eq!(timed.look(1150, &[("a", too_large(13))]), ["a: the file has 13 bytes; the limit is 10", "a gone"]);
    assert!(timed.look(2000, &[("a", too_large(13))]).is_empty());
    assert_eq!(timed.look(2100, &[("a", too_large(14))]), ["a: the file has 14 bytes; the limit is 10"]);
    assert_eq!(timed.look(9000, &[("a", timed.file(0, "1"))]), ["a mended", "a = 1"]);
    assert!(timed.look(9000, &[("b", Look::Missing)]).is_empty());
    assert_eq!(timed.look(9100, &[("b", Look::Missing)]), ["b mended"]);
}

#[test]
fn a_file_is_gone_only_when_it_is_missed_twice() {
    let mut timed = TimedState::new();
    timed.look(0, &[("a", timed.file(-5000, "1")), ("b", timed.file(-5000, "1"))]);
    assert!(timed.look(1000, &[("a", Look::Missing), ("never", Look::Missing)]).is_empty());
    assert!(timed.look(1050, &[("a", Look::Unchanged)]).is_empty());
    assert!(timed.look(1100, &[("a", Look::Missing)]).is_empty());
    assert!(timed.look(1199, &[("a", Look::Missing)]).is_empty());
    assert_eq!(timed.look(1200, &[("a", Look::Missing)]), ["a gone"]);
    assert_eq!(timed.state.next_due(), None);
}

#[test]
fn a_folder_that_is_emptied_slowly_goes_as_one() {
    let mut timed = TimedState::new();
    let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    let files: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), timed.file(-5000, "1"))).collect();
    timed.look(0, &files);
    let missing: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), Look::Missing)).collect();
    for (count, ms) in (1..=20).zip((1000..).step_by(90)) {
        assert!(timed.look(ms, &missing[..count]).is_empty(), "the last went less than 100 ms ago");
    }
    let last = 1000 + 19 * 90;
    assert!(timed.look(last + 8000, &missing).is_empty() && !timed.state.is_empty());
    assert!(timed.look(last + 10_000, &missing).is_empty(), "all are missing, so it is the disk that is");
    assert!(timed.state.is_empty());
    assert_eq!(timed.state.next_due(), None, "nobody waits for it with a clock");
    assert!(timed.state.all_deleted(), "somebody says that it is meant");
    assert_eq!(timed.look(last + 20_000, &missing).len(), 20);
    assert!(!timed.state.is_empty());
}

#[test]
fn a_volume_with_nothing_but_what_cannot_be_read_counts_as_empty() {
    let unreadable = || Look::Fault(FileFault::unreadable(std::io::ErrorKind::PermissionDenied.into()));
    let files = ["a", "b"].map(|name| (FilePath::from(name), Digest::of(b"1")));
    let mut timed = TimedState::new();
    let now = timed.at(0);
    timed.state.remember(files.into(), now.instant);
    timed.look(0, &[("lost+found", unreadable()), ("a", Look::Missing), ("b", Look::Missing)]);
    assert!(timed.state.is_empty(), "at the first look");

    let mut timed = TimedState::new();
    let there = [("a", timed.file(-5000, "1")), ("b", timed.file(-5000, "1"))];
    timed.look(0, &there);
    let gone = [("lost+found", unreadable()), ("a", Look::Missing), ("b", Look::Missing)];
    for ms in [1000, 1100, 9000, 11_000, 12_000] {
        let changes = timed.look(ms, &gone);
        assert!(!changes.iter().any(|change| change.ends_with(" gone")), "{changes:?}");
    }
    assert!(timed.state.is_empty(), "while it is watched");
    timed.look(13_000, &there);
    assert!(!timed.state.is_empty(), "the volume is back");
}

#[test]
fn a_copy_that_began_by_deleting_is_waited_for() {
    let mut timed = TimedState::new();
    let names: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    let files: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), timed.file(-5000, "1"))).collect();
    timed.look(0, &files);
    let looks = |there: usize| -> Vec<(&str, Look)> {
        files.iter().enumerate().map(|(at, (name, file))| (*name, if at < there { file.clone() } else { Look::Missing })).collect()
    };
    assert!(timed.look(1000, &looks(0)).is_empty());
    // One comes every two seconds, for as long as the longest wait several times over.
    for there in 1..=20 {
        assert!(timed.look(2000 + 2000 * there as u64, &looks(there)).is_empty(), "{there} are there again");
    }
    assert!(timed.state.next_due().is_none());
}

#[test]
fn what_does_not_come_back_is_gone_when_the_copy_has_ended() {
    let mut timed = TimedState::new();
    let names: Vec<String> = (0..4).map(|number| number.to_string()).collect();
    let files: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), timed.file(-5000, "1"))).collect();
    timed.look(0, &files);
    let missing = |from: usize| -> Vec<(&str, Look)> { names[from..].iter().map(|name| (name.as_str(), Look::Missing)).collect() };
    timed.look(1000, &missing(0));
    let back = [("0", timed.file(-5000, "1")), ("new", timed.file(8000, "1"))];
    assert_eq!(timed.look(9000, &back), ["new = 1"]);
    assert!(timed.look(18_900, &missing(1)).is_empty());
    assert_eq!(timed.look(19_000, &missing(1)), ["1 gone", "2 gone", "3 gone"]);
}

#[test]
fn a_guard_is_missed_for_longest_and_while_others_come_and_go() {
    let mut timed = TimedState::new();
    let (guard, function) = ("adm/_middleware.rhai", "adm/s.rhai");
    let others: Vec<String> = (0..9).map(|number| format!("{number}.rhai")).collect();
    let mut files: Vec<(&str, Look)> = others.iter().map(|name| (name.as_str(), timed.file(-5000, "1"))).collect();
    files.extend([(guard, timed.file(-5000, "1")), (function, timed.file(-5000, "1"))]);
    timed.look(0, &files);
    assert!(timed.look(1000, &[(guard, Look::Missing), (function, Look::Missing)]).is_empty());
    assert_eq!(timed.look(1100, &[(guard, Look::Missing), (function, Look::Missing)]), ["adm/s.rhai gone"]);
    assert_eq!(timed.look(5000, &[(function, timed.file(-5000, "1"))]), ["adm/s.rhai = 1"]);
    assert!(timed.look(11_100, &[(guard, Look::Missing)]).is_empty());
    assert!(timed.look(14_900, &[(guard, Look::Missing)]).is_empty());
    assert_eq!(timed.look(15_000, &[(guard, Look::Missing)]), ["adm/_middleware.rhai gone"]);
}

#[test]
fn what_is_open_for_writing_stays_what_it_was() {
    let mut timed = TimedState::new();
    timed.look(0, &[("a", timed.file(-5000, "1"))]);
    let until = timed.at(60_000).instant;
    assert!(timed.look(1000, &[("a", Look::BeingWritten(until))]).is_empty());
    assert_eq!(timed.look(1000, &[("b", Look::BeingWritten(until))]), ["b unsettled"]);
    assert_eq!(timed.due_in_ms(1000), Some(59_000));
    assert_eq!(timed.look(9000, &[("a", timed.file(9000, "2"))]), ["a = 2", "a unsettled"]);
    assert_eq!(timed.look(9200, &[("a", Look::Unchanged), ("b", timed.file(9000, "1"))]), ["a settled", "b = 1", "b settled"]);
}

#[test]
fn where_nobody_says_that_a_file_is_closed_it_waits_until_it_is_left_alone() {
    let mut timed = TimedState::new();
    timed.look(0, &[("a", timed.file(-5000, "1"))]);
    let unwatched = |timed: &TimedState, changed_at_ms: i64, text: &str| {
        Look::Read(timed.signature(changed_at_ms), Content::new(text.as_bytes()), Trust::Unwatched)
    };
    assert!(timed.look(1000, &[("a", unwatched(&timed, 900, "2"))]).is_empty());
    assert_eq!(timed.due_in_ms(1000), Some(2900));
    assert!(timed.look(3900, &[("a", unwatched(&timed, 3000, "23"))]).is_empty(), "written to again");
    assert_eq!(timed.look(6000, &[("a", unwatched(&timed, 3000, "23"))]), ["a = 23"]);
    assert!(timed.look(9000, &[("a", unwatched(&timed, 8900, "23"))]).is_empty(), "touched");
}

#[test]
fn what_is_remembered_is_missing_until_it_is_seen() {
    let mut timed = TimedState::new();
    let digest = |text: &str| Content::new(text.as_bytes()).digest;
    let remembered = [("same", "1"), ("other", "1"), ("young", "1"), ("gone", "1")].map(|(path, text)| (path.into(), digest(text)));
    let changes = timed.state.remember(remembered.into(), timed.at(0).instant);
    let changes: Vec<String> = changes.iter().map(in_words).collect();
    assert_eq!(changes, ["gone unsettled", "other unsettled", "same unsettled", "young unsettled"]);
    let young = Look::Read(timed.signature(-100), Content::new("2".as_bytes()), Trust::Watched);
    let looks = [
        ("same", timed.file(-500, "1")),
        ("other", timed.file(-5000, "2")),
        ("young", young.clone()),
        ("new", young.clone()),
        ("gone", Look::Missing),
    ];
    let changes = timed.look(10, &looks);
    assert_eq!(changes, ["same = 1", "same settled", "other = 2", "other settled", "new unsettled"], "the rest may be on its way");
    assert_eq!(timed.look(110, &[("gone", Look::Missing)]), ["gone settled"], "that is: it is gone");
    let looks = [("young", young.clone()), ("new", young)];
    assert_eq!(timed.look(2900, &looks), ["young = 2", "young settled", "new = 2", "new settled"]);
}

#[test]
fn a_root_that_is_empty_at_the_first_look_loses_nothing() {
    let mut timed = TimedState::new();
    let digest = Content::new("1".as_bytes()).digest;
    timed.state.remember([("a".into(), digest), ("b".into(), digest)].into(), timed.at(0).instant);
    assert!(timed.look(0, &[("a", Look::Missing), ("b", Look::Missing)]).is_empty());
    assert!(timed.state.is_empty());
    assert_eq!(timed.look(60_000, &[("a", timed.file(0, "1"))]), ["a = 1", "a settled"]);
    assert!(!timed.state.is_empty());
    assert!(timed.look(69_900, &[("b", Look::Missing)]).is_empty());
    assert_eq!(timed.look(70_000, &[("b", Look::Missing)]), ["b settled"], "that is: it is gone");
}

#[test]
fn more_than_half_of_ten_are_missed_for_longer() {
    let mut timed = TimedState::new();
    let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let files: Vec<(&str, Look)> = names.iter().map(|name| (name.as_str(), timed.file(-5000, "1"))).collect();
    timed.look(0, &files);
    let missing: Vec<(&str, Look)> = names[..6].iter().map(|name| (name.as_str(), Look::Missing)).collect();
    assert!(timed.look(1000, &missing).is_empty());
    assert!(timed.look(1999, &missing).is_empty());
    assert_eq!(timed.look(2000, &missing).len(), 6);
}

#[test]
fn what_the_node_itself_deletes_is_gone_at_once_and_may_come_back() {
    let mut timed = TimedState::new();
    timed.look(0, &[("a", timed.file(-5000, "1")), ("b", timed.file(-5000, "1"))]);
    for path in ["a", "b", "never"] {
        timed.state.deleted(&path.into());
    }
    assert_eq!(timed.look(1000, &[("a", Look::Missing), ("b", timed.file(900, "2"))]), ["b = 2", "b unsettled", "a gone"]);
    assert!(timed.look(2000, &[("b", Look::Missing)]).iter().all(|change| change == "b settled"), "this time nobody said so");
}

#[test]
fn it_knows_what_is_below_a_folder() {
    let mut timed = TimedState::new();
    timed.look(0, &[("a/b/c", timed.file(0, "1")), ("ab", timed.file(0, "1"))]);
    assert_eq!(["a", "a/b", "ab", "a/b/c", "b", ""].map(|folder| timed.state.has_below(folder)), [true, true, false, false, false, false]);
}
