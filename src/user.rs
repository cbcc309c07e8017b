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
    fn a_user_has_the_name_that_the_machine_knows() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n\nbroken\n:x:7::\nada:x:1000:1000:Ada,,,:/home/ada:/bin/bash\ntwin:x:1000:1000::/:/bin/sh\n";
        for (uid, name) in [(0, Some("root")), (1000, Some("ada")), (7, None), (100, None)] {
            assert_eq!(name_of(uid, passwd), name, "{uid}");
        }
    }
}
