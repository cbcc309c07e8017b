//! The module `xml`: documents as maps. There is no DTD, so that nothing is loaded and nothing grows when it is read.

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_xml_entity,
    events::{BytesRef, BytesStart, Event},
};

use super::{
    Call, HostError, HostFunction, HostModule, HostResult, Parameter, Type,
    text::{Writer, escape, goes_on, plain},
};
use crate::engine::value::{
    MAX_DEPTH,
    plain::{Map, Value},
};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "xml",
    about: "Reads and writes XML, without DTDs.",
    functions: &[
        HostFunction::pure(
            "parse",
            &[Parameter::new("text", Type::Text)],
            "map",
            "Reads a document: a map with `name`, `attributes`, `children` (maps and texts in order) and `text`.",
            parse,
        ),
        HostFunction::pure(
            "text",
            &[Parameter::new("element", Type::Map)],
            "string",
            "Writes an element of the same form; `text` counts where there are no `children`.",
            text,
        ),
    ],
};

/// Deepest nesting of elements: each is a map in an array.
const MAX_ELEMENTS: usize = (MAX_DEPTH - 3) / 2;

/// An element that is open.
#[derive(Default)]
struct Open {
    name: String,
    attributes: Map,
    children: Vec<Value>,
    /// All text that is directly in it.
    text: String,
    /// Where the text begins that is no child yet.
    from: usize,
}

impl Open {
    fn add_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Makes a child of the text since the last one. White space between elements is none.
    fn end_text(&mut self) {
        let text = &self.text[self.from..];
        if text.trim().is_empty() {
            self.text.truncate(self.from);
        } else {
            self.children.push(text.into());
        }
        self.from = self.text.len();
    }

    fn close(mut self) -> Value {
        self.end_text();
        Value::map([
            ("name", self.name.into()),
            ("attributes", self.attributes.into()),
            ("children", self.children.into()),
            ("text", self.text.into()),
        ])
    }
}

fn parse(call: &mut Call<'_>) -> HostResult {
    let text = call.text(0);
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    reader.config_mut().expand_empty_elements = true;
    let root = read(&mut reader);
    root.map_err(|error| match error {
        HostError::Wrong(message) => format!("{message}, {}", place(text, reader.buffer_position())).into(),
        other => other,
    })
}

fn read(reader: &mut Reader<&[u8]>) -> HostResult {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        goes_on()?;
        match reader.read_event().map_err(|why| why.to_string())? {
            Event::Start(start) => {
                if open.len() == MAX_ELEMENTS {
                    return Err(format!("elements are nested deeper than {MAX_ELEMENTS}").into());
                }
                if open.is_empty() && root.is_some() {
                    return Err("there is a second root element".into());
                }
                if let Some(parent) = open.last_mut() {
                    parent.end_text();
                }
                open.push(Open { name: start.name().as_ref().to_owned(), attributes: attributes(&start)?, ..Open::default() });
            }
            Event::End(_) => {
                let Some(element) = open.pop().map(Open::close) else { return Err("an element ends that did not begin".into()) };
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => root = Some(element),
                }
            }
            Event::Text(text) => add_text(&mut open, &text.xml10_content())?,
            Event::CData(text) => add_text(&mut open, &text.xml10_content())?,
            Event::GeneralRef(name) => add_text(&mut open, &entity(&name)?)?,
            Event::DocType(_) => return Err("a document type (`<!DOCTYPE …>`) is not read".into()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::Eof => break,
        }
    }
    match (open.last(), root) {
        (Some(element), _) => Err(format!("the element `{}` does not end", element.name).into()),
        (None, root) => root.ok_or_else(|| "there is no element".into()),
    }
}

fn add_text(open: &mut [Open], text: &str) -> Result<(), HostError> {
    match open.last_mut() {
        Some(element) => element.add_text(text),
        None if text.trim().is_empty() => {}
        None => return Err("there is text outside of the root element".into()),
    }
    Ok(())
}

fn attributes(start: &BytesStart<'_>) -> Result<Map, HostError> {
    let mut all = Map::new();
    // Their own check compares each with each.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|why| why.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|why| why.to_string())?;
        let name = attribute.key.as_ref();
        if all.insert(name.into(), value.as_ref().into()).is_some() {
            return Err(format!("the attribute `{name}` is there twice").into());
        }
        goes_on()?;
    }
    Ok(all)
}

fn entity(name: &BytesRef<'_>) -> Result<String, HostError> {
    if let Some(character) = name.resolve_char_ref().map_err(|why| why.to_string())? {
        return Ok(character.into());
    }
    let name: &str = name;
    resolve_xml_entity(name).map(Into::into).ok_or_else(|| format!("there is no entity `&{name};`").into())
}

/// Says where a place is, in bytes from the start.
fn place(text: &str, at: u64) -> String {
    let before = &text[..text.floor_char_boundary(usize::try_from(at).unwrap_or(usize::MAX))];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    format!("at line {line} column {column}")
}

fn text(call: &mut Call<'_>) -> HostResult {
    let mut writer = Writer::default();
    write(call.argument(0), &mut writer, 0)?;
    Ok(writer.text()?.into())
}

fn write(element: &Value, to: &mut Writer, depth: usize) -> Result<(), HostError> {
    goes_on()?;
    let Value::Map(map) = element else { return write_text(&plain(element)?, to) };
    if depth == MAX_ELEMENTS {
        return Err(format!("elements are nested deeper than {MAX_ELEMENTS}").into());
    }
    let name = name(map.get("name").and_then(Value::as_text).ok_or("an element has a `name`, a string")?)?;
    to.push("<")?;
    to.push(name)?;
    match map.get("attributes") {
        None | Some(Value::Unit) => {}
        Some(Value::Map(attributes)) => {
            for (key, value) in attributes {
                to.push(" ")?;
                to.push(self::name(key)?)?;
                to.push("=\"")?;
                write_text(&plain(value)?, to)?;
                to.push("\"")?;
            }
        }
        Some(other) => return Err(format!("`attributes` is a map, not {}", other.type_word()).into()),
    }
    let text = [map.get("text").cloned().unwrap_or_default()];
    let children = match map.get("children") {
        Some(Value::Array(children)) if !children.is_empty() => &children[..],
        _ if matches!(text[0], Value::Unit) => &[],
        _ => &text[..],
    };
    if children.is_empty() {
        return to.push("/>");
    }
    to.push(">")?;
    children.iter().try_for_each(|child| write(child, to, depth + 1))?;
    to.push("</")?;
    to.push(name)?;
    to.push(">")
}

fn write_text(text: &str, to: &mut Writer) -> Result<(), HostError> {
    match text.chars().find(|c| (c.is_ascii_control() && !"\t\n\r".contains(*c)) || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        Some(character) => Err(format!("XML has no form for the character {character:?}").into()),
        None => escape(text, to),
    }
}

/// Makes sure that a name is one of XML.
fn name(name: &str) -> Result<&str, HostError> {
    let is_letter = |c: char| c.is_alphabetic() || c == '_' || c == ':';
    let is_inner = |c: char| is_letter(c) || c.is_ascii_digit() || c == '-' || c == '.';
    if name.starts_with(is_letter) && name.chars().all(is_inner) { Ok(name) } else { Err(format!("{name:?} is no name of XML").into()) }
}
