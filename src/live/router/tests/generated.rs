//! Generated routes and requests: the router finds what the reference finds.

use proptest::prelude::*;

use super::{reference::find, *};
use crate::function::{FilePath, route::conflicts};

/// Makes names of files from few words, so that they meet often.
fn file() -> impl Strategy<Value = String> {
    let words = &["a", "b", "1", "a[P]", "[P]b", "a[P=int]b", "[P]", "[P=int]", "[P=hex]", "[P=slug]", "[[P]]", "[[P=int]]", "(g)"];
    let ends = &["index", "a", "1", "[P]", "[P=int]", "[[P]]", "[...P]", "[[...P]]", "a[P]"];
    let suffixes = &["", "", "", ".get", ".head", ".post", ".options"];
    let methods = &["", "", " GET", " POST,OPTIONS", " HEAD"];
    (
        prop::collection::vec(prop::sample::select(words), 0..4),
        prop::sample::select(ends),
        prop::sample::select(suffixes),
        prop::sample::select(methods),
    )
        .prop_map(|(folders, end, suffix, methods)| {
            let mut path: String =
                folders.iter().enumerate().map(|(at, word)| format!("{}/", word.replace('P', &format!("p{at}")))).collect();
            path += &end.replace('P', "last");
            format!("{path}{suffix}.rhai{}", if suffix.is_empty() { methods } else { "" })
        })
}

/// Makes routes that are not in conflict, by leaving out those that are.
pub(crate) fn routes() -> impl Strategy<Value = Vec<(Route, usize)>> {
    prop::collection::vec(file(), 1..12).prop_map(|files| {
        let mut kept: Vec<(FilePath, Route)> = Vec::new();
        for file in files {
            kept.push((file.as_str().into(), route(&file)));
            if !conflicts(kept.iter().map(|(file, route)| (file, route))).is_empty() {
                kept.pop();
            }
        }
        kept.into_iter().enumerate().map(|(at, (_, route))| (route, at)).collect()
    })
}

/// Makes a method and a path's decoded segments, of the words that the files are made of.
pub(crate) fn request() -> impl Strategy<Value = (String, Vec<String>)> {
    let methods = prop::sample::select(&["GET", "HEAD", "POST", "OPTIONS", "BREW"]);
    (methods.prop_map(String::from), prop::collection::vec("a|b|1|a1|1b|a1b|axb|[ab1]{1,3}|ff", 0..5))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_router_finds_what_the_reference_finds(routes in routes(), requests in prop::collection::vec(request(), 1..12)) {
        let router = Router::new(routes.iter().cloned());
        for (method, path) in requests {
            let url = format!("/{}", path.join("/"));
            prop_assert_eq!(router.find(&method, &url), find(&routes, &method, &path), "{} {} among {:#?}", method, url, routes);
            // The same path, every character encoded, meets the same.
            let encoded: String = url.bytes().map(|byte| if byte == b'/' { "/".into() } else { format!("%{byte:02x}") }).collect();
            prop_assert_eq!(router.find(&method, &encoded), router.find(&method, &url));
        }
    }
}

proptest! {
    #[test]
    fn no_request_makes_it_panic(routes in routes(), method in "\\PC{0,5}", path in "/?([ab1/.]|%[0-9a-f]{2}|%|\\PC){0,12}") {
        Router::new(routes).find(&method, &path);
    }
}
