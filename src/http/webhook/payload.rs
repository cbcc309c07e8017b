//! What a webhook says of the references that have moved. Each host writes that in its way, and nothing else of a payload is looked at.

use serde::Deserialize;

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// The keys of all hosts, of which a payload has those of one.
#[derive(Deserialize)]
struct Payload {
    /// Of most hosts: `refs/heads/main`.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// `branch` or `tag`: then the other is only its name.
    ref_type: Option<String>,
    /// Of Bitbucket.
    push: Option<Push>,
    /// Of a Bitbucket Data Center.
    #[serde(default)]
    changes: Vec<RefChange>,
}

#[derive(Deserialize)]
struct Push {
    changes: Vec<Change>,
}

/// What was deleted is only in `old`.
#[derive(Deserialize)]
struct Change {
    new: Option<NamedReference>,
    old: Option<NamedReference>,
}

#[derive(Deserialize)]
struct NamedReference {
    #[serde(rename = "type")]
    kind: String,
    name: String,
}

#[derive(Deserialize)]
struct RefChange {
    #[serde(rename = "ref")]
    reference: ReferenceId,
}

#[derive(Deserialize)]
struct ReferenceId {
    id: String,
}

/// Returns the references that a payload names: `refs/heads/main`. None: it says nothing of them.
pub fn references(payload: &[u8]) -> Vec<String> {
    let Ok(Payload { reference, ref_type, push, changes }) = serde_json::from_slice(payload) else { return Vec::new() };
    let named = |NamedReference { kind, name }: NamedReference| format!("{}{name}", if kind == "tag" { TAGS } else { HEADS });
    let whole = |name: String| match ref_type {
        Some(kind) if !name.starts_with("refs/") => named(NamedReference { kind, name }),
        _ => name,
    };
    let pushed = push.into_iter().flat_map(|push| push.changes).filter_map(|change| change.new.or(change.old));
    let one = reference.map(whole).into_iter();
    one.chain(pushed.map(named)).chain(changes.into_iter().map(|moved| moved.reference.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_names_what_has_moved_in_its_way() {
        for (payload, expected) in [
            (r#"{"ref":"refs/heads/main","after":"x"}"#, &["refs/heads/main"][..]),
            (r#"{"ref":"main"}"#, &["main"]),
            (r#"{"ref":"v1","ref_type":"tag"}"#, &["refs/tags/v1"]),
            (r#"{"ref":"main","ref_type":"branch"}"#, &["refs/heads/main"]),
            (r#"{"ref":"refs/tags/v1","ref_type":"tag"}"#, &["refs/tags/v1"]),
            (r#"{"push":{"changes":[{"new":{"type":"tag","name":"v1"},"old":null}]}}"#, &["refs/tags/v1"]),
            (r#"{"push":{"changes":[{"new":null,"old":{"type":"branch","name":"a/b"}}]}}"#, &["refs/heads/a/b"]),
            (
                r#"{"push":{"changes":[{"new":{"type":"branch","name":"a"}},{"old":{"type":"tag","name":"b"}}]}}"#,
                &["refs/heads/a", "refs/tags/b"],
            ),
            (r#"{"push":{"changes":[]}}"#, &[]),
            (r#"{"push":{"changes":[{}]}}"#, &[]),
            (r#"{"changes":[{"ref":{"id":"refs/heads/main","type":"BRANCH"}}]}"#, &["refs/heads/main"]),
            (r#"{"changes":{"title":"x"}}"#, &[]),
            (r#"{"ref":7}"#, &[]),
            ("{}", &[]),
            ("", &[]),
            ("[", &[]),
        ] {
            assert_eq!(references(payload.as_bytes()), expected, "{payload}");
        }
    }
}
