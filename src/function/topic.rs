//! Topics of events, and the patterns by which handlers choose them.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Most bytes of a topic, and of a pattern.
pub const MAX_TOPIC: usize = 128;
/// The topics below this name are the node's own: nobody else emits there.
pub const OWN: &str = "picloud";

/// What to do with a text that is no topic.
pub const TOPIC_HINT: &str =
    "write lower-case letters, digits, `-` and `_`, with dots between words, at most 128 of them: `orders.created`";

/// What an event is about: `orders.created`. Lower-case words with `-` and `_`, and dots between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Topic(Arc<str>);

/// A text that is no topic, or no pattern of topics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}")]
pub struct NotATopic {
    text: String,
    kind: &'static str,
    /// What to do.
    pub hint: &'static str,
}

impl NotATopic {
    /// Says it to a reader of TOML, hint and all.
    fn told<E: Error>(self) -> E {
        E::custom(format!("{self}\nhint: {}", self.hint))
    }

    fn new(text: &str, kind: &'static str, hint: &'static str) -> Self {
        Self { text: text.chars().take(MAX_TOPIC + 1).collect(), kind, hint }
    }
}

impl Topic {
    /// Returns the topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether only the node emits here.
    pub fn is_own(&self) -> bool {
        self.0.split('.').next() == Some(OWN)
    }
}

impl FromStr for Topic {
    type Err = NotATopic;

    fn from_str(text: &str) -> Result<Self, NotATopic> {
        if text.len() <= MAX_TOPIC && text.split('.').all(is_word) {
            return Ok(Self(text.into()));
        }
        Err(NotATopic::new(text, "topic", TOPIC_HINT))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(NotATopic::told)
    }
}

fn is_word(word: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    !word.is_empty() && word.bytes().all(is_inner)
}

/// Which topics a handler takes: `orders.created`, `orders.*` for one word, `orders.**` for one word and more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TopicPattern(Arc<str>);

impl TopicPattern {
    /// Returns the pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is one topic.
    pub fn is_literal(&self) -> bool {
        !self.0.contains('*')
    }

    /// Returns whether it is one of events of the node.
    pub fn is_own(&self) -> bool {
        self.0.split('.').next() == Some(OWN)
    }

    /// Returns whether an event with this topic is one of them. Events of the node are taken by patterns that name them: whoever handles all of
    /// an application does not handle itself.
    pub fn takes(&self, topic: &Topic) -> bool {
        if topic.is_own() && !self.is_own() {
            return false;
        }
        let mut words = topic.0.split('.');
        for wanted in self.0.split('.') {
            match (wanted, words.next()) {
                (_, None) => return false,
                ("**", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(word)) if wanted == word => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }
}

impl From<&Topic> for TopicPattern {
    fn from(topic: &Topic) -> Self {
        Self(topic.0.clone())
    }
}

impl FromStr for TopicPattern {
    type Err = NotATopic;

    fn from_str(text: &str) -> Result<Self, NotATopic> {
        let (start, last) = text.rsplit_once('.').map_or((None, text), |(start, last)| (Some(start), last));
        let is_one = |word: &str| word == "*" || is_word(word);
        if text.len() <= MAX_TOPIC && start.is_none_or(|start| start.split('.').all(is_one)) && (last == "**" || is_one(last)) {
            return Ok(Self(text.into()));
        }
        let hint = "write a topic such as `orders.created`; a `*` in it stands for one word, and `**` at its end for all that follow";
        Err(NotATopic::new(text, "pattern of topics", hint))
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TopicPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(NotATopic::told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_patterns_are_words_and_dots() {
        for topic in ["a", "orders.created", "a-b.c_d.2", &"x".repeat(MAX_TOPIC)] {
            assert_eq!(topic.parse::<Topic>().unwrap().as_str(), topic);
        }
        for wrong in ["", ".", "a.", ".a", "a..b", "A", "a b", "a*", "ä", "a/b", &"x".repeat(MAX_TOPIC + 1)] {
            assert!(wrong.parse::<Topic>().is_err() && wrong.parse::<TopicPattern>().is_err(), "{wrong}");
        }
        for wrong in ["**.a", "a.**.b", "a.***", "a.b*"] {
            assert!(wrong.parse::<TopicPattern>().is_err(), "{wrong}");
        }
        assert!(["picloud", "picloud.event.dead"].iter().all(|topic| topic.parse::<Topic>().unwrap().is_own()));
        assert!(!"picloudy.a".parse::<Topic>().unwrap().is_own());
    }

    #[test]
    fn a_pattern_takes_what_it_says() {
        for (pattern, taken, left) in [
            ("orders.created", &["orders.created"][..], &["orders", "orders.created.eu", "orders.paid"][..]),
            ("orders.*", &["orders.created", "orders.paid"], &["orders", "orders.created.eu"]),
            ("*.created", &["orders.created"], &["created", "a.orders.created"]),
            ("orders.**", &["orders.created", "orders.created.eu"], &["orders", "order.created"]),
            ("**", &["orders", "orders.created"], &["picloud.deployment.live"]),
            ("picloud.**", &["picloud.deployment.live"], &["picloudy.a"]),
        ] {
            let takes = |topic: &&str| pattern.parse::<TopicPattern>().unwrap().takes(&topic.parse().unwrap());
            assert!(taken.iter().all(takes), "{pattern}");
            assert!(!left.iter().any(takes), "{pattern}");
        }
    }
}
