//! The database, and the node that runs.

use anyhow::Context;

use super::{Finding, Level, PATIENCE};
use crate::{
    api::health::{HealthLevel, HealthReport},
    cli::client::Client,
    config::Config,
    node::{self, Announcement},
    store::{Store, StoreError},
};

const DATABASE: &str = "database";
const NODE: &str = "node";

/// Looks whether the database answers.
pub fn database(config: &Config) -> anyhow::Result<Finding> {
    let place = match Store::describe(&config.database_url, &config.data) {
        Ok(place) => place,
        Err(error) => return Ok(Finding::of_error(DATABASE, &error.to_string())),
    };
    Ok(match read(config, Store::live_deployment)? {
        Ok(Some(live)) => Finding::ok(DATABASE, format!("{place}: {} is live", live.id)),
        Ok(None) => Finding::ok(DATABASE, format!("{place}: nothing is live yet")),
        Err(StoreError::NoDatabase { .. }) => Finding::ok(DATABASE, format!("{place} is made at the first start")),
        Err(error) => Finding::of_error(DATABASE, &error.explained().to_string()),
    })
}

/// Returns the time of the newest deployment in the database, as far as that answers.
pub fn newest_us(config: &Config) -> anyhow::Result<Option<i64>> {
    Ok(read(config, Store::last_deployment)?.ok().flatten().map(|last| last.id.time_us()))
}

fn read<T>(config: &Config, read: impl AsyncFnOnce(&Store) -> Result<T, StoreError>) -> anyhow::Result<Result<T, StoreError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async { read(&Store::open_read_only(&config.database_url, &config.data).await?).await }))
}

/// Asks the node what is wrong with it.
pub fn node(config: &Config, running: Option<&Announcement>) -> anyhow::Result<Vec<Finding>> {
    let Some(running) = running else { return Ok(vec![Finding::ok(NODE, "none runs on the data folder; `picloud serve` starts one")]) };
    let token = node::admin_token(&config.data).context("cannot read the admin token of the data folder")?;
    let client = Client::impatient(&running.url, token, PATIENCE);
    Ok(match client.read::<HealthReport>("/api/admin/health") {
        Err(error) => vec![Finding::of_error(NODE, &format!("{error:#}"))],
        Ok(HealthReport { parts }) if parts.is_empty() => vec![Finding::ok(NODE, format!("runs at {}, and is well", running.url))],
        Ok(HealthReport { parts }) => {
            let level = |level| if level == HealthLevel::Fail { Level::Error } else { Level::Warning };
            let finding = |part: crate::api::health::HealthPart| Finding {
                level: level(part.level),
                part: part.part.as_str(),
                says: part.says,
                hint: Some(part.advice),
            };
            parts.into_iter().map(finding).collect()
        }
    })
}
