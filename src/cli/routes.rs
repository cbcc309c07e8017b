//! `picloud routes`: every route with its file, or why one URL is answered by one of them.

use clap::Args;

use super::{
    check::read_and_check,
    client::{Client, query},
    exit::Exit,
    findings,
    invoke::FILES_HERE,
    output,
    target::NodeArgs,
};
use crate::{
    api::{node::NodeStatus, routes::RouteList},
    function::Diagnostic,
    live::{
        explain::{Explanation, broken_label, explain},
        listing::RouteSummary,
        router::Router,
    },
};

/// `picloud routes [URL]`
#[derive(Debug, Args)]
#[command(mut_arg("url", |url| url.help(FILES_HERE)))]
pub struct Routes {
    #[command(flatten)]
    node: NodeArgs,
    /// Say which function answers this URL or path, and why the others do not
    #[arg(value_name = "URL")]
    asked: Option<String>,
    /// Method of the request
    #[arg(long, short = 'X', default_value = "GET", requires = "asked")]
    method: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Routes {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let diagnostics = match self.node.given()? {
            Some(client) => self.ask(&client)?,
            None => self.read()?,
        };
        let is_wrong = diagnostics.iter().any(Diagnostic::is_error);
        if is_wrong {
            let where_ = if self.node.given()?.is_some() { "status" } else { "check" };
            output::tell(format!("{}; `picloud {where_}` shows where", findings::summary(&diagnostics)));
        }
        Ok(if is_wrong { Exit::FunctionsWrong } else { Exit::Done })
    }

    /// Tells what the files here would serve, and returns what is wrong with them.
    fn read(&self) -> anyhow::Result<Vec<Diagnostic>> {
        let config = self.node.configured.load()?;
        let settled = read_and_check(&config)?.settled;
        let functions = &settled.report.functions;
        match &self.asked {
            Some(url) => {
                let right = functions.iter().filter_map(|(file, function)| Some((function.route.clone()?, file.to_string())));
                let broken = settled.broken.iter().map(|broken| (broken.route.clone(), broken_label(&broken.file)));
                // In this order: where a broken file's route is also a function's, the function answers.
                let router: Router<String> = Router::new(right.chain(broken));
                self.tell(&explain(&router, &self.method.to_uppercase(), path_of(url), Clone::clone))?;
            }
            None => {
                let right = functions.values().filter_map(|function| RouteSummary::of(function, &config.limits.default));
                let mut listed: Vec<RouteSummary> = right.chain(settled.broken.iter().map(RouteSummary::of_broken)).collect();
                listed.sort_by(RouteSummary::order);
                self.list(&listed)?;
            }
        }
        Ok(settled.diagnostics)
    }

    /// Tells what a node serves, and returns what is wrong with its source.
    fn ask(&self, client: &Client) -> anyhow::Result<Vec<Diagnostic>> {
        match &self.asked {
            Some(url) => {
                let pairs = vec![("path", path_of(url).to_owned()), ("method", self.method.clone())];
                let explanation: Explanation = client.read(&format!("/api/admin/routes/explain?{}", query(&pairs)))?;
                self.tell(&explanation)?;
            }
            None => {
                let RouteList { routes, .. } = client.read("/api/admin/routes")?;
                self.list(&routes)?;
            }
        }
        let NodeStatus { diagnostics, .. } = client.read("/api/admin/status")?;
        Ok(diagnostics)
    }

    fn tell(&self, explanation: &Explanation) -> anyhow::Result<()> {
        if self.json {
            return output::json(explanation);
        }
        output::line(explanation.to_string());
        Ok(())
    }

    fn list(&self, listed: &[RouteSummary]) -> anyhow::Result<()> {
        if self.json {
            return output::json(&serde_json::to_value(listed)?);
        }
        let rows: Vec<[String; 4]> = listed
            .iter()
            .map(|RouteSummary { route, methods, file, limits, guards, auth, broken, .. }| {
                let mut notes: Vec<String> = guards.iter().map(|guard| format!("behind {guard}")).collect();
                notes.extend(auth.as_ref().map(|scope| format!("token to {scope}")));
                notes.extend(limits.iter().map(|(key, value)| format!("{key} {}", value.text)));
                notes.extend(broken.then(|| "broken".into()));
                [methods.clone(), route.clone(), file.to_string(), notes.join(", ")]
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
