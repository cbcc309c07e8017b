//! Topics of a tree: those that are emitted and that nobody handles, and two files for one.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    engine::Program,
    function::{
        Diagnostic, FilePath, Role, Tree, TreeSettings,
        diagnostic::near_miss,
        role::topic_of,
        topic::{Topic, TopicPattern},
    },
};

/// Warns of topics that programs emit as plain text, and that no handler of the tree takes.
pub fn unhandled<'a>(programs: impl Iterator<Item = &'a Arc<Program>>, settings: &TreeSettings) -> Vec<Diagnostic> {
    let mut emissions = programs.flat_map(|program| &program.emissions).peekable();
    if emissions.peek().is_none() {
        return Vec::new();
    }
    let handled: BTreeSet<&TopicPattern> =
        settings.written().flat_map(|(_, manifest)| manifest.handlers.iter().map(|handler| &handler.topic)).collect();
    let is_handled = |topic: &Topic| handled.iter().any(|pattern| pattern.takes(topic));
    let told = emissions.filter(|emission| !is_handled(&emission.topic)).map(|emission| {
        let topic = emission.topic.as_str();
        let near = near_miss(topic, handled.iter().filter(|pattern| pattern.is_literal()).map(|pattern| pattern.as_str()));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a file `_events/{topic}.rhai` would handle it"),
        };
        emission.warn(format!("nobody handles the topic `{topic}`")).hint(hint)
    });
    told.collect()
}

/// Finds files whose paths say one topic: `_events/a.b.rhai` and `_events/a/b.rhai`.
pub fn told_twice(tree: &Tree) -> Vec<Diagnostic> {
    let mut first: HashMap<String, &FilePath> = HashMap::new();
    let mut found = Vec::new();
    for path in tree.keys().filter(|path| Role::of(path) == Some(Role::Event)) {
        let Some(topic) = topic_of(path) else { continue };
        let Some(other) = first.get(&topic).copied() else {
            first.insert(topic, path);
            continue;
        };
        for (file, other) in [(path, other), (other, path)] {
            let message = format!("`{other}` handles the topic `{topic}` as well");
            found.push(
                Diagnostic::error(file.clone(), message)
                    .hint("a folder is a dot, too: keep one of them, or give one another place and `[[on]]`"),
            );
        }
    }
    found
}
