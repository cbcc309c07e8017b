//! Array functions that call another function for each element.

use super::{
    Caller, DONE, Entry, Failure, NOT_HERE, NativeResult, Value, Visit, changes, edit, is_same, items, range::place, reads, visits,
};

pub(super) const OF_LIST: &[Entry] = &[
    changes("for_each", 2, |caller, this, arguments| {
        let Some(function) = function(&arguments[0]) else { return NOT_HERE };
        let mut elements = Elements::of(caller, "for_each", this, function);
        for index in 0..elements.len() {
            elements.call(index, &mut [], None)?;
        }
        DONE
    }),
    visits("map", 2, |caller, this, arguments| {
        let Some(function) = function(&arguments[0]) else { return NOT_HERE };
        let mut elements = Elements::of(caller, "map", this, function);
        let results = (0..elements.len()).map(|index| elements.call(index, &mut [], Some(0))).collect::<Result<_, _>>()?;
        Ok(Some(Value::list(results)))
    }),
    visits("filter", 2, |caller, this, arguments| {
        let Some(function) = function(&arguments[0]) else { return NOT_HERE };
        let (mut elements, mut found) = (Elements::of(caller, "filter", this, function), Vec::new());
        for index in 0..elements.len() {
            if elements.is(index)? {
                found.push(items(elements.list)[index].clone());
            }
        }
        Ok(Some(Value::list(found)))
    }),
    visits("some", 2, |caller, this, arguments| first(caller, "some", this, &arguments[0], 0, |found| Value::Bool(found.is_some()))),
    visits("all", 2, |caller, this, arguments| {
        let Some(function) = function(&arguments[0]) else { return NOT_HERE };
        let mut elements = Elements::of(caller, "all", this, function);
        for index in 0..elements.len() {
            if !elements.is(index)? {
                return Ok(Some(Value::Bool(false)));
            }
        }
        Ok(Some(Value::Bool(true)))
    }),
    // Rhai looks for an element's index to find it, and says so.
    visits("find", 2, |caller, this, arguments| first(caller, "index_of", this, &arguments[0], 0, element)),
    visits("find", 3, |caller, this, arguments| {
        let [function, Value::Int(start)] = arguments else { return NOT_HERE };
        let start = place(items(this).len(), *start);
        first(caller, "index_of", this, function, start, element)
    }),
    visits("find_map", 2, |caller, this, arguments| find_map(caller, this, &arguments[0], 0)),
    visits("find_map", 3, |caller, this, arguments| {
        let [function, Value::Int(start)] = arguments else { return NOT_HERE };
        find_map(caller, this, function, *start)
    }),
    visits("reduce", 2, |caller, this, arguments| reduce(caller, "reduce", this, arguments, Order::FromFirst)),
    visits("reduce", 3, |caller, this, arguments| reduce(caller, "reduce", this, arguments, Order::FromFirst)),
    visits("reduce_rev", 2, |caller, this, arguments| reduce(caller, "reduce_rev", this, arguments, Order::FromLast)),
    visits("reduce_rev", 3, |caller, this, arguments| reduce(caller, "reduce_rev", this, arguments, Order::FromLast)),
    reads("zip", 3, |caller, this, arguments| {
        let [Value::List(others), function @ Value::Function(_)] = arguments else { return NOT_HERE };
        let pairs = items(this).iter().zip(others.iter()).enumerate();
        let results = pairs.map(|(index, (one, other))| {
            let arguments = &mut [one.clone(), other.clone()];
            caller.visit(Visit { native: "zip", function, this: None, arguments, index: Some(index as i64), this_at: None })
        });
        Ok(Some(Value::list(results.collect::<Result<_, _>>()?)))
    }),
];

enum Order {
    FromFirst,
    FromLast,
}

/// The elements of an array, and the function that is called for them.
pub(super) struct Elements<'a> {
    caller: &'a mut dyn Caller,
    name: &'static str,
    pub list: &'a mut Value,
    function: &'a Value,
}

impl<'a> Elements<'a> {
    /// Takes the receiver of a function of this name.
    pub fn of(caller: &'a mut dyn Caller, name: &'static str, list: &'a mut Value, function: &'a Value) -> Self {
        Self { caller, name, list, function }
    }

    fn len(&self) -> usize {
        items(self.list).len()
    }

    /// Calls the function for an element, which it gets as `this`, or as the argument with that number.
    fn call(&mut self, index: usize, arguments: &mut [Value], element_at: Option<usize>) -> Result<Value, Failure> {
        self.call_as(index, index, arguments, element_at)
    }

    /// Calls the function for an element and tells it an index.
    pub fn call_as(&mut self, place: usize, index: usize, arguments: &mut [Value], element_at: Option<usize>) -> Result<Value, Failure> {
        let mut element = items(self.list)[place].clone();
        let result = self.caller.visit(Visit {
            native: self.name,
            function: self.function,
            this: Some(&mut element),
            arguments,
            index: Some(index as i64),
            this_at: element_at,
        });
        if !is_same(&element, &items(self.list)[place]) {
            edit(self.list, |list| list.set(place, element));
        }
        result
    }

    /// Returns whether the function holds for an element.
    fn is(&mut self, index: usize) -> Result<bool, Failure> {
        Ok(matches!(self.call(index, &mut [], Some(0))?, Value::Bool(true)))
    }
}

/// Returns the function that an argument is.
pub(super) fn function(argument: &Value) -> Option<&Value> {
    matches!(argument, Value::Function(_)).then_some(argument)
}

/// Finds the first element from this one on that a function holds for.
pub(super) fn first(
    caller: &mut dyn Caller,
    name: &'static str,
    list: &mut Value,
    argument: &Value,
    from: usize,
    answer: fn(Option<(usize, &Value)>) -> Value,
) -> NativeResult {
    let Some(function) = function(argument) else { return NOT_HERE };
    let mut elements = Elements::of(caller, name, list, function);
    for index in from..elements.len() {
        if elements.is(index)? {
            return Ok(Some(answer(Some((index, &items(elements.list)[index])))));
        }
    }
    Ok(Some(answer(None)))
}

fn element(found: Option<(usize, &Value)>) -> Value {
    found.map(|(_, element)| element.clone()).unwrap_or_default()
}

fn find_map(caller: &mut dyn Caller, list: &mut Value, argument: &Value, start: i64) -> NativeResult {
    let Some(function) = function(argument) else { return NOT_HERE };
    let mut elements = Elements::of(caller, "find_map", list, function);
    for index in place(elements.len(), start)..elements.len() {
        let value = elements.call(index, &mut [], Some(0))?;
        if !value.is_unit() {
            return Ok(Some(value));
        }
    }
    Ok(Some(Value::Unit))
}

fn reduce(caller: &mut dyn Caller, name: &'static str, list: &mut Value, arguments: &mut [Value], order: Order) -> NativeResult {
    let [function @ Value::Function(_), initial @ ..] = arguments else { return NOT_HERE };
    let mut result = initial.first_mut().map(std::mem::take).unwrap_or_default();
    let mut elements = Elements::of(caller, name, list, function);
    for step in 0..elements.len() {
        let index = match order {
            Order::FromFirst => step,
            Order::FromLast => elements.len() - 1 - step,
        };
        result = elements.call(index, &mut [result], Some(1))?;
    }
    Ok(Some(result))
}
