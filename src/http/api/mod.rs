//! The control plane: what operators ask and order below `/api/admin/`, a file for each kind of thing.

pub mod admin;
mod asked;
pub mod audit;
pub mod check;
pub mod deployments;
pub mod events;
pub mod executions;
pub mod health;
pub mod invoke;
pub mod kept_request;
pub mod kv;
pub mod nodes;
pub mod openapi;
pub mod replay;
pub mod routes;
mod run;
pub mod schedules;
pub mod scripts;
pub mod secrets;
pub mod stats;
mod tail;
pub mod tokens;
pub mod tree;
mod upload;
