//! What somebody hears who may not do what they ask for.

use std::time::Duration;

use crate::{
    access::{FunctionPrefix, Scope},
    function::{reserved::DASHBOARD, topic_reach::TopicReach},
    http::auth::{Denial, Way},
};

/// Says it to somebody who orders something: what the token is good for, and how to get another.
pub fn to_operator(denied: &Denial) -> String {
    match denied {
        Denial::NoToken { needed, way: Way::Bearer } => format!(
            "this needs a token with the scope `{needed}`\n  hint: send it as `Authorization: Bearer …`, and not as a password; {}",
            made_by(*needed)
        ),
        Denial::NoToken { needed, way: Way::Password } => {
            format!("this needs a token\n  hint: git takes it as the password, with any user name; {}", made_by(*needed))
        }
        Denial::WrongToken => {
            "the token is not known here, or was revoked, or has expired\n  hint: `picloud token list` shows those that there are".into()
        }
        Denial::SessionEnded => format!("you are not signed in any more\n  hint: sign in at `{DASHBOARD}`"),
        Denial::OtherOrigin => {
            "no page of this node sent this, so the session does not count\n  hint: a program sends its token as `Authorization: Bearer …`".into()
        }
        Denial::TooManyTries { retry_after } => too_many_tries(*retry_after),
        Denial::ScopeTooSmall { principal, needed } => {
            format!("the token `{}` has the scope `{}`, and this needs `{needed}`\n  hint: {}", principal.name, principal.scope, made_by(*needed))
        }
        Denial::OnlySomeFunctions { principal } => format!(
            "the token `{}` is good for the functions of `{}` only, and this is about the whole node",
            principal.name,
            principal.functions.as_ref().map_or("", FunctionPrefix::as_str)
        ),
        Denial::ListTooLarge { principal } => {
            let functions = principal.functions.as_ref().map_or("", FunctionPrefix::as_str);
            format!(
                "the token `{}` is good for the functions of `{functions}` only, and this lists others\n  hint: ask for those with `prefix={functions}/`, or for one by its name",
                principal.name
            )
        }
        Denial::OtherFunction { principal } => format!(
            "the token `{}` is good for the functions of `{}` only, and this is none of them",
            principal.name,
            principal.functions.as_ref().map_or("", FunctionPrefix::as_str)
        ),
        Denial::OtherTopic { principal, topic } => {
            let functions = principal.functions.as_ref();
            format!(
                "the token `{}` is good for the functions of `{}` only, which have the topics `{}`, and `{topic}` is none of them",
                principal.name,
                functions.map_or("", FunctionPrefix::as_str),
                TopicReach::of(functions),
            )
        }
        Denial::DatabaseAway => {
            "the database that knows the tokens does not answer\n  hint: the token in the file `admin-token` of the data folder works without it".into()
        }
    }
}

/// Says it to the caller of a function, who hears what the function asks for and nothing of the node.
pub fn to_caller(denied: &Denial) -> String {
    match denied {
        Denial::NoToken { .. } => "this function needs a token\n  hint: send one as `Authorization: Bearer …`".into(),
        Denial::WrongToken | Denial::SessionEnded | Denial::OtherOrigin => {
            "the token is not known here, or was revoked, or has expired".into()
        }
        Denial::ScopeTooSmall { principal, needed } => {
            format!("the token `{}` has the scope `{}`, and this function needs `{needed}`", principal.name, principal.scope)
        }
        Denial::OnlySomeFunctions { principal }
        | Denial::OtherFunction { principal }
        | Denial::OtherTopic { principal, .. }
        | Denial::ListTooLarge { principal } => {
            format!("the token `{}` is not good for this function", principal.name)
        }
        Denial::DatabaseAway => "tokens cannot be looked up now\n  hint: try again soon".into(),
        Denial::TooManyTries { retry_after } => too_many_tries(*retry_after),
    }
}

fn too_many_tries(retry_after: Duration) -> String {
    format!("too many wrong tokens came from this address\n  hint: try again in {} s", whole_seconds(retry_after))
}

/// Returns the seconds after which a time has passed.
pub fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Says how somebody gets a token: another command, such as one to a node elsewhere, would ask with the token that is too small.
fn made_by(scope: Scope) -> String {
    format!("make one on the node's machine, in its folder: `picloud token create NAME --scope {scope}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Principal;

    fn ci(functions: Option<&str>) -> Principal {
        Principal { name: "ci".into(), scope: Scope::Read, functions: functions.map(|prefix| prefix.parse().unwrap()) }
    }

    fn too_small() -> Denial {
        Denial::ScopeTooSmall { principal: ci(None), needed: Scope::Deploy }
    }

    #[test]
    fn what_is_denied_says_what_to_do() {
        let told = || {
            [
                Denial::NoToken { needed: Scope::Deploy, way: Way::Bearer },
                Denial::NoToken { needed: Scope::Deploy, way: Way::Password },
                Denial::WrongToken,
                Denial::SessionEnded,
                Denial::OtherOrigin,
                Denial::TooManyTries { retry_after: Duration::from_millis(1_500) },
                too_small(),
                Denial::OnlySomeFunctions { principal: ci(Some("shop")) },
                Denial::OtherFunction { principal: ci(Some("shop")) },
                Denial::OtherTopic { principal: ci(Some("shop")), topic: "orders.created".parse().unwrap() },
                Denial::ListTooLarge { principal: ci(Some("shop")) },
                Denial::DatabaseAway,
            ]
        };
        let to_operators = told().map(|denied| to_operator(&denied));
        let to_callers = told().map(|denied| to_caller(&denied));
        insta::assert_snapshot!(format!("{}\n\nto callers of a function:\n{}", to_operators.join("\n"), to_callers.join("\n")));
    }
}
