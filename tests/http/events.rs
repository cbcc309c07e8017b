//! Events from outside and inside: emitted, handled, given up, tried again. Over HTTP and by commands.

use std::collections::HashSet;

use picloud::{audit::AuditEntry, execution::Trigger};
use serde_json::{Value, json};

use crate::kit::{
    api::{Api, token},
    command::{run, said},
    node::{Node, PATIENCE, Setup, node, wait_until},
    store::on_both_nodes,
    upstream::Upstream,
};

on_both_nodes! {
    a_function_answers_first_and_works_later
    what_is_given_up_is_tried_again_when_it_is_mended
    attempts_go_on_when_a_dead_letter_is_put_back
    what_waits_is_hastened_or_thrown_away
    an_event_with_one_id_is_handled_once_a_day
    events_of_one_key_are_handled_in_their_order
    a_handler_says_what_becomes_of_its_event
    what_waits_behind_another_of_its_key_cannot_be_tried_now
    the_deepest_payload_is_read
    no_attempt_waits_longer_than_an_event_may
    what_no_emit_takes_is_refused_with_the_reason
    a_run_that_fails_has_emitted_nothing
    events_that_lead_to_one_another_end
    a_token_for_some_functions_has_the_topics_of_its_folder
    neither_of_two_tokens_for_some_functions_gets_the_events_of_the_other
    what_waits_of_schedules_and_events_is_listed_and_thrown_away
    a_handler_has_no_guard_and_no_url_and_is_replayed_exactly
    a_full_queue_takes_no_more_and_says_so
    the_order_desk_of_the_manual_works
    the_node_tells_of_itself_and_never_of_what_it_told
    dead_letters_that_lead_to_one_another_end
    check_warns_of_topics_that_nobody_handles_and_refuses_two_files_for_one
}

/// Notes every event that it handles in the key-value store, in their order.
const NOTES: &str = "+++\n[kv]\nname = \"notes\"\n+++\nkv::update(\"seen\", |seen| (seen ?? []) + [ctx.event.payload]);";
/// Emits the body of its request.
const EMITS: &str = "emit(\"orders.created\", ctx.request.body); #{ statusCode: 202, body: \"later\" }";

fn start(files: &[(&str, &str)], on: impl Fn(Setup) -> Setup) -> Node {
    on(node(files)).start()
}

/// What handlers have noted.
fn notes(api: &Api) -> Value {
    match api.get("/api/admin/kv/notes/seen") {
        answer if answer.status == 200 => answer.json()["value"].take(),
        _ => json!([]),
    }
}

#[track_caller]
fn wait_for_notes(api: &Api, expected: &Value) {
    wait_until("the handlers have run", PATIENCE, || notes(api) == *expected);
}

#[track_caller]
fn emit(api: &Api, path: &str, payload: &Value) -> Value {
    let answer = api.json("POST", &format!("/api/admin/events/{path}"), payload);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Waits until there are so many dead letters, and returns them.
#[track_caller]
fn dead(api: &Api, count: usize) -> Vec<Value> {
    let mut letters = Vec::new();
    wait_until("there are dead letters", PATIENCE, || {
        letters = api.get("/api/admin/dead-letters").json()["dead_letters"].as_array().unwrap().clone();
        letters.len() == count
    });
    letters
}

/// Actions, names and details of the audit log about events, the oldest first.
fn told(api: &Api) -> Vec<String> {
    let entries: Vec<AuditEntry> = serde_json::from_value(api.get("/api/admin/audit").json()["entries"].take()).unwrap();
    let of_events = entries.iter().rev().filter(|entry| entry.action.as_str().starts_with("event_"));
    of_events.map(|entry| format!("{} {} {}", entry.action, entry.who, entry.detail)).collect()
}

fn a_function_answers_first_and_works_later(on: impl Fn(Setup) -> Setup) {
    let node = start(&[("orders.post.rhai", EMITS), ("_events/orders.created.rhai", NOTES)], on);
    let api = Api::of(&node);
    let answer = node.send("POST", "/orders", &[("content-type", "application/json")], b"{\"id\":7}");
    assert_eq!((answer.status, answer.text()), (202, "later".into()));
    wait_for_notes(&api, &json!([{ "id": 7 }]));
    let page = api.get("/api/admin/events?topic=orders.created").json();
    let event = &page["events"][0];
    assert_eq!(event["emitted_by"]["run"]["function"], "orders.post");
    let path = format!("/api/admin/events/orders.created/{}", event["id"].as_str().unwrap());
    wait_until("it is done", PATIENCE, || api.get(&path).json()["deliveries"] == json!([]));
    assert_eq!(api.get(&format!("{path}/payload")).json(), json!({ "id": 7 }));
    let topics = api.get("/api/admin/topics").json();
    let expected = json!({
        "topic": "orders.created", "handlers": ["_events/orders.created"], "waiting": 0, "retrying": 0, "oldest_due": null, "running": 0, "held": 0,
        "dead": 0
    });
    assert_eq!(topics["topics"], json!([expected]));
    // A function's emit is no operator's.
    assert!(told(&api).is_empty());
    assert_eq!(api.get("/api/admin/events/orders.created/none").status, 404);
    assert_eq!(api.get("/api/admin/events?id=none").json()["events"], json!([]));
}

fn what_is_given_up_is_tried_again_when_it_is_mended(on: impl Fn(Setup) -> Setup) {
    let broken = "+++\n[retry]\nattempts = 1\n+++\nthrow \"the printer is on fire\";";
    let node = start(&[("_events/orders.created.rhai", broken)], on);
    let api = Api::of(&node);
    let picloud = |arguments: &[&str]| {
        let output = run(&node, arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), said(&output))
    };
    let (code, id, told_of) = picloud(&["emit", "orders.created", "{\"id\": 7}", "--id", "order-7"]);
    assert_eq!((code, id.trim(), told_of.as_str()), (Some(0), "order-7", "it goes to _events/orders.created\n"));
    let letter = dead(&api, 1).remove(0);
    let topic = api.get("/api/admin/topics").json()["topics"][0].take();
    assert_eq!((&topic["topic"], &topic["dead"], &topic["waiting"]), (&"orders.created".into(), &1.into(), &0.into()));
    assert_eq!((&letter["topic"], &letter["event"], &letter["has_changed"]), (&json!("orders.created"), &json!("order-7"), &json!(false)));
    let name = letter["id"].as_str().unwrap();
    let (_, shown, _) = picloud(&["events", "dead", "show", name]);
    assert!(shown.contains("_events/orders.created.rhai:5:") && shown.contains("the printer is on fire"), "{shown}");
    assert!(!shown.contains("fixed since?"), "{shown}");
    node.write("_events/orders.created.rhai", NOTES);
    wait_until("the mended version is known", PATIENCE, || dead(&api, 1)[0]["has_changed"] == true);
    assert!(picloud(&["events", "show", "order-7"]).1.contains("fixed since? `_events/orders.created` is live in another version"));
    assert!(picloud(&["events", "dead", "list"]).1.contains("perhaps"));
    let (code, _, why) = picloud(&["events", "dead", "retry"]);
    assert_eq!((code, why.contains("which dead letters?")), (Some(2), true), "{why}");
    for (filter, changed) in [
        (["--function", "other"], "0 dead letters tried again.\n"),
        (["--topic", "orders.paid"], "0 dead letters tried again.\n"),
        (["--since", "2100-01-01T00:00:00Z"], "0 dead letters tried again.\n"),
        (["--since", "1h"], "1 dead letter tried again.\n"),
    ] {
        let (code, _, said) = picloud(&[&["events", "dead", "retry"], &filter[..]].concat());
        assert_eq!((code, said.as_str()), (Some(0), changed), "{filter:?}");
    }
    wait_for_notes(&api, &json!([{ "id": 7 }]));
    assert_eq!(dead(&api, 0), [] as [Value; 0]);
    let told = told(&api);
    assert_eq!(told[0], "event_emit admin {\"id\":\"order-7\",\"topic\":\"orders.created\"}");
    assert!(told[1].starts_with("event_retry admin ") && told[1].contains("\"dead_letters\":1"), "{told:?}");
    assert_eq!(told.len(), 2);
}

fn attempts_go_on_when_a_dead_letter_is_put_back(on: impl Fn(Setup) -> Setup) {
    let counts = "+++\n[retry]\nattempts = 2\nbase = \"1ms\"\n[kv]\nname = \"notes\"\n+++
        kv::update(\"seen\", |seen| (seen ?? []) + [ctx.event.attempt]); if ctx.event.attempt < 4 { throw `no ${ctx.event.attempt}`; }";
    let fails = counts.replace("< 4", "< 9");
    let node = start(&[("_events/a.rhai", counts), ("_events/b.rhai", &fails)], on);
    let api = Api::of(&node);
    emit(&api, "a", &json!(1));
    dead(&api, 1);
    wait_for_notes(&api, &json!([1, 2]));
    assert!(run(&node, &["events", "dead", "retry", "--all"]).status.success());
    // It may have two again.
    wait_for_notes(&api, &json!([1, 2, 3, 4]));
    wait_until("it is done", PATIENCE, || api.get("/api/admin/deliveries").json()["deliveries"] == json!([]));
    assert_eq!(dead(&api, 0), [] as [Value; 0]);
    // What failed before is shown with what failed after.
    emit(&api, "b", &json!(1));
    dead(&api, 1);
    assert!(run(&node, &["events", "dead", "retry", "--all"]).status.success());
    wait_until("it is given up again", PATIENCE, || notes(&api) == json!([1, 2, 3, 4, 1, 2, 3, 4]) && dead(&api, 1).len() == 1);
    let letter = dead(&api, 1).remove(0);
    assert_eq!((&letter["attempts"], &letter["reason"]), (&json!(4), &json!("it failed 2 times")));
    assert_eq!(letter["last_error"], json!("_events/b.rhai:8:99: no 4"), "{letter}");
    let shown = api.get(&format!("/api/admin/dead-letters/{}", letter["id"].as_str().unwrap())).json();
    let failed: Vec<&Value> = shown["failed"].as_array().unwrap().iter().map(|one| &one["attempt"]).collect();
    assert_eq!(failed, [1, 2, 3, 4]);
}

fn what_waits_is_hastened_or_thrown_away(on: impl Fn(Setup) -> Setup) {
    let node = start(&[("_events/a.rhai", NOTES)], on);
    let api = Api::of(&node);
    let waiting = |id: &str| {
        let event = emit(&api, &format!("a?delay=1h&id={id}"), &json!(id));
        assert_eq!(event["handlers"], json!(["_events/a"]));
        let shown = api.get(&format!("/api/admin/events/a/{id}")).json();
        assert_eq!(shown["deliveries"][0]["state"], "waiting");
        shown["deliveries"][0]["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (waiting("first"), waiting("second"));
    let topic = api.get("/api/admin/topics").json()["topics"][0].take();
    assert_eq!((&topic["waiting"], &topic["retrying"], topic["oldest_due"].is_string()), (&2.into(), &0.into(), true));
    let shown = run(&node, &["events", "topics"]).stdout;
    assert!(String::from_utf8_lossy(&shown).contains(topic["oldest_due"].as_str().unwrap()), "{}", String::from_utf8_lossy(&shown));
    let mut stats = api.get("/api/admin/stats/events").json();
    assert!(stats["emitted_per_s"].take().as_f64().unwrap() > 0.0);
    let counts =
        json!({ "waiting": 2, "retrying": 0, "running": 0, "held": 0, "dead": 0, "overdue_us": null, "emitted": 2, "emitted_per_s": null });
    assert_eq!(stats, counts);
    assert!(String::from_utf8_lossy(&run(&node, &["events", "stats"]).stdout).contains("EMITTED IN 24H"));
    let output = run(&node, &["events", "discard", &first]);
    assert!(output.status.success(), "{}", said(&output));
    let output = run(&node, &["events", "retry", &second]);
    assert!(output.status.success(), "{}", said(&output));
    wait_for_notes(&api, &json!(["second"]));
    let output = run(&node, &["events", "discard", &first]);
    assert!(said(&output).contains("no delivery with this id waits"), "{}", said(&output));
    assert_eq!(told(&api).len(), 4);
}

fn what_waits_of_schedules_and_events_is_listed_and_thrown_away(on: impl Fn(Setup) -> Setup) {
    let fails = "+++\n[[schedule]]\ncron = \"0 0 1 1 *\"\n[retry]\nattempts = 2\nbase = \"1h\"\n+++\nthrow \"no\";";
    let node = start(&[("_cron/yearly.rhai", fails), ("_events/a.rhai", NOTES)], on);
    let api = Api::of(&node);
    let picloud =
        |arguments: &[&str]| String::from_utf8_lossy(&run(&node, &[&["events", "waiting"], arguments].concat()).stdout).into_owned();
    assert_eq!(run(&node, &["run", "yearly"]).status.code(), Some(1));
    emit(&api, "a?delay=1h&id=later", &json!(1));
    let listed = |query: &str| {
        let page = api.get(&format!("/api/admin/deliveries{query}")).json();
        let receivers = page["deliveries"].as_array().unwrap().iter().map(|one| one["receiver"].as_str().unwrap().to_owned());
        receivers.collect::<Vec<_>>()
    };
    wait_until("the run has failed", PATIENCE, || {
        api.get("/api/admin/deliveries?prefix=_cron/").json()["deliveries"][0]["state"] == "waiting"
    });
    let stats = api.get("/api/admin/stats/events").json();
    assert_eq!((&stats["waiting"], &stats["retrying"]), (&2.into(), &1.into()));
    // What a schedule waits for has no topic.
    let topics = api.get("/api/admin/topics").json();
    assert_eq!((&topics["topics"][0]["waiting"], topics["topics"].as_array().unwrap().len()), (&1.into(), 1));
    assert_eq!(listed(""), ["_events/a", "_cron/yearly"], "the newest first");
    assert_eq!(
        (listed("?topic=a"), listed("?function=_cron/yearly"), listed("?limit=1")),
        (vec!["_events/a".into()], vec!["_cron/yearly".into()], vec!["_events/a".into()],)
    );
    let page = api.get("/api/admin/deliveries?limit=1").json();
    assert_eq!(listed(&format!("?limit=1&cursor={}", page["next"].as_str().unwrap())), ["_cron/yearly"]);
    let tick = api.get("/api/admin/deliveries?prefix=_cron/").json()["deliveries"][0].clone();
    assert_eq!((&tick["topic"], &tick["event"], &tick["attempts"]), (&Value::Null, &Value::Null, &json!(1)));
    let event = &page["deliveries"][0];
    assert_eq!((&event["topic"], &event["event"], &event["attempts"]), (&json!("a"), &json!("later"), &json!(0)));
    let (all, of_cron) = (picloud(&[]), picloud(&["--prefix", "_cron/"]));
    assert!(all.contains("_events/a") && of_cron.contains("_cron/yearly") && !of_cron.contains("_events/a"), "{all}{of_cron}");
    assert!(run(&node, &["events", "discard", tick["id"].as_str().unwrap()]).status.success());
    assert_eq!(listed(""), ["_events/a"]);
}

fn an_event_with_one_id_is_handled_once_a_day(on: impl Fn(Setup) -> Setup) {
    let node = start(&[("_events/a.rhai", NOTES), ("_events/b.rhai", NOTES)], on);
    let api = Api::of(&node);
    assert_eq!(emit(&api, "a?id=x", &json!(1)), json!({ "id": "x", "outcome": "kept", "handlers": ["_events/a"] }));
    for payload in 2..4 {
        assert_eq!(emit(&api, "a?id=x", &json!(payload)), json!({ "id": "x", "outcome": "left_out", "handlers": [] }));
    }
    let again = run(&node, &["emit", "a", "5", "--id", "x"]);
    assert_eq!((again.status.code(), said(&again).as_str()), (Some(0), "left out: `a` has had an event with this id within a day\n"));
    // Another topic has ids of its own.
    emit(&api, "b?id=x", &json!(4));
    wait_until("both have run", PATIENCE, || notes(&api).as_array().unwrap().len() == 2);
    assert_eq!(api.get("/api/admin/events?topic=a").json()["events"].as_array().unwrap().len(), 1);
    assert!(notes(&api).as_array().unwrap().contains(&json!(1)));
}

fn events_of_one_key_are_handled_in_their_order(on: impl Fn(Setup) -> Setup) {
    let handler = format!("+++\n[[on]]\ntopic = \"orders.*\"\nkey = \"order\"\n{}", NOTES.trim_start_matches("+++\n"));
    let node = start(&[("_lib/x.rhai", ""), ("keeps.rhai", &handler)], on);
    let api = Api::of(&node);
    let payload = |number: u32| json!({ "order": "A", "number": number });
    // The handler's field counts before the emitter's key.
    (0..20).for_each(|number| drop(emit(&api, &format!("orders.changed?key={number}"), &payload(number))));
    wait_for_notes(&api, &json!((0..20).map(payload).collect::<Vec<_>>()));
}

fn what_waits_behind_another_of_its_key_cannot_be_tried_now(on: impl Fn(Setup) -> Setup) {
    let node = start(&[("_events/a.rhai", "throw \"no\";")], on);
    let api = Api::of(&node);
    emit(&api, "a?key=k", &json!(1));
    emit(&api, "a?key=k", &json!(2));
    let mut second = Value::Null;
    wait_until("the second waits for the first", PATIENCE, || {
        let waiting = api.get("/api/admin/deliveries").json()["deliveries"].as_array().unwrap().clone();
        second = waiting.iter().find(|one| one["state"] == "blocked").map_or(Value::Null, |one| one["id"].clone());
        !second.is_null()
    });
    let output = run(&node, &["events", "retry", second.as_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("waits behind another of its key") && !output.status.success(), "{said}");
}

fn a_handler_says_what_becomes_of_its_event(on: impl Fn(Setup) -> Setup) {
    let handler = "if ctx.event.attempt < 3 { retry(\"1ms\"); }\ndead(`after ${ctx.event.attempt}: ${ctx.event.payload}`);";
    let calls = "retry();";
    let node = start(&[("_events/a.rhai", handler), ("calls.rhai", calls)], on);
    let api = Api::of(&node);
    emit(&api, "a", &json!("unknown customer"));
    let letter = dead(&api, 1).remove(0);
    assert_eq!((&letter["reason"], &letter["attempts"]), (&json!("after 3: unknown customer"), &json!(3)));
    let shown = api.get(&format!("/api/admin/dead-letters/{}", letter["id"].as_str().unwrap())).json();
    let errors: Vec<&str> = shown["failed"].as_array().unwrap().iter().map(|one| one["error"].as_str().unwrap()).collect();
    assert!(errors[0].contains("it asks for another attempt in 1ms"), "{errors:?}");
    // Whoever waits for an answer gets one.
    assert_eq!(node.get("/calls").status, 502);
    let other = api.json("POST", "/api/admin/dead-letters/discard", &json!({ "all": true, "expected": 2 }));
    assert_eq!(
        (other.status, other.text().contains("there are 1 such dead letters, and 2 were expected")),
        (409, true),
        "{}",
        other.text()
    );
    let discarded = api.json("POST", "/api/admin/dead-letters/discard", &json!({ "all": true, "expected": 1 })).json();
    assert_eq!(discarded, json!({ "changed": 1 }));
    assert_eq!(dead(&api, 0), [] as [Value; 0]);
}

/// A payload that is as deep as one can be is read by its handler, as the body and in `ctx.event`.
fn the_deepest_payload_is_read(on: impl Fn(Setup) -> Setup) {
    let emits = "let x = 1; for i in 0..126 { x = [x]; } emit(\"deep\", x)";
    let notes = "+++\n[kv]\nname = \"notes\"\n+++\nfn depth(x) { let n = 0; while type_of(x) == \"array\" { x = x[0]; n += 1; } n }\n\
                 let depths = [depth(ctx.request.body), depth(ctx.event.payload)];\nkv::update(\"seen\", |seen| (seen ?? []) + [depths]);";
    let node = start(&[("emits.rhai", emits), ("_events/deep.rhai", notes)], on);
    let api = Api::of(&node);
    assert_eq!(node.get("/emits").status, 200);
    wait_for_notes(&api, &json!([[126, 126]]));
    emit(&api, "deep", &serde_json::from_str(&format!("{}1{}", "[".repeat(126), "]".repeat(126))).unwrap());
    wait_for_notes(&api, &json!([[126, 126], [126, 126]]));
}

fn no_attempt_waits_longer_than_an_event_may(on: impl Fn(Setup) -> Setup) {
    let handler = "+++\n[retry]\nattempts = 1\n+++\nretry(ctx.event.payload);";
    let node = start(&[("_events/a.rhai", handler)], on);
    let api = Api::of(&node);
    for (after, why) in [("31d", "`after` is 30 days at most"), ("soon", "`after` is a time such as \"30s\" or \"5m\"")] {
        emit(&api, "a", &json!(after));
        let letter = dead(&api, 1).remove(0);
        let shown = api.get(&format!("/api/admin/dead-letters/{}", letter["id"].as_str().unwrap())).json();
        assert!(shown["failed"][0]["error"].as_str().unwrap().contains(why), "{shown}");
        assert_eq!(api.json("POST", "/api/admin/dead-letters/discard", &json!({ "all": true })).status, 200);
    }
}

fn what_no_emit_takes_is_refused_with_the_reason(on: impl Fn(Setup) -> Setup) {
    let files = [
        ("large.rhai", "let x = \"x\"; x.pad(300000, \"x\"); emit(\"a\", x)"),
        ("many.rhai", "for i in 0..1001 { emit(\"a\", i); }"),
        ("much.rhai", "let x = \"x\"; x.pad(250000, \"x\"); for i in 0..5 { emit(\"a\", x); }"),
        ("late.rhai", "emit(\"a\", 1, #{ delay: \"31d\" })"),
        ("long.rhai", "let x = \"x\"; x.pad(257, \"x\"); emit(\"a\", 1, #{ key: x })"),
        ("zero.rhai", "emit(\"a\", 1, #{ id: \"a\\x00\" })"),
        ("wrong.rhai", "let t = \"A B\"; emit(t, 1)"),
        ("own.rhai", "let t = \"picloud.event.dead\"; emit(t, 1)"),
        ("deep.rhai", "let x = 1; for i in 0..127 { x = [x]; } emit(\"a\", x)"),
        ("deeper.rhai", "let x = 1; for i in 0..128 { x = [x]; } emit(\"a\", x)"),
        ("whole.rhai", "emit(\"a\", ctx.request)"),
        ("option.rhai", "let x = #{ dealy: \"1s\" }; emit(\"a\", 1, x)"),
    ];
    let node = start(&files, on);
    let api = Api::of(&node);
    for (path, why) in [
        ("large", "262144"),
        ("many", "a run emits 1000 events at most"),
        ("much", "a run emits 1048576 bytes of payloads at most"),
        ("late", "the option `delay` is 30 days at most"),
        ("long", "the option `key` has 1 to 256 bytes"),
        ("zero", "the option `id` has 1 to 256 bytes, without control characters"),
        ("wrong", "`A B` is no topic"),
        ("own", "only the node emits on `picloud.event.dead`"),
        ("deep", "the payload is nested deeper than 126"),
        ("deeper", "nested deeper than 127, or holds itself"),
        ("whole", "the request as a whole has no form in JSON; take what you need of it, such as `ctx.request.body`"),
        ("option", "there is no option `dealy`; did you mean `delay`?"),
    ] {
        let run = api.json("POST", "/api/admin/invoke", &json!({ "path": format!("/{path}") })).json();
        let failure = run["execution"]["failure"]["message"].as_str().unwrap_or_else(|| panic!("{path}: {run}"));
        assert!(failure.contains(why), "{path}: {failure}");
    }
    let large = format!("\"{}\"", "x".repeat(256 << 10));
    let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
    for (path, body, status, why) in [
        ("a", deep.as_str(), 400, "the payload is nested deeper than 126"),
        ("A", "1", 400, "`A` is no topic"),
        ("picloud.x", "1", 400, "only the node emits on `picloud.x`"),
        ("a", "nope", 400, "the payload is not JSON"),
        ("a", large.as_str(), 413, "262144 bytes"),
        ("a?delay=31d", "1", 400, "`delay`: it is a time up to 30 days"),
        ("a?delay=soon", "1", 400, "`delay`"),
        ("a?id=", "1", 400, "`id`: it has 1 to 256 bytes"),
        ("a?key=%00", "1", 400, "`key`: it has 1 to 256 bytes"),
        ("a?kye=1", "1", 400, "unknown field `kye`"),
    ] {
        let answer = api.send("POST", &format!("/api/admin/events/{path}"), &[], body.as_bytes());
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().contains(why), "{path}: {}", answer.text());
    }
    assert_eq!(api.get("/api/admin/events").json()["events"], json!([]));
    assert!(told(&api).is_empty());
    for (query, why) in [
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("cursor=x", "`next` of the page before"),
        ("topic=A", "no topic"),
    ] {
        for list in ["events", "dead-letters"] {
            let answer = api.get(&format!("/api/admin/{list}?{query}"));
            assert_eq!((answer.status, answer.text().contains(why)), (400, true), "{list}?{query}: {}", answer.text());
        }
    }
    for order in [json!({}), json!({ "all": true, "topic": "a" }), json!({ "function": "a", "prefix": "b" }), json!({ "since": "soon" })] {
        assert_eq!(api.json("POST", "/api/admin/dead-letters/retry", &order).status, 400, "{order}");
    }
}

fn a_run_that_fails_has_emitted_nothing(on: impl Fn(Setup) -> Setup) {
    let node = start(
        &[
            ("fails.rhai", "emit(\"a\", 1); throw \"no\";"),
            ("says.rhai", "emit(\"a\", 2); #{ statusCode: 503 }"),
            ("_events/a.rhai", NOTES),
            ("well.rhai", "emit(\"a\", 3)"),
        ],
        on,
    );
    let api = Api::of(&node);
    assert_eq!([node.get("/fails").status, node.get("/says").status, node.get("/well").status], [502, 503, 200]);
    wait_until("one has run", PATIENCE, || notes(&api).as_array().unwrap().contains(&json!(3)));
    let events = api.get("/api/admin/events").json();
    assert!(!events["events"].as_array().unwrap().iter().any(|event| event["emitted_by"]["run"]["function"] == "fails"), "{events}");
}

fn events_that_lead_to_one_another_end(on: impl Fn(Setup) -> Setup) {
    let node = start(&[("_events/a.rhai", "+++\n[retry]\nattempts = 1\n+++\nemit(\"a\", ctx.event.payload + 1)")], on);
    let api = Api::of(&node);
    emit(&api, "a", &json!(1));
    let letter = dead(&api, 1).remove(0);
    let shown = api.get(&format!("/api/admin/dead-letters/{}", letter["id"].as_str().unwrap())).json();
    let error = shown["failed"][0]["error"].as_str().unwrap();
    assert!(error.contains("16 events have led to this one: a handler emits what starts it again"), "{error}");
    assert_eq!(api.get("/api/admin/events?topic=a").json()["events"].as_array().unwrap().len(), 16);
}

fn a_token_for_some_functions_has_the_topics_of_its_folder(on: impl Fn(Setup) -> Setup) {
    let fails = |topic: &str| format!("+++\n[retry]\nattempts = 1\n[[on]]\ntopic = \"{topic}\"\n+++\nthrow \"no\";");
    // Whoever takes `shop.made` beside it takes nothing from the shop.
    let (own, shared, all) = (fails("shop.made"), fails("shared"), fails("**"));
    let node = start(&[("shop/own.rhai", &own), ("shop/shared.rhai", &shared), ("other.rhai", &all)], on);
    let admin = Api::of(&node);
    let secret = token(&node, "shop", "admin", Some("shop"));
    let shop = Api::with(&node, &secret);
    let path = |topic: &str| format!("/api/admin/events/{topic}?id=1");
    assert_eq!(emit(&shop, "shop.made?id=1", &json!(1))["handlers"], json!(["other", "shop/own"]));
    // Not what its functions handle counts, and not whether somebody else does.
    for topic in ["shared", "nobody"] {
        let refused = shop.json("POST", &path(topic), &json!(1));
        assert_eq!(refused.status, 403, "{topic}");
        let why = format!("good for the functions of `shop` only, which have the topics `shop.**`, and `{topic}` is none of them");
        assert!(refused.text().contains(&why), "{}", refused.text());
    }
    assert_eq!(Api::with(&node, &token(&node, "reader", "read", None)).json("POST", &path("shop.made"), &json!(1)).status, 403);
    emit(&admin, "shared?id=1", &json!(1));
    let all = dead(&admin, 4);
    assert_eq!(shop.get("/api/admin/events?topic=shop.made").json()["events"].as_array().unwrap().len(), 1);
    assert_eq!(
        [shop.get("/api/admin/events").status, shop.get("/api/admin/events?topic=shared").status, shop.get("/api/admin/topics").status],
        [403; 3]
    );
    assert_eq!([shop.get("/api/admin/events/shop.made/1").status, shop.get("/api/admin/events/shared/1").status], [200, 404]);
    // What others do with it is theirs.
    let receivers = |api: &Api| {
        let dead = api.get("/api/admin/events/shop.made/1").json()["dead"].as_array().unwrap().clone();
        dead.iter().map(|letter| letter["receiver"].as_str().unwrap().to_owned()).collect::<HashSet<_>>()
    };
    assert_eq!(receivers(&shop), ["shop/own".to_owned()].into());
    assert_eq!(receivers(&admin), ["shop/own", "other"].map(String::from).into());
    let payloads = ["shop.made", "shared"].map(|topic| shop.get(&format!("/api/admin/events/{topic}/1/payload")).status);
    assert_eq!(payloads, [403; 2]);
    assert_eq!([shop.get("/api/admin/dead-letters").status, shop.get("/api/admin/deliveries").status], [403; 2]);
    assert_eq!(shop.get("/api/admin/dead-letters?prefix=shop/").json()["dead_letters"].as_array().unwrap().len(), 2);
    let others = all.iter().find(|letter| letter["function"] == "other").unwrap()["id"].as_str().unwrap();
    assert_eq!(shop.get(&format!("/api/admin/dead-letters/{others}")).status, 404);
    for (order, status) in [
        (json!({ "id": others }), 404),
        (json!({ "function": "other" }), 403),
        (json!({ "topic": "shop.made" }), 403),
        (json!({ "all": true }), 403),
        (json!({ "prefix": "shop/" }), 200),
    ] {
        assert_eq!(shop.json("POST", "/api/admin/dead-letters/discard", &order).status, status, "{order}");
    }
    assert!(dead(&admin, 2).iter().all(|letter| letter["function"] == "other"));
}

fn neither_of_two_tokens_for_some_functions_gets_the_events_of_the_other(on: impl Fn(Setup) -> Setup) {
    // Somebody with a token for the whole node has given the shop this topic.
    let given = "+++\n[[on]]\ntopic = \"orders.paid\"\n+++\n1";
    let node = start(&[("shop/given.rhai", given), ("other/h.rhai", "+++\n[[on]]\ntopic = \"other.in\"\n+++\n1")], on);
    let [shop, other] = ["shop", "other"].map(|name| Api::with(&node, &token(&node, name, "deploy", Some(name))));
    let handles = |topic: &str| format!("+++\n[[on]]\ntopic = \"{topic}\"\n+++\n1");
    let create =
        |api: &Api, name: &str, topic: &str| api.json("POST", "/api/admin/scripts", &json!({ "name": name, "source": handles(topic) }));
    for (api, name, topics) in [
        (&shop, "shop/spy", ["**", "*", "*.in", "other.in", "other.**", "orders.paid"]),
        (&other, "other/spy", ["**", "*", "*.made", "shop.made", "shop.**", "shop"]),
    ] {
        for topic in topics {
            let refused = create(api, name, topic);
            assert_eq!(refused.status, 403, "{name} on {topic}: {}", refused.text());
            let why = format!("`{name}.rhai` would handle `{topic}`, and its sender's token has the topics `");
            assert!(refused.text().contains(&why), "{}", refused.text());
            // Whoever asks before is told, too.
            let checked = api.json("POST", "/api/admin/check", &json!({ "name": name, "source": handles(topic) })).json();
            assert_eq!(checked["ok"], false, "{checked}");
            assert!(checked["diagnostics"].to_string().contains(&why), "{checked}");
        }
    }
    for (api, name, topic) in [
        (&shop, "shop/all", "shop.**"),
        (&shop, "shop/node", "picloud.**"),
        (&other, "other/all", "other.*"),
        (&Api::of(&node), "audit", "**"),
    ] {
        let checked = api.json("POST", "/api/admin/check", &json!({ "name": name, "source": handles(topic) })).json();
        assert_eq!(checked["ok"], true, "{checked}");
        let created = create(api, name, topic);
        assert_eq!(created.status, 201, "{name} on {topic}: {}", created.text());
    }
    // What a function handles already it goes on handling, and takes no more.
    let change = |topic: &str| shop.json("PUT", "/api/admin/scripts/shop%2Fgiven", &json!({ "source": format!("{} + 1", handles(topic)) }));
    assert_eq!([change("orders.paid"), change("orders.*")].map(|answer| answer.status), [200, 403]);
    // Each emits on its own, whoever takes that, too.
    for (api, own, others) in [(&shop, "shop.made", "other.in"), (&other, "other.in", "shop.made")] {
        emit(api, own, &json!(1));
        assert_eq!(api.get(&format!("/api/admin/events?topic={own}")).status, 200);
        let sent = api.json("POST", &format!("/api/admin/events/{others}"), &json!(1));
        assert_eq!([sent.status, api.get(&format!("/api/admin/events?topic={others}")).status], [403; 2]);
    }
}

fn a_handler_has_no_guard_and_no_url_and_is_replayed_exactly(on: impl Fn(Setup) -> Setup) {
    let emits = format!("{NOTES}\nemit(\"b\", ctx.event.payload);");
    let node = start(&[("_middleware.rhai", "#{ statusCode: 403 }"), ("_events/a.rhai", &emits), ("_events/b.rhai", NOTES)], |setup| {
        on(setup.config("[journal]\ncapture = true\n"))
    });
    let api = Api::of(&node);
    for path in ["/_events/a", "/a"] {
        assert_eq!(node.get(path).status, 404, "{path}");
    }
    emit(&api, "a", &json!(1));
    wait_for_notes(&api, &json!([1, 1]));
    let events = || api.get("/api/admin/events?topic=b").json()["events"].as_array().unwrap().len();
    assert_eq!(events(), 1);
    let mut id = String::new();
    wait_until("the run is recorded", PATIENCE, || {
        let page = api.get("/api/admin/executions?function=_events/a").json();
        id = page["executions"][0]["id"].as_str().unwrap_or_default().to_owned();
        !id.is_empty() && page["executions"][0]["trigger"] == Trigger::Event.as_str()
    });
    let replay = |live: bool| api.json("POST", &format!("/api/admin/executions/{id}/replay"), &json!({ "live": live }));
    let exact = replay(false);
    assert_eq!(exact.status, 200, "{}", exact.text());
    assert_eq!(events(), 1);
    let live = replay(true);
    assert_eq!(live.status, 200, "{}", live.text());
    wait_until("it emitted again", PATIENCE, || events() == 2);
}

fn a_full_queue_takes_no_more_and_says_so(on: impl Fn(Setup) -> Setup) {
    let files = [
        ("_events/a.rhai", NOTES),
        ("a.rhai", "emit(\"a\", 1, #{ delay: \"1h\" })"),
        ("_events/b.rhai", "+++\n[retry]\nattempts = 1\n+++\nemit(\"a\", 1); emit(\"a\", 2);"),
    ];
    let node = start(&files, |setup| on(setup.config("[events]\nmax_waiting = 2\n")));
    let api = Api::of(&node);
    emit(&api, "b", &json!(1));
    let letter = dead(&api, 1).remove(0);
    let shown = api.get(&format!("/api/admin/dead-letters/{}", letter["id"].as_str().unwrap())).json();
    assert!(shown["failed"][0]["error"].as_str().unwrap().contains("its events could not be kept: the queue is full"), "{shown}");
    // For a moment it is taken to be full.
    wait_until("there is room", PATIENCE, || node.get("/a").status == 200);
    wait_until("one more fits", PATIENCE, || node.get("/a").status == 200);
    let why = "the queue is full: it may hold 2 deliveries (`max_waiting` in the section `[events]`)";
    let answer = api.json("POST", "/api/admin/events/a", &json!(1));
    assert_eq!((answer.status, answer.json()["detail"].as_str().unwrap()), (503, why));
    let run = api.json("POST", "/api/admin/invoke", &json!({ "path": "/a" })).json();
    assert!(run["execution"]["failure"]["message"].as_str().unwrap().contains(why), "{run}");
    // Whoever calls the function hears nothing of the node, and what to do.
    let called = node.get("/a");
    assert_eq!(
        (called.status, called.json()["detail"].as_str().unwrap()),
        (503, "the node cannot carry this out now, and dropped the run")
    );
    let metrics = api.get("/_picloud/metrics").text();
    for line in [
        "picloud_events_emitted_total 4",
        "picloud_events_handled_total{outcome=\"dead\"} 1",
        "picloud_events_deliveries{state=\"waiting\"} 2",
        "picloud_events_dead_letters 1",
        "picloud_events_oldest_due_seconds 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}:\n{metrics}");
    }
}

fn the_order_desk_of_the_manual_works(on: impl Fn(Setup) -> Setup) {
    let manual = include_str!("../../docs/events.md");
    let scripts: Vec<&str> = manual.split("```text\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    let node = start(&[("orders/index.post.rhai", scripts[0]), ("_events/orders.created.rhai", scripts[1])], on);
    let post = |body: &str| node.send("POST", "/orders", &[("content-type", "application/json")], body.as_bytes());
    assert_eq!(post("{}").status, 422);
    let answer = post("{\"item\":\"lamp\",\"total\":15}");
    assert_eq!(answer.status, 202);
    let (api, id) = (Api::of(&node), answer.json()["order"].as_str().unwrap().to_owned());
    wait_until("it is packed", PATIENCE, || api.get(&format!("/api/admin/kv/orders/packed%3A{id}")).status == 200);
    wait_until("nothing of it waits", PATIENCE, || {
        let output = run(&node, &["events", "show", &id]);
        String::from_utf8_lossy(&output.stdout).contains("nothing of it waits: its handlers are done, or there were none")
    });
}

fn the_node_tells_of_itself_and_never_of_what_it_told(on: impl Fn(Setup) -> Setup) {
    let chat = Upstream::start(|_| Some("{}".into()));
    let manual = include_str!("../../docs/events.md").split_once("## Events of the node").unwrap().1;
    let tells = manual.split_once("```text\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    let tells = tells.replace("https://chat.example.org", &chat.url());
    let notes_it = NOTES
        .replace("+++\n[kv]", "+++\n[[on]]\ntopic = \"picloud.**\"\n[kv]")
        .replace("[ctx.event.payload]", "[[ctx.event.topic, ctx.event.payload]]");
    let fails = "+++\n[retry]\nattempts = 1\n+++\nthrow \"no\";";
    let files = [
        ("_events/chat.rhai", tells.as_str()),
        ("notes.rhai", &notes_it),
        ("_events/a.rhai", fails),
        ("_events/picloud.event.dead.rhai", fails),
    ];
    let node = start(&files, |setup| on(setup.config("[outbound]\nprivate = [\"127.0.0.1\"]\n")));
    let api = Api::of(&node);
    let told = |topic: &str| {
        let mut found = Value::Null;
        wait_until("the node tells", PATIENCE, || {
            found = notes(&api).as_array().unwrap().iter().find(|note| note[0] == topic).map_or(Value::Null, |note| note[1].clone());
            !found.is_null()
        });
        found
    };
    emit(&api, "a?id=1", &json!(1));
    let death = told("picloud.event.dead");
    assert_eq!((&death["receiver"], &death["topic"], &death["attempts"]), (&json!("_events/a"), &json!("a"), &json!(1)), "{death}");
    assert_eq!(
        (&death["error"], &death["reason"]),
        (&Value::Null, &Value::Null),
        "words of a function are for those who may see it: {death}"
    );
    // The handler of that failed, too, and nothing is told of it.
    let letters = dead(&api, 2);
    assert!(letters.iter().any(|letter| letter["topic"] == "picloud.event.dead"), "{letters:?}");
    node.write("fine.rhai", "1");
    let live = told("picloud.deployment.live");
    assert_eq!((&live["cause"], &live["functions"], &live["changes"]), (&json!("save"), &json!(5), &json!(1)), "{live}");
    node.write("fine.rhai", "let");
    let rejected = told("picloud.deployment.rejected");
    let place = json!([{ "file": "fine.rhai", "at": { "line": 1, "column": 4 }, "severity": "error" }]);
    assert_eq!(rejected["diagnostics"], place, "only where: any function may handle this");
    wait_until("the chat knows", PATIENCE, || chat.heads().iter().filter(|head| head.starts_with("post /messages ")).count() == 2);
    assert_eq!(api.get("/api/admin/events?topic=picloud.event.dead").json()["events"].as_array().unwrap().len(), 1);
}

fn dead_letters_that_lead_to_one_another_end(on: impl Fn(Setup) -> Setup) {
    let fails = "+++\n[retry]\nattempts = 1\n+++\nthrow \"no\";";
    let again = "+++\n[retry]\nattempts = 1\n+++\nemit(\"a\", 1);";
    let node = start(&[("_events/a.rhai", fails), ("_events/picloud.event.dead.rhai", again)], on);
    let api = Api::of(&node);
    emit(&api, "a", &json!(1));
    // Each second link of the chain is a dead letter; the last one is of the handler that could emit no more.
    let letters = dead(&api, 9);
    let of = |topic: &str| letters.iter().filter(|letter| letter["topic"] == topic).count();
    assert_eq!((of("a"), of("picloud.event.dead")), (8, 1), "{letters:?}");
}

fn check_warns_of_topics_that_nobody_handles_and_refuses_two_files_for_one(on: impl Fn(Setup) -> Setup) {
    let files = [
        ("a.rhai", "import \"_lib/m\" as m; emit(\"ordres.created\", 1); m::told();"),
        ("_lib/m.rhai", "fn told() { emit(\"nothing.like.it\", 1); emit(\"orders.created\", 1); emit(\"mail.sent\", 1); }"),
        ("_events/orders.created.rhai", "1"),
        ("b.rhai", "+++\n[[on]]\ntopic = \"mail.*\"\n+++\n1"),
    ];
    let node = start(&files, on);
    let check = || {
        let output = run(&node, &["check"]);
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), said(&output)))
    };
    let (code, told) = check();
    assert_eq!(code, Some(0), "{told}");
    for line in [
        "warning: nobody handles the topic `ordres.created`",
        "did you mean `orders.created`?",
        "warning: nobody handles the topic `nothing.like.it`",
        "a file `_events/nothing.like.it.rhai` would handle it",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(told.matches("nobody handles").count(), 2, "{told}");
    node.write("_events/orders/created.rhai", "1");
    let (code, told) = check();
    assert_ne!(code, Some(0), "{told}");
    assert!(told.contains("`_events/orders/created.rhai` handles the topic `orders.created` as well"), "{told}");
    assert!(told.contains("`_events/orders.created.rhai` handles the topic `orders.created` as well"), "{told}");
}
