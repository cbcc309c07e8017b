//! `picloud.toml`: whatever it holds, the node is configured or told why not.

use std::fs;

use picloud::config::{Config, Overrides};

use crate::harness::{fuzz, kind};

#[test]
fn config() {
    let folder = tempfile::tempdir().unwrap();
    fuzz("config", move |input| {
        let file = folder.path().join("picloud.toml");
        fs::write(&file, input).unwrap();
        match Config::load(Some(&file), Overrides::default()) {
            Ok(config) => {
                assert_eq!(config.limits.default.first_above(&config.limits.ceiling), None);
                format!("{:?} {:?} {}", config.record, config.source, config.limits == Config::default().limits)
            }
            Err(error) => kind(&error.to_string()),
        }
    });
}
