//! Fills templates: writes statements and expressions of the names that there are.

use super::{
    author::{Around, Author, Function, Variable},
    templates::{EXPRESSIONS, GENERAL, NO_BOOLEANS, Place, STATEMENTS, is_numeric},
};

/// Most of it that is inside of something.
const DEEPEST_EXPRESSION: usize = 3;
const DEEPEST_BLOCK: usize = 3;
const DEEPEST_LOOP: usize = 2;
/// Bytes of a text above which an expression is not used.
const LONGEST: usize = 6_000;

/// Kinds of which a value of any kind is.
const KINDS: &[u8] = b"IIIFBSSCULLTKMMORG";

/// A variable whose statement is not over.
struct New {
    /// How many braces are around its declaration.
    depth: usize,
    /// Whether it is there from the next block on, and in that alone.
    opens: bool,
    variable: Variable,
}

fn take(pending: &mut Vec<New>, is_there: impl Fn(&New) -> bool) -> Vec<Variable> {
    pending.extract_if(.., |new| is_there(new)).map(|new| new.variable).collect()
}

impl Author<'_> {
    fn name(&mut self, kind: char) -> String {
        // One that is there already is hidden from here on.
        if self.random.below(12) == 0
            && let Some(hidden) =
                self.scope.iter().rev().find(|variable| variable.kind == kind && variable.is_written && variable.name != "this")
        {
            return hidden.name.clone();
        }
        self.names += 1;
        format!("{}{}", kind.to_ascii_lowercase(), self.names)
    }

    /// Returns statements, each on a line.
    pub fn statements(&mut self, most: usize) -> String {
        let mut lines = String::new();
        for _ in 0..=self.random.below(most) {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            lines += &self.statement();
            lines.push('\n');
        }
        lines
    }

    pub fn statement(&mut self) -> String {
        for _ in 0..16 {
            let (place, templates) = *self.random.one(STATEMENTS);
            let fits = match place {
                Place::Anywhere => true,
                Place::Loop => self.around.is_in_loop,
                Place::Function => self.around.function.is_some(),
                Place::Module => self.has_module && self.around.blocks == 0 && self.around.function.is_none(),
                Place::Try => self.around.is_in_try || self.wrong > 0 && self.random.below(8) == 0,
            };
            let template = *self.random.one(templates);
            if fits
                && self.may_be(template)
                && let Some(filled) = self.attempt(template, 'X', DEEPEST_EXPRESSION, false)
            {
                return filled;
            }
        }
        self.fill("let +I = $I;", 'I', 1).unwrap_or_default()
    }

    fn may_be(&mut self, template: &str) -> bool {
        let is_deep = self.around.blocks >= DEEPEST_BLOCK && template.contains('~');
        !is_deep && (!self.is_numeric || is_numeric(template) || self.random.below(30) == 0)
    }

    /// Returns an expression that gives a value of this kind, nearly always.
    pub fn expression(&mut self, kind: char, depth: usize) -> String {
        let is_wrong = self.wrong > 0 && self.random.below(self.wrong) == 0;
        let kind = match kind {
            'B' if is_wrong => return self.no_boolean(depth),
            _ if is_wrong => self.kind_of(KINDS),
            'X' => self.kind_of(KINDS),
            'J' | 'D' | 'E' => return self.small(kind, depth),
            kind => kind,
        };
        if depth == 0 || self.random.below(3) == 0 {
            return self.simple(kind);
        }
        for _ in 0..10 {
            let template = if self.random.below(7) == 0 {
                self.random.one(GENERAL)
            } else {
                let of_kind = EXPRESSIONS.iter().find(|(known, _)| *known == kind).expect("each kind has its expressions").1;
                self.random.one(of_kind)
            };
            if self.may_be(template)
                && let Some(filled) = self.attempt(template, kind, depth - 1, true)
                && filled.len() < LONGEST
            {
                return filled;
            }
        }
        self.simple(kind)
    }

    /// Returns what is no boolean, nearly always. A condition that is written down as something else is refused.
    fn no_boolean(&mut self, depth: usize) -> String {
        let known = self.variables(|variable| variable.kind != 'B');
        if !known.is_empty() && self.random.below(2) == 0 {
            return self.random.one(&known).clone();
        }
        let depth = depth.saturating_sub(1);
        for _ in 0..4 {
            let template = *self.random.one(NO_BOOLEANS);
            if let Some(filled) = self.attempt(template, 'X', depth, true) {
                return filled;
            }
        }
        "(1 & 2)".into()
    }

    /// Returns an index, a count or a key.
    fn small(&mut self, kind: char, depth: usize) -> String {
        let chosen = self.random.below(24);
        match (kind, chosen) {
            ('J' | 'D', 0) if depth > 0 => self.expression('I', depth - 1),
            ('E', 0) if depth > 0 => self.expression('S', depth - 1),
            ('J', _) => (*self.random.one(&["0", "0", "0", "1", "1", "-1", "-1", "2", "-2", "3"])).into(),
            ('D', _) => (*self.random.one(&["0", "1", "2", "2", "3", "3", "4", "7"])).into(),
            _ => (*self.random.one(&["\"n\"", "\"n\"", "\"s\"", "\"l\"", "\"m\"", "\"q\"", "\"f\"", "\"\"", "\"a longer key than most\""]))
                .into(),
        }
    }

    /// Returns a variable or a literal.
    pub fn simple(&mut self, kind: char) -> String {
        let known = self.variables(|variable| variable.kind == kind);
        if !known.is_empty() && self.random.below(4) > 0 {
            return self.random.one(&known).clone();
        }
        let literals: &[&str] = match kind {
            'I' => &["0", "1", "2", "3", "5", "-1", "7", "10", "100", "255", "0x1f", "1_000", "-4", "9223372036854775807"],
            'F' => &["0.0", "1.0", "1.5", "-2.25", "0.1", "100.0", "1e10", "3.0"],
            'B' => &["true", "false"],
            'S' => &[
                "\"\"",
                "\"a\"",
                "\"b\"",
                "\"abc\"",
                "\"fourteen bytes\"",
                "\"a text of some length\"",
                "\"äöü€\"",
                "\"😀 and more\"",
                "`q`",
            ],
            'C' => &["'a'", "'x'", "'é'", "'😀'", "' '"],
            'L' => &["[1, 2, 3]", "[3, 1, 2]", "[5]", "[0, 0, 1, 1]", "[7, -7, 7, 1]"],
            'T' => &["[\"a\", \"b\"]", "[\"b\", \"abc\", \"a\"]", "[\"a text of some length\"]"],
            'K' => &["[#{ n: 1, s: \"x\", l: [1] }, #{ n: 2, s: \"y\", m: #{ n: 3 } }]", "[#{ n: 7, l: [1, 2] }]"],
            'M' => &[
                "#{ n: 1, s: \"a\", f: 1.5, b: true, l: [1, 2], t: [\"x\"], m: #{ n: 2, l: [3] }, k: [#{ n: 1, s: \"k\", l: [4] }] }",
                "#{ n: 3, l: [1, 2, 3], m: #{ n: 4, b: false, m: #{ n: 5, l: [] } } }",
                "#{ n: 1, s: \"one\", l: [6, 5], f: 0.5, b: false, g: |z| z + 1 }",
            ],
            'O' => &["blob(3, 7)", "blob(2)"],
            'R' => &["0..3", "1..=4", "-1..2"],
            'G' => &["|x| x + 1", "|x| x * 2"],
            'H' => &["|x, y| x + y", "|x, y| x - y"],
            _ => &["()"],
        };
        let literal = *self.random.one(literals);
        if matches!(kind, 'R' | 'G' | 'H') { format!("({literal})") } else { literal.into() }
    }

    fn variables(&self, fits: impl Fn(&Variable) -> bool) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for (place, variable) in self.scope.iter().enumerate() {
            // Another may hide it.
            let is_hidden = self.scope[place + 1..].iter().any(|later| later.name == variable.name && !later.is_hidden);
            if !is_hidden && !variable.is_hidden && fits(variable) {
                known.push(variable.name.clone());
            }
        }
        known
    }

    /// Fills a template, or leaves everything as it was.
    fn attempt(&mut self, template: &str, wanted: char, depth: usize, is_expression: bool) -> Option<String> {
        let (scope, around, left) = (self.scope.len(), self.around, self.left);
        let filled = self.fill(template, wanted, depth);
        self.around = around;
        if filled.is_none() || is_expression {
            self.scope.truncate(scope);
        }
        if filled.is_none() {
            self.left = left;
        }
        filled
    }

    fn call(&mut self, wanted: char, depth: usize) -> Option<String> {
        let fits: Vec<Function> = self.functions.iter().filter(|function| function.gives == wanted || wanted == 'X').cloned().collect();
        if fits.is_empty() {
            return None;
        }
        let Function { name, this, parameters, is_bounded, .. } = self.random.one(&fits).clone();
        let mut arguments = Vec::new();
        if is_bounded {
            arguments.push(self.around.calls.map_or_else(|| "n - 1".to_owned(), |most| self.random.below(most + 1).to_string()));
        }
        for kind in parameters {
            // A function is compiled for the types of its arguments.
            let kind = if kind == 'I' && self.random.below(5) == 0 { 'F' } else { kind };
            arguments.push(self.expression(kind, depth));
        }
        let on = match this {
            Some(kind) => self.writable(kind)? + ".",
            None => String::new(),
        };
        Some(format!("{on}{name}({})", arguments.join(", ")))
    }

    fn writable(&mut self, kind: char) -> Option<String> {
        let known = self.variables(|variable| variable.is_written && (variable.kind == kind || kind == 'X'));
        (!known.is_empty()).then(|| self.random.one(&known).clone())
    }

    fn closure(&mut self, parameters: &str, gives: char, calls_back: bool, depth: usize) -> String {
        let (before, around) = (self.scope.len(), self.around);
        let this = self.scope.iter().rposition(|variable| variable.name == "this" && !variable.is_hidden);
        if let Some(this) = this {
            self.scope[this].is_hidden = true;
        }
        // It does not capture the bound of its function.
        let calls = if around.function.is_some() { 0 } else { 1 };
        self.around = Around { function: Some(gives), is_in_loop: false, calls: Some(calls), ..around };
        let form = if calls_back { self.random.below(20) } else { 0 };
        let mut kinds: Vec<char> = parameters.chars().filter(|kind| *kind != 'U').collect();
        if form == 7 && kinds.len() == 1 {
            self.scope.push(Variable::new("this", kinds[0], true));
            kinds.clear();
        } else if form == 6 && kinds.len() == 1 {
            kinds.push('I');
        }
        let mut names = Vec::new();
        for kind in kinds {
            names.push(self.parameter(kind));
        }
        let is_block = self.left > 0 && self.around.blocks < DEEPEST_BLOCK && self.random.below(3) == 0;
        self.around.blocks += 1;
        let body = if is_block {
            let statements = self.statements(2);
            format!("{{ {statements}{} }}", self.expression(gives, depth.min(1)))
        } else {
            self.expression(gives, depth.min(2))
        };
        self.scope.truncate(before);
        if let Some(this) = this {
            self.scope[this].is_hidden = false;
        }
        self.around = around;
        format!("|{}| {body}", names.join(", "))
    }

    fn block(&mut self, is_loop: Option<bool>, is_try: bool, opened: Vec<Variable>) -> String {
        let (before, around) = (self.scope.len(), self.around);
        self.scope.extend(opened);
        self.around.blocks += 1;
        self.around.is_in_try |= is_try;
        if let Some(is_loop) = is_loop {
            self.around.is_in_loop = is_loop;
            self.around.loops += 1;
        }
        let statements = self.statements(3);
        self.scope.truncate(before);
        self.around = around;
        statements
    }

    /// Fills a template; nothing if a variable or a function that it needs is not there.
    fn fill(&mut self, template: &str, wanted: char, depth: usize) -> Option<String> {
        let is_loop = ["for ", "while ", "loop ", "do "].iter().any(|word| template.contains(word));
        if is_loop && self.around.loops >= DEEPEST_LOOP && template.contains('~') {
            return None;
        }
        // `continue` in a loop that counts nothing would have no end.
        let is_loop = is_loop.then(|| template.contains("for ") || template.contains("@@"));
        let is_try = template.starts_with("try");
        self.names += 1;
        let own = format!("own{}", self.names);
        let (mut filled, mut rest) = (String::new(), template);
        // New variables are not there before their statement is over, or the block begins that they are for.
        let mut pending: Vec<New> = Vec::new();
        let mut marks = Vec::new();
        while let Some(first) = rest.chars().next() {
            let second = rest[first.len_utf8()..].chars().next().unwrap_or(' ');
            let is_kind = second.is_ascii_uppercase() || second == '=';
            let kind = match second {
                '=' => wanted,
                'Z' => self.around.function.unwrap_or('X'),
                kind => kind,
            };
            let mut taken = 2;
            match first {
                '$' if is_kind => filled += &self.expression(kind, depth),
                '@' if second == '@' => filled += &own,
                '@' if is_kind => filled += &self.writable(kind)?,
                '#' if rest.starts_with("#(=)") => {
                    filled += &self.call(wanted, depth)?;
                    taken = 4;
                }
                '+' | ':' if second.is_ascii_uppercase() => {
                    let name = self.name(kind);
                    let segment = filled.rsplit([';', '{', '}']).next().unwrap_or_default().trim_start_matches([' ', '(']);
                    let opens = segment.starts_with("for") || segment.starts_with("catch");
                    filled += &name;
                    pending.push(New { depth: marks.len(), opens, variable: Variable::new(&name, kind, first == '+') });
                }
                '{' if second.is_ascii_uppercase() => {
                    let end = rest.find('}')?;
                    let (parameters, gives) = rest[1..end].split_once(['>', '=']).expect("a closure has kinds");
                    let gives = gives.chars().next().filter(|gives| *gives != '=').unwrap_or(wanted);
                    filled += &self.closure(parameters, gives, rest[..end].contains('>'), depth);
                    taken = end + 1;
                }
                '~' => {
                    let opened = take(&mut pending, |new| new.opens);
                    let statements = self.block(is_loop, is_try, opened);
                    filled += &if second == '_' { format!("{{\n{statements}}}") } else { format!("\n{statements}") };
                }
                '{' => {
                    marks.push(self.scope.len());
                    self.scope.extend(take(&mut pending, |new| new.opens));
                    filled.push(first);
                    taken = 1;
                }
                '}' => {
                    self.scope.truncate(marks.pop().unwrap_or_default());
                    filled.push(first);
                    taken = 1;
                }
                first => {
                    if first == ';' {
                        self.scope.extend(take(&mut pending, |new| new.depth >= marks.len()));
                    }
                    filled.push(first);
                    taken = first.len_utf8();
                }
            }
            rest = &rest[taken..];
        }
        Some(filled)
    }
}
