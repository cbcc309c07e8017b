//! The key-value store: what is kept, for how long, and within which bounds.

mod concurrency;
mod model;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use picloud::{
    audit::{Action, Actor, AuditFilter, Origin},
    capability::kv::{Add, Entry, Json, Key, KeyValue, KvError, MAX_VALUE_BYTES, Range, Set, SetResult, Ttl},
    clock::Clock,
    function::grants::kv::Namespace,
    store::{
        KvLimits, Store,
        kv::{KvChange, KvWrite, NamespaceSize, StoredKeyValue},
    },
};
use serde_json::json;
use tokio::sync::watch;

use crate::kit::store::{Fresh, NOW_US, on_both};

on_both! {
    any_json_is_kept_as_it_was
    a_version_is_never_given_twice
    a_time_to_live_ends_to_the_microsecond
    a_number_is_added_to_and_nothing_else_is
    a_list_is_in_the_order_of_bytes
    a_page_ends_at_its_bytes
    a_full_namespace_refuses_what_makes_it_larger
    what_is_over_makes_room
    what_is_over_goes_in_slices_and_is_no_longer_counted
    an_operator_s_write_is_written_down_and_a_refused_one_is_not
    namespaces_are_apart
}

/// A clock that stands still until it is moved.
struct Held(AtomicI64);

impl Clock for Held {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A key-value store, and its clock.
struct Kept {
    store: Store,
    clock: Arc<Held>,
    kv: Arc<StoredKeyValue>,
}

impl Kept {
    async fn open(fresh: &Fresh) -> Self {
        Self::within(fresh, KvLimits::default()).await
    }

    async fn within(fresh: &Fresh, limits: KvLimits) -> Self {
        let store = fresh.open().await;
        let clock = Arc::new(Held(AtomicI64::new(NOW_US)));
        let kv = Arc::new(StoredKeyValue::new(watch::channel(Some(store.clone())).1, clock.clone(), limits));
        Self { store, clock, kv }
    }

    fn pass(&self, us: i64) {
        self.clock.0.fetch_add(us, Ordering::SeqCst);
    }

    async fn set(&self, at: &str, value: &str) -> u64 {
        match self.kv.set(&ns("a"), &key(at), set(value)).await.unwrap() {
            SetResult::Done(version) => version,
            SetResult::Conflict(version) => panic!("a conflict with {version}"),
        }
    }

    async fn set_for(&self, at: &str, value: &str, ttl: Duration) {
        let set = Set { ttl: Some(Ttl::try_from(ttl).unwrap()), ..set(value) };
        assert!(matches!(self.kv.set(&ns("a"), &key(at), set).await.unwrap(), SetResult::Done(_)));
    }

    async fn set_if(&self, at: &str, value: &str, version: u64) -> SetResult {
        self.kv.set(&ns("a"), &key(at), Set { if_version: Some(version), ..set(value) }).await.unwrap()
    }

    async fn entry(&self, at: &str) -> Option<Entry> {
        self.kv.get(&ns("a"), &key(at)).await.unwrap()
    }

    async fn value(&self, at: &str) -> Option<String> {
        self.entry(at).await.map(|entry| entry.value.as_str().to_owned())
    }

    async fn add(&self, at: &str, delta: i64) -> Result<i64, KvError> {
        self.kv.add(&ns("a"), &key(at), Add { delta, ttl: None }).await
    }

    async fn delete(&self, at: &str) -> bool {
        self.kv.delete(&ns("a"), &key(at)).await.unwrap()
    }

    /// The keys of a page, and where the next one begins.
    async fn list(&self, prefix: &str, after: &str, limit: u32, max_bytes: usize) -> (Vec<String>, Option<String>) {
        let optional = |text: &str| (!text.is_empty()).then(|| key(text));
        let range = Range::new(optional(prefix), optional(after), limit, max_bytes).unwrap();
        let page = self.kv.list(&ns("a"), &range).await.unwrap();
        (page.entries.iter().map(|listed| listed.key.to_string()).collect(), page.next.map(|key| key.to_string()))
    }

    async fn sizes(&self) -> Vec<(String, u64, u64)> {
        let sizes = self.store.kv_namespaces().await.unwrap();
        sizes.into_iter().map(|NamespaceSize { namespace, keys, bytes }| (namespace.to_string(), keys, bytes)).collect()
    }
}

fn ns(name: &str) -> Namespace {
    name.parse().unwrap()
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn set(value: &str) -> Set {
    Set { value: value.parse().unwrap(), ttl: None, if_version: None }
}

/// A JSON string of so many bytes.
fn string(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

async fn any_json_is_kept_as_it_was(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    assert_eq!(kept.value("a").await, None);
    let large = string(MAX_VALUE_BYTES);
    for value in ["null", "true", "-1.5e300", "\"\"", "\"\\u0000 ä \\\"\"", "[1, [2, {\"a\": \"'\"}]]", "9223372036854775808", &large] {
        kept.set("a", value).await;
        assert_eq!(kept.value("a").await.as_deref(), Some(value));
    }
    for odd in ["k", "ä/b %_'\"\\", "\u{10ffff}", "\u{a0}\u{2028}", &"k".repeat(512), " "] {
        kept.set(odd, "1").await;
        assert_eq!(kept.value(odd).await.as_deref(), Some("1"));
        assert!(kept.delete(odd).await);
        assert!(!kept.delete(odd).await);
        assert_eq!(kept.value(odd).await, None);
    }
}

async fn a_version_is_never_given_twice(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    assert_eq!(kept.set_if("a", "1", 7).await, SetResult::Conflict(0));
    let SetResult::Done(first) = kept.set_if("a", "1", 0).await else { panic!("it was not there") };
    assert_eq!(kept.set_if("a", "2", 0).await, SetResult::Conflict(first));
    let SetResult::Done(second) = kept.set_if("a", "2", first).await else { panic!("it was the first") };
    assert!(second > first);
    assert_eq!(kept.set_if("a", "3", first).await, SetResult::Conflict(second));
    assert_eq!(kept.entry("a").await.unwrap().version, second);
    // Deleted and made anew, it is another.
    assert!(kept.delete("a").await);
    assert_eq!(kept.set_if("a", "3", second).await, SetResult::Conflict(0));
    let third = kept.set("a", "3").await;
    assert!(third > second);
    assert_eq!(kept.set_if("a", "4", first).await, SetResult::Conflict(third));
    assert_eq!(kept.set_if("a", "4", second).await, SetResult::Conflict(third));
    // The same when its time was over.
    kept.set_for("a", "4", Duration::from_secs(1)).await;
    let fourth = kept.entry("a").await.unwrap().version;
    kept.pass(1_000_000);
    assert_eq!(kept.set_if("a", "5", fourth).await, SetResult::Conflict(0));
    let SetResult::Done(fifth) = kept.set_if("a", "5", 0).await else { panic!("it was over") };
    assert!(fifth > fourth);
    // And when a namespace was empty in between, and the store was closed.
    assert!(kept.delete("a").await);
    kept.store.close().await;
    let kept = Kept::open(&fresh).await;
    assert!(kept.set("a", "6").await > fifth);
}

async fn a_time_to_live_ends_to_the_microsecond(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    let second = Duration::from_secs(1);
    kept.set_for("a", "1", second).await;
    kept.set_for("b", "1", second).await;
    assert_eq!(kept.entry("a").await.unwrap().expires_us, Some(NOW_US + 1_000_000));
    kept.pass(999_999);
    assert_eq!(kept.value("a").await.as_deref(), Some("1"));
    // A sum keeps the end, a new value has its own.
    assert_eq!(kept.add("a", 1).await, Ok(2));
    kept.set("b", "2").await;
    assert_eq!(kept.list("", "", 10, 0).await.0, ["a", "b"]);
    kept.pass(1);
    assert_eq!((kept.value("a").await, kept.value("b").await.as_deref()), (None, Some("2")));
    assert_eq!(kept.list("", "", 10, 0).await.0, ["b"]);
    assert!(!kept.delete("a").await);
    // What is over counts as 0, and its end is gone.
    kept.set_for("c", "7", second).await;
    kept.pass(1_000_000);
    let add = Add { delta: 5, ttl: Some(Ttl::try_from(second).unwrap()) };
    assert_eq!(kept.kv.add(&ns("a"), &key("c"), add).await, Ok(5));
    kept.pass(500_000);
    // Only who makes it sets the end.
    assert_eq!(kept.kv.add(&ns("a"), &key("c"), add).await, Ok(10));
    kept.pass(500_000);
    assert_eq!(kept.value("c").await, None);
}

async fn a_number_is_added_to_and_nothing_else_is(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    assert_eq!(kept.add("n", 5).await, Ok(5));
    assert_eq!(kept.add("n", -7).await, Ok(-2));
    assert_eq!(kept.value("n").await.as_deref(), Some("-2"));
    kept.set("n", "9223372036854775807").await;
    assert_eq!(kept.add("n", 1).await, Err(KvError::SumTooLarge(key("n"))));
    kept.set("n", "-9223372036854775808").await;
    assert_eq!(kept.add("n", -1).await, Err(KvError::SumTooLarge(key("n"))));
    assert_eq!(kept.add("n", 0).await, Ok(i64::MIN));
    for value in ["1.0", "1e3", "\"1\"", "null", "[1]", "9223372036854775808", &string(1_000)] {
        kept.set("n", value).await;
        assert_eq!(kept.add("n", 1).await, Err(KvError::NotInteger(key("n"))), "{value}");
        assert_eq!(kept.value("n").await.as_deref(), Some(value));
    }
}

async fn a_list_is_in_the_order_of_bytes(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    // A language would sort them otherwise, and `_` and `%` mean something in a pattern.
    let keys = [
        "%",
        "A",
        "B",
        "_",
        "a",
        "a b",
        "a%",
        "a_",
        "aa",
        "ab",
        "b",
        "user:1",
        "user:10",
        "user:2",
        "user;",
        "~",
        "ä",
        "\u{ffff}",
        "\u{10000}",
    ];
    for key in keys.iter().rev() {
        kept.set(key, "1").await;
    }
    assert!(keys.is_sorted());
    assert_eq!(kept.list("", "", 1_000, 0).await, (keys.map(str::to_owned).to_vec(), None));
    let listed = async |prefix: &str, after: &str, limit| {
        let (keys, next) = kept.list(prefix, after, limit, 0).await;
        format!("{}|{}", keys.join(","), next.unwrap_or_default())
    };
    assert_eq!(listed("user:", "", 10).await, "user:1,user:10,user:2|");
    assert_eq!(listed("user:", "", 2).await, "user:1,user:10|user:10");
    assert_eq!(listed("user:", "user:10", 2).await, "user:2|");
    assert_eq!(listed("user:", "a", 10).await, "user:1,user:10,user:2|");
    assert_eq!(listed("user:", "z", 10).await, "|");
    assert_eq!(listed("user:", "user:15", 10).await, "user:2|");
    assert_eq!(listed("a_", "", 10).await, "a_|");
    assert_eq!(listed("a%", "", 10).await, "a%|");
    assert_eq!(listed("", "~", 10).await, "ä,\u{ffff},\u{10000}|");
    assert_eq!(listed("\u{10000}", "", 10).await, "\u{10000}|");
    assert_eq!(listed("", "", 3).await, "%,A,B|B");
    // EntryPage by page it is the whole.
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let (page, next) = kept.list("", &after, 4, 0).await;
        all.extend(page);
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(all, keys);
}

async fn a_page_ends_at_its_bytes(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    for at in ["a", "b", "c", "d"] {
        kept.set(at, &string(MAX_VALUE_BYTES)).await;
    }
    assert_eq!(kept.list("", "", 10, 0).await, (vec!["a".into()], Some("a".into())));
    assert_eq!(kept.list("", "", 10, 3 * MAX_VALUE_BYTES - 1).await, (vec!["a".into(), "b".into()], Some("b".into())));
    assert_eq!(kept.list("", "b", 10, 2 * MAX_VALUE_BYTES).await, (vec!["c".into(), "d".into()], None));
    assert_eq!(kept.list("", "", 3, 10 * MAX_VALUE_BYTES).await.1.as_deref(), Some("c"));
}

async fn a_full_namespace_refuses_what_makes_it_larger(fresh: Fresh) {
    let limits = KvLimits { max_keys: 3, max_bytes: 100 };
    let kept = Kept::within(&fresh, limits).await;
    for at in ["a", "b", "c"] {
        kept.set(at, &string(10)).await;
    }
    let full = kept.kv.set(&ns("a"), &key("d"), set("1")).await.unwrap_err();
    assert_eq!(full, KvError::TooManyKeys { namespace: ns("a"), limit: 3 });
    assert_eq!(full.to_string(), "the namespace `a` is full: it may hold 3 keys (`max_keys` in the section `[kv]` of picloud.toml)");
    assert!(matches!(kept.add("d", 1).await, Err(KvError::TooManyKeys { .. })));
    assert_eq!(kept.sizes().await, [("a".into(), 3, 33)]);
    // 22 bytes are those of the others, 1 is the key.
    kept.set("a", &string(77)).await;
    let full = kept.kv.set(&ns("a"), &key("a"), set(&string(78))).await.unwrap_err();
    assert_eq!(full, KvError::TooManyBytes { namespace: ns("a"), limit: 100 });
    assert_eq!(kept.sizes().await, [("a".into(), 3, 100)]);
    // Another namespace has its own room.
    assert!(kept.kv.set(&ns("b"), &key("d"), set("1")).await.is_ok());
    // With lower limits than it holds, it may become smaller.
    let less = StoredKeyValue::new(watch::channel(Some(kept.store.clone())).1, kept.clock.clone(), KvLimits { max_keys: 1, max_bytes: 10 });
    assert!(matches!(less.set(&ns("a"), &key("a"), set(&string(70))).await, Ok(SetResult::Done(_))));
    assert!(less.set(&ns("a"), &key("a"), set(&string(71))).await.is_err());
    for at in ["a", "b", "c"] {
        assert!(kept.delete(at).await);
    }
    assert_eq!(kept.sizes().await, [("b".into(), 1, 2)]);
}

async fn what_is_over_makes_room(fresh: Fresh) {
    let kept = Kept::within(&fresh, KvLimits { max_keys: 1_200, max_bytes: 100_000 }).await;
    let brief = Duration::from_secs(1);
    let filled = (0..1_200).map(async |number| match number {
        0..1_100 => kept.set_for(&format!("{number:04}"), "1", brief).await,
        _ => drop(kept.set(&format!("{number:04}"), "1").await),
    });
    join_all(filled).await;
    assert!(kept.kv.set(&ns("a"), &key("more"), set("1")).await.is_err());
    kept.pass(1_000_000);
    kept.set("more", "1").await;
    kept.set("0000", "2").await;
    assert_eq!(kept.list("", "", 3, 0).await, (vec!["0000".into(), "1100".into(), "1101".into()], Some("1101".into())));
    // What needs many bytes takes as many rows as it must.
    kept.set("large", &string(64_000)).await;
    kept.set("huge", &string(33_000)).await;
    assert!(kept.kv.set(&ns("a"), &key("huge"), set(&string(60_000))).await.is_err());
}

async fn what_is_over_goes_in_slices_and_is_no_longer_counted(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    kept.set("stays", "1").await;
    let sets = (0..1_300).map(async |number| kept.set_for(&format!("{number:05}"), "1", Duration::from_secs(1 + number % 2)).await);
    join_all(sets).await;
    assert_eq!(kept.sizes().await, [("a".into(), 1_301, 1_300 * 6 + 6)]);
    assert_eq!(kept.store.kv_remove_ended(NOW_US + 999_999).await.unwrap(), 0);
    assert_eq!(kept.store.kv_remove_ended(NOW_US + 1_000_000).await.unwrap(), 650);
    assert_eq!(kept.sizes().await, [("a".into(), 651, 650 * 6 + 6)]);
    assert_eq!(kept.store.kv_remove_ended(NOW_US + 9_000_000).await.unwrap(), 650);
    assert_eq!(kept.sizes().await, [("a".into(), 1, 6)]);
    assert_eq!(kept.value("stays").await.as_deref(), Some("1"));
}

async fn an_operator_s_write_is_written_down_and_a_refused_one_is_not(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    let ann = Actor { who: "ann".into(), origin: Origin::Cli };
    let write = async |change: KvChange| {
        let write = KvWrite::of_operator(&ann, &ns("a"), &key("k"), change, NOW_US, KvLimits::default());
        kept.store.kv_write(write).await.unwrap().is_done
    };
    assert!(write(KvChange::Set(set("1"))).await);
    assert!(!write(KvChange::Set(Set { if_version: Some(0), ..set("1") })).await);
    assert!(write(KvChange::Delete).await);
    assert!(!write(KvChange::Delete).await);
    let entries = kept.store.audit(&AuditFilter::default()).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.action).collect::<Vec<_>>(), [Action::KvDelete, Action::KvSet]);
    assert_eq!((&entries[1].detail, entries[1].who.as_str()), (&json!({ "namespace": "a", "key": "k" }), "ann"));
}

async fn namespaces_are_apart(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    for name in ["b", "B", "a"] {
        kept.kv.set(&ns(name), &key("k"), set(&format!("\"{name}\""))).await.unwrap();
    }
    assert!(kept.kv.delete(&ns("B"), &key("k")).await.unwrap());
    let value = async |name: &str| kept.kv.get(&ns(name), &key("k")).await.unwrap().map(|entry| entry.value.as_str().to_owned());
    assert_eq!([value("a").await, value("b").await, value("B").await], [Some("\"a\"".into()), Some("\"b\"".into()), None]);
    assert_eq!(kept.sizes().await, [("a".into(), 1, 4), ("b".into(), 1, 4)]);
    let everything = Range::new(None, None, 10, 0).unwrap();
    let page = kept.kv.list(&ns("a"), &everything).await.unwrap();
    let values: Vec<&Json> = page.entries.iter().map(|listed| &listed.entry.value).collect();
    assert_eq!(values, [&"\"a\"".parse::<Json>().unwrap()]);
}

#[tokio::test]
async fn without_a_database_it_says_that_it_does_not_answer() {
    let kv = StoredKeyValue::new(watch::channel(None).1, Arc::new(Held(AtomicI64::new(0))), KvLimits::default());
    assert_eq!(kv.get(&ns("a"), &key("k")).await, Err(KvError::Away));
    assert_eq!(kv.set(&ns("a"), &key("k"), set("1")).await, Err(KvError::Away));
}
