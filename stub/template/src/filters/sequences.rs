//! Filters that look at sequences as a whole: order, grouping, pairing.

use super::attribute::Attribute;
use super::{Filter, filter};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Dict, Key, MAX_DATA_DEPTH, MAX_ITEMS, Value, binary, equal, iterate, order};

pub(super) const TABLE: &[Filter] = &[
    filter("batch", batch),
    filter("combinations", combinations),
    filter("difference", |_, a, args| set_filter("difference", a, args)),
    filter("first", first),
    filter("flatten", flatten),
    filter("groupby", groupby),
    filter("intersect", |_, a, args| set_filter("intersect", a, args)),
    filter("last", last),
    filter("max", |interp, v, args| extreme(interp, v, args, "max")),
    filter("min", |interp, v, args| extreme(interp, v, args, "min")),
    filter("permutations", permutations),
    filter("product", product),
    filter("reverse", reverse),
    filter("slice", slice),
    filter("sort", sort),
    filter("sum", sum),
    filter("symmetric_difference", |_, a, args| {
        set_filter("symmetric_difference", a, args)
    }),
    filter("union", |_, a, args| set_filter("union", a, args)),
    filter("unique", unique),
    filter("zip", zip),
    filter("zip_longest", zip_longest),
];

fn first(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("first")?;
    match iterate(&value)?.into_iter().next() {
        Some(item) => interp.resolve_or_undefined(item),
        None => Ok(super::undefined("No first item, sequence was empty.")),
    }
}

fn last(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("last")?;
    match iterate(&value)?.pop() {
        Some(item) => interp.resolve_or_undefined(item),
        None => Ok(super::undefined("No last item, sequence was empty.")),
    }
}

fn flatten(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [levels, skip_nulls] = args.bind("flatten", ["levels", "skip_nulls"], 0)?;
    let mut out = Vec::new();
    flatten_into(
        &value,
        levels.int()?,
        skip_nulls.truth_or(true)?,
        &mut out,
        0,
    )?;
    Ok(Value::list(out))
}

fn flatten_into(
    value: &Value,
    levels: Option<i64>,
    skip_nulls: bool,
    out: &mut Vec<Value>,
    depth: usize,
) -> Result<(), Error> {
    if depth > MAX_DATA_DEPTH {
        return Err(Error::value("the list is nested too deeply"));
    }
    for item in iterate(value)? {
        let is_null = match &item {
            Value::None => true,
            Value::Str(text) => matches!(text.as_str(), "None" | "null"),
            _ => false,
        };
        match &item {
            _ if is_null && skip_nulls => {}
            Value::List(_) | Value::Tuple(_) if levels.is_none_or(|levels| levels >= 1) => {
                flatten_into(
                    &item,
                    levels.map(|levels| levels - 1),
                    skip_nulls,
                    out,
                    depth + 1,
                )?;
            }
            _ => out.push(item),
        }
        if out.len() > MAX_ITEMS {
            return Err(Error::limit("the list is too long"));
        }
    }
    Ok(())
}

/// What `with_flattened` does with its terms.
pub(crate) fn flatten_terms(terms: &[Value]) -> Result<Vec<Value>, Error> {
    let mut out = Vec::new();
    flatten_into(&Value::list(terms.to_vec()), None, true, &mut out, 0)?;
    Ok(out)
}

/// Python's `sorted`: stable, and an error for values that have no order.
pub(crate) fn sort_values(items: Vec<Value>, reverse: bool) -> Result<Vec<Value>, Error> {
    let keyed = items.into_iter().map(|item| (item.clone(), item)).collect();
    sort_keyed(keyed, reverse)
}

/// Sorts by keys.
pub(crate) fn sort_keyed(
    mut items: Vec<(Value, Value)>,
    reverse: bool,
) -> Result<Vec<Value>, Error> {
    let mut failure = None;
    items.sort_by(|(a, _), (b, _)| {
        let (a, b) = if reverse { (b, a) } else { (a, b) };
        // Python asks whether the later one is less than the earlier one.
        match order(b, a, "<") {
            Ok(order) => order.unwrap_or(std::cmp::Ordering::Equal).reverse(),
            Err(error) => {
                failure.get_or_insert(error);
                std::cmp::Ordering::Equal
            }
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(items.into_iter().map(|(_, item)| item).collect()),
    }
}

/// Text without regard to case; other values as they are.
pub(super) fn fold_case(value: Value, case_sensitive: bool) -> Value {
    match &value {
        Value::Str(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => value,
    }
}

fn sort(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [reverse, case, attribute] =
        args.bind("sort", ["reverse", "case_sensitive", "attribute"], 0)?;
    let case = case.truth_or(false)?;
    let attributes: Vec<Attribute> = match &attribute {
        None | Some(Value::None) => Vec::new(),
        Some(Value::Str(names)) => names.split(',').map(Attribute::parse).collect(),
        Some(other) => vec![Attribute::new(other)?],
    };
    let mut keyed = Vec::new();
    for item in iterate(&value)? {
        let mut keys = Vec::with_capacity(attributes.len());
        for attribute in &attributes {
            keys.push(fold_case(attribute.get(interp, &item)?.strict()?, case));
        }
        let key = match keys.len() {
            0 => fold_case(item.clone().strict()?, case),
            1 => keys.remove(0),
            _ => Value::list(keys),
        };
        keyed.push((key, item));
    }
    sort_keyed(keyed, reverse.truth_or(false)?).map(Value::list)
}

fn extreme(
    interp: &mut Interp<'_>,
    value: Value,
    args: Args,
    name: &'static str,
) -> Result<Value, Error> {
    let [case, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0)?;
    let case = case.truth_or(false)?;
    let attribute = attribute
        .filter(|a| !matches!(a, Value::None))
        .map(|a| Attribute::new(&a))
        .transpose()?;
    let mut best: Option<(Value, Value)> = None;
    for item in iterate(&value)? {
        let key = match &attribute {
            Some(attribute) => attribute.get(interp, &item)?,
            None => item.clone(),
        };
        let key = fold_case(key.strict()?, case);
        let better = match &best {
            None => true,
            Some((current, _)) if name == "min" => {
                order(&key, current, "<")? == Some(std::cmp::Ordering::Less)
            }
            Some((current, _)) => order(&key, current, ">")? == Some(std::cmp::Ordering::Greater),
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(
        || super::undefined("No aggregated item, sequence was empty."),
        |(_, item)| item,
    ))
}

fn sum(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [attribute, start] = args.bind("sum", ["attribute", "start"], 0)?;
    let attribute = attribute
        .filter(|a| !matches!(a, Value::None))
        .map(|a| Attribute::new(&a))
        .transpose()?;
    let mut total = start.unwrap_or(Value::Int(0));
    if matches!(total, Value::Str(_)) {
        return Err(Error::type_error(
            "sum() can't sum strings [use ''.join(seq) instead]",
        ));
    }
    for item in iterate(&value)? {
        let item = match &attribute {
            Some(attribute) => attribute.get(interp, &item)?,
            None => item,
        };
        total = binary("+", &total, &item)?;
    }
    Ok(total)
}

fn reverse(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("reverse")?;
    if let Value::Str(text) = &value {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut items = iterate(&value).map_err(|_| Error::type_error("argument must be iterable"))?;
    items.reverse();
    Ok(Value::list(items))
}

fn batch(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [size, fill] = args.bind("batch", ["linecount", "fill_with"], 1)?;
    let size = usize::try_from(size.int_or(1)?)
        .unwrap_or(0)
        .clamp(1, MAX_ITEMS);
    let mut rows: Vec<Vec<Value>> = iterate(&value)?
        .chunks(size)
        .map(<[Value]>::to_vec)
        .collect();
    if let (Some(fill), Some(last)) = (
        fill.filter(|fill| !matches!(fill, Value::None)),
        rows.last_mut(),
    ) {
        last.resize(size, fill);
    }
    Ok(Value::list(rows.into_iter().map(Value::list).collect()))
}

fn slice(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [slices, fill] = args.bind("slice", ["slices", "fill_with"], 1)?;
    let slices = usize::try_from(slices.int_or(1)?)
        .unwrap_or(0)
        .min(MAX_ITEMS);
    if slices == 0 {
        return Err(Error::value("integer division or modulo by zero"));
    }
    let fill = fill.filter(|fill| !matches!(fill, Value::None));
    let items = iterate(&value)?;
    let (each, extra) = (items.len() / slices, items.len() % slices);
    let mut rows = Vec::with_capacity(slices);
    let mut at = 0;
    for index in 0..slices {
        let length = each + usize::from(index < extra);
        let mut row = items[at..at + length].to_vec();
        at += length;
        if let (Some(fill), true) = (&fill, index >= extra && extra > 0) {
            row.push(fill.clone());
        }
        rows.push(Value::list(row));
    }
    Ok(Value::list(rows))
}

fn groupby(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [attribute, default, case] =
        args.bind("groupby", ["attribute", "default", "case_sensitive"], 1)?;
    let attribute = Attribute::new(&attribute.or_none())?.with_default(default);
    let case = case.truth_or(false)?;
    let mut keyed = Vec::new();
    for item in iterate(&value)? {
        let key = attribute.get(interp, &item)?.strict()?;
        keyed.push((fold_case(key.clone(), case), Value::tuple(vec![key, item])));
    }
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for pair in sort_keyed(keyed, false)? {
        let Value::Tuple(pair) = pair else { continue };
        let folded = fold_case(pair[0].clone(), case);
        match groups.last_mut() {
            Some((known, _, items)) if equal(known, &folded)? => items.push(pair[1].clone()),
            _ => groups.push((folded, pair[0].clone(), vec![pair[1].clone()])),
        }
    }
    Ok(Value::list(
        groups
            .into_iter()
            .map(|(_, key, items)| super::group::group(key, items))
            .collect(),
    ))
}

fn unique(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [case, attribute] = args.bind("unique", ["case_sensitive", "attribute"], 0)?;
    // What cannot be a key is compared one by one, which Ansible does only with the plain filter.
    let fussy = matches!(case, Some(Value::Bool(false)));
    let case = case.truth_or(false)?;
    let attribute = attribute
        .filter(|a| !matches!(a, Value::None))
        .map(|a| Attribute::new(&a))
        .transpose()?;
    let fussy = fussy || attribute.is_some();
    let mut seen = Seen::default();
    let mut kept = Vec::new();
    for item in iterate(&value)? {
        let key = match &attribute {
            Some(attribute) => attribute.get(interp, &item)?,
            None => item.clone(),
        };
        let key = fold_case(key.strict()?, case);
        if fussy && Key::new(key.clone()).is_err() {
            return Err(Error::type_error(format!(
                "Jinja2's unique filter failed and we cannot fall back to Ansible's version as it does not support the parameters supplied: unhashable type: '{}'",
                key.type_name()
            )));
        }
        if seen.add(key)? {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

/// What was seen so far: quick for values that can be keys, a search for the others.
#[derive(Default)]
struct Seen {
    keys: Dict,
    others: Vec<Value>,
}

impl Seen {
    fn contains(&self, value: &Value) -> Result<bool, Error> {
        if Key::new(value.clone()).is_ok() {
            return Ok(self.keys.get(value)?.is_some());
        }
        for other in &self.others {
            if equal(other, value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// True if the value is new.
    fn add(&mut self, value: Value) -> Result<bool, Error> {
        if self.contains(&value)? {
            return Ok(false);
        }
        match Key::new(value.clone()) {
            Ok(key) => self.keys.insert(key, Value::None),
            Err(_) => self.others.push(value),
        }
        Ok(true)
    }
}

fn set_filter(name: &'static str, a: Value, args: Args) -> Result<Value, Error> {
    let [b] = args.bind(name, ["b"], 1)?;
    let (a, b) = (iterate(&a)?, iterate(&b.or_none())?);
    let known = |items: &[Value]| -> Result<Seen, Error> {
        let mut seen = Seen::default();
        for item in items {
            seen.add(item.clone().strict()?)?;
        }
        Ok(seen)
    };
    let (in_a, in_b) = (known(&a)?, known(&b)?);
    let mut added = Seen::default();
    let mut out = Vec::new();
    for (index, item) in a.iter().chain(&b).enumerate() {
        let from_a = index < a.len();
        let wanted = match name {
            "intersect" => from_a && in_b.contains(item)?,
            "difference" => from_a && !in_b.contains(item)?,
            "symmetric_difference" => in_a.contains(item)? != in_b.contains(item)?,
            _ => true,
        };
        if wanted && added.add(item.clone())? {
            out.push(item.clone());
        }
    }
    Ok(Value::list(out))
}

fn columns(name: &str, value: &Value, args: &Args) -> Result<Vec<Vec<Value>>, Error> {
    std::iter::once(value)
        .chain(&args.positional)
        .map(|list| iterate(list).map_err(|error| error.context(&format!("{name}: "))))
        .collect()
}

fn zip(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let columns = columns("zip", &value, &args)?;
    let shortest = columns.iter().map(Vec::len).min().unwrap_or(0);
    Ok(Value::list(
        (0..shortest)
            .map(|i| Value::tuple(columns.iter().map(|c| c[i].clone()).collect()))
            .collect(),
    ))
}

fn zip_longest(_: &mut Interp<'_>, value: Value, mut args: Args) -> Result<Value, Error> {
    let fill = args.take("fillvalue").or_none();
    let columns = columns("zip_longest", &value, &args)?;
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let row = |i: usize| {
        Value::tuple(
            columns
                .iter()
                .map(|c| c.get(i).unwrap_or(&fill).clone())
                .collect(),
        )
    };
    Ok(Value::list((0..longest).map(row).collect()))
}

fn product(_: &mut Interp<'_>, value: Value, mut args: Args) -> Result<Value, Error> {
    let repeat = usize::try_from(args.take("repeat").int_or(1)?)
        .unwrap_or(0)
        .min(64);
    let columns = columns("product", &value, &args)?;
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for column in std::iter::repeat_n(&columns, repeat).flatten() {
        if rows.len().saturating_mul(column.len()) > MAX_ITEMS {
            return Err(Error::limit("too many combinations"));
        }
        rows = rows
            .iter()
            .flat_map(|row| {
                column
                    .iter()
                    .map(move |item| [row.as_slice(), std::slice::from_ref(item)].concat())
            })
            .collect();
    }
    Ok(Value::list(rows.into_iter().map(Value::tuple).collect()))
}

fn permutations(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let items = iterate(&value)?;
    let [length] = args.bind("permutations", ["r"], 0)?;
    let length = choose_length(length.int_or(items.len() as i64)?)?;
    choose(&items, length, true)
}

fn combinations(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let items = iterate(&value)?;
    let [length] = args.bind("combinations", ["r"], 1)?;
    let length = choose_length(length.int_or(0)?)?;
    choose(&items, length, false)
}

fn choose_length(length: i64) -> Result<usize, Error> {
    usize::try_from(length).map_err(|_| Error::value("r must be non-negative"))
}

/// All ways to pick `length` items: in order of positions, with or without regard to order.
fn choose(items: &[Value], length: usize, ordered: bool) -> Result<Value, Error> {
    let mut out = Vec::new();
    if length > items.len() {
        return Ok(Value::list(out));
    }
    let mut picked: Vec<usize> = Vec::with_capacity(length);
    let mut next = 0;
    loop {
        if picked.len() == length {
            out.push(Value::tuple(
                picked.iter().map(|i| items[*i].clone()).collect(),
            ));
            if out.len() * length.max(1) > MAX_ITEMS {
                return Err(Error::limit("too many combinations"));
            }
            next = items.len();
        }
        while next < items.len() && ordered && picked.contains(&next) {
            next += 1;
        }
        if next < items.len() {
            picked.push(next);
            next = if ordered { 0 } else { next + 1 };
        } else {
            match picked.pop() {
                Some(last) => next = last + 1,
                None => return Ok(Value::list(out)),
            }
        }
    }
}
