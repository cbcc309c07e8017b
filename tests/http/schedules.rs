//! Functions that run at times, as operators see them: over HTTP and by commands.

use picloud::execution::{Execution, Outcome, Trigger};
use serde_json::{Value, json};

use crate::kit::{
    api::{Api, admin, token},
    command::{picloud, run, said},
    git::Checkout,
    node::{Node, PATIENCE, Setup, node, wait_until},
    store::on_both_nodes,
    story::{hosted, url},
};

on_both_nodes! {
    the_nightly_report_of_the_manual_works
    a_due_time_runs_the_function_and_the_list_tells_of_it
    an_order_runs_a_schedule_now_and_answers_with_its_outcome
    a_paused_schedule_does_nothing_until_it_is_resumed
    a_resumed_schedule_tells_when_it_was_last_due
    a_due_time_that_overlaps_is_recorded_or_takes_the_place_of_the_run
    an_order_whose_place_a_due_time_takes_is_told_so
    a_failed_run_is_tried_again_as_its_file_says
    a_schedule_follows_what_is_live
    commands_list_run_pause_and_resume
}

const YEARLY: &str = "+++\n[[schedule]]\ncron = \"@yearly\"\nzone = \"Europe/Berlin\"\ninput = { region = \"eu\" }\n+++\nlog::info(ctx.event.type);\n#{ got: ctx.request.body }\n";

fn start(on: impl Fn(Setup) -> Setup, files: &[(&str, &str)]) -> Node {
    on(node(files)).start()
}

/// What the node tells of a schedule.
fn schedule(api: &Api, id: &str) -> Value {
    let answer = api.get(&format!("/api/admin/schedules/{}", id.replace('/', "%2F").replace('#', "%23")));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The scripts that a page shows, in their order.
fn scripts_of(page: &'static str) -> Vec<&'static str> {
    page.split("```text\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

/// What the node has recorded of a function, the newest first.
fn executions(api: &Api, function: &str) -> Vec<Execution> {
    serde_json::from_value(api.get(&format!("/api/admin/executions?function={function}")).json()["executions"].take()).unwrap()
}

#[track_caller]
fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    wait_until(what, PATIENCE, condition);
}

fn the_nightly_report_of_the_manual_works(on: impl Fn(Setup) -> Setup) {
    let (desk, own) = (scripts_of(include_str!("../../docs/events.md")), scripts_of(include_str!("../../docs/schedules.md")));
    let files = [
        ("orders/index.post.rhai", desk[0]),
        ("_events/orders.created.rhai", desk[1]),
        ("_cron/nightly.rhai", own[0]),
        ("_cron/stock.rhai", own[1]),
    ];
    let node = start(on, &files);
    let api = Api::of(&node);
    for _ in 0..2 {
        let order = b"{\"item\":\"lamp\",\"total\":15}";
        assert_eq!(node.send("POST", "/orders", &[("content-type", "application/json")], order).status, 202);
    }
    wait_for("both are packed", || api.get("/api/admin/kv/orders?prefix=packed").json()["entries"].as_array().unwrap().len() == 2);
    assert_eq!(picloud(&node, &["run", "nightly"]), "{\"orders\":2,\"total\":30}");
    for (arguments, counted) in [(&[][..], 1), (&["--schedule", "all"], 3), (&["--input", "{\"shelves\":[]}"], 0)] {
        assert_eq!(picloud(&node, &[&["run", "stock"], arguments].concat()), format!("{{\"counted\":{counted}}}"));
    }
    assert!(api.get("/api/admin/kv/orders?prefix=report").json()["entries"][0]["key"].as_str().unwrap().starts_with("report:2"));
}

fn a_due_time_runs_the_function_and_the_list_tells_of_it(on: impl Fn(Setup) -> Setup) {
    let often = "+++\n[[schedule]]\nevery = \"1s\"\n+++\nlet event = ctx.event;\nlog::info(`${event.type} ${event.id} ${event.attempt} ${event.next.len()}`);\n()";
    let node = start(on, &[("_cron/often.rhai", often), ("a.rhai", "1")]);
    let api = Api::of(&node);
    wait_for("a run ends", || schedule(&api, "_cron/often")["last_run"]["execution"].is_string());
    wait_for("a run is recorded", || !executions(&api, "_cron/often").is_empty());
    let ran = executions(&api, "_cron/often").pop().unwrap();
    assert_eq!((ran.trigger, ran.outcome, &*ran.logs[0].message), (Trigger::Schedule, Outcome::Ok, "schedule _cron/often 1 5"));
    let told = schedule(&api, "_cron/often");
    assert_eq!((told["when"].as_str(), told["zone"].as_str(), told["overlap"].as_str()), (Some("every 1s"), Some("UTC"), Some("skip")));
    assert_eq!((told["next"].as_array().unwrap().len(), &told["words"]), (5, &"Every second".into()));
    assert!(told["last_due"].is_string() && told["last_run"]["error"].is_null(), "{told}");
    assert_eq!(node.get("/_cron/often").status, 404, "nobody can call it");
}

fn an_order_runs_a_schedule_now_and_answers_with_its_outcome(on: impl Fn(Setup) -> Setup) {
    let fails = "+++\n[[schedule]]\ncron = \"@yearly\"\n+++\nthrow \"no\"";
    let node = start(on, &[("_cron/yearly.rhai", YEARLY), ("_cron/fails.rhai", fails)]);
    let api = Api::of(&node);
    wait_for("the schedules are there", || api.get("/api/admin/schedules").json()["schedules"].as_array().unwrap().len() == 2);
    let before = schedule(&api, "_cron/yearly");
    assert!(before["last_due"].is_null() && before["last_run"].is_null(), "{before}");
    let run = |id: &str, order: &Value| api.json("POST", &format!("/api/admin/schedules/{id}/run"), order);
    let ran = run("_cron%2Fyearly", &json!({})).json();
    assert_eq!(ran["response"]["body"].as_str(), Some("{\"got\":{\"region\":\"eu\"}}"), "{ran}");
    assert_eq!(ran["execution"]["trigger"], "manual");
    assert_eq!(run("_cron%2Fyearly", &json!({ "input": 7 })).json()["response"]["body"], "{\"got\":7}");
    let failed = run("_cron%2Ffails", &json!({})).json();
    assert_eq!((failed["execution"]["outcome"].as_str(), failed["response"]["status"].as_u64()), (Some("failed"), Some(502)), "{failed}");
    wait_for("the outcome is told", || schedule(&api, "_cron/fails")["last_run"]["error"] == "_cron/fails.rhai:5:1: no");
    let after = schedule(&api, "_cron/yearly");
    assert_eq!((&after["next"], &after["last_due"]), (&before["next"], &Value::Null), "it moves nothing");
    for (id, order, status, why) in [
        ("nope", json!({}), 404, "no live function has the schedule `nope`"),
        ("_cron%2Fyearly", json!({ "inpt": 1 }), 400, "unknown key `inpt`"),
        ("_cron%2Fyearly", json!({ "input": "x".repeat(66 << 10) }), 413, "larger than the 66560 bytes"),
    ] {
        let refused = run(id, &order);
        assert_eq!(refused.status, status, "{}", refused.text());
        assert!(refused.text().contains(why), "{}", refused.text());
    }
    let ci = token(&node, "ci", "read", Some("shop"));
    let limited = Api::with(&node, &ci);
    assert_eq!(limited.get("/api/admin/schedules").json(), json!({ "schedules": [] }));
    assert_eq!(limited.get("/api/admin/schedules/_cron%2Fyearly").status, 403);
    let reader = Api::with(&node, &token(&node, "reader", "read", None));
    assert_eq!(reader.json("POST", "/api/admin/schedules/_cron%2Fyearly/run", &json!({})).status, 403);
    let told = api.get("/api/admin/audit?action=schedule_run").json();
    assert_eq!(told["entries"].as_array().unwrap().len(), 3);
    assert_eq!(told["entries"][0]["detail"], json!({ "schedule": "_cron/fails" }));
}

fn a_paused_schedule_does_nothing_until_it_is_resumed(on: impl Fn(Setup) -> Setup) {
    let node = start(on, &[("_cron/often.rhai", "+++\n[[schedule]]\nevery = \"1s\"\n+++\n()")]);
    let api = Api::of(&node);
    wait_for("it has run", || schedule(&api, "_cron/often")["last_run"]["execution"].is_string());
    let paused = api.json("POST", "/api/admin/schedules/_cron%2Foften/pause", &json!({ "reason": "stocktaking" })).json();
    assert_eq!((paused["paused"]["by"].as_str(), &paused["next"]), (Some("admin"), &json!([])), "{paused}");
    assert_eq!((&paused["paused"]["reason"], &paused["runs"][0]["outcome"]), (&"stocktaking".into(), &"ok".into()), "{paused}");
    let long = json!({ "reason": "x".repeat(4_096) });
    assert_eq!(api.json("POST", "/api/admin/schedules/_cron%2Foften/pause", &long).status, 413);
    assert_eq!(
        api.json("POST", "/api/admin/schedules/_cron%2Foften/pause", &json!({})).json()["paused"],
        paused["paused"],
        "once is enough"
    );
    // It is kept by the database, and by the file's next version.
    node.write("_cron/often.rhai", "+++\n[[schedule]]\nevery = \"2s\"\n+++\n()");
    wait_for("the other expression is live", || schedule(&api, "_cron/often")["when"] == "every 2s");
    assert_eq!(schedule(&api, "_cron/often")["paused"], paused["paused"]);
    let resumed = api.json("POST", "/api/admin/schedules/_cron%2Foften/resume", &json!({})).json();
    assert_eq!((&resumed["paused"], resumed["next"].as_array().unwrap().len()), (&Value::Null, 5));
    wait_for("it goes on", || schedule(&api, "_cron/often")["last_due"].is_string());
    let actions = api.get("/api/admin/audit").json()["entries"].take();
    let actions: Vec<&str> = actions.as_array().unwrap().iter().filter_map(|entry| entry["action"].as_str()).collect();
    let of_schedules: Vec<&&str> = actions.iter().filter(|action| action.starts_with("schedule_")).collect();
    assert_eq!(of_schedules, [&"schedule_resume", &"schedule_pause"]);
}

fn a_resumed_schedule_tells_when_it_was_last_due(on: impl Fn(Setup) -> Setup) {
    let node = start(on, &[("_cron/often.rhai", "+++\n[[schedule]]\nevery = \"1s\"\n+++\n()")]);
    let api = Api::of(&node);
    let order = |what: &str| api.json("POST", &format!("/api/admin/schedules/_cron%2Foften/{what}"), &json!({})).json();
    wait_for("it has run", || schedule(&api, "_cron/often")["last_run"]["execution"].is_string());
    let paused = order("pause");
    assert!(paused["last_due"].is_string(), "{paused}");
    let resumed = order("resume");
    assert!(resumed["last_due"].as_str() >= paused["last_due"].as_str(), "{resumed}");
}

fn a_due_time_that_overlaps_is_recorded_or_takes_the_place_of_the_run(on: impl Fn(Setup) -> Setup) {
    let slow = |overlap: &str| {
        format!(
            "+++\ntimeout = \"60s\"\n[[schedule]]\nevery = \"1s\"\noverlap = \"{overlap}\"\n[limits]\noperations = 100000000000\n+++\nwhile true {{}}"
        )
    };
    let config = "[ceilings]\noperations = 1000000000000\ntimeout = \"5m\"\n";
    let files = [("_cron/skip.rhai", slow("skip")), ("_cron/replace.rhai", slow("replace"))];
    let files = files.each_ref().map(|(file, text)| (*file, text.as_str()));
    let node = start(|setup| on(setup.config(config)), &files);
    let api = Api::of(&node);
    wait_for("one is left out", || executions(&api, "_cron/skip").iter().any(|one| one.outcome == Outcome::Rejected));
    let left_out = executions(&api, "_cron/skip").pop().unwrap();
    assert_eq!((left_out.trigger, left_out.status), (Trigger::Schedule, 409));
    let why = left_out.failure.unwrap().message;
    assert!(why.starts_with("the schedule `_cron/skip` was due at 2") && why.ends_with("its run before went on (`overlap`)"), "{why}");
    wait_for("a run is cancelled", || executions(&api, "_cron/replace").iter().any(|one| one.outcome == Outcome::Cancelled));
    assert!(executions(&api, "_cron/replace").iter().all(|one| one.outcome == Outcome::Cancelled));
}

fn an_order_whose_place_a_due_time_takes_is_told_so(on: impl Fn(Setup) -> Setup) {
    let endless = "+++\ntimeout = \"60s\"\n[[schedule]]\nevery = \"2s\"\noverlap = \"replace\"\n[limits]\noperations = 100000000000\n+++\nlog::info(\"begun\");\nwhile true {}";
    let config = "[ceilings]\noperations = 1000000000000\ntimeout = \"5m\"\n";
    let node = start(|setup| on(setup.config(config)), &[("_cron/endless.rhai", endless)]);
    let api = Api::of(&node);
    wait_for("the schedule is there", || api.get("/api/admin/schedules/_cron%2Fendless").status == 200);
    let why = "the next due time took its place (`overlap`)";
    let manual = || executions(&api, "_cron/endless").into_iter().filter(|one| one.trigger == Trigger::Manual).collect::<Vec<_>>();
    // On a busy machine the run may outlive the answer, which names it all the same.
    let answer = api.json("POST", "/api/admin/schedules/_cron%2Fendless/run", &json!({})).text();
    assert!(answer.contains(why), "{answer}");
    wait_for("the run is recorded", || manual().len() == 1);
    assert!(manual()[0].outcome == Outcome::Cancelled && answer.contains(&manual()[0].id.to_string()), "{answer}");
    let replaced = run(&node, &["run", "endless"]);
    let told = said(&replaced);
    assert!(!replaced.status.success() && told.contains(why), "{told}");
    wait_for("that one, too", || manual().len() == 2);
    assert!(told.contains(&format!("`picloud executions show {}`", manual()[0].id)), "{told}");
}

fn a_failed_run_is_tried_again_as_its_file_says(on: impl Fn(Setup) -> Setup) {
    let flaky = "+++\n[[schedule]]\ncron = \"@yearly\"\n[retry]\nattempts = 3\nbase = \"1ms\"\n+++\nif ctx.event.attempt < 3 { throw \"not yet\" }\nctx.event.attempt";
    let node = start(on, &[("_cron/flaky.rhai", flaky)]);
    let api = Api::of(&node);
    wait_for("the schedule is there", || api.get("/api/admin/schedules/_cron%2Fflaky").status == 200);
    let first = api.json("POST", "/api/admin/schedules/_cron%2Fflaky/run", &json!({})).json();
    assert_eq!(first["execution"]["outcome"], "failed");
    assert!(first["tried_again"].is_string(), "{first}");
    wait_for("the third attempt is recorded", || executions(&api, "_cron/flaky").len() == 3);
    let outcomes: Vec<Outcome> = executions(&api, "_cron/flaky").iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Failed, Outcome::Failed]);
    wait_for("the outcome is told", || schedule(&api, "_cron/flaky")["last_run"]["error"].is_null());
    // The command says that, too, and not where nothing follows.
    node.write("_cron/later.rhai", "+++\n[[schedule]]\ncron = \"@yearly\"\n[retry]\nattempts = 2\nbase = \"1h\"\n+++\nretry(\"1d\")");
    node.write("_cron/once.rhai", "+++\n[[schedule]]\ncron = \"@yearly\"\n+++\nthrow \"no\"");
    wait_for("both are live", || {
        ["once", "later"].iter().all(|name| api.get(&format!("/api/admin/schedules/_cron%2F{name}")).status == 200)
    });
    let (later, once) = (run(&node, &["run", "later"]), run(&node, &["run", "once"]));
    let told = said(&later);
    assert!(told.contains("it asks for another attempt in 1day") && told.contains("it failed, and is tried again at 2"), "{told}");
    assert!(said(&once).contains("once.rhai:5:1: no") && !said(&once).contains("tried again"), "{}", said(&once));
    assert_eq!([later.status.code(), once.status.code()], [Some(1), Some(1)]);
}

fn a_schedule_follows_what_is_live(on: impl Fn(Setup) -> Setup) {
    let node = start(on, &[("_cron/yearly.rhai", YEARLY), ("a.rhai", "1")]);
    let api = Api::of(&node);
    wait_for("the schedule is there", || api.get("/api/admin/schedules/_cron%2Fyearly").status == 200);
    // A broken file keeps its last good version, and its schedule.
    node.write("_cron/yearly.rhai", "+++\n[[schedule]]\ncron = \"0 0 * * * *\"\n+++\n()");
    wait_for("the mistake is told", || api.status()["diagnostics"].to_string().contains("six fields"));
    assert_eq!(schedule(&api, "_cron/yearly")["when"], "@yearly Europe/Berlin");
    node.write("_cron/yearly.rhai", "+++\n[[schedule]]\ncron = \"@daily\"\n+++\n()");
    wait_for("the other expression is live", || schedule(&api, "_cron/yearly")["when"] == "@daily UTC");
    node.remove("_cron/yearly.rhai");
    wait_for("it is gone", || api.get("/api/admin/schedules").json()["schedules"] == json!([]));
    let back = api.json("POST", "/api/admin/rollback", &json!({}));
    assert_eq!(back.status, 200, "{}", back.text());
    wait_for("what is live again has its schedule", || schedule(&api, "_cron/yearly")["when"] == "@daily UTC");
}

fn commands_list_run_pause_and_resume(on: impl Fn(Setup) -> Setup) {
    let two = "+++\n[[schedule]]\nname = \"eu\"\ncron = \"0 6 * * *\"\nzone = \"Europe/Berlin\"\n[[schedule]]\nname = \"us\"\ncron = \"0 6 * * *\"\nzone = \"America/New_York\"\n+++\nctx.event.name";
    let node = start(on, &[("_cron/yearly.rhai", YEARLY), ("reports.rhai", two)]);
    let api = Api::of(&node);
    wait_for("the schedules are there", || api.get("/api/admin/schedules").json()["schedules"].as_array().unwrap().len() == 3);
    assert_eq!(picloud(&node, &["run", "yearly", "--input", "[1]"]), "{\"got\":[1]}");
    let listed = picloud(&node, &["schedules"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("SCHEDULE") && lines[1].starts_with("_cron/yearly  @yearly Europe/Berlin"), "{listed}");
    assert!(lines[1].contains("  ok ") && lines[1].ends_with("-12-31T23:00:00Z"), "{listed}");
    assert!(lines[2].starts_with("reports#eu") && lines[3].starts_with("reports#us"), "{listed}");
    let listed: Value = serde_json::from_str(&picloud(&node, &["schedules", "--json"])).unwrap();
    assert_eq!(listed[1]["id"], "reports#eu");
    assert_eq!(picloud(&node, &["run", "reports", "--schedule", "us"]), "us");
    assert!(picloud(&node, &["pause", "reports", "--schedule", "eu"]).contains("`reports#eu` is paused"));
    assert!(picloud(&node, &["schedules"]).contains("paused by admin since 2"));
    assert!(picloud(&node, &["resume", "reports#eu"]).contains("`reports#eu` is due next at 2"));
    for (arguments, why) in [
        (&["run", "yearley"][..], "no schedule runs `yearley`\n  hint: did you mean `yearly`?"),
        (&["pause", "reports"], "`reports` has 2 schedules\n  hint: `--schedule eu`, `--schedule us`"),
        (&["pause", "reports", "--schedule", "asia"], "`reports` has no schedule `asia`\n  hint: `--schedule eu`"),
        (&["run", "yearly", "--input", "{"], "`--input` is not JSON"),
    ] {
        let refused = run(&node, arguments);
        assert!(!refused.status.success() && said(&refused).contains(why), "{arguments:?}: {}", said(&refused));
    }
}

#[test]
fn a_branch_that_is_only_shown_runs_nothing_by_itself() {
    let node = hosted().config("[source]\nkind = \"git\"\n[previews]\nbranches = 1\n").start();
    let checkout = Checkout::empty();
    let remote = url(&node, &admin(&node));
    checkout.commit(&[("functions/a.rhai", b"1")]);
    checkout.done(&["push", "--quiet", &remote, "main"]);
    checkout.commit(&[("functions/_cron/often.rhai", b"+++\n[[schedule]]\nevery = \"1s\"\n+++\n()")]);
    checkout.done(&["push", "--quiet", &remote, "main:topic"]);
    let api = Api::of(&node);
    wait_for("the branch is shown", || api.status()["previews"][0]["is_shown"] == true);
    assert_eq!(api.get("/api/admin/schedules").json(), json!({ "schedules": [] }));
    checkout.done(&["push", "--quiet", &remote, "main"]);
    wait_for("it runs once it is live", || !executions(&api, "_cron/often").is_empty());
}
