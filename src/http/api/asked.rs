//! What a request asks for by its path and its query. What the framework refuses there is told as every other problem.

use std::error::Error;

use axum::extract::{FromRequestParts, Path, Query, path::ErrorKind, rejection::PathRejection};
use http::{Uri, request::Parts};
use serde::de::DeserializeOwned;

use crate::http::problem::Problem;

/// Reads the keys and values of a query. What is wrong names the key.
pub fn asked<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let Query(asked) = Query::try_from_uri(uri).map_err(|rejection| {
        let cause = rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string);
        Problem::BadOrder(format!("the query makes no sense: {cause}"))
    })?;
    Ok(asked)
}

/// The parameters in the path of a route: a text, or a tuple of texts.
pub struct PathParams<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(params) = Path::from_request_parts(parts, state).await.map_err(bad_path)?;
        Ok(Self(params))
    }
}

fn bad_path(rejection: PathRejection) -> Problem {
    if let PathRejection::FailedToDeserializePathParams(error) = &rejection
        && let ErrorKind::InvalidUtf8InPathParam { key } = error.kind()
    {
        return Problem::BadPath(format!("`{key}` is not UTF-8"));
    }
    Problem::BadPath(rejection.body_text())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::deployment::{DeploymentId, DeploymentStatus};

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        limit: Option<u32>,
        cursor: Option<DeploymentId>,
        status: Option<DeploymentStatus>,
        stat: bool,
        path: String,
    }

    #[test]
    fn a_query_that_makes_no_sense_names_the_key() {
        let said = |query: &str| match asked::<Sample>(&format!("/x{query}").parse().unwrap()) {
            Ok(sample) => format!("{sample:?}"),
            Err(Problem::BadOrder(why)) => why,
            Err(problem) => panic!("{problem:?}"),
        };
        let queries = [
            "",
            "?limit=7&cursor=361vz5hj7ad52&status=live&stat=true&path=%2Fa%20b",
            "?limit=-1",
            "?limit=",
            "?cursor=x",
            "?status=both",
            "?stat=1",
            "?limt=1",
            "?limit=1&limit=2",
            "?path=%ff",
        ];
        insta::assert_snapshot!(queries.map(|query| format!("{query}: {}", said(query))).join("\n"));
    }
}
