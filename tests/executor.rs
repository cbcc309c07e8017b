//! Tables of functions that are loaded side by side: what they share is one, and what nobody holds is let go.

mod support;

use std::sync::{Arc, Weak};

use futures_util::FutureExt;
use picloud::{
    engine::Engine,
    executor::{
        Executor, Refused,
        local::{LocalExecutor, Settings},
    },
    function::{Function, LimitPolicy, SharedFunction, Tree},
    sync::check::Checker,
};
use support::{invocation, on_a_runtime, on_big_stack, tree};

fn executor(engine: &Arc<Engine>) -> LocalExecutor {
    LocalExecutor::new(engine.clone(), &Settings::default(), Arc::new(|_| ()))
}

fn functions(checker: &mut Checker, files: &[(&str, &str)]) -> Vec<SharedFunction> {
    let report = checker.check(&Arc::new(tree(files)));
    assert!(report.is_good(), "{:?}", report.diagnostics);
    report.functions.values().cloned().collect()
}

async fn answer(executor: &dyn Executor, function: &SharedFunction) -> Result<String, Refused> {
    let finished = executor.execute(function, invocation("/", &[], "")).await?;
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
        assert_eq!(answer(&executor, &live[0]).await.unwrap(), "1");
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
        let again = executor.execute(&live[0], invocation("/", &[], "")).now_or_never();
        assert!(again.is_some_and(|finished| finished.is_ok()));
        assert_eq!(gone.iter().filter(|function| function.strong_count() > 0).count(), 0);
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
    // What the live loop forgets, and what the archive does, a check that is under way compiles again.
    let forgetful = std::thread::spawn(move || {
        for _ in 0..1_000 {
            engine.forget_all_but(&Tree::new());
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
