//! What of `picloud.toml` may be kept elsewhere: everything but secrets.
//!
//! It is written anew from what was read, without comments: a secret may stand in one of them, too.

use toml::{Table, Value};

use crate::function::toml_text;

/// The keys that hold a secret, by their sections.
const SECRETS: [(&str, &str); 2] = [("source", "token"), ("source", "webhook_secret")];
/// The keys with URLs in which somebody may have put one.
const URLS: [(&str, &str); 4] = [("database", "url"), ("source", "repository"), ("traces", "endpoint"), ("outbound", "proxy")];

/// Returns whether the value of `section.key` may hold a secret.
pub fn may_hold_secret(key: &str) -> bool {
    is_url_of_database(key) || SECRETS.iter().chain(&URLS).any(|known| key.split_once('.') == Some(*known))
}

/// Returns whether this is the URL of a database that scripts use: `databases.NAME.url`.
fn is_url_of_database(key: &str) -> bool {
    key.strip_prefix("databases.").and_then(|rest| rest.split_once('.')).is_some_and(|(_, key)| key == "url")
}

/// Settings without secrets.
#[derive(Debug, PartialEq, Eq)]
pub struct RedactedFile {
    /// What `picloud.toml` may say.
    pub text: String,
    /// The keys that had something taken out: `source.token`.
    pub left_out: Vec<String>,
}

/// Takes the secrets out of a configuration's text. None: it is no TOML.
pub fn without_secrets(text: &str) -> Option<RedactedFile> {
    let mut table: Table = toml_text::parse(text).ok()?;
    let mut left_out = Vec::new();
    for (section, key) in SECRETS {
        if table.get_mut(section).and_then(Value::as_table_mut).and_then(|section| section.remove(key)).is_some() {
            left_out.push(format!("{section}.{key}"));
        }
    }
    for (section, key) in URLS {
        let Some(section_table) = table.get_mut(section).and_then(Value::as_table_mut) else { continue };
        redact_url(section_table, key, &format!("{section}.{key}"), &mut left_out);
    }
    let databases = table.get_mut("databases").and_then(Value::as_table_mut);
    for (name, section) in databases.into_iter().flatten() {
        let Some(section_table) = section.as_table_mut() else { continue };
        redact_url(section_table, "url", &format!("databases.{name}.url"), &mut left_out);
    }
    Some(RedactedFile { text: toml::to_string(&table).ok()?, left_out })
}

/// Takes the password out of a URL, or leaves the URL out.
fn redact_url(section: &mut Table, key: &str, name: &str, left_out: &mut Vec<String>) {
    let Some(url) = section.get(key).and_then(Value::as_str) else { return };
    let kept = open_part(url);
    if kept.as_deref() == Some(url) {
        return;
    }
    match kept {
        Some(kept) => drop(section.insert(key.into(), kept.into())),
        None => drop(section.remove(key)),
    }
    left_out.push(name.into());
}

/// Returns a URL without a password; for the web without a user, too, who may be a token. None: it is not clear what is one.
fn open_part(url: &str) -> Option<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Some(url.into()) };
    let (place, parameters) = rest.split_once('?').map_or((rest, None), |(place, parameters)| (place, Some(parameters)));
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let has_port = host.rsplit_once(':').is_none_or(|(_, port)| port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit()));
    // A slash or a question mark in a password, which should have been written otherwise.
    if path.contains('@') || parameters.is_some_and(|parameters| parameters.contains('@')) || !has_port {
        return None;
    }
    let user = user.filter(|_| !scheme.starts_with("http")).map(|user| user.split(':').next().unwrap_or_default());
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let parameters = parameters.map(|parameters| {
        let is_open = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).all(|(name, _)| !name.eq_ignore_ascii_case("password"));
        parameters.split('&').filter(is_open).collect::<Vec<_>>().join("&")
    });
    let parameters = parameters.filter(|parameters| !parameters.is_empty()).map(|parameters| format!("?{parameters}")).unwrap_or_default();
    Some(format!("{scheme}://{user}{host}{path}{parameters}"))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn secrets_and_comments_stay_behind() {
        let text = "# token = \"sesame\"\ndata = \"var\"\n[source]\nkind = \"git\"\nrepository = \"https://sesame@example.org/f.git\"\ntoken = \"sesame\"\n\
                    webhook_secret = \"sesame\" # sesame\n[database]\nurl = \"postgres://ann:sesame@db/picloud\"\n";
        let kept = without_secrets(text).unwrap();
        assert_eq!(
            kept.text,
            "data = \"var\"\n\n[database]\nurl = \"postgres://ann@db/picloud\"\n\n[source]\nkind = \"git\"\nrepository = \"https://example.org/f.git\"\n"
        );
        assert_eq!(kept.left_out, ["source.token", "source.webhook_secret", "database.url", "source.repository"]);
        assert_eq!(without_secrets("source = { token = \"sesame\" }").unwrap().text, "[source]\n");
        assert_eq!(without_secrets("[source"), None);
    }

    #[test]
    fn the_password_of_a_user_s_database_stays_behind() {
        let kept = without_secrets("[databases.app]\nurl = \"postgres://ann:sesame@db/app\"\nmax_rows = 5\n").unwrap();
        assert_eq!(kept.text, "[databases.app]\nmax_rows = 5\nurl = \"postgres://ann@db/app\"\n");
        assert_eq!(kept.left_out, ["databases.app.url"]);
        assert!(may_hold_secret("databases.app.url") && !may_hold_secret("databases.app.max_rows"));
    }

    #[test]
    fn what_is_kept_says_the_same() {
        let text = include_str!("../../picloud.toml");
        let kept = without_secrets(text).unwrap();
        assert_eq!(kept.left_out, [""; 0]);
        let parse = |text: &str| super::super::Config::parse("picloud.toml".as_ref(), text).unwrap();
        assert_eq!(parse(&kept.text), parse(text));
    }

    #[test]
    fn a_url_keeps_what_is_no_secret() {
        for (url, kept) in [
            ("sqlite", Some("sqlite")),
            ("sqlite:var/a@b.db", Some("sqlite:var/a@b.db")),
            ("postgres://db/picloud", Some("postgres://db/picloud")),
            ("postgres://ann@db:5432/picloud", Some("postgres://ann@db:5432/picloud")),
            ("postgres://ann:sesame@[::1]:5432/picloud?sslmode=require", Some("postgres://ann@[::1]:5432/picloud?sslmode=require")),
            ("postgres://ann:se@same@db/picloud", Some("postgres://ann@db/picloud")),
            ("postgres:///picloud?host=/run/pg&user=ann&password=sesame", Some("postgres:///picloud?host=/run/pg&user=ann")),
            ("postgres:///picloud?p%61ssword=sesame", Some("postgres:///picloud")),
            ("postgres://ann:ses/ame@db/picloud", None),
            ("postgres://ann:ses?ame@db/picloud", None),
            ("postgres://ann:sesame/db", None),
            ("https://sesame@example.org/f.git", Some("https://example.org/f.git")),
            ("ssh://git@example.org/f.git", Some("ssh://git@example.org/f.git")),
            ("git@example.org:f.git", Some("git@example.org:f.git")),
            ("hosted", Some("hosted")),
        ] {
            assert_eq!(open_part(url).as_deref(), kept, "{url}");
        }
    }

    #[test]
    fn every_key_that_holds_a_secret_is_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let text: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
        // Those that are read from the file; what is resolved from it is public.
        let is_field = |line: &&str| line.ends_with(": Option<Secret>,") && !line.trim_start().starts_with("pub ");
        let fields = text.lines().filter(is_field).count();
        assert_eq!(fields, SECRETS.len(), "a key that holds a secret belongs into `SECRETS`");
    }
}
