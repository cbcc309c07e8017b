//! What is kept: backups of a node, put back elsewhere, and databases moved, on SQLite and on Postgres.

mod project;

mod backups;
mod copies;
mod damage;
mod databases;
mod places;
mod schema;
