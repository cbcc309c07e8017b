//! Why a run failed, and the calls that led there.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::function::{FilePath, Position, diagnostic::MaybePosition};

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Safe to show to the function's author; not for the caller.
    pub message: String,
    /// The file that failed: the function's own, or a module's.
    #[schema(value_type = String)]
    pub file: FilePath,
    /// Where in it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MaybePosition)]
    pub position: Option<Position>,
    /// The calls that led there, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<FailureCall>,
}

/// A call on the way to a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(from = "StoredCall")]
pub struct FailureCall {
    /// What was called: the name of a function in a script, or `a closure`.
    pub function: String,
    /// The file with the call.
    #[schema(value_type = String)]
    pub file: FilePath,
    /// Where in it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MaybePosition)]
    pub position: Option<Position>,
}

impl fmt::Display for FailureCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} called at {}", self.function, self.file)?;
        self.position.map_or(Ok(()), |Position { line, column }| write!(f, ":{line}:{column}"))
    }
}

/// A call as records have it: those of earlier programs have a sentence.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredCall {
    Call {
        function: String,
        file: FilePath,
        #[serde(flatten)]
        position: Option<Position>,
    },
    Sentence(String),
}

impl From<StoredCall> for FailureCall {
    fn from(stored: StoredCall) -> Self {
        match stored {
            StoredCall::Call { function, file, position } => Self { function, file, position },
            StoredCall::Sentence(sentence) => {
                let (function, place) = sentence.split_once(" called at ").unwrap_or((&sentence, ""));
                let (file, position) = place_of(place).map_or((place, None), |(file, position)| (file, Some(position)));
                Self { function: function.into(), file: file.into(), position }
            }
        }
    }
}

/// Reads `FILE:LINE:COLUMN`.
fn place_of(place: &str) -> Option<(&str, Position)> {
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file, Position { line: line.parse().ok()?, column: column.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_back_and_so_does_the_sentence_of_an_earlier_program() {
        let position = Some(Position { line: 30, column: 21 });
        let call = FailureCall { function: "total".into(), file: "shop/orders.post.rhai".into(), position };
        let nowhere = FailureCall { function: "a closure".into(), file: "f.rhai".into(), position: None };
        for call in [call, nowhere] {
            let json = serde_json::to_string(&call).unwrap();
            assert_eq!(serde_json::from_str::<FailureCall>(&json).unwrap(), call, "{json}");
            let sentence = serde_json::to_string(&call.to_string()).unwrap();
            assert_eq!(serde_json::from_str::<FailureCall>(&sentence).unwrap(), call, "{sentence}");
        }
        let odd: FailureCall = serde_json::from_str("\"odd\"").unwrap();
        assert_eq!((&*odd.function, &*odd.file), ("odd", ""));
    }
}
