//! Executions go in once, come out as they were, and are forgotten when their time is over.

use picloud::{
    execution::{Capture, Execution, LogLevel, LogLine, Outcome},
    id::{ExecutionId, first_id_at},
    store::{ExecutionFilter, StatusFilter, Store, Turn},
};

use serde_json::json;

use crate::kit::store::{Fresh, NOW_US, execution, ids, name, on_both, rich_execution, version};

on_both! {
    an_execution_reads_back_as_it_was
    an_execution_appended_twice_is_there_once
    a_filter_finds_what_it_says
    pages_follow_each_other_without_gap
    old_and_too_many_executions_go_in_slices
    executions_beyond_their_bytes_go_the_oldest_first
    what_arrives_twice_counts_once
    batches_of_every_size_arrive_whole
    many_names_get_numbers_that_another_store_knows_too
}

async fn append(store: &Store, executions: &[Execution]) {
    store.append_executions(executions, Turn::First).await.unwrap();
}

async fn find(store: &Store, filter: ExecutionFilter) -> Vec<i64> {
    ids(&store.executions(&ExecutionFilter { limit: 1000, ..filter }).await.unwrap())
}

async fn an_execution_reads_back_as_it_was(fresh: Fresh) {
    let store = fresh.open().await;
    for execution in [execution(1), rich_execution(2)] {
        append(&store, std::slice::from_ref(&execution)).await;
        assert_eq!(store.execution(execution.id).await.unwrap(), Some(execution));
    }
    assert_eq!(store.execution(ExecutionId(7)).await.unwrap(), None);
}

async fn an_execution_appended_twice_is_there_once(fresh: Fresh) {
    let store = fresh.open().await;
    append(&store, &[execution(1), execution(2)]).await;
    append(&store, &[Execution { path: "/other".into(), ..execution(2) }, execution(3)]).await;
    assert_eq!(find(&store, ExecutionFilter::default()).await, [3, 2, 1]);
    assert_eq!(store.execution(execution(2).id).await.unwrap(), Some(execution(2)));
}

async fn a_filter_finds_what_it_says(fresh: Fresh) {
    let store = fresh.open().await;
    let other = name("other");
    append(
        &store,
        &[
            execution(1),
            Execution { function: other.clone(), status: 404, ..execution(2) },
            rich_execution(3),
            Execution { status: 504, outcome: Outcome::TimedOut, ..execution(4) },
            Execution { id: ExecutionId(first_id_at(NOW_US + 10)), status: 500, ..execution(0) },
        ],
    )
    .await;
    let later = first_id_at(NOW_US + 10) - first_id_at(NOW_US);
    let all = ExecutionFilter::default;
    let status = |text: &str| Some(text.parse::<StatusFilter>().unwrap());
    for (filter, found) in [
        (all(), vec![later, 4, 3, 2, 1]),
        (ExecutionFilter { function: Some(other.clone()), ..all() }, vec![2]),
        (ExecutionFilter { function: Some(name("never")), ..all() }, vec![]),
        (ExecutionFilter { status: status("404"), ..all() }, vec![2]),
        (ExecutionFilter { status: status("5xx"), ..all() }, vec![later, 4, 3]),
        (ExecutionFilter { status: status("200"), ..all() }, vec![1]),
        (ExecutionFilter { outcome: Some(Outcome::Ok), ..all() }, vec![later, 2, 1]),
        (ExecutionFilter { outcome: Some(Outcome::TimedOut), ..all() }, vec![4]),
        (ExecutionFilter { since_us: Some(NOW_US + 1), ..all() }, vec![later]),
        (ExecutionFilter { has_output: true, ..all() }, vec![3]),
        (ExecutionFilter { function: Some(other), status: status("5XX"), ..all() }, vec![]),
    ] {
        assert_eq!(find(&store, filter.clone()).await, found, "{filter:?}");
    }
}

async fn pages_follow_each_other_without_gap(fresh: Fresh) {
    let store = fresh.open().await;
    append(&store, &(0..25).map(execution).collect::<Vec<_>>()).await;
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.executions(&ExecutionFilter { before, limit: 10, ..ExecutionFilter::default() }).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(ids(&page));
    }
    assert_eq!(seen, (0..25).rev().collect::<Vec<_>>());
}

async fn old_and_too_many_executions_go_in_slices(fresh: Fresh) {
    let store = fresh.open().await;
    let at = |second: i64| Execution { id: ExecutionId(first_id_at(NOW_US + second * 1_000_000)), ..execution(0) };
    append(&store, &(0..12_000).map(at).collect::<Vec<_>>()).await;
    assert_eq!(store.prune_executions(NOW_US - 1, 12_000, u64::MAX).await.unwrap(), 0);
    assert_eq!(store.prune_executions(NOW_US + 11_000_000_000, 12_000, u64::MAX).await.unwrap(), 11_000);
    assert_eq!(store.prune_executions(NOW_US, 10, u64::MAX).await.unwrap(), 990);
    let left = store.executions(&ExecutionFilter { limit: 100, ..ExecutionFilter::default() }).await.unwrap();
    assert_eq!(left, (11_990..12_000).rev().map(at).collect::<Vec<_>>());
}

async fn batches_of_every_size_arrive_whole(fresh: Fresh) {
    let store = fresh.open().await;
    let mut next = 0;
    for size in [0, 1, 15, 16, 17, 127, 128, 129, 300] {
        append(&store, &(next..next + size).map(execution).collect::<Vec<_>>()).await;
        next += size;
    }
    assert_eq!(find(&store, ExecutionFilter::default()).await, (0..next).rev().collect::<Vec<_>>());
}

async fn many_names_get_numbers_that_another_store_knows_too(fresh: Fresh) {
    let (store, other) = (fresh.open().await, fresh.open().await);
    let named = |id: i64| Execution { function: name(&format!("f{id}")), version: version(&format!("v{id}")), ..execution(id) };
    append(&store, &(0..100).map(named).collect::<Vec<_>>()).await;
    append(&other, &(50..150).map(|id| Execution { id: execution(id + 1000).id, ..named(id) }).collect::<Vec<_>>()).await;
    assert_eq!(store.execution(execution(1149).id).await.unwrap().unwrap().function, name("f149"));
    assert_eq!(find(&store, ExecutionFilter { function: Some(name("f70")), ..ExecutionFilter::default() }).await, [1070, 70]);
}

#[test]
fn what_is_not_a_status_says_so() {
    for text in ["", "xx", "5x", "99", "1000", "10xx", "0xx", "-1", "ok", "200xx", "700", "6xx"] {
        assert!(text.parse::<StatusFilter>().is_err(), "{text}");
    }
    assert_eq!(
        "ok".parse::<StatusFilter>().unwrap_err().to_string(),
        "`ok` is not a status: a number from 100 to 599 or a class such as `5xx`"
    );
    assert_eq!("5XX".parse::<StatusFilter>().unwrap().to_string(), "5xx");
}

/// Executions a minute apart, each with a log and a kept request, of 10 kB together.
fn large(minutes: std::ops::Range<i64>) -> Vec<Execution> {
    let message = "x".repeat(6_000);
    let logs = vec![LogLine { at_us: 1, level: LogLevel::Info, message }];
    let request = json!({ "method": "GET", "uri": "/hello", "params": [], "headers": [], "body": "y".repeat(3_700), "body_bytes": 2_775 });
    let capture: Capture = serde_json::from_value(request).unwrap();
    let at = |minute: i64| ExecutionId(first_id_at(NOW_US + minute * 60_000_000) + minute);
    minutes
        .map(|minute| Execution { id: at(minute), logs: logs.clone(), capture: Some(Box::new(capture.clone())), ..execution(0) })
        .collect()
}

async fn executions_beyond_their_bytes_go_the_oldest_first(fresh: Fresh) {
    let store = fresh.open().await;
    let kept = async || {
        let left = store.executions(&ExecutionFilter { limit: 10_000, ..ExecutionFilter::default() }).await.unwrap();
        left.iter().map(|execution| execution.id.0 & 0x7ff).rev().collect::<Vec<_>>()
    };
    let bytes = store.append_executions(&large(0..300), Turn::First).await.unwrap();
    assert!((9_800..10_200).contains(&(bytes / 300)), "{bytes}");
    assert_eq!(store.prune_executions(0, 1_000_000, bytes).await.unwrap(), 0);
    for (limit, left) in [(2_000_000, 200), (1_000_000, 100), (1_000_000, 100), (500_000, 50)] {
        store.prune_executions(0, 1_000_000, limit).await.unwrap();
        let ids = kept().await;
        assert!(ids.len().abs_diff(left) <= 2 && ids.len() <= left + 1, "{} of {left}", ids.len());
        assert_eq!(ids, (300 - ids.len() as i64..300).collect::<Vec<_>>(), "the newest, without a gap");
    }
    // It counts on where it was, and many in one minute go in part.
    let in_one_minute: Vec<_> = large(300..301).into_iter().cycle().take(400).zip(0..).collect();
    let in_one_minute =
        in_one_minute.into_iter().map(|(execution, at)| Execution { id: ExecutionId(execution.id.0 + (at << 12)), ..execution });
    let many: Vec<Execution> = in_one_minute.collect();
    store.append_executions(&many, Turn::First).await.unwrap();
    store.prune_executions(0, 1_000_000, 1_000_000).await.unwrap();
    let left = store.executions(&ExecutionFilter { limit: 10_000, ..ExecutionFilter::default() }).await.unwrap();
    assert!((96..=100).contains(&left.len()), "{}", left.len());
    assert_eq!(left[0].id, many[399].id);
    assert_eq!(store.capture(many[0].id).await.unwrap(), None);
    store.prune_executions(0, 1_000_000, 0).await.unwrap();
    assert!(kept().await.is_empty());
}

async fn what_arrives_twice_counts_once(fresh: Fresh) {
    let store = fresh.open().await;
    for _ in 0..5 {
        store.append_executions(&large(0..150), Turn::First).await.unwrap();
    }
    assert_eq!(store.prune_executions(0, 1_000_000, 1_600_000).await.unwrap(), 0);
}
