//! `picloud routes`: every route with its file, or why one URL is answered by one of them.

use clap::Args;
use serde_json::json;

use super::{Configured, Exit, check::read_and_check, output};
use crate::{
    function::{Limits, Route},
    live::{explain::explain, router::Router},
};

/// `picloud routes [URL]`
#[derive(Debug, Args)]
pub struct Routes {
    #[command(flatten)]
    configured: Configured,
    /// Say which function answers this URL or path, and why the others do not
    url: Option<String>,
    /// Method of the request
    #[arg(long, short = 'X', default_value = "GET", requires = "url")]
    method: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One line of the listing.
struct Listed {
    route: Route,
    file: String,
    limits: String,
    guards: Vec<String>,
    is_broken: bool,
}

impl Routes {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let settled = read_and_check(&config)?.settled;
        let right = settled.report.functions.iter().map(|(file, function)| Listed {
            route: function.route.clone(),
            file: file.to_string(),
            limits: unusual(&function.manifest.limits, &config.limits.default),
            guards: function.guards.iter().map(ToString::to_string).collect(),
            is_broken: false,
        });
        let broken = settled.broken.iter().map(|file| Listed {
            route: file.route.clone(),
            file: file.file.to_string(),
            limits: String::new(),
            guards: Vec::new(),
            is_broken: true,
        });
        let mut listed: Vec<Listed> = right.chain(broken).collect();
        listed.sort_by_key(|listed| (listed.route.to_string(), listed.file.clone()));
        match &self.url {
            Some(url) => self.explain(url, listed)?,
            None => self.list(&listed)?,
        }
        let wrong = settled.diagnostics.iter().any(crate::function::Diagnostic::is_error);
        if wrong {
            eprintln!("some files have errors; `picloud check` shows them");
        }
        Ok(if wrong { Exit::FunctionsWrong } else { Exit::Done })
    }

    fn explain(&self, url: &str, listed: Vec<Listed>) -> anyhow::Result<()> {
        let uri: http::Uri = url.parse().map_err(|_| anyhow::anyhow!("`{url}` is not a URL or a path"))?;
        let router = Router::new(listed.into_iter().map(|listed| (listed.route.clone(), listed.file)));
        let explanation = explain(&router, &self.method.to_uppercase(), uri.path(), Clone::clone);
        if self.json {
            output::json(&explanation)
        } else {
            output::line(explanation.to_string());
            Ok(())
        }
    }

    fn list(&self, listed: &[Listed]) -> anyhow::Result<()> {
        if self.json {
            let rows: Vec<_> = listed
                .iter()
                .map(|Listed { route, file, guards, is_broken, .. }| {
                    json!({
                        "route": route.to_string(), "methods": route.methods.to_string(), "file": file,
                        "guards": guards, "broken": is_broken,
                    })
                })
                .collect();
            return output::json(&rows);
        }
        let rows: Vec<[String; 4]> = listed
            .iter()
            .map(|Listed { route, file, limits, guards, is_broken }| {
                let mut notes: Vec<String> = guards.iter().map(|guard| format!("behind {guard}")).collect();
                notes.extend(Some(limits.clone()).filter(|limits| !limits.is_empty()));
                notes.extend(is_broken.then(|| "broken".into()));
                [route.methods.to_string(), route.to_string(), file.clone(), notes.join(", ")]
            })
            .collect();
        output::table(["METHODS", "ROUTE", "FILE", "NOTES"], &rows);
        Ok(())
    }
}

/// Writes the limits that are not the node's defaults.
fn unusual(limits: &Limits, default: &Limits) -> String {
    limits.differing(default).into_iter().map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
}
