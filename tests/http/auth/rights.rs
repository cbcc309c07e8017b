//! One table of who may do what: every operation of the control plane, git, and every way to run a function, for every kind of token.

use std::collections::BTreeSet;

use picloud::{
    access::Scope,
    function::{FunctionName, ScriptId},
};
use serde_json::{Value, json};

use crate::kit::{
    api::{admin, ask, token},
    git::Checkout,
    node::{Node, PATIENCE, wait_until},
    story::hosted,
};

/// Who asks.
struct Caller {
    name: &'static str,
    /// None: nobody whom the node knows.
    token: Option<Held>,
}

struct Held {
    secret: String,
    scope: Scope,
    functions: Option<&'static str>,
}

/// Every kind of caller: without a token, and each scope for the whole node, for the functions of `shop`, and for other functions.
fn callers(node: &Node) -> Vec<Caller> {
    let mut callers = vec![Caller { name: "nobody", token: None }];
    for scope in [Scope::Read, Scope::Deploy, Scope::Admin] {
        for functions in [None, Some("shop"), Some("bank")] {
            let name = format!("{scope}-{}", functions.unwrap_or("node"));
            let secret = token(node, &name, &scope.to_string(), functions);
            callers.push(Caller { name: name.leak(), token: Some(Held { secret, scope, functions }) });
        }
    }
    callers
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq)]
enum About {
    /// Nothing that needs a token.
    Anybody,
    /// The token that it brings.
    Itself,
    Node,
    /// A function below `shop/`.
    Shop,
    /// The same; for those with a token for other functions it is as if it were not there.
    HiddenShop,
}

/// A request, and who may send it.
struct Row {
    /// As the description of the API has it; or another way in.
    operation: &'static str,
    method: &'static str,
    url: String,
    body: Value,
    scope: Scope,
    about: About,
    /// Those who may are answered with one of these. Nothing changes, so that the rows do not disturb each other.
    answers: &'static [u16],
}

impl Row {
    /// What a caller is answered.
    fn expected(&self, caller: &Caller) -> Vec<u16> {
        let Some(token) = &caller.token else {
            return if self.about == About::Anybody { self.answers.into() } else { vec![401] };
        };
        let (is_whole, covers) = (token.functions.is_none(), token.functions.is_none_or(|prefix| prefix == "shop"));
        // What is hidden is so for everybody whose scope gives an order at all.
        let is_hidden = self.about == About::HiddenShop && !covers && token.scope >= self.scope.min(Scope::Deploy);
        match self.about {
            About::Anybody => self.answers.into(),
            _ if is_hidden => vec![404],
            _ if token.scope < self.scope => vec![403],
            About::Node if !is_whole => vec![403],
            About::Shop if !covers => vec![403],
            _ => self.answers.into(),
        }
    }

    fn send(&self, node: &Node, caller: &Caller) -> (u16, String) {
        let bearer = caller.token.as_ref().map(|token| format!("Bearer {}", token.secret));
        // No script is so, and no event: nothing is replaced or deleted, and the tail does not begin.
        let mut headers = vec![("if-match", "another"), ("last-event-id", "none")];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        let body = if self.body.is_null() { Vec::new() } else { self.body.to_string().into_bytes() };
        let answer = node.send(self.method, &self.url, &headers, &body);
        (answer.status, answer.text())
    }

    #[track_caller]
    fn check(&self, node: &Node, callers: &[Caller]) {
        for caller in callers {
            let (status, text) = self.send(node, caller);
            let expected = self.expected(caller);
            assert!(
                expected.contains(&status),
                "{} {} ({}) by {}: {status}, and not {expected:?}: {text}",
                self.method,
                self.url,
                self.operation,
                caller.name
            );
        }
    }
}

fn row(operation: &'static str, scope: Scope, about: About, url: impl Into<String>, body: Value, answers: &'static [u16]) -> Row {
    let (method, _) = operation.split_once(' ').unwrap();
    Row { operation, method, url: url.into(), body, scope, about, answers }
}

/// Functions below `shop/`, and the scope that each asks of its callers.
const FUNCTIONS: [(&str, &str, Option<Scope>); 4] = [
    ("shop/open", "+++\ncapture = true\n+++\n1", None),
    ("shop/token", "+++\ncapture = true\nauth = \"token\"\n+++\n1", Some(Scope::Read)),
    ("shop/deploy", "+++\ncapture = true\nauth = { scope = \"deploy\" }\n+++\n1", Some(Scope::Deploy)),
    ("shop/admin", "+++\ncapture = true\nauth = { scope = \"admin\" }\n+++\n1", Some(Scope::Admin)),
];

/// A node with these functions live, and on a branch `topic`.
fn start() -> Node {
    let node = hosted().config("[source]\nkind = \"git\"\n[previews]\nbranches = 1\n[server]\nmax_tails = 0\n").start();
    let checkout = Checkout::empty();
    for (name, text, _) in FUNCTIONS {
        let path = checkout.folder().join(format!("functions/{name}.rhai"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    checkout.commit(&[
        ("functions/bank/transfer.rhai", b"\"moved\""),
        ("functions/shop/item.get.rhai", b"+++\n[[schedule]]\ncron = \"@yearly\"\n+++\n1"),
        ("functions/shop/on.rhai", b"+++\n[[on]]\ntopic = \"shop.made\"\n+++\n1"),
    ]);
    checkout.done(&["push", "--quiet", &crate::kit::story::url(&node, &admin(&node)), "main", "main:topic"]);
    node
}

/// Runs a function with the admin's token, and returns its execution once it is recorded.
fn run(node: &Node, name: &str) -> String {
    let answer = ask(node, &admin(node), "GET", &format!("/{name}"), &Value::Null);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = answer.header("x-picloud-execution").unwrap().to_owned();
    let path = format!("/api/admin/executions/{id}");
    wait_until("it is recorded", PATIENCE, || ask(node, &admin(node), "GET", &path, &Value::Null).status == 200);
    id
}

fn version(node: &Node, name: &str) -> String {
    let path = format!("/api/admin/scripts/{}/versions", name.replace('/', "%2F"));
    ask(node, &admin(node), "GET", &path, &Value::Null).json()["versions"][0]["version"].as_str().unwrap().to_owned()
}

#[test]
fn every_operation_asks_for_its_scope_and_for_its_functions() {
    use About::{Anybody, HiddenShop, Itself, Node as Whole, Shop};
    use Scope::{Admin, Deploy, Read};
    let node = start();
    let (execution, version) = (run(&node, "shop/open"), version(&node, "shop/open"));
    let none = || Value::Null;
    let source = json!({ "source": "2" });
    let rows = [
        row("GET /_picloud/health", Read, Anybody, "/_picloud/health", none(), &[200]),
        row("GET /_picloud/ready", Read, Anybody, "/_picloud/ready", none(), &[200]),
        // No secret is set, so nobody is believed.
        row("POST /_picloud/hooks/source", Read, Anybody, "/_picloud/hooks/source", none(), &[403]),
        row("POST /_picloud/session", Read, Anybody, "/_picloud/session", json!({}), &[400]),
        row("DELETE /_picloud/session", Read, Anybody, "/_picloud/session", none(), &[204]),
        row("GET /_picloud/session", Read, Anybody, "/_picloud/session", none(), &[200]),
        row("GET /_picloud/metrics", Read, Whole, "/_picloud/metrics", none(), &[200]),
        row("GET /api/admin/whoami", Read, Itself, "/api/admin/whoami", none(), &[200]),
        row("GET /api/admin/status", Read, Whole, "/api/admin/status", none(), &[200]),
        row("GET /api/admin/health", Read, Whole, "/api/admin/health", none(), &[200]),
        row("GET /api/admin/nodes", Read, Whole, "/api/admin/nodes", none(), &[200]),
        row("POST /api/admin/sync", Deploy, Whole, "/api/admin/sync", none(), &[200]),
        row("POST /api/admin/source/suspend", Deploy, Whole, "/api/admin/source/suspend", none(), &[200, 409]),
        row("POST /api/admin/source/resume", Deploy, Whole, "/api/admin/source/resume", none(), &[200, 409]),
        row("POST /api/admin/rollback", Deploy, Whole, "/api/admin/rollback", json!({ "to": "no-such-one" }), &[404]),
        row("POST /api/admin/unpin", Deploy, Whole, "/api/admin/unpin", none(), &[409]),
        row("GET /api/admin/deployments", Read, Whole, "/api/admin/deployments", none(), &[200]),
        row("GET /api/admin/deployments/{key}", Read, Whole, "/api/admin/deployments/live", none(), &[200]),
        row("GET /api/admin/deployments/{key}/diff", Read, Whole, "/api/admin/deployments/live/diff", none(), &[200]),
        row("GET /api/admin/routes", Read, Whole, "/api/admin/routes", none(), &[200]),
        row("GET /api/admin/routes", Read, Shop, "/api/admin/routes?prefix=shop/", none(), &[200]),
        row("GET /api/admin/routes/explain", Read, Whole, "/api/admin/routes/explain?path=/shop/open", none(), &[200]),
        row("POST /api/admin/invoke", Deploy, Shop, "/api/admin/invoke", json!({ "path": "/shop/open" }), &[200]),
        row("GET /api/admin/executions", Read, Whole, "/api/admin/executions", none(), &[200]),
        row("GET /api/admin/executions", Read, Shop, "/api/admin/executions?function=shop/open", none(), &[200]),
        row("GET /api/admin/executions", Read, Shop, "/api/admin/executions?prefix=shop/", none(), &[200]),
        row("GET /api/admin/status/tail", Read, Whole, "/api/admin/status/tail", none(), &[503]),
        row("GET /api/admin/executions/tail", Read, Whole, "/api/admin/executions/tail", none(), &[400]),
        row("GET /api/admin/executions/tail", Read, Shop, "/api/admin/executions/tail?prefix=shop/", none(), &[400]),
        row("GET /api/admin/executions/{id}", Read, HiddenShop, format!("/api/admin/executions/{execution}"), none(), &[200]),
        row("POST /api/admin/executions/{id}/replay", Deploy, HiddenShop, replay_of(&execution), none(), &[200]),
        row("GET /api/admin/stats", Read, Whole, "/api/admin/stats", none(), &[200]),
        row("GET /api/admin/stats", Read, Shop, "/api/admin/stats?function=shop/open", none(), &[200]),
        row("GET /api/admin/stats", Read, Shop, "/api/admin/stats?prefix=shop/", none(), &[200]),
        row("GET /api/admin/stats/functions", Read, Itself, "/api/admin/stats/functions", none(), &[200]),
        row("GET /api/admin/stats/failures", Read, Whole, "/api/admin/stats/failures", none(), &[200]),
        row("GET /api/admin/stats/failures", Read, Shop, "/api/admin/stats/failures?function=shop/open", none(), &[200]),
        row("GET /api/admin/stats/events", Read, Whole, "/api/admin/stats/events", none(), &[200]),
        row(
            "GET /api/admin/executions/{id}/request",
            Deploy,
            HiddenShop,
            format!("/api/admin/executions/{execution}/request"),
            none(),
            &[200],
        ),
        row("POST /api/admin/executions/replay", Deploy, HiddenShop, REPLAYS, json!({ "ids": [execution] }), &[200]),
        row("POST /api/admin/executions/replay", Deploy, Shop, REPLAYS, json!({ "filter": { "prefix": "shop/" } }), &[200]),
        row("POST /api/admin/executions/replay", Deploy, Whole, REPLAYS, json!({ "filter": { "status": "5xx" } }), &[200]),
        row("GET /api/admin/schedules", Read, Itself, "/api/admin/schedules", none(), &[200]),
        row("GET /api/admin/schedules/{id}", Read, Shop, "/api/admin/schedules/shop%2Fitem.get", none(), &[200]),
        row("POST /api/admin/schedules/{id}/run", Deploy, Shop, "/api/admin/schedules/shop%2Fitem.get/run", none(), &[200]),
        row("POST /api/admin/schedules/{id}/pause", Deploy, Shop, "/api/admin/schedules/shop%2Fitem.get/pause", none(), &[200]),
        row("POST /api/admin/schedules/{id}/resume", Deploy, Shop, "/api/admin/schedules/shop%2Fitem.get/resume", none(), &[200]),
        row("GET /api/admin/scripts", Read, Whole, "/api/admin/scripts", none(), &[200]),
        row("GET /api/admin/scripts", Read, Shop, "/api/admin/scripts?prefix=shop/", none(), &[200]),
        row("POST /api/admin/scripts", Deploy, Shop, "/api/admin/scripts", json!({ "name": "shop/open", "source": "2" }), &[409]),
        row("GET /api/admin/scripts/{id}", Read, Shop, "/api/admin/scripts/shop%2Fopen", none(), &[200]),
        row("PUT /api/admin/scripts/{id}", Deploy, Shop, "/api/admin/scripts/shop%2Fopen", source, &[412]),
        row("DELETE /api/admin/scripts/{id}", Deploy, Shop, "/api/admin/scripts/shop%2Fopen", none(), &[412]),
        row("GET /api/admin/scripts/{id}/versions", Read, Shop, "/api/admin/scripts/shop%2Fopen/versions", none(), &[200]),
        row(
            "GET /api/admin/scripts/{id}/versions/{version}",
            Read,
            Shop,
            format!("/api/admin/scripts/shop%2Fopen/versions/{version}"),
            none(),
            &[200],
        ),
        row("POST /api/admin/check", Deploy, Shop, "/api/admin/check", json!({ "name": "shop/new", "source": "1" }), &[200]),
        row("POST /api/admin/check", Deploy, Shop, "/api/admin/check", json!({ "files": { "shop/new.rhai": "1" } }), &[200]),
        row("PUT /api/admin/tree", Deploy, Whole, "/api/admin/tree?dry_run=true", json!("no tar"), &[415]),
        row("GET /api/admin/tokens", Admin, Whole, "/api/admin/tokens", none(), &[200]),
        row("POST /api/admin/tokens", Admin, Whole, "/api/admin/tokens", json!({ "name": "not a name", "scope": "read" }), &[400]),
        row("DELETE /api/admin/tokens/{name}", Admin, Whole, "/api/admin/tokens/no-such-one", none(), &[404]),
        row("GET /api/admin/secrets", Deploy, Whole, "/api/admin/secrets", none(), &[200]),
        row("PUT /api/admin/secrets", Admin, Whole, "/api/admin/secrets", json!({ "values": { "EMPTY": "" } }), &[400]),
        row("DELETE /api/admin/secrets/{name}", Admin, Whole, "/api/admin/secrets/NONE", none(), &[404]),
        row("DELETE /api/admin/secrets/{name}/previous", Admin, Whole, "/api/admin/secrets/NONE/previous", none(), &[404]),
        row("GET /api/admin/audit", Admin, Whole, "/api/admin/audit", none(), &[200]),
        row("GET /api/admin/kv", Read, Whole, "/api/admin/kv", none(), &[200]),
        row("GET /api/admin/kv/{namespace}", Admin, Whole, "/api/admin/kv/shop", none(), &[200]),
        row("GET /api/admin/kv/{namespace}/{key}", Admin, Whole, "/api/admin/kv/shop/no-such-one", none(), &[404]),
        row("PUT /api/admin/kv/{namespace}/{key}", Admin, Whole, "/api/admin/kv/shop/key?if_version=7", json!(1), &[412]),
        row("DELETE /api/admin/kv/{namespace}/{key}", Admin, Whole, "/api/admin/kv/shop/no-such-one", none(), &[404]),
        row("GET /api/admin/topics", Read, Whole, "/api/admin/topics", none(), &[200]),
        row("GET /api/admin/events", Read, Whole, "/api/admin/events", none(), &[200]),
        row("GET /api/admin/events", Read, Shop, "/api/admin/events?topic=shop.made", none(), &[200]),
        row("POST /api/admin/events/{topic}", Deploy, Shop, "/api/admin/events/shop.made?id=", json!(1), &[400]),
        row("POST /api/admin/events/{topic}", Deploy, Whole, "/api/admin/events/nobody.handles.it?id=", json!(1), &[400]),
        row("GET /api/admin/events/{topic}/{id}", Read, HiddenShop, "/api/admin/events/shop.made/none", none(), &[404]),
        row("GET /api/admin/events/{topic}/{id}/payload", Admin, Whole, "/api/admin/events/shop.made/none/payload", none(), &[404]),
        row("GET /api/admin/deliveries", Read, Whole, "/api/admin/deliveries", none(), &[200]),
        row("GET /api/admin/deliveries", Read, Shop, "/api/admin/deliveries?prefix=shop/", none(), &[200]),
        row("POST /api/admin/deliveries/{id}/retry", Deploy, HiddenShop, "/api/admin/deliveries/0000000000000/retry", none(), &[404]),
        row("DELETE /api/admin/deliveries/{id}", Deploy, HiddenShop, "/api/admin/deliveries/0000000000000", none(), &[404]),
        row("GET /api/admin/dead-letters", Read, Whole, "/api/admin/dead-letters", none(), &[200]),
        row("GET /api/admin/dead-letters", Read, Shop, "/api/admin/dead-letters?prefix=shop/", none(), &[200]),
        row("GET /api/admin/dead-letters/{id}", Read, HiddenShop, "/api/admin/dead-letters/0000000000000", none(), &[404]),
        row("POST /api/admin/dead-letters/retry", Deploy, Whole, "/api/admin/dead-letters/retry", json!({ "all": true }), &[200]),
        row("POST /api/admin/dead-letters/retry", Deploy, Shop, "/api/admin/dead-letters/retry", json!({ "function": "shop/on" }), &[200]),
        row("POST /api/admin/dead-letters/discard", Deploy, Whole, "/api/admin/dead-letters/discard", json!({ "all": true }), &[200]),
        row("POST /api/admin/dead-letters/discard", Deploy, Shop, "/api/admin/dead-letters/discard", json!({ "prefix": "shop/" }), &[200]),
        row("POST /api/admin/rotate-admin-token", Admin, Whole, "/api/admin/rotate-admin-token", none(), &[204]),
    ];
    let described = ask(&node, &admin(&node), "GET", "/_picloud/openapi.json", &Value::Null).json();
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect::<Vec<_>>();
    let described: BTreeSet<String> = (described["paths"].as_object().unwrap().iter())
        .flat_map(|(path, item)| methods(item).into_iter().map(move |method| format!("{method} {path}")))
        .collect();
    let in_table: BTreeSet<String> = rows.iter().map(|row| row.operation.to_owned()).collect();
    assert_eq!(in_table, described, "every operation has a row");
    let callers = callers(&node);
    for row in rows {
        row.check(&node, &callers);
        // Nothing is held back from the rows to come.
        ask(&node, &admin(&node), "POST", "/api/admin/source/resume", &Value::Null);
    }
    assert_eq!(ask(&node, &admin(&node), "GET", "/shop/open", &Value::Null).text(), "1", "nothing has changed");
}

const REPLAYS: &str = "/api/admin/executions/replay";

fn replay_of(execution: &str) -> String {
    format!("/api/admin/executions/{execution}/replay")
}

#[test]
fn git_is_for_tokens_of_the_whole_node() {
    let node = start();
    let refs = |service| format!("/functions.git/info/refs?service={service}");
    let callers = callers(&node);
    for (operation, scope, url, answers) in [
        ("GET refs", Scope::Read, refs("git-upload-pack"), &[200]),
        ("GET refs", Scope::Deploy, refs("git-receive-pack"), &[200]),
        // Those who may are told that this is no body of git's.
        ("POST upload-pack", Scope::Read, "/functions.git/git-upload-pack".into(), &[415]),
        ("POST receive-pack", Scope::Deploy, "/functions.git/git-receive-pack".into(), &[415]),
    ] {
        row(operation, scope, About::Node, url, Value::Null, answers).check(&node, &callers);
    }
}

#[test]
fn auth_and_functions_hold_on_every_way_to_run_a_function() {
    let node = start();
    let callers = callers(&node);
    let deployment = ask(&node, &admin(&node), "GET", "/shop/open", &Value::Null).header("x-picloud-deployment").unwrap().to_owned();
    let preview = "/_picloud/preview/topic/shop/open";
    wait_until("the branch is shown", PATIENCE, || ask(&node, &admin(&node), "GET", preview, &Value::Null).status == 200);
    for (name, _, auth) in FUNCTIONS {
        let (execution, version) = (run(&node, name), version(&node, name));
        let id = ScriptId::of(&FunctionName::new(name));
        // By its own URL a function without `auth` is anybody's.
        let (asked, about) = (auth.unwrap_or(Scope::Read), if auth.is_some() { About::Shop } else { About::Anybody });
        let ordered = asked.max(Scope::Deploy);
        let invoke = |order: Value| row("POST invoke", ordered, About::Shop, "/api/admin/invoke", order, &[200]);
        let replay = |order: Value| row("POST replay", ordered, About::HiddenShop, replay_of(&execution), order, &[200]);
        for way in [
            row("GET route", asked, about, format!("/{name}"), Value::Null, &[200]),
            row("GET id", asked, about, format!("/api/execute/{id}"), Value::Null, &[200]),
            row("GET earlier", asked, About::Node, format!("/_picloud/v/{deployment}/{name}"), Value::Null, &[200]),
            row("GET preview", asked, About::Node, format!("/_picloud/preview/topic/{name}"), Value::Null, &[200]),
            invoke(json!({ "path": format!("/{name}") })),
            invoke(json!({ "path": format!("/{name}"), "deployment": deployment })),
            replay(Value::Null),
            replay(json!({ "version": version })),
        ] {
            way.check(&node, &callers);
        }
    }
    // What the node answers by itself tells of the functions of a route, too.
    for (method, answers) in [("OPTIONS", &[200]), ("DELETE", &[409])] {
        for deployment in [Value::Null, deployment.clone().into()] {
            let order = json!({ "path": "/shop/item", "method": method, "deployment": deployment });
            row("POST invoke", Scope::Deploy, About::Shop, "/api/admin/invoke", order, answers).check(&node, &callers);
        }
    }
}

#[test]
fn a_replay_asks_what_the_version_asks_that_runs() {
    let node = crate::kit::node::node(&[]).start();
    let save = |text: &str| {
        let before = node.ready()["deployment"].clone();
        node.write("shop/f.rhai", text);
        wait_until("it is live", PATIENCE, || node.ready()["deployment"] != before);
    };
    let guarded = "+++\ncapture = true\nauth = { scope = \"admin\" }\n+++\n\"for admins\"";
    let deploy = token(&node, "ops", "deploy", Some("shop"));
    save(guarded);
    let (execution, first) = (run(&node, "shop/f"), version(&node, "shop/f"));
    let replay = |order: Value| ask(&node, &deploy, "POST", &replay_of(&execution), &order);
    let refused = replay(Value::Null);
    assert_eq!(refused.status, 403);
    assert!(refused.json()["detail"].as_str().unwrap().contains("this needs `admin`"), "{}", refused.text());
    // What is live is open now, and what was is not.
    save("+++\ncapture = true\n+++\n\"for all\"");
    assert_eq!(replay(Value::Null).json()["response"]["body"], "for all");
    assert_eq!(replay(json!({ "version": first })).status, 403);
    // And the other way round.
    let second = version(&node, "shop/f");
    save(&guarded.replace("for admins", "for admins again"));
    assert_eq!(replay(Value::Null).status, 403);
    assert_eq!(replay(json!({ "version": second })).json()["response"]["body"], "for all");
    // An admin may, and a script sees no caller all the same.
    let answer = ask(&node, &admin(&node), "POST", &replay_of(&execution), &Value::Null);
    assert_eq!(answer.json()["response"]["body"], "for admins again");
}
