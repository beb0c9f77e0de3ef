//! Methods of `dict`.

use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Dict, Key, Value, iterate, repr};

pub(super) const NAMES: &[&str] = &[
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

pub(super) fn call(
    interp: &mut Interp<'_>,
    dict: &Dict,
    name: &str,
    mut args: Args,
) -> Result<Value, Error> {
    match name {
        "get" => {
            let [key, default] = args.bind("get", ["key", "default"], 1)?;
            match dict.get(&key.or_none())? {
                Some(found) => interp.resolve_or_undefined(found),
                None => Ok(default.or_none()),
            }
        }
        "items" => args.none("items").map(|()| crate::filters::pairs(dict)),
        "keys" => args.none("keys").map(|()| Value::list(dict.keys())),
        "values" => args.none("values").map(|()| Value::list(dict.values())),
        "copy" => Ok(Value::Dict(Dict::from_map(dict.borrow().clone()))),
        "clear" => {
            dict.edit(|map| map.clear());
            Ok(Value::None)
        }
        "pop" => {
            let [key, default] = args.bind("pop", ["key", "default"], 1)?;
            let key = key.or_none();
            let wanted = Key::new(key.clone())?;
            match (dict.edit(|map| map.shift_remove(&wanted)), default) {
                (Some(found), _) => interp.resolve_or_undefined(found),
                (None, Some(default)) => Ok(default),
                (None, None) => Err(Error::value(repr(&key)?)),
            }
        }
        "popitem" => match dict.edit(|map| map.pop()) {
            Some((key, value)) => Ok(Value::tuple(vec![key.value().clone(), value])),
            None => Err(Error::value("'popitem(): dictionary is empty'")),
        },
        "setdefault" => {
            let [key, default] = args.bind("setdefault", ["key", "default"], 1)?;
            let key = key.or_none();
            if let Some(found) = dict.get(&key)? {
                return interp.resolve_or_undefined(found);
            }
            let value = default.or_none();
            dict.insert(Key::new(key)?, value.clone());
            Ok(value)
        }
        "fromkeys" => {
            let [keys, value] = args.bind("fromkeys", ["iterable", "value"], 1)?;
            let (made, value) = (Dict::new(), value.or_none());
            for key in iterate(&keys.or_none())? {
                made.insert(Key::new(key)?, value.clone());
            }
            Ok(Value::Dict(made))
        }
        _ => {
            let named = std::mem::take(&mut args.keywords);
            let [other] = args.bind("update", ["other"], 0)?;
            if let Some(other) = other {
                crate::globals::update(dict, &other)?;
            }
            for (name, value) in named {
                dict.insert(Key::from_str(name), value);
            }
            Ok(Value::None)
        }
    }
}
