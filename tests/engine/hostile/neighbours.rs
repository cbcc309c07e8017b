//! Hostile functions on a real node, beside others that always answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::kit::{
    client::{Client, Response},
    node::Node,
};

/// One of each kind of attack, with the status that its caller gets. Where that is not 504 a slow machine may reach the time limit first.
const WORST: &[(&str, u16, &str)] = &[
    ("endless", 504, "loop {}"),
    ("caught", 504, "loop { try { loop {} } catch { } }"),
    ("comparator", 504, "let a = []; a.pad(9000, 0); a.sort(|x, y| { loop {} 0 }); 0"),
    ("waiting", 504, "let a = [1]; loop { try { a.map(|x| a.len()); } catch { } }"),
    ("recursion", 507, "fn f(x) { f(x + 1) } f(0)"),
    ("variables", 507, "let a = []; for i in 0..240 { let s = \"\"; s.pad(1_000_000, \"x\"); a.push(|| s); }"),
    ("doubling", 507, "let s = \"x\"; loop { s += s; }"),
    ("overflow", 507, "let i = []; i.pad(63, 0); let a = []; a.pad(288_230_376_151_711_744, i); a.len()"),
    ("nothing", 200, "let s = \"\"; s.pad(5, \"\"); s"),
    ("replacing", 507, "let s = \"\"; s.pad(60_000, \"x\"); let r = s; s.replace(\"\", r); s.len()"),
    ("chain", 507, "let f = || 1; loop { let g = f; f = || g; }"),
    ("deep", 507, "let a = []; loop { a = [a]; }"),
    ("cycle", 502, "let a = #{}; a.f = || a; a"),
    ("sleep", 502, "Fn(\"sleep\").call(1e300)"),
    ("reply", 507, "let a = []; let s = \"\"; s.pad(1_000_000, \"x\"); for i in 0..9 { a.push(|| s); } a.map(|f| f.call())"),
];

#[test]
fn the_worst_functions_hurt_neither_the_node_nor_their_neighbours() {
    let files: Vec<(String, String)> =
        WORST.iter().map(|(name, _, script)| (format!("worst/{name}.rhai"), format!("+++\ntimeout = \"300ms\"\n+++\n{script}"))).collect();
    let files = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let neighbour = ("neighbour.rhai", "let a = [1, 2, 3]; `${a.map(|x| x * 2).len()} of ${ctx.request.query.n}`");
    let node = Node::start_with(&files.chain([neighbour]).collect::<Vec<_>>());
    let process = node.pid();
    let (is_over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let mut client = node.client();
            while !is_over.load(Ordering::Relaxed) {
                let n = answered.fetch_add(1, Ordering::Relaxed);
                let response = client.get(&format!("/neighbour?n={n}")).unwrap();
                assert_eq!((response.status, response.text()), (200, format!("3 of {n}")));
            }
        });
        let attackers: Vec<_> = (0..2)
            .map(|half| {
                let node = &node;
                scope.spawn(move || {
                    let mut client = node.client();
                    // Twice: a function is treated by what its last run was like.
                    for (name, status, script) in WORST.iter().skip(half).step_by(2).chain(WORST) {
                        let response = answers(node, &mut client, name);
                        assert!([*status, 504].contains(&response.status), "{} {}: {script}", response.status, response.text());
                    }
                })
            })
            .collect();
        let attacks: Vec<_> = attackers.into_iter().map(|attacker| attacker.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        neighbour.join().expect("the neighbour answers always");
        attacks.into_iter().for_each(|attack| attack.expect("each attack ends with its status"));
    });
    let answered = answered.load(Ordering::Relaxed);
    assert!(answered > 100, "the neighbour answered {answered} times in the whole story");
    assert_eq!(node.pid(), process);
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

fn answers(node: &Node, client: &mut Client, name: &str) -> Response {
    client.get(&format!("/worst/{name}")).unwrap_or_else(|error| panic!("{name}: {error}\n{}", node.log()))
}

#[test]
fn a_function_that_leaks_is_refused_until_it_changes_and_its_neighbour_is_not() {
    const LEAKS: &str = "+++\nlimits.leak = \"1MiB\"\n+++\nlet m = #{bytes: blob(30_000)}; m.f = || m; \"leaked\"";
    let node = Node::start_with(&[("leaks.rhai", LEAKS), ("neighbour.rhai", "\"here\"")]);
    let mut client = node.client();
    let mut served = 0;
    let refused = loop {
        let response = client.get("/leaks").unwrap();
        assert_eq!(client.get("/neighbour").unwrap().text(), "here");
        if response.status != 200 {
            break response;
        }
        served += 1;
        assert!(served < 100, "it leaked {served} times 30,000 bytes and is served");
    };
    // Each run leaves a little more than its 30,000 bytes.
    assert!((30..=35).contains(&served), "{served} of its runs were served");
    assert_eq!(
        (refused.status, refused.json()["detail"].as_str()),
        (503, Some("the function leaks memory and was stopped until it changes"))
    );
    node.wait_for_line(&["`leaks` has leaked 1 MiB of memory and is stopped until it changes"]);

    // A deployment that changes something else forgives nothing.
    node.write("neighbour.rhai", "\"still here\"");
    node.wait_for("/neighbour", "still here");
    for _ in 0..50 {
        assert_eq!(client.get("/leaks").unwrap().status, 503);
        assert_eq!(client.get("/neighbour").unwrap().text(), "still here");
    }

    node.write("leaks.rhai", "\"mended\"");
    node.wait_for("/leaks", "mended");
    assert_eq!(client.get("/neighbour").unwrap().text(), "still here");
}

/// A body is read before the function's first step.
#[test]
fn a_body_that_needs_more_memory_than_a_run_may_hold_is_refused() {
    let node = Node::start_with(&[("f.rhai", "+++\nlimits.body = \"2MiB\"\nlimits.memory = \"8MiB\"\n+++\nctx.request.body.len()")]);
    let json = format!("[{}0]", "{\"\":0},".repeat(200_000));
    let form: String = (0..240_000).map(|n| format!("{n:x}=&")).collect();
    for (content_type, body) in [("application/json", json), ("application/x-www-form-urlencoded", form)] {
        let response = node.send("POST", "/f", &[("content-type", content_type)], body.as_bytes());
        assert_eq!((response.status, &response.json()["detail"]), (507, &"the function passed its memory limit".into()));
    }
    assert_eq!(node.send("POST", "/f", &[("content-type", "application/json")], b"[1, 2]").text(), "2");
}
