//! A reader who follows a page with two terminals.

use std::{
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use super::{
    REPOSITORY, compare,
    page::{self, Command, Step},
    terminal::{Printed, Terminal},
};

/// How often a command that only looks is asked again, every tenth of a second and its own time.
const LOOKS_AGAIN: usize = 200;

/// What only looks, and may be asked again.
const LOOKS: &[&str] = &[
    "picloud status",
    "picloud deployments",
    "picloud versions",
    "picloud executions",
    "picloud logs",
    "picloud stats",
    "picloud top",
    "picloud audit",
    "picloud schedules",
    "picloud functions",
    "picloud events",
    "picloud kv get",
    "picloud kv list",
    "picloud token list",
    "picloud secret list",
];

/// What callers get before a saved file is live.
const NOT_YET: &str = "no function answers at this path";

/// How a refusal of the node begins.
const PROBLEM: &str = r#"{"type":"about:blank","#;

/// Follows a page of the repository to its end.
pub fn run(path: &str) {
    let text = fs::read_to_string(Path::new(REPOSITORY).join(path)).unwrap();
    let steps = page::steps(&text).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
    let mut reader = Reader::new();
    for step in steps {
        reader.follow(step);
    }
    assert!(reader.wrong.is_empty(), "{path}:\n{}", reader.wrong);
}

/// Somebody with two terminals.
struct Reader {
    /// Where the node runs.
    node: Option<Terminal>,
    /// Where everything else does.
    other: Option<Terminal>,
    home: TempDir,
    ports: [u16; 2],
    /// Ids and hashes that the page shows, and the real ones. Of two for one, the later counts.
    names: Vec<(String, String)>,
    wrong: String,
}

impl Reader {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let settings = "[user]\n\tname = Ada Lovelace\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n";
        fs::write(home.path().join(".gitconfig"), settings).unwrap();
        // On a terminal it shows none.
        fs::write(home.path().join(".curlrc"), "no-progress-meter\n").unwrap();
        Self { node: None, other: None, home, ports: [free_port(), free_port()], names: Vec::new(), wrong: String::new() }
    }

    fn follow(&mut self, step: Step) {
        match step {
            Step::Run(commands) if commands.iter().any(|command| is_node(&command.text)) => {
                self.open_node().interrupt();
                commands.iter().for_each(|command| self.run_beside_node(command));
            }
            Step::Run(commands) => commands.iter().for_each(|command| self.run_elsewhere(command)),
            Step::Check { line, text } => self.check(line, &text),
            Step::Write { line, path, text } => {
                let text = format!("mkdir -p \"$(dirname '{path}')\" && cat > '{path}' <<'END OF FILE'\n{text}END OF FILE");
                self.run_elsewhere(&Command { line, text, output: Vec::new() });
                // A reader takes longer to read on than a node to see a file.
                self.open_other().run("picloud sync");
            }
        }
    }

    /// Runs a command where the node runs, or starts the node.
    fn run_beside_node(&mut self, command: &Command) {
        let text = self.with_own(&command.text);
        let log = self.home.path().join(format!(".node-{}.log", command.line));
        let printed = match is_node(&text) {
            true => match self.open_node().serve(&text, &log) {
                Ok(()) => Printed { text: fs::read_to_string(&log).unwrap(), is_success: true },
                Err(text) => Printed { text, is_success: false },
            },
            false => self.open_node().run(&text),
        };
        self.look_at(command, &printed);
    }

    fn run_elsewhere(&mut self, command: &Command) {
        let text = self.with_own(&command.text);
        let mut printed = self.open_other().run(&text);
        // What follows from something wrong before will not get better.
        let may_ask = |printed: &Printed| only_looks(&text) || printed.text.contains(NOT_YET);
        for _ in 0..LOOKS_AGAIN {
            if !may_ask(&printed) || !self.wrong.is_empty() || self.is_as_shown(command, &printed) {
                break;
            }
            thread::sleep(Duration::from_millis(100));
            printed = self.open_other().run(&text);
        }
        self.look_at(command, &printed);
    }

    /// Checks a script in a project of its own.
    fn check(&mut self, line: usize, script: &str) {
        let name = match () {
            () if script.contains("ctx.event") => "_events/example.rhai",
            () if script.contains("[[schedule]]") => "_cron/example.rhai",
            () => "example.rhai",
        };
        let project = self.home.path().join(format!(".example-{line}"));
        let file = project.join("functions").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, script).unwrap();
        fs::write(project.join("picloud.toml"), "[databases.app]\nurl = \"sqlite\"\n[databases.notes]\nurl = \"sqlite\"\n").unwrap();
        let text = format!("(cd '{}' && picloud check)", project.display());
        self.run_elsewhere(&Command { line, text, output: Vec::new() });
    }

    fn is_as_shown(&self, command: &Command, printed: &Printed) -> bool {
        match command.output.is_empty() {
            // `curl` succeeds with every answer.
            true => printed.is_success && !printed.text.contains(PROBLEM),
            false => compare::is_as_shown(&command.text, &command.output, &self.with_shown(&printed.text)),
        }
    }

    fn look_at(&mut self, command: &Command, printed: &Printed) {
        if !self.is_as_shown(command, printed) {
            let shown = command.output.join("\n");
            let printed = self.with_shown(printed.text.trim_end());
            writeln!(self.wrong, "\nline {}: $ {}\n--- shown\n{shown}\n--- printed\n{printed}", command.line, command.text).unwrap();
        }
        self.names.extend(compare::names(&command.output, &printed.text));
    }

    fn open_node(&mut self) -> &mut Terminal {
        let folder = folder_of(self.other.as_mut(), &self.home);
        let (home, variables) = (self.home.path(), self.variables());
        self.node.get_or_insert_with(|| Terminal::open(&folder, home, &variables))
    }

    fn open_other(&mut self) -> &mut Terminal {
        if self.other.is_none() {
            let folder = folder_of(self.node.as_mut(), &self.home);
            self.other = Some(Terminal::open(&folder, self.home.path(), &self.variables()));
        }
        self.other.as_mut().unwrap()
    }

    fn variables(&self) -> [(&'static str, String); 2] {
        [("PICLOUD_LISTEN", format!("127.0.0.1:{}", self.ports[0])), ("REPOSITORY", REPOSITORY.to_owned())]
    }

    /// Returns a command with the ports, ids and hashes of this story. The first eight characters of a hash stand for it.
    fn with_own(&self, command: &str) -> String {
        let command = self.names.iter().rev().fold(command.to_owned(), |command, (shown, real)| {
            let command = command.replace(shown, real);
            if shown.len() < 32 { command } else { command.replace(&shown[..8], &real[..8]) }
        });
        let node = format!("http://127.0.0.1:{}", self.ports[0]);
        let command = command.replace("https://node.example.org", &node).replace("8080", &self.ports[0].to_string());
        command.replace("8081", &self.ports[1].to_string())
    }

    /// Returns what was printed with the ports and the folder that a page shows.
    fn with_shown(&self, printed: &str) -> String {
        let printed = printed.replace(&self.ports[0].to_string(), "8080").replace(&self.ports[1].to_string(), "8081");
        printed.replace(self.home.path().to_str().unwrap(), "/home/ada")
    }
}

/// Returns where a terminal is; without one, at home.
fn folder_of(terminal: Option<&mut Terminal>, home: &TempDir) -> PathBuf {
    terminal.map_or_else(|| home.path().to_owned(), |terminal| terminal.ask("pwd").into())
}

/// Returns whether a command is a node that runs until Ctrl-C.
fn is_node(command: &str) -> bool {
    command.contains("picloud serve")
}

/// Returns whether a command changes nothing.
fn only_looks(command: &str) -> bool {
    let sends = [" -d ", " -X ", " -T ", " --data", "retry", "discard"].iter().any(|option| command.contains(option));
    !sends && (command.starts_with("curl ") || LOOKS.iter().any(|look| command.starts_with(look)))
}

/// Returns a port that nobody has. It is below those that the system gives to connections, and no two stories look at the same ones.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut ports = std::iter::repeat_with(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        10_000 + u16::try_from((std::process::id() * 41 + number) % 20_000).expect("below 20,000")
    });
    ports.find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).expect("it never ends")
}
