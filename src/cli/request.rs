//! The request that a command has answered: as options say it, and as a node is told of it.

use std::{
    fs,
    io::{self, Read},
};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::CONTENT_TYPE};
use serde_json::Value;

use crate::api::executions::InvokeOrder;

/// The options that say what is asked.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Path with an optional query: `/hello?name=Ada`
    path: String,
    /// Method [default: GET, or POST with a body]
    #[arg(short = 'X', long)]
    method: Option<String>,
    /// Body: text, `@FILE`, or `-` for standard input
    #[arg(short = 'd', long = "body", value_name = "BODY", allow_hyphen_values = true)]
    given_body: Option<String>,
    /// Header, `Name: value`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
}

/// A request.
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl RequestArgs {
    /// Reads the request, from a file or standard input where the options say so.
    pub fn read(&self) -> anyhow::Result<Request> {
        let uri = self.uri()?;
        let body = self.body()?;
        let headers = self.headers(&body)?;
        Ok(Request { method: self.method()?, uri, headers, body })
    }

    fn uri(&self) -> anyhow::Result<Uri> {
        let uri: Option<Uri> = self.path.parse().ok().filter(|uri: &Uri| uri.path().starts_with('/'));
        uri.with_context(|| {
            let hint = if self.path.starts_with('/') {
                "write a space as `%20`, and other such characters encoded, too"
            } else {
                "begin with `/`"
            };
            format!("`{}` is not a path\n  hint: {hint}", self.path)
        })
    }

    fn method(&self) -> anyhow::Result<Method> {
        let method = self.method.clone().unwrap_or_else(|| if self.given_body.is_some() { "POST".into() } else { "GET".into() });
        Method::from_bytes(method.to_uppercase().as_bytes()).ok().with_context(|| format!("`{method}` is not a method"))
    }

    fn body(&self) -> anyhow::Result<Bytes> {
        Ok(match self.given_body.as_deref() {
            None => Bytes::new(),
            Some("-") => {
                let mut body = Vec::new();
                io::stdin().read_to_end(&mut body).context("cannot read the body from standard input")?;
                body.into()
            }
            Some(text) => match text.strip_prefix('@') {
                Some(file) => fs::read(file).with_context(|| format!("cannot read the body from `{file}`"))?.into(),
                None => text.to_owned().into(),
            },
        })
    }

    /// Reads the headers. Without a content type a body that is a JSON object or array is taken for JSON, any other for text.
    fn headers(&self, body: &Bytes) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for header in &self.headers {
            let hint = || format!("`{header}` is not a header\n  hint: write it like `Name: value`");
            let (name, value) = header.split_once(':').with_context(hint)?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok().with_context(hint)?;
            headers.append(name, HeaderValue::from_str(value.trim()).ok().with_context(hint)?);
        }
        if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
            let is_json = matches!(serde_json::from_slice(body), Ok(Value::Object(_) | Value::Array(_)));
            let content_type = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Ok(headers)
    }
}

impl Request {
    /// Writes it as a node is told of it, to be run on this deployment if one is named.
    pub fn order(&self, deployment: Option<&str>) -> InvokeOrder {
        let header =
            |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned());
        let (body, body_base64) = match std::str::from_utf8(&self.body) {
            Ok("") => (None, None),
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(BASE64_STANDARD.encode(&self.body))),
        };
        InvokeOrder {
            method: Some(self.method.to_string()),
            path: self.uri.to_string(),
            headers: self.headers.iter().map(header).collect(),
            body,
            body_base64,
            deployment: deployment.map(str::to_owned),
        }
    }
}
