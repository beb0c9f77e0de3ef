//! The TCP connections of this machine, from `/proc/net/tcp` and `/proc/net/tcp6`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use crate::args::Args;
use crate::outcome::Failure;

/// The states that count unless the task names others.
const ACTIVE: [&str; 6] = [
    "ESTABLISHED",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "SYN_RECV",
    "SYN_SENT",
    "TIME_WAIT",
];

/// The kernel's number for a state.
pub(super) fn code(state: &str) -> Option<u8> {
    Some(match state {
        "ESTABLISHED" => 1,
        "SYN_SENT" => 2,
        "SYN_RECV" => 3,
        "FIN_WAIT1" => 4,
        "FIN_WAIT2" => 5,
        "TIME_WAIT" => 6,
        _ => return None,
    })
}

/// How many connections to the port are active, without those from excluded hosts.
pub(super) fn active(args: &Args, port: u16) -> Result<usize, Failure> {
    let states: Vec<u8> = match args.list("active_connection_states") {
        Some(names) => names.iter().filter_map(|s| code(s)).collect(),
        None => ACTIVE.iter().filter_map(|s| code(s)).collect(),
    };
    let host = args.text("host");
    let ours = resolve(host)?;
    let mut excluded = Vec::new();
    for host in args.list("exclude_hosts").unwrap_or_default() {
        excluded.extend(resolve(&host)?);
    }
    let any = ours.iter().any(IpAddr::is_unspecified);
    let mut count = 0;
    for name in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = match std::fs::read_to_string(name) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && name.ends_with('6') => continue,
            Err(e) => {
                return Err(Failure::new(format!(
                    "state=drained needs the kernel's table of connections, {name}: {e}"
                )));
            }
        };
        count += text
            .lines()
            .skip(1)
            .filter_map(parse)
            .filter(|c| c.local.1 == port && states.contains(&c.state))
            .filter(|c| any || ours.contains(&c.local.0) || c.local.0.is_unspecified())
            .filter(|c| !excluded.contains(&c.remote))
            .count();
    }
    Ok(count)
}

fn resolve(host: &str) -> Result<Vec<IpAddr>, Failure> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    (host, 0u16)
        .to_socket_addrs()
        .map(|found| found.map(|a| a.ip()).collect())
        .map_err(|e| Failure::new(format!("cannot find the address of {host}: {e}")))
}

struct Connection {
    local: (IpAddr, u16),
    remote: IpAddr,
    state: u8,
}

fn parse(line: &str) -> Option<Connection> {
    let mut fields = line.split_whitespace().skip(1);
    let local = end(fields.next()?)?;
    let remote = end(fields.next()?)?.0;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    Some(Connection { local, remote, state })
}

/// An address and a port: words of 32 bits in the machine's byte order, in hexadecimal.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for start in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(start..start + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    let ip = match <[u8; 16]>::try_from(bytes.as_slice()) {
        Ok(sixteen) => {
            let six = Ipv6Addr::from(sixteen);
            six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4)
        }
        Err(_) => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.as_slice()).ok()?)),
    };
    Some((ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel() {
        let line = "   0: 0100007F:1F90 0200000A:D431 01 00000000:00000000 00:00000000 00000000  0 0 1 1";
        let c = parse(line).expect("a connection");
        if cfg!(target_endian = "little") {
            assert_eq!(c.local, ("127.0.0.1".parse().expect("an address"), 8080));
            assert_eq!(c.remote, "10.0.0.2".parse::<IpAddr>().expect("an address"));
        }
        assert_eq!(c.state, 1);
        assert!(parse("garbage").is_none());
    }
}
