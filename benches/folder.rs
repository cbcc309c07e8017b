//! What the number of functions costs: start, memory, one save to live, idle. `cargo bench --bench folder`.

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use support::{Server, function, median, now};

const SAVES: usize = 30;

fn main() {
    // `cargo test --benches` only wants to see that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!(
        "| functions | first start ms | restart ms | RSS MiB | save in place → live ms | by rename ms | idle: CPU ms, switches in 10 s |\n|---:|---:|---:|---:|---:|---:|---:|"
    );
    for count in [10, 1_000, 10_000] {
        measure(count);
    }
}

fn measure(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let functions = folder.path().join("functions");
    for number in 0..count {
        let group = functions.join(format!("g{}", number / 100));
        fs::create_dir_all(&group).unwrap();
        fs::write(group.join(format!("f{number}.rhai")), function(number)).unwrap();
    }
    let data = folder.path().join("data");
    let first = median(
        (0..3)
            .map(|_| {
                let _ = fs::remove_dir_all(&data);
                let node = Server::picloud(folder.path(), &functions, "");
                let ready = node.ready.as_secs_f64() * 1e3;
                node.stop();
                ready
            })
            .collect(),
    );
    let node = Server::picloud(folder.path(), &functions, "");
    let again = node.ready.as_secs_f64() * 1e3;
    std::thread::sleep(Duration::from_secs(2));
    let rss = node.rss_mib();
    let (cpu, switches) = (node.cpu_us(), node.switches());
    std::thread::sleep(Duration::from_secs(10));
    // A thread that ended in between was woken to end.
    let woken: u64 = node.switches().iter().map(|(thread, count)| count - switches.get(thread).unwrap_or(&0)).sum();
    let idle = format!("{}, {woken}", (node.cpu_us() - cpu) / 1000);
    let saved = functions.join("g0/f5.rhai");
    let in_place = save(&node, &saved, "/g0/f5", |path, text| fs::write(path, text).unwrap());
    let renamed = save(&node, &saved, "/g0/f5", |path, text| {
        let next = path.with_extension("next~");
        fs::write(&next, text).unwrap();
        fs::rename(next, path).unwrap();
    });
    println!("| {count} | {first:.0} | {again:.0} | {rss:.0} | {in_place:.1} | {renamed:.1} | {idle} |");
}

/// Returns the median time from the end of a save to the first answer of the new content, in milliseconds, asked on one kept connection.
fn save(node: &Server, path: &Path, url: &str, write: impl Fn(&Path, &str)) -> f64 {
    let mut stream = TcpStream::connect(&node.address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut ask = || {
        write!(stream, "GET {url} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut part = [0; 4096];
        let read = stream.read(&mut part).unwrap();
        String::from_utf8_lossy(&part[..read]).into_owned()
    };
    let times = (0..SAVES).map(|round| {
        // Some saves meet the look that follows an earlier one, most do not.
        std::thread::sleep(Duration::from_millis(300 + 400 * (round as u64 % 3)));
        let text = format!("round {round} of {}", path.display());
        write(path, &format!("{text:?}"));
        let saved = now();
        while !ask().ends_with(&text) {
            std::thread::sleep(Duration::from_micros(100));
        }
        saved.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}
