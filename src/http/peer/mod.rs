//! Who is at the other end of a connection: the client itself, or a proxy whose word about the client is taken.

pub mod forwarded;
pub mod sender;
