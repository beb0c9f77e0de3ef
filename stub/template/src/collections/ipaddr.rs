//! `ansible.utils.ipaddr` and its relatives: what an address is, and what can be asked of it.

use std::str::FromStr as _;

use super::address::Net;
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::filters::{Filter, filter};
use crate::value::{BigInt, Value, iterate, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("ipaddr", |_, v, args| ipaddr(&v, args, "ipaddr", None)),
    filter("ipv4", |_, v, args| ipaddr(&v, args, "ipv4", Some(false))),
    filter("ipv6", |_, v, args| ipaddr(&v, args, "ipv6", Some(true))),
    filter("ipwrap", ipwrap),
];

/// No answer: the address is none, or is not of the kind that is asked for.
const NO: Value = Value::Bool(false);

fn ipaddr(value: &Value, args: Args, name: &str, six: Option<bool>) -> Result<Value, Error> {
    let [query, version, alias] = args.bind(name, ["query", "version", "alias"], 0)?;
    let _ = alias;
    let six = match (six, version.int()?) {
        (None, Some(4)) => Some(false),
        (None, Some(6)) => Some(true),
        (six, _) => six,
    };
    let query = query.text_or("")?;
    answer(value, &query, six)
}

fn answer(value: &Value, query: &str, six: Option<bool>) -> Result<Value, Error> {
    match value {
        Value::List(_) | Value::Tuple(_) => {
            let mut found = Vec::new();
            for item in iterate(value)? {
                if matches!(item, Value::None) {
                    continue;
                }
                let one = answer(&item, query, six)?;
                if one.truth()? {
                    found.push(one);
                }
            }
            return Ok(Value::list(found));
        }
        Value::None | Value::Dict(_) => {
            return Err(Error::type_error(format!(
                "Unrecognized type <<class '{}'>> for ipaddr filter <value>",
                value.type_name()
            )));
        }
        _ => {}
    }
    match Net::from_value(value) {
        Some(net) if six.is_none_or(|six| six == net.six) => ask(&net, query),
        _ => Ok(NO),
    }
}

/// The value where it is so, else nothing.
fn if_so(net: &Net, so: bool) -> Value {
    if so {
        Value::from(net.text())
    } else {
        Value::None
    }
}

fn number(number: u128) -> Value {
    match i64::try_from(number) {
        Ok(small) => Value::Int(small),
        Err(_) => BigInt::parse(&number.to_string(), 10).map_or(Value::None, Value::from),
    }
}

/// How many addresses, of which there is one more than the span says.
fn size(span: u128) -> Value {
    match span.checked_add(1) {
        Some(size) => number(size),
        None => BigInt::parse("340282366920938463463374607431768211456", 10)
            .map_or(Value::None, Value::from),
    }
}

fn ask(net: &Net, query: &str) -> Result<Value, Error> {
    let text = |text: String| Ok(Value::from(text));
    match query {
        "" => text(net.text()),
        "address" | "ip" => Ok(match net.is_network() {
            true => Value::None,
            false => Value::from(net.ip()),
        }),
        "network" | "network_id" => text(net.network().ip()),
        "netmask" => text(net.show(net.mask())),
        "hostmask" | "wildcard" => text(net.show(net.host_mask())),
        "prefix" => Ok(Value::Int(i64::from(net.prefix))),
        "broadcast" => Ok(match net.span() {
            0 | 1 => Value::None,
            _ => Value::from(net.show(net.last())),
        }),
        "subnet" | "network/prefix" => text(net.network().cidr()),
        "net" => Ok(if_so(net, net.is_network() && net.written)),
        "size" => Ok(size(net.span())),
        "size_usable" => Ok(match net.span() {
            0 => Value::Int(0),
            1 => Value::Int(2),
            span => number(span - 1),
        }),
        "cidr" => text(net.cidr()),
        "type" => text(
            if net.is_network() {
                "network"
            } else {
                "address"
            }
            .into(),
        ),
        "version" => Ok(Value::Int(if net.six { 6 } else { 4 })),
        "bool" => Ok(Value::Bool(true)),
        "int" => Ok(match net.written {
            true => Value::from(format!("{}/{}", net.bits, net.prefix)),
            false => number(net.bits),
        }),
        "revdns" => text(net.reverse()),
        "public" => Ok(if_so(net, !net.is_private() && !net.is_multicast())),
        "private" => Ok(if_so(net, net.is_private())),
        "loopback" | "lo" => Ok(if_so(net, net.is_loopback())),
        "multicast" => Ok(if_so(net, net.is_multicast())),
        "unicast" => Ok(if_so(net, !net.is_multicast())),
        "link-local" => Ok(if_so(net, net.is_link_local())),
        _ => ask_more(net, query),
    }
}

fn ask_more(net: &Net, query: &str) -> Result<Value, Error> {
    let text = |text: String| Ok(Value::from(text));
    match query {
        "host" => Ok(match net.is_network() {
            true => Value::None,
            false => Value::from(net.cidr()),
        }),
        "address/prefix" | "gateway" | "gw" | "host/prefix" | "hostnet" | "router" => {
            match net.is_network() {
                true => Ok(NO),
                false => text(net.cidr()),
            }
        }
        "ip/prefix" => Ok(match net.is_network() || net.span() == 0 {
            true => Value::None,
            false => Value::from(net.cidr()),
        }),
        "ip_netmask" | "ip_wildcard" => Ok(match net.is_network() || net.span() == 0 {
            true => Value::None,
            false if query == "ip_netmask" => {
                Value::from(format!("{} {}", net.ip(), net.show(net.mask())))
            }
            false => Value::from(format!("{} {}", net.ip(), net.show(net.host_mask()))),
        }),
        "network_netmask" => text(format!("{} {}", net.network().ip(), net.show(net.mask()))),
        "network_wildcard" => text(format!(
            "{} {}",
            net.network().ip(),
            net.show(net.host_mask())
        )),
        "6to4" => Ok(match (net.six, net.is_network()) {
            (false, false) => Value::from(format!(
                "2002:{:04x}:{:04x}::1/48",
                net.bits >> 16,
                net.bits & 0xffff
            )),
            (true, _) if net.bits >> 112 == 0x2002 => Value::from(net.text()),
            _ => NO,
        }),
        "ipv4" => Ok(match (net.six, net.bits >> 32) {
            (false, _) => Value::from(net.text()),
            (true, 0 | 0xffff) if net.bits > 1 => Value::from(format!(
                "{}/{}",
                Net::of_number(net.bits & 0xffff_ffff).ip(),
                net.prefix.saturating_sub(96)
            )),
            _ => NO,
        }),
        "ipv6" => Ok(match net.six {
            true => Value::from(net.text()),
            false => Value::from(format!("::ffff:{}/{}", net.ip(), net.prefix + 96)),
        }),
        "wrap" => text(wrapped(net)),
        "peer" => peer(net),
        "range_usable" | "first_usable" | "last_usable" | "next_usable" | "previous_usable" => {
            usable(net, query)
        }
        _ => by_number_or_network(net, query),
    }
}

fn wrapped(net: &Net) -> String {
    match (net.six, net.written) {
        (false, _) => net.text(),
        (true, true) => format!("[{}]/{}", net.ip(), net.prefix),
        (true, false) => format!("[{}]", net.ip()),
    }
}

fn usable(net: &Net, query: &str) -> Result<Value, Error> {
    if !net.written {
        return Err(Error::value("Not a network address"));
    }
    let Some((first, last)) = net.usable() else {
        return Ok(Value::None);
    };
    let shown = |bits| Ok(Value::from(net.show(bits)));
    let within = |bits: Option<u128>| match bits.filter(|b| (first..=last).contains(b)) {
        Some(bits) => shown(bits),
        None => Ok(Value::None),
    };
    match query {
        "range_usable" => Ok(Value::from(format!(
            "{}-{}",
            net.show(first),
            net.show(last)
        ))),
        "first_usable" => shown(first),
        "last_usable" => shown(last),
        "next_usable" => within(net.bits.checked_add(1)),
        _ => within(net.bits.checked_sub(1)),
    }
}

fn peer(net: &Net) -> Result<Value, Error> {
    if !net.written {
        return Err(Error::value("Not a network address"));
    }
    let other = match net.span() {
        1 => net.bits ^ 1,
        3 if net.bits == net.first() => {
            return Err(Error::value("Network address of /30 has no peer"));
        }
        3 if net.bits == net.last() => {
            return Err(Error::value("Broadcast address of /30 has no peer"));
        }
        3 => net.bits ^ 3,
        _ => return Err(Error::value("Not a point-to-point network")),
    };
    Ok(Value::from(net.show(other)))
}

/// The nth address of the network, or whether the address lies in a network.
fn by_number_or_network(net: &Net, query: &str) -> Result<Value, Error> {
    if let Ok(index) = i128::from_str(query) {
        if net.span() == 0 {
            return Ok(Value::from(net.text()));
        }
        let offset = match index {
            0.. => Some(index.unsigned_abs()),
            _ => net.span().checked_sub(index.unsigned_abs() - 1),
        };
        return Ok(match offset.filter(|offset| *offset <= net.span()) {
            Some(offset) => Value::from(net.at(net.first() + offset).cidr()),
            None => NO,
        });
    }
    match Net::parse(query) {
        Some(around) => Ok(if_so(
            net,
            around.contains(&Net {
                prefix: if net.written { net.prefix } else { net.width() },
                ..*net
            }) || around.contains(&Net {
                prefix: net.width(),
                ..*net
            }),
        )),
        None => Err(Error::value(format!("{query}: unknown filter type"))),
    }
}

fn ipwrap(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [query] = args.bind("ipwrap", ["query"], 0)?;
    let query = query.text_or("")?;
    let one = |item: &Value| -> Result<Value, Error> {
        match answer(item, &query, None)? {
            Value::Str(text) => Ok(match Net::parse(&text) {
                Some(net) if query.is_empty() => Value::from(wrapped(&net)),
                _ => Value::Str(text),
            }),
            Value::Bool(false) | Value::None => Ok(item.clone()),
            other => Ok(other),
        }
    };
    match &value {
        Value::List(_) | Value::Tuple(_) => {
            let items = iterate(&value)?;
            Ok(Value::list(
                items.iter().map(one).collect::<Result<_, _>>()?,
            ))
        }
        Value::Str(_) => one(&value),
        other => Err(Error::type_error(format!(
            "Unrecognized type <<class '{}'>> for ipwrap filter <value> ({})",
            other.type_name(),
            to_text(other)?
        ))),
    }
}
