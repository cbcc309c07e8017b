//! Tables that a front-matter may hold several times: `[[schedule]]` and `[[on]]`.

use std::{fmt, marker::PhantomData, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{
        Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

/// A kind of such tables.
pub trait TableKind {
    /// The name of the table.
    const KEY: &'static str;
    /// The key that says most of it.
    const MAIN: &'static str;

    /// Returns the name of one of them.
    fn name(&self) -> Option<&str>;
}

/// All tables of one name, in their order.
#[derive(Debug)]
pub struct Tables<T>(Vec<T>);

impl<T: TableKind> Tables<T> {
    /// Returns the number of the first that has no name of its own. One may have none, if it is the first.
    pub fn unnamed(&self) -> Option<usize> {
        let names: Vec<Option<&str>> = self.0.iter().map(T::name).collect();
        (1..names.len()).find(|at| names[*at].is_none() || names[..*at].contains(&names[*at]))
    }
}

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for Tables<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de> + TableKind> Deserialize<'de> for Tables<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TablesVisitor(PhantomData))
    }
}

struct TablesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + TableKind> Visitor<'de> for TablesVisitor<T> {
    type Value = Tables<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tables, each below `[[{}]]`", T::KEY)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Tables<T>, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(items)).map(Tables)
    }

    /// Single brackets.
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Tables<T>, A::Error> {
        IgnoredAny::deserialize(MapAccessDeserializer::new(entries))?;
        let key = T::KEY;
        Err(A::Error::custom(format!(
            "`{key}` is a list of tables, and this is one table\nhint: write `[[{key}]]`, with two brackets on each side"
        )))
    }

    /// What its most important key should be.
    fn visit_str<E: Error>(self, text: &str) -> Result<Tables<T>, E> {
        let (key, main) = (T::KEY, T::MAIN);
        let shown: String = text.chars().take(64).collect();
        Err(E::custom(format!(
            "`{key}` is a list of tables, and this is a text\nhint: write `[[{key}]]` below all other keys, and below it `{main} = \"{shown}\"`"
        )))
    }
}
