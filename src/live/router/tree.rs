//! The routes with parameters: a tree with one level for each segment, the children of a node in order of precedence.

use std::collections::HashMap;

use super::{between, path::Segments};
use crate::function::route::{Segment, precedence::Kind};

/// Nodes by index; the root is the first.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

/// What may follow after the segments that lead here.
#[derive(Debug, Default)]
struct Node {
    /// Endpoint of paths that end here.
    end: Option<u32>,
    /// Endpoint of `[...path]`.
    catch_all: Option<u32>,
    /// Endpoint of `[[...path]]` that takes something.
    optional_catch_all: Option<u32>,
    /// Most nodes have none.
    children: Option<Box<Children>>,
}

#[derive(Debug, Default)]
struct Children {
    statics: HashMap<Box<str>, u32>,
    /// Segments with a parameter, in order of precedence.
    patterns: Vec<(Segment, u32)>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Tree {
    /// Returns the place for the endpoint of these segments. Must be called in order of precedence.
    pub(super) fn place(&mut self, segments: &[&Segment]) -> &mut Option<u32> {
        let mut at = 0;
        for segment in segments {
            at = match segment {
                Segment::CatchAll { .. } => return &mut self.nodes[at].catch_all,
                Segment::OptionalCatchAll { .. } => return &mut self.nodes[at].optional_catch_all,
                Segment::Static(_) | Segment::Param { .. } | Segment::Optional { .. } => self.child(at, segment),
            };
        }
        &mut self.nodes[at].end
    }

    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let new = self.nodes.len();
        let children = self.nodes[at].children.get_or_insert_default();
        let child = match segment {
            Segment::Static(text) => match children.statics.get(text.as_str()) {
                Some(child) => *child as usize,
                None => {
                    children.statics.insert(text.as_str().into(), new as u32);
                    new
                }
            },
            pattern => match children.patterns.last() {
                Some((last, child)) if Kind::of(last) == Kind::of(pattern) => *child as usize,
                _ => {
                    children.patterns.reserve_exact(usize::from(children.patterns.is_empty()));
                    children.patterns.push((pattern.clone(), new as u32));
                    new
                }
            },
        };
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Returns the endpoint that goes first for this path.
    pub(super) fn find(&self, path: Segments<'_>) -> Option<u32> {
        Walk { nodes: &self.nodes, steps: 0 }.from(0, path)
    }

    #[cfg(test)]
    pub(super) fn steps(&self, path: Segments<'_>) -> (usize, usize) {
        let mut walk = Walk { nodes: &self.nodes, steps: 0 };
        walk.from(0, path);
        (walk.steps, self.nodes.len())
    }
}

/// One search. As deep as the longest route, which is bounded by [`MAX_SEGMENTS`](crate::function::route::MAX_SEGMENTS).
struct Walk<'t> {
    nodes: &'t [Node],
    /// Nodes visited, for the test that says how many that can be.
    steps: usize,
}

impl Walk<'_> {
    fn from(&mut self, at: u32, path: Segments<'_>) -> Option<u32> {
        self.steps += 1;
        let node = &self.nodes[at as usize];
        let mut after = path;
        let Some(segment) = after.next() else { return node.end };
        if let Some(children) = &node.children {
            let same = children.statics.get(segment);
            let like = children.patterns.iter().filter(|(pattern, _)| accepts(pattern, segment)).map(|(_, child)| child);
            for child in same.into_iter().chain(like) {
                if let Some(found) = self.from(*child, after) {
                    return Some(found);
                }
            }
        }
        node.catch_all.or(node.optional_catch_all)
    }
}

/// Returns whether a pattern takes this text, which is never empty.
fn accepts(pattern: &Segment, text: &str) -> bool {
    match pattern {
        Segment::Static(literal) => literal == text,
        Segment::Param { prefix, suffix, matcher, .. } => {
            between(text, prefix, suffix).is_some_and(|value| matcher.is_none_or(|matcher| matcher.accepts(value)))
        }
        Segment::Optional { matcher, .. } => matcher.is_none_or(|matcher| matcher.accepts(text)),
        Segment::CatchAll { .. } | Segment::OptionalCatchAll { .. } => true,
    }
}
