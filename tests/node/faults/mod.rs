//! What can go wrong around a node, each as a story on a real one: nothing that was promised is lost, and what is lost is counted and said.

mod load;

mod clock;
mod damage;
mod databases;
mod disk;
mod events;
mod handles;
mod kills;
mod kv;
mod memory;
mod nodes;
mod outage;
mod postgres;
mod shutdown;
mod spool;
mod transactions;
mod waiting;
mod watches;
