//! `picloud routes`: every route with its file, or why one URL is answered by one of them.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::json;

use super::{Configured, Exit, check::read_and_check, found, output};
use crate::{
    access::Scope,
    function::{Diagnostic, Route},
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
    description: Option<String>,
    limits: Vec<(&'static str, String)>,
    guards: Vec<String>,
    auth: Option<Scope>,
    is_broken: bool,
}

impl Routes {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let settled = read_and_check(&config)?.settled;
        let right = settled.report.functions.iter().map(|(file, function)| Listed {
            route: function.route.clone(),
            file: file.to_string(),
            description: function.manifest.description.clone(),
            limits: function.manifest.limits.differing(&config.limits.default),
            guards: function.guards.iter().map(ToString::to_string).collect(),
            auth: function.manifest.auth,
            is_broken: false,
        });
        let broken = settled.broken.iter().map(|file| Listed {
            route: file.route.clone(),
            file: file.file.to_string(),
            description: None,
            limits: Vec::new(),
            guards: Vec::new(),
            auth: None,
            is_broken: true,
        });
        let mut listed: Vec<Listed> = right.chain(broken).collect();
        match &self.url {
            // In this order: where a broken file's route is also a function's, the function answers.
            Some(url) => self.explain(url, listed)?,
            None => {
                listed.sort_by_cached_key(|listed| (listed.route.to_string(), listed.file.clone()));
                self.list(&listed)?;
            }
        }
        let is_wrong = settled.diagnostics.iter().any(Diagnostic::is_error);
        if is_wrong {
            output::tell(format!("{}; `picloud check` shows where", found(&settled.diagnostics)));
        }
        Ok(if is_wrong { Exit::FunctionsWrong } else { Exit::Done })
    }

    fn explain(&self, url: &str, listed: Vec<Listed>) -> anyhow::Result<()> {
        let router = Router::new(listed.into_iter().map(|listed| {
            let file = if listed.is_broken { format!("{} (broken)", listed.file) } else { listed.file };
            (listed.route, file)
        }));
        let explanation = explain(&router, &self.method.to_uppercase(), path_of(url), Clone::clone);
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
                .map(|Listed { route, file, description, limits, guards, auth, is_broken }| {
                    json!({
                        "route": route.to_string(),
                        "methods": route.methods.to_string(),
                        "file": file,
                        "description": description,
                        "limits": limits.iter().cloned().collect::<BTreeMap<_, _>>(),
                        "guards": guards,
                        "auth": auth,
                        "broken": is_broken,
                    })
                })
                .collect();
            return output::json(&rows);
        }
        let rows: Vec<[String; 4]> = listed
            .iter()
            .map(|Listed { route, file, limits, guards, auth, is_broken, .. }| {
                let mut notes: Vec<String> = guards.iter().map(|guard| format!("behind {guard}")).collect();
                notes.extend(auth.map(|scope| format!("token to {scope}")));
                notes.extend(limits.iter().map(|(key, value)| format!("{key} {value}")));
                notes.extend(is_broken.then(|| "broken".into()));
                [route.methods.to_string(), route.to_string(), file.clone(), notes.join(", ")]
            })
            .collect();
        output::table(["METHODS", "ROUTE", "FILE", "NOTES"], &rows);
        Ok(())
    }
}

/// Returns the path of a URL, or of a path as people write it; what it may hold is for the router to say.
fn path_of(url: &str) -> &str {
    let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_as_people_write_it() {
        for (url, path) in [
            ("/users/7?x=/y", "/users/7"),
            ("http://127.0.0.1:8080/users/7#top", "/users/7"),
            ("https://example.org", "/"),
            ("https://example.org?x=/1", "/"),
            ("/", "/"),
        ] {
            assert_eq!(path_of(url), path);
        }
    }
}
