//! Settings of a function with where they come from, who uses a module, and functions by text: over HTTP as by the command.

use serde_json::{Value, json};

use crate::{
    api::{Story, elsewhere, get, text},
    kit::api::{ask, token},
};

const CONFIG: &str = "[limits]\nmemory = \"32MiB\"\n[ceilings]\nbody = \"4MiB\"\n[journal]\ncapture = true\n";
const ORDERS: &str =
    "+++\ndescription = \"Takes Orders\"\ntimeout = \"2s\"\n[limits]\nbody = \"2MiB\"\n+++\nimport \"prices\" as prices;\nprices::one()";

fn files() -> [(&'static str, &'static str); 4] {
    let other = "import \"prices\" as prices; prices::one()";
    [("shop/_middleware.rhai", "()"), ("shop/orders.post.rhai", ORDERS), ("other.rhai", other), ("_lib/prices.rhai", "fn one() { 1 }")]
}

#[test]
fn each_setting_says_where_it_comes_from() {
    let story = Story::sqlite();
    let mut node = story.setup(&files()).config(CONFIG).start();
    let script = get(&node, "/api/admin/scripts/shop%2Forders.post").json();
    let setting = |key: &str| script["settings"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap().clone();
    let file = "shop/orders.post.rhai";
    for expected in [
        json!({ "key": "description", "value": "Takes Orders", "origin": "file", "file": file, "line": 2 }),
        json!({ "key": "timeout", "value": "2s", "origin": "file", "file": file, "line": 3, "ceiling": "5m" }),
        json!({ "key": "body", "value": "2 MiB", "origin": "file", "file": file, "line": 5, "ceiling": "4 MiB" }),
        json!({ "key": "memory", "value": "32 MiB", "origin": "node", "ceiling": "64 MiB" }),
        json!({ "key": "map", "value": "5000", "origin": "default", "ceiling": "100000" }),
        json!({ "key": "methods", "value": "POST", "origin": "name" }),
        json!({ "key": "capture", "value": true, "origin": "node" }),
        json!({ "key": "auth", "value": null, "origin": "default" }),
        json!({ "key": "guard", "value": "shop/_middleware.rhai", "origin": "folder", "file": "shop/_middleware.rhai" }),
    ] {
        assert_eq!(setting(expected["key"].as_str().unwrap()), expected);
    }
    assert_eq!(script["description"], "Takes Orders");

    let module = get(&node, "/api/admin/scripts/_lib%2Fprices").json();
    assert_eq!((&module["settings"], &module["used_by"]), (&json!([]), &json!(["other", "shop/orders.post"])));
    assert_eq!(module["used_by_count"], 2);
    let guard = get(&node, "/api/admin/scripts/shop%2F_middleware").json();
    assert_eq!((&guard["used_by"], &script["used_by"]), (&json!(["shop/orders.post"]), &json!([])));
    // A token for some functions hears of those only.
    let some = token(&node, "some", "read", Some("shop"));
    let guard = ask(&node, &some, "GET", "/api/admin/scripts/shop%2F_middleware", &Value::Null).json();
    assert_eq!(guard["used_by"], json!(["shop/orders.post"]));
    assert_ne!(ask(&node, &some, "GET", "/api/admin/scripts/_lib%2Fprices", &Value::Null).status, 200);

    let names = |query: &str| -> Vec<String> {
        let page = get(&node, &format!("/api/admin/scripts?{query}")).json();
        page["scripts"].as_array().unwrap().iter().map(|script| script["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("text=takes+orders"), ["shop/orders.post"]);
    assert_eq!(names("text=PRICES"), ["_lib/prices"]);
    assert_eq!(names("text=/shop/orders"), ["shop/orders.post"]);
    assert_eq!(names("text=prices&prefix=shop/").len(), 0);
    for wrong in ["text=".to_owned(), format!("text={}", "x".repeat(1_025))] {
        assert_eq!(get(&node, &format!("/api/admin/scripts?{wrong}")).status, 400, "{wrong}");
    }
    assert_eq!(ask(&node, &some, "GET", "/api/admin/scripts?text=orders", &Value::Null).status, 403);

    let folder = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| text(elsewhere(&folder, &node, arguments).output().unwrap());
    let listed = said(&["functions", "--text", "orders"]);
    assert!(listed.contains("shop/orders.post.rhai") && listed.contains("Takes Orders") && !listed.contains("other"), "{listed}");
    let shown = said(&["functions", "show", "shop/orders.post.rhai"]);
    for line in ["timeout", "shop/orders.post.rhai:3", "5m", "memory", "node", "default"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let shown = said(&["functions", "show", "_lib/prices"]);
    assert!(shown.contains("2 functions") && shown.contains("shop/orders.post"), "{shown}");
    let json: Value = serde_json::from_str(&said(&["functions", "show", "shop/orders.post", "--json"])).unwrap();
    assert_eq!(json["settings"], script["settings"]);
    node.stop();
}
