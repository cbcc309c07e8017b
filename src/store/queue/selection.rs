//! Which rows of the queue somebody means, as conditions in SQL.

use crate::{function::FunctionName, store::batch::Parameter};

/// The functions whose deliveries are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FunctionSelection {
    /// Those of every function.
    #[default]
    All,
    /// Those of this one.
    One(FunctionName),
    /// Those of functions whose names begin so.
    Below(String),
}

/// Conditions with their parameters.
#[derive(Default)]
pub(super) struct Selection {
    sql: String,
    parameters: Vec<Parameter>,
}

impl Selection {
    /// Adds a condition, in which `?` stands for this parameter.
    pub fn and(mut self, condition: &str, parameter: impl Into<Parameter>) -> Self {
        self.parameters.push(parameter.into());
        self.sql += if self.sql.is_empty() { " WHERE " } else { " AND " };
        self.sql += &condition.replace('?', &format!("${}", self.parameters.len()));
        self
    }

    /// Adds a condition if there is a parameter.
    pub fn maybe(self, condition: &str, parameter: Option<impl Into<Parameter>>) -> Self {
        match parameter {
            Some(parameter) => self.and(condition, parameter),
            None => self,
        }
    }

    /// Leaves only the rows whose receiver is one of these functions: its name, or its name with that of a handler or a schedule.
    pub fn of(self, functions: &FunctionSelection) -> Self {
        match functions {
            FunctionSelection::All => self,
            FunctionSelection::One(name) => {
                let length = name.as_str().chars().count() + 1;
                self.and(&format!("(receiver = ? OR substr(receiver, 1, {length}) = ? || '#')"), name.as_str().to_owned())
            }
            FunctionSelection::Below(begin) => {
                let length = begin.chars().count();
                self.and(&format!("substr(receiver, 1, {length}) = ?"), begin.clone())
            }
        }
    }

    /// Returns ` WHERE …`, or nothing, and the parameters.
    pub fn end(self) -> (String, Vec<Parameter>) {
        (self.sql, self.parameters)
    }
}
