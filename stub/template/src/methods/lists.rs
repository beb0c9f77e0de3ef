//! Methods of `list` and `tuple`.

use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{List, MAX_ITEMS, Value, equal, iterate, wrap_index};

pub(super) const NAMES: &[&str] = &[
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse",
    "sort",
];

pub(super) fn call(
    interp: &mut Interp<'_>,
    list: &List,
    name: &str,
    args: Args,
) -> Result<Value, Error> {
    match name {
        "append" => {
            let [item] = args.bind("append", ["object"], 1)?;
            grow(list, vec![item.or_none()])?;
        }
        "extend" => {
            let [items] = args.bind("extend", ["iterable"], 1)?;
            grow(list, iterate(&items.or_none())?)?;
        }
        "clear" => list.edit(Vec::clear),
        "copy" => return Ok(Value::list(list.to_vec())),
        "insert" => {
            let [index, item] = args.bind("insert", ["index", "object"], 2)?;
            let length = list.len();
            let index = wrap_index(index.int_or(0)?, length).clamp(0, length as i64) as usize;
            list.edit(|items| items.insert(index, item.or_none()));
        }
        "pop" => {
            let [index] = args.bind("pop", ["index"], 0)?;
            let length = list.len();
            if length == 0 {
                return Err(Error::value("pop from empty list"));
            }
            let index = usize::try_from(wrap_index(index.int_or(-1)?, length))
                .ok()
                .filter(|i| *i < length);
            let index = index.ok_or_else(|| Error::value("pop index out of range"))?;
            let item = list.edit(|items| items.remove(index));
            return interp.resolve(item);
        }
        "remove" => {
            let [item] = args.bind("remove", ["value"], 1)?;
            let found = position(&list.to_vec(), &item.or_none(), 0)?;
            let index = found.ok_or_else(|| Error::value("list.remove(x): x not in list"))?;
            list.edit(|items| items.remove(index));
        }
        "reverse" => list.edit(|items| items.reverse()),
        "sort" => {
            let [key, reverse] = args.bind("sort", ["key", "reverse"], 0)?;
            if !matches!(key, None | Some(Value::None)) {
                return Err(Error::type_error(
                    "sort() with a key function is not possible in a template",
                ));
            }
            let sorted = crate::filters::sort_values(list.to_vec(), reverse.truth_or(false)?)?;
            list.edit(|items| *items = sorted);
        }
        _ => return call_tuple(&list.to_vec(), name, args),
    }
    Ok(Value::None)
}

fn grow(list: &List, more: Vec<Value>) -> Result<(), Error> {
    if list.len() + more.len() > MAX_ITEMS {
        return Err(Error::limit("the list is too long"));
    }
    list.edit(|items| items.extend(more));
    Ok(())
}

/// What lists and tuples have in common.
pub(super) fn call_tuple(items: &[Value], name: &str, args: Args) -> Result<Value, Error> {
    if name == "count" {
        let [wanted] = args.bind("count", ["value"], 1)?;
        let wanted = wanted.or_none();
        let mut count = 0;
        for item in items {
            count += usize::from(equal(item, &wanted)?);
        }
        return Ok(Value::count(count));
    }
    let [wanted, start] = args.bind("index", ["value", "start"], 1)?;
    let wanted = wanted.or_none();
    let start = wrap_index(start.int_or(0)?, items.len()).max(0) as usize;
    match position(items, &wanted, start)? {
        Some(index) => Ok(Value::count(index)),
        None => Err(Error::value(format!(
            "{} is not in list",
            crate::value::repr(&wanted)?
        ))),
    }
}

fn position(items: &[Value], wanted: &Value, start: usize) -> Result<Option<usize>, Error> {
    for (index, item) in items.iter().enumerate().skip(start) {
        if equal(item, wanted)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}
