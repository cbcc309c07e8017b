//! Save a file, and the function behind the URL has changed: `picloud serve` on a folder that people work in.

mod breaking;
mod configuration;
mod load;
mod modules;
mod mounts;
mod restarts;
mod saves;
