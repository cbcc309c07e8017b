//! Values from files, stdin and the terminal.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, IsTerminal as _, Read},
    path::Path,
};

use anyhow::{Context as _, anyhow, bail};

use crate::{
    cli::hidden_input::read_hidden,
    function::grants::secret::SecretName,
    secret::Secret,
    vault::{
        MAX_VALUE_BYTES, NewSecret,
        dot_env::{self, Assignment, MAX_DOT_ENV_BYTES},
    },
};

/// Bytes that are read of a value: one with a line break behind it, and one more to see that it is too long.
const READ_BYTES: u64 = MAX_VALUE_BYTES as u64 + 3;

/// Reads a value: from the file, else from stdin, else by asking. One line break at its end is not part of it.
pub fn read(name: &SecretName, from: Option<&Path>) -> anyhow::Result<Secret> {
    let text = match from {
        None if io::stdin().is_terminal() => read_hidden(&format!("Value of {name}: "), READ_BYTES).context("cannot read the value")?,
        from => text(from, READ_BYTES).map_err(|error| no_text(name, error))?,
    };
    let value = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    match value.len() {
        0 => bail!("no value was given for `{name}`\n  hint: `picloud secret set {name} --from FILE`, or type it where it is asked for"),
        length if length > MAX_VALUE_BYTES => bail!("the value of `{name}` has more than {MAX_VALUE_BYTES} bytes"),
        _ => Ok(Secret::new(value)),
    }
}

fn no_text(name: &SecretName, error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::InvalidData => {
            anyhow!("the value is no text\n  hint: keep it as Base64: `base64 -w0 FILE | picloud secret set {name}`")
        }
        _ => error,
    }
}

/// Reads a file, or stdin where none or `-` is named.
fn text(from: Option<&Path>, max_bytes: u64) -> anyhow::Result<String> {
    let mut text = String::new();
    match from.filter(|path| *path != Path::new("-")) {
        None => io::stdin().lock().take(max_bytes).read_to_string(&mut text).context("cannot read stdin")?,
        Some(path) => {
            let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            file.take(max_bytes).read_to_string(&mut text).with_context(|| format!("cannot read `{}`", path.display()))?
        }
    };
    Ok(text)
}

/// Reads the variables of a `.env` file. All that is wrong with their names is told at once.
pub fn read_env(file: &Path) -> anyhow::Result<Vec<NewSecret>> {
    let place = if file == Path::new("-") { "stdin".to_owned() } else { format!("`{}`", file.display()) };
    let text = text(Some(file), MAX_DOT_ENV_BYTES + 1)?;
    if text.len() as u64 > MAX_DOT_ENV_BYTES {
        bail!("{place} has more than {MAX_DOT_ENV_BYTES} bytes");
    }
    let assignments = dot_env::parse(&text).map_err(|error| anyhow!("{place}, {error}"))?;
    let (mut new, mut wrong, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for Assignment { line, name, value } in assignments {
        match name.parse::<SecretName>() {
            Err(error) => wrong.push(format!("line {line}: {}", error.to_string().replace("\nhint: ", "; "))),
            Ok(name) if !seen.insert(name.clone()) => wrong.push(format!("line {line}: `{name}` stands there twice")),
            Ok(name) if value.expose().is_empty() => wrong.push(format!("line {line}: `{name}` has no value")),
            Ok(name) => new.push(NewSecret { name, value }),
        }
    }
    if !wrong.is_empty() {
        bail!("nothing of {place} was taken\n  {}", wrong.join("\n  "));
    }
    if new.is_empty() {
        bail!("there is no variable in {place}\n  hint: write it like `NAME=value`");
    }
    Ok(new)
}
