//! Addresses of IPv4 and IPv6, with or without the network that they stand in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::value::Value;

/// An address, or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Net {
    /// The address as a number.
    pub(super) bits: u128,
    /// Whether it is of IPv6.
    pub(super) six: bool,
    /// How many bits the network has.
    pub(super) prefix: u32,
    /// Whether the network was written with the address.
    pub(super) written: bool,
}

impl Net {
    /// Reads `address`, `address/prefix` or `address/mask`; a whole number is an address.
    pub(super) fn parse(text: &str) -> Option<Net> {
        let text = text.trim();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let mut net = if !address.is_empty() && address.bytes().all(|b| b.is_ascii_digit()) {
            Net::of_number(address.parse().ok()?)
        } else {
            Net::of(address.parse().ok()?)
        };
        if let Some(prefix) = prefix {
            net.prefix = net.prefix_of(prefix)?;
            net.written = true;
        }
        Some(net)
    }

    /// An address alone.
    pub(super) fn of(address: IpAddr) -> Net {
        let (bits, six) = match address {
            IpAddr::V4(four) => (u128::from(four.to_bits()), false),
            IpAddr::V6(six) => (six.to_bits(), true),
        };
        Net {
            bits,
            six,
            prefix: if six { 128 } else { 32 },
            written: false,
        }
    }

    /// The address with this number: of IPv4 if it fits.
    pub(super) fn of_number(number: u128) -> Net {
        match u32::try_from(number) {
            Ok(four) => Net::of(IpAddr::V4(Ipv4Addr::from_bits(four))),
            Err(_) => Net::of(IpAddr::V6(Ipv6Addr::from_bits(number))),
        }
    }

    /// What a template value stands for.
    pub(super) fn from_value(value: &Value) -> Option<Net> {
        match value {
            Value::Str(text) => Net::parse(text),
            Value::Int(number) => u128::try_from(*number).ok().map(Net::of_number),
            Value::Big(number) => number.to_string().parse().ok().map(Net::of_number),
            _ => None,
        }
    }

    /// A prefix as a number, as a mask of the network, or as a mask of the host.
    fn prefix_of(&self, text: &str) -> Option<u32> {
        let width = self.width();
        if let Ok(bits) = text.parse::<u32>() {
            return (bits <= width).then_some(bits);
        }
        let mask = Net::of(text.parse().ok()?);
        if mask.six != self.six {
            return None;
        }
        (0..=width).find(|bits| {
            let net = Net {
                prefix: *bits,
                ..*self
            };
            net.mask() == mask.bits || *bits > 0 && net.host_mask() == mask.bits
        })
    }

    /// How many bits an address has.
    pub(super) fn width(&self) -> u32 {
        if self.six { 128 } else { 32 }
    }

    fn all(&self) -> u128 {
        if self.six {
            u128::MAX
        } else {
            u128::from(u32::MAX)
        }
    }

    /// The bits that are the host's.
    pub(super) fn host_mask(&self) -> u128 {
        self.all().checked_shr(self.prefix).unwrap_or(0) & self.all()
    }

    /// The bits that are the network's.
    pub(super) fn mask(&self) -> u128 {
        self.all() & !self.host_mask()
    }

    /// The first address of the network.
    pub(super) fn first(&self) -> u128 {
        self.bits & self.mask()
    }

    /// The last address of the network.
    pub(super) fn last(&self) -> u128 {
        self.first() | self.host_mask()
    }

    /// How many addresses the network has, less one.
    pub(super) fn span(&self) -> u128 {
        self.host_mask()
    }

    /// The first and the last address that hosts can have.
    pub(super) fn usable(&self) -> Option<(u128, u128)> {
        match self.span() {
            0 => None,
            1 => Some((self.first(), self.last())),
            _ => Some((self.first() + 1, self.last() - 1)),
        }
    }

    /// Whether it is a network as a whole rather than an address in one.
    pub(super) fn is_network(&self) -> bool {
        self.span() > 1 && self.bits == self.first()
    }

    /// Whether a network lies in this one.
    pub(super) fn contains(&self, other: &Net) -> bool {
        self.six == other.six && self.first() <= other.first() && other.last() <= self.last()
    }

    /// Another address of the same kind.
    pub(super) fn at(&self, bits: u128) -> Net {
        Net { bits, ..*self }
    }

    /// Whether another address of this kind can have the number.
    pub(super) fn fits(&self, bits: u128) -> bool {
        bits <= self.all()
    }

    /// The network that an address stands in.
    pub(super) fn network(&self) -> Net {
        self.at(self.first())
    }

    /// The address alone, as text.
    pub(super) fn ip(&self) -> String {
        self.show(self.bits)
    }

    /// A number as an address of this kind.
    pub(super) fn show(&self, bits: u128) -> String {
        match self.six {
            true => Ipv6Addr::from_bits(bits).to_string(),
            // The bits above 32 are never set for IPv4.
            false => Ipv4Addr::from_bits(bits as u32).to_string(),
        }
    }

    /// `address/prefix`.
    pub(super) fn cidr(&self) -> String {
        format!("{}/{}", self.ip(), self.prefix)
    }

    /// As it was written: with a prefix if it had one.
    pub(super) fn text(&self) -> String {
        if self.written { self.cidr() } else { self.ip() }
    }

    fn within(&self, ranges: &[&str]) -> bool {
        let one = Net {
            prefix: self.width(),
            ..*self
        };
        ranges
            .iter()
            .filter_map(|range| Net::parse(range))
            .any(|range| range.contains(&one))
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.within(&["127.0.0.0/8", "::1/128"])
    }

    pub(super) fn is_multicast(&self) -> bool {
        self.within(&["224.0.0.0/4", "ff00::/8"])
    }

    pub(super) fn is_link_local(&self) -> bool {
        self.within(&["169.254.0.0/16", "fe80::/10"])
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.within(&[
            "240.0.0.0/4",
            "::/8",
            "100::/8",
            "200::/7",
            "400::/6",
            "800::/5",
            "1000::/4",
            "4000::/3",
            "6000::/3",
            "8000::/3",
            "a000::/3",
            "c000::/3",
            "e000::/4",
            "f000::/5",
            "f800::/6",
            "fe00::/9",
        ])
    }

    /// Whether the address is nobody's outside: the registry's special purposes.
    pub(super) fn is_private(&self) -> bool {
        let except = [
            "192.0.0.9/32",
            "192.0.0.10/32",
            "2001:1::1/128",
            "2001:1::2/128",
            "2001:3::/32",
            "2001:4:112::/48",
            "2001:20::/28",
            "2001:30::/28",
        ];
        self.within(&[
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "::/128",
            "::1/128",
            "::ffff:0:0/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "fc00::/7",
            "fe80::/10",
        ]) && !self.within(&except)
    }

    /// The name in the reverse zones.
    pub(super) fn reverse(&self) -> String {
        let mut out = String::new();
        if self.six {
            for digit in 0..32 {
                out.push_str(&format!("{:x}.", self.bits >> (4 * digit) & 0xf));
            }
            return out + "ip6.arpa.";
        }
        for byte in 0..4 {
            out.push_str(&format!("{}.", self.bits >> (8 * byte) & 0xff));
        }
        out + "in-addr.arpa."
    }
}

#[cfg(test)]
mod tests {
    use super::Net;

    #[test]
    fn networks() {
        let net = Net::parse("192.168.1.5/24").unwrap();
        assert_eq!(net.show(net.first()), "192.168.1.0");
        assert_eq!(net.show(net.last()), "192.168.1.255");
        assert_eq!(Net::parse("10.0.0.1/255.255.0.0").unwrap().prefix, 16);
        assert_eq!(Net::parse("10.0.0.1/0.0.0.255").unwrap().prefix, 24);
        assert_eq!(Net::parse("::1/0").unwrap().span(), u128::MAX);
        assert!(Net::parse("10.0.0.1/33").is_none());
        assert!(Net::parse("10.0.0").is_none());
        assert_eq!(Net::parse("3232235777").unwrap().text(), "192.168.1.1");
    }
}
