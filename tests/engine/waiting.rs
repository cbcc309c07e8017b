//! Runs that wait for something outside: they keep no other run from computing, end with their time, and are recorded.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use picloud::{
    capability::{
        Capabilities,
        kv::{Add, Entry, EntryPage, Key, KeyValue, KvError, Range, Set, SetResult},
    },
    engine::Engine,
    execution::{Capture, EffectKind, Finished, KeptResults, Outcome},
    executor::{
        ExecuteError, Executor,
        local::{Capacity, LocalExecutor},
    },
    function::{LimitPolicy, SharedFunction, grants::kv::Namespace},
    sync::check::Checker,
};
use tokio::sync::Semaphore;

use crate::kit::script::{findings, invocation, on_a_runtime, tree};

/// A store that answers when it is let.
struct Gate {
    /// Answers that may be given.
    open: Semaphore,
    /// Requests that are under way.
    waiting: AtomicUsize,
    /// Requests that came.
    asked: Mutex<Vec<String>>,
}

/// Counts a request for as long as somebody waits for it.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate {
    fn new(answers: usize) -> Arc<Self> {
        Arc::new(Self { open: Semaphore::new(answers), waiting: AtomicUsize::new(0), asked: Mutex::default() })
    }

    async fn pass(&self, asked: String) {
        self.asked.lock().unwrap().push(asked);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        self.open.acquire().await.unwrap().forget();
    }

    async fn until_waiting(&self, count: usize) {
        let is_so = async {
            while self.waiting.load(Ordering::SeqCst) != count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), is_so).await.unwrap_or_else(|_| panic!("{count} never waited"));
    }
}

#[async_trait]
impl KeyValue for Gate {
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, KvError> {
        self.pass(format!("get {namespace}/{key}")).await;
        Ok(Some(Entry { value: format!("\"of {key}\"").parse().unwrap(), version: 7, expires_us: None }))
    }

    async fn set(&self, namespace: &Namespace, key: &Key, set: Set) -> Result<SetResult, KvError> {
        self.pass(format!("set {namespace}/{key} {} {:?}", set.value.as_str(), set.if_version)).await;
        // Another was faster, the first time.
        let tries = self.asked.lock().unwrap().iter().filter(|asked| asked.starts_with("set")).count();
        Ok(if set.if_version.is_some() && tries == 1 { SetResult::Conflict(8) } else { SetResult::Done(9) })
    }

    async fn add(&self, _: &Namespace, key: &Key, add: Add) -> Result<i64, KvError> {
        self.pass(format!("add {key}")).await;
        Ok(add.delta + 1)
    }

    async fn delete(&self, _: &Namespace, key: &Key) -> Result<bool, KvError> {
        self.pass(format!("delete {key}")).await;
        Ok(true)
    }

    async fn list(&self, _: &Namespace, _: &Range) -> Result<EntryPage, KvError> {
        self.pass("list".into()).await;
        Err(KvError::Away)
    }
}

/// Functions that are ready to run.
struct Loaded {
    executor: LocalExecutor,
    functions: Vec<SharedFunction>,
}

async fn loaded(store: &Arc<Gate>, capacity: &Capacity, files: &[(&str, &str)]) -> Loaded {
    let engine = Arc::new(Engine::new(LimitPolicy::default()));
    engine.offer(Capabilities { kv: Some(store.clone()), ..Capabilities::default() });
    let executor = LocalExecutor::new(engine.clone(), capacity, Arc::new(|_| ()));
    let report = Checker::new(engine).check(&Arc::new(tree(files)));
    assert!(report.is_good(), "{:?}", report.diagnostics);
    let functions: Vec<_> = report.functions.values().cloned().collect();
    executor.load(&functions).await.unwrap();
    Loaded { executor, functions }
}

impl Loaded {
    async fn run(&self, number: usize) -> Result<Finished, ExecuteError> {
        self.executor.execute(self.functions[number].version, invocation("/", &[], ""), None).await
    }

    async fn replay(&self, results: Option<KeptResults>) -> Finished {
        let mut invocation = invocation("/", &[], "");
        invocation.capture = Some(Box::new(Capture::of(&invocation.request, None, 1_000).with_results(100_000)));
        invocation.replay = results;
        self.executor.execute(self.functions[0].version, invocation, None).await.unwrap()
    }
}

fn body(finished: &Finished) -> String {
    let reply = finished.reply.as_ref().unwrap_or_else(|| panic!("{:?}", finished.execution.failure));
    String::from_utf8(reply.body.to_vec()).unwrap()
}

const WAITS: &str = "+++\ntimeout = \"30s\"\n[limits]\nconcurrency = 300\n[kv]\n+++\nkv::get(\"a\")";

#[test]
fn three_hundred_that_wait_keep_nobody_from_running() {
    on_a_runtime(|| async {
        let store = Gate::new(0);
        let node =
            loaded(&store, &Capacity::default(), &[("a.rhai", WAITS), ("b.rhai", "let n = 0; for i in 0..5000 { n += i; } n")]).await;
        let waiting = join_all((0..300).map(|_| node.run(0)));
        let others = async {
            store.until_waiting(300).await;
            assert!(matches!(node.executor.usage().pool_running, 0), "who waits has no place");
            for _ in 0..20 {
                assert_eq!(body(&node.run(1).await.unwrap()), "12497500");
            }
            store.open.add_permits(300);
        };
        let (answers, ()) = tokio::join!(waiting, others);
        assert!(answers.iter().all(|answer| body(answer.as_ref().unwrap()) == "of a"));
    });
}

#[test]
fn no_more_wait_than_may() {
    on_a_runtime(|| async {
        let store = Gate::new(0);
        let node = loaded(&store, &Capacity { max_waiting: 3, ..Capacity::default() }, &[("a.rhai", WAITS)]).await;
        let waiting = join_all((0..3).map(|_| node.run(0)));
        let fourth = async {
            store.until_waiting(3).await;
            assert!(matches!(node.run(0).await, Err(ExecuteError::NodeWaits { limit: 3 })));
            store.open.add_permits(4);
        };
        let (answers, ()) = tokio::join!(waiting, fourth);
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(body(&node.run(0).await.unwrap()), "of a", "a place that was given back is there again");
    });
}

#[test]
fn a_wait_ends_with_the_time_of_its_run_and_when_its_caller_leaves() {
    on_a_runtime(|| async {
        let store = Gate::new(0);
        let script = "+++\ntimeout = \"50ms\"\n[kv]\n+++\ntry { kv::get(\"a\") } catch { } \"on\"";
        let node = loaded(&store, &Capacity::default(), &[("a.rhai", script), ("b.rhai", WAITS)]).await;
        let late = node.run(0).await.unwrap();
        assert_eq!(late.execution.outcome, Outcome::TimedOut, "{:?}", late.execution.failure);
        let effects: Vec<_> = late.execution.effects.iter().map(|effect| (effect.target.as_str(), effect.outcome.as_str())).collect();
        assert_eq!(effects, [("get default/a", "timed_out")], "the store may have been asked");
        store.until_waiting(0).await;
        {
            let run = node.run(1);
            tokio::pin!(run);
            tokio::select! {
                _ = &mut run => panic!("it cannot end"),
                () = store.until_waiting(1) => {}
            }
        }
        store.until_waiting(0).await;
    });
}

#[test]
fn what_a_run_asks_is_recorded_and_given_again_in_a_replay() {
    on_a_runtime(|| async {
        let store = Gate::new(100);
        let script = "+++\n[kv]\nname = \"orders\"\n+++\nlet a = kv::get(\"a\");\nlet n = kv::add(\"n\", 4);\nlet u = kv::update(\"u\", |v| v + \"!\");\nlet l = ();\ntry { kv::list() } catch(e) { l = e.kind; }\nlog::info(n);\n`${a} ${n} ${u} ${l}`";
        let node = loaded(&store, &Capacity::default(), &[("a.rhai", script)]).await;
        let first = node.replay(None).await;
        assert_eq!(body(&first), "of a 5 of u! unavailable");
        let effects: Vec<_> =
            first.execution.effects.iter().map(|effect| (effect.target.as_str(), effect.outcome.as_str(), effect.failed)).collect();
        let expected = [
            ("get orders/a", "found", false),
            ("add orders/n", "ok", false),
            ("get orders/u", "found", false),
            ("set orders/u", "conflict", false),
            ("get orders/u", "found", false),
            ("set orders/u", "ok", false),
            ("list orders/", "error", true),
        ];
        assert_eq!(effects, expected);
        assert!(first.execution.effects.iter().all(|effect| effect.kind == EffectKind::Kv && !effect.replayed));
        assert_eq!((first.execution.effects[0].received_bytes, first.execution.effects[3].sent_bytes), (6, 7));

        let asked = store.asked.lock().unwrap().len();
        let results = || Some(first.execution.capture.clone().unwrap().take_results());
        let again = node.replay(results()).await;
        assert_eq!((body(&again), store.asked.lock().unwrap().len()), (body(&first), asked), "nothing was asked again");
        assert_eq!(again.execution.logs.len(), 1);
        assert!(again.execution.effects.len() == effects.len() && again.execution.effects.iter().all(|effect| effect.replayed));

        let other = loaded(
            &store,
            &Capacity::default(),
            &[("a.rhai", "+++\n[kv]\nname = \"orders\"\n+++\ntry { kv::get(\"a\"); kv::get(\"b\") } catch { }")],
        )
        .await;
        let departed = other.replay(results()).await;
        let failure = departed.execution.failure.as_ref().unwrap();
        assert_eq!(failure.message, "it asks `kv get orders/b`, recorded was `kv add orders/n`");
        assert_eq!(store.asked.lock().unwrap().len(), asked);
    });
}

#[test]
fn what_is_not_declared_cannot_be_used() {
    let of = |front: &str, script: &str| findings(&[("f.rhai", &format!("{front}{script}"))]).join("\n");
    for (front, script, found) in [
        ("+++\ndescription = \"a\"\n+++\n", "kv::get(\"a\")", "add `[kv]` to it"),
        ("", "kv::get(\"a\")", "begin the file with a front-matter: a line `+++`, then `[kv]`, then another line `+++`"),
        ("", "http::get(\"https://api.example.org/x\")", "`[http]` with `allow = [\"https://api.example.org\"]`"),
        ("+++\n[http]\nallow = [\"https://a.example.org\"]\n+++\n", "http::get(`https://b.example.org/${1}`)", "https://b.example.org"),
        ("", "secret(\"KEY\")", "then `secrets = [\"KEY\"]`, then"),
        ("+++\nsecrets = [\"A\"]\n+++\n", "secret(\"B\")", "does not declare the secret `B`"),
        ("", "kv::gett(\"a\")", "did you mean `get`?"),
        ("+++\n[kv]\n+++\n", "kv::get()", "takes 1 or 2 argument(s), not 0"),
    ] {
        let told = of(front, script);
        assert!(told.contains(found), "{script}: {told}");
    }
    assert_eq!(of("+++\n[kv]\n+++\n", "kv::get(\"a\")"), "");
    let in_module = findings(&[("f.rhai", "import \"m\" as m; m::f()"), ("_lib/m.rhai", "fn f() { kv::get(\"a\") }")]).join("\n");
    assert!(in_module.contains("the front-matter of `f.rhai` does not declare") && in_module.contains("_lib/m.rhai:1"), "{in_module}");
}
