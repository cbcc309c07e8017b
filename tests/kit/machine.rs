//! What this machine lets tests do. A test that cannot run here says «not here» and why; the others run. Whatever it asks for is tried once,
//! as the test would do it, because no version and no user tells as much.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// Something that a test needs.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// A program of a package that a release may not have.
    Program(&'static str),
    /// Mounts that nobody else sees.
    OwnMounts,
    /// Limits of a user namespace that are a process's alone.
    OwnLimits,
    /// A file that is a disk.
    LoopDevice,
    /// A clock that a file sets.
    OwnClock,
}

/// Ends a test that has no way to run here, and says so.
macro_rules! needs {
    ($($need:expr),+) => {
        $(if let Err(why) = $crate::kit::machine::has($need) {
            return $crate::kit::machine::not_here(&why);
        })+
    };
}
pub(crate) use needs;

/// Says past the test's own output, which nobody sees when it passes, that something is left out.
pub fn not_here(why: &str) {
    let thread = std::thread::current();
    let _ = writeln!(io::stderr(), "not here: {}: {why}", thread.name().unwrap_or("a test"));
}

/// Lets this process open as many files as it may. Every connection of a test is one.
pub fn open_many_files() {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
}

/// Returns one of the cores that this process may use.
pub fn one_core() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    cores.trim().split(['-', ',']).next().unwrap().parse().unwrap()
}

/// Returns whether the machine has it, or why not.
pub fn has(need: Need) -> Result<(), String> {
    static LIMITS: OnceLock<Result<(), String>> = OnceLock::new();
    static LOOP: OnceLock<Result<(), String>> = OnceLock::new();
    match need {
        Need::Program(name) => match Command::new(name).arg("--version").stdin(Stdio::null()).output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!("there is no `{name}`; `scripts/setup test` installs it")),
            _ => Ok(()),
        },
        Need::OwnMounts => own_mounts().map(drop),
        Need::OwnLimits => LIMITS.get_or_init(|| tried(&own_limits(), "echo 100 > /proc/sys/user/max_inotify_watches")).clone(),
        Need::LoopDevice => LOOP.get_or_init(|| tried(own_mounts()?, &format!("mkdir there\n{}", disk_at("there")))).clone(),
        Need::OwnClock => clock_library().map(drop).ok_or_else(|| "there is no libfaketime; `scripts/setup test` installs it".into()),
    }
}

/// Returns the lines of a shell that mount a disk of its own on a folder.
pub fn disk_at(folder: &str) -> String {
    format!("truncate -s 32M disk\nPATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q disk\nmount -o loop,errors=remount-ro disk {folder}")
}

/// Returns what runs a command with mounts that nobody else sees: root needs no user namespace, if it is really root.
pub fn own_mounts() -> Result<&'static [&'static str], String> {
    const ROOT: &[&str] = &["unshare", "--mount"];
    const USER: &[&str] = &["unshare", "--mount", "--user", "--map-root-user"];
    static FOUND: OnceLock<Result<&'static [&'static str], String>> = OnceLock::new();
    let can = |wrapper: &'static [&'static str]| tried(wrapper, "mkdir there\nmount -t tmpfs tmpfs there").map(|()| wrapper);
    let found = FOUND.get_or_init(|| match rustix::process::geteuid().is_root() {
        true => can(ROOT).or_else(|_| can(USER)),
        false => can(USER),
    });
    found.clone()
}

/// Returns what runs a command with limits of its own.
pub fn own_limits() -> [&'static str; 3] {
    ["unshare", "--user", "--map-root-user"]
}

/// Returns the arguments by which `nsenter` comes to where a command of [`own_mounts`] runs.
pub fn into_own_mounts() -> &'static [&'static str] {
    match own_mounts() {
        Ok(wrapper) if wrapper.contains(&"--user") => &["--mount", "--user", "--preserve-credentials"],
        _ => &["--mount"],
    }
}

/// Returns the library that changes a program's clock.
pub fn clock_library() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/arm-linux-gnueabihf", "/usr/lib"];
    folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1")).find(|file| file.exists())
}

/// Tries lines of a shell in a folder of their own.
fn tried(wrapper: &[&str], script: &str) -> Result<(), String> {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).args(["sh", "-ec", script]).current_dir(folder.path()).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("`{}`: {error}", wrapper[0]))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.lines().next().unwrap_or("it cannot be had").to_owned()) }
}
