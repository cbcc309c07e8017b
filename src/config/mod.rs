//! `picloud.toml`, the environment and the flags, read once at the start and resolved into what each part needs.

mod address;
mod fault;
mod kept;
mod log;
mod source;
mod traces;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use address::ListenAddress;
pub use fault::Fault;
pub use kept::{Kept, without_secrets};
use log::LogFile;
pub use log::{Log, LogFormat};
pub use source::Source;
use source::SourceFile;
use traces::TracesFile;

use crate::{
    executor::local,
    function::{
        Cors, Diagnostic, Digest, LimitPolicy, Limits,
        limits::{DEFAULT_FILE_SIZE, LimitOverrides},
        quantity::{LONGEST, Size, Span},
        toml_text,
        within::Within,
    },
    http::{self, HttpSettings},
    runner::{CapturePolicy, RecordPolicy},
    secret::Secret,
    source::git,
    store::{Store, journal, retention},
    trace,
};

/// The name of the configuration file that is taken where none is named.
pub const FILE_NAME: &str = "picloud.toml";

/// Why the node cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It says something that it cannot say.
    #[error("{0}")]
    Wrong(Box<Diagnostic>),
    /// Two settings do not go together, or one makes no sense, and what is wrong is not in the file.
    #[error(transparent)]
    Impossible(Fault),
}

/// How a node is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where function files come from.
    pub source: Source,
    /// The folder that the node keeps its own files in.
    pub data: PathBuf,
    /// `sqlite` (a file in `data`), `sqlite:PATH`, or `postgres://…`. May hold a password: never shown.
    pub database_url: String,
    /// What a run may use.
    pub limits: LimitPolicy,
    /// How functions run.
    pub executor: local::Capacity,
    /// How requests come in.
    pub server: HttpSettings,
    /// How long running work may take to end when the node is told to stop.
    pub grace: Span,
    /// Which executions are recorded.
    pub record: RecordPolicy,
    /// Which requests are kept to be run again.
    pub capture: CapturePolicy,
    /// How executions get to the store.
    pub journal: journal::Settings,
    /// How long they stay there.
    pub retention: retention::Settings,
    /// Signs the webhooks of the remote repository.
    pub webhook_secret: Option<Secret>,
    /// How requests are traced; none: they are not.
    pub traces: Option<trace::TraceSettings>,
    /// How the node speaks about itself.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        File::default().resolve(Path::new(""))
    }
}

/// The file as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data: Option<PathBuf>,
    source: SourceFile,
    previews: PreviewsFile,
    database: DatabaseFile,
    server: ServerFile,
    cors: Option<Cors>,
    metrics: MetricsFile,
    traces: TracesFile,
    limits: LimitOverrides,
    ceilings: LimitOverrides,
    executor: ExecutorFile,
    journal: JournalFile,
    retention: RetentionFile,
    log: LogFile,
}

/// A time, in milliseconds from `LEAST`.
type SpanFrom<const LEAST: u64> = Within<Span, LEAST, LONGEST>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PreviewsFile {
    branches: Option<Within<usize, 0, 10_000>>,
    host: Option<String>,
    open: Option<bool>,
}

impl PreviewsFile {
    fn validate(&self) -> Result<(), Fault> {
        if self.host.is_some() && self.host().is_none() {
            let fault = Fault::new(&["previews.host"], "`host` in the section `[previews]` must have `{branch}` in it, once");
            return Err(fault.hint("for example `host = \"{branch}.preview.example.org\"`"));
        }
        Ok(())
    }

    fn host(&self) -> Option<git::PreviewHost> {
        git::PreviewHost::parse(self.host.as_deref()?)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DatabaseFile {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ServerFile {
    listen: Option<ListenAddress>,
    trusted_proxies: Option<Vec<http::Network>>,
    forwarded_header: Option<http::ForwardedHeader>,
    admin_listen: Option<ListenAddress>,
    dev: Option<bool>,
    max_connections: Option<Within<usize, 1, 1_000_000>>,
    max_head: Option<Within<Size, 8_192, { 16 << 20 }>>,
    max_headers: Option<Within<usize, 1, { http::MOST_HEADERS }>>,
    header_timeout: Option<SpanFrom<1>>,
    body_timeout: Option<SpanFrom<1>>,
    write_timeout: Option<SpanFrom<1>>,
    min_rate: Option<Within<Size, 0, { 1 << 30 }>>,
    max_tails: Option<Within<usize, 0, 100_000>>,
    tail_rate: Option<Within<u32, 1, 1_000_000>>,
    grace: Option<SpanFrom<0>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MetricsFile {
    open: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExecutorFile {
    max_running: Option<Within<usize, 1, 100_000>>,
    stack: Option<Within<Size, { 8 << 20 }, { 64 << 30 }>>,
    memory: Option<Within<Size, { 1 << 20 }, { 1 << 50 }>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JournalFile {
    record: Option<RecordPolicy>,
    capture: Option<bool>,
    capture_body: Option<Within<Size, 0, { 1 << 30 }>>,
    capture_queue: Option<Within<Size, 1, { 1 << 40 }>>,
    queue: Option<Within<usize, 1, 10_000_000>>,
    batch: Option<Within<usize, 1, 10_000>>,
    flush_interval: Option<Within<Span, 1, 3_600_000>>,
    spool: Option<Within<Size, 65_536, { 1 << 50 }>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetentionFile {
    max_age: Option<Within<Span, 1_000, { 100 * LONGEST }>>,
    max_count: Option<Within<u64, 1, 1_000_000_000_000>>,
    max_size: Option<Within<Size, 1, { 1 << 60 }>>,
}

/// What flags and the environment say; each wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--functions`
    pub functions: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--admin-listen`
    pub admin_listen: Option<SocketAddr>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--database`
    pub database_url: Option<String>,
    /// `--dev`
    pub dev: bool,
    /// `PICLOUD_GIT_TOKEN`
    pub git_token: Option<Secret>,
    /// `PICLOUD_WEBHOOK_SECRET`
    pub webhook_secret: Option<Secret>,
}

impl Overrides {
    /// Returns the settings that win over the file, of those that may be found wrong later.
    fn settings(&self) -> Vec<&'static str> {
        let given = [
            ("server.listen", self.listen.is_some()),
            ("server.admin_listen", self.admin_listen.is_some()),
            ("database.url", self.database_url.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect()
    }
}

impl Config {
    /// Returns what tells this configuration from others, for the audit log. Nothing can be learned from it about a secret.
    pub fn fingerprint(&self) -> String {
        let shown = Self { database_url: Store::describe(&self.database_url, &self.data).unwrap_or_default(), ..self.clone() };
        Digest::of(format!("{shown:?}").as_bytes()).to_string()
    }

    /// Reads the named file, else `picloud.toml` in the working folder if there is one, and applies what wins over it.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        let path = file.unwrap_or(Path::new(FILE_NAME));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { path: path.into(), source }),
        };
        let mut config = Self::parse(path, &text)?;
        let are_elsewhere = overrides.settings();
        if let Some(path) = overrides.functions {
            config.source = Source::Directory { path };
        }
        config.server.listen = overrides.listen.unwrap_or(config.server.listen);
        config.server.admin_listen = overrides.admin_listen.or(config.server.admin_listen);
        config.data = overrides.data.unwrap_or(config.data);
        config.database_url = overrides.database_url.unwrap_or(config.database_url);
        config.server.dev |= overrides.dev;
        config.webhook_secret = overrides.webhook_secret.or(config.webhook_secret);
        if let Source::Git(git) = &mut config.source
            && let git::Repository::Remote(remote) = &mut git.repository
        {
            remote.token = overrides.git_token.or(remote.token.take());
        }
        config.validate().map_err(|fault| fault.at(path, &text, &are_elsewhere))?;
        Ok(config)
    }

    /// Reads a configuration's text; paths in it are relative to its file.
    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file: File = toml_text::parse(text).map_err(|problem| {
            let diagnostic = Diagnostic::error(path.display().to_string(), problem.message).at(text, problem.position);
            ConfigError::Wrong(Box::new(diagnostic.maybe_hint(problem.hint)))
        })?;
        file.validate().map_err(|fault| fault.at(path, text, &[]))?;
        Ok(file.resolve(path.parent().unwrap_or(Path::new(""))))
    }

    fn validate(&self) -> Result<(), Fault> {
        Store::describe(&self.database_url, &self.data).map_err(|error| Fault::new(&["database.url"], error.to_string()))?;
        if let Some((key, value, ceiling)) = self.limits.default.first_above(&self.limits.ceiling) {
            let keys = [format!("limits.{key}"), format!("ceilings.{key}")];
            let message = format!("`{key}` in the section `[limits]` is {value}, above the ceiling of {ceiling}");
            return Err(Fault::new(&keys.each_ref().map(String::as_str), message).hint("raise it in the section `[ceilings]` as well"));
        }
        let stack = Size(self.executor.stack_bytes as u64);
        let ceiling = &self.limits.ceiling;
        if stack.0 < ceiling.memory.0.saturating_mul(4) {
            let message = format!("`stack` is {stack}, less than four times the memory ceiling of {}", ceiling.memory);
            return Err(Fault::new(&["executor.stack", "ceilings.memory"], message).hint(
                "a script can build values as deep as its memory allows; raise `stack` in the section `[executor]`, or lower `memory` in `[ceilings]`",
            ));
        }
        let deepest = u64::from(ceiling.array.max(ceiling.map)) * STACK_PER_LEVEL;
        if stack.0 < deepest {
            let message = format!("`stack` is {stack}, and arrays or maps may nest so deep that {} are needed", Size(deepest));
            let larger = if ceiling.array > ceiling.map { "ceilings.array" } else { "ceilings.map" };
            return Err(Fault::new(&["executor.stack", larger], message)
                .hint("lower `array` and `map` in the section `[ceilings]`, or raise `stack` in the section `[executor]`"));
        }
        let deepest = ceiling.stack_of_nesting();
        if stack < deepest {
            let message = format!("`stack` is {stack}, and calls and expressions may nest so deep that {deepest} are needed");
            return Err(Fault::new(&["executor.stack", "ceilings.call_depth", "ceilings.expression_depth"], message).hint(
                "lower `call_depth` and `expression_depth` in the section `[ceilings]`, or raise `stack` in the section `[executor]`",
            ));
        }
        if self.server.admin_listen.is_some_and(|address| address.port() != 0 && address == self.server.listen) {
            let message = "`admin_listen` and `listen` in the section `[server]` are the same address";
            return Err(Fault::new(&["server.admin_listen", "server.listen"], message)
                .hint("give the control plane another port, or leave `admin_listen` out: then it is at `listen`"));
        }
        Ok(())
    }
}

/// Stack that comparing two values takes for each value inside a value, in bytes; measured at 1.8 KiB.
const STACK_PER_LEVEL: u64 = 2_048;

impl File {
    fn validate(&self) -> Result<(), Fault> {
        if self.ceilings.file.is_some() {
            let fault = Fault::new(&["ceilings.file"], "`file` has no ceiling");
            return Err(fault.hint("no front-matter can set it; it is a key of `[limits]`"));
        }
        self.source.validate()?;
        self.traces.validate()?;
        self.previews.validate()
    }

    fn resolve(self, folder: &Path) -> Config {
        let limits = LimitPolicy {
            default: Limits::DEFAULT.with(&self.limits),
            ceiling: Limits::CEILING.with(&self.ceilings),
            file: self.limits.file.map_or(DEFAULT_FILE_SIZE, Within::get),
        };
        let server = HttpSettings::default();
        let executor = local::Capacity::default();
        let journal = journal::Settings::default();
        let retention = retention::Settings::default();
        let capture = CapturePolicy::default();
        Config {
            webhook_secret: self.source.webhook_secret.clone(),
            source: self.source.resolve(folder, &limits, self.previews.branches.map_or(0, Within::get), self.previews.host()),
            data: folder.join(self.data.unwrap_or_else(|| ".picloud".into())),
            database_url: self.database.url.unwrap_or_else(|| "sqlite".into()),
            limits,
            executor: local::Capacity {
                max_running: self.executor.max_running.map_or(executor.max_running, Within::get),
                stack_bytes: self.executor.stack.map_or(executor.stack_bytes, |size| size.get().bytes()),
                memory_bytes: self.executor.memory.map(|size| size.get().0),
            },
            server: HttpSettings {
                listen: self.server.listen.map_or(server.listen, |address| address.0),
                proxies: http::Proxies {
                    trusted: self.server.trusted_proxies.unwrap_or(server.proxies.trusted),
                    header: self.server.forwarded_header.map_or(server.proxies.header, |header| header.0),
                },
                admin_listen: self.server.admin_listen.map(|address| address.0),
                metrics_open: self.metrics.open.unwrap_or(server.metrics_open),
                dev: self.server.dev.unwrap_or(server.dev),
                previews_open: self.previews.open.unwrap_or(server.previews_open),
                preview_host: self.previews.host(),
                max_connections: self.server.max_connections.map_or(server.max_connections, Within::get),
                max_head_bytes: self.server.max_head.map_or(server.max_head_bytes, |size| size.get().bytes()),
                max_headers: self.server.max_headers.map_or(server.max_headers, Within::get),
                header_timeout: self.server.header_timeout.map_or(server.header_timeout, |span| span.get().0),
                body_timeout: self.server.body_timeout.map_or(server.body_timeout, |span| span.get().0),
                write_timeout: self.server.write_timeout.map_or(server.write_timeout, |span| span.get().0),
                min_rate_bytes: self.server.min_rate.map_or(server.min_rate_bytes, |size| size.get().0),
                max_tails: self.server.max_tails.map_or(server.max_tails, Within::get),
                tail_rate: self.server.tail_rate.map_or(server.tail_rate, Within::get),
                cors: self.cors,
            },
            grace: self.server.grace.map_or(Span::seconds(20), Within::get),
            record: self.journal.record.unwrap_or_default(),
            capture: CapturePolicy {
                all: self.journal.capture.unwrap_or(capture.all),
                max_body_bytes: self.journal.capture_body.map_or(capture.max_body_bytes, |size| size.get().bytes()),
            },
            journal: journal::Settings {
                queue: self.journal.queue.map_or(journal.queue, Within::get),
                batch: self.journal.batch.map_or(journal.batch, Within::get),
                flush_interval: self.journal.flush_interval.map_or(journal.flush_interval, |span| span.get().0),
                spool_bytes: self.journal.spool.map_or(journal.spool_bytes, |size| size.get().0),
                capture_bytes: self.journal.capture_queue.map_or(journal.capture_bytes, |size| size.get().bytes()),
            },
            retention: retention::Settings {
                max_age: self.retention.max_age.map_or(retention.max_age, |span| span.get().0),
                max_count: self.retention.max_count.map_or(retention.max_count, Within::get),
                max_bytes: self.retention.max_size.map_or(retention.max_bytes, |size| size.get().0),
            },
            traces: self.traces.resolve(),
            log: self.log.resolve(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        let path = Path::new("etc/picloud.toml");
        let config = Config::parse(path, text).map_err(|error| error.to_string())?;
        config.validate().map_err(|fault| fault.at(path, text, &[]).to_string())?;
        Ok(config)
    }

    #[test]
    fn the_repository_s_own_file_says_the_defaults() {
        let text = include_str!("../../picloud.toml");
        assert_eq!(Config::parse(Path::new(FILE_NAME), text).unwrap(), Config::default());
    }

    /// Returns what there is to write in a section, or outside of one, as somebody is told who writes something else.
    fn keys_of(section: &str) -> Vec<String> {
        let told = toml::from_str::<File>(&format!("{section}\nno_such_key = 1")).unwrap_err();
        let (_, keys) = told.message().split_once("expected").unwrap();
        keys.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_repository_s_own_file_names_every_key_in_its_section() {
        let (mut section, mut written) = (String::new(), Vec::new());
        // What a directory has no use for is a comment.
        for line in include_str!("../picloud.toml").lines().map(|line| line.trim_start_matches("# ")) {
            match line.split_once(" = ") {
                Some((key, _)) => written.push((section.clone(), key.to_owned())),
                None if line.starts_with('[') => line.clone_into(&mut section),
                None => {}
            }
        }
        let sections: Vec<String> = keys_of("").iter().filter(|key| *key != "data").map(|section| format!("[{section}]")).collect();
        assert!(sections.len() > 10, "{sections:?}");
        assert!(written.contains(&(String::new(), "data".into())));
        for section in sections {
            // A front-matter cannot raise the size of its file.
            let is_ceiling = |key: &String| section != "[ceilings]" || key != "file";
            for key in keys_of(&section).into_iter().filter(is_ceiling) {
                assert!(written.contains(&(section.clone(), key.clone())), "`{key}` is not in the section `{section}` of picloud.toml");
            }
        }
    }

    #[test]
    fn a_repository_is_hosted_or_a_path_or_a_url() {
        let of = |keys: &str| match parse(&format!("[source]\nkind = \"git\"\n{keys}")).unwrap().source {
            Source::Git(settings) => settings,
            other => panic!("{other:?}"),
        };
        assert_eq!(*of(""), git::GitSettings::default());
        assert_eq!(of("repository = \"srv/fns.git\"").repository, git::Repository::Bare("etc/srv/fns.git".into()));
        for url in ["https://git.example.org/ada/fns.git", "git@example.org:ada/fns.git", "ssh://git@example.org/fns", "file:///srv/x.git"]
        {
            let settings = of(&format!("repository = {url:?}\ntoken = \"t\"\nssh_key = \"id\""));
            let git::Repository::Remote(remote) = settings.repository else { panic!("{url} is remote") };
            assert_eq!((remote.url.as_str(), remote.ssh_key), (url, Some("etc/id".into())));
            assert!(remote.token.is_some_and(|token| token.matches(b"t")));
        }
        assert_eq!(of("root = \"./src/fns/\"").root, "src/fns");
        assert_eq!([of("root = \"\"").root, of("root = \".\"").root], ["", ""]);
    }

    #[test]
    fn traces_are_off_until_they_have_somewhere_to_go() {
        assert_eq!(parse("[traces]\nsample = 1").unwrap().traces, None);
        for endpoint in ["http://127.0.0.1:4318", "http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"] {
            let traces = parse(&format!("[traces]\nendpoint = {endpoint:?}\nsample = 1")).unwrap().traces.unwrap();
            assert_eq!((traces.endpoint.as_str(), traces.sample), ("http://127.0.0.1:4318/v1/traces", 1.0));
        }
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = parse("data = \"var\"\n[source]\npath = \"fns\"").unwrap();
        assert_eq!((config.data, config.source), ("etc/var".into(), Source::Directory { path: "etc/fns".into() }));
    }

    #[test]
    fn every_mistake_says_where_and_what_to_do() {
        let cases = [
            "[server]\nlisen = \"1\"",
            "[server]\nlisten = \"here\"",
            "[limits]\nmemory = \"65MiB\"",
            "[ceilings]\nmemory = \"128MiB\"",
            "[ceilings]\narray = 1_000_000",
            "[source]\nkind = \"svn\"",
            "[source]\nbranch = \"main\"",
            "[source]\nkind = \"git\"\npath = \"functions\"",
            "[source]\nkind = \"git\"\nbranch = \"\"",
            "[source]\nkind = \"git\"\nbranch = \"main \"",
            "[source]\nkind = \"git\"\nbranch = \"a..b\"",
            "[source]\nkind = \"git\"\nbranch = \"refs/heads/main\"",
            "[source]\nkind = \"git\"\nrepository = \"~/bare.git\"",
            "[source]\npath = \"~/functions\"",
            "[source]\nkind = \"git\"\nwebhook_secret = \"x\"",
            "[source]\nkind = \"git\"\nrequire_signed = true",
            "[source]\nkind = \"git\"\nrepository = \"https://ada:sesame@example.org/fns.git\"",
            "[executor]\nmax_running = 0",
            "[executor]\nstack = \"100TiB\"",
            "[limits]\nexpression_depth = 0",
            "[limits]\ntimeout = \"0s\"",
            "[ceilings]\nexpression_depth = 0",
            "[ceilings]\nexpression_depth = 4_000",
            "[ceilings]\ncall_depth = 1_000_000",
            "[ceilings]\nmemory = \"1MiB\"\nfile = \"1MiB\"",
            "[ceilings]\nmemory = \"32MiB\"",
            "[executor]\nstack = \"64MiB\"",
            "executor.stack = \"64MiB\"",
            "executor = { stack = \"64MiB\" }",
            "[\"database\"]\n\"url\" = \"mysql://ann:sesame@db/x\"",
            "[server]\nmax_head = \"1KiB\"",
            "[server]\nheader_timeout = \"0s\"",
            "[journal]\nbatch = 0",
            "[journal]\nqueue = -1",
            "[retention]\nmax_count = 0",
            "[log]\nlevel = \"loud\"",
            "[log]\nlevel = \"info,picloud::sync=loud\"",
            "[log]\nlevel = \"\"",
            "[previews]\nhost = \"preview.example.org\"",
            "[server]\nadmin_listen = \"127.0.0.1:8080\"",
            "[traces]\nendpoint = \"127.0.0.1:4318\"",
            "[traces]\nendpoint = \"https://ada:sesame@traces.example.org\"",
            "[traces]\nsample = 1.5",
            "[traces]\nqueue = 0",
            "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"localhost\"]",
            "[server]\ntrusted_proxies = [\"10.1.2.3/8\"]",
            "[server]\nforwarded_header = \"x forwarded for\"",
            "[cors]\norigins = [\"https://example.org/app\"]",
            "[cors]\norigins = [\"*\"]\ncredentials = true",
            "[cors]\norigins = [\"*\"]\nmaxage = \"1m\"",
            "[server]\nmax_headers = 100_000",
            "server = 1",
            "[server",
        ];
        let found: Vec<String> = cases.iter().map(|text| parse(text).unwrap_err()).collect();
        for (text, told) in cases.iter().zip(&found) {
            assert!(told.starts_with("etc/picloud.toml:"), "{text}: {told}");
            assert!(!told.contains("sesame"), "{told}");
        }
        insta::assert_snapshot!(found.join("\n\n"));
    }

    #[test]
    fn a_mistake_outside_the_file_has_no_place_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picloud.toml");
        let load = |text: &str, overrides| {
            std::fs::write(&path, text).unwrap();
            Config::load(Some(&path), overrides).unwrap_err().to_string()
        };
        let port = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        let same = "`admin_listen` and `listen` in the section `[server]` are the same address";
        let listen = Overrides { listen: port(8081), ..Overrides::default() };
        let both = Overrides { admin_listen: port(8081), ..listen.clone() };
        let told = load("[server]\nlisten = \"8080\"\nadmin_listen = \"8081\"", listen);
        assert!(told.starts_with(&format!("{}:3:16: error: {same}", path.display())), "{told}");
        let told = load("[server]\nlisten = \"8080\"\nadmin_listen = \"8082\"", both);
        assert!(told.starts_with(same), "{told}");
        let database = Overrides { database_url: Some("mysql://x".into()), ..Overrides::default() };
        assert!(load("[database]\nurl = \"sqlite\"", database).starts_with("the database URL is none of"));
    }
}
