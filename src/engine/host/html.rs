//! The modules `html` and `markdown`.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html::write_html_fmt};

use super::{
    Call, HostError, HostFunction, HostModule, HostResult, Parameter, Type,
    text::{Writer, escape, goes_on},
};

/// The module `html`.
pub static MODULE: HostModule = HostModule {
    name: "html",
    about: "Puts texts into HTML.",
    functions: &[HostFunction::pure(
        "escape",
        &[Parameter::new("text", Type::Text)],
        "string",
        "Writes a text so that HTML shows it as it is, also between quotes.",
        |call| {
            let mut writer = Writer::default();
            escape(call.text(0), &mut writer)?;
            Ok(writer.text()?.into())
        },
    )],
};

/// The module `markdown`.
pub static MARKDOWN: HostModule = HostModule {
    name: "markdown",
    about: "Makes HTML of Markdown.",
    functions: &[HostFunction::pure(
        "to_html",
        &[Parameter::new("text", Type::Text)],
        "string",
        "Makes HTML of CommonMark with tables. HTML inside is shown as text; links lead to `http`, `https` and `mailto` alone, or are relative.",
        to_html,
    )],
};

/// Longest text of Markdown, in bytes.
const MAX_MARKDOWN: usize = 256 * 1024;
/// Bytes that reading may need for each byte of the text: a node of the tree for each character, at the worst.
const NODE_BYTES: usize = 64;
/// What a link or an image may begin with; what has no scheme is relative.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

fn to_html(call: &mut Call<'_>) -> HostResult {
    let text = call.text(0);
    if text.len() > MAX_MARKDOWN {
        return Err(format!("the text is longer than {} KiB", MAX_MARKDOWN / 1024).into());
    }
    call.reserve(text.len() * NODE_BYTES)?;
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let (mut writer, mut ended) = (Writer::default(), Ok(()));
    let events = Parser::new_ext(text, options).map_while(|event| {
        ended = goes_on();
        ended.is_ok().then(|| safe(event))
    });
    let written = write_html_fmt(&mut writer, events);
    ended?;
    written.map_err(|_| HostError::Stopped)?;
    Ok(writer.text()?.into())
}

/// Takes what could run in a page out of an event.
fn safe(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: safe_target(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: safe_target(dest_url), title, id })
        }
        event => event,
    }
}

fn safe_target(target: CowStr<'_>) -> CowStr<'_> {
    // Browsers leave these characters out before they look for a scheme.
    let seen: String = target.chars().filter(|c| !c.is_control() && !c.is_whitespace()).take(SCHEMES[2].len() + 1).collect();
    let before_path = target.split(['/', '?', '#']).next().unwrap_or_default();
    let has_scheme = before_path.contains(':');
    let is_known = SCHEMES.iter().any(|scheme| seen.to_ascii_lowercase().strip_prefix(scheme).is_some_and(|rest| rest.starts_with(':')));
    if has_scheme && !is_known { CowStr::Borrowed("#") } else { target }
}
