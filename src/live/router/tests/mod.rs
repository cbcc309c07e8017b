//! The contract's rules for requests, one by one, and all of them at once against a reference.

pub(crate) mod generated;
mod reference;

use super::*;
use crate::function::route::{FileRoute, methods::combine};

/// Makes a route of a file's path; `methods` of the front-matter follow it after a space, as `x.rhai GET,POST`.
pub(crate) fn route(file: &str) -> Route {
    let (path, listed) = match file.rsplit_once(".rhai ") {
        Some((stem, listed)) => (format!("{stem}.rhai"), Some(listed)),
        None => (file.to_string(), None),
    };
    let FileRoute { segments, method } = FileRoute::of(&path).unwrap_or_else(|| panic!("{file} is no function"));
    let listed: Option<Vec<Method>> = listed.map(|listed| listed.split(',').map(|word| Method::parse(word).unwrap()).collect());
    Route { segments: segments.into(), methods: combine(method, listed.as_deref()).unwrap() }
}

pub(crate) fn router<'f>(files: &[&'f str]) -> Router<&'f str> {
    Router::new(files.iter().map(|file| (route(file), *file)))
}

/// Writes what a request meets in one line: `users/[id].rhai id=7`.
fn meets(files: &[&str], method: &str, path: &str) -> String {
    let allowed = |allow: Vec<Method>| allow.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(" ");
    match router(files).find(method, path) {
        Match::Found { value, params, head_from_get } => {
            let params = params.iter().map(|(name, value)| match value {
                Param::Absent => format!(" {name}=()"),
                Param::One(text) => format!(" {name}={text}"),
                Param::Many(texts) => format!(" {name}={texts:?}"),
            });
            format!("{value}{}{}", params.collect::<String>(), if head_from_get { " (HEAD)" } else { "" })
        }
        Match::MethodNotAllowed { allow } => format!("405 {}", allowed(allow)),
        Match::Options { allow } => format!("204 {}", allowed(allow)),
        Match::NotFound => "404".into(),
        Match::BadPath(problem) => format!("400 {problem}"),
    }
}

fn check(files: &[&str], cases: &[(&str, &str)]) {
    for (request, expected) in cases {
        let (method, path) = request.split_once(' ').unwrap_or(("GET", request));
        assert_eq!(meets(files, method, path), *expected, "{request} among {files:?}");
    }
}

#[test]
fn every_row_of_the_table_serves_what_it_says() {
    check(&["index.rhai"], &[("/", "index.rhai"), ("/index", "404"), ("/a", "404")]);
    check(&["users/index.get.rhai"], &[("/users", "users/index.get.rhai"), ("/users/", "users/index.get.rhai"), ("/users/index", "404")]);
    check(&["users.get.rhai"], &[("/users", "users.get.rhai"), ("POST /users", "405 GET HEAD OPTIONS")]);
    check(
        &["users/[id].rhai", "users/[id].delete.rhai", "users/me.rhai"],
        &[
            ("/users/7", "users/[id].rhai id=7"),
            ("PROPFIND /users/7", "users/[id].rhai id=7"),
            ("DELETE /users/7", "users/[id].delete.rhai id=7"),
            ("/users/me", "users/me.rhai"),
            ("DELETE /users/me", "users/me.rhai"),
            ("/users", "404"),
            ("/users/7/x", "404"),
        ],
    );
    check(&["orders/[id=int].rhai"], &[("/orders/12", "orders/[id=int].rhai id=12"), ("/orders/x", "404")]);
    check(
        &["orders/[id=int].rhai", "orders/[key].rhai"],
        &[("/orders/x", "orders/[key].rhai key=x"), ("/orders/1", "orders/[id=int].rhai id=1")],
    );
    check(
        &["files/[...path].rhai"],
        &[
            ("/files/a", r#"files/[...path].rhai path=["a"]"#),
            ("/files/a/b/", r#"files/[...path].rhai path=["a", "b"]"#),
            ("/files", "404"),
            ("/files/", "404"),
        ],
    );
    check(
        &["docs/[[...path]].rhai"],
        &[("/docs", "docs/[[...path]].rhai path=[]"), ("/docs/a/b", r#"docs/[[...path]].rhai path=["a", "b"]"#), ("/", "404")],
    );
    check(
        &["[[lang]]/about.rhai"],
        &[("/about", "[[lang]]/about.rhai lang=()"), ("/de/about", "[[lang]]/about.rhai lang=de"), ("/de", "404"), ("/a/b/about", "404")],
    );
    check(&["[name].json.rhai"], &[("/report.json", "[name].json.rhai name=report"), ("/.json", "404"), ("/report.xml", "404")]);
    check(&["robots.txt.rhai"], &[("/robots.txt", "robots.txt.rhai")]);
    check(&["foo.get.get.rhai"], &[("/foo.get", "foo.get.get.rhai"), ("/foo", "404"), ("PUT /foo.get", "405 GET HEAD OPTIONS")]);
    check(&["(admin)/users.rhai"], &[("/users", "(admin)/users.rhai"), ("/(admin)/users", "404")]);
    check(&[".well-known/x.rhai"], &[("/.well-known/x", ".well-known/x.rhai")]);
    check(&["[x+5b]a[x+5d].rhai"], &[("/[a]", "[x+5b]a[x+5d].rhai"), ("/%5Ba%5D", "[x+5b]a[x+5d].rhai")]);
}

#[test]
fn a_path_is_decoded_segment_by_segment() {
    let files = &["[a].rhai", "x/[...all].rhai", "a/b.rhai", "über/[p].rhai", "50[x+25]/index.rhai", "s[x+2f]t.rhai"];
    check(
        files,
        &[
            ("/a%2Fb", "[a].rhai a=a/b"),
            ("/%61/%62", "a/b.rhai"),
            ("/a%20b+c", "[a].rhai a=a b+c"),
            ("/x/1%2f2/%C3%A9", r#"x/[...all].rhai all=["1/2", "é"]"#),
            ("/%C3%BCber/%25", "über/[p].rhai p=%"),
            ("/über/y", "über/[p].rhai p=y"),
            ("/50%25", "50[x+25]/index.rhai"),
            ("/s%2Ft", "s[x+2f]t.rhai"),
            ("/s%252Ft", "[a].rhai a=s%2Ft"),
            ("/A/b", "404"),
            ("/a/B", "404"),
            ("/..%2Fetc", "[a].rhai a=../etc"),
            ("/...", "[a].rhai a=..."),
        ],
    );
}

#[test]
fn a_path_that_no_function_could_serve_is_bad() {
    let files = &["[[...all]].rhai"];
    let long = format!("/{}", "a/".repeat(path::MAX_SEGMENTS + 1));
    check(
        files,
        &[
            ("GET ", "400 the path does not begin with `/`"),
            ("OPTIONS *", "400 the path does not begin with `/`"),
            ("/a//b", "400 the path has an empty segment"),
            ("//", "400 the path has an empty segment"),
            ("//a", "400 the path has an empty segment"),
            ("/a//", "400 the path has an empty segment"),
            ("/%61//b", "400 the path has an empty segment"),
            ("/a/../b", "400 the path has a `.` or `..` segment"),
            ("/.", "400 the path has a `.` or `..` segment"),
            ("/a/%2e%2E", "400 the path has a `.` or `..` segment"),
            ("/a/%2E/b", "400 the path has a `.` or `..` segment"),
            ("/%", "400 the path has an invalid percent-encoding"),
            ("/%4", "400 the path has an invalid percent-encoding"),
            ("/%zz", "400 the path has an invalid percent-encoding"),
            ("/%+1", "400 the path has an invalid percent-encoding"),
            ("/%é", "400 the path has an invalid percent-encoding"),
            ("/%FF", "400 the path is not valid UTF-8 when it is decoded"),
            ("/%C3/%A9", "400 the path is not valid UTF-8 when it is decoded"),
            (&long, "400 the path has more than 1024 segments"),
            (&long.replace('a', "%61"), "400 the path has more than 1024 segments"),
        ],
    );
}

#[test]
fn the_most_specific_path_goes_first() {
    let files = &[
        "me.rhai",
        "v[x]z.rhai",
        "v[x].rhai",
        "[x]z.rhai",
        "v[x=int].rhai",
        "[a=int].rhai",
        "[b].rhai",
        "[[c]]/d.rhai",
        "[...e].rhai",
        "[[...f]].rhai",
    ];
    check(
        files,
        &[
            ("/me", "me.rhai"),
            ("/v1z", "v[x]z.rhai x=1"),
            ("/v1", "v[x=int].rhai x=1"),
            ("/va", "v[x].rhai x=a"),
            ("/az", "[x]z.rhai x=a"),
            ("/1", "[a=int].rhai a=1"),
            ("/x", "[b].rhai b=x"),
            ("/x/d", "[[c]]/d.rhai c=x"),
            ("/d", "[[c]]/d.rhai c=()"),
            ("/x/y", r#"[...e].rhai e=["x", "y"]"#),
            ("/", "[[...f]].rhai f=[]"),
        ],
    );
    check(&["[x]/b.rhai", "[[y]]/b.rhai"], &[("/1/b", "[x]/b.rhai x=1"), ("/b", "[[y]]/b.rhai y=()")]);
    check(&["ab[x].rhai", "a[x]c.rhai"], &[("/ab-c", "ab[x].rhai x=-c")]);
    check(
        &["[a=hex].rhai", "[b=slug].rhai", "[c=int].rhai"],
        &[("/12", "[c=int].rhai c=12"), ("/1a", "[a=hex].rhai a=1a"), ("/x", "[b=slug].rhai b=x")],
    );
    check(
        &["[[a]]/[[b]].rhai"],
        &[("/1", "[[a]]/[[b]].rhai a=1 b=()"), ("/", "[[a]]/[[b]].rhai a=() b=()"), ("/1/2", "[[a]]/[[b]].rhai a=1 b=2")],
    );
    check(&["[[a=int]]/[[b]].rhai"], &[("/1", "[[a=int]]/[[b]].rhai a=1 b=()"), ("/x", "[[a=int]]/[[b]].rhai a=() b=x")]);
    check(&["[[lang]].rhai", "[[lang]]/about.rhai"], &[("/about", "[[lang]]/about.rhai lang=()"), ("/de", "[[lang]].rhai lang=de")]);
}

#[test]
fn a_search_that_ends_nowhere_turns_back() {
    let files = &["a/[x]/c.rhai", "[y]/b/d.rhai", "[...z].rhai"];
    check(files, &[("/a/b/c", "a/[x]/c.rhai x=b"), ("/a/b/d", "[y]/b/d.rhai y=a"), ("/a/b/e", r#"[...z].rhai z=["a", "b", "e"]"#)]);
}

#[test]
fn an_exact_path_beats_one_that_left_something_out() {
    check(&["docs/[[...path]].rhai", "docs.rhai"], &[("/docs", "docs.rhai"), ("/docs/a", r#"docs/[[...path]].rhai path=["a"]"#)]);
    check(&["docs/[[...path]].rhai", "docs/[[page]].rhai"], &[("/docs", "docs/[[page]].rhai page=()")]);
    check(&["[[lang]]/about.rhai", "about.get.rhai"], &[("/about", "about.get.rhai"), ("PUT /about", "405 GET HEAD OPTIONS")]);
    check(&["u/[id]/[[...path]].rhai", "u/[id].rhai"], &[("/u/1", "u/[id].rhai id=1")]);
}

#[test]
fn the_method_is_chosen_inside_the_path() {
    let files = &["a.rhai", "a.get.rhai", "a.options.rhai", "b.get.rhai", "b.head.rhai", "b/index.post.rhai"];
    check(
        files,
        &[
            ("GET /a", "a.get.rhai"),
            ("HEAD /a", "a.get.rhai (HEAD)"),
            ("POST /a", "a.rhai"),
            ("OPTIONS /a", "a.options.rhai"),
            ("HEAD /b", "b.head.rhai"),
            ("POST /b", "b/index.post.rhai"),
            ("PUT /b", "405 GET HEAD POST OPTIONS"),
            ("get /b", "405 GET HEAD POST OPTIONS"),
            ("BREW /b", "405 GET HEAD POST OPTIONS"),
            ("OPTIONS /b", "204 GET HEAD POST OPTIONS"),
            ("OPTIONS /c", "404"),
        ],
    );
    let files = &["a.rhai", "b.rhai GET,DELETE", "b.get.rhai", "c.rhai OPTIONS,POST", "d.rhai GET", "(g)/d.rhai HEAD"];
    check(
        files,
        &[
            ("HEAD /a", "a.rhai"),
            ("BREW /a", "a.rhai"),
            ("OPTIONS /a", "204 GET HEAD POST PUT PATCH DELETE OPTIONS"),
            ("GET /b", "b.get.rhai"),
            ("DELETE /b", "b.rhai GET,DELETE"),
            ("PATCH /b", "405 GET HEAD DELETE OPTIONS"),
            ("OPTIONS /c", "c.rhai OPTIONS,POST"),
            ("GET /c", "405 POST OPTIONS"),
            ("HEAD /d", "(g)/d.rhai HEAD"),
        ],
    );
    check(&["d.rhai GET"], &[("HEAD /d", "d.rhai GET (HEAD)"), ("BREW /d", "405 GET HEAD OPTIONS")]);
}

#[test]
fn a_path_without_the_method_never_falls_through_to_another_path() {
    let files = &["users/me.get.rhai", "users/[id].rhai", "[...rest].rhai"];
    check(
        files,
        &[
            ("POST /users/me", "405 GET HEAD OPTIONS"),
            ("POST /users/you", "users/[id].rhai id=you"),
            ("OPTIONS /users/me", "204 GET HEAD OPTIONS"),
        ],
    );
}

#[test]
fn each_function_of_a_path_names_its_own_parameters() {
    let files = &["users/[id].get.rhai", "users/[name].post.rhai"];
    check(files, &[("GET /users/7", "users/[id].get.rhai id=7"), ("POST /users/7", "users/[name].post.rhai name=7")]);
}

#[test]
fn turning_back_costs_at_most_one_visit_for_each_node() {
    // Every path of ten segments, each `a` or a parameter: the shape that makes a search turn back most.
    let files: Vec<String> = (0..1 << 10)
        .map(|bits: u32| {
            (0..10).map(|at| if bits >> at & 1 == 0 { "a/".to_string() } else { format!("[p{at}]/") }).collect::<String>() + "end.rhai"
        })
        .collect();
    let worst = Router::new(files.iter().map(|file| (route(file), file)));
    let steps = |path: &str| worst.tree.steps(RequestPath::parse(path).unwrap().segments());
    let (at_worst, nodes) = steps(&format!("/{}b", "a/".repeat(10)));
    assert!((1 << 10..=nodes).contains(&at_worst), "{at_worst} steps, {nodes} nodes");
    // A path that goes on for 8 KB costs no more, whether it is found or not.
    assert!(steps(&format!("/{}", "a/".repeat(1000))).0 <= at_worst);
    let router = router(&["[...all].rhai", "a/[...all].rhai", "[x]/[...all].rhai", "a/a/a/b.rhai", "[[o]]/a/b.rhai"]);
    let (steps, nodes) = router.tree.steps(RequestPath::parse(&format!("/{}", "a/".repeat(1000))).unwrap().segments());
    assert!(steps <= nodes);
}

#[test]
fn ten_thousand_routes_cost_no_more_steps_than_ten() {
    let steps = |count: usize| {
        let files: Vec<String> = (0..count).flat_map(|at| [format!("s{at}/[id].rhai"), format!("s{at}/[id]/edit.rhai")]).collect();
        let router = Router::new(files.iter().map(|file| (route(file), ())));
        ["/s1/7", "/s1/7/edit", "/s1/7/none", "/none/7"].map(|path| router.tree.steps(RequestPath::parse(path).unwrap().segments()).0)
    };
    assert_eq!(steps(5_000), steps(5));
}
