//! Who may run a function. One rule for every way to a run: the scope that the function's `auth` asks for, and the functions that the token
//! is good for.

use std::sync::Arc;

use crate::{
    access::{Principal, Scope},
    function::SharedFunction,
};

/// Permission to run a function once. Nothing runs without one.
pub struct Permission<'a> {
    pub(super) function: &'a SharedFunction,
    /// Whose token it was given for, where the function asks for one.
    pub(super) principal: Option<Arc<str>>,
}

/// Why somebody may not run a function.
#[derive(Debug)]
pub enum PermissionError {
    /// The function asks for a larger scope.
    ScopeTooSmall {
        /// Whose token it is.
        principal: Principal,
        /// What is needed.
        needed: Scope,
    },
    /// The token is good for other functions.
    OtherFunction {
        /// Whose token it is.
        principal: Principal,
    },
}

impl<'a> Permission<'a> {
    /// For callers of a function that asks for no token. Else returns the scope that it asks for.
    pub fn open(function: &'a SharedFunction) -> Result<Self, Scope> {
        match function.manifest.auth {
            None => Ok(Self { function, principal: None }),
            Some(needed) => Err(needed),
        }
    }

    /// For the node itself, which runs what the function's own file says: its schedules and handlers.
    pub fn of_node(function: &'a SharedFunction) -> Self {
        Self { function, principal: None }
    }

    /// For somebody with a token. Whoever orders a run needs one for functions that anybody may call, too.
    pub fn of(principal: &Principal, function: &'a SharedFunction) -> Result<Self, PermissionError> {
        let auth = function.manifest.auth;
        if let Some(needed) = auth.filter(|needed| principal.scope < *needed) {
            return Err(PermissionError::ScopeTooSmall { principal: principal.clone(), needed });
        }
        if !principal.may_touch(function.name.as_str()) {
            return Err(PermissionError::OtherFunction { principal: principal.clone() });
        }
        Ok(Self { function, principal: auth.map(|_| principal.name.as_str().into()) })
    }
}
