//! The sockets: one on port 5353 that hears the group and answers, and one on a port of its own that asks, so that answers
//! come to it alone (WIRE §1.2: they are unicast to whoever asked). Each for IPv4, and for IPv6 where there is any.

use crate::error::{Error, ErrorKind, Result};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::UdpSocket;

/// The port of mDNS.
pub(super) const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// Room for the answers of some hundred nodes at once.
const BUFFER: usize = 1 << 20;

/// Where the registry lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The interface with this address only; without, every interface.
    pub(super) interface: Option<Ipv4Addr>,
    pub(super) port: u16,
}

/// An interface that multicasts go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Link {
    v4: Option<Ipv4Addr>,
    v6: bool,
}

/// Interfaces by index.
type Links = BTreeMap<u32, Link>;

/// The sockets of one registry.
#[derive(Debug)]
pub(super) struct Net {
    place: Place,
    pub(super) asks_v4: Arc<UdpSocket>,
    pub(super) asks_v6: Option<Arc<UdpSocket>>,
    /// Locked while a packet goes out too: the interface is an option of the socket.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    links: Links,
    hears_v4: Option<Arc<UdpSocket>>,
    hears_v6: Option<Arc<UdpSocket>>,
}

/// Which socket a packet leaves from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Asks,
    Hears,
}

impl Net {
    /// Opens the sockets that ask; those that hear come with [`Net::listen`].
    ///
    /// # Errors
    /// `Unreachable`: there is no such interface, or no socket.
    pub(super) fn open(place: Place) -> Result<Self> {
        let asks_v4 = asks(SocketAddr::from((place.interface.unwrap_or(Ipv4Addr::UNSPECIFIED), 0)))
            .map_err(|error| no_socket(place, error))?;
        let asks_v6 = match place.interface {
            Some(_) => None,
            None => asks(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).ok(),
        };
        let state = Mutex::new(State { links: links(place)?, ..State::default() });
        Ok(Self { place, asks_v4: Arc::new(asks_v4), asks_v6: asks_v6.map(Arc::new), state })
    }

    /// Listens on the port, if it does not yet; the sockets that are new.
    ///
    /// # Errors
    /// `Unreachable`, with the cure: the port is taken.
    pub(super) fn listen(&self) -> Result<Vec<Arc<UdpSocket>>> {
        let mut state = self.state();
        let mut new = Vec::new();
        if state.hears_v4.is_none() {
            let socket = Arc::new(hears_v4(self.place).map_err(|error| port_taken(self.place.port, error))?);
            state.hears_v4 = Some(Arc::clone(&socket));
            new.push(socket);
            state.join_all();
        }
        if state.hears_v6.is_none()
            && self.asks_v6.is_some()
            && let Ok(socket) = hears_v6(self.place.port)
        {
            let socket = Arc::new(socket);
            state.hears_v6 = Some(Arc::clone(&socket));
            new.push(socket);
            state.join_all();
        }
        Ok(new)
    }

    /// Joins the group on interfaces that came, and forgets those that went; whether any came.
    pub(super) fn rescan(&self) -> bool {
        let Ok(links) = links(self.place) else { return false };
        let mut state = self.state();
        if state.links == links {
            return false;
        }
        let came = links.iter().any(|(index, link)| state.links.get(index) != Some(link));
        state.links = links;
        state.join_all();
        came
    }

    /// Sends a packet to the group on every interface.
    ///
    /// # Errors
    /// `Unreachable`: it left on none.
    pub(super) fn multicast(&self, packet: &[u8], from: From) -> Result<()> {
        let state = self.state();
        let (v4, v6) = match from {
            From::Asks => (Some(&self.asks_v4), self.asks_v6.as_ref()),
            From::Hears => (state.hears_v4.as_ref(), state.hears_v6.as_ref()),
        };
        let mut sent = false;
        let mut failed = None;
        let mut note = |result: io::Result<usize>| match result {
            Ok(_) => sent = true,
            Err(error) => failed = Some(error),
        };
        for (&index, link) in &state.links {
            if let (Some(socket), Some(address)) = (v4, link.v4) {
                note(send_v4(socket, address, packet, self.place.port));
            }
            if let Some(socket) = v6.filter(|_| link.v6) {
                note(send_v6(socket, index, packet, self.place.port));
            }
        }
        if sent {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Unreachable, "mdns: no interface of this machine can send to the group");
        Err(match failed {
            Some(source) => error.because(source),
            None => error,
        })
    }

    /// Answers who asked.
    pub(super) fn answer(&self, packet: &[u8], to: SocketAddr) {
        let state = self.state();
        let socket = if to.is_ipv4() { state.hears_v4.as_ref() } else { state.hears_v6.as_ref() };
        if let Some(socket) = socket
            && let Err(error) = SockRef::from(&**socket).send_to(packet, &SockAddr::from(to))
        {
            tracing::debug!(%to, %error, "an mdns answer was not sent");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Joining twice, or on an interface that cannot, is no matter.
    fn join_all(&self) {
        for (&index, link) in &self.links {
            if let (Some(socket), Some(address)) = (&self.hears_v4, link.v4)
                && let Err(error) = socket.join_multicast_v4(GROUP_V4, address)
            {
                tracing::debug!(%address, %error, "the mdns group was not joined");
            }
            if let Some(socket) = self.hears_v6.as_ref().filter(|_| link.v6)
                && let Err(error) = socket.join_multicast_v6(&GROUP_V6, index)
            {
                tracing::debug!(index, %error, "the mdns group of IPv6 was not joined");
            }
        }
    }
}

fn send_v4(socket: &UdpSocket, interface: Ipv4Addr, packet: &[u8], port: u16) -> io::Result<usize> {
    let socket = SockRef::from(socket);
    socket.set_multicast_if_v4(&interface)?;
    socket.send_to(packet, &SockAddr::from(SocketAddrV4::new(GROUP_V4, port)))
}

fn send_v6(socket: &UdpSocket, interface: u32, packet: &[u8], port: u16) -> io::Result<usize> {
    let socket = SockRef::from(socket);
    socket.set_multicast_if_v6(interface)?;
    socket.send_to(packet, &SockAddr::from(SocketAddrV6::new(GROUP_V6, port, 0, interface)))
}

/// A socket on a port of its own.
fn asks(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = udp(Domain::for_address(address))?;
    socket.bind(&SockAddr::from(address))?;
    UdpSocket::from_std(socket.into())
}

/// Bound to the group, so that nothing but the group's packets comes in.
///
/// Go shares the port by `SO_REUSEADDR` alone, and so do we: `SO_REUSEPORT` beside it is needed by BSD only.
fn hears_v4(place: Place) -> io::Result<UdpSocket> {
    let socket = udp(Domain::IPV4)?;
    share(&socket)?;
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v4(false)?;
    socket.bind(&SockAddr::from(SocketAddrV4::new(GROUP_V4, place.port)))?;
    UdpSocket::from_std(socket.into())
}

fn hears_v6(port: u16) -> io::Result<UdpSocket> {
    let socket = udp(Domain::IPV6)?;
    share(&socket)?;
    #[cfg(target_os = "linux")]
    socket.set_multicast_all_v6(false)?;
    socket.bind(&SockAddr::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0)))?;
    UdpSocket::from_std(socket.into())
}

fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(not(target_os = "linux"))]
    socket.set_reuse_port(true)?;
    Ok(())
}

fn udp(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
        socket.set_multicast_loop_v6(true)?;
    } else {
        socket.set_multicast_loop_v4(true)?;
        // RFC 6762 §11; the group never leaves the link.
        socket.set_multicast_ttl_v4(255)?;
    }
    // As much as the system gives.
    let _ = socket.set_recv_buffer_size(BUFFER);
    Ok(socket)
}

/// The interfaces that are up: those that multicast, and loopback, which can though it does not say so.
fn links(place: Place) -> Result<Links> {
    let every = getifaddrs()
        .map_err(|error| Error::new(ErrorKind::Unreachable, "mdns: the interfaces cannot be listed").because(error))?;
    let mut links = Links::new();
    let mut known = Vec::new();
    for interface in every {
        let usable = interface.flags.contains(InterfaceFlags::IFF_UP)
            && interface.flags.intersects(InterfaceFlags::IFF_MULTICAST | InterfaceFlags::IFF_LOOPBACK);
        let Some(address) = interface.address.filter(|_| usable) else { continue };
        let Ok(index) = if_nametoindex(interface.interface_name.as_str()) else { continue };
        if let Some(v4) = address.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip) {
            known.push(v4);
            if place.interface.is_none_or(|only| only == v4) {
                links.entry(index).or_default().v4.get_or_insert(v4);
            }
        } else if address.as_sockaddr_in6().is_some() && place.interface.is_none() {
            links.entry(index).or_default().v6 = true;
        }
    }
    match place.interface {
        Some(only) if links.is_empty() => Err(no_interface(only, &known)),
        _ => Ok(links),
    }
}

fn no_interface(wanted: Ipv4Addr, known: &[Ipv4Addr]) -> Error {
    let known: Vec<String> = known.iter().map(Ipv4Addr::to_string).collect();
    let text = format!(
        "mdns: no interface of this machine has the address {wanted}; set --registry_address to one of {}",
        known.join(", ")
    );
    Error::new(ErrorKind::Unreachable, text)
}

fn no_socket(place: Place, error: io::Error) -> Error {
    match place.interface {
        Some(address) if error.kind() == io::ErrorKind::AddrNotAvailable => match links(place) {
            Err(error) => error,
            Ok(_) => no_interface(address, &[]),
        },
        _ => Error::new(ErrorKind::Unreachable, format!("mdns: no socket to ask from: {error}")).because(error),
    }
}

fn port_taken(port: u16, error: io::Error) -> Error {
    let text = format!(
        "mdns: port {port} cannot be shared ({error}): stop the program that holds it alone, or let both sides use \
         --registry_address 127.0.0.1:{}",
        port.wrapping_add(1)
    );
    Error::new(ErrorKind::Unreachable, text).because(error)
}
