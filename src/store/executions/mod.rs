//! Executions: appended in batches, found by ranges of their ids.

mod append;
mod captures;
mod conditions;
mod direction;
mod row;
mod search;
mod sizes;
mod words;

pub use append::Turn;
pub(super) use row::signed;
pub use search::Page;
pub(super) use words::Words;
