//! What a page says, as steps of a story.

/// A command, and what the page shows of its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub line: usize,
    pub text: String,
    pub output: Vec<String>,
}

/// Something that a reader does.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Commands of one block.
    Run(Vec<Command>),
    /// A script that is not written to a place is checked by itself.
    Check { line: usize, text: String },
    /// A file is written.
    Write { line: usize, path: String, text: String },
}

/// What a comment says of the block after it.
enum Mark {
    NotRun,
    File(String),
}

/// Returns the steps of a page, or what is wrong with its comments.
pub fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut mark = None;
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let trimmed = line.trim();
        if let Some(language) = trimmed.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().take_while(|(line, _)| line.trim() != "```").collect();
            match (mark.take(), language) {
                (None, "console") => steps.push(Step::Run(commands(&block)?)),
                (None, _) if is_script(language, &block) => steps.push(Step::Check { line: number, text: text_of(&block) }),
                (Some(Mark::NotRun), _) if language == "console" || is_script(language, &block) => {}
                (Some(Mark::NotRun), _) => return Err(format!("line {number}: only commands and scripts are run")),
                (Some(Mark::File(path)), _) => steps.push(Step::Write { line: number, path, text: text_of(&block) }),
                (None, _) => {}
            }
        } else if trimmed == "<!-- run" {
            let block: Vec<_> = lines.by_ref().take_while(|(line, _)| line.trim() != "-->").collect();
            steps.push(Step::Run(commands(&block)?));
        } else if let Some(said) = trimmed.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
            mark = match said.split_once(": ") {
                Some(("not run", _)) => Some(Mark::NotRun),
                Some(("file", path)) => Some(Mark::File(path.to_owned())),
                _ => None,
            };
        } else if let (false, Some(_)) = (trimmed.is_empty(), &mark) {
            return Err(format!("line {number}: a block must follow the comment above"));
        }
    }
    Ok(steps)
}

/// Returns whether a block is a script: by its language, or by its front-matter.
fn is_script(language: &str, block: &[(&str, usize)]) -> bool {
    language == "rhai" || (language == "text" && block.first().is_some_and(|(line, _)| *line == "+++"))
}

fn text_of(block: &[(&str, usize)]) -> String {
    block.iter().map(|(line, _)| format!("{line}\n")).collect()
}

/// Returns the commands of a block.
fn commands(block: &[(&str, usize)]) -> Result<Vec<Command>, String> {
    let mut commands: Vec<Command> = Vec::new();
    for &(line, number) in block {
        if let Some(text) = line.strip_prefix("$ ") {
            commands.push(Command { line: number, text: text.to_owned(), output: Vec::new() });
            continue;
        }
        let Some(command) = commands.last_mut() else {
            return Err(format!("line {number}: a block begins with a command (`$ `), or says `<!-- not run: WHY -->` before it"));
        };
        match line.strip_prefix("> ").or((line == ">").then_some("")) {
            Some(more) if command.output.is_empty() => command.text += &format!("\n{more}"),
            _ if command.text.ends_with('\\') => command.text += &format!("\n{line}"),
            _ => command.output.push(line.to_owned()),
        }
    }
    Ok(commands)
}

#[test]
fn a_page_is_read_as_steps() {
    let page = "Text.\n\n```console\n$ cat <<END\n> a\n>\n> END\na\n$ true\n```\n<!-- not run: it never ends -->\n\n```console\n$ yes\n```\n\
                <!-- file: a.rhai -->\n```text\n\"hi\"\n```\n<!-- run\n$ ls \\\n  -l\n-->\n<!-- end -->\nText.\n```rhai\n1\n```\n<!-- not run: a part -->\n```rhai\nx\n```\n";
    let command = |line, text: &str, output: &[&str]| Command {
        line,
        text: text.to_owned(),
        output: output.iter().map(|&line| line.to_owned()).collect(),
    };
    let expected = vec![
        Step::Run(vec![command(4, "cat <<END\na\n\nEND", &["a"]), command(9, "true", &[])]),
        Step::Write { line: 17, path: "a.rhai".into(), text: "\"hi\"\n".into() },
        Step::Run(vec![command(21, "ls \\\n  -l", &[])]),
        Step::Check { line: 26, text: "1\n".into() },
    ];
    assert_eq!(steps(page).unwrap(), expected);
    assert!(steps("```console\n# reboot\n```\n").is_err(), "neither run nor marked");
    assert!(steps("<!-- not run: why -->\ntext\n").is_err(), "a mark of nothing");
}
