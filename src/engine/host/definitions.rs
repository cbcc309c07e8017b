//! What editors read to complete and explain calls of host functions: a definition file of Rhai's language server, made of the lists.

use std::fmt::Write as _;

use super::{CLASSES, HostFunction, HostModule, MODULES, ObjectClass, Parameter, Type};

/// Returns the text of a `.d.rhai` file with every module, function, method and property.
pub fn definitions() -> String {
    let mut text = String::from(
        "// What scripts of PiCloud can call beside Rhai's own functions. `picloud definitions` makes this file anew.\nmodule static;\n",
    );
    text.push_str("\n/// The request and what is known of its execution.\nconst ctx: Map;\n");
    for module in MODULES {
        write_module(&mut text, module);
    }
    for class in CLASSES {
        write_class(&mut text, class);
    }
    text
}

fn write_module(text: &mut String, module: &HostModule) {
    let is_named = !module.name.is_empty();
    if is_named {
        let _ = write!(text, "\n/// {}\nmodule {} {{\n", module.about, module.name);
    }
    for function in module.functions {
        write_function(text, function, None);
    }
    if is_named {
        text.push_str("\n}\n");
    }
}

fn write_class(text: &mut String, class: &ObjectClass) {
    for property in class.properties {
        let (name, returns) = (property.name, type_of_words(property.returns));
        let _ = write!(
            text,
            "\n/// {}\n///\n/// Gives: {}\nfn get {name}(object: {}) -> {returns};\n",
            property.about, property.returns, class.name
        );
    }
    for method in class.methods {
        write_function(text, method, Some(class.name));
    }
}

/// Writes a function once for each count of arguments that it may be given: definitions know no argument that may be left out.
fn write_function(text: &mut String, function: &HostFunction, class: Option<&str>) {
    let returns = type_of_words(function.returns);
    for count in function.counts() {
        let object = class.map(|class| format!("object: {class}"));
        let given = function.parameters[..count].iter().map(|Parameter { name, takes, .. }| format!("{name}: {}", type_name(*takes)));
        let parameters = object.into_iter().chain(given).collect::<Vec<_>>().join(", ");
        let _ = write!(
            text,
            "\n/// {}\n///\n/// Gives: {}\nfn {}({parameters}) -> {returns};\n",
            function.about, function.returns, function.name
        );
    }
}

/// Returns what Rhai calls the type of an argument.
fn type_name(takes: Type) -> String {
    match takes {
        Type::Any => "?".into(),
        Type::Bool => "bool".into(),
        Type::Int => "int".into(),
        Type::Number => "int | float".into(),
        Type::Text | Type::Sql => "String".into(),
        Type::Bytes => "String | Blob".into(),
        Type::Array => "Array".into(),
        Type::Map => "Map".into(),
        Type::Closure => "Fn".into(),
        Type::Object(class) => class.into(),
        Type::BytesOrSecret => "String | Blob | Secret".into(),
        Type::TextOr(class) => format!("String | {class}"),
    }
}

/// Returns what Rhai calls the type that these words stand for; `?` is any.
fn type_of_words(words: &str) -> &str {
    match words {
        "string" => "String",
        "boolean" => "bool",
        "whole number" => "int",
        "number" => "int | float",
        "blob" => "Blob",
        "array" => "Array",
        "map" => "Map",
        "`()`" => "()",
        class if CLASSES.iter().any(|known| known.name == class) => class,
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_function_method_and_property_is_defined() {
        let text = definitions();
        let lines: Vec<&str> = text.lines().collect();
        let count = |begin: &str| lines.iter().filter(|line| line.starts_with(begin)).count();
        for module in MODULES {
            assert_eq!(count(&format!("module {} {{", module.name)), usize::from(!module.name.is_empty()));
            // Another module may have a function of the same name.
            let own = text.split(&format!("module {} {{\n", module.name)).nth(1).and_then(|rest| rest.split("\n}\n").next());
            let own = own.unwrap_or(&text);
            for function in module.functions {
                let found = own.lines().filter(|line| line.starts_with(&format!("fn {}(", function.name))).count();
                assert!(found >= function.counts().count(), "{}::{}", module.name, function.name);
                assert!(own.contains(function.about), "{}::{}", module.name, function.name);
            }
        }
        for class in CLASSES {
            for property in class.properties {
                assert_eq!(count(&format!("fn get {}(object: {}) -> ", property.name, class.name)), 1, "{}.{}", class.name, property.name);
            }
            for method in class.methods {
                let found = count(&format!("fn {}(object: {}", method.name, class.name));
                assert_eq!(found, method.counts().count(), "{}.{}", class.name, method.name);
            }
        }
        let opened = lines.iter().filter(|line| line.ends_with(" {")).count();
        assert_eq!(opened, lines.iter().filter(|line| **line == "}").count(), "what is opened is closed");
        assert!(text.contains("\n/// Logs what happened.\n///\n/// Gives: `()`\nfn info(message: ?) -> ();\n"), "{text}");
    }
}
