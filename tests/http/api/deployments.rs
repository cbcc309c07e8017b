//! What was decided, and what differs between two of those that were live: of a node elsewhere as of the database here.

use std::process::Output;

use picloud::{
    deployment::{Changes, DeploymentStatus},
    function::{Diagnostic, Tree},
};
use serde_json::Value;

use crate::{
    api::{Story, elsewhere, get, on_both_databases, refused, text},
    kit::{
        node::{Node, PATIENCE, wait_until},
        store::{deployment, record},
    },
};

on_both_databases! {
    deployments_are_listed_page_by_page_and_found_by_their_names
    a_page_of_deployments_ends_when_it_is_long
    what_differs_is_told_as_the_command_here_tells_it
    lines_that_are_too_many_are_left_out
    deployments_are_found_by_who_and_by_text
    a_function_that_changed_with_its_module_says_so
}

/// What a node knows of its deployments, the newest first.
fn decided(node: &Node) -> Vec<Value> {
    get(node, "/api/admin/deployments").json()["deployments"].as_array().unwrap().clone()
}

/// Starts a node and has it decide three times: live, live, rejected.
fn three(story: &Story) -> Node {
    let node = story.setup(&[("hello.rhai", "\"one\"\n"), ("old.rhai", "1\n")]).start();
    wait_until("the first is recorded", PATIENCE, || decided(&node).len() == 1);
    node.remove("old.rhai");
    wait_until("the second is recorded", PATIENCE, || decided(&node).len() == 2);
    node.replace("hello.rhai", "let x = ;\n");
    wait_until("the third is recorded", PATIENCE, || decided(&node).len() == 3);
    node
}

fn deployments_are_listed_page_by_page_and_found_by_their_names(story: Story) {
    let mut node = three(&story);
    let all = decided(&node);
    let of = |key: &str| all.iter().map(|one| one[key].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(of("status"), ["rejected", "live", "live"]);
    assert_eq!(all[0]["diagnostics"][0]["file"], "hello.rhai");
    assert_eq!((&all[1]["changes"][0]["function"], &all[1]["changes"][0]["to"]), (&"old".into(), &Value::Null));
    assert!(of("time").is_sorted_by(|newer, older| newer >= older));

    // One a page, and none of them twice.
    let (mut paged, mut query) = (Vec::new(), "limit=1".to_owned());
    loop {
        let page = get(&node, &format!("/api/admin/deployments?{query}")).json();
        paged.extend(page["deployments"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=1&cursor={next}");
    }
    assert_eq!(paged, all);
    for (status, expected) in [("live", &all[1..]), ("rejected", &all[..1])] {
        let page = get(&node, &format!("/api/admin/deployments?status={status}")).json();
        assert_eq!((page["deployments"].as_array().unwrap().as_slice(), &page["next"]), (expected, &Value::Null));
    }

    let revision = all[1]["revision"].as_str().unwrap();
    for (key, expected) in [(all[0]["id"].as_str().unwrap(), 0), (all[2]["id"].as_str().unwrap(), 2), (&revision[..12], 1), ("live", 1)] {
        assert_eq!(get(&node, &format!("/api/admin/deployments/{key}")).json(), all[expected], "{key}");
    }
    for (path, status, says) in [
        ("?limit=0", 400, "`limit`"),
        ("?limit=201", 400, "`limit`"),
        ("?limit=many", 400, "limit"),
        ("?cursor=x", 400, "cursor"),
        ("?status=both", 400, "status"),
        ("?limt=1", 400, "`limt`"),
        ("/0000000000000", 404, "no deployment"),
        ("/dir-", 404, "7 characters"),
        ("/dir-zzzzzzz%00", 404, "no deployment"),
    ] {
        let (found, said) = refused(&node, &format!("/api/admin/deployments{path}"));
        assert!(found == status && said.contains(says), "{path}: {found} {said}");
    }
    assert_eq!(node.get("/api/admin/deployments?limit=0").status, 401);
    let reader = story.token(&node, "read");
    assert_eq!(node.send("GET", "/api/admin/deployments", &[("authorization", &reader)], b"").status, 200);
    assert_eq!(node.send("POST", "/api/admin/deployments", &[("authorization", &reader)], b"").status, 405);

    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["deployments"][..], &["deployments", "--json"], &["deployments", "--limit", "1"], &["deployments", "--limit", "500", "--json"]]
    {
        let remote = text(elsewhere(&folder, &node, arguments).output().unwrap());
        assert_eq!(remote, text(story.beside(&node, arguments).output().unwrap()), "{arguments:?}");
    }
    node.stop();
}

fn a_page_of_deployments_ends_when_it_is_long(story: Story) {
    story.store(async |store| {
        for number in 0..25 {
            let mut rejected = deployment(number, &Tree::new(), &Tree::new()).0;
            rejected.status = DeploymentStatus::Rejected;
            rejected.diagnostics = vec![Diagnostic::error("a.rhai", "x".repeat(300_000))];
            record(store, &rejected, &Changes::default()).await;
        }
    });
    let mut node = story.setup(&[]).start();
    let (mut lengths, mut ids, mut query) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = get(&node, &format!("/api/admin/deployments?status=rejected&limit=200{query}")).json();
        let deployments = page["deployments"].as_array().unwrap();
        lengths.push(deployments.len());
        ids.extend(deployments.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("&cursor={next}");
    }
    assert_eq!(lengths, [7, 7, 7, 4]);
    assert!(ids.is_sorted_by(|newer, older| newer > older));
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["deployments", "--limit", "30", "--json"];
    let remote = text(elsewhere(&folder, &node, &arguments).output().unwrap());
    assert_eq!(remote, text(story.beside(&node, &arguments).output().unwrap()));
    node.stop();
}

fn what_differs_is_told_as_the_command_here_tells_it(story: Story) {
    let mut node = three(&story);
    let all = decided(&node);
    let name = |at: usize| all[at]["id"].as_str().unwrap();
    let (refused_one, second, first) = (name(0), name(1), name(2));
    let folder = tempfile::tempdir().unwrap();
    let both = |node: &Node, arguments: &[&str]| {
        let (remote, local) = (elsewhere(&folder, node, arguments).output().unwrap(), story.beside(node, arguments).output().unwrap());
        let told = |output: &Output| [&output.stdout, &output.stderr].map(|text| String::from_utf8(text.clone()).unwrap());
        assert_eq!((told(&remote), remote.status.code()), (told(&local), Some(0)), "{arguments:?}");
        told(&remote)
    };
    for arguments in [
        &["diff"][..],
        &["diff", "--json"],
        &["diff", "--stat"],
        &["diff", "--stat", "--json"],
        &["diff", first],
        &["diff", second, first],
        &["diff", first, first],
        &["diff", &all[1]["revision"].as_str().unwrap()[..12], first, "--json"],
        // One that is live with a mistake in its file, and one that is gone.
        &["versions", "hello"],
        &["versions", "hello.rhai", "--json"],
        &["versions", "old"],
    ] {
        both(&node, arguments);
    }
    let [told, _] = both(&node, &["diff"]);
    assert!(told.contains("- any method /old  old.rhai\n\n--- a/old.rhai\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"), "{told}");

    let told = get(&node, &format!("/api/admin/deployments/{second}/diff")).json();
    assert_eq!((&told["from"]["id"], &told["to"]["id"], &told["files_differing"]), (&first.into(), &second.into(), &1.into()));
    assert_eq!((&told["plan"]["removed"], &told["files"][0]["kind"]), (&1.into(), &"removed".into()));
    assert_eq!(get(&node, &format!("/api/admin/deployments/live/diff?against={first}")).json(), told);
    let counted = get(&node, &format!("/api/admin/deployments/{first}/diff?stat=true")).json();
    assert_eq!((&counted["from"], &counted["files_differing"], &counted["files"]), (&Value::Null, &2.into(), &Value::Array(Vec::new())));
    for (path, status, says) in [
        (format!("{refused_one}/diff"), 404, "never live"),
        (format!("{first}/diff?against={refused_one}"), 404, "never live"),
        (format!("{first}/diff?against=dir-"), 404, "7 characters"),
        (format!("{first}/diff?agains=x"), 400, "`agains`"),
        (format!("{first}/diff?stat=1"), 400, "stat"),
        ("0000000000000/diff".to_owned(), 404, "no deployment"),
    ] {
        let (found, said) = refused(&node, &format!("/api/admin/deployments/{path}"));
        assert!(found == status && said.contains(says), "{path}: {found} {said}");
    }
    assert_eq!(node.get("/api/admin/deployments/live/diff").status, 401);

    // What newer rules forbid is told, and the rest is compared.
    node.change(|setup| setup.config("[limits]\nexpression_depth = 1\n"));
    node.replace("hello.rhai", "\"one\" + \"two\"\n");
    node.restart();
    let [_, told] = both(&node, &["diff", first, second, "--stat"]);
    assert!(told.contains("by today's rules"), "{told}");
    node.stop();
}

fn lines_that_are_too_many_are_left_out(story: Story) {
    let long = format!("{}1\n", "// a line of some length, as there are many\n".repeat(5_000));
    let files: Vec<(String, &str)> = (0..24).map(|number| (format!("f{number:02}.rhai"), long.as_str())).collect();
    let mut node = story.setup(&files.iter().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>()).start();
    wait_until("it is recorded", PATIENCE, || decided(&node).len() == 1);
    let answer = get(&node, "/api/admin/deployments/live/diff");
    assert!(answer.body.len() < 5 << 20, "{}", answer.body.len());
    let told = answer.json();
    assert_eq!((&told["files_differing"], &told["plan"]["added"]), (&24.into(), &24.into()));
    let files = told["files"].as_array().unwrap();
    let (told, left_out): (Vec<_>, Vec<_>) = files.iter().partition(|file| file["diff"].is_string());
    assert!(files.len() == 24 && told.len() >= 10 && !left_out.is_empty(), "{} {}", told.len(), left_out.len());
    assert!(left_out.iter().all(|file| file["is_left_out"] == true && file["diff"].is_null()));
    let folder = tempfile::tempdir().unwrap();
    let remote = text(elsewhere(&folder, &node, &["diff"]).output().unwrap());
    assert!(remote.contains("`f23.rhai` differs, and its lines are left out"), "{}", &remote[remote.len() - 200..]);
    assert!(!text(story.beside(&node, &["diff"]).output().unwrap()).contains("left out"));
    node.stop();
}

fn deployments_are_found_by_who_and_by_text(story: Story) {
    /// More than are looked through for one page.
    const OTHERS: i64 = 2_100;
    let ada = Some("Ada Lovelace <ada@example.org>");
    let rejected = |number: i64, by: Option<&str>, pushed_by: Option<&str>, subject: Option<&str>| {
        let mut one = deployment(number, &Tree::new(), &Tree::new()).0;
        (one.by, one.pushed_by, one.subject) = (by.map(str::to_owned), pushed_by.map(str::to_owned), subject.map(str::to_owned));
        one.status = DeploymentStatus::Rejected;
        one
    };
    story.store(async |store| {
        let known = [
            rejected(1, ada, None, Some("Count orders")),
            rejected(2, ada, Some("ci"), Some("Mend 100 % of the orders")),
            rejected(3, Some("ci"), None, None),
            rejected(4, Some("Adam <adam@example.org>"), None, Some("count")),
        ];
        for one in known.into_iter().chain((5..OTHERS).map(|number| rejected(number, Some("robot"), None, None))) {
            record(store, &one, &Changes::default()).await;
        }
    });
    let mut node = story.setup(&[]).start();
    let revisions =
        |deployments: &[Value]| -> Vec<String> { deployments.iter().map(|one| one["revision"].as_str().unwrap().to_owned()).collect() };
    let found = |query: &str| {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = get(&node, &format!("/api/admin/deployments?status=rejected&limit=200&{query}{cursor}")).json();
            found.extend(revisions(page["deployments"].as_array().unwrap()));
            pages += 1;
            let Some(next) = page["next"].as_str() else { return (found, pages) };
            cursor = format!("&cursor={next}");
        }
    };
    for (query, expected) in [
        ("by=ada@example.org", vec![2, 1]),
        ("by=Ada%20Lovelace", vec![2, 1]),
        ("by=Ada%20Lovelace%20%3Cada@example.org%3E", vec![2, 1]),
        ("by=ci", vec![3, 2]),
        ("by=Ada", vec![]),
        ("by=example.org", vec![]),
        ("text=100%20%25", vec![2]),
        ("text=orders", vec![2, 1]),
        ("text=ount", vec![4, 1]),
        ("text=revision-3%00", vec![]),
        ("by=ada@example.org&text=Count", vec![1]),
    ] {
        if query.contains("%00") {
            assert_eq!(refused(&node, &format!("/api/admin/deployments?{query}")).0, 400);
            continue;
        }
        let (found, pages) = found(query);
        assert_eq!(found, expected.iter().map(|number| format!("revision-{number}")).collect::<Vec<_>>(), "{query}");
        assert!(pages > 1, "{query}: a page looks through no more than it may");
    }
    let ada = &get(&node, "/api/admin/deployments/revision-1").status;
    assert_eq!(*ada, 404, "a rejected one has no name but its id");
    for wrong in ["by=", "text=", &format!("by={}", "x".repeat(1_025))] {
        assert_eq!(refused(&node, &format!("/api/admin/deployments?{wrong}")).0, 400, "{wrong}");
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["deployments", "--by", "ada@example.org", "--text", "orders", "--json"];
    let remote = text(elsewhere(&folder, &node, &arguments).output().unwrap());
    assert_eq!(remote, text(story.beside(&node, &arguments).output().unwrap()));
    assert_eq!(revisions(&serde_json::from_str::<Vec<Value>>(&remote).unwrap()), ["revision-2", "revision-1"]);
    node.stop();
}

fn a_function_that_changed_with_its_module_says_so(story: Story) {
    let shop = "import \"prices\" as prices; prices::one()";
    let mut node = story.setup(&[("_lib/prices.rhai", "fn one() { 1 }"), ("shop.rhai", shop), ("own.rhai", "1")]).start();
    wait_until("the first is recorded", PATIENCE, || decided(&node).len() == 1);
    node.replace("_lib/prices.rhai", "fn one() { 2 }");
    wait_until("the second is recorded", PATIENCE, || decided(&node).len() == 2);
    let plan = get(&node, "/api/admin/deployments/live/diff?stat=true").json()["plan"].clone();
    assert_eq!((&plan["functions"][0]["file"], &plan["functions"][0]["because"]), (&"shop.rhai".into(), &"_lib/prices.rhai".into()));
    let told = text(story.beside(&node, &["diff", "--stat"]).output().unwrap());
    assert!(told.contains("shop.rhai (by _lib/prices.rhai)"), "{told}");
    node.replace("own.rhai", "2");
    wait_until("the third is recorded", PATIENCE, || decided(&node).len() == 3);
    let plan = get(&node, "/api/admin/deployments/live/diff?stat=true").json()["plan"].clone();
    assert_eq!(plan["functions"][0].get("because"), None);

    let counted = get(&node, "/api/admin/deployments?stat=true").json()["deployments"].clone();
    let counts = |at: usize| ["added", "changed", "removed"].map(|key| counted[at][key].as_u64().unwrap());
    assert_eq!([counts(0), counts(1), counts(2)], [[0, 1, 0], [0, 1, 0], [2, 0, 0]]);
    assert!(counted.as_array().unwrap().iter().all(|one| one["changes"] == Value::Array(Vec::new())));
    let whole = decided(&node);
    assert_eq!((whole[2]["changes"].as_array().unwrap().len(), &whole[2]["added"]), (2, &2.into()));
    node.stop();
}
