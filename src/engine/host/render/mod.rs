//! The function `render`, which is called without a module.

mod values;

use std::io;

use super::{
    Call, HostError, HostFunction, HostResult, Parameter, Type,
    check::{CheckedCall, Literal, Mistake},
    text::Writer,
};
use crate::engine::{
    meter, template,
    value::plain::{Map, Value},
};

/// The function.
pub const FUNCTION: HostFunction = HostFunction::pure(
    NAME,
    &[Parameter::new("name", Type::Text), Parameter::optional("values", Type::Map)],
    "string",
    "Renders a template below `_templates/` with values.",
    render,
)
.checked(check);

/// Its name.
pub const NAME: &str = "render";

fn check(call: &CheckedCall<'_>) -> Option<Mistake> {
    match call.literal(0)? {
        Literal::Text(name) if call.tree.contains_key(template::path_of(name).as_str()) => None,
        Literal::Text(name) => {
            let (message, hint) = template::missing(name, call.tree);
            Some(Mistake { hint, ..Mistake::at_argument(0, message) })
        }
        _ => {
            let mistake = Mistake::at_argument(0, "the name of a template must be a plain string");
            Some(mistake.hint("write the name out, so that it can be checked"))
        }
    }
}

fn render(call: &mut Call<'_>) -> HostResult {
    let templates = call.with_run(|run| run.templates.clone())?;
    let templates = templates.ok_or_else(|| format!("there is no template `{}`", call.text(0)))?;
    let values = match call.argument(1) {
        Value::Unit => values::to_template(&Map::new().into())?,
        given => values::to_template(given)?,
    };
    let mut page = Page(Writer::within(templates.max_bytes()));
    let rendered = templates.render(call.text(0), values, &mut page);
    if meter::is_stopped() {
        return Err(HostError::Stopped);
    }
    if page.0.is_full() {
        return Err(format!("the page is larger than the {} bytes of a response", templates.max_bytes()).into());
    }
    rendered?;
    Ok(page.0.text()?.into())
}

/// What a template writes, while the run has time.
struct Page(Writer);

impl io::Write for Page {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if !meter::has_time() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.0.write(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
