//! Chains of a plan: `root.key[index].method(…)`.

use std::borrow::Cow;

use rhai::Dynamic;

use super::{
    frame::{Frame, Leave, StepResult},
    steps::{Link, LinkKind, Root},
    view::position,
};

/// Whether a value that a chain ends at is still needed where it is.
#[derive(Clone, Copy)]
enum Owner {
    Nobody,
    Somebody,
}

impl Frame<'_> {
    pub(super) fn chain(&mut self, root: &Root, links: &[Link]) -> StepResult<Dynamic> {
        if !matches!(root, Root::Expr(_) | Root::Body { takes: true }) {
            let mut read = None;
            if self.view().look_from(root, links, &mut |value| read = Some(value.clone())) {
                return read.ok_or(Leave::GiveUp);
            }
        }
        // Like Rhai: what stands in brackets first, from left to right, then the root.
        let mut found = self.indexes(links)?.into_iter();
        match root {
            Root::Expr(root) => {
                let mut root = self.eval(root)?;
                self.follow(&mut root, links, &mut found, Owner::Nobody)
            }
            Root::Place(place) => {
                let mut root = self.places[*place].take();
                let value = self.follow(&mut root, links, &mut found, Owner::Somebody)?;
                // What is above grows with what a method is called on.
                let method = links.iter().position(|link| matches!(link.kind, LinkKind::Method { .. }));
                if let Some(above @ 1..) = method
                    && matches!(links[above].kind, LinkKind::Method { changes: true, .. })
                {
                    self.check_size(&root)?;
                }
                self.places[*place] = root;
                Ok(value)
            }
            Root::Body { takes } => {
                // What a guard has read is read-only in all its parts, and stays where it is.
                let takes = *takes && !self.run.body.is_read_only();
                let owner = if takes { Owner::Nobody } else { Owner::Somebody };
                self.took_body |= takes;
                let mut root = self.run.body.take();
                let value = self.follow(&mut root, links, &mut found, owner);
                // Also when this gives up: Rhai reads it next.
                self.run.body = root;
                value
            }
        }
    }

    /// Evaluates what the links of a chain need: indexes and arguments.
    pub(super) fn indexes(&mut self, links: &[Link]) -> StepResult<Vec<Dynamic>> {
        let mut values = Vec::new();
        for link in links {
            match &link.kind {
                LinkKind::Key(_) => {}
                LinkKind::Index(index) => values.push(self.eval(index)?),
                LinkKind::Method { arguments, .. } => {
                    for argument in arguments {
                        values.push(self.eval(argument)?);
                    }
                }
            }
        }
        Ok(values)
    }

    /// Follows a chain from a value. What nobody owns is taken, anything else copied.
    fn follow(
        &mut self,
        target: &mut Dynamic,
        links: &[Link],
        found: &mut std::vec::IntoIter<Dynamic>,
        owner: Owner,
    ) -> StepResult<Dynamic> {
        let [link, rest @ ..] = links else {
            return Ok(match owner {
                Owner::Nobody => target.take(),
                Owner::Somebody => target.clone(),
            });
        };
        if link.optional && target.is_unit() {
            // These steps are left out. What is called is not counted yet.
            self.operations -= links.iter().filter(|link| !matches!(link.kind, LinkKind::Method { .. })).count() as u64;
            return Ok(Dynamic::UNIT);
        }
        let key = match &link.kind {
            LinkKind::Key(key) => Cow::Borrowed(key),
            LinkKind::Method { name, arguments, .. } => {
                let mut values: Vec<Dynamic> = found.take(arguments.len()).collect();
                let mut all: Vec<&mut Dynamic> = std::iter::once(&mut *target).chain(&mut values).collect();
                let mut result = self.call(name, true, &mut all)?;
                return self.follow(&mut result, rest, found, Owner::Nobody);
            }
            LinkKind::Index(_) => {
                let index = found.next().ok_or(Leave::GiveUp)?;
                if let (Ok(index), true) = (index.as_int(), target.is_array()) {
                    let mut array = target.as_array_mut().map_err(|_| Leave::GiveUp)?;
                    let index = position(index, array.len()).ok_or(Leave::GiveUp)?;
                    return self.follow(&mut array[index], rest, found, owner);
                }
                Cow::Owned(index.into_immutable_string().map_err(|_| Leave::GiveUp)?)
            }
        };
        let mut map = target.as_map_mut().map_err(|_| Leave::GiveUp)?;
        match map.get_mut(key.as_str()) {
            Some(entry) => self.follow(entry, rest, found, owner),
            // Rhai tries to put back what the method changed.
            None if matches!(rest, [Link { kind: LinkKind::Method { .. }, .. }, ..]) => Err(Leave::GiveUp),
            None => self.follow(&mut Dynamic::UNIT.clone(), rest, found, Owner::Nobody),
        }
    }
}
