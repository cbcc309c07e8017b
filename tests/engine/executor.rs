//! Tables of functions that are loaded side by side: what they share is one, and what nobody holds is let go.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::kit::script::{function, invocation, on_a_runtime, on_big_stack, tree};
use futures_util::FutureExt;
use picloud::{
    engine::{Control, Engine, script::SourceFiles},
    execution::Outcome,
    executor::{
        ExecuteError, Executor,
        local::{Capacity, LocalExecutor},
    },
    function::{Function, LimitPolicy, SharedFunction, Tree},
    sync::check::Checker,
};

fn executor(engine: &Arc<Engine>) -> LocalExecutor {
    LocalExecutor::new(engine.clone(), &Capacity::default(), Arc::new(|_| ()))
}

fn functions(checker: &mut Checker, files: &[(&str, &str)]) -> Vec<SharedFunction> {
    let report = checker.check(&Arc::new(tree(files)));
    assert!(report.is_good(), "{:?}", report.diagnostics);
    report.functions.values().cloned().collect()
}

async fn answer(executor: &dyn Executor, function: &SharedFunction) -> Result<String, ExecuteError> {
    let finished = executor.execute(function.version, invocation("/", &[], ""), None).await?;
    Ok(String::from_utf8(finished.reply.unwrap().body.to_vec()).unwrap())
}

#[test]
fn tables_that_are_loaded_side_by_side_share_functions_and_free_their_own() {
    on_a_runtime(|| async {
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let executor = executor(&engine);
        let mut live_checker = Checker::new(engine.clone());
        let live = functions(&mut live_checker, &[("a.rhai", "1"), ("b.rhai", "2"), ("c.rhai", "3")]);
        executor.load(&live).await.unwrap();
        // A busy machine may let a first run look slow.
        for _ in 0..100 {
            assert_eq!(answer(&executor, &live[0]).await.unwrap(), "1");
        }
        let mut gone: Vec<Weak<Function>> = Vec::new();
        for number in 0..200 {
            let script = format!("\"old {number}\"");
            let mut checker = Checker::new(engine.clone());
            let old = functions(&mut checker, &[("a.rhai", "1"), ("b.rhai", &script), ("c.rhai", "3")]);
            executor.load(&old).await.unwrap();
            drop(checker);
            engine.forget_unheld();
            assert!(Arc::ptr_eq(&old[0], &live[0]) && Arc::ptr_eq(&old[2], &live[2]));
            assert_eq!(answer(&executor, &old[1]).await.unwrap(), format!("old {number}"));
            assert_eq!(answer(&executor, &live[1]).await.unwrap(), "2");
            gone.push(Arc::downgrade(&old[1]));
        }
        // It is known to be fast since before, and so answers at once.
        executor.load(&live).await.unwrap();
        let again = executor.execute(live[0].version, invocation("/", &[], ""), None).now_or_never();
        assert!(again.is_some_and(|finished| finished.is_ok()));
        assert_eq!(gone.iter().filter(|function| function.strong_count() > 0).count(), 0);
    });
}

/// Light where `times` is not given. Heavy ones count few operations, and use milliseconds at each.
const NOT_WHAT_THEY_SEEM: [&str; 3] = [
    "let s = \"\"; let n = 0; if ctx.request.query.times != () { s.pad(800_000, \"xyz\u{e9}\"); loop { n += s.to_upper().len(); } } n",
    "let s = \"\"; let n = 0; if ctx.request.query.times != () { s.pad(800_000, \"xyz\u{e9}\"); loop { if s.contains(\"xz\") { n += 1; } } } n",
    "let a = []; let n = 0; if ctx.request.query.times != () { a.pad(30_000, 1); loop { let b = a; b.reverse(); n += b.len(); } } n",
];

#[test]
fn a_run_that_is_not_as_fast_as_those_before_goes_on_elsewhere_and_can_be_cancelled() {
    on_a_runtime(|| async {
        for script in NOT_WHAT_THEY_SEEM {
            let engine = Arc::new(Engine::new(LimitPolicy::default()));
            let (left, mut leavers) = tokio::sync::mpsc::unbounded_channel();
            let executor =
                LocalExecutor::new(engine.clone(), &Capacity::default(), Arc::new(move |execution| left.send(execution).unwrap()));
            let functions = functions(&mut Checker::new(engine), &[("a.rhai", script)]);
            executor.load(&functions).await.unwrap();
            let light = || executor.execute(functions[0].version, invocation("/", &[], ""), None);
            for _ in 0..100 {
                light().await.unwrap();
            }
            // A busy machine may let it doubt for a moment, but it is known to be fast.
            let mut is_fast = false;
            for _ in 0..1_000 {
                let mut next = light();
                match (&mut next).now_or_never() {
                    Some(_) => is_fast = true,
                    None => drop(next.await.unwrap()),
                }
                if is_fast {
                    break;
                }
            }
            assert!(is_fast, "{script}");
            let mut heavy = executor.execute(functions[0].version, invocation("/?times=1", &[], ""), None);
            assert!((&mut heavy).now_or_never().is_none(), "{script}");
            assert_eq!(executor.usage().running.values().sum::<u32>(), 1, "it counts as one run");
            // The pool may be done before anybody looks, but not each time.
            let mut is_elsewhere = false;
            for _ in 0..10 {
                let mut next = light();
                match (&mut next).now_or_never() {
                    Some(done) => drop(done.unwrap()),
                    None => {
                        is_elsewhere = true;
                        next.await.unwrap();
                    }
                }
            }
            assert!(is_elsewhere, "after a slow run it is not where connections are served: {script}");
            drop(heavy);
            let execution = tokio::time::timeout(Duration::from_secs(30), leavers.recv()).await.unwrap().unwrap();
            assert_eq!(execution.outcome, Outcome::Cancelled);
        }
    });
}

#[test]
fn a_run_that_ended_just_before_its_client_left_is_on_record() {
    on_a_runtime(|| async {
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let (left, mut leavers) = tokio::sync::mpsc::unbounded_channel();
        let executor = LocalExecutor::new(engine.clone(), &Capacity::default(), Arc::new(move |execution| left.send(execution).unwrap()));
        let functions = functions(&mut Checker::new(engine), &[("a.rhai", "for n in 0..10_000 {} 1")]);
        executor.load(&functions).await.unwrap();
        // It is too long for any other place than the pool, which may be done before anybody looks, but not each time.
        let run = loop {
            let mut run = executor.execute(functions[0].version, invocation("/", &[], ""), None);
            if (&mut run).now_or_never().is_none() {
                break run;
            }
        };
        while executor.usage().pool_running > 0 {
            tokio::task::yield_now().await;
        }
        assert!(leavers.try_recv().is_err());
        drop(run);
        assert_eq!(leavers.try_recv().unwrap().outcome, Outcome::Ok);
    });
}

#[test]
fn a_function_that_uses_its_time_in_few_operations_is_not_fast() {
    on_a_runtime(|| async {
        let script = "let s = \"\"; s.pad(800_000, \"xyz\u{e9}\"); s.to_upper().len() + s.to_lower().len()";
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let executor = executor(&engine);
        let functions = functions(&mut Checker::new(engine), &[("a.rhai", script)]);
        executor.load(&functions).await.unwrap();
        for _ in 0..20 {
            let mut run = executor.execute(functions[0].version, invocation("/", &[], ""), None);
            assert!((&mut run).now_or_never().is_none());
            assert!(run.await.unwrap().execution.operations < 100);
        }
    });
}

#[test]
fn what_a_request_holds_stays_ready() {
    on_a_runtime(|| async {
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let executor = executor(&engine);
        let mut checker = Checker::new(engine.clone());
        let old = functions(&mut checker, &[("a.rhai", "1"), ("b.rhai", "1")]);
        executor.load(&old).await.unwrap();
        let (held, dropped) = (old[0].clone(), Arc::downgrade(&old[1]));
        drop(old);
        let new = functions(&mut checker, &[("a.rhai", "2")]);
        checker.forget_others();
        executor.load(&new).await.unwrap();
        assert_eq!(answer(&executor, &held).await.unwrap(), "1");
        assert_eq!(dropped.strong_count(), 0);
    });
}

#[test]
fn two_checks_at_once_make_one_function_of_a_version() {
    let engine = Arc::new(Engine::new(LimitPolicy::default()));
    let files: Vec<(String, String)> = (0..50).map(|number| (format!("f{number}.rhai"), number.to_string())).collect();
    let check = {
        let engine = engine.clone();
        move || {
            let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
            let mut checker = Checker::new(engine);
            let functions = functions(&mut checker, &files);
            (functions, checker)
        }
    };
    // What the live loop forgets, and what serving earlier deployments does, a check that is under way compiles again.
    let forgetful = std::thread::spawn(move || {
        for _ in 0..1_000 {
            engine.forget_all_but(SourceFiles { tree: &Tree::new(), limits: &|_| Err(&[]) });
            engine.forget_unheld();
        }
    });
    let others: Vec<_> = (0..3).map(|_| std::thread::spawn(check.clone())).collect();
    let (first, _checker) = on_big_stack(check);
    for other in others {
        let (functions, _checker) = other.join().unwrap();
        assert!(first.iter().zip(&functions).all(|(one, other)| Arc::ptr_eq(one, other)));
    }
    forgetful.join().unwrap();
}

/// Work of all kinds that leaves nothing behind.
const TIDY: [&str; 12] = [
    "1",
    "let a = []; for i in 0..20 { a.push(`item ${i}`); } #{a: a, m: #{b: a}}",
    "let n = 0; let add = |x| n += x; for i in 0..5 { add.call(i); } n",
    "let f = || 1; for i in 0..50 { let g = f; f = || g.call(); } 0",
    "log::info(ctx.request.query); log::warn([1, #{a: ctx.request.headers}]); ctx.request.body",
    "#{statusCode: 201, headers: #{\"x-a\": [\"1\", \"2\"]}, body: blob(1000, 7)}",
    "throw #{code: 7, text: ctx.request.path}",
    "fn f(n) { if n == 0 { throw \"deep\" } f(n - 1) } f(5)",
    "let s = \"\"; s.pad(2_000, \"x\"); [s, s.to_upper(), s.split(\"x\").len()]",
    "let a = [3, 1, 2]; a.sort(|x, y| y - x); a.map(|x| x * 2).filter(|x| x > 2)",
    "try { [1][9] } catch (error) { parse_json(`{\"a\": [1, 2, \"${error}\"]}`) }",
    "|x| x",
];

#[test]
fn a_function_that_leaves_nothing_behind_counts_none() {
    on_big_stack(|| {
        let engine = Engine::new(LimitPolicy::default());
        for script in TIDY {
            let tree = tree(&[("f.rhai", script)]);
            let program = engine.program(&function(&engine, &tree).unwrap()).unwrap();
            for round in 0..3 {
                let invocation = invocation("/f?name=Ada", &[("x-one", "1"), ("content-type", "application/json")], "{\"a\":[1]}");
                let finished = engine.run(&program, invocation, Control::default()).unwrap();
                assert_eq!(finished.leaked_bytes, 0, "round {round} of {script}");
            }
        }
    });
}

#[test]
fn a_function_that_leaks_is_refused_until_it_changes() {
    const CYCLE: &str = "+++\nlimits.leak = \"256KiB\"\n+++\nlet m = #{ bytes: blob(30_000) }; m.f = || m; \"leaked\"";
    on_a_runtime(|| async {
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let executor = executor(&engine);
        let mut checker = Checker::new(engine.clone());
        let live = functions(&mut checker, &[("a.rhai", CYCLE), ("b.rhai", "1")]);
        executor.load(&live).await.unwrap();
        for _ in 0..9 {
            assert_eq!(answer(&executor, &live[0]).await.unwrap(), "leaked");
        }
        let refused = answer(&executor, &live[0]).await.unwrap_err();
        assert!(matches!(refused, ExecuteError::Leaks { .. }), "{refused}");
        assert_eq!(refused.to_string(), "the function leaked more than 256 KiB");
        assert_eq!(answer(&executor, &live[1]).await.unwrap(), "1");

        // Loading the same version again forgives nothing, another one begins anew.
        executor.load(&live).await.unwrap();
        assert!(answer(&executor, &live[0]).await.is_err());
        let mended = functions(&mut checker, &[("a.rhai", "\"mended\""), ("b.rhai", "1")]);
        executor.load(&mended).await.unwrap();
        assert_eq!(answer(&executor, &mended[0]).await.unwrap(), "mended");
    });
}

#[test]
fn what_a_run_leaks_on_its_way_to_a_failure_counts() {
    for script in [
        "let m = #{ bytes: blob(30_000) }; m.f = || m; throw \"over\"",
        "let m = #{ bytes: blob(30_000) }; m.f = || m; throw m",
        "let m = #{ bytes: blob(30_000) }; m.f = || m; m",
        "let m = #{ bytes: blob(30_000) }; m.f = || m; loop {}",
    ] {
        let leaked = crate::kit::script::run(&format!("+++\nlimits.operations = 10_000\n+++\n{script}")).leaked_bytes;
        assert!((30_000..32_000).contains(&leaked), "{leaked} leaked by {script}");
    }
}

/// Both ways to run, on threads that serve connections too: no noise adds up to a leak.
#[test]
fn a_tidy_function_is_never_refused() {
    const RUNS: usize = 100_000;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(crate::kit::script::STACK)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let executor = Arc::new(executor(&engine));
        let files: Vec<(String, String)> =
            (0..).zip(TIDY).map(|(n, script)| (format!("f{n}.rhai"), format!("+++\nlimits.leak = 1000\n+++\n{script}"))).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let mut checker = Checker::new(engine.clone());
        let live = Arc::new(functions(&mut checker, &files));
        executor.load(&live).await.unwrap();
        let workers = (0..2).map(|_| {
            let (executor, live) = (executor.clone(), live.clone());
            tokio::spawn(async move {
                for function in live.iter().cycle().take(RUNS / 2) {
                    executor.execute(function.version, invocation("/f?a=1", &[], ""), None).await.unwrap();
                }
            })
        });
        futures_util::future::try_join_all(workers).await.unwrap();
    });
}

#[test]
fn what_a_module_keeps_between_runs_counts_until_it_is_let_go() {
    const MODULE: &str =
        "let all = []; export const put = |size| { all.clear(); all.push(blob(size)); 0 }; fn keep(size) { global::put.call(size) }";
    on_big_stack(|| {
        let engine = Engine::new(LimitPolicy::default());
        let tree = tree(&[("f.rhai", "import \"kept\" as kept; kept::keep(ctx.request.body)"), ("_lib/kept.rhai", MODULE)]);
        let program = engine.program(&function(&engine, &tree).unwrap()).unwrap();
        let leaked = ["0", "10000", "30000", "30000", "0"].map(|size| {
            let invocation = invocation("/f", &[("content-type", "application/json")], size);
            engine.run(&program, invocation, Control::default()).unwrap().leaked_bytes
        });
        assert_eq!(leaked[1..], [10_000, 20_000, 0, -30_000]);
    });
}
