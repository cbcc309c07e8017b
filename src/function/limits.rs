//! What one run of a function may use, and how far its front-matter may raise that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    quantity::{Amount, LONGEST, Size, Span},
    within::Within,
};

/// Writes the struct of limits, the struct of overrides (all optional) and what joins them, from one list. No limit is ever 0: with that a
/// function could not run, and to Rhai it means that there is no limit.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident $(as $written:tt)?: $type:ty = $default:expr, ceiling $ceiling:expr, from $least:literal to $most:expr;)*) => {
        /// What one run of a function may use. Every number is an upper bound.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, ToSchema)]
        pub struct Limits { $($(#[$doc])* $(#[serde(rename = $written)])? pub $name: $type,)* }

        /// Some limits, as a front-matter's or a configuration's `[limits]` gives them.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct LimitOverrides {
            $($(#[$doc])* pub $name: Option<Within<$type, $least, { $most }>>,)*
            /// Bytes of one function file; a configuration's to say, not a front-matter's.
            pub file: Option<Within<Size, 1_024, { 16 << 20 }>>,
        }

        impl Limits {
            /// What holds where nobody says otherwise.
            pub const DEFAULT: Self = Self { $($name: $default,)* };
            /// The most that a front-matter may ask for where the configuration does not say otherwise.
            pub const CEILING: Self = Self { $($name: $ceiling,)* };

            /// Returns these limits with the overrides in place of what they name.
            pub fn with(&self, overrides: &LimitOverrides) -> Self {
                Self { $($name: overrides.$name.map_or(self.$name, Within::get),)* }
            }

            /// Returns each limit by its key.
            pub fn amounts(&self) -> BTreeMap<String, Amount> {
                [$((stringify!($name).to_owned(), Amount::from(self.$name)),)*].into()
            }

            /// Returns the limits that are not as in another set.
            pub fn differing(&self, other: &Self) -> BTreeMap<String, Amount> {
                let mut differing = self.amounts();
                $(if self.$name == other.$name {
                    differing.remove(stringify!($name));
                })*
                differing
            }

            /// Returns the first limit that is above its ceiling: its key, the value, the ceiling.
            pub fn first_above(&self, ceiling: &Self) -> Option<(&'static str, String, String)> {
                $(if self.$name > ceiling.$name {
                    return Some((stringify!($name), self.$name.to_string(), ceiling.$name.to_string()));
                })*
                None
            }
        }
    };
}

limits! {
    /// Wall-clock time of a run.
    timeout as "timeout_us": Span = Span::seconds(10), ceiling Span::seconds(300), from 1 to LONGEST;
    /// Statements, expressions, steps along a chain, calls.
    operations: u64 = 50_000_000, ceiling 5_000_000_000, from 1 to 1_000_000_000_000_000;
    /// Bytes of memory that a run may hold at once.
    memory: Size = Size::mib(64), ceiling Size::mib(64), from 65_536 to 1 << 34;
    /// Calls inside calls.
    call_depth: u32 = 64, ceiling 128, from 1 to 10_000;
    /// Expressions inside expressions.
    expression_depth: u32 = 64, ceiling 128, from 1 to 10_000;
    /// Bytes of one string that a script builds.
    string: Size = Size::mib(1), ceiling Size::mib(16), from 1 to 1 << 30;
    /// Elements of one array that a script builds, those of arrays inside it counted too; bytes of one blob.
    array: u32 = 32_000, ceiling 100_000, from 1 to 16_000_000;
    /// Entries of one map that a script builds, those of maps inside it counted too.
    map: u32 = 5_000, ceiling 100_000, from 1 to 16_000_000;
    /// Bytes of a request's body.
    body: Size = Size::mib(1), ceiling Size::mib(16), from 1 to 1 << 30;
    /// Bytes of a response's body.
    response: Size = Size::mib(8), ceiling Size::mib(64), from 1 to 1 << 32;
    /// Lines that a run may log.
    log_lines: u32 = 1_000, ceiling 10_000, from 1 to 10_000_000;
    /// Bytes that a run may log.
    log_size: Size = Size::kib(64), ceiling Size::mib(1), from 1 to 1 << 30;
    /// Runs of one function at the same time.
    concurrency: u32 = 64, ceiling 1_024, from 1 to 1_000_000;
    /// Bytes that all runs of a version together may leave behind.
    leak: Size = Size::mib(16), ceiling Size::mib(256), from 1 to 1 << 40;
}

/// The longest run that an event or a schedule starts, whatever its `timeout` says. So it is known when a run is another node's to repeat.
pub const LONGEST_BACKGROUND_RUN: Span = Span::seconds(300);

/// Stack that an expression inside an expression takes, in bytes, while it is compiled or while it runs.
const STACK_PER_EXPRESSION: u64 = 8_192;

impl Limits {
    /// Returns the stack that calls inside calls need, each with expressions inside expressions.
    pub fn stack_of_nesting(&self) -> Size {
        Size((u64::from(self.call_depth) + 1) * u64::from(self.expression_depth) * STACK_PER_EXPRESSION)
    }
}

/// The limits in force on a node: what holds by default, and how far a front-matter may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPolicy {
    /// Where a front-matter is silent.
    pub default: Limits,
    /// At most.
    pub ceiling: Limits,
    /// Bytes of one function file. A front-matter cannot raise it.
    pub file: Size,
}

/// Bytes of one function file: the compiler is quadratic in the worst case and cannot be interrupted.
pub const DEFAULT_FILE_SIZE: Size = Size::kib(256);

impl Default for LimitPolicy {
    fn default() -> Self {
        Self { default: Limits::DEFAULT, ceiling: Limits::CEILING, file: DEFAULT_FILE_SIZE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_default_is_above_its_ceiling() {
        assert_eq!(Limits::DEFAULT.first_above(&Limits::CEILING), None);
        let raised = Limits::DEFAULT.with(&toml::from_str("map = 100_001").unwrap());
        assert_eq!(raised.first_above(&Limits::CEILING), Some(("map", "100001".into(), "100000".into())));
    }
}
