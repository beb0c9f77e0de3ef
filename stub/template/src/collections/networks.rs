//! Arithmetic on networks: `ipsubnet`, `ipmath`, `nthhost`, `cidr_merge` and the like.

use super::address::Net;
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::filters::{Filter, filter};
use crate::value::{Value, iterate, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("cidr_merge", cidr_merge),
    filter("ip4_hex", ip4_hex),
    filter("ipmath", ipmath),
    filter("ipsubnet", ipsubnet),
    filter("network_in_network", network_in_network),
    filter("network_in_usable", network_in_usable),
    filter("next_nth_usable", |_, v, args| nth_usable(&v, args, true)),
    filter("nthhost", nthhost),
    filter("previous_nth_usable", |_, v, args| {
        nth_usable(&v, args, false)
    }),
    filter("reduce_on_network", reduce_on_network),
    filter("usable_range", usable_range),
];

/// The most addresses that are told one by one.
const MAX_LISTED: u128 = 1 << 20;

/// An offset from an address, where the result is one.
fn offset(net: &Net, from: u128, by: i64) -> Option<u128> {
    let moved = match by {
        0.. => from.checked_add(u128::from(by.unsigned_abs())),
        _ => from.checked_sub(u128::from(by.unsigned_abs())),
    };
    moved.filter(|bits| net.fits(*bits))
}

fn whole(value: &Value, what: &str) -> Result<i64, Error> {
    let number = match value {
        Value::Str(text) => text.trim().parse().ok(),
        other => other.as_int(),
    };
    number.ok_or_else(|| {
        Error::type_error(format!(
            "argument '{what}' is of type {} and we were unable to convert to int",
            value.type_name()
        ))
    })
}

fn nthhost(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [query] = args.bind("nthhost", ["query"], 0)?;
    let query = query.map_or(Ok(0), |v| whole(&v, "query"))?;
    let Some(net) = Net::from_value(&value) else {
        return Ok(Value::Bool(false));
    };
    let from = if query < 0 { net.last() } else { net.first() };
    let by = if query < 0 { query + 1 } else { query };
    Ok(match offset(&net, from, by) {
        Some(bits) if (net.first()..=net.last()).contains(&bits) => Value::from(net.show(bits)),
        _ => Value::Bool(false),
    })
}

fn ipmath(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [amount] = args.bind("ipmath", ["amount"], 1)?;
    let amount = whole(&amount.or_none(), "amount")?;
    let net = Net::from_value(&value).ok_or_else(|| {
        let shown = to_text(&value).unwrap_or_default();
        Error::value(format!(
            "You must pass a valid IP address; {shown} is invalid"
        ))
    })?;
    offset(&net, net.bits, amount)
        .map(|bits| Value::from(net.show(bits)))
        .ok_or_else(|| Error::value(format!("there is no address {amount} from {}", net.ip())))
}

fn ipsubnet(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [query, index] = args.bind("ipsubnet", ["query", "index"], 0)?;
    let Some(net) = Net::from_value(&value) else {
        return Ok(Value::Bool(false));
    };
    let query = query.text_or("")?;
    if query.is_empty() {
        return Ok(Value::from(net.network().cidr()));
    }
    let index = match index {
        None | Some(Value::None) => None,
        Some(Value::Str(text)) if text.is_empty() => None,
        Some(index) => Some(whole(&index, "index")?),
    };
    let Ok(prefix) = query.parse::<u32>() else {
        return rank(&net, &query);
    };
    if prefix > net.width() {
        return Err(Error::value(format!(
            "Requested subnet size of {query} is invalid"
        )));
    }
    if net.is_network() || net.written && net.span() > 0 {
        if prefix < net.prefix {
            return Err(Error::value(format!(
                "Requested subnet size of {query} is invalid"
            )));
        }
        return Ok(parts(&net.network(), prefix, index));
    }
    Ok(around(&net, prefix, index))
}

/// How many networks of a size are in one, or which they are.
fn parts(net: &Net, prefix: u32, index: Option<i64>) -> Value {
    let bits = prefix - net.prefix;
    let last = 1u128.checked_shl(bits).map_or(u128::MAX, |count| count - 1);
    let Some(index) = index else {
        return match last.checked_add(1) {
            Some(count) => Value::from(count.to_string()),
            None => Value::from("340282366920938463463374607431768211456"),
        };
    };
    let at = match index {
        0.. => Some(u128::from(index.unsigned_abs())),
        _ => last.checked_sub(u128::from(index.unsigned_abs()) - 1),
    };
    match at.filter(|at| *at <= last) {
        Some(at) => {
            let step = net.width() - prefix;
            let found = Net {
                bits: net.first() | at.checked_shl(step).unwrap_or(0),
                prefix,
                ..*net
            };
            Value::from(found.cidr())
        }
        None => Value::Bool(false),
    }
}

/// The networks around an address, from the largest to the smallest.
fn around(net: &Net, prefix: u32, index: Option<i64>) -> Value {
    let of = |prefix: u32| Net { prefix, ..*net }.network().cidr();
    let Some(index) = index else {
        return Value::from(of(prefix));
    };
    let from = i64::from(prefix);
    let at = if index < 0 {
        i64::from(net.width()) + index
    } else {
        from + index
    };
    match u32::try_from(at) {
        Ok(at) if at >= prefix && at < net.width() => Value::from(of(at)),
        _ => Value::Bool(false),
    }
}

/// The place of a network among those of its size in another.
fn rank(net: &Net, query: &str) -> Result<Value, Error> {
    let Some(within) = Net::parse(query).filter(|within| within.contains(&net.network())) else {
        return Ok(Value::Bool(false));
    };
    let step = net.width() - net.prefix;
    let distance = (net.first() - within.first())
        .checked_shr(step)
        .unwrap_or(0);
    Ok(Value::from(distance.saturating_add(1).to_string()))
}

fn cidr_merge(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [action] = args.bind("cidr_merge", ["action"], 0)?;
    let mut nets = Vec::new();
    for item in iterate(&value)? {
        let net = Net::from_value(&item).ok_or_else(|| {
            let shown = to_text(&item).unwrap_or_default();
            Error::value(format!(
                "cidr_merge: error in netaddr:\ninvalid IPNetwork {shown}"
            ))
        })?;
        nets.push(net.network());
    }
    match action.text_or("merge")?.as_str() {
        "merge" => Ok(Value::list(
            merged(nets)
                .iter()
                .map(|net| Value::from(net.cidr()))
                .collect(),
        )),
        "span" => match spanning(&nets) {
            Some(net) => Ok(Value::from(net.cidr())),
            None if nets.is_empty() => Ok(Value::None),
            None => Err(Error::value(
                "cidr_merge: error in netaddr:\nIPv4 and IPv6 networks have no common supernet",
            )),
        },
        other => Err(Error::value(format!(
            "cidr_merge: invalid action '{other}'"
        ))),
    }
}

/// The fewest networks with the same addresses, in order.
fn merged(mut nets: Vec<Net>) -> Vec<Net> {
    rustle_formats::order::sort_by(&mut nets, |a, b| {
        (a.six, a.first(), a.prefix).cmp(&(b.six, b.first(), b.prefix))
    });
    let mut out: Vec<Net> = Vec::new();
    for net in nets {
        if out.last().is_some_and(|last| last.contains(&net)) {
            continue;
        }
        out.push(net);
        while let [.., a, b] = out[..] {
            let wider = Net {
                prefix: a.prefix.saturating_sub(1),
                ..a
            };
            if a.six != b.six || a.prefix != b.prefix || a.prefix == 0 || a.bits == b.bits {
                break;
            }
            if wider.first() != a.bits || !wider.contains(&b) {
                break;
            }
            out.truncate(out.len() - 2);
            out.push(wider);
        }
    }
    out
}

/// The smallest network that has all of them in it.
fn spanning(nets: &[Net]) -> Option<Net> {
    let first = nets.first()?;
    let mut prefix = first.prefix;
    loop {
        let wide = Net { prefix, ..*first }.network();
        if nets.iter().all(|net| wide.contains(net)) {
            return Some(wide);
        }
        prefix = prefix.checked_sub(1)?;
    }
}

fn two(value: &Value, test: &Value) -> Result<(Net, Net), Error> {
    let read = |value: &Value| {
        Net::from_value(value).ok_or_else(|| {
            let shown = to_text(value).unwrap_or_default();
            Error::value(format!("invalid IPNetwork {shown}"))
        })
    };
    Ok((read(value)?, read(test)?))
}

fn network_in_network(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [test] = args.bind("network_in_network", ["test"], 1)?;
    let (net, test) = two(&value, &test.or_none())?;
    Ok(Value::Bool(net.contains(&test.network())))
}

fn in_usable(net: &Net, test: &Net) -> bool {
    net.usable().is_some_and(|(first, last)| {
        net.six == test.six && first <= test.first() && test.last() <= last
    })
}

fn network_in_usable(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [test] = args.bind("network_in_usable", ["test"], 1)?;
    let (net, test) = two(&value, &test.or_none())?;
    Ok(Value::Bool(in_usable(&net, &test)))
}

fn reduce_on_network(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [network] = args.bind("reduce_on_network", ["network"], 1)?;
    let network = network.or_none();
    let mut kept = Vec::new();
    for item in iterate(&value)? {
        let (net, test) = two(&network, &item)?;
        if net.contains(&test.network()) {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn nth_usable(value: &Value, args: Args, forward: bool) -> Result<Value, Error> {
    let [by] = args.bind("nth_usable", ["offset"], 1)?;
    let by = whole(&by.or_none(), "offset")?;
    let Some(net) = Net::from_value(value) else {
        return Ok(Value::Bool(false));
    };
    let at = offset(&net, net.bits, if forward { by } else { -by });
    Ok(match (net.usable(), at) {
        (Some((first, last)), Some(at)) if (first..=last).contains(&at) => {
            Value::from(net.show(at))
        }
        _ => Value::None,
    })
}

fn ip4_hex(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [delimiter] = args.bind("ip4_hex", ["delimiter"], 0)?;
    let net = Net::from_value(&value)
        .filter(|net| !net.six)
        .ok_or_else(|| Error::value("ip4_hex needs an address of IPv4"))?;
    let bytes: Vec<String> = (0..4)
        .rev()
        .map(|byte| format!("{:02x}", net.bits >> (8 * byte) & 0xff))
        .collect();
    Ok(Value::from(bytes.join(&delimiter.text_or("")?)))
}

fn usable_range(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("usable_range")?;
    let net = Net::from_value(&value).ok_or_else(|| {
        let shown = to_text(&value).unwrap_or_default();
        Error::value(format!(
            "'{shown}' does not appear to be an IPv4 or IPv6 network"
        ))
    })?;
    if net.span() >= MAX_LISTED {
        return Err(Error::limit("the network has too many addresses to list"));
    }
    let listed: Vec<Value> = (net.first()..=net.last())
        .map(|bits| Value::from(net.show(bits)))
        .collect();
    let count = Value::count(listed.len());
    Ok(Value::dict([
        ("usable_ips", Value::list(listed)),
        ("number_of_ips", count),
    ]))
}
