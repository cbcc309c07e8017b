//! Looks at the disk: which paths there are below a root, what each one is, and what is in it. Decides nothing.

pub(super) mod kind;
pub(super) mod list;
pub(super) mod root;
pub(super) mod signature;
#[cfg(test)]
mod tests;
