//! What operators say about following the source: a suspension, a pin after a rollback.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{
        Object, ObjectBuilder, RefOr,
        schema::{SchemaType, Type},
    },
};

use super::DeploymentId;
use crate::{
    clock::rfc3339,
    function::{Digest, FilePath, Revision},
};

/// What an operator has told the node about following its source. Survives restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Following {
    /// Nothing of the source goes live until it is resumed.
    pub suspended: Option<Suspension>,
    /// An operator went back, and the source is not to undo that.
    pub pin: Option<Pin>,
}

impl Following {
    /// Says what holds the source back, to those who need not know who wanted it and why.
    pub fn in_short(&self) -> Option<String> {
        let suspended = self.suspended.as_ref().map(|suspension| format!("the source is suspended since {}", rfc3339(suspension.since_us)));
        suspended.or_else(|| {
            let pin = self.pin.as_ref()?;
            Some(format!("a rollback to deployment {} holds the source back since {}", pin.to, rfc3339(pin.since_us)))
        })
    }
}

/// Nothing of the source goes live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suspension {
    /// Who asked for it.
    pub by: String,
    /// When, in microseconds since 1970.
    pub since_us: i64,
}

/// An operator went back to an earlier deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pin {
    /// The deployment that was gone back to.
    pub to: DeploymentId,
    /// The revision that the source held then: it does not go live again by itself.
    pub abandoned: Revision,
    /// The files that differ from what is live, as they were then (none: not there). Each stays as it is live until the source has another
    /// content of it, or of what a function of it uses.
    #[schema(schema_with = digests)]
    pub files: BTreeMap<FilePath, Option<Digest>>,
    /// Nothing newer ends the pin either, only an operator does.
    pub hold: bool,
    /// Who went back.
    pub by: String,
    /// Why, as they say.
    pub reason: Option<String>,
    /// When, in microseconds since 1970.
    pub since_us: i64,
}

/// Describes them: digests by file, null where there is none.
fn digests() -> Object {
    let digest_or_null = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    ObjectBuilder::new().additional_properties(Some(RefOr::T(digest_or_null.into()))).build()
}

impl Pin {
    /// Names it with who, when and why: `admin's rollback of 2026-11-24T21:40Z ("leaks customer data")`.
    pub fn name(&self) -> String {
        let time = rfc3339(self.since_us);
        let why = self.reason.as_ref().map(|reason| format!(" (\"{reason}\")")).unwrap_or_default();
        format!("{}'s rollback of {}Z{why}", self.by, time.get(.."2026-11-24T21:40".len()).unwrap_or(&time))
    }

    /// Says who went back, from where to where, when and why.
    pub fn return_name(&self) -> String {
        let Self { to, abandoned, by, since_us, .. } = self;
        let why = self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{by} went back from {abandoned} to deployment {to} at {}{why}", rfc3339(*since_us))
    }
}

impl Suspension {
    /// Says who suspended the source, and when.
    pub fn name(&self) -> String {
        format!("the source is suspended by {} since {}", self.by, rfc3339(self.since_us))
    }
}

/// Files that are named; of more it is said how many.
const NAMED: usize = 5;

/// Writes a list of files.
pub fn shortened(files: &[FilePath]) -> String {
    let named = files.iter().take(NAMED).map(|file| &**file).collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; `picloud source resume` follows it again", self.name())
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.return_name())?;
        if self.hold {
            return f.write_str("; nothing of the source goes live until `picloud unpin`");
        }
        let files: Vec<FilePath> = self.files.keys().cloned().collect();
        let stay = if files.len() == 1 { "stays so until it changes" } else { "stay so until they change" };
        write!(f, "; {} {stay} in the source, or until `picloud unpin`", shortened(&files))
    }
}
