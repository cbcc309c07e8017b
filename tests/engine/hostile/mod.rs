//! Scripts that try to end the process, to outlast their time, or to outgrow their memory.
//!
//! `known` holds attacks that somebody thought of, each by name. `functions` goes through every function that the engine says it has, with
//! values that lie at the ends of what there is; `programs` puts calls and statements together. What they find gets a name in `known`.
//! `host` calls every host function of the list with everything declared, and with `outside` there to answer.
//! `neighbours` sends the worst to a real node.
//!
//! `PICLOUD_FUZZ_SECONDS` says how long `functions` and `programs` go on, `PICLOUD_FUZZ_SEED` what they begin with: `scripts/fuzz`.

mod depths;
mod functions;
mod host;
mod known;
mod neighbours;
mod outside;
mod programs;
mod target;
mod values;
