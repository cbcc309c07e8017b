//! Values beside Rhai's own: what they become, what operators give, what copies and sizes are.

use std::rc::Rc;

use proptest::{collection::vec, prelude::*};
use rhai::{Array, Dynamic, Engine, FnPtr, Map as RhaiMap, Scope};

use super::{Key, List, Map, Op, Value, assign, binary, path};
use crate::engine::value::sizes::Sizes;

const OPS: [(Op, &str); 19] = [
    (Op::Add, "+"),
    (Op::Subtract, "-"),
    (Op::Multiply, "*"),
    (Op::Divide, "/"),
    (Op::Remainder, "%"),
    (Op::Power, "**"),
    (Op::ShiftLeft, "<<"),
    (Op::ShiftRight, ">>"),
    (Op::And, "&"),
    (Op::Or, "|"),
    (Op::Xor, "^"),
    (Op::Less, "<"),
    (Op::LessEqual, "<="),
    (Op::Greater, ">"),
    (Op::GreaterEqual, ">="),
    (Op::Equal, "=="),
    (Op::NotEqual, "!="),
    (Op::Range, ".."),
    (Op::RangeInclusive, "..="),
];

/// Values of every type, as scripts write them.
const VALUES: [&str; 52] = [
    "()",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2",
    "63",
    "64",
    "65",
    "9223372036854775807",
    "(-9223372036854775807 - 1)",
    "4294967296",
    "0.0",
    "-0.0",
    "1.0",
    "1.0000000000000002",
    "-2.5",
    "1e300",
    "1e-300",
    "0.1 + 0.2",
    "0.3",
    "1.0 / 0.0",
    "0.0 / 0.0",
    "12345678901234.0",
    "'a'",
    "'é'",
    "\"\"",
    "\"a\"",
    "\"ab\"",
    "\"é\"",
    "\"fourteen bytes\"",
    "\"fifteen bytes .\"",
    "\"a longer text with \\\"quotes\\\" and a\\nline\"",
    "[]",
    "[1, 2]",
    "[1, 2.0, \"x\", 'c', (), true]",
    "[1, [2, [3]], #{a: 1}]",
    "[Fn(\"f\")]",
    "#{}",
    "#{a: 1}",
    "#{a: 1.0}",
    "#{b: \"x\", a: [1, #{c: ()}]}",
    "#{a: Fn(\"f\"), b: 2}",
    "blob(0, 0)",
    "blob(3, 65)",
    "Fn(\"f\")",
    "0..3",
    "0..=3",
    "(1..)",
    "parse_json(\"{\\\"b\\\": 1, \\\"a\\\": null}\")",
    "\"x\".to_blob()",
];

fn values(engine: &Engine) -> Vec<(&'static str, Dynamic)> {
    VALUES.iter().map(|script| (*script, engine.eval::<Dynamic>(script).unwrap())).collect()
}

/// All that scripts can tell of a value.
fn shown(value: &Dynamic) -> String {
    format!("{value:?} {}", value.type_name())
}

fn shown_own(value: &Value) -> String {
    format!("{:?} {}", value.to_rhai(), value.type_name())
}

#[test]
fn operators_give_what_rhais_give() {
    let engine = Engine::new();
    let values = values(&engine);
    let mut known = 0;
    for (left_script, left) in &values {
        for (right_script, right) in &values {
            for (op, symbol) in OPS {
                let mut scope = Scope::new();
                scope.push_dynamic("x", left.clone()).push_dynamic("y", right.clone());
                let (own_left, own_right) = (Value::of_ref(left), Value::of_ref(right));
                if let Some(own) = binary(op, &own_left, &own_right) {
                    known += 1;
                    let theirs = engine.eval_with_scope::<Dynamic>(&mut scope, &format!("x {symbol} y"));
                    let theirs = theirs.map_or_else(|error| error.to_string(), |value| shown(&value));
                    assert_eq!(shown_own(&own), theirs, "{left_script} {symbol} {right_script}");
                    assert_eq!(own.sizes(), Sizes::of(&own.to_rhai()), "{left_script} {symbol} {right_script}");
                }
                let is_assignment = !matches!(symbol, "<" | "<=" | ">" | ">=" | "==" | "!=" | ".." | "..=");
                if is_assignment {
                    let mut own = own_left.clone();
                    let is_done = assign(op, &mut own, &own_right);
                    let theirs = match is_done {
                        true => engine
                            .eval_with_scope::<Dynamic>(&mut scope, &format!("x {symbol}= y; x"))
                            .map_or_else(|error| error.to_string(), |value| shown(&value)),
                        false => shown(left),
                    };
                    assert_eq!(shown_own(&own), theirs, "{left_script} {symbol}= {right_script}");
                    assert_eq!(own.sizes(), Sizes::of(&own.to_rhai()), "{left_script} {symbol}= {right_script}");
                    assert_eq!(shown_own(&own_left), shown(left), "the other holder sees no change");
                }
            }
        }
    }
    assert!(known > 12_000, "{known}");
}

#[test]
fn what_scripts_write_mostly_needs_no_rhai() {
    for (left, op, right) in [
        (Value::from("a"), Op::Add, Value::Int(1)),
        (Value::Float(1.5), Op::Add, Value::from(" of them")),
        (Value::from("a"), Op::Equal, Value::Unit),
        (Value::from("a"), Op::Less, Value::from("b")),
        (Value::list(vec![]), Op::Add, Value::list(vec![Value::Int(1)])),
        (Value::Map(Rc::default()), Op::NotEqual, Value::Map(Rc::default())),
        (Value::Int(1), Op::Range, Value::Int(3)),
        (Value::Char('a'), Op::Add, Value::from("b")),
    ] {
        assert!(binary(op, &left, &right).is_some(), "{left:?} {op:?} {right:?}");
        let mut place = left.clone();
        assert!(op != Op::Add || assign(op, &mut place, &right), "{left:?} {op:?}= {right:?}");
    }
}

#[test]
fn texts_are_what_rhai_shows() {
    let engine = Engine::new();
    for (script, value) in values(&engine) {
        for name in ["to_string", "to_debug"] {
            let mut scope = Scope::new();
            scope.push_dynamic("x", value.clone());
            let theirs = engine.eval_with_scope::<String>(&mut scope, &format!("x.{name}()")).unwrap();
            let mut text = String::from("> ");
            let own = Value::of_ref(&value);
            let is_known = if name == "to_string" { own.print(&mut text, 1000) } else { own.debug(&mut text, 1000) };
            assert!(is_known, "{script}");
            assert_eq!(text, format!("> {theirs}"), "{name} of {script}");
            let mut text = String::from("> ");
            if theirs.len() > 16 && own.as_str().is_none() && own.sizes() != Sizes::default() {
                assert!(!own.print(&mut text, 6), "{script}");
                assert_eq!(text, "> ");
            }
        }
    }
}

#[test]
fn indexes_are_rhais() {
    let engine = Engine::new();
    let values = values(&engine);
    let more = ["-2..1", "-9..2", "1..1", "1..=1", "0..=0", "1..=2", "0..-1", "2..9", "-3", "3", "\"b\"", "\"zzz\""];
    let more = more.map(|script| (script, engine.eval::<Dynamic>(script).unwrap()));
    for (script, value) in &values {
        for (index_script, index) in values.iter().chain(&more) {
            let mut scope = Scope::new();
            scope.push_dynamic("x", value.clone()).push_dynamic("i", index.clone());
            let (own, own_index) = (Value::of_ref(value), Value::of_ref(index));
            let theirs = engine.eval_with_scope::<Dynamic>(&mut scope, "x[i]");
            match (path::index(&own, &own_index), theirs) {
                (Some(own), theirs) => assert_eq!(shown_own(&own), shown(&theirs.unwrap()), "{script}[{index_script}]"),
                (None, Ok(_)) => assert!(matches!(own, Value::Int(_)), "{script}[{index_script}]"),
                (None, Err(_)) => {}
            }
        }
    }
}

#[test]
fn hashes_are_those_of_rhais_switch() {
    use std::hash::{Hash, Hasher};
    let engine = Engine::new();
    for (script, value) in values(&engine) {
        let mut hasher = ahash::AHasher::default();
        value.hash(&mut hasher);
        let own = Value::of_ref(&value).switch_hash();
        assert!(own == Some(hasher.finish()) || own.is_none() && script.contains("Fn(") && script != "Fn(\"f\")", "{script}");
    }
    assert_eq!(Value::of(Dynamic::from(std::time::Duration::ZERO)).switch_hash(), None);
}

fn dynamic() -> impl Strategy<Value = Dynamic> {
    let leaf = prop_oneof![
        Just(Dynamic::UNIT),
        any::<bool>().prop_map(Dynamic::from),
        any::<i64>().prop_map(Dynamic::from),
        (-3_i64..3).prop_map(Dynamic::from),
        any::<f64>().prop_map(Dynamic::from),
        any::<char>().prop_map(Dynamic::from),
        "[a-z é]{0,20}".prop_map(Dynamic::from),
        vec(any::<u8>(), 0..20).prop_map(Dynamic::from_blob),
        Just(FnPtr::new("f").unwrap().into()),
        (0_i64..9, 0_i64..9).prop_map(|(from, to)| Dynamic::from(from..to)),
    ];
    leaf.prop_recursive(4, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Dynamic::from_array),
            vec(("[a-f]{1,2}", inner.clone()), 0..8)
                .prop_map(|entries| Dynamic::from_map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())),
            vec(inner, 0..2).prop_map(|curried| {
                let mut pointer = FnPtr::new("f").unwrap();
                pointer.set_curry(curried);
                pointer.into()
            }),
        ]
    })
}

/// What is done to a map or an array.
#[derive(Debug, Clone)]
enum Change {
    Set(String, Dynamic),
    SetDeep(String, String, Dynamic),
    Remove(String),
    Property(String, Dynamic),
    Push(Dynamic),
    SetAt(i64, Dynamic),
    Pop,
    Insert(usize, Dynamic),
}

fn change() -> impl Strategy<Value = Change> {
    let key = || "[a-h]{1}|[a-h]{9}";
    prop_oneof![
        (key(), dynamic()).prop_map(|(key, value)| Change::Set(key, value)),
        (key(), key(), dynamic()).prop_map(|(outer, key, value)| Change::SetDeep(outer, key, value)),
        key().prop_map(Change::Remove),
        (key(), dynamic()).prop_map(|(key, value)| Change::Property(key, value)),
        dynamic().prop_map(Change::Push),
        (-3_i64..3, dynamic()).prop_map(|(index, value)| Change::SetAt(index, value)),
        Just(Change::Pop),
        (0_usize..3, dynamic()).prop_map(|(index, value)| Change::Insert(index, value)),
    ]
}

proptest! {
    #[test]
    fn there_and_back_is_the_same(value in dynamic()) {
        let own = Value::of_ref(&value);
        prop_assert_eq!(shown(&own.to_rhai()), shown(&value));
        prop_assert_eq!(own.sizes(), Sizes::of(&value));
        prop_assert_eq!(shown(&Value::of(value.clone()).into_rhai()), shown(&value));
    }

    /// The first is changed, the second is a copy from before, and Rhai's map tells what must come out.
    #[test]
    fn copies_are_independent_and_sizes_carried(changes in vec(change(), 0..40), copy_at in 0_usize..40) {
        let (mut map, mut theirs) = (Value::Map(Rc::default()), RhaiMap::new());
        let mut copy = None;
        for (number, change) in changes.into_iter().enumerate() {
            if number == copy_at {
                copy = Some((map.clone(), Dynamic::from_map(theirs.clone())));
            }
            change_map(&mut map, &mut theirs, change);
            let theirs = Dynamic::from_map(theirs.clone());
            prop_assert_eq!(shown_own(&map), shown(&theirs));
            prop_assert_eq!(map.sizes(), Sizes::of(&theirs));
        }
        if let Some((copy, theirs)) = copy {
            prop_assert_eq!(shown_own(&copy), shown(&theirs));
        }
    }

    #[test]
    fn arrays_change_as_rhais(changes in vec(change(), 0..40)) {
        let (mut list, mut theirs) = (List::default(), Array::new());
        let copy = Value::List(Rc::new(list.clone()));
        for change in changes {
            match change {
                Change::Push(value) => {
                    list.push(Value::of_ref(&value));
                    theirs.push(value);
                }
                Change::SetAt(index, value) => {
                    if let Some(place) = path::place(index, theirs.len()) {
                        list.set(place, Value::of_ref(&value));
                        theirs[place] = value;
                    }
                }
                Change::Pop => prop_assert_eq!(list.pop().is_some(), theirs.pop().is_some()),
                Change::Insert(index, value) => {
                    list.insert(index, Value::of_ref(&value));
                    theirs.insert(index.min(theirs.len()), value);
                }
                _ => {
                    let other = list.clone();
                    list.append(&other);
                    theirs.extend(theirs.clone());
                    list.truncate(9);
                    theirs.truncate(9);
                }
            }
            let (own, theirs) = (Value::List(Rc::new(list.clone())), Dynamic::from_array(theirs.clone()));
            prop_assert_eq!(shown_own(&own), shown(&theirs));
            prop_assert_eq!(own.sizes(), Sizes::of(&theirs));
        }
        prop_assert_eq!(shown_own(&copy), shown(&Dynamic::from_array(vec![])));
    }
}

fn change_map(map: &mut Value, theirs: &mut RhaiMap, change: Change) {
    let Value::Map(map) = map else { return };
    let map = Rc::make_mut(map);
    match change {
        Change::Set(key, value) => {
            let (before, theirs) = (map.insert(&key, Value::of_ref(&value)), theirs.insert(key.into(), value));
            assert_eq!(before.map(|value| shown_own(&value)), theirs.map(|value| shown(&value)));
        }
        Change::Property(key, value) => {
            let (before, theirs) = (map.insert_at(&Key::new(&key), Value::of_ref(&value)), theirs.insert(key.into(), value));
            assert_eq!(before.map(|value| shown_own(&value)), theirs.map(|value| shown(&value)));
        }
        Change::SetDeep(outer, key, value) => {
            map.change_at(&Key::new(&outer), |inner| {
                if let Value::Map(inner) = inner {
                    Rc::make_mut(inner).insert(&key, Value::of_ref(&value));
                }
            });
            if let Some(mut inner) = theirs.get_mut(outer.as_str()).and_then(|inner| inner.as_map_mut().ok()) {
                inner.insert(key.into(), value);
            }
        }
        Change::Remove(key) => {
            let removed = map.remove(&key);
            assert_eq!(removed.map(|value| shown_own(&value)), theirs.remove(key.as_str()).map(|value| shown(&value)));
        }
        _ => {}
    }
}

#[test]
fn maps_of_any_number_of_keys_are_the_same() {
    for count in [0, 1, 3, 4, 5, 16, 17, 40, 64, 65, 200] {
        let entries = || (0..count).map(|number| (format!("key{}", number * 7 % count.max(1)), Value::Int(number)));
        let (read, mut computed) = (entries().collect::<Map>(), Map::default());
        entries().for_each(|(key, value)| drop(computed.insert(&key, value)));
        assert_eq!(read.len(), count as usize);
        assert!(read.iter().zip(computed.iter()).all(|(left, right)| left.0 == right.0 && left.1.equals(right.1) == Some(true)));
        assert!(read.keys().is_sorted());
        assert_eq!((read.equals(&computed), read.sizes()), (Some(true), computed.sizes()));
        for number in 0..count {
            let key = format!("key{number}");
            assert!(read.find(&Key::new(&key)).is_some() && read.get(&key).is_some());
            assert!(computed.remove(&key).is_some() && computed.get(&key).is_none());
            assert_eq!(computed.len(), (count - number - 1) as usize);
        }
        assert_eq!(computed.sizes(), Sizes::default());
    }
}

#[test]
fn random_keys_do_not_grow_the_lists_without_end() {
    let map = |seed: usize| (0..8).map(|number| (format!("{seed}-{number}"), Value::Unit)).collect::<Map>();
    let maps: Vec<Map> = (0..2_000).map(map).collect();
    for (seed, map) in maps.iter().enumerate() {
        assert!(map.len() == 8 && map.get(&format!("{seed}-3")).is_some());
    }
    super::end_run();
    assert!(maps.iter().all(|map| map.keys().count() == 8));
    assert!(map(0).find(&Key::new("0-7")).is_some());
}

#[test]
fn deep_values_are_dropped() {
    let mut value = Value::Unit;
    for level in 0..1_000_000 {
        value = match level % 3 {
            0 => Value::list(vec![value]),
            1 => Value::Map(Rc::new([("a", value)].into_iter().collect())),
            _ => Value::Shared(Rc::new(super::Shared::new(value))),
        };
    }
    drop(value);
}
