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

/// Returns how many operations Rhai needs for an assignment that [`apply`] knows. An integer has no `+=` that takes a float: Rhai looks for it,
/// and then adds.
pub fn assigned(target: &Dynamic, value: &Dynamic) -> u64 {
    if target.is_int() && value.is_float() { 2 } else { 0 }
}

fn is_text(value: &Dynamic) -> bool {
    value.is_string() || value.is_char()
}

/// Whether Rhai has this operator for these by itself, so that it is no call.
pub fn is_built_in(operator: Operator, left: &Dynamic, right: &Dynamic) -> bool {
    if number(left).is_some() && number(right).is_some() {
        return true;
    }
    match operator {
        Operator::Add => {
            let with_blob = left.is_blob() && (right.is_blob() || right.is_char());
            is_text(left) && is_text(right) || left.is_unit() && right.is_string() || left.is_string() && right.is_unit() || with_blob
        }
        Operator::Subtract => left.is_string() && is_text(right),
        Operator::Multiply | Operator::Divide | Operator::Modulo => false,
        Operator::Equal | Operator::NotEqual if left.is_blob() => true,
        _ => left.type_id() != right.type_id() || is_text(left) || left.is_bool() || left.is_unit(),
    }
}

/// Whether Rhai has the assignment with this operator for these by itself, so that it is no call.
pub fn is_built_in_assignment(operator: Operator, target: &Dynamic, value: &Dynamic) -> bool {
    if number(target).is_some() && number(value).is_some() {
        return target.is_float() || value.is_int();
    }
    match operator {
        Operator::Add => {
            let to_blob = target.is_blob() && (value.is_blob() || value.is_int() || is_text(value));
            target.is_array() || is_text(target) && is_text(value) || to_blob
        }
        Operator::Subtract => target.is_string() && is_text(value),
        _ => false,
    }
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
