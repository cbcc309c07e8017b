//! The contract's table, row by row, and every mistake with its message.

use proptest::prelude::*;

use super::*;

/// Writes a route in one line: `GET /users/[id]`; `-` if there is none.
fn route(path: &str) -> String {
    let (route, diagnostics) = check_path(path);
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{path}: {diagnostics:?}");
    let Some(FileRoute { segments, method }) = route else { return "-".into() };
    let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
    let path = if path.is_empty() { "/".into() } else { path };
    method.map_or(path.clone(), |method| format!("{method} {path}"))
}

/// Writes what is wrong with a name, as people read it.
fn problems(paths: &[&str]) -> String {
    paths.iter().flat_map(|path| check_path(path).1).map(|found| found.to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_file_answers_where_the_contract_says() {
    for (path, expected) in [
        ("index.rhai", "/"),
        ("index.get.rhai", "GET /"),
        ("users/index.get.rhai", "GET /users"),
        ("users.get.rhai", "GET /users"),
        ("users/[id].rhai", "/users/[id]"),
        ("users/[id].delete.rhai", "DELETE /users/[id]"),
        ("users/me.rhai", "/users/me"),
        ("orders/[id=int].rhai", "/orders/[id=int]"),
        ("files/[...path].rhai", "/files/[...path]"),
        ("files/[...path].get.rhai", "GET /files/[...path]"),
        ("files/[...get].rhai", "/files/[...get]"),
        ("docs/[[...path]].rhai", "/docs/[[...path]]"),
        ("[[lang]]/about.rhai", "/[[lang]]/about"),
        ("[[lang=slug]]/index.rhai", "/[[lang=slug]]"),
        ("[name].json.rhai", "/[name].json"),
        ("v[major=int]-[x+5b]x[x+5d].post.rhai", "POST /v[major=int]-[x+5b]x[x+5d]"),
        ("robots.txt.rhai", "/robots.txt"),
        ("foo.get.get.rhai", "GET /foo.get"),
        ("foo[x+2e]get.rhai", "/foo.get"),
        ("get.rhai", "/get"),
        ("index/index.rhai", "/index"),
        ("index.json.rhai", "/index.json"),
        ("[x+69]ndex.rhai", "/index"),
        ("(admin)/users.rhai", "/users"),
        ("(admin)/index.rhai", "/"),
        ("a/(b)/(c)/d.put.rhai", "PUT /a/d"),
        ("über uns.rhai", "/über uns"),
        ("a/_lib.txt", "-"),
        ("_lib/x.rhai", "-"),
        ("_lib/deep/x.get.rhai", "-"),
        ("_x.rhai", "-"),
        ("a/_x.get.rhai", "-"),
        ("[x+5f]x.rhai", "/_x"),
        ("_middleware.rhai", "-"),
        ("users/(admin)/_middleware.rhai", "-"),
        ("x.test.rhai", "-"),
        ("report.test.rhai", "-"),
        ("_lib/x.test.rhai", "-"),
        ("x.get.test.rhai", "-"),
        ("x.test.get.rhai", "GET /x.test"),
        ("test.rhai", "/test"),
        (".well-known/x.rhai", "/.well-known/x"),
        ("(site)/.well-known/x.rhai", "/.well-known/x"),
        (".well-known.rhai", "-"),
        ("a/.well-known/x.rhai", "-"),
        (".well-known/.git/x.rhai", "-"),
        (".git/x.rhai", "-"),
        ("a/.x.rhai", "-"),
        (".get.rhai", "-"),
        (".rhai", "-"),
        ("x.RHAI", "-"),
        ("x", "-"),
        ("", "-"),
        ("api/users.rhai", "/api/users"),
        ("apis/admin.rhai", "/apis/admin"),
        ("api/[x]/admin.rhai", "/api/[x]/admin"),
    ] {
        assert_eq!(route(path), expected, "{path}");
    }
}

#[test]
fn every_suffix_is_a_method_in_lower_case() {
    for method in Method::ALL {
        assert_eq!(route(&format!("x.{}.rhai", method.suffix())), format!("{method} /x"));
    }
}

#[test]
fn a_wrong_name_is_told_with_a_way_out() {
    insta::assert_snapshot!(problems(&[
        "a//b.rhai",
        "[id.rhai",
        "id].rhai",
        "[[id].rhai",
        "[a[b]].rhai",
        "a%20b.rhai",
        "(admin.rhai",
        "a(b)/x.rhai",
        "a\u{7}.rhai",
        "[x+zz].rhai",
        "[x+5B].rhai",
        "[x+0a].rhai",
        "[x+2e][x+2e]/x.rhai",
        "[a]-[b].rhai",
        "[].rhai",
        "[...].rhai",
        "[userId].rhai",
        "[user-id].rhai",
        "[1].rhai",
        "[é].rhai",
        "[id=itn].rhai",
        "[id=number].rhai",
        "[...path=int].rhai",
        "[[lang]].json.rhai",
        "a[...path].rhai",
    ]));
}

#[test]
fn a_wrong_path_is_told_with_a_way_out() {
    let deep = format!("{}x.rhai", "a/".repeat(MAX_SEGMENTS));
    insta::assert_snapshot!(problems(&[
        "[...path]/x.rhai",
        "[[...path]]/(g)/x.rhai",
        "[...path]/[[lang]].rhai",
        "[...path]/x/[[...rest]].rhai",
        "[id]/a/[id].rhai",
        "[[a]]/[[b]]/[[c]]/[[d]]/[[e]].rhai",
        &deep,
        "api/admin/x.rhai",
        "api/execute.get.rhai",
        "[x+5f]picloud/index.rhai",
        "functions.git/info.rhai",
        "[[lang]]/api/admin.rhai",
        "().rhai",
        "()/x.rhai",
        "([id])/x.rhai",
        "(admin).get.rhai",
    ]));
}

#[test]
fn a_name_that_is_probably_a_slip_gets_a_warning() {
    insta::assert_snapshot!(problems(&[
        "x.gte.rhai",
        "x.GET.rhai",
        "x.trace.rhai",
        "_lib/_middleware.rhai",
        "hello - Copy.rhai",
        "Copy of hello.get.rhai",
        "a/hello copy 2.post.rhai",
        "hello.get copy.rhai",
        "hello (1).rhai",
        "hello.get (copy).rhai",
        "hello (2).post.rhai",
    ]));
    assert_eq!(
        problems(&[
            "robots.txt.rhai",
            "report.json.rhai",
            "feed.xml.rhai",
            "_lib.rhai",
            "x.get.rhai",
            "v1.2.rhai",
            "copy.rhai",
            "photocopy.rhai",
            "Copy.rhai",
            "copy of 2.rhai"
        ]),
        ""
    );
}

proptest! {
    #[test]
    fn no_path_makes_it_panic_and_errors_come_with_misnamed_functions_only(path in r"(\PC|[\[\]().=/x+]|\[\[|\.\.\.|_|/|\.get|=int){0,16}(\.rhai)?") {
        let (route, diagnostics) = check_path(&path);
        let is_misnamed = Role::of(&path) == Some(Role::Function) && route.is_none();
        prop_assert_eq!(is_misnamed, diagnostics.iter().any(Diagnostic::is_error));
        prop_assert!(diagnostics.iter().all(|found| found.hint.is_some()));
    }
}
