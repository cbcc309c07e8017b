//! Operators on plain values, as Rhai has them; what is not here is left to Rhai's own.

use rhai::{Dynamic, ImmutableString, Token};

/// An operator with two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Returns the operator of a token, if it is known here.
    pub fn of(token: &Token) -> Option<Self> {
        Some(match token {
            Token::Plus => Self::Add,
            Token::Minus => Self::Subtract,
            Token::Multiply => Self::Multiply,
            Token::Divide => Self::Divide,
            Token::Modulo => Self::Modulo,
            Token::EqualsTo => Self::Equal,
            Token::NotEqualsTo => Self::NotEqual,
            Token::LessThan => Self::Less,
            Token::LessThanEqualsTo => Self::LessOrEqual,
            Token::GreaterThan => Self::Greater,
            Token::GreaterThanEqualsTo => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    /// As it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// As an assignment is written with it.
    pub fn assignment(self) -> Option<&'static str> {
        Some(match self {
            Self::Add => "+=",
            Self::Subtract => "-=",
            Self::Multiply => "*=",
            Self::Divide => "/=",
            Self::Modulo => "%=",
            _ => return None,
        })
    }
}

/// Returns what an operator gives for these two; `None` where it is not known here, or would be an error.
pub fn apply(operator: Operator, left: &Dynamic, right: &Dynamic, longest: usize) -> Option<Dynamic> {
    if let (Ok(left), Ok(right)) = (left.as_int(), right.as_int()) {
        return integers(operator, left, right);
    }
    if left.is_unit() || right.is_unit() {
        let both = left.is_unit() && right.is_unit();
        return match operator {
            Operator::Equal => Some(both.into()),
            Operator::NotEqual => Some((!both).into()),
            _ => None,
        };
    }
    if left.is_string() && right.is_string() {
        let (left, right) = (left.as_immutable_string_ref().ok()?, right.as_immutable_string_ref().ok()?);
        return strings(operator, &left, &right, longest);
    }
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return floats(operator, left, right);
    }
    None
}

fn integers(operator: Operator, left: i64, right: i64) -> Option<Dynamic> {
    Some(match operator {
        Operator::Add => left.checked_add(right)?.into(),
        Operator::Subtract => left.checked_sub(right)?.into(),
        Operator::Multiply => left.checked_mul(right)?.into(),
        Operator::Divide => left.checked_div(right)?.into(),
        Operator::Modulo => left.checked_rem(right)?.into(),
        _ => return compare(operator, left, right),
    })
}

fn strings(operator: Operator, left: &ImmutableString, right: &ImmutableString, longest: usize) -> Option<Dynamic> {
    Some(match operator {
        Operator::Add if left.len() + right.len() <= longest => (left + right).into(),
        _ => return compare(operator, left, right),
    })
}

fn compare<T: PartialOrd>(operator: Operator, left: T, right: T) -> Option<Dynamic> {
    let holds = match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
        _ => return None,
    };
    Some(holds.into())
}

fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|whole| whole as f64))
}

/// Comparing floats is left to Rhai, which allows for a difference.
fn floats(operator: Operator, left: f64, right: f64) -> Option<Dynamic> {
    Some(Dynamic::from_float(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Modulo => left % right,
        _ => return None,
    }))
}
