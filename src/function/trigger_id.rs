//! Names what starts a function without a request: its handlers and its schedules. Both ids are made and read in the same way.

use std::fmt;

use super::FunctionName;

/// Makes a type of ids: its function, and its own name where it has one.
macro_rules! trigger_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Returns the id of what a function has under this name.
            pub fn new(function: &FunctionName, name: Option<&str>) -> Self {
                Self(name.map_or_else(|| function.as_str().into(), |name| format!("{function}#{name}").into()))
            }

            /// Takes an id as it was written down.
            pub fn of(text: String) -> Self {
                Self(text.into())
            }

            /// Returns the id as text: `orders/mail`, or `orders/mail#paid`.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

trigger_id! {
    /// Names a handler.
    HandlerId
}

trigger_id! {
    /// Names a schedule.
    ScheduleId
}

/// Returns the function of a handler or a schedule with this id.
pub fn function_of(id: &str) -> FunctionName {
    FunctionName::new(id.split_once('#').map_or(id, |(function, _)| function))
}
