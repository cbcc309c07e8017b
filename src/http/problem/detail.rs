//! What each problem says: what is wrong, and apart from that what to do.

use super::{Problem, denied, earlier, run};
use crate::{
    function::{FunctionName, route::methods::join},
    http::wire::body::BodyError,
};

/// Stands before what to do, as on the command line.
const HINT: &str = "\n  hint: ";

/// Returns what is wrong, and what to do. A message that has another in it may have more than one hint.
pub fn split(message: &str) -> (&str, Option<String>) {
    match message.split_once(HINT) {
        Some((detail, hint)) => (detail, Some(hint.replace(HINT, "; "))),
        None => (message, None),
    }
}

/// Says how requests of a function come to be kept.
pub fn how_to_keep(function: &FunctionName) -> String {
    format!(
        "put `capture = true` into the front-matter of `{function}`, or into the section `[journal]` of picloud.toml for every function; later requests are kept, but for those that are rejected before anything runs"
    )
}

impl Problem {
    /// Returns one sentence that is safe for anyone to read. What to do follows it as a [`HINT`], and never stands in the sentence.
    pub(super) fn message(&self) -> String {
        match self {
            Self::BadPath(why) => format!("the path is malformed: {why}"),
            Self::NotFound => "no function answers at this path".into(),
            Self::NotOurs => {
                "this URL is the node's own, and it has nothing there\n  hint: `/_picloud/openapi.json` lists what it has; in a name write `%2F` for `/`"
                    .into()
            }
            Self::NoRoute => "this URL is the node's own: no function answers there".into(),
            Self::UnknownScript => "no script has this id".into(),
            Self::UnknownSchedule(id) => {
                format!("no live function has the schedule `{}`\n  hint: `picloud schedules` lists them", id.escape_debug())
            }
            Self::RunStopped { execution, reason } => {
                format!("the run `{execution}` was stopped: {reason}\n  hint: `picloud executions show {execution}` has it once it has ended")
            }
            Self::MethodNotAllowed(allow) => format!("this path answers {}", join(allow)),
            Self::Body(error) => body(error),
            Self::Broken(_) => "the function's file is broken and has no good version".into(),
            Self::BrokenBranch(_) => "the files of this branch have mistakes".into(),
            Self::Refused(refused) => run::not_run(refused),
            Self::Ended(outcome, _) => run::ended(*outcome).into(),
            Self::BadHead(why) => format!("the request is malformed: {why}"),
            Self::NotImplemented(why) => why.clone(),
            Self::NotReady => "the functions are not loaded yet".into(),
            Self::Order(error) => error.to_string(),
            Self::BadOrder(why) => why.clone(),
            Self::NotAdmitted(denied) => denied::to_caller(denied),
            Self::Denied(denied) => denied::to_operator(denied),
            Self::Git(refusal) => refusal.message(),
            Self::AdminTokenStays(why) => {
                format!("the admin token is as it was: its file in the data folder cannot be written: {why}\n  hint: let the user that PiCloud runs as write the folder")
            }
            Self::NoWebhookSecret => {
                "webhooks are off\n  hint: set `webhook_secret` in the section `[source]`, or PICLOUD_WEBHOOK_SECRET in the environment of the node".into()
            }
            Self::Webhook(refusal) => refusal.message(),
            Self::WebhooksBusy => "too many webhooks at once\n  hint: try again soon".into(),
            Self::Kv(error) => error.to_string(),
            Self::UnknownKey { namespace, key } => {
                format!("nothing is kept under `{key}` in the namespace `{namespace}`\n  hint: `picloud kv list {namespace}` lists its keys")
            }
            Self::OtherKeyVersion { key, version: 0 } => format!("`{key}` is not there, and nothing was changed"),
            Self::OtherKeyVersion { key, version } => format!("`{key}` has the version {version}, and nothing was changed"),
            Self::Queue(error) => error.to_string(),
            Self::UnknownEvent => "no event of this topic has this id, or it is no longer kept\n  hint: `picloud events list` lists them".into(),
            Self::UnknownDelivery => {
                "no delivery with this id waits: it runs, or is done, or was given up\n  hint: `picloud events waiting` lists what is in the queue".into()
            }
            Self::BlockedDelivery => {
                "this delivery waits behind another of its key\n  hint: retry or discard that one: `picloud events waiting` lists what is in the queue".into()
            }
            Self::UnknownDeadLetter => "no dead letter has this id\n  hint: `picloud events dead list` lists them".into(),
            Self::OtherDeadLetters { there, expected } => {
                format!("there are {there} such dead letters, and {expected} were expected\n  hint: nothing was changed; look at them again, and send their number")
            }
            Self::UnknownExecution => "no execution has this id, or it is no longer kept, or it was not recorded".into(),
            Self::RequestNotKept { id, function } => {
                format!("the request of execution `{id}` was not kept\n  hint: {}", how_to_keep(function))
            }
            Self::UnknownVersion { version, function } => {
                format!("no version of `{function}` is or begins with `{version}`\n  hint: `picloud versions {function}` lists them")
            }
            Self::NotReplayable(why) | Self::NotInvocable { why, .. } => why.clone(),
            Self::TailsBusy { limit } => {
                format!("{limit} follow executions or the status already, and more may not (`max_tails` in the section `[server]`)\n  hint: try again soon")
            }
            Self::Earlier(error) => earlier::message(error),
            Self::Upload(error) => error.to_string(),
            Self::Tar(error) => error.to_string(),
            Self::UploadsBusy => "too many trees come at once\n  hint: try again soon".into(),
            Self::TokenTaken(name) => format!("there is a token `{name}` already\n  hint: take another name, or revoke that one first"),
            Self::UnknownToken(name) => format!("there is no token `{name}`"),
            Self::Vault(error) => error.to_string(),
            Self::SecretUsed { name, users } => format!(
                "live functions use the secret `{name}`: {}\n  hint: change them first, or force it: they then fail when they ask for it",
                users.iter().map(|user| format!("`{user}`")).collect::<Vec<_>>().join(", ")
            ),
            Self::HistoryAway => {
                "the database does not answer, or must not be written to now\n  hint: `picloud status` says why; try again".into()
            }
        }
    }

    /// Returns one sentence for the author of a function that did not run, who may know its limits.
    pub fn reason(&self) -> String {
        match self {
            Self::Refused(refused) => refused.to_string(),
            other => split(&other.message()).0.into(),
        }
    }
}

fn body(error: &BodyError) -> String {
    match error {
        BodyError::TooLarge { limit } => format!("the body is larger than the {limit} bytes that are taken here"),
        BodyError::Encoded(coding) => {
            format!("the body is encoded with `{coding}`, and bodies are taken as they are\n  hint: send it without `content-encoding`")
        }
        BodyError::Timeout => "the body did not come in time".into(),
        BodyError::Broken => "the request ended before its body did, or the parts of its body are malformed".into(),
    }
}
