//! Who pushes. Over HTTP that is the name of a token, which the node gives to git and git to its hook. Whoever pushes to a path or over ssh
//! runs the hook himself, and could write any name there: then the system says whose process it is.

use std::{fs, sync::Once};

use rustix::process::{geteuid, getpid};
use tokio::net::unix::UCred;

use crate::user;

/// Processes between the node and a hook: git's, and a shell where hooks are wrapped.
const MAX_GENERATIONS: usize = 16;

/// A user of the machine; nobody knows which.
const SOMEBODY: &str = "user:?";
/// It is said once.
static TOLD: Once = Once::new();

/// Returns who pushes, for records: the name that the hook gives if the node itself has started it, else `user:NAME` of the machine, or `user:?`.
pub fn of(peer: &UCred, claimed: Option<&str>) -> String {
    match claimed {
        Some(name) if peer.uid() == geteuid().as_raw() && peer.pid().is_some_and(is_ours) => name.into(),
        _ if !user::is_told(peer.uid()) => {
            TOLD.call_once(|| {
                tracing::warn!(
                    "the system does not tell who pushes to a path or over ssh, because this node runs in a user namespace: records say \
                     `{SOMEBODY}`; in a unit of systemd `PrivateUsers=false` ends that"
                );
            });
            SOMEBODY.into()
        }
        _ => format!("user:{}", user::find(peer.uid()).unwrap_or_else(|| peer.uid().to_string())),
    }
}

/// Returns whether a process was started by this one, or by one that was.
fn is_ours(pid: i32) -> bool {
    let us = getpid().as_raw_nonzero().get();
    let mut next = Some(pid);
    for _ in 0..MAX_GENERATIONS {
        let Some(process) = next.filter(|process| *process > 0) else { return false };
        if process == us {
            return true;
        }
        next = parent(process);
    }
    false
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program comes before, in brackets, and may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ours_if_we_started_it() {
        let us = getpid().as_raw_nonzero().get();
        assert!(is_ours(us));
        let mut shell = std::process::Command::new("sh");
        let mut child = shell.args(["-c", "sleep 60 & echo $!; wait"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let grandchild = line.trim().parse().unwrap();
        assert!(is_ours(child.id().cast_signed()) && is_ours(grandchild));
        assert!(!is_ours(1) || us == 1);
        rustix::process::kill_process(rustix::process::Pid::from_raw(grandchild).unwrap(), rustix::process::Signal::KILL).unwrap();
        child.wait().unwrap();
        assert!(!is_ours(grandchild) && !is_ours(-1));
    }
}
