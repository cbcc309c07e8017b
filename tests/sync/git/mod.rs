//! Git as a source: stories with the real git program on both ends.

mod branches;
mod crash;
mod fetching;
mod gate;
mod http;
mod outage;
mod previews;
mod races;
mod reader;
mod remote;
mod repository;
mod series;
mod serve;
mod shared;
mod signed;
mod upstream;
mod users;
mod webhooks;
