//! What executions did outside is shown with each of them, and not in lists.

use picloud::execution::{Effect, EffectKind, Execution, MAX_EFFECTS};
use serde_json::Value;

use crate::{
    api::{Story, elsewhere, get, on_both_databases, text},
    kit::store::{execution, rich_execution},
};

on_both_databases! {
    an_execution_is_shown_with_what_it_did_outside
    lists_and_pages_stay_short
}

fn an_execution_is_shown_with_what_it_did_outside(story: Story) {
    let rich = rich_execution(1);
    let again = Effect { kind: EffectKind::Kv, target: "get orders/\u{1b}".into(), outcome: "found".into(), ..rich.effects[0].clone() };
    let again = Effect { failed: false, replayed: true, at_us: 2_000, ..again };
    let rich = Execution { effects: vec![rich.effects[0].clone(), again], ..rich };
    story.append(&[rich.clone(), execution(2)]);
    let mut node = story.setup(&[("a.rhai", "1")]).start();
    let id = rich.id.to_string();
    let told = get(&node, &format!("/api/admin/executions/{id}")).json();
    let effect = &told["effects"][0];
    assert_eq!(
        *effect,
        serde_json::json!({
            "kind": "http", "target": "POST api.example.org/é", "outcome": "503", "failed": true, "at_us": 17, "duration_us": 1_200,
            "sent_bytes": 12, "received_bytes": 8_589_934_590_u64,
        })
    );
    assert_eq!((&told["effects"][1]["replayed"], &told["effects_dropped"]), (&true.into(), &2.into()));

    // As the database tells it, and as the node does.
    let folder = tempfile::tempdir().unwrap();
    let own = text(story.beside(&node, &["executions", "show", &id]).output().unwrap());
    assert_eq!(text(elsewhere(&folder, &node, &["executions", "show", &id]).output().unwrap()), own);
    insta::assert_snapshot!("show", own.replace(&id, "ID"));
    let json: Value = serde_json::from_str(&text(story.beside(&node, &["executions", "show", &id, "--json"]).output().unwrap())).unwrap();
    assert_eq!(json, told);
    let plain = text(story.beside(&node, &["executions", "show", &execution(2).id.to_string()]).output().unwrap());
    assert!(!plain.contains("EFFECT") && !plain.contains("LEVEL"), "{plain}");
    for unknown in
        [story.beside(&node, &["executions", "show", "361vz5hr63v52"]), elsewhere(&folder, &node, &["executions", "show", "361vz5hr63v52"])]
    {
        let mut unknown = unknown;
        let said = unknown.output().unwrap();
        assert_eq!(said.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&said.stderr).contains("no execution has th"), "{said:?}");
    }
    node.stop();
}

fn lists_and_pages_stay_short(story: Story) {
    let rich = rich_execution(1);
    let long = Effect { target: "x".repeat(500), ..rich.effects[0].clone() };
    let many: Vec<Execution> = (0..9).map(|id| Execution { effects: vec![long.clone(); MAX_EFFECTS], ..execution(id) }).collect();
    story.append(&many);
    let mut node = story.setup(&[("a.rhai", "1")]).start();
    let page = get(&node, "/api/admin/executions").text();
    assert!(!page.contains("effects") && page.len() < 10_000, "{page}");
    // Reading them is bounded, too: a page ends early.
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((page["executions"].as_array().unwrap().len() < 9, page["next"].is_null()), (true, false));
    let listed = text(story.beside(&node, &["executions", "--json"]).output().unwrap());
    assert!(!listed.contains("effects"), "{listed}");
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap().as_array().unwrap().len(), 9);
    node.stop();
}
