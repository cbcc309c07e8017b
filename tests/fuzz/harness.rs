//! Replays a target's corpus, then changes its inputs for a while; keeps what breaks it.

use std::{
    any::Any,
    collections::HashSet,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use picloud::{clock::monotonic, function::Digest};

use crate::kit::{
    mutate::{Random, mutate},
    script::STACK,
};

/// How long each target is given, without `PICLOUD_FUZZ_SECONDS`.
const SECONDS: u64 = 3;
/// Longest that one input may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Inputs that led to something new and are changed further; beyond, a new one takes the place of another.
const KEPT: usize = 4096;

/// Tries a target, on a thread with a node's stack. It panics where something is wrong, and says what came of an input in few words: an
/// input with a new answer is worth more changes.
///
/// An input that breaks it is added to the corpus.
#[track_caller]
pub fn fuzz(name: &'static str, target: impl FnMut(&[u8]) -> String + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    let work = thread::Builder::new().stack_size(STACK).spawn(move || attempt(name, target, &sender)).unwrap();
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("{}", keep(name, &fs::read(last(name)).unwrap(), "does not end")),
        }
    }
    if let Err(message) = work.join().unwrap() {
        panic!("{message}");
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not `{text}`")))
}

fn attempt(name: &str, mut target: impl FnMut(&[u8]) -> String, alive: &Sender<()>) -> Result<(), String> {
    let mut seen = HashSet::new();
    // The input is on disk while it is tried: a stack that overflows ends the process.
    let mut is_new = |input: &[u8]| {
        fs::write(last(name), input).unwrap();
        alive.send(()).unwrap();
        match catch_unwind(AssertUnwindSafe(|| target(input))) {
            Ok(answer) => Ok(seen.insert(answer)),
            Err(panic) => Err(keep(name, input, &reason(panic.as_ref()))),
        }
    };
    if let Ok(left) = fs::read(last(name)) {
        eprintln!("{name}: if the process ends now, what an earlier run left in `{}` breaks it", last(name).display());
        is_new(&left)?;
    }
    let mut inputs = corpus(name);
    assert!(!inputs.is_empty(), "there is no corpus in {}", folder(name).display());
    for input in &inputs {
        is_new(input)?;
    }
    let seed = number("PICLOUD_FUZZ_SEED").unwrap_or_default();
    let limit = Duration::from_secs(number("PICLOUD_FUZZ_SECONDS").unwrap_or(SECONDS));
    let (mut random, began, mut tries) = (Random::new(seed), monotonic(), 0_u64);
    while began.elapsed() < limit {
        let place = random.below(inputs.len());
        let input = mutate(&mut random, &inputs[place], &inputs);
        tries += 1;
        if !is_new(&input)? {
            continue;
        }
        if inputs.len() < KEPT {
            inputs.push(input);
        } else {
            let place = random.below(inputs.len());
            inputs[place] = input;
        }
    }
    fs::remove_file(last(name)).unwrap();
    println!("{name}: {tries} inputs from seed {seed}, {} different answers", seen.len());
    Ok(())
}

/// Adds what breaks a target to its corpus, and says how to see it again.
fn keep(name: &str, input: &[u8], why: &str) -> String {
    let file = folder(name).join(format!("crash-{}", &Digest::of(input).to_string()[..12]));
    fs::write(&file, input).unwrap();
    let _ = fs::remove_file(last(name));
    format!("`{}` breaks {name}: {why}\n  again: PICLOUD_FUZZ_SECONDS=0 cargo test --test fuzz {name}", file.display())
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").to_owned()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name)
}

/// Where the input is that is tried now.
fn last(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"))
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Leaves of a message what says which kind it is: without digits and what it quotes.
pub fn kind(message: &str) -> String {
    let mut is_quoted = false;
    let told = message.chars().filter(|c| {
        is_quoted ^= *c == '`';
        !is_quoted && !c.is_ascii_digit()
    });
    told.take(120).collect()
}
