//! Users of the machine: who runs this process or another, whatever the environment says.

use std::fs;

use rustix::process::getuid;

/// Returns the name of the real user, or `user 1000` where the machine's own list has no name for it.
pub fn name() -> String {
    let uid = getuid().as_raw();
    find(uid).unwrap_or_else(|| format!("user {uid}"))
}

/// Finds the name of a user; the machine's own list need not have one.
pub fn find(uid: u32) -> Option<String> {
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(uid, &known).map(str::to_owned)
}

/// Returns whether the system tells this user from others. In a user namespace all those share one number that have none there.
pub fn is_told(uid: u32) -> bool {
    // Both files may be hidden. Where there are no namespaces there is no map.
    let shared = fs::read_to_string("/proc/sys/kernel/overflowuid").ok().and_then(|uid| uid.trim().parse().ok()).unwrap_or(NOBODY);
    uid != shared || fs::read_to_string("/proc/self/uid_map").map_or(true, |map| has_everybody(&map))
}

/// What the system calls users without a number, unless it is told otherwise.
const NOBODY: u32 = 65534;

/// Returns whether the text of a `uid_map` has a number for each user of the machine.
fn has_everybody(map: &str) -> bool {
    let counts = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    counts.sum::<u64>() >= u64::from(u32::MAX)
}

/// Finds a user in the text of `/etc/passwd`.
fn name_of(uid: u32, passwd: &str) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_apart_where_each_has_a_number() {
        for (map, all) in [
            ("         0          0 4294967295\n", true),
            ("0 0 65534\n65534 65534 1\n65535 65535 4294901760\n", true),
            ("0 0 1\n997 997 1\n", false),
            ("0 100000 65536\n", false),
            ("", false),
            ("nonsense", false),
        ] {
            assert_eq!(has_everybody(map), all, "{map}");
        }
        assert!(is_told(0) && is_told(1000));
    }

    #[test]
    fn a_user_has_the_name_that_the_machine_knows() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n\nbroken\n:x:7::\nada:x:1000:1000:Ada,,,:/home/ada:/bin/bash\ntwin:x:1000:1000::/:/bin/sh\n";
        for (uid, name) in [(0, Some("root")), (1000, Some("ada")), (7, None), (100, None)] {
            assert_eq!(name_of(uid, passwd), name, "{uid}");
        }
    }
}
