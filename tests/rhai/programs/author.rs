//! Writes a program: its functions, its module, its guard, and the script that uses them.

use crate::kit::mutate::Random;

/// Kinds that functions take.
const PARAMETERS: &[u8] = b"IIIFBSLTKMMX";
/// Kinds that functions give.
const RESULTS: &[u8] = b"IIISLMFB";

/// What every program has: constants, and functions that are called with values of any type.
pub const PRELUDE: &str = "const top = 42;
const methods = #{ g: |z| z };
fn inc(a) { a + 1 }
fn add(a, b) { a + b }
fn half(a) { a / 2 }
fn count(n) { let c = 0; for i in 0..n { if i % 2 == 0 { c += i; } else { c -= 1; } } c }
fn sum(a) { let s = 0; for x in a { s += x; } s }
fn mark() { this.n += 1; this.s = \"marked\"; this.n }
fn bump(k) { this += k; this }
";

pub struct Variable {
    pub name: String,
    pub kind: char,
    pub is_written: bool,
    /// `this` is another one in a closure.
    pub is_hidden: bool,
}

impl Variable {
    pub fn new(name: &str, kind: char, is_written: bool) -> Self {
        Self { name: name.into(), kind, is_written, is_hidden: false }
    }
}

/// A function of the program, or of its module.
#[derive(Clone)]
pub struct Function {
    pub name: String,
    /// What it is called on.
    pub this: Option<char>,
    pub parameters: Vec<char>,
    pub gives: char,
    /// Whether its first parameter says how many calls it may still make, each with one less.
    pub is_bounded: bool,
}

/// What is around a statement.
#[derive(Clone, Copy)]
pub struct Around {
    pub function: Option<char>,
    /// How many calls deep it may call bounded functions; none: as many as `n` says.
    pub calls: Option<usize>,
    pub is_in_loop: bool,
    pub is_in_try: bool,
    pub loops: usize,
    pub blocks: usize,
}

const TOP: Around = Around { function: None, calls: Some(3), is_in_loop: false, is_in_try: false, loops: 0, blocks: 0 };

pub struct Author<'r> {
    pub random: &'r mut Random,
    pub scope: Vec<Variable>,
    pub functions: Vec<Function>,
    pub around: Around,
    pub names: usize,
    /// Statements that may still be written.
    pub left: usize,
    /// One operand in so many has a wrong type; 0: none.
    pub wrong: usize,
    /// Whether it is about numbers alone.
    pub is_numeric: bool,
    pub has_module: bool,
}

/// Writes a program: its files, of which the first is the function's.
pub fn program(random: &mut Random) -> Vec<(String, String)> {
    let wrong = *random.one(&[0, 0, 0, 0, 60, 25, 10]);
    let left = 4 + random.below(24);
    let mut author = Author {
        random,
        scope: Vec::new(),
        functions: Vec::new(),
        around: TOP,
        names: 0,
        left,
        wrong,
        is_numeric: false,
        has_module: false,
    };
    author.is_numeric = author.random.below(5) == 0;
    let module = (author.random.below(4) == 0).then(|| author.module());
    let guard = (author.random.below(16) == 0).then(|| author.guard());
    author.has_module = module.is_some();
    let script = author.script();
    let module = module.map(|text| ("_lib/shop.rhai", text));
    let guard = guard.map(|text| ("_middleware.rhai", text));
    [Some(("f.rhai", script)), module, guard].into_iter().flatten().map(|(path, text)| (path.to_owned(), text)).collect()
}

impl Author<'_> {
    fn module(&mut self) -> String {
        let signatures = self.signatures("shop::");
        self.functions.clone_from(&signatures);
        let bodies: String = signatures.iter().map(|function| self.function(function)).collect();
        let limit = self.simple('I');
        let names = self.simple('L');
        // Inside it has other names than outside.
        let text = format!("{PRELUDE}export const LIMIT = {limit};\nexport const NAMES = {names};\n{bodies}").replace("shop::", "");
        // In Rhai what is made of a module's constant itself stays one, wherever it is put.
        for (name, kind) in [("(shop::LIMIT + 0)", 'I'), ("shop::NAMES.map(|z| z + 0)", 'L')] {
            self.scope.push(Variable::new(name, kind, false));
        }
        self.functions.retain(|function| function.this.is_none());
        text
    }

    fn guard(&mut self) -> String {
        let (functions, scope) = (std::mem::take(&mut self.functions), std::mem::take(&mut self.scope));
        self.left += 2;
        let statements = self.statements(2);
        let condition = self.expression('B', 1);
        let answer = self.expression('X', 1);
        (self.functions, self.scope) = (functions, scope);
        format!("{PRELUDE}{statements}if {condition} && {condition} && ctx.request.query.guarded == () {{ return {answer}; }}\n")
    }

    fn script(&mut self) -> String {
        let signatures = self.signatures("");
        self.functions.extend(signatures.iter().cloned());
        let bodies: String = signatures.iter().map(|function| self.function(function)).collect();
        let import = if self.has_module { "import \"shop\" as shop;\n" } else { "" };
        let mut script = format!("{import}{PRELUDE}{bodies}");
        self.left = self.left.max(3);
        self.around = TOP;
        while self.left > 0 {
            self.left -= 1;
            let statement = self.statement();
            let is_caught = self.wrong > 0 && !statement.contains("let ") && !statement.contains("const ") && self.random.below(2) == 0;
            script +=
                &if is_caught { format!("try {{ {statement} }} catch (problem) {{ log::info(problem); }}\n") } else { statement + "\n" };
        }
        let shown = self.scope.iter().rev().take(12);
        // A closure cannot be sent, so it is called or named.
        let shown = shown.map(|variable| match variable.kind {
            'G' | 'H' | 'X' | 'M' | 'K' => format!("log::info({}.to_debug());\n", variable.name),
            _ => format!("log::info({});\n", variable.name),
        });
        script += &shown.collect::<String>();
        let sent: Vec<&str> =
            self.scope.iter().filter(|variable| "IFBSCLTO".contains(variable.kind)).map(|variable| variable.name.as_str()).collect();
        script += &format!("[{}]\n", sent.join(", "));
        script
    }

    fn signatures(&mut self, prefix: &str) -> Vec<Function> {
        let count = self.random.below(4);
        let signature = |_| {
            let is_bounded = self.random.below(2) == 0;
            let this = (prefix.is_empty() && self.random.below(3) == 0).then(|| self.kind_of(b"MLISK"));
            let count = self.random.below(4);
            let parameters = (0..count).map(|_| self.kind_of(PARAMETERS)).collect();
            self.names += 1;
            let name = format!("{prefix}{}{}", if this.is_some() { "on" } else { "fun" }, self.names);
            Function { name, this, parameters, gives: self.kind_of(RESULTS), is_bounded }
        };
        (0..count).map(signature).collect()
    }

    /// Returns one of these kinds, of numbers if it is about those.
    pub fn kind_of(&mut self, kinds: &[u8]) -> char {
        let kinds = if self.is_numeric { b"IIIIFFB" } else { kinds };
        char::from(*self.random.one(kinds))
    }

    fn function(&mut self, function: &Function) -> String {
        let Function { name, this, parameters, gives, is_bounded } = function;
        let before = std::mem::take(&mut self.scope);
        // One without a bound may call such functions before it; those with a bound, these and each other.
        let known = self.functions.clone();
        let place = known.iter().position(|known| known.name == *name).unwrap_or_default();
        let is_called = |(at, other): &(usize, &Function)| if other.is_bounded { *is_bounded } else { *at < place };
        self.functions = known.iter().enumerate().filter(is_called).map(|(_, other)| other.clone()).collect();
        let calls = if *is_bounded { None } else { Some(0) };
        self.around = Around { function: Some(*gives), calls, ..TOP };
        let mut names = Vec::new();
        for kind in parameters {
            names.push(self.parameter(*kind));
        }
        if let Some(kind) = this {
            self.scope.push(Variable::new("this", *kind, true));
        }
        let simple = self.simple(*gives);
        let body = self.statements(3);
        let result = self.expression(*gives, 2);
        self.scope = before;
        self.functions = known;
        self.around = TOP;
        let (bound, check) = if *is_bounded { ("n, ", format!("if n <= 0 {{ return {simple}; }}\n")) } else { ("", String::new()) };
        let parameters = format!("{bound}{}", names.join(", "));
        format!("fn {name}({}) {{\n{check}{body}{result}\n}}\n", parameters.trim_end_matches(", "))
    }

    pub fn parameter(&mut self, kind: char) -> String {
        self.names += 1;
        let name = format!("{}{}", kind.to_ascii_lowercase(), self.names);
        self.scope.push(Variable::new(&name, kind, true));
        name
    }
}
