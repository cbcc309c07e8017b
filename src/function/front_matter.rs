//! Takes the file of a script apart: the front-matter, which is TOML between two `+++` lines at the very top, and the script.

use super::{Content, Diagnostic, FilePath, Position, Role, foreign, quantity::Size, settings::WrittenSettings};

/// The file of a script, taken apart.
#[derive(Debug)]
pub struct ScriptFile<'a> {
    /// All of it.
    pub text: &'a str,
    /// The TOML of its front-matter, if it has one.
    toml: Option<&'a str>,
    /// The script with the front-matter's lines left blank, so that positions in it are positions in the file.
    pub script: String,
}

/// The line that opens and closes the front-matter.
const FENCE: &str = "+++";

/// What a file may begin with before its text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns whether a file may have a front-matter. Most have none, and nothing else of them needs to be read to know that.
pub fn may_have(content: &Content) -> bool {
    let mut mark = [0; 4];
    let mark = BYTE_ORDER_MARK.encode_utf8(&mut mark).as_bytes();
    content.bytes.strip_prefix(mark).unwrap_or(&content.bytes).starts_with(FENCE.as_bytes())
}

impl<'a> ScriptFile<'a> {
    /// Reads a file of at most this size, and takes it apart. The error says where in the file, and why.
    pub fn read(file: &FilePath, content: &'a Content, limit: Size) -> Result<Self, Box<Diagnostic>> {
        if content.bytes.len() > limit.bytes() {
            let message = format!("the file has {} bytes, above the limit of {limit}", content.bytes.len());
            let error = Diagnostic::error(file.clone(), message);
            return Err(Box::new(error.hint("split it into modules, or raise `file` in the section `[limits]`")));
        }
        let text = std::str::from_utf8(&content.bytes).map_err(|error| {
            let valid = String::from_utf8_lossy(&content.bytes[..error.valid_up_to()]);
            let position = Position::of_offset(&valid, valid.len());
            Box::new(Diagnostic::error(file.clone(), "the file is not UTF-8 text").at(&valid, position).hint("save it as UTF-8"))
        })?;
        match foreign::in_place_of_a_script(file, text) {
            Some(found) => Err(Box::new(found)),
            None => Ok(Self { text, ..Self::split(file, text)? }),
        }
    }

    /// Takes a file apart. The error says where in the file, and why.
    pub fn split(file: &FilePath, text: &'a str) -> Result<Self, Box<Diagnostic>> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        if let Some(rest) = text.strip_prefix("#!") {
            // For a shell, as Rhai's own runner has it. The line stays, so that positions are those of the file.
            return Self::without_front_matter(file, text, rest.find('\n').map_or("", |end| &rest[end..]));
        }
        let split = split(text).map_err(|at| {
            let error = Diagnostic::error(file.clone(), "the front-matter is not closed").at(text, at);
            Box::new(error.hint(format!("end it with a line that holds only `{FENCE}`")))
        })?;
        let Some((toml, script)) = split else { return Self::without_front_matter(file, text, text) };
        let blank = "\n".repeat(toml.matches('\n').count() + 2);
        Ok(Self { text, toml: Some(toml), script: blank + script })
    }

    /// Returns what the front-matter says; none if there is none, and the path says nothing either. The error says where in the file, and why.
    pub fn settings(&self, file: &FilePath) -> Result<Option<WrittenSettings>, Box<Diagnostic>> {
        let of_path = || Role::of(file).is_some_and(Role::has_settings).then_some("");
        self.toml.or_else(of_path).map(|toml| WrittenSettings::parse(file, toml)).transpose()
    }

    fn without_front_matter(file: &FilePath, text: &'a str, script: &str) -> Result<Self, Box<Diagnostic>> {
        match foreign::misplaced_front_matter(file, script) {
            Some(misplaced) => Err(Box::new(misplaced)),
            None => Ok(Self { text, toml: None, script: script.into() }),
        }
    }
}

/// Splits a file into its front-matter and its script; `None` if it has no front-matter, the end's position if it is not closed.
fn split(text: &str) -> Result<Option<(&str, &str)>, Position> {
    let is_fence = |line: &str| line.trim_end() == FENCE;
    let Some((first, rest)) = text.split_once('\n') else {
        return if is_fence(text) { Err(Position { line: 1, column: 1 }) } else { Ok(None) };
    };
    if !is_fence(first) {
        return Ok(None);
    }
    let mut start = 0;
    for line in rest.split_inclusive('\n') {
        if is_fence(line) {
            return Ok(Some((&rest[..start], &rest[start + line.len()..])));
        }
        start += line.len();
    }
    Err(Position { line: 1, column: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::Scope,
        function::{
            LimitPolicy, Limits, Manifest,
            quantity::{Size, Span},
            route::Method,
            settings::resolve,
        },
    };

    fn parse_file(file: &str, text: &str) -> Result<(Manifest, String), String> {
        let file = file.into();
        let split = ScriptFile::split(&file, text).map_err(|found| found.to_string())?;
        let manifest = match split.settings(&file).map_err(|found| found.to_string())? {
            Some(settings) => resolve(&LimitPolicy::default(), &settings),
            None => Ok(Manifest::default()),
        };
        manifest.map(|manifest| (manifest, split.script)).map_err(|found| found.iter().map(ToString::to_string).collect())
    }

    fn parse(text: &str) -> Result<(Manifest, String), String> {
        parse_file("f.rhai", text)
    }

    #[test]
    fn a_file_without_front_matter_has_the_defaults() {
        assert_eq!(parse("\"hi\"").unwrap(), (Manifest::default(), "\"hi\"".into()));
        assert_eq!(Manifest::default().limits, Limits::DEFAULT);
    }

    #[test]
    fn front_matter_sets_what_it_names_and_keeps_the_lines() {
        let (manifest, script) =
            parse("+++\r\ndescription = \"d\"\nmethods = [\"GET\"]\ntimeout = \"2s\"\n[limits]\nmemory = \"16MiB\"\n+++\nlet x = 1;")
                .unwrap();
        assert_eq!(manifest.limits.timeout, Span::seconds(2));
        assert_eq!(manifest.limits.memory, Size::mib(16));
        assert_eq!(manifest.methods, Some(vec![Method::Get]));
        assert_eq!(script, "\n\n\n\n\n\n\nlet x = 1;");
    }

    #[test]
    fn who_may_call_is_a_scope() {
        let auth = |text: &str| parse(&format!("+++\n{text}\n+++\n1")).unwrap().0.auth;
        assert_eq!(auth(""), None);
        assert_eq!(auth("auth = \"token\""), Some(Scope::Read));
        assert_eq!(auth("auth = { scope = \"deploy\" }"), Some(Scope::Deploy));
        assert_eq!(auth("[auth]\nscope = \"admin\""), Some(Scope::Admin));
    }

    #[test]
    fn an_empty_front_matter_is_fine() {
        assert_eq!(parse("+++\n+++\n1").unwrap().1, "\n\n1");
        assert_eq!(parse("+++\n+++").unwrap().1, "\n\n");
    }

    #[test]
    fn a_first_line_for_a_shell_is_skipped() {
        assert_eq!(parse("#!/usr/bin/env rhai-run\n\"hi\"").unwrap().1, "\n\"hi\"");
        assert_eq!(parse("#!").unwrap().1, "");
        assert_eq!(parse("// +++\n1").unwrap().1, "// +++\n1");
    }

    #[test]
    fn every_mistake_names_its_place() {
        let cases = [
            "+++\nmetods = []\n+++\n",
            "+++",
            "+++\ntimeout = \"2s\"\n",
            "+++\n\nmethods = [\"FETCH\"]\n+++\n",
            "+++\n[limits]\nmemory = \"2GiB\"\n+++\n",
            "+++\nmethods = []\n+++\n",
            "+++\ntimeout = \"1s\"\n[limits]\ntimeout = \"1s\"\n+++\n",
            "+++\n[limits]\nconcurrency = 0\n+++\n",
            "+++\n[limits]\nexpression_depth = 0\n+++\n",
            "+++\nlimits.map = -1\n+++\n",
            "+++\ntimeout = \"0s\"\n+++\n",
            "+++\ntimeout = \"soon\"\n+++\n",
            "+++\n[limits]\nfile = \"1MiB\"\n+++\n",
            "+++\nauth = true\n+++\n",
            "+++\nauth = \"tokens\"\n+++\n",
            "+++\nauth = { scope = \"root\" }\n+++\n",
            "+++\nauth = {}\n+++\n",
            "+++\ntimeout = 2\n+++\n",
            "+++\ntimeout = 0.5\n+++\n",
            "+++\ntimeout = true\n+++\n",
            "+++\n[limits]\nmemory = true\n+++\n",
            "\n+++\ntimeout = \"2s\"\n+++\n1",
            "// what it does\n  +++\n+++\n1",
            "++++\ntimeout = \"2s\"\n++++\n1",
            "+++toml\ntimeout = \"2s\"\n+++\n1",
            "---\ntimeout: 2s\n---\n1",
            "#!/usr/bin/env rhai-run\n+++\n+++\n1",
            "+++\n<<<<<<< HEAD\ntimeout = \"2s\"\n=======\ntimeout = \"3s\"\n>>>>>>> other\n+++\n1",
            "+++\n[cors]\norigins = [\"example.org\"]\n+++\n",
            "+++\nmethods = [\"GET\"]\n[cors]\norigins = \"*\"\ncredentials = true\n+++\n",
            "+++\n[cors]\norigin = \"*\"\n+++\n",
            "+++\n[crs]\norigins = \"*\"\n+++\n",
        ];
        let mut found: Vec<String> = cases.iter().map(|text| parse(text).unwrap_err()).collect();
        for of_functions in ["auth = \"token\"", "cors.origins = \"*\""] {
            found.push(parse_file("a/_middleware.rhai", &format!("+++\n{of_functions}\n+++\n")).unwrap_err());
        }
        insta::assert_snapshot!(found.join("\n\n"));
    }
}
