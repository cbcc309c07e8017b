//! A function's front-matter: TOML between two `+++` lines at the very top of its file.

use serde::{Deserialize, Serialize};

use super::{
    Cors, Diagnostic, FilePath, Position, Role, foreign,
    limits::{LimitOverrides, LimitPolicy, Limits},
    quantity::{LONGEST, Span},
    route::Method,
    toml_text,
    within::Within,
};
use crate::access::Scope;

/// What one function's front-matter says, defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// One line about what it does.
    pub description: Option<String>,
    /// The methods that it answers; none means those that its file name says.
    pub methods: Option<Vec<Method>>,
    /// What the token of a caller must allow; none: no token is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Scope>,
    /// What one run may use.
    pub limits: Limits,
    /// Whether its requests are kept to be run again; none: as the node does with all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<bool>,
    /// Which pages of other origins may call it; none: those that the node says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

impl Default for Manifest {
    /// What a file without front-matter says on a node without configuration.
    fn default() -> Self {
        FrontMatter::default().resolve(&LimitPolicy::default())
    }
}

/// The keys of the front-matter, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    description: Option<String>,
    methods: Option<Vec<Method>>,
    timeout: Option<Within<Span, 1, LONGEST>>,
    auth: Option<Auth>,
    capture: Option<bool>,
    cors: Option<Cors>,
    #[serde(default)]
    limits: LimitOverrides,
}

/// What callers must bring.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected \"token\", or a scope: { scope = \"deploy\" }")]
enum Auth {
    Any(Token),
    With(Allowing),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Token {
    Token,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowing {
    scope: Scope,
}

impl Auth {
    /// Returns what a token must allow; the least is allowed by all.
    fn scope(self) -> Scope {
        match self {
            Self::Any(Token::Token) => Scope::Read,
            Self::With(Allowing { scope }) => scope,
        }
    }
}

/// A function file taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What the front-matter says.
    pub manifest: Manifest,
    /// The script with the front-matter's lines left blank, so that positions in it are positions in the file.
    pub script: String,
}

/// The line that opens and closes the front-matter.
const FENCE: &str = "+++";

impl Parsed {
    /// Takes a function file apart. The error says where in the file, and why.
    pub fn parse(file: &FilePath, text: &str, policy: &LimitPolicy) -> Result<Self, Box<Diagnostic>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(rest) = text.strip_prefix("#!") {
            // For a shell, as Rhai's own runner has it. The line stays, so that positions are those of the file.
            let script = rest.find('\n').map_or("", |end| &rest[end..]);
            return match foreign::misplaced_front_matter(file, script) {
                Some(misplaced) => Err(Box::new(misplaced)),
                None => Ok(Self { manifest: FrontMatter::default().resolve(policy), script: script.into() }),
            };
        }
        let fail = |position: Position, message: String| Box::new(Diagnostic::error(file.clone(), message).at(text, position));
        let Some((toml, script)) = split(text).map_err(|at| {
            let error = fail(at, "the front-matter is not closed".into());
            Box::new(error.hint(format!("end it with a line that holds only `{FENCE}`")))
        })?
        else {
            if let Some(misplaced) = foreign::misplaced_front_matter(file, text) {
                return Err(Box::new(misplaced));
            }
            return Ok(Self { manifest: FrontMatter::default().resolve(policy), script: text.into() });
        };
        let front_matter: FrontMatter = toml_text::parse(toml).map_err(|problem| {
            // The TOML begins on the file's second line.
            let position = Position { line: problem.position.line + 1, ..problem.position };
            if let Some(merge) = foreign::unresolved_merge(file, text, position) {
                return Box::new(merge);
            }
            let message = match problem.message.as_str() {
                unknown if unknown.starts_with("unknown key") => format!("{unknown} in front-matter"),
                other => format!("front-matter: {other}"),
            };
            Box::new(fail(position, message).maybe_hint(problem.hint))
        })?;
        let key_position = |key: &str| {
            let line = toml.lines().position(|line| line.trim_start_matches([' ', '\t', '[']).starts_with(key)).unwrap_or(0);
            Position { line: line as u32 + 2, column: 1 }
        };
        if front_matter.timeout.is_some() && front_matter.limits.timeout.is_some() {
            return Err(fail(key_position("timeout"), "`timeout` is given twice".into()));
        }
        if front_matter.limits.file.is_some() {
            let error = fail(key_position("file"), "`file` cannot be set in the file that it is about".into());
            return Err(Box::new(error.hint("it is a key of `[limits]` in picloud.toml")));
        }
        if front_matter.methods.as_ref().is_some_and(Vec::is_empty) {
            let error = fail(key_position("methods"), "`methods` is empty: the function would never answer".into());
            return Err(Box::new(error.hint("leave `methods` out to answer any method")));
        }
        // Above all in a guard it would look as if it did something.
        let of_functions = [("auth", front_matter.auth.is_some()), ("cors", front_matter.cors.is_some())];
        if let Some((key, _)) = of_functions.into_iter().find(|(_, is_there)| *is_there)
            && matches!(Role::of(file), Some(Role::Guard | Role::Module))
        {
            let error = fail(key_position(key), format!("`{key}` is for functions, and this file is none"));
            return Err(Box::new(error.hint("write it into each function that it is meant for")));
        }
        let manifest = front_matter.resolve(policy);
        if let Some((key, value, ceiling)) = manifest.limits.first_above(&policy.ceiling) {
            let error = fail(key_position(key), format!("`{key}` is {value}, above this node's ceiling of {ceiling}"));
            return Err(Box::new(error.hint(format!("lower it, or raise `{key}` in the section `[ceilings]` of picloud.toml"))));
        }
        let blank = "\n".repeat(toml.matches('\n').count() + 2);
        Ok(Self { manifest, script: blank + script })
    }
}

impl FrontMatter {
    fn resolve(self, policy: &LimitPolicy) -> Manifest {
        let overrides = LimitOverrides { timeout: self.timeout.or(self.limits.timeout), ..self.limits };
        Manifest {
            description: self.description,
            methods: self.methods,
            auth: self.auth.map(Auth::scope),
            limits: policy.default.with(&overrides),
            capture: self.capture,
            cors: self.cors,
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

    fn parse(text: &str) -> Result<Parsed, String> {
        Parsed::parse(&"f.rhai".into(), text, &LimitPolicy::default()).map_err(|diagnostic| diagnostic.to_string())
    }

    #[test]
    fn a_file_without_front_matter_has_the_defaults() {
        let parsed = parse("\"hi\"").unwrap();
        assert_eq!((parsed.manifest.limits, parsed.script.as_str()), (Limits::DEFAULT, "\"hi\""));
    }

    #[test]
    fn front_matter_sets_what_it_names_and_keeps_the_lines() {
        let parsed =
            parse("+++\r\ndescription = \"d\"\nmethods = [\"GET\"]\ntimeout = \"2s\"\n[limits]\nmemory = \"16MiB\"\n+++\nlet x = 1;")
                .unwrap();
        assert_eq!(parsed.manifest.limits.timeout, Span::seconds(2));
        assert_eq!(parsed.manifest.limits.memory, Size::mib(16));
        assert_eq!(parsed.manifest.methods, Some(vec![Method::Get]));
        assert_eq!(parsed.script, "\n\n\n\n\n\n\nlet x = 1;");
    }

    use super::super::quantity::Size;

    #[test]
    fn who_may_call_is_a_scope() {
        let auth = |text: &str| parse(&format!("+++\n{text}\n+++\n1")).unwrap().manifest.auth;
        assert_eq!(auth(""), None);
        assert_eq!(auth("auth = \"token\""), Some(Scope::Read));
        assert_eq!(auth("auth = { scope = \"deploy\" }"), Some(Scope::Deploy));
        assert_eq!(auth("[auth]\nscope = \"admin\""), Some(Scope::Admin));
    }

    #[test]
    fn an_empty_front_matter_is_fine() {
        assert_eq!(parse("+++\n+++\n1").unwrap().script, "\n\n1");
        assert_eq!(parse("+++\n+++").unwrap().script, "\n\n");
    }

    #[test]
    fn a_first_line_for_a_shell_is_skipped() {
        assert_eq!(parse("#!/usr/bin/env rhai-run\n\"hi\"").unwrap().script, "\n\"hi\"");
        assert_eq!(parse("#!").unwrap().script, "");
        assert_eq!(parse("// +++\n1").unwrap().script, "// +++\n1");
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
        let guard = Parsed::parse(&"a/_middleware.rhai".into(), "+++\nauth = \"token\"\n+++\n", &LimitPolicy::default());
        found.push(guard.unwrap_err().to_string());
        let guard = Parsed::parse(&"a/_middleware.rhai".into(), "+++\ncors.origins = \"*\"\n+++\n", &LimitPolicy::default());
        found.push(guard.unwrap_err().to_string());
        insta::assert_snapshot!(found.join("\n\n"));
    }
}
