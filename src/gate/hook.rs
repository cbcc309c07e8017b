//! The process that git starts: gathers what git says of a push, asks the node, and prints the answer.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::{MAX_MESSAGE, PUSHER, Push, SOCKET, Stage, Update, Verdict, no_answer};
use crate::source::git::Folder;

/// How long the node may take to judge, and to put what it has accepted live.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the node about the push that git describes by the environment and on `input`. Git starts hooks in the repository.
pub fn ask(stage: Stage, input: impl Read) -> Verdict {
    let refusal = |say: &[String]| Verdict { is_accepted: false, say: say.to_vec() };
    let push = match gather(stage, input) {
        Ok(push) => push,
        Err(error) => return refusal(&[format!("picloud: cannot read what git says of the push: {error}")]),
    };
    if let Some(quarantine) = &push.quarantine
        && let Err(error) = share(Path::new("."), quarantine)
    {
        return refusal(&[format!("picloud: the pushed objects cannot be shown to the node that checks pushes: {error}")]);
    }
    match exchange(&push) {
        Ok(verdict) => verdict,
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            refusal(&no_answer(stage, &format!("the node did not answer within {} s", PATIENCE.as_secs())))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refusal(&[
            "picloud: this user may not ask the node that checks pushes".into(),
            "  hint: let both users be in one group that may write into the repository, and start the node again".into(),
        ]),
        Err(error) => refusal(&match stage {
            Stage::PreReceive => [
                format!("picloud: the node that checks pushes does not run here ({error})"),
                "  hint: start it with `picloud serve`, and push again".into(),
            ],
            Stage::PostReceive => [
                format!("picloud: pushed, and not live: the node does not run here any more ({error})"),
                "  hint: start it with `picloud serve`; there is no need to push again".into(),
            ],
        }),
    }
}

fn gather(stage: Stage, input: impl Read) -> io::Result<Push> {
    let mut updates = Vec::new();
    for line in BufReader::new(input.take(MAX_MESSAGE)).lines() {
        let line = line?;
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        if let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) {
            updates.push(Update { old, new, name });
        }
    }
    let count = env::var("GIT_PUSH_OPTION_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(0_u32);
    let options = (0..count.min(100)).filter_map(|number| env::var(format!("GIT_PUSH_OPTION_{number}")).ok()).collect();
    Ok(Push { stage, quarantine: env::var_os("GIT_QUARANTINE_PATH").map(Into::into), updates, options, pusher: env::var(PUSHER).ok() })
}

fn exchange(push: &Push) -> io::Result<Verdict> {
    let mut stream = UnixStream::connect(SOCKET)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    serde_json::to_writer(&mut stream, push)?;
    stream.write_all(b"\n")?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_MESSAGE)).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&answer)?)
}

/// Lets the group of a repository read what a push has brought, if the group may write into the repository. Git keeps it from everybody but
/// the pusher. The node that judges it may be another user.
fn share(repository: &Path, brought: &Path) -> io::Result<()> {
    let repository = Folder::open(repository)?;
    // What lies elsewhere is no matter of this repository, and the node refuses it.
    let Some(name) = brought.file_name().and_then(OsStr::to_str) else { return Ok(()) };
    let Some(objects) = repository.find("objects")? else { return Ok(()) };
    objects.find(name)?.map_or(Ok(()), |brought| brought.show_to_group_of(&repository))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
        path::PathBuf,
        sync::atomic::{AtomicBool, Ordering},
    };

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    use super::*;

    const BROUGHT: &str = "objects/tmp_objdir-incoming-x";

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    /// A repository whose group may write into it, and in it a pushed object that its pusher alone may read.
    fn pushed_to() -> (tempfile::TempDir, PathBuf) {
        let repository = tempfile::tempdir().unwrap();
        set_mode(repository.path(), 0o2770);
        let object = repository.path().join(BROUGHT).join("ab/cd");
        fs::create_dir_all(object.parent().unwrap()).unwrap();
        fs::write(&object, "").unwrap();
        set_mode(&object, 0o400);
        set_mode(object.parent().unwrap(), 0o2700);
        set_mode(&repository.path().join(BROUGHT), 0o700);
        (repository, object)
    }

    #[test]
    fn a_group_that_may_write_reads_what_was_pushed() {
        let (repository, object) = pushed_to();
        let (folder, brought) = (object.parent().unwrap(), repository.path().join(BROUGHT));
        let modes = || [mode(&brought), mode(folder), mode(&object)];
        set_mode(repository.path(), 0o755);
        share(repository.path(), &brought).unwrap();
        assert_eq!(modes(), [0o700, 0o2700, 0o400]);
        set_mode(repository.path(), 0o2770);
        for _ in 0..2 {
            share(repository.path(), &brought).unwrap();
            assert_eq!(modes(), [0o750, 0o2750, 0o440]);
        }
    }

    #[test]
    fn others_who_write_there_open_no_file_of_the_pusher() {
        let (repository, object) = pushed_to();
        let brought = repository.path().join(BROUGHT);
        let (secret, link) = (repository.path().join("secret"), repository.path().join("link"));
        fs::write(&secret, "").unwrap();
        set_mode(&secret, 0o600);
        // Another name of it is as good as a link to it.
        fs::hard_link(&secret, object.with_file_name("another")).unwrap();
        share(repository.path(), &brought).unwrap();
        assert_eq!((mode(&secret), mode(&object)), (0o600, 0o440));
        fs::remove_file(object.with_file_name("another")).unwrap();
        symlink(&secret, &link).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = renameat_with(CWD, &link, CWD, &object, RenameFlags::EXCHANGE);
                }
            });
            for _ in 0..1000 {
                // It may meet the link.
                let _ = share(repository.path(), &brought);
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(mode(&secret), 0o600);
        // Nor by a link in the place of everything.
        let moved = repository.path().join("moved");
        fs::rename(&brought, &moved).unwrap();
        set_mode(&moved, 0o700);
        symlink(&moved, &brought).unwrap();
        let _ = share(repository.path(), &brought);
        assert_eq!(mode(&moved), 0o700);
    }
}
