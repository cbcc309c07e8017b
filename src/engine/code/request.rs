//! What a script reads of the request.

use super::{Compiler, Ex, races::free};
use crate::engine::{
    context::{self, CTX, reading::Reading},
    ir::{self, Slot},
    own::{Key, Value},
};

impl Compiler<'_> {
    /// Returns where a closure has the `ctx` that it captured.
    pub(super) fn captured_request(&self) -> Option<Slot> {
        let function = &self.unit.functions[self.version.function];
        let is_closure = function.name.starts_with("anon$");
        function.parameters.iter().position(|parameter| is_closure && parameter == CTX)
    }

    /// Reads of the request.
    pub fn request(&mut self, request: &ir::Request) -> Ex {
        let node = request.node.clone();
        let Some((reading, taken)) = Reading::of(&request.names) else {
            return Box::new(move |machine, code, _| machine.slow(code, &node, &mut []));
        };
        let captured = self.captured_request();
        let rest: Box<[Key]> = request.names[taken..].iter().map(|name| Key::new(name)).collect();
        Box::new(move |machine, code, frame| {
            if let Some(slot) = captured {
                free(&frame[slot])?;
            }
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
