//! How commands speak to a running node over HTTP.

use std::{fmt::Display, time::Duration};

use anyhow::{Context, anyhow};
use http::StatusCode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::sse::SseStream;
use crate::{api::problem::ProblemDetails, execution::ExecutionId, function::Diagnostic, secret::Secret, shown::Shown};

/// Longest wait for an answer: a look at a remote fetches it first.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for the beginning of an answer that has no end.
const FIRST_PATIENCE: Duration = Duration::from_secs(30);
/// A node that answers.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    token: Secret,
}

/// A node that says no.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", Shown::lines(detail), .diagnostics.iter().map(|found| format!("\n{found}")).collect::<String>())]
pub struct Refusal {
    /// What HTTP calls it.
    pub status: u16,
    /// Why, and what to do.
    pub detail: String,
    /// What is wrong with files.
    pub diagnostics: Vec<Diagnostic>,
    /// What would change, if it says so.
    pub plan: Option<String>,
}

/// Says that nothing answers at a URL.
pub fn no_answer(url: &str, error: &ureq::Error) -> anyhow::Error {
    anyhow!("the node at {url} does not answer: {error}")
}

/// Writes a name as one segment of a path.
pub fn path_segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Keys and values of a query, as in the API.
pub type Pairs = Vec<(&'static str, String)>;

/// Writes the query of a URL.
pub fn query(pairs: &Pairs) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Reads an answer as what it should be.
pub fn understood<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("the node's answer is none to this: is it a PiCloud of another version?")
}

impl Client {
    /// Speaks to the node at this URL.
    pub fn new(url: &str, token: Secret) -> Self {
        let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build().into();
        Self { agent, url: url.into(), token }
    }

    /// Speaks to it, and waits no longer than this for an answer.
    pub fn impatient(url: &str, token: Secret, patience: Duration) -> Self {
        let agent = ureq::Agent::config_builder().timeout_global(Some(patience)).http_status_as_error(false).build().into();
        Self { agent, ..Self::new(url, token) }
    }

    /// Returns where the node answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks for something.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.call())
    }

    /// Asks for something of which it is known what it looks like.
    pub fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        understood(self.get(path)?)
    }

    /// Asks for one page of records.
    pub fn page<P: DeserializeOwned>(&self, path: &str, mut pairs: Pairs, cursor: Option<impl Display>, limit: usize) -> anyhow::Result<P> {
        pairs.push(("limit", limit.to_string()));
        pairs.extend(cursor.map(|cursor| ("cursor", cursor.to_string())));
        self.read(&format!("{path}?{}", query(&pairs)))
    }

    /// Asks for at most so many records, page by page. `parts` returns the records of a page, and where the next one begins.
    pub fn pages<P: DeserializeOwned, T, C: Display>(
        &self,
        path: &str,
        pairs: &Pairs,
        limit: usize,
        largest_page: usize,
        parts: impl Fn(P) -> (Vec<T>, Option<C>),
    ) -> anyhow::Result<Vec<T>> {
        let (mut records, mut cursor) = (Vec::new(), None::<C>);
        while records.len() < limit {
            let (found, next) = parts(self.page(path, pairs.clone(), cursor, (limit - records.len()).min(largest_page))?);
            records.extend(found);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(records)
    }

    /// Asks for something that goes on, from the event after this one. None if the node cannot be reached just now.
    pub fn events(&self, path: &str, after: Option<ExecutionId>) -> anyhow::Result<Option<SseStream>> {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(FIRST_PATIENCE))
            .timeout_recv_response(Some(FIRST_PATIENCE))
            .http_status_as_error(false)
            .build();
        let mut request = ureq::Agent::from(config).get(format!("{}{path}", self.url)).header("authorization", self.bearer());
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        match request.call() {
            Ok(answer) if answer.status().is_success() => Ok(Some(SseStream::new(answer.into_body().into_reader()))),
            Ok(answer) if answer.status().is_server_error() => Ok(None),
            Ok(answer) => self.answer(Ok(answer)).map(|_| None),
            Err(_) => Ok(None),
        }
    }

    /// Orders something.
    pub fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.send_json(body))
    }

    /// Orders something with a body of these bytes.
    pub fn post_bytes(&self, path: &str, content_type: &str, body: &[u8]) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.content_type(content_type).send(body))
    }

    /// Puts bytes somewhere.
    pub fn put(&self, path: &str, content_type: &str, body: &[u8]) -> anyhow::Result<Value> {
        let request = self.agent.put(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.content_type(content_type).send(body))
    }

    /// Has something removed.
    pub fn delete(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.delete(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.call())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token.expose())
    }

    fn answer(&self, answer: Result<http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
        let mut answer = answer.map_err(|error| no_answer(&self.url, &error))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().with_context(|| format!("the answer of {} broke off", self.url))?;
        if status.is_success() {
            return Ok(serde_json::from_str(&text).unwrap_or(Value::Null));
        }
        Err(Refusal::of(status, serde_json::from_str(&text).ok()).into())
    }
}

impl Refusal {
    fn of(status: StatusCode, problem: Option<ProblemDetails<'_>>) -> Self {
        let Some(problem) = problem else {
            return Self { status: status.as_u16(), detail: format!("it answers {status}"), diagnostics: Vec::new(), plan: None };
        };
        let hint = problem.hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        let detail = format!("{}{hint}", problem.detail);
        Self { status: status.as_u16(), detail, diagnostics: problem.diagnostics.into_owned(), plan: problem.text }
    }
}
