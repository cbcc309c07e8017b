//! Which topics a token for some functions has. They follow from its folder alone, so nothing that others deploy takes or gives any.

use std::fmt;

use super::{
    role::HANDLERS,
    topic::{Topic, TopicPattern},
};
use crate::access::FunctionPrefix;

/// The topics that somebody may emit on from outside, may list, and may have handled by what they deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicReach {
    /// Every topic.
    All,
    /// The topic of this name, and those below it.
    Below(Box<str>),
}

impl TopicReach {
    /// Returns the topics of whoever is good for these functions; none: for the whole node. Functions of `shop/eu` have `shop.eu` and what is
    /// below. A path in `_events/` says its topic, and that is theirs.
    pub fn of(functions: Option<&FunctionPrefix>) -> Self {
        let Some(prefix) = functions.map(FunctionPrefix::as_str) else { return Self::All };
        match prefix.strip_prefix(HANDLERS) {
            Some("") => Self::All,
            Some(rest) if rest.starts_with('/') => Self::Below(dotted(&rest[1..])),
            _ => Self::Below(dotted(prefix)),
        }
    }

    /// Returns whether a topic is one of them.
    pub fn has(&self, topic: &Topic) -> bool {
        self.covers(topic.as_str())
    }

    /// Returns whether a handler of these may be deployed. Those of the node are for everybody: they hold no words of files and functions.
    pub fn has_all_of(&self, pattern: &TopicPattern) -> bool {
        pattern.is_own() || self.covers(pattern.as_str())
    }

    /// The beginning has no `*`, so what begins with it leads nowhere else.
    fn covers(&self, text: &str) -> bool {
        match self {
            Self::All => true,
            Self::Below(begin) => text.strip_prefix(&**begin).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        }
    }
}

fn dotted(path: &str) -> Box<str> {
    path.replace('/', ".").into()
}

impl fmt::Display for TopicReach {
    /// Writes `shop.**`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("**"),
            Self::Below(begin) => write!(f, "{begin}.**"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_for_some_functions_has_the_topics_of_their_folder() {
        for (functions, own, others) in [
            (
                Some("shop"),
                &["shop", "shop.made", "shop.*", "shop.**", "picloud.**"][..],
                &["shopping", "other.shop", "*", "**", "*.made"][..],
            ),
            (Some("shop/eu"), &["shop.eu", "shop.eu.made"], &["shop", "shop.made", "shop.*", "shop.**"]),
            (Some("_events/shop"), &["shop.made", "shop.**"], &["other", "**"]),
            (Some("_events"), &["shop.made", "**"], &[]),
            (Some("_eventsx"), &["_eventsx.a"], &["x.a", "**"]),
            // No topic is written so.
            (Some("Shop"), &[], &["shop", "**"]),
            (None, &["shop", "**"], &[]),
        ] {
            let reach = TopicReach::of(functions.map(|text| text.parse().unwrap()).as_ref());
            let has = |text: &&str| reach.has_all_of(&text.parse().unwrap());
            assert!(own.iter().all(has), "{functions:?}");
            assert!(!others.iter().any(has), "{functions:?}");
        }
        assert!(!TopicReach::of(Some(&"shop".parse().unwrap())).has(&"picloud.event.dead".parse().unwrap()));
    }
}
