//! A function made from text, run on the engine alone.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use picloud::{
    deployment::DeploymentId,
    engine::{Control, Engine, program, script::SourceFiles},
    execution::{Execution, ExecutionId, Finished, HttpRequest, Invocation, Trigger},
    function::{
        Content, Diagnostic, Function, FunctionName, LimitPolicy, Limits, Role, Route, ScriptId, SharedFunction, Tree, TreeSettings,
        route::Methods,
    },
};

/// Makes a tree of these files.
pub fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).into(), Content::new(text.as_bytes()))).collect()
}

/// Makes the function of `f.rhai` in this tree.
pub fn function(engine: &Engine, tree: &Tree) -> Result<SharedFunction, Vec<Diagnostic>> {
    let file: picloud::function::FilePath = "f.rhai".into();
    let settings = TreeSettings::of(engine.policy(), tree);
    let limits = |file: &str| settings.limits(file);
    let all = SourceFiles { tree, limits: &limits };
    all.script(engine, &file).unwrap().as_ref().as_ref().map_err(Clone::clone)?;
    let guards: Vec<_> = tree.keys().filter(|path| Role::of(path) == Some(Role::Guard)).cloned().collect();
    let files = program::closure(engine, all, guards.iter().cloned().chain([file.clone()]));
    let name = FunctionName::new("f");
    Ok(Arc::new(Function {
        script_id: ScriptId::of(&name),
        version: program::version(&file, &files),
        name,
        manifest: settings.manifest(&file).map_err(<[_]>::to_vec)?.clone(),
        route: Some(Route { segments: Vec::new().into(), methods: Methods::Any }),
        guards,
        limits: settings.own_limits(files.keys()),
        files: files.into_iter().collect(),
    }))
}

/// A `GET /` with these headers and this body.
pub fn invocation(uri: &str, headers: &[(&'static str, &str)], body: &str) -> Box<Invocation> {
    let request = HttpRequest {
        method: http::Method::GET,
        uri: uri.parse().unwrap(),
        params: Vec::new(),
        headers: headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    Box::new(Invocation::new(ExecutionId(1 << 40), DeploymentId(2 << 40), Trigger::Http, request))
}

/// Runs `f.rhai` of this tree on a thread with the stack that a node gives its threads.
pub fn run_tree(files: &[(&str, &str)], invocation: Box<Invocation>) -> Finished {
    on_big_stack(run_of_tree(files, invocation))
}

/// Returns what runs one script; to be called where there is stack enough.
pub fn run_of(script: &str) -> impl FnOnce() -> Finished + Send + use<> {
    run_of_tree(&[("f.rhai", script)], invocation("/f", &[], ""))
}

fn run_of_tree(files: &[(&str, &str)], invocation: Box<Invocation>) -> impl FnOnce() -> Finished + Send + use<> {
    let tree = tree(files);
    move || {
        let engine = Engine::new(LimitPolicy::default());
        let function = function(&engine, &tree).unwrap_or_else(|found| panic!("{}", found[0]));
        let program = engine.program(&function).unwrap_or_else(|found| panic!("{}", found[0]));
        engine.run(&program, invocation, Control::default()).unwrap()
    }
}

/// Runs one script.
pub fn run(script: &str) -> Finished {
    run_tree(&[("f.rhai", script)], invocation("/f?name=Ada&tag=a&tag=b", &[("x-one", "1")], ""))
}

/// What a script answers, as text.
pub fn answer(script: &str) -> String {
    let finished = run(script);
    match finished.reply {
        Some(reply) => String::from_utf8(reply.body.to_vec()).unwrap(),
        None => panic!("{script}\n{:?}", finished.execution.failure),
    }
}

/// What happened to a script that fails.
pub fn failure(script: &str) -> Execution {
    let finished = run(script);
    assert!(finished.reply.is_none(), "{script} answered {:?}", finished.reply);
    *finished.execution
}

/// What check finds in a tree whose function is `f.rhai`.
pub fn findings(files: &[(&str, &str)]) -> Vec<String> {
    // A module that runs for ever passes this long before the time that a check has, on any machine.
    let limits = Limits { operations: 1_000_000, ..Limits::DEFAULT };
    let engine = Engine::new(LimitPolicy { default: limits, ..LimitPolicy::default() });
    let tree = tree(files);
    match function(&engine, &tree).and_then(|function| engine.program(&function).map(drop)) {
        Ok(()) => Vec::new(),
        Err(found) => found.iter().map(ToString::to_string).collect(),
    }
}

#[cfg(feature = "node")]
/// What check warns of in a tree that is right and whose function is `f.rhai`.
pub fn warnings(files: &[(&str, &str)]) -> Vec<String> {
    let mut checker = picloud::sync::check::Checker::new(Arc::new(Engine::new(LimitPolicy::default())));
    let report = checker.check(&Arc::new(tree(files)));
    assert!(report.is_good(), "{:?}", report.diagnostics);
    report.diagnostics.iter().map(ToString::to_string).collect()
}

/// The stack that a node gives the threads on which functions run.
pub const STACK: usize = 256 << 20;

/// Runs this on a thread with a node's stack, and fails if it takes longer than half a minute.
pub fn on_big_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        let _ = sender.send(work());
    });
    let thread = thread.unwrap();
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Ok(result) => result,
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it did not end within a minute"),
    }
}

/// Runs this on a runtime of one thread, with the stack that a node gives its threads.
pub fn on_a_runtime<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    on_big_stack(move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work()));
}
