//! What to type instead of what other programs understand: `picloud run`, `serve --port 3000`.

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{exit::Exit, output};
use crate::function::diagnostic::near_miss;

/// Adds to what is wrong with a command line what was probably meant.
pub fn explained(root: &Command, mut error: clap::Error) -> clap::Error {
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let command = std::env::args().nth(1).unwrap_or_default();
    if let ErrorKind::InvalidValue | ErrorKind::ValueValidation = error.kind()
        && let Some(variable) = text(&error, ContextKind::InvalidArg).and_then(|argument| variable_of(root, &argument))
    {
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    }
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => text(&error, ContextKind::InvalidSubcommand).and_then(|word| instead_of(&word).map(str::to_owned)),
        // It runs a schedule here, and needs a name.
        ErrorKind::MissingRequiredArgument if command == "run" => instead_of(&command).map(str::to_owned),
        ErrorKind::UnknownArgument if ["serve", "dev"].contains(&&*command) => {
            text(&error, ContextKind::InvalidArg).and_then(|word| argument_of_serve(&word))
        }
        _ => None,
    };
    if let Some(tip) = tip {
        // Those go by letters alone: `status` for `start`.
        error.remove(ContextKind::SuggestedSubcommand);
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Returns the environment variable that an argument's value comes from, if nobody has typed the argument: `--listen <ADDRESS>` as clap calls it.
fn variable_of(root: &Command, argument: &str) -> Option<String> {
    let flag = argument.split(' ').next()?.strip_prefix("--")?;
    let is_typed = |word: &str| word.strip_prefix("--").is_some_and(|word| word.split('=').next() == Some(flag));
    if std::env::args().any(|word| is_typed(&word)) {
        return None;
    }
    let command = root.find_subcommand(std::env::args().nth(1)?)?;
    let known = command.get_arguments().find(|known| known.get_long() == Some(flag))?.get_env()?;
    std::env::var_os(known).and_then(|_| known.to_str().map(str::to_owned))
}

/// Returns what the commands of other programs are here.
fn instead_of(word: &str) -> Option<&'static str> {
    Some(match word {
        "run" | "start" | "up" | "server" => "`picloud serve` serves the functions of a folder and follows its changes",
        "version" => "`picloud --version` prints the version",
        "new" | "create" => "`picloud init DIR` makes a project",
        "test" | "lint" | "build" => "`picloud check` finds every mistake, and `picloud invoke PATH` runs a function",
        "list" | "ls" => "`picloud routes` lists the functions",
        _ => return None,
    })
}

fn argument_of_serve(word: &str) -> Option<String> {
    match word {
        "--port" | "-p" => Some("`--listen 3000` or `--listen 127.0.0.1:3000` says where to listen".into()),
        "--host" | "--bind" | "--address" => Some("`--listen 0.0.0.0:8080` says where to listen".into()),
        folder if !folder.starts_with('-') => Some(format!("`--functions {folder}` names the folder of functions")),
        _ => None,
    }
}

/// `picloud help [COMMAND]...`
pub fn help(mut root: Command, words: &[String]) -> anyhow::Result<Exit> {
    root.build();
    let mut command = &mut root;
    for word in words {
        let known: Vec<String> = command.get_subcommands().map(|known| known.get_name().to_owned()).collect();
        if !known.contains(word) {
            let near = near_miss(word, known.iter().map(String::as_str));
            let hint = near.map_or("`picloud help` lists them".into(), |near| format!("did you mean `{near}`?"));
            anyhow::bail!("there is no command `{word}`\n  hint: {hint}");
        }
        command = command.find_subcommand_mut(word).expect("it is one of those that were listed");
    }
    output::line(command.render_long_help().to_string().trim_end());
    Ok(Exit::Done)
}
