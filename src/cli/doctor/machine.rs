//! What a node needs of the machine: folders, programs, a clock, open files, ports.

use std::{fs, io, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use rustix::{
    fs::{Access, access, statvfs},
    process::{Resource, getrlimit},
};

use super::{Finding, node::newest_us};
use crate::{
    clock::{Clock, SystemClock, rfc3339},
    config::{Config, SourceConfig},
    function::quantity::Size,
    node,
    source::{directory, git::program},
};

/// Below this a disk is full soon, and below this it is as good as full.
const LITTLE_ROOM: u64 = 1 << 30;
const NO_ROOM: u64 = 100 << 20;
/// 1 January 2026 in microseconds: no clock of a machine with this program shows an earlier time.
const EARLIEST_US: i64 = 1_767_225_600_000_000;
/// Ids of executions rise with the clock; one that is so far behind the newest is wrong.
const BEHIND_US: i64 = 60_000_000;

/// Looks at the folder or the repository that functions come from.
pub fn functions(config: &Config) -> Finding {
    const PART: &str = "functions";
    let path = match &config.source {
        SourceConfig::Directory { path } => path,
        SourceConfig::Git(_) => return Finding::ok(PART, config.source.to_string()),
    };
    let shown = path.display();
    let mode = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => metadata.permissions().mode(),
        Ok(_) => {
            return Finding::error(
                PART,
                format!("`{shown}` is no folder"),
                "name the folder of functions with `path` in `[source]`, or `--functions`",
            );
        }
        Err(error) => {
            return Finding::error(
                PART,
                format!("`{shown}`: {error}"),
                "`picloud init` makes a project; `--functions` names another folder",
            );
        }
    };
    if let Err(error) = fs::read_dir(path) {
        return Finding::error(PART, format!("`{shown}` cannot be read: {error}"), "let the user that PiCloud runs as read it");
    }
    if mode & 0o002 != 0 {
        let says = format!("every user of this machine may write `{shown}`, and so change what the node runs");
        return Finding::warning(PART, says, format!("chmod o-w {shown}"));
    }
    if !directory::reports_changes(path) {
        let says = format!("the file system of `{shown}` does not report changes, so a save is live some seconds later");
        return Finding::warning(PART, says, "keep the folder on a disk of this machine, or deploy with `git push` or `picloud deploy`");
    }
    Finding::ok(PART, format!("`{shown}`"))
}

/// Looks at the folder for the node's own files.
pub fn data(config: &Config) -> Finding {
    const PART: &str = "data";
    let path = &config.data;
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = path.ancestors().skip(1).find(|above| above.exists()).filter(|above| !above.as_os_str().is_empty());
            return match access(above.unwrap_or(Path::new(".")), Access::WRITE_OK) {
                Ok(()) => Finding::ok(PART, format!("`{shown}` is made at the first start")),
                Err(error) => Finding::error(
                    PART,
                    format!("`{shown}` cannot be made: {error}"),
                    "let the user that PiCloud runs as write the folder above it, or name another with `--data`",
                ),
            };
        }
        Err(error) => return Finding::error(PART, format!("`{shown}`: {error}"), "name another folder with `--data`"),
    };
    if let Err(error) = access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        return Finding::error(PART, format!("`{shown}` cannot be used: {error}"), "let the user that PiCloud runs as read and write it");
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        let says = format!("other users of this machine may look into `{shown}`, which holds tokens and requests");
        return Finding::warning(PART, says, format!("chmod 700 {shown}"));
    }
    if config.database_url.starts_with("sqlite") && !directory::reports_changes(path) {
        let says = format!("`{shown}` is on a file system of the network, where SQLite's locks do not hold");
        return Finding::error(PART, says, "keep it on a disk of this machine, or use Postgres");
    }
    match statvfs(path).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)) {
        Ok(free) if free < NO_ROOM => Finding::error(
            PART,
            format!("only {} are free on the disk of `{shown}`", whole(free)),
            "make room: without it nothing is recorded",
        ),
        Ok(free) if free < LITTLE_ROOM => Finding::warning(
            PART,
            format!("only {} are free on the disk of `{shown}`", whole(free)),
            "make room, or keep less: section `[retention]`",
        ),
        Ok(free) => Finding::ok(PART, format!("`{shown}`, {} free", whole(free))),
        Err(error) => Finding::ok(PART, format!("`{shown}`; how much is free is not known: {error}")),
    }
}

/// Rounds down to MiB, or to GiB where there are many.
fn whole(bytes: u64) -> Size {
    let unit = if bytes < 10 << 30 { 1 << 20 } else { 1 << 30 };
    Size(bytes / unit * unit)
}

/// Looks for git, where functions come from a repository.
pub fn git(config: &Config) -> anyhow::Result<Finding> {
    const PART: &str = "git";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let installed = runtime.block_on(program::must_be_installed());
    Ok(match (&config.source, installed) {
        (_, Ok(())) => Finding::ok(PART, "installed"),
        (SourceConfig::Directory { .. }, Err(_)) => Finding::ok(PART, "not installed; it is needed only for functions in a repository"),
        (SourceConfig::Git(_), Err(error)) => Finding::error(PART, error.to_string(), "apt-get install git"),
    })
}

/// Looks at the clock: ids and expiry go by it.
pub fn clock(config: &Config) -> anyhow::Result<Finding> {
    const PART: &str = "clock";
    let now_us = SystemClock.now_us();
    let now = rfc3339(now_us);
    let hint = "set the clock, and keep it right: `timedatectl set-ntp true`";
    Ok(match newest_us(config)? {
        _ if now_us < EARLIEST_US => Finding::error(PART, format!("it shows {now}, which is over"), hint),
        Some(newest) if now_us + BEHIND_US < newest => {
            Finding::error(PART, format!("it shows {now}, and the database has a record of {}", rfc3339(newest)), hint)
        }
        _ => Finding::ok(PART, now),
    })
}

/// Looks at how many files may be open: each connection is one.
pub fn limits(config: &Config) -> Finding {
    const PART: &str = "limits";
    let addresses = 1 + usize::from(config.server.admin_listen.is_some());
    let wanted = node::wanted_files(config.server.max_connections, addresses, config.outbound.max_requests);
    match getrlimit(Resource::Nofile).maximum {
        Some(most) if most < wanted => {
            let says = format!("a process may open {most} files, and {} connections want {wanted}", config.server.max_connections);
            Finding::warning(PART, says, "raise it (`LimitNOFILE=` of systemd, `ulimit -Hn`), or lower `max_connections` in `[server]`")
        }
        most => Finding::ok(
            PART,
            format!("{} open files, of which {wanted} may be wanted", most.map_or("any number of".into(), |most| most.to_string())),
        ),
    }
}

/// Looks whether the node can listen where it should, and who reaches it there.
pub fn addresses(config: &Config, is_running: bool) -> Vec<Finding> {
    const PART: &str = "address";
    let control = config.server.admin_listen.unwrap_or(config.server.listen);
    let all = [Some(config.server.listen), config.server.admin_listen].into_iter().flatten();
    let mut findings: Vec<Finding> = all
        .map(|address| match TcpListener::bind(address) {
            _ if is_running => Finding::ok(PART, format!("http://{address}")),
            Ok(_) => Finding::ok(PART, format!("http://{address} is free")),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let hint = "take a port from 1024 on with `listen` in `[server]`, and put a proxy in front";
                Finding::error(PART, format!("this user may not listen on {address}"), hint)
            }
            Err(error) => Finding::error(
                PART,
                format!("cannot listen on {address}: {error}"),
                "stop what uses it, or take another port with `listen` in `[server]`",
            ),
        })
        .collect();
    if !control.ip().is_loopback() {
        let hint = "let only a proxy that speaks TLS reach it, or keep it here with `admin_listen = \"127.0.0.1:8081\"` in `[server]`";
        findings.push(Finding::warning(
            PART,
            format!("the control plane is at http://{control}, beyond this machine and without TLS"),
            hint,
        ));
    }
    findings
}
