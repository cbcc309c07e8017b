//! What changes arrays.

use std::rc::Rc;

use super::{
    DONE, Entry, NOT_HERE, NativeResult, Value, changes, edit, items,
    range::{part, place, span},
};
use crate::engine::{
    builtin::{bounded::too_large, pad::check_room},
    own::{List, limits},
};

pub(super) const OF_LIST: &[Entry] = &[
    changes("push", 2, |_, this, arguments| {
        edit(this, |list| list.push(std::mem::take(&mut arguments[0])));
        DONE
    }),
    changes("pop", 1, |_, this, _| Ok(Some(edit(this, List::pop).flatten().unwrap_or_default()))),
    changes("shift", 1, |_, this, _| Ok(Some(remove(this, 0)))),
    changes("remove", 2, |_, this, arguments| {
        let [Value::Int(index)] = *arguments else { return NOT_HERE };
        // Unlike elsewhere, what is before the first element is none.
        let is_there = index >= 0 || index.unsigned_abs() <= items(this).len() as u64;
        Ok(Some(if is_there { remove(this, place(items(this).len(), index)) } else { Value::Unit }))
    }),
    changes("set", 3, |_, this, arguments| {
        let [Value::Int(index), item] = arguments else { return NOT_HERE };
        let at = place(items(this).len(), *index);
        if at < items(this).len() {
            edit(this, |list| list.set(at, std::mem::take(item)));
        }
        DONE
    }),
    changes("insert", 3, |_, this, arguments| {
        let [Value::Int(index), item] = arguments else { return NOT_HERE };
        let at = place(items(this).len(), *index);
        edit(this, |list| list.insert(at, std::mem::take(item)));
        DONE
    }),
    changes("append", 2, |_, this, arguments| {
        let Value::List(more) = &arguments[0] else { return NOT_HERE };
        match items(this) {
            [] => *this = arguments[0].clone(),
            _ => drop(edit(this, |list| list.append(more))),
        }
        DONE
    }),
    changes("clear", 1, |_, this, _| {
        *this = Value::list(Vec::new());
        DONE
    }),
    changes("reverse", 1, |_, this, _| {
        edit(this, |list| list.reorder(|items| items.reverse()));
        DONE
    }),
    changes("truncate", 2, |_, this, arguments| {
        let [Value::Int(length)] = *arguments else { return NOT_HERE };
        let length = usize::try_from(length).unwrap_or(0);
        if length < items(this).len() {
            edit(this, |list| list.truncate(length));
        }
        DONE
    }),
    changes("chop", 2, |_, this, arguments| {
        let [Value::Int(length)] = *arguments else { return NOT_HERE };
        let surplus = items(this).len().saturating_sub(usize::try_from(length).unwrap_or(0));
        if surplus > 0 {
            edit(this, |list| list.edit(|items| drop(items.drain(..surplus))));
        }
        DONE
    }),
    changes("pad", 3, |_, this, arguments| {
        let [Value::Int(length), item] = arguments else { return NOT_HERE };
        let (has, length, allowed) = (items(this).len(), usize::try_from(*length).unwrap_or(0), limits::allowed());
        if length <= has {
            return DONE;
        }
        if length > allowed.array {
            return Err(too_large("Size of array"));
        }
        let (missing, all, one) = (length - has, this.sizes(), item.sizes());
        check_room(all, missing, one, allowed)?;
        edit(this, |list| (0..missing).for_each(|_| list.push(item.clone())));
        DONE
    }),
    changes("splice", 3, |_, this, arguments| {
        let [range @ .., Value::List(with)] = arguments else { return NOT_HERE };
        splice(this, range, with)
    }),
    changes("splice", 4, |_, this, arguments| {
        let [range @ .., Value::List(with)] = arguments else { return NOT_HERE };
        splice(this, range, with)
    }),
    changes("split", 2, |_, this, arguments| {
        let [Value::Int(index)] = *arguments else { return NOT_HERE };
        let at = place(items(this).len(), index);
        Ok(Some(Value::list(edit(this, |list| list.edit(|items| items.split_off(at))).unwrap_or_default())))
    }),
];

fn remove(receiver: &mut Value, index: usize) -> Value {
    // To look first spares a copy.
    let is_there = index < items(receiver).len();
    if is_there { edit(receiver, |list| list.remove(index)).flatten().unwrap_or_default() } else { Value::Unit }
}

fn splice(receiver: &mut Value, range: &[Value], with: &Rc<List>) -> NativeResult {
    // A start needs a length here.
    let ([Value::Int(_), Value::Int(_)] | [Value::Other(_)]) = range else { return NOT_HERE };
    let Some(span) = span(range) else { return NOT_HERE };
    if items(receiver).is_empty() {
        *receiver = Value::List(with.clone());
        return DONE;
    }
    let part = part(items(receiver).len(), span);
    edit(receiver, |list| list.edit(|items| drop(items.splice(part, with.iter().cloned()))));
    DONE
}
