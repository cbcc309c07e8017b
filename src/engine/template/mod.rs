//! Templates: pages and texts below `_templates/`, of the revision of the function that renders them.
//!
//! Which templates a function needs is known before it runs. So names of templates are plain strings, and a version has all that it names.

mod names;

use std::{error::Error as _, io};

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, escape_formatter, value::ValueKind};

use self::names::{TemplateTag, star, tags};
use crate::bounded::BoundedWriter;
use crate::function::{
    Content, Diagnostic, FilePath, Limits, Position, Tree,
    diagnostic::near_miss,
    role::{TEMPLATES, template_name},
};

/// What a unit of fuel allows a template to allocate, in bytes; says `Environment::set_fuel`.
const BYTES_OF_FUEL: usize = 64;
/// Most bytes that the filter `tojson` gives.
const MAX_JSON: usize = 1024 * 1024;
/// The part of a run's memory that templates may use beside what they write.
const PART_OF_MEMORY: usize = 4;

/// The templates of one function.
pub struct Templates {
    environment: Environment<'static>,
    /// Bytes that one of them may write.
    max_bytes: usize,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.environment.templates().map(|(name, _)| name)).finish()
    }
}

/// Returns the path of the template with this name.
pub fn path_of(name: &str) -> String {
    format!("{TEMPLATES}/{name}")
}

/// Returns the paths of the templates that a template names.
pub fn named_by(content: &Content) -> Vec<String> {
    let text = std::str::from_utf8(&content.bytes).unwrap_or_default();
    tags(text).into_iter().filter_map(|tag| tag.name.map(path_of)).collect()
}

/// Says that there is no template of this name, and which may be meant.
pub fn missing(name: &str, tree: &Tree) -> (String, Option<String>) {
    let hint = match near_miss(name, tree.keys().filter_map(|path| template_name(path))) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None => Some(format!("looked for `{}`; templates end in `.html`, `.txt`, `.xml` or `.md`", path_of(name))),
    };
    (format!("there is no template `{name}`"), hint)
}

/// Finds what is wrong with a template of a tree.
pub fn check(tree: &Tree, path: &FilePath, content: &Content) -> Vec<Diagnostic> {
    let Ok(text) = std::str::from_utf8(&content.bytes) else {
        return vec![Diagnostic::error(path.clone(), "the template is not UTF-8")];
    };
    let mut environment = environment();
    environment.set_debug(true);
    if let Err(error) = environment.add_template(template_name(path).unwrap_or(path), text) {
        return vec![malformed(path, text, &error)];
    }
    if let Some(offset) = star(text) {
        let error = Diagnostic::error(path.clone(), "templates have no `*`: it could repeat a text or a list without end");
        return vec![
            error.at(text, Position::of_offset(text, offset)).hint("work the product out in the function, and hand it in as a value"),
        ];
    }
    tags(text).into_iter().filter_map(|tag| check_tag(tree, path, text, &tag)).collect()
}

fn check_tag(tree: &Tree, path: &FilePath, text: &str, tag: &TemplateTag<'_>) -> Option<Diagnostic> {
    let at = |message: String| Diagnostic::error(path.clone(), message).at(text, Position::of_offset(text, tag.offset));
    let Some(name) = tag.name else {
        return Some(at("the name of a template must be a plain string".into()).hint("write the name out, so that it can be checked"));
    };
    if !tag.may_be_missing && !tree.contains_key(path_of(name).as_str()) {
        let (message, hint) = missing(name, tree);
        return Some(at(message).maybe_hint(hint));
    }
    // A value that is safe in a text may be a script in a page.
    (is_escaped(path) && !is_escaped(name)).then(|| {
        at(format!("`{name}` does not escape its values, and this template does")).hint("give it a name that ends in `.html` or `.xml`")
    })
}

/// Returns whether values are escaped in a template of this name; says minijinja's `default_auto_escape_callback`.
fn is_escaped(name: &str) -> bool {
    [".html", ".xml"].iter().any(|ending| name.ends_with(ending))
}

fn malformed(path: &FilePath, text: &str, error: &Error) -> Diagnostic {
    let diagnostic = Diagnostic::error(path.clone(), format!("the template is malformed: {}", words(error)));
    match (error.range(), error.line()) {
        (Some(range), _) => diagnostic.at(text, Position::of_offset(text, range.start)),
        (None, Some(line)) => diagnostic.at(text, Position { line: line as u32, column: 1 }),
        (None, None) => diagnostic,
    }
}

/// Says what is wrong, without the place.
fn words(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{} ({detail})", error.kind()),
        None => error.kind().to_string(),
    }
}

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Each would make as much at once as a number says, before anybody counts it.
    for filter in ["batch", "format", "indent", "slice"] {
        environment.remove_filter(filter);
    }
    environment.add_filter("tojson", json);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::None => Ok(()),
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        _ => escape_formatter(out, state, value),
    });
    environment
}

/// Writes a value as JSON in one line, which is safe inside a page.
fn json(value: &Value) -> Result<Value, Error> {
    let mut writer = BoundedWriter::new(MAX_JSON);
    serde_json::to_writer(&mut writer, value).map_err(|error| {
        let why = if error.is_io() { format!("it is larger than {MAX_JSON} bytes as JSON") } else { error.to_string() };
        Error::new(ErrorKind::InvalidOperation, why)
    })?;
    let json = String::from_utf8(writer.into_bytes()).unwrap_or_default();
    let safe = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027");
    Ok(Value::from_safe_string(safe))
}

impl Templates {
    /// Compiles the templates among these files; none if there is none. They were checked, and are not there if they are wrong.
    pub fn of(files: &Tree, limits: &Limits) -> Option<Self> {
        let mut environment = environment();
        let fuel = limits.operations.min((limits.memory.bytes() / PART_OF_MEMORY / BYTES_OF_FUEL) as u64);
        environment.set_fuel(Some(fuel));
        let mut has_any = false;
        for (path, content) in files {
            if let Some(name) = template_name(path)
                && let Ok(text) = std::str::from_utf8(&content.bytes)
            {
                has_any |= environment.add_template_owned(name.to_owned(), text.to_owned()).is_ok();
            }
        }
        has_any.then(|| Self { environment, max_bytes: limits.response.bytes() })
    }

    /// Returns how many bytes one of them may write.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Renders one of them with values. The error says what failed, and in which line of which template.
    pub fn render(&self, name: &str, values: Value, to: impl io::Write) -> Result<(), String> {
        let template = self.environment.get_template(name).map_err(|_| format!("there is no template `{name}`"))?;
        template.render_captured_to(values, to).map(drop).map_err(|error| failed(name, &error))
    }
}

/// Says why a template failed, and where: in one that it includes, perhaps.
fn failed(name: &str, error: &Error) -> String {
    let mut error = error;
    while let Some(inner) = error.source().and_then(|source| source.downcast_ref::<Error>()) {
        error = inner;
    }
    let file = path_of(error.name().unwrap_or(name));
    let place = error.line().map_or(file.clone(), |line| format!("{file}:{line}"));
    match error.kind() {
        ErrorKind::OutOfFuel => {
            format!("{place}: the template does too much: it has the operations of its function, and a quarter of its memory")
        }
        _ => format!("{place}: {}", words(error)),
    }
}
