//! A terminal: a shell that keeps its folder and its variables from one command to the next.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a command may print nothing, and a node may take to start, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Stands before the exit code of each command.
const END: &str = "— end of command";

/// What a command printed, on both of its outputs, and whether it succeeded.
pub struct Printed {
    pub text: String,
    pub is_success: bool,
}

/// A shell.
pub struct Terminal {
    shell: Child,
    lines: Receiver<String>,
    node: Option<Node>,
}

/// A node that runs in front: its processes.
struct Node {
    group: Pid,
}

impl Terminal {
    /// Opens one in a folder. `home` is the user's.
    pub fn open(folder: &Path, home: &Path, variables: &[(&str, String)]) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_picloud")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            .env_clear()
            .env("PATH", path)
            .env("HOME", home)
            .env("LC_ALL", "C.UTF-8");
        command.envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0"), ("USER", "ada")]).envs(variables.iter().cloned());
        let (output, input) = std::io::pipe().unwrap();
        command.stdin(Stdio::piped()).stdout(input.try_clone().unwrap()).stderr(input);
        let mut shell = command.spawn().expect("bash");
        drop(command);
        let (sender, lines) = channel();
        thread::spawn(move || {
            // Ends with the last process that has the other end.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        // Jobs have groups of their own, so that Ctrl-C reaches what belongs to one.
        shell.stdin.as_mut().unwrap().write_all(b"set -m\n").unwrap();
        Self { shell, lines, node: None }
    }

    /// Runs a command.
    pub fn run(&mut self, command: &str) -> Printed {
        let lines = format!("{{ {command}\n}} </dev/null\nprintf '\\n%s %s\\n' '{END}' $?\n");
        self.shell.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
        let mut text = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with(END) => return Printed { text, is_success: line.ends_with(" 0") },
                Ok(line) => text += &(line + "\n"),
                Err(_) => panic!("`{command}` does not end; so far it printed:\n{text}"),
            }
        }
    }

    /// Runs a command whose output is one line.
    pub fn ask(&mut self, command: &str) -> String {
        self.run(command).text.trim().to_owned()
    }

    /// Starts a node, after the end of the one that runs here. Its output goes to a file.
    pub fn serve(&mut self, command: &str, log: &Path) -> Result<(), String> {
        self.interrupt();
        self.run(&format!("{{ {command}\n}} >'{}' 2>&1 &", log.display()));
        let group = Pid::from_raw(self.ask("echo $!").parse().unwrap()).unwrap();
        self.node = Some(Node { group });
        let said = || fs::read_to_string(log).unwrap_or_default();
        let is_over = |terminal: &mut Self| terminal.ask("jobs -r").is_empty();
        wait(|| if said().contains("listening on") { Some(Ok(())) } else { is_over(self).then(|| Err(said())) })
    }

    /// Ends the node that runs here, as Ctrl-C does.
    pub fn interrupt(&mut self) {
        if let Some(node) = self.node.take() {
            let _ = kill_process_group(node.group, Signal::INT);
            self.run("wait");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(node) = &self.node {
            let _ = kill_process_group(node.group, Signal::KILL);
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Waits until something is there.
pub fn wait<T>(mut there: impl FnMut() -> Option<T>) -> T {
    let pause = Duration::from_millis(30);
    for _ in 0..PATIENCE.as_millis() / pause.as_millis() {
        if let Some(found) = there() {
            return found;
        }
        thread::sleep(pause);
    }
    panic!("waited {PATIENCE:?} in vain");
}
