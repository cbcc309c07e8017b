//! What the benchmarks of a whole node share: processes, what they use, and `wrk`.

#![allow(dead_code, reason = "each benchmark uses its own part of this file")]

pub mod latency;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A server under test; ended when dropped.
pub struct Server {
    process: Child,
    pub address: String,
    /// From the start of the process to its first 200.
    pub ready: Duration,
}

impl Server {
    /// Starts `picloud serve` on a folder of functions.
    pub fn picloud(folder: &Path, functions: &Path, config: &str) -> Self {
        Self::configured(folder, &format!("[source]\npath = {functions:?}\n{config}"))
    }

    /// Starts `picloud serve` with this configuration.
    pub fn configured(folder: &Path, config: &str) -> Self {
        let path = folder.join("picloud.toml");
        fs::write(&path, format!("data = \"data\"\n{config}\n[log]\nlevel = \"error\"\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(path);
        let announcement = folder.join("data/node.json");
        let _ = fs::remove_file(&announcement);
        Self::start(command, "/_picloud/ready", move || {
            let text = fs::read_to_string(&announcement).ok()?;
            Some(text.split("http://").nth(1)?.split('"').next()?.to_owned())
        })
    }

    /// Starts a process and waits until it answers 200.
    pub fn start(mut command: Command, path: &str, address: impl Fn() -> Option<String>) -> Self {
        let began = now();
        let process = command.stdin(Stdio::null()).spawn().unwrap();
        let mut server = Self { process, address: String::new(), ready: Duration::ZERO };
        while began.elapsed() < Duration::from_secs(60) {
            if let Some(address) = address() {
                server.address = address;
                if get(&server.address, path).is_some_and(|answer| answer.contains(" 200 ")) {
                    server.ready = began.elapsed();
                    return server;
                }
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        panic!("the server does not answer");
    }

    /// Returns the CPU time that it has used, in microseconds. The kernel counts in hundredths of a second.
    pub fn cpu_us(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10_000
    }

    /// Returns the memory that it holds, in MiB.
    pub fn rss_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// Returns how many threads it has.
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap().count()
    }

    /// Returns the number of files and sockets that it has open.
    pub fn handles(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    /// Returns how often each of its threads has given up a core by itself.
    pub fn switches(&self) -> BTreeMap<OsString, u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap().map(|task| task.unwrap());
        tasks
            .map(|task| {
                let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
                let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
                (task.file_name(), line.map_or(0, |count| count.trim().parse().unwrap()))
            })
            .collect()
    }

    /// Stops it as an operator would.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends one `GET` and returns the whole answer.
pub fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Returns the file of a small function, one of many.
pub fn function(number: usize) -> String {
    format!(
        "+++\ndescription = \"Function {number}\"\nmethods = [\"GET\"]\n+++\nlet name = ctx.request.query.name ?? \"world\";\nlet greeting = `hello ${{name}} from {number}`;\nif name == \"nobody\" {{\n    return #{{ statusCode: 404, body: #{{ error: \"nobody\" }} }};\n}}\nlog::info(greeting);\n#{{ message: greeting, number: {number} }}\n"
    )
}

/// What `wrk` measured.
#[derive(Debug, Clone)]
pub struct Load {
    pub requests: u64,
    pub per_second: f64,
    pub p99_ms: f64,
    /// What `wrk` says of answers that were none.
    pub errors: Option<String>,
}

/// Runs `wrk` with one thread; a script comes first, with its arguments after it.
pub fn wrk(url: &str, connections: u32, seconds: u32, script: &[&str]) -> Load {
    let mut command = Command::new("wrk");
    command.args(["-t1", "--latency", &format!("-c{connections}"), &format!("-d{seconds}s")]);
    match script {
        [] => command.arg(url),
        [script, arguments @ ..] => command.args(["-s", script, url, "--"]).args(arguments),
    };
    let output = command.output().expect("wrk is installed (apt-get install wrk)");
    let text = String::from_utf8(output.stdout).unwrap();
    let word_after = |start: &str| -> String {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {text}"));
        line[start.len()..].split_whitespace().next().unwrap().to_owned()
    };
    let line = text.lines().find(|line| line.contains("requests in")).unwrap();
    Load {
        requests: line.split_whitespace().next().unwrap().parse().unwrap(),
        per_second: word_after("Requests/sec:").parse().unwrap(),
        p99_ms: milliseconds(&word_after("99%")),
        errors: text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")).map(|line| line.trim().to_owned()),
    }
}

fn milliseconds(text: &str) -> f64 {
    let split = text.find(|c: char| c.is_alphabetic()).unwrap();
    let factor = match &text[split..] {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1_000.0,
        unit => panic!("unknown unit {unit}"),
    };
    text[..split].parse::<f64>().unwrap() * factor
}

/// Returns the middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Returns the time for measuring a span.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the clock")]
pub fn now() -> Instant {
    Instant::now()
}
