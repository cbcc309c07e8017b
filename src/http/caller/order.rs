//! Reads orders: bodies of JSON.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, request::Parts};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{
    function::toml_text::explained,
    http::{app::App, problem::Problem, wire::body::read_body},
};

/// Reads what is ordered.
pub async fn read<T: DeserializeOwned>(app: &App, request: Request<Body>, limit: usize) -> Result<T, Problem> {
    parse(&body(app, request, limit).await?)
}

/// The same where an order may be left out.
pub async fn read_optional<T: DeserializeOwned>(app: &App, request: Request<Body>, limit: usize) -> Result<Option<T>, Problem> {
    let body = body(app, request, limit).await?;
    if body.is_empty() { Ok(None) } else { parse(&body) }
}

/// Reads a body.
pub async fn body(app: &App, request: Request<Body>, limit: usize) -> Result<Bytes, Problem> {
    let (Parts { headers, .. }, body) = request.into_parts();
    Ok(read_body(&headers, body, limit, app.settings.body_timeout).await?)
}

/// Reads a body, and says of a wrong one what its sender can act on.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::BadOrder(match error.classify() {
            Category::Data if body.trim_ascii_start().first() != Some(&b'{') => "the body is no JSON object".into(),
            Category::Data => {
                let said = error.to_string();
                let said = said.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&said);
                let (message, hint) = explained(said);
                let message = message.replace("expected a table", "expected an object");
                format!("in the body, {message}{}", hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default())
            }
            Category::Syntax | Category::Eof | Category::Io if body.is_empty() => "the body is empty, and JSON is expected".into(),
            Category::Syntax | Category::Eof | Category::Io => format!("the body is not JSON: line {line}, column {column}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "read by nobody: the test is about what does not parse")]
        name: String,
        #[expect(dead_code, reason = "as above")]
        #[serde(default)]
        scope: Option<Scope>,
    }

    #[test]
    fn a_wrong_body_says_what_is_wrong_with_it() {
        let told = |body: &str| match parse::<Order>(body.as_bytes()) {
            Err(Problem::BadOrder(why)) => why,
            other => panic!("{body}: {other:?}"),
        };
        let bodies =
            ["", "nope", "{\"name\":", "{}", "{\"nam\":\"x\"}", "{\"name\":\"x\",\"scope\":\"root\"}", "{\"name\":7}", "[]", "\"x\""];
        insta::assert_snapshot!(bodies.map(told).join("\n"));
    }
}
