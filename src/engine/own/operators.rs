//! What Rhai's built-in operators give.

use std::{cmp::Ordering, rc::Rc};

use rhai::Dynamic;

use super::{
    List, Op, Value,
    limits::{allowed, longest},
    numbers::{float, int},
    range,
};
use crate::engine::value::sizes::Sizes;

/// Returns what the operator gives; none: Rhai is to be asked, as the operands are none that it is built in for, or it fails.
#[inline(always)]
pub fn binary(op: Op, left: &Value, right: &Value) -> Option<Value> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => int(op, *left, *right),
        _ => other(op, left, right),
    }
}

/// The same for operands of which one is no whole number.
#[inline(never)]
fn other(op: Op, left: &Value, right: &Value) -> Option<Value> {
    use Value::{Blob, Bool, Char, Float, Function, Int, List, Map, Other, Shared, Unit};
    if let (Value::Short(left), Value::Short(right)) = (left, right)
        && let Some(truth) = same(op, left == right)
    {
        return Some(truth);
    }
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return texts(op, left, right);
    }
    match (left, right) {
        (Float(left), Float(right)) => float(op, *left, *right),
        (Float(left), Int(right)) => float(op, *left, *right as f64),
        (Int(left), Float(right)) => float(op, *left as f64, *right),
        (Bool(left), Bool(right)) => bools(op, *left, *right),
        (Unit, Unit) => compared(op, Some(Ordering::Equal)).map(|truth| Bool(truth && op == Op::Equal)),
        (Char(left), Char(right)) if op == Op::Add => Some([*left, *right].iter().collect::<String>().into()),
        (Char(left), Char(right)) => compared(op, Some(left.cmp(right))).map(Bool),
        (Int(from), Unit) if op == Op::Range => Some(range(Dynamic::from(*from..i64::MAX))),
        (Unit, Int(to)) if op == Op::Range => Some(range(Dynamic::from(0..*to))),
        (Int(from), Unit) if op == Op::RangeInclusive => Some(range(Dynamic::from(*from..=i64::MAX))),
        (Unit, Int(to)) if op == Op::RangeInclusive => Some(range(Dynamic::from(0..=*to))),
        (List(left), List(right)) => lists(op, left, right),
        (Map(left), Map(right)) if op == Op::Add => merged(left, right).map(Map),
        (Map(_), Map(_)) => same(op, left.equals(right)?),
        (Blob(left), Blob(right)) => same(op, left == right),
        (Shared(left), right) => binary(op, &left.get(), &right.get()),
        (left, Shared(right)) => binary(op, left, &right.get()),
        // What the host defines for its types goes before what is built in.
        (Other(_), _) | (_, Other(_)) | (Function(_), Function(_)) | (Blob(_), Char(_)) => None,
        (left, right) => mixed(op, left, right),
    }
}

/// Returns what a comparison gives of operands in this order; none: it is no comparison.
#[inline(always)]
pub(super) fn compared(op: Op, order: Option<Ordering>) -> Option<bool> {
    match op {
        Op::Less => Some(order.is_some_and(Ordering::is_lt)),
        Op::LessEqual => Some(order.is_some_and(Ordering::is_le)),
        Op::Greater => Some(order.is_some_and(Ordering::is_gt)),
        Op::GreaterEqual => Some(order.is_some_and(Ordering::is_ge)),
        Op::Equal => Some(order.is_some_and(Ordering::is_eq)),
        Op::NotEqual => Some(order.is_none_or(Ordering::is_ne)),
        _ => None,
    }
}

fn same(op: Op, is_same: bool) -> Option<Value> {
    match op {
        Op::Equal => Some(Value::Bool(is_same)),
        Op::NotEqual => Some(Value::Bool(!is_same)),
        _ => None,
    }
}

fn bools(op: Op, left: bool, right: bool) -> Option<Value> {
    let truth = match op {
        Op::And => left & right,
        Op::Or => left | right,
        Op::Xor => left ^ right,
        _ => compared(op, Some(left.cmp(&right)))?,
    };
    Some(Value::Bool(truth))
}

fn texts(op: Op, left: &str, right: &str) -> Option<Value> {
    match op {
        Op::Add => joined(left, right),
        Op::Equal => Some(Value::Bool(left == right)),
        Op::NotEqual => Some(Value::Bool(left != right)),
        _ => compared(op, Some(left.cmp(right))).map(Value::Bool),
    }
}

/// Returns two texts as one.
fn joined(left: &str, right: &str) -> Option<Value> {
    let length = left.len() + right.len();
    (length <= longest()).then(|| {
        Value::short(left, right).unwrap_or_else(|| {
            let mut text = String::with_capacity(length);
            text.push_str(left);
            text.push_str(right);
            Value::from_string(text)
        })
    })
}

/// Operands of two types.
fn mixed(op: Op, left: &Value, right: &Value) -> Option<Value> {
    match (op, left, left.as_str(), right, right.as_str()) {
        // To a text, whatever it is goes as text.
        (Op::Add, left, Some(_), Value::Unit, _) => Some(left.clone()),
        (Op::Add, Value::Unit, _, right, Some(_)) => Some(right.clone()),
        (Op::Add, Value::Blob(_), ..) | (Op::Add, _, _, Value::Blob(_), _) => None,
        (Op::Add, _, Some(text), right, _) => {
            let mut text = text.to_owned();
            right.print(&mut text, longest()).then(|| allowed_text(text))?
        }
        (Op::Add, left, _, _, Some(end)) => {
            let mut text = String::new();
            left.print(&mut text, longest()).then(|| {
                text.push_str(end);
                allowed_text(text)
            })?
        }
        // A character and a text are compared by the text's first two characters.
        (_, Value::Char(left), _, _, Some(right)) => compared(op, Some([Some(*left), None].cmp(&first_two(right)))).map(Value::Bool),
        (_, _, Some(left), Value::Char(right), _) => compared(op, Some(first_two(left).cmp(&[Some(*right), None]))).map(Value::Bool),
        _ => compared(op, None).map(Value::Bool),
    }
}

fn first_two(text: &str) -> [Option<char>; 2] {
    let mut characters = text.chars();
    [characters.next(), characters.next()]
}

fn allowed_text(text: String) -> Option<Value> {
    (text.len() <= longest()).then(|| Value::from_string(text))
}

fn lists(op: Op, left: &Rc<List>, right: &Rc<List>) -> Option<Value> {
    if op != Op::Add {
        return match op {
            Op::Equal | Op::NotEqual => same(op, left.equals(right)?),
            _ => None,
        };
    }
    if !left.sizes().plus(right.sizes()).fits(allowed()) {
        return None;
    }
    Some(Value::List(match (left.is_empty(), right.is_empty()) {
        (_, true) => left.clone(),
        (true, _) => right.clone(),
        _ => {
            let mut list = List::with_capacity(left.len() + right.len());
            list.append(left);
            list.append(right);
            Rc::new(list)
        }
    }))
}

fn merged(left: &Rc<super::Map>, right: &super::Map) -> Option<Rc<super::Map>> {
    let mut map = left.clone();
    merge(&mut map, right).then_some(map)
}

/// Puts the entries of another map into a map; false: the sizes might pass what is allowed.
fn merge(map: &mut Rc<super::Map>, other: &super::Map) -> bool {
    let fits = map.sizes().plus(other.sizes()).fits(allowed());
    if fits && !other.is_empty() {
        let map = Rc::make_mut(map);
        for (key, value) in other.iter() {
            map.insert(key, value.clone());
        }
    }
    fits
}

/// Does what `left op= right` does; false: nothing is done, Rhai is to be asked.
#[inline(always)]
pub fn assign(op: Op, left: &mut Value, right: &Value) -> bool {
    if let (Value::Int(number), Value::Int(right)) = (&mut *left, right) {
        let Some(Value::Int(result)) = int(op, *number, *right) else { return false };
        *number = result;
        return true;
    }
    assign_other(op, left, right)
}

/// The same for operands of which one is no whole number.
#[inline(never)]
fn assign_other(op: Op, left: &mut Value, right: &Value) -> bool {
    if let Value::Shared(shared) = left {
        let right = right.get();
        return shared.try_borrow_mut().is_some_and(|mut left| assign(op, &mut left, &right));
    }
    if let Value::Shared(right) = right {
        return assign(op, left, &right.get());
    }
    if op == Op::Add {
        if left.as_str().is_some() && !matches!(right, Value::Blob(_) | Value::Other(_)) {
            return append(left, right);
        }
        match (&mut *left, right) {
            (Value::List(list), right) => return extend(list, right),
            (Value::Map(map), Value::Map(right)) => return merge(map, right),
            (Value::Char(_), right) if right.as_str() == Some("") => return true,
            (Value::Blob(_) | Value::Map(_), _) | (_, Value::Blob(_)) => return false,
            _ => {}
        }
    }
    match binary(op, left, right) {
        Some(result) if result.is_allowed() => {
            *left = result;
            true
        }
        _ => false,
    }
}

/// Adds a value to a text.
fn append(left: &mut Value, right: &Value) -> bool {
    match right {
        Value::Unit => true,
        Value::Short(text) => left.push_str(text.as_str()),
        Value::Long(text) => left.push_str(text),
        Value::Char(character) => left.push_str(character.encode_utf8(&mut [0; 4])),
        right => {
            let mut text = String::new();
            right.print(&mut text, longest()) && left.push_str(&text)
        }
    }
}

/// Adds the elements of an array to an array, or any other value as one.
fn extend(list: &mut Rc<List>, right: &Value) -> bool {
    match right {
        Value::List(right) if right.is_empty() => true,
        Value::List(right) => {
            // Rhai looks at what is there, before it adds.
            let fits = list.is_empty() || list.sizes().fits(allowed());
            if fits {
                Rc::make_mut(list).append(right);
            }
            fits
        }
        right => {
            let one = Sizes { array: 1, ..Sizes::default() };
            let fits = list.sizes().plus(right.sizes()).plus(one).fits(allowed());
            if fits {
                Rc::make_mut(list).push(right.clone());
            }
            fits
        }
    }
}
