use std::{net::SocketAddr, path::Path};

use super::*;
use crate::source::git;

fn parse(text: &str) -> Result<Config, String> {
    let path = Path::new("etc/picloud.toml");
    let config = Config::parse(path, text).map_err(|error| error.to_string())?;
    config.validate().map_err(|fault| fault.at(path, text, &[]).to_string())?;
    Ok(config)
}

#[test]
fn the_repository_s_own_file_says_the_defaults() {
    let mut config = Config::parse(Path::new(FILE_NAME), include_str!("../../picloud.toml")).unwrap();
    // An example wants a database.
    let databases = std::mem::take(&mut config.databases);
    assert_eq!(databases.iter().map(|database| database.name.as_str()).collect::<Vec<_>>(), ["notes"]);
    assert_eq!(config, Config::default());
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
    for line in include_str!("../../picloud.toml").lines().map(|line| line.trim_start_matches("# ")) {
        match line.split_once(" = ") {
            Some((key, _)) => written.push((section.clone(), key.to_owned())),
            None if line.starts_with('[') => line.clone_into(&mut section),
            None => {}
        }
    }
    // Sections of databases have names of their users.
    let section = |key: &String| if key == "databases" { "[databases.app]".to_owned() } else { format!("[{key}]") };
    let sections: Vec<String> = keys_of("").iter().filter(|key| *key != "data").map(section).collect();
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
        SourceConfig::Git(settings) => settings,
        other => panic!("{other:?}"),
    };
    assert_eq!(*of(""), git::GitSettings::default());
    assert_eq!(of("repository = \"srv/fns.git\"").repository, git::Repository::Bare("etc/srv/fns.git".into()));
    for url in ["https://git.example.org/ada/fns.git", "git@example.org:ada/fns.git", "ssh://git@example.org/fns", "file:///srv/x.git"] {
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
    assert_eq!((config.data, config.source), ("etc/var".into(), SourceConfig::Directory { path: "etc/fns".into() }));
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
        "[retention]\nmax_age = \"30\"",
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
        "[outbound]\nprivate = [\"10.0.0.5/8\"]",
        "[outbound]\nproxy = \"ann:sesame@proxy:3128\"",
        "[outbound]\nmax_requests = 0",
        "[outbound]\nconnect_timeout = \"0s\"",
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
