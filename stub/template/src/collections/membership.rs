//! Tests of ansible.utils: what kind of address a text is, and in which networks it lies.

use super::address::Net;
use super::hardware;
use crate::Error;
use crate::eval::{Args, Given};
use crate::predicates::{Predicate, test};
use crate::value::{Value, iterate, to_text};

pub(super) const TABLE: &[Predicate] = &[
    test("in_any_network", |_, v, args| {
        among(v, args, |count| count > 0)
    }),
    test("in_network", |_, v, args| {
        two(v, args, |a, b| b.contains(a))
    }),
    test("in_one_network", |_, v, args| {
        among(v, args, |count| count == 1)
    }),
    test("ip", |_, v, _| Ok(address(v).is_some())),
    test("ip_address", |_, v, _| Ok(address(v).is_some())),
    test("ipv4", |_, v, _| Ok(net(v).is_some_and(|net| !net.six))),
    test("ipv4_address", |_, v, _| {
        Ok(address(v).is_some_and(|net| !net.six))
    }),
    test("ipv4_hostmask", |_, v, _| Ok(is_mask(v, Net::host_mask))),
    test("ipv4_netmask", |_, v, _| Ok(is_mask(v, Net::mask))),
    test("ipv6", |_, v, _| Ok(net(v).is_some_and(|net| net.six))),
    test("ipv6_address", |_, v, _| {
        Ok(address(v).is_some_and(|net| net.six))
    }),
    test("ipv6_ipv4_mapped", |_, v, _| Ok(starts(v, 0xffff, 32))),
    test("ipv6_sixtofour", |_, v, _| Ok(starts(v, 0x2002, 112))),
    test("ipv6_teredo", |_, v, _| Ok(starts(v, 0x2001_0000, 96))),
    test("loopback", |_, v, _| {
        Ok(net(v).is_some_and(|net| net.is_loopback()))
    }),
    test("mac", |_, v, _| {
        Ok(hardware::bytes_of(&to_text(v)?).is_some())
    }),
    test("multicast", |_, v, _| {
        Ok(net(v).is_some_and(|net| net.is_multicast()))
    }),
    test("private", |_, v, _| {
        Ok(net(v).is_some_and(|net| net.is_private()))
    }),
    test("public", |_, v, _| {
        Ok(net(v).is_some_and(|net| !net.is_private() && !net.is_multicast()))
    }),
    test("reserved", |_, v, _| {
        Ok(net(v).is_some_and(|net| net.is_reserved()))
    }),
    test("subnet_of", |_, v, args| two(v, args, |a, b| b.contains(a))),
    test("supernet_of", |_, v, args| {
        two(v, args, |a, b| a.contains(b))
    }),
    test("unspecified", |_, v, _| {
        Ok(net(v).is_some_and(|net| net.bits == 0))
    }),
];

fn net(value: &Value) -> Option<Net> {
    Net::from_value(value)
}

fn address(value: &Value) -> Option<Net> {
    net(value).filter(|net| !net.written)
}

fn starts(value: &Value, wanted: u128, shift: u32) -> bool {
    net(value).is_some_and(|net| net.six && net.bits >> shift == wanted)
}

fn is_mask(value: &Value, of: fn(&Net) -> u128) -> bool {
    address(value).is_some_and(|mask| {
        !mask.six && (0..=32).any(|prefix| of(&Net { prefix, ..mask }) == mask.bits)
    })
}

fn two(value: &Value, args: Args, ask: fn(&Net, &Net) -> bool) -> Result<bool, Error> {
    let [other] = args.bind("network", ["network"], 1)?;
    Ok(match (net(value), net(&other.or_none())) {
        (Some(a), Some(b)) => ask(&a.network(), &b.network()),
        _ => false,
    })
}

fn among(value: &Value, args: Args, enough: fn(usize) -> bool) -> Result<bool, Error> {
    let [networks] = args.bind("networks", ["networks"], 1)?;
    let Some(one) = net(value) else {
        return Ok(false);
    };
    let networks = iterate(&networks.or_none())?;
    let count = networks
        .iter()
        .filter_map(net)
        .filter(|network| network.contains(&one.network()))
        .count();
    Ok(enough(count))
}
