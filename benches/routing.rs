//! What routing costs: a lookup among 10, 1,000 and 10,000 routes, and what a deployment does with all of them.
//!
//! `cargo bench --bench routing`

use std::{hint::black_box, time::Duration};

use picloud::{
    clock::monotonic,
    function::{
        FilePath,
        route::{FileRoute, Methods, Route, conflicts},
    },
    live::router::Router,
};

const LOOKUPS: u32 = 1_000_000;
/// Every figure is the best of these, because whatever disturbs a run makes it slower.
const ROUNDS: u32 = 5;

fn main() {
    println!(
        "{:>7} {:>10} {:>10} {:>10} {:>10} {:>12} {:>12} {:>12} {:>12}",
        "routes", "static", "parameter", "miss", "encoded", "classify", "conflicts", "build", "memory"
    );
    for count in [10, 1_000, 10_000] {
        let files = files(count);
        let (routes, classified) = best(|| routes(&files));
        let (found, checked) = best(|| conflicts(routes.iter().map(|(file, route)| (file, route))));
        assert!(found.is_empty());
        let before = resident_kib();
        let (router, built) = best(|| Router::new(routes.iter().map(|(file, route)| (route.clone(), file.clone()))));
        let memory = resident_kib().saturating_sub(before);
        // Different routes in turn, so that the caches see what a server's would.
        let ids: Vec<usize> = (0..count / 5).map(|at| at * 7919 % (count / 5)).collect();
        let lookup = |path: &dyn Fn(usize) -> String| {
            let paths: Vec<String> = ids.iter().map(|id| path(*id)).collect();
            let (_, took) = best(|| {
                for path in paths.iter().cycle().take(LOOKUPS as usize) {
                    black_box(router.find("GET", black_box(path)));
                }
            });
            format!("{:.0} ns", took.as_secs_f64() * 1e9 / f64::from(LOOKUPS))
        };
        println!(
            "{count:>7} {:>10} {:>10} {:>10} {:>10} {:>12} {:>12} {:>12} {:>12}",
            lookup(&|id| format!("/api/area{id}/report")),
            lookup(&|id| format!("/api/area{id}/items/4711")),
            lookup(&|id| format!("/api/area{id}/nothing/here")),
            lookup(&|id| format!("/api/area{id}/items/a%20b")),
            format!("{:.2} ms", classified.as_secs_f64() * 1e3),
            format!("{:.2} ms", checked.as_secs_f64() * 1e3),
            format!("{:.2} ms", built.as_secs_f64() * 1e3),
            format!("{memory} KiB"),
        );
    }
}

/// Makes files as people lay them out: a list, one of it, a static page, a nested list and a catch-all in each area.
fn files(count: usize) -> Vec<FilePath> {
    let area = |at: usize| {
        ["report.rhai", "items.get.rhai", "items/[id=int].rhai", "items/[id].rhai", "files/[...path].rhai"]
            .map(|name| FilePath::from(format!("api/area{at}/{name}")))
    };
    (0..count / 5).flat_map(area).collect()
}

fn routes(files: &[FilePath]) -> Vec<(FilePath, Route)> {
    let route = |file: &FilePath| {
        let FileRoute { segments, method } = FileRoute::of(file)?;
        Some((file.clone(), Route { segments: segments.into(), methods: method.map_or(Methods::Any, Methods::Suffix) }))
    };
    files.iter().filter_map(route).collect()
}

fn best<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    let mut timed = || {
        let started = monotonic();
        let made = work();
        (made, started.elapsed())
    };
    let first = timed();
    (1..ROUNDS).map(|_| timed()).fold(first, |best, next| if next.1 < best.1 { next } else { best })
}

/// Returns how much of this process is in memory.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
