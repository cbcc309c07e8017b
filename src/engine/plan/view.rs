//! Values of a plan that are read where they are, without a copy.

use rhai::{Dynamic, ImmutableString};

use super::steps::{Expr, Link, LinkKind, Root};

/// Values that can be read where they are.
pub struct View<'a> {
    pub places: &'a [Dynamic],
    pub body: &'a Dynamic,
}

/// What is not in a map.
static NOTHING: Dynamic = Dynamic::UNIT;

impl View<'_> {
    /// Shows the value of an expression that only names one. Returns whether it does.
    pub fn look(&self, expr: &Expr, then: &mut dyn FnMut(&Dynamic)) -> bool {
        match expr {
            Expr::Constant(value) => then(value),
            Expr::Place(place) => then(&self.places[*place]),
            Expr::Chain { root, links } => return self.look_from(root, links, then),
            _ => return false,
        }
        true
    }

    /// The same for a chain.
    pub fn look_from(&self, root: &Root, links: &[Link], then: &mut dyn FnMut(&Dynamic)) -> bool {
        match root {
            Root::Place(place) => self.look_in(&self.places[*place], links, then),
            Root::Body { .. } => self.look_in(self.body, links, then),
            Root::Expr(_) => false,
        }
    }

    fn look_in(&self, target: &Dynamic, links: &[Link], then: &mut dyn FnMut(&Dynamic)) -> bool {
        let [link, rest @ ..] = links else {
            then(target);
            return true;
        };
        if link.optional {
            return false;
        }
        let index = match &link.kind {
            LinkKind::Key(key) => return self.look_at_key(target, key, rest, then),
            LinkKind::Index(Expr::Constant(index)) => index,
            LinkKind::Index(Expr::Place(place)) => &self.places[*place],
            LinkKind::Index(_) | LinkKind::Method { .. } => return false,
        };
        if let Ok(index) = index.as_int() {
            let Ok(array) = target.as_array_ref() else { return false };
            return position(index, array.len()).is_some_and(|index| self.look_in(&array[index], rest, then));
        }
        index.as_immutable_string_ref().is_ok_and(|key| self.look_at_key(target, &key, rest, then))
    }

    fn look_at_key(&self, target: &Dynamic, key: &ImmutableString, rest: &[Link], then: &mut dyn FnMut(&Dynamic)) -> bool {
        let Ok(map) = target.as_map_ref() else { return false };
        self.look_in(map.get(key.as_str()).unwrap_or(&NOTHING), rest, then)
    }
}

/// The place of an index in an array; negative ones count from the end.
pub fn position(index: i64, length: usize) -> Option<usize> {
    let position = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(position).ok().filter(|position| *position < length)
}
