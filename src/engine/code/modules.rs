//! Modules: what is imported, and what scripts use of it.
//!
//! Rhai has run what stands outside of a module's functions when it was linked. Here its functions run, by the closures of its own file.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rhai::{AST, ASTNode, EvalAltResult, Expr, ImmutableString, Module, Position, Shared};

use super::{Code, CodeRef, Compiler, Ex, Machine, Outcome, invoke::Site, natives::evaluate_first_last};
use crate::engine::{
    host,
    ir::{self, FunctionId, ImportId},
    own::Value,
};

/// A module for who imports it.
pub trait ModuleFile: Send + Sync {
    /// Returns it as Rhai knows it.
    fn module(&self) -> &Shared<Module>;

    /// Returns its functions as closures, made at the first time; none: Rhai calls them.
    fn code(&self) -> Option<&Arc<Code>>;
}

/// The modules that the files of a run import.
pub trait Library: Send + Sync {
    /// Returns what a file means by a path.
    fn import(&self, importer: &str, path: &str) -> Option<Arc<dyn ModuleFile>>;

    /// Returns the module of a file that some file of the run imports.
    fn of_file(&self, file: &str) -> Option<Arc<dyn ModuleFile>>;
}

thread_local! {
    static LIBRARY: RefCell<Option<Arc<dyn Library>>> = const { RefCell::new(None) };
}

/// Makes this what the run on this thread can import.
pub fn enter(library: Option<Arc<dyn Library>>) {
    LIBRARY.set(library);
}

/// Returns the module that a file of the run on this thread means by a path.
pub fn module_file(importer: &str, path: &str) -> Option<Arc<dyn ModuleFile>> {
    LIBRARY.with_borrow(|library| library.as_ref()?.import(importer, path))
}

fn of_file(file: &str) -> Option<Arc<dyn ModuleFile>> {
    LIBRARY.with_borrow(|library| library.as_ref()?.of_file(file))
}

/// An `import` statement outside of all functions and blocks.
pub struct Statement {
    id: ImportId,
    alias: ImmutableString,
    path: ImmutableString,
}

/// Returns what a file imports outside of all functions and blocks.
pub fn statements(main: &ir::Function) -> Box<[Statement]> {
    let imports = main.body.statements.iter().filter_map(|statement| match statement {
        ir::Statement::Import(import) => Some(Statement { id: import.id, alias: import.alias.clone(), path: import.path.clone() }),
        _ => None,
    });
    imports.collect()
}

/// Returns whether something in a file reads a constant as `global::…`.
pub fn asks_globals(ast: &AST) -> bool {
    !ast.walk(&mut |path| match path.last() {
        Some(ASTNode::Expr(Expr::Variable(variable, ..))) => variable.2.path.first().is_none_or(|root| root.name != "global"),
        _ => true,
    })
}

/// What the files of a run have imported.
#[derive(Default)]
pub struct Modules {
    imports: Vec<Imports>,
    /// How many `import` statements were executed.
    executed: usize,
    /// Whether some module has methods for a type.
    has_typed_methods: bool,
    /// What functions of modules find as `global::…`.
    globals: Vec<(u64, HashMap<ImmutableString, Value>)>,
}

/// What one file has imported.
struct Imports {
    unit: u64,
    /// By the numbers of the statements.
    modules: Vec<Option<Rc<ImportedModule>>>,
}

/// A module that a file has imported. Counted by the run alone: what all threads count is slow.
struct ImportedModule {
    alias: ImmutableString,
    linked: Arc<dyn ModuleFile>,
    code: Option<CodeRef>,
}

/// Where a call found its function the last time.
#[derive(Default)]
struct Place(AtomicU64);

impl Place {
    /// Finds the function in this file, by a search if the last one was in another.
    fn find(&self, code: &Code, search: impl FnOnce() -> Option<FunctionId>) -> Option<FunctionId> {
        let last = self.0.load(Ordering::Relaxed);
        if last >> 16 == code.number {
            return Some((last & 0xffff) as FunctionId);
        }
        let found = search()?;
        if let Ok(place) = u16::try_from(found) {
            self.0.store(code.number << 16 | u64::from(place), Ordering::Relaxed);
        }
        Some(found)
    }
}

impl Compiler<'_> {
    /// Imports a module.
    pub fn import(&mut self, import: &ir::Import) -> Ex {
        let (id, path, path_position, position) = (import.id, import.path.clone(), import.path_position, import.position);
        let alias = import.alias.clone();
        Box::new(move |machine, code, _| {
            if machine.modules.executed >= machine.engine.max_modules() {
                return Err(EvalAltResult::ErrorTooManyModules(position).into());
            }
            let Some(linked) = module_file(code.source.as_deref().unwrap_or_default(), &path) else {
                return Err(EvalAltResult::ErrorModuleNotFound(path.to_string(), path_position).into());
            };
            machine.modules.executed += 1;
            machine.put_import(code.number, id, alias.clone(), linked);
            Ok(Value::Unit)
        })
    }

    /// Calls a function of a module.
    pub fn module_call(&mut self, call: &ir::ModuleCall) -> Ex {
        let count = call.arguments.len();
        let (node, position, name, size) = (call.node.clone(), call.position, call.name.clone(), self.frame);
        let Some(id) = call.import else {
            let module = call.path.first().filter(|_| call.path.len() == 1).and_then(|module| host::module(module));
            let function = module.and_then(|module| Some((module.function(&name)?, module.name)));
            if let Some((function, of)) = function.filter(|(function, _)| function.counts().contains(&count)) {
                return self.host_call(function, of, &call.arguments, position);
            }
            let arguments = self.arguments_first_last(&call.arguments);
            return Box::new(move |machine, code, frame| {
                let mut values = evaluate_first_last(&arguments, machine, code, frame)?;
                machine.slow(code, &node, &mut values)
            });
        };
        let (arguments, path) = (self.arguments_first_last(&call.arguments), call.path[1..].to_vec());
        let place = Place::default();
        Box::new(move |machine, code, frame| {
            let mut values = evaluate_first_last(&arguments, machine, code, frame)?;
            let found = machine.imported(code, id).and_then(|module| inner(module, &path));
            if let Some(there) = found.and_then(|module| module.code.clone())
                && let Some(function) = place.find(&there, || there.named(&name, count).find(|id| there.is_public(*id)))
            {
                return Site::new(machine, code, &mut frame[size..], position).call_elsewhere(&there, function, &mut values, None);
            }
            machine.slow(code, &node, &mut values)
        })
    }

    /// Reads a constant of a module.
    pub fn module_constant(&mut self, constant: &ir::ModuleConstant) -> Ex {
        let (node, name) = (constant.node.clone(), constant.name.clone());
        let Some(id) = constant.import else {
            return Box::new(move |machine, code, _| match machine.global(code, &name) {
                Some(value) => Ok(value),
                None => machine.slow(code, &node, &mut []),
            });
        };
        Box::new(move |machine, code, _| match machine.imported(code, id).and_then(|import| import.linked.module().get_var(&name)) {
            Some(value) => Ok(Value::of(value.flatten())),
            None => machine.slow(code, &node, &mut []),
        })
    }
}

fn holds_function(value: &Value) -> bool {
    match value {
        Value::Function(_) => true,
        Value::List(list) => list.iter().any(holds_function),
        Value::Map(map) => map.values().any(holds_function),
        _ => false,
    }
}

/// Returns the module that these names lead to from another.
fn inner(module: Rc<ImportedModule>, path: &[ImmutableString]) -> Option<Rc<ImportedModule>> {
    if path.is_empty() {
        return Some(module);
    }
    let found = path.iter().try_fold(&**module.linked.module(), |module, name| module.get_sub_module(name))?;
    Some(Rc::new(ImportedModule::new(ImmutableString::new(), of_file(found.id()?)?)))
}

impl ImportedModule {
    fn new(alias: ImmutableString, linked: Arc<dyn ModuleFile>) -> Self {
        let code = linked.code().map(|code| Rc::new(code.clone()));
        Self { alias, linked, code }
    }
}

impl Code {
    /// Whether other files can call a function as one of the module.
    fn is_public(&self, function: FunctionId) -> bool {
        let function = &self.functions[function];
        !function.is_private && function.this_type.is_none()
    }
}

impl Machine<'_> {
    /// Begins with a file.
    pub fn begin(&mut self, code: &Code) {
        self.stack.extend(code.me.upgrade().map(Rc::new));
        self.units.clone_from(&self.stack);
    }

    /// Remembers a file, so that pointers find its functions.
    fn meet(&mut self, code: &CodeRef) {
        if self.unit(code.number).is_none() {
            self.units.push(code.clone());
        }
    }

    fn put_import(&mut self, unit: u64, id: ImportId, alias: ImmutableString, linked: Arc<dyn ModuleFile>) {
        let mut imported = ImportedModule::new(alias, linked);
        if let Some(code) = imported.code.clone().filter(|code| code.asks_globals)
            && self.constants_of(&code).is_some_and(|constants| constants.values().any(holds_function))
        {
            // What such a function has captured lives on from run to run, and Rhai has it.
            imported.code = None;
        }
        if let Some(code) = &imported.code {
            self.meet(code);
            if code.functions.iter().any(|function| function.this_type.is_some() && !function.is_private) {
                self.modules.has_typed_methods = true;
                // What Rhai remembers of functions that it did not find is no longer so.
                self.state.iter_mut().for_each(|state| state.forget());
            }
        }
        let imports = &mut self.modules.imports;
        let at = imports.iter().position(|imports| imports.unit == unit).unwrap_or_else(|| {
            imports.push(Imports { unit, modules: Vec::new() });
            imports.len() - 1
        });
        let modules = &mut imports[at].modules;
        modules.resize_with(modules.len().max(id + 1), || None);
        modules[id] = Some(Rc::new(imported));
    }

    /// Returns what a file has imported so far. A module has imported everything before the run.
    fn imports_of(&mut self, code: &Code) -> &[Option<Rc<ImportedModule>>] {
        let is_there = self.modules.imports.iter().any(|imports| imports.unit == code.number);
        if !is_there && !self.is_main(code, code.number) {
            self.modules.imports.push(Imports { unit: code.number, modules: Vec::new() });
            for statement in &code.imports {
                if let Some(linked) = module_file(code.source.as_deref().unwrap_or_default(), &statement.path) {
                    self.put_import(code.number, statement.id, statement.alias.clone(), linked);
                }
            }
        }
        let imports = self.modules.imports.iter().find(|imports| imports.unit == code.number);
        imports.map_or(&[], |imports| &imports.modules)
    }

    /// Returns the module that an `import` statement got.
    fn imported(&mut self, code: &Code, id: ImportId) -> Option<Rc<ImportedModule>> {
        self.imports_of(code).get(id)?.clone()
    }

    /// Returns the modules that a file has imported so far, as Rhai knows them.
    pub(super) fn imported_by(&mut self, code: &Code) -> Vec<(ImmutableString, Shared<Module>)> {
        self.imports_of(code).iter().flatten().map(|import| (import.alias.clone(), import.linked.module().clone())).collect()
    }

    /// Whether some module has methods for a type.
    #[inline(always)]
    pub(super) fn has_typed_methods(&self) -> bool {
        self.modules.has_typed_methods
    }

    /// Finds the method for a value's type that a module brings.
    pub(super) fn typed_method(&mut self, code: &Code, name: &str, parameters: usize, this: &Value) -> Option<(CodeRef, FunctionId)> {
        let this_type = self.type_name(this).to_owned();
        self.imports_of(code).iter().rev().flatten().find_map(|import| {
            let code = import.code.as_ref()?;
            let is_for = |id: &FunctionId| code.functions[*id].this_type.as_deref() == Some(&this_type) && !code.functions[*id].is_private;
            Some((code.clone(), code.named(name, parameters).find(is_for)?))
        })
    }

    /// Returns a constant that a module's functions find as `global::…`; none: it is for Rhai to find.
    fn global(&mut self, code: &Code, name: &str) -> Option<Value> {
        if self.is_main(code, code.number) { None } else { self.constants_of(code)?.get(name).cloned() }
    }

    /// Returns the constants of a module; none: they were not to be found out.
    fn constants_of(&mut self, code: &Code) -> Option<&HashMap<ImmutableString, Value>> {
        if !self.modules.globals.iter().any(|(unit, _)| *unit == code.number) {
            let constants = self.constants(code).ok()?;
            self.modules.globals.push((code.number, constants));
        }
        self.modules.globals.iter().find(|(unit, _)| *unit == code.number).map(|(_, constants)| constants)
    }

    /// Runs what stands outside of a module's functions, as it was run before, for its constants.
    fn constants(&mut self, code: &Code) -> Outcome<HashMap<ImmutableString, Value>> {
        let outer = self.with_rhai(code, |_, state| state.global.constants.take())?;
        let result = self.call(code, &code.functions[code.main], &mut [], None, Position::NONE, &mut []);
        let constants = self.with_rhai(code, |_, state| std::mem::replace(&mut state.global.constants, outer))?;
        result?;
        let constants = constants.and_then(|constants| Some(constants.read().ok()?.clone())).unwrap_or_default();
        Ok(constants.into_iter().map(|(name, value)| (name, Value::of(value))).collect())
    }
}
