//! What executions come to: each counts once, whatever happens on the way, and counts add up over nodes, minutes, hours and days.

use std::{collections::BTreeMap, ops::Range};

use picloud::{
    execution::{Execution, Outcome, Trigger},
    id::{ExecutionId, first_id_at},
    stats::{BY_TEN_FOR, DAY, KEPT_FOR, Run, RunCounts, RunTally, minute_of},
    store::{Journal, JournalSettings, StatsQuery, StatsScope, Store, Turn},
};
use tokio_util::sync::CancellationToken;

use crate::kit::store::{Fresh, NOW_US, execution, name, on_both, until, version};

on_both! {
    executions_count_by_function_version_and_minute
    what_comes_again_counts_once
    triggers_are_told_apart_and_take_no_rows
    rows_of_several_nodes_add_up
    counts_are_rolled_up_and_add_up_to_the_same
    a_late_execution_counts_where_it_belongs
    runs_that_are_not_recorded_count_too
    a_start_counts_what_the_spool_holds_once
    a_damaged_row_keeps_no_execution_from_being_recorded
    as_many_functions_as_a_node_counts_are_counted_at_once
}

const MINUTE_US: i64 = 60_000_000;

/// An execution so many minutes before the sample's time.
fn ago(minutes: i64, number: i64) -> Execution {
    Execution { id: ExecutionId(first_id_at(NOW_US - minutes * MINUTE_US) + (number << 10)), ..execution(0) }
}

fn query(scope: StatsScope, minutes: Range<i64>) -> StatsQuery {
    StatsQuery { scope, version: None, trigger: None, minutes }
}

/// Returns the counts of each minute that has some, as minutes before the sample's time.
async fn read(store: &Store, scope: StatsScope) -> BTreeMap<i64, RunCounts> {
    let (mut found, now) = (BTreeMap::<i64, RunCounts>::new(), minute_of(NOW_US));
    let each = |_, minute: i64, counts: &RunCounts| found.entry(now - minute).or_default().merge(counts);
    store.read_stats(&query(scope, now - KEPT_FOR..now + 1), each).await.unwrap();
    found
}

async fn requests(store: &Store) -> BTreeMap<i64, u64> {
    read(store, StatsScope::Node).await.into_iter().map(|(ago, counts)| (ago, counts.requests())).collect()
}

async fn executions_count_by_function_version_and_minute(fresh: Fresh) {
    let store = fresh.open().await;
    let failed = Execution { status: 504, outcome: Outcome::TimedOut, duration_us: 5_000_000, ..ago(3, 1) };
    let other = Execution { function: name("orders/new"), version: version("other"), status: 201, peak_memory_bytes: 77, ..ago(1, 2) };
    store.append_executions(&[ago(3, 0), failed.clone(), other.clone()], Turn::First).await.unwrap();
    store.append_executions(&[ago(3, 3)], Turn::First).await.unwrap();
    let mut expected = RunCounts::default();
    [ago(3, 0), failed, ago(3, 3)].iter().map(Run::of).for_each(|run| expected.add(&run));
    let hello = read(&store, StatsScope::Function(name("hello"))).await;
    assert_eq!(hello, BTreeMap::from([(3, expected)]));
    assert_eq!(hello[&3].by_class, [2, 0, 0, 1]);
    assert_eq!(requests(&store).await, BTreeMap::from([(1, 1), (3, 3)]));
    assert_eq!(read(&store, StatsScope::Below("orders/".into())).await.keys().collect::<Vec<_>>(), [&1]);
    assert_eq!(read(&store, StatsScope::Function(name("never"))).await.len(), 0);
    let mut of_version = 0;
    let now = minute_of(NOW_US);
    for asked in [version("other"), version("no such")] {
        let asked = StatsQuery { version: Some(asked), ..query(StatsScope::Node, now - 60..now) };
        store.read_stats(&asked, |_, _, counts| of_version += counts.requests()).await.unwrap();
    }
    assert_eq!(of_version, 1);
    let mut keys = Vec::new();
    store.read_stats(&query(StatsScope::Below(String::new()), now - 60..now), |key, _, _| keys.push(key)).await.unwrap();
    let names = store.stats_names(keys.into_iter()).await.unwrap();
    assert!(names.values().any(|named| *named == (name("orders/new"), version("other"))) && names.len() == 2, "{names:?}");
}

async fn what_comes_again_counts_once(fresh: Fresh) {
    let store = fresh.open().await;
    store.append_executions(&[ago(1, 0), ago(1, 1)], Turn::First).await.unwrap();
    store.append_executions(&[ago(1, 1), ago(1, 2)], Turn::Again).await.unwrap();
    store.append_executions(&[ago(1, 0), ago(1, 1), ago(1, 2)], Turn::Again).await.unwrap();
    assert_eq!(requests(&store).await, BTreeMap::from([(1, 3)]));
}

async fn triggers_are_told_apart_and_take_no_rows(fresh: Fresh) {
    let store = fresh.open().await;
    let by = |trigger, number| Execution { trigger, ..ago(130, number) };
    store.append_executions(&[by(Trigger::Http, 0), by(Trigger::Event, 1)], Turn::First).await.unwrap();
    store.append_executions(&[by(Trigger::Http, 2), by(Trigger::Schedule, 3)], Turn::First).await.unwrap();
    let now = minute_of(NOW_US);
    let of = async |scope: StatsScope, trigger| {
        let mut sum = RunCounts::default();
        let asked = StatsQuery { trigger: Some(trigger), ..query(scope, now - 200..now) };
        store.read_stats(&asked, |_, _, counts| sum.merge(counts)).await.unwrap();
        (sum.requests(), sum.durations.count())
    };
    // The function and the node have a row each, of the minute and then of the day.
    for rolled_up in [2, 0] {
        for scope in [StatsScope::Node, StatsScope::Function(name("hello")), StatsScope::Below("he".into())] {
            let mut counts = Vec::new();
            for trigger in [Trigger::Http, Trigger::Event, Trigger::Schedule, Trigger::Replay] {
                counts.push(of(scope.clone(), trigger).await);
            }
            assert_eq!(counts, [(2, 2), (1, 1), (1, 1), (0, 0)], "{scope:?}");
        }
        assert_eq!(store.roll_up_stats(NOW_US).await.unwrap(), rolled_up);
    }
    assert_eq!(store.roll_up_stats(NOW_US + 3 * DAY * MINUTE_US).await.unwrap(), 2);
}

async fn rows_of_several_nodes_add_up(fresh: Fresh) {
    let stores = [fresh.open().await, fresh.open().await];
    for round in 0..3 {
        for (node, store) in stores.iter().enumerate() {
            let one = ago(1, round);
            let of_node = Execution { id: ExecutionId(one.id.0 + node as i64), ..one };
            store.append_executions(&[of_node], Turn::First).await.unwrap();
        }
    }
    assert_eq!(requests(&stores[0]).await, BTreeMap::from([(1, 6)]));
    // Both roll up at the same time.
    let later = NOW_US + 200 * MINUTE_US;
    let (one, other) = tokio::join!(stores[0].roll_up_stats(later), stores[1].roll_up_stats(later));
    assert_eq!(one.unwrap() + other.unwrap(), 4);
    assert_eq!(requests(&stores[1]).await.values().sum::<u64>(), 6);
}

async fn counts_are_rolled_up_and_add_up_to_the_same(fresh: Fresh) {
    let store = fresh.open().await;
    let all: Vec<Execution> = (0..700).map(|number| ago(number * 7, number)).collect();
    store.append_executions(&all, Turn::First).await.unwrap();
    let sum = async || {
        let mut sum = RunCounts::default();
        read(&store, StatsScope::Function(name("hello"))).await.values().for_each(|counts| sum.merge(counts));
        sum
    };
    let before = sum().await;
    assert_eq!(before.requests(), 700);
    store.roll_up_stats(NOW_US).await.unwrap();
    assert_eq!(sum().await, before);
    // New ones are by the minute, older ones by ten, and what is of a day that ended two days ago by the hour.
    let (now, today) = (minute_of(NOW_US), minute_of(NOW_US).div_euclid(DAY) * DAY);
    let minutes: Vec<i64> = read(&store, StatsScope::Node).await.keys().map(|ago| now - ago).collect();
    assert!(minutes.iter().filter(|minute| **minute >= now - 120).any(|minute| minute % 10 != 0));
    assert!(minutes.iter().filter(|minute| **minute < now - 130).all(|minute| minute % 10 == 0));
    assert!(minutes.iter().filter(|minute| **minute < today - BY_TEN_FOR).all(|minute| minute % 60 == 0));
    assert!(minutes.iter().any(|minute| *minute >= today - BY_TEN_FOR && minute % 60 != 0));
    // A second time there is nothing to do, and after a month nothing is left.
    assert_eq!(store.roll_up_stats(NOW_US).await.unwrap(), 0);
    store.roll_up_stats(NOW_US + 40 * DAY * MINUTE_US).await.unwrap();
    assert_eq!(sum().await, RunCounts::default());
}

async fn a_late_execution_counts_where_it_belongs(fresh: Fresh) {
    let store = fresh.open().await;
    store.append_executions(&[ago(600, 0)], Turn::First).await.unwrap();
    store.roll_up_stats(NOW_US).await.unwrap();
    store.append_executions(&[ago(600, 1)], Turn::First).await.unwrap();
    let sum = async || requests(&store).await.values().sum::<u64>();
    assert_eq!(sum().await, 2);
    store.roll_up_stats(NOW_US).await.unwrap();
    assert_eq!((sum().await, requests(&store).await.len()), (2, 1));
}

/// Runs a journal on the folder until it is stopped.
fn journal(fresh: &Fresh) -> (Journal, CancellationToken, tokio::task::JoinHandle<()>) {
    let journal = Journal::open(fresh.folder.path(), JournalSettings::default()).unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(journal.clone().run(stop.clone()));
    (journal, stop, task)
}

async fn runs_that_are_not_recorded_count_too(fresh: Fresh) {
    let (journal, stop, task) = journal(&fresh);
    journal.record(ago(1, 0));
    (1..4).for_each(|number| journal.count(Run::of(&ago(1, number))));
    until("the journal has taken them", async || journal.stats().queued == 0).await;
    // The database was away until now. What waited is counted with what comes.
    let store = fresh.open().await;
    journal.connect(store.clone());
    journal.count(Run::of(&ago(2, 4)));
    until("all are counted", async || requests(&store).await == BTreeMap::from([(1, 4), (2, 1)])).await;
    stop.cancel();
    task.await.unwrap();
    assert_eq!(journal.stats().written, 1);
}

async fn a_start_counts_what_the_spool_holds_once(fresh: Fresh) {
    let store = fresh.open().await;
    // The database took half of these, and the node was killed before it knew.
    let all: Vec<Execution> = (0..10).map(|number| ago(1, number)).collect();
    store.append_executions(&all[..5], Turn::First).await.unwrap();
    let (before, stop, task) = journal(&fresh);
    all.iter().for_each(|execution| before.record(execution.clone()));
    stop.cancel();
    task.await.unwrap();
    let (after, stop, task) = journal(&fresh);
    after.connect(store.clone());
    until("the spool is empty", async || after.stats().written == 10).await;
    assert_eq!(requests(&store).await, BTreeMap::from([(1, 10)]));
    stop.cancel();
    task.await.unwrap();
}

async fn a_damaged_row_keeps_no_execution_from_being_recorded(fresh: Fresh) {
    let store = fresh.open().await;
    store.append_executions(&[ago(1, 0)], Turn::First).await.unwrap();
    let damage = "UPDATE stats SET series = CAST('xxx' AS ";
    match fresh.url == "sqlite" {
        true => {
            let pool = sqlx::SqlitePool::connect(fresh.sqlite_file().to_str().unwrap()).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(format!("{damage}BLOB)"))).execute(&pool).await.unwrap();
        }
        false => {
            let pool = sqlx::PgPool::connect(&fresh.url).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(format!("{damage}bytea)"))).execute(&pool).await.unwrap();
        }
    }
    store.append_executions(&[ago(1, 1)], Turn::First).await.unwrap();
    assert_eq!(requests(&store).await, BTreeMap::from([(1, 1)]));
}

async fn as_many_functions_as_a_node_counts_are_counted_at_once(fresh: Fresh) {
    let store = fresh.open().await;
    let mut tally = RunTally::default();
    for number in 0..10_000 {
        // The longest keys: each of another minute.
        let run = Run::of(&Execution { function: name(&format!("functions/of/many/{number}")), ..ago(number, number) });
        tally.add(run.key.clone(), &run);
    }
    store.count_runs(&tally).await.unwrap();
    store.count_runs(&tally).await.unwrap();
    assert_eq!(requests(&store).await.values().sum::<u64>(), 20_000);
}
