//! Random operations, against a map and a clock. `PICLOUD_KV_ROUNDS` says how many, `PICLOUD_TEST_SEED` repeats a run.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use picloud::capability::kv::{Add, EntryPage, Json, KeyValue, KeyedEntry, KvError, MAX_VERSION, Range, Set, SetResult, Ttl};

use super::{Duration, Fresh, Kept, key, ns, on_both};
use crate::kit::mutate::Random;

on_both! {
    random_operations_give_what_a_map_gives
}

const KEYS: [&str; 7] = ["a", "a/1", "a/2", "a\u{10ffff}", "b", "ä", "\u{10ffff}"];
/// The version of a sum that nobody has read yet.
const UNREAD: u64 = MAX_VERSION;
const NAMESPACES: [&str; 2] = ["one", "two"];

fn rounds() -> usize {
    std::env::var("PICLOUD_KV_ROUNDS").map_or(400, |rounds| rounds.parse().unwrap())
}

#[derive(Debug, Clone)]
struct Kind {
    value: String,
    version: u64,
    expires_us: Option<i64>,
}

/// What should be kept, and the highest version that each key ever had.
#[derive(Default)]
struct Model {
    entries: BTreeMap<(&'static str, &'static str), Kind>,
    highest: BTreeMap<(&'static str, &'static str), u64>,
    now_us: i64,
}

/// A write.
#[derive(Debug, Clone)]
enum Write {
    Set { value: String, ttl: Option<Ttl>, if_version: Option<u64> },
    Add(Add),
    Delete,
}

/// What a write is answered.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    SetResult(SetResult),
    Sum(Result<i64, KvError>),
    Deleted(bool),
}

impl Model {
    fn live(&self, at: (&'static str, &'static str)) -> Option<&Kind> {
        self.entries.get(&at).filter(|kind| kind.expires_us.is_none_or(|end| end > self.now_us))
    }

    /// Compares an answer with the one that is right, and does the write.
    fn check(&mut self, at: (&'static str, &'static str), write: &Write, answer: &Answer) {
        let live = self.live(at).cloned();
        let version = live.as_ref().map_or(0, |kind| kind.version);
        match (write, answer) {
            (Write::Set { if_version: Some(wanted), .. }, Answer::SetResult(SetResult::Conflict(found))) => {
                assert_ne!(wanted, found, "{at:?} {write:?}");
                match version {
                    UNREAD => self.entries.get_mut(&at).unwrap().version = *found,
                    known => assert_eq!(*found, known, "{at:?} {write:?}"),
                }
            }
            (Write::Set { value, ttl, if_version }, Answer::SetResult(SetResult::Done(new))) => {
                let is_wanted = if_version.is_none_or(|wanted| wanted == version || version == UNREAD);
                assert!(is_wanted, "{at:?} {write:?} at {version}");
                assert!(*new > self.highest.get(&at).copied().unwrap_or(0), "{at:?}: {new} was there before");
                self.highest.insert(at, *new);
                let expires_us = ttl.map(|ttl| ttl.end_us(self.now_us));
                self.entries.insert(at, Kind { value: value.clone(), version: *new, expires_us });
            }
            (Write::Add(Add { delta, ttl }), Answer::Sum(sum)) => {
                let number = live.as_ref().map_or(Ok(0), |kind| kind.value.parse::<i64>());
                let expected = match number {
                    Err(_) => Err(KvError::NotInteger(key(at.1))),
                    Ok(number) => number.checked_add(*delta).ok_or(KvError::SumTooLarge(key(at.1))),
                };
                assert_eq!(*sum, expected, "{at:?} {write:?}");
                if let Ok(sum) = sum {
                    let expires_us = live.map_or(ttl.map(|ttl| ttl.end_us(self.now_us)), |kind| kind.expires_us);
                    self.entries.insert(at, Kind { value: sum.to_string(), version: UNREAD, expires_us });
                }
            }
            (Write::Delete, Answer::Deleted(was_there)) => {
                assert_eq!(*was_there, live.is_some(), "{at:?}");
                self.entries.remove(&at);
            }
            other => panic!("{at:?}: {other:?}"),
        }
    }

    /// Compares what is read with what should be there, and takes the versions of sums from it.
    fn compare(&mut self, at: (&'static str, &'static str), found: Option<(String, u64, Option<i64>)>) {
        let expected = self.live(at).cloned();
        let shown = found.as_ref().map(|(value, _, end)| (value.clone(), *end));
        assert_eq!(shown, expected.as_ref().map(|kind| (kind.value.clone(), kind.expires_us)), "{at:?}");
        let Some((Some((_, version, _)), kind)) = found.map(|found| (Some(found), self.entries.get_mut(&at).unwrap())) else { return };
        let highest = self.highest.entry(at).or_default();
        match kind.version {
            UNREAD => assert!(version > *highest, "{at:?}: {version} was there before"),
            known => assert_eq!(version, known, "{at:?}"),
        }
        (kind.version, *highest) = (version, version.max(*highest));
    }

    fn page(&self, namespace: &'static str, prefix: &str, after: &str, limit: usize) -> (Vec<&'static str>, Option<&'static str>) {
        let keys: Vec<&str> = (KEYS.into_iter())
            .filter(|key| self.live((namespace, key)).is_some() && key.starts_with(prefix) && (after.is_empty() || *key > after))
            .collect();
        let next = if keys.len() > limit { Some(keys[limit - 1]) } else { None };
        (keys.into_iter().take(limit).collect(), next)
    }
}

fn some_write(random: &mut Random, model: &Model, at: (&'static str, &'static str)) -> Write {
    let ttl =
        |random: &mut Random| (random.below(3) == 0).then(|| Ttl::try_from(Duration::from_millis(1 + random.below(40) as u64)).unwrap());
    let number = |random: &mut Random| *random.one(&[0, 1, -1, 7, i64::MAX, i64::MIN]);
    match random.below(8) {
        0 | 1 => Write::Delete,
        2..=4 => Write::Add(Add { delta: number(random), ttl: ttl(random) }),
        _ => {
            let value = *random.one(&["null", "\"x\"", "1.5", "[1,{\"a\":\"ä\"}]", "\"a long text that no number has\""]);
            let value = if random.below(2) == 0 { number(random).to_string() } else { value.to_owned() };
            let known = model.live(at).map_or(0, |kind| kind.version);
            let stale = model.highest.get(&at).copied().unwrap_or(3);
            let if_version = *random.one(&[None, None, Some(0), Some(known), Some(stale), Some(1)]);
            Write::Set { value, ttl: ttl(random), if_version }
        }
    }
}

async fn perform(kept: &Kept, (namespace, at): (&str, &str), write: Write) -> Answer {
    let (namespace, at) = (ns(namespace), key(at));
    match write {
        Write::Set { value, ttl, if_version } => {
            let set = Set { value: value.parse::<Json>().unwrap(), ttl, if_version };
            Answer::SetResult(kept.kv.set(&namespace, &at, set).await.unwrap())
        }
        Write::Add(add) => Answer::Sum(kept.kv.add(&namespace, &at, add).await),
        Write::Delete => Answer::Deleted(kept.kv.delete(&namespace, &at).await.unwrap()),
    }
}

async fn random_operations_give_what_a_map_gives(fresh: Fresh) {
    let seed = std::env::var("PICLOUD_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    eprintln!("PICLOUD_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let kept = Kept::open(&fresh).await;
    let mut model = Model { now_us: super::NOW_US, ..Model::default() };
    for _ in 0..rounds() {
        // Writes that come together are done in their order, whatever transactions they are in. Each has a key of its own half of the time.
        let mut writes = Vec::new();
        for _ in 0..=random.below(6) {
            let at = (*random.one(&NAMESPACES), *random.one(&KEYS));
            writes.push((at, some_write(&mut random, &model, at)));
        }
        let answers = join_all(writes.iter().map(|(at, write)| perform(&kept, *at, write.clone()))).await;
        for ((at, write), answer) in writes.iter().zip(&answers) {
            model.check(*at, write, answer);
        }
        if random.below(4) == 0 {
            let us = 1 + random.below(30_000) as i64;
            kept.pass(us);
            model.now_us += us;
        }
        if random.below(8) == 0 {
            kept.store.kv_remove_ended(model.now_us).await.unwrap();
        }
        for namespace in NAMESPACES {
            let at = (namespace, *random.one(&KEYS));
            let entry = kept.kv.get(&ns(namespace), &key(at.1)).await.unwrap();
            model.compare(at, entry.map(|entry| (entry.value.as_str().to_owned(), entry.version, entry.expires_us)));
            let (prefix, after, limit) = (*random.one(&["", "a", "a/", "z"]), *random.one(&["", "a", "a/1", "b"]), 1 + random.below(8));
            let optional = |text: &str| (!text.is_empty()).then(|| key(text));
            let range = Range::new(optional(prefix), optional(after), limit as u32, 0).unwrap();
            let EntryPage { entries, next } = kept.kv.list(&ns(namespace), &range).await.unwrap();
            let (keys, expected_next) = model.page(namespace, prefix, after, limit);
            let found: Vec<&str> = entries.iter().map(|listed| listed.key.as_str()).collect();
            assert_eq!((found, next.as_ref().map(|key| key.as_str())), (keys.clone(), expected_next), "{prefix:?} {after:?} {limit}");
            for (at, KeyedEntry { entry, .. }) in keys.into_iter().zip(entries) {
                model.compare((namespace, at), Some((entry.value.as_str().to_owned(), entry.version, entry.expires_us)));
            }
        }
    }
    // What is counted is what is there.
    kept.store.kv_remove_ended(model.now_us).await.unwrap();
    model.entries.retain(|_, kind| kind.expires_us.is_none_or(|end| end > model.now_us));
    for namespace in NAMESPACES {
        let of = model.entries.iter().filter(|((in_namespace, _), _)| *in_namespace == namespace);
        let (keys, bytes) = of.fold((0, 0), |(keys, bytes), ((_, at), kind)| (keys + 1, bytes + (at.len() + kind.value.len()) as u64));
        let sizes = kept.sizes().await;
        let found = sizes.iter().find(|(name, ..)| name == namespace).map_or((0, 0), |(_, keys, bytes)| (*keys, *bytes));
        assert_eq!(found, (keys, bytes), "{namespace}");
    }
}
