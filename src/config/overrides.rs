//! What wins over the file: flags and the environment.

use std::{net::SocketAddr, path::PathBuf};

use super::{Config, SourceConfig};
use crate::{secret::Secret, source::git, vault::KeySource};

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
    /// `PICLOUD_SECRET_KEY`, else `PICLOUD_SECRET_KEY_FILE`
    pub secret_key: Option<KeySource>,
}

impl Overrides {
    /// Returns the settings that win over the file, of those that may be found wrong later.
    pub fn settings(&self) -> Vec<&'static str> {
        let given = [
            ("server.listen", self.listen.is_some()),
            ("server.admin_listen", self.admin_listen.is_some()),
            ("database.url", self.database_url.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect()
    }

    /// Puts what is given in the place of what the file says.
    pub fn apply(self, config: &mut Config) {
        if let Some(path) = self.functions {
            config.source = SourceConfig::Directory { path };
        }
        let Config { server, data, database_url, webhook_secret, secret_key, source, .. } = config;
        server.listen = self.listen.unwrap_or(server.listen);
        server.admin_listen = self.admin_listen.or(server.admin_listen);
        server.dev |= self.dev;
        replace(data, self.data);
        replace(database_url, self.database_url);
        replace(secret_key, self.secret_key);
        *webhook_secret = self.webhook_secret.or(webhook_secret.take());
        if let SourceConfig::Git(git) = source
            && let git::Repository::Remote(remote) = &mut git.repository
        {
            remote.token = self.git_token.or(remote.token.take());
        }
    }
}

fn replace<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}
