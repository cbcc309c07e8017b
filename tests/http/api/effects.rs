//! What executions did outside is shown with each of them, and not in lists.

use picloud::execution::{Effect, EffectKind, Execution, MAX_EFFECTS};
use serde_json::Value;

use crate::{
    api::{Story, elsewhere, get, on_both_databases, text},
    kit::{
        node::{PATIENCE, wait_until},
        store::{execution, rich_execution},
    },
};

on_both_databases! {
    an_execution_is_shown_with_what_it_did_outside
    lists_and_pages_stay_short
    what_a_run_answered_and_emitted_is_told
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
    let many = (0..9).map(|id| Execution { effects: vec![long.clone(); MAX_EFFECTS], events: rich.events.clone(), ..execution(id) });
    let many: Vec<Execution> = many.collect();
    story.append(&many);
    let mut node = story.setup(&[("a.rhai", "1")]).start();
    let page = get(&node, "/api/admin/executions").text();
    assert!(!page.contains("effects") && !page.contains("orders.lost") && page.len() < 10_000, "{page}");
    // Reading them is bounded, too: a page ends early.
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((page["executions"].as_array().unwrap().len() < 9, page["next"].is_null()), (true, false));
    let listed = text(story.beside(&node, &["executions", "--json"]).output().unwrap());
    assert!(!listed.contains("effects"), "{listed}");
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap().as_array().unwrap().len(), 9);
    node.stop();
}

fn what_a_run_answered_and_emitted_is_told(story: Story) {
    let emits = r#"emit("orders.new", 1, #{ key: "k" }); for i in 0..2 { emit("orders.new", 1, #{ id: "one" }); }"#;
    let (good, bad) = (format!("{emits} \"done\""), format!("{emits} throw \"no\""));
    let files = [("good.rhai", &*good), ("bad.rhai", &*bad), ("_events/orders.new.rhai", "emit(\"orders.seen\", ()); 1")];
    let mut node = story.setup(&files).start();
    let told = |path: &str| {
        let answer = node.get(path);
        let id = answer.header("x-picloud-execution").unwrap().to_owned();
        wait_until("it is recorded", PATIENCE, || get(&node, &format!("/api/admin/executions/{id}")).status == 200);
        (answer, get(&node, &format!("/api/admin/executions/{id}")).json())
    };
    let emitted = |told: &Value| -> Vec<(String, Option<String>, bool)> {
        let events = told["events"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        events.map(|event| (text(&event["topic"]).unwrap(), text(&event["key"]), event["sent"].as_bool().unwrap())).collect()
    };
    let event = |key: Option<&str>, sent| ("orders.new".to_owned(), key.map(str::to_owned), sent);
    let (answer, good) = told("/good");
    assert_eq!(good["response_type"], answer.header("content-type").unwrap());
    assert_eq!(good["response_bytes"], answer.text().len());
    // The second with an id is left out.
    assert_eq!(emitted(&good), [event(Some("k"), true), event(None, true), event(None, false)]);
    let (_, bad) = told("/bad");
    assert_eq!((bad.get("response_type"), bad.get("response_bytes")), (None, None));
    assert_eq!(emitted(&bad), [event(Some("k"), false), event(None, false), event(None, false)]);
    // A handler's events go with the settlement of its delivery.
    let mut handled = None;
    wait_until("the handler has run", PATIENCE, || {
        let page = get(&node, "/api/admin/executions?trigger=event&limit=1").json();
        handled = page["executions"][0]["id"].as_str().map(str::to_owned);
        handled.is_some()
    });
    let handled = get(&node, &format!("/api/admin/executions/{}", handled.unwrap())).json();
    assert_eq!(emitted(&handled), [("orders.seen".to_owned(), None, true)]);
    node.stop();
}
