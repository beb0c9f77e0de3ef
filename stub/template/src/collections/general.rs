//! Filters of community.general.

use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::filters::{Filter, filter, sort_keyed};
use crate::value::{Dict, Key, Value, contains, equal, iterate, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("counter", counter),
    filter("crc32", crc32),
    filter("dict", dict),
    filter("dict_kv", dict_kv),
    filter("groupby_as_dict", groupby_as_dict),
    filter("lists_difference", |_, v, args| {
        several(&v, args, "difference")
    }),
    filter("lists_intersect", |_, v, args| {
        several(&v, args, "intersect")
    }),
    filter("lists_mergeby", lists_mergeby),
    filter("lists_union", |_, v, args| several(&v, args, "union")),
    filter("random_mac", random_mac),
    filter("version_sort", version_sort),
];

fn dict(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("dict")?;
    let dict = Dict::new();
    crate::globals::update(&dict, &value)?;
    Ok(Value::Dict(dict))
}

fn dict_kv(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [key] = args.bind("dict_kv", ["key"], 1)?;
    let dict = Dict::new();
    dict.insert(Key::new(key.or_none())?, value);
    Ok(Value::Dict(dict))
}

fn counter(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("counter")?;
    if !matches!(
        value,
        Value::List(_) | Value::Tuple(_) | Value::Str(_) | Value::Dict(_)
    ) {
        return Err(Error::type_error(format!(
            "Argument for community.general.counter must be a sequence (string or list). {} is not a sequence",
            to_text(&value)?
        )));
    }
    let dict = Dict::new();
    for item in iterate(&value)? {
        let count = dict.get(&item)?.and_then(|v| v.as_int()).unwrap_or(0);
        dict.insert(Key::new(item)?, Value::Int(count + 1));
    }
    Ok(Value::Dict(dict))
}

fn crc32(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("crc32")?;
    let mut sum = u32::MAX;
    for byte in to_text(&value)?.bytes() {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ (0xedb8_8320 & 0u32.wrapping_sub(sum & 1));
        }
    }
    Ok(Value::from(format!("{:x}", !sum)))
}

fn groupby_as_dict(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [attribute] = args.bind("groupby_as_dict", ["attribute"], 1)?;
    let attribute = attribute.or_none();
    let out = Dict::new();
    for (index, item) in iterate(&value)?.into_iter().enumerate() {
        let Value::Dict(fields) = &item else {
            return Err(Error::type_error(format!(
                "Sequence element #{index} is not a mapping"
            )));
        };
        let key = fields.get(&attribute)?.ok_or_else(|| {
            let shown = to_text(&attribute).unwrap_or_default();
            Error::value(format!(
                "Attribute not contained in element #{index} of sequence: {shown}"
            ))
        })?;
        if out.get(&key)?.is_some() {
            return Err(Error::value(format!(
                "Multiple sequence entries have attribute value {}",
                crate::value::repr(&key)?
            )));
        }
        out.insert(Key::new(key)?, item);
    }
    Ok(Value::Dict(out))
}

/// What is in all lists, in any, or in the first alone, each once.
fn several(value: &Value, mut args: Args, how: &str) -> Result<Value, Error> {
    let flatten = args.take("flatten").truth_or(false)?;
    let mut lists = vec![value.clone()];
    lists.extend(args.positional);
    if flatten {
        let mut flat = Vec::new();
        for list in lists {
            let inner = iterate(&list)?;
            match inner.first() {
                Some(Value::List(_) | Value::Tuple(_)) => flat.extend(inner),
                _ => flat.push(list),
            }
        }
        lists = flat;
    }
    let mut lists = lists.into_iter();
    let mut found = iterate(&lists.next().unwrap_or(Value::None))?;
    for list in lists {
        let items = iterate(&list)?;
        if how == "union" {
            found.extend(items);
            continue;
        }
        let list = Value::list(items);
        let mut kept = Vec::new();
        for item in found {
            if contains(&list, &item)? == (how == "intersect") {
                kept.push(item);
            }
        }
        found = kept;
    }
    let mut once: Vec<Value> = Vec::new();
    for item in found {
        let mut known = false;
        for other in &once {
            known = known || equal(other, &item)?;
        }
        if !known {
            once.push(item);
        }
    }
    Ok(Value::list(once))
}

fn lists_mergeby(interp: &mut Interp<'_>, value: Value, mut args: Args) -> Result<Value, Error> {
    let recursive = args.take("recursive");
    let list_merge = args.take("list_merge");
    let index = args
        .take("index")
        .or_else(|| args.positional.pop())
        .or_none();
    let mut lists = vec![value];
    lists.extend(args.positional);
    let mut order = Vec::new();
    let merged = Dict::new();
    for list in lists {
        let mut items = Vec::new();
        // A list of lists stands for its lists.
        for item in iterate(&list)? {
            match &item {
                Value::List(_) => items.extend(iterate(&item)?),
                _ => items.push(item),
            }
        }
        for item in items {
            let Value::Dict(fields) = &item else {
                return Err(Error::type_error(format!(
                    "Elements of list arguments for lists_mergeby must be dictionaries. {} is {}",
                    crate::value::repr(&item)?,
                    item.type_name()
                )));
            };
            let Some(key) = fields.get(&index)? else {
                continue;
            };
            let item = match merged.get(&key)? {
                None => {
                    order.push((key.clone(), key.clone()));
                    item
                }
                Some(known) => {
                    let mut args = Args::of(vec![item]);
                    for (name, given) in [("recursive", &recursive), ("list_merge", &list_merge)] {
                        args.keywords
                            .extend(given.clone().map(|v| (name.into(), v)));
                    }
                    interp.apply_named("combine", known, args)?
                }
            };
            merged.insert(Key::new(key)?, item);
        }
    }
    let sorted = sort_keyed(order, false)?;
    let items: Result<Vec<_>, Error> = sorted
        .iter()
        .map(|key| Ok(merged.get(key)?.unwrap_or(Value::None)))
        .collect();
    items.map(Value::list)
}

fn random_mac(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [seed] = args.bind("random_mac", ["seed"], 0)?;
    let prefix = to_text(&value)?;
    let parts: Vec<&str> = prefix.trim_end_matches(':').split(':').collect();
    let byte =
        |part: &&str| !part.is_empty() && part.len() <= 2 && u8::from_str_radix(part, 16).is_ok();
    if !matches!(value, Value::Str(_)) || parts.len() > 5 || !parts.iter().all(byte) {
        return Err(Error::value(format!(
            "Invalid value ({prefix}) for random_mac: not a hexa decimal byte"
        )));
    }
    // Ten digits are drawn, of which as many are used as are missing.
    let mut args = Args::default();
    args.keywords.push(("start".into(), Value::Int(1 << 36)));
    args.keywords.extend(seed.map(|seed| ("seed".into(), seed)));
    let drawn = interp.apply_named("random", Value::Int(1 << 40), args)?;
    let digits = format!("{:010x}", drawn.as_int().unwrap_or(0));
    let mut out: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
    let missing = 6 - out.len();
    out.extend((0..missing).map(|at| digits[2 * at..2 * at + 2].to_owned()));
    Ok(Value::from(out.join(":")))
}

fn version_sort(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [reverse] = args.bind("version_sort", ["reverse"], 0)?;
    let mut keyed = Vec::new();
    for item in iterate(&value)? {
        keyed.push((crate::predicates::loose_key(&to_text(&item)?), item));
    }
    Ok(Value::list(sort_keyed(keyed, reverse.truth_or(false)?)?))
}
