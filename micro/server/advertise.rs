//! Which address the registry is told (WIRE §10). Pure but for the list of this machine's addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `host:port` for the registry: what is configured (a host, or host and port), else the bound address, where a wildcard
/// becomes an address of this machine: private ones first, then public ones, loopback last.
pub(crate) fn advertised(configured: &str, bound: SocketAddr, machine: impl FnOnce() -> Vec<IpAddr>) -> String {
    if !configured.is_empty() {
        return with_port(configured, bound.port());
    }
    let host = if bound.ip().is_unspecified() { pick(bound.ip(), machine()) } else { bound.ip() };
    SocketAddr::new(host, bound.port()).to_string()
}

/// The addresses of this machine's interfaces; empty if the system does not tell.
pub(crate) fn machine() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let ip = |address: nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    interfaces.filter_map(|interface| ip(interface.address?)).collect()
}

fn with_port(host: &str, port: u16) -> String {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return SocketAddr::new(ip, port).to_string();
    }
    match host.rsplit_once(':') {
        Some((_, given)) if given.parse::<u16>().is_ok() => host.to_owned(),
        _ => format!("{host}:{port}"),
    }
}

fn pick(wildcard: IpAddr, machine: Vec<IpAddr>) -> IpAddr {
    let loopback = if wildcard.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
    let reachable =
        machine.into_iter().filter(|ip| ip.is_ipv4() || wildcard.is_ipv6()).filter_map(|ip| Some((rank(ip)?, ip)));
    reachable.min_by_key(|(rank, _)| *rank).map_or(loopback, |(_, ip)| ip)
}

/// Lower is better, IPv4 before IPv6; `None` for what nobody else can use: link-local and the like.
fn rank(ip: IpAddr) -> Option<u8> {
    match ip {
        IpAddr::V4(ip) if ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() => None,
        IpAddr::V6(ip) if ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast() => None,
        IpAddr::V4(ip) if ip.is_loopback() => Some(4),
        IpAddr::V6(ip) if ip.is_loopback() => Some(5),
        IpAddr::V4(ip) if ip.is_private() || is_shared(ip) => Some(0),
        IpAddr::V6(ip) if ip.is_unique_local() => Some(1),
        IpAddr::V4(_) => Some(2),
        IpAddr::V6(_) => Some(3),
    }
}

/// 100.64.0.0/10, which Go counts as private.
fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(configured: &str, bound: &str, machine: &[&str]) -> String {
        let machine = machine.iter().map(|ip| ip.parse().unwrap()).collect();
        advertised(configured, bound.parse().unwrap(), || machine)
    }

    #[test]
    fn what_is_configured_wins_and_gets_a_port() {
        assert_eq!(told("db.example", "0.0.0.0:80", &[]), "db.example:80");
        assert_eq!(told("db.example:81", "0.0.0.0:80", &[]), "db.example:81");
        assert_eq!(told("10.0.0.1", "0.0.0.0:80", &[]), "10.0.0.1:80");
        assert_eq!(told("fd00::1", "0.0.0.0:80", &[]), "[fd00::1]:80");
        assert_eq!(told("[fd00::1]", "0.0.0.0:80", &[]), "[fd00::1]:80");
        assert_eq!(told("[fd00::1]:81", "0.0.0.0:80", &[]), "[fd00::1]:81");
    }

    #[test]
    fn a_wildcard_becomes_a_private_address_first_and_loopback_last() {
        assert_eq!(told("", "127.0.0.1:80", &["10.0.0.1"]), "127.0.0.1:80");
        assert_eq!(told("", "0.0.0.0:80", &["127.0.0.1", "fe80::1", "1.2.3.4", "192.168.1.2"]), "192.168.1.2:80");
        assert_eq!(told("", "0.0.0.0:80", &["127.0.0.1", "fd00::1", "1.2.3.4"]), "1.2.3.4:80");
        assert_eq!(told("", "0.0.0.0:80", &["1.2.3.4", "100.64.0.9", "10.0.0.1"]), "100.64.0.9:80");
        assert_eq!(told("", "[::]:80", &["127.0.0.1", "fd00::1", "1.2.3.4"]), "[fd00::1]:80");
        assert_eq!(told("", "0.0.0.0:80", &["127.0.0.1", "169.254.1.1"]), "127.0.0.1:80");
        assert_eq!(told("", "0.0.0.0:80", &[]), "127.0.0.1:80");
        assert_eq!(told("", "[::]:80", &[]), "[::1]:80");
    }

    #[test]
    fn this_machine_has_an_address() {
        assert!(machine().iter().any(IpAddr::is_loopback));
    }
}
