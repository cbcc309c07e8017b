//! What a script reads of the request.

use super::{Compiler, Ex};
use crate::engine::{
    context::{self, reading::Reading},
    ir,
    own::{Key, Value},
};

impl Compiler<'_> {
    /// Reads of the request.
    pub fn request(&mut self, request: &ir::Request) -> Ex {
        let node = request.node.clone();
        let Some((reading, taken)) = Reading::of(&request.names) else {
            return Box::new(move |machine, code, _| machine.slow(code, &node, &mut []));
        };
        let rest: Box<[Key]> = request.names[taken..].iter().map(|name| Key::new(name)).collect();
        Box::new(move |machine, code, _| {
            let Some(value) = context::with(|run| reading.read(run)) else { return machine.slow(code, &node, &mut []) };
            machine.grown()?;
            let mut part = &value;
            for key in &rest {
                match part {
                    Value::Map(map) => part = map.find(key).unwrap_or(&Value::Unit),
                    _ => return machine.slow(code, &node, &mut []),
                }
            }
            Ok(part.clone())
        })
    }
}
