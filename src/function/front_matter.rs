//! Takes the file of a script apart: the front-matter, which is TOML between two `+++` lines at the very top, and the script.

use super::{Diagnostic, FilePath, Position, foreign, settings::WrittenSettings};

/// The file of a script, taken apart.
#[derive(Debug)]
pub struct ScriptFile {
    /// What the front-matter says.
    pub settings: WrittenSettings,
    /// The script with the front-matter's lines left blank, so that positions in it are positions in the file.
    pub script: String,
}

/// The line that opens and closes the front-matter.
const FENCE: &str = "+++";

impl ScriptFile {
    /// Takes a file apart. The error says where in the file, and why.
    pub fn parse(file: &FilePath, text: &str) -> Result<Self, Box<Diagnostic>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(rest) = text.strip_prefix("#!") {
            // For a shell, as Rhai's own runner has it. The line stays, so that positions are those of the file.
            return Self::without_front_matter(file, rest.find('\n').map_or("", |end| &rest[end..]));
        }
        let split = split(text).map_err(|at| {
            let error = Diagnostic::error(file.clone(), "the front-matter is not closed").at(text, at);
            Box::new(error.hint(format!("end it with a line that holds only `{FENCE}`")))
        })?;
        let Some((toml, script)) = split else { return Self::without_front_matter(file, text) };
        let blank = "\n".repeat(toml.matches('\n').count() + 2);
        Ok(Self { settings: WrittenSettings::parse(file, toml)?, script: blank + script })
    }

    fn without_front_matter(file: &FilePath, script: &str) -> Result<Self, Box<Diagnostic>> {
        match foreign::misplaced_front_matter(file, script) {
            Some(misplaced) => Err(Box::new(misplaced)),
            None => Ok(Self { settings: WrittenSettings::nothing(file), script: script.into() }),
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
        let ScriptFile { settings, script } = ScriptFile::parse(&file.into(), text).map_err(|found| found.to_string())?;
        let manifest = resolve(&LimitPolicy::default(), &settings);
        manifest.map(|manifest| (manifest, script)).map_err(|found| found.iter().map(ToString::to_string).collect())
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
