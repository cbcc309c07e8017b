//! The process that git starts: gathers what git says of a push, asks the node, and prints the answer.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        net::UnixStream,
    },
    path::Path,
    time::Duration,
};

use super::{MAX_MESSAGE, PUSHER, Push, SOCKET, Stage, Update, Verdict, no_answer};

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

/// Lets the group of a repository read what a push has brought, if the group may write into the repository: git keeps it from everybody but
/// the pusher, and the node that is to judge it may be another user.
fn share(repository: &Path, brought: &Path) -> io::Result<()> {
    let shared = fs::metadata(repository)?;
    if shared.mode() & 0o020 == 0 {
        return Ok(());
    }
    let kept = fs::symlink_metadata(brought)?;
    if kept.file_type().is_symlink() {
        return Ok(());
    }
    if kept.gid() != shared.gid() {
        chown(brought, None, Some(shared.gid()))?;
    }
    let wanted = kept.mode() | if kept.is_dir() { 0o050 } else { 0o040 };
    if wanted != kept.mode() {
        fs::set_permissions(brought, fs::Permissions::from_mode(wanted & 0o7777))?;
    }
    if kept.is_dir() {
        for entry in fs::read_dir(brought)? {
            share(repository, &entry?.path())?;
        }
    }
    Ok(())
}
