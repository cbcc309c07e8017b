//! What a request asks for by its query.

use std::error::Error;

use axum::extract::Query;
use http::Uri;
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
