//! Dialling: every address of a name within one time limit, the next one before the last has given up.

use crate::error::{Error, ErrorKind, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout_at};

/// How long one address is alone before the next is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// The most addresses of a name that are tried.
const MOST: usize = 16;

/// Connects to `host:port`, `[v6]:port` or a name with several addresses; `TCP_NODELAY` is set.
///
/// # Errors
/// `Refused`, `Unreachable` (no such name, no route, nobody answers in time), `Invalid` (no port). Each text begins with
/// the address; none of them leaves a doubt whether something was sent.
///
/// # Cancel safety
/// Dropping it gives up all addresses.
pub(crate) async fn dial(address: &str, until: Instant) -> Result<TcpStream> {
    let connect = async {
        match address.parse::<SocketAddr>() {
            Ok(one) => TcpStream::connect(one).await.map_err(failed),
            Err(_) => any(resolve(address).await?).await.map_err(failed),
        }
    };
    let stream = match timeout_at(until.into(), connect).await {
        Ok(stream) => stream.map_err(|error| error.at(address))?,
        Err(_) => {
            return Err(Error::new(ErrorKind::Unreachable, format!("{address}: nobody answers the dial in time")));
        }
    };
    // A connection that takes no option is dead already, and the first write says so.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn resolve(address: &str) -> Result<VecDeque<SocketAddr>> {
    let port = address.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if port.is_none() {
        return Err(Error::new(ErrorKind::Invalid, "an address is host:port"));
    }
    let found = tokio::net::lookup_host(address)
        .await
        .map_err(|error| Error::new(ErrorKind::Unreachable, "no such name").because(error))?;
    Ok(alternate(found.take(MOST)))
}

/// The families by turns, beginning with the one that the resolver prefers (RFC 8305 §4).
fn alternate(found: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let (mut rest, mut order) = (found.collect::<VecDeque<_>>(), VecDeque::new());
    while let Some(first) = rest.pop_front() {
        order.push_back(first);
        if let Some(other) = rest.iter().position(|next| next.is_ipv4() != first.is_ipv4()) {
            order.extend(rest.remove(other));
        }
    }
    order
}

async fn any(mut addresses: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    let mut running = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        running.extend(addresses.pop_front().map(TcpStream::connect));
        let alone = async {
            if addresses.is_empty() {
                std::future::pending::<()>().await;
            }
            sleep(STAGGER).await;
        };
        tokio::select! {
            done = running.next() => match done {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None if addresses.is_empty() => return Err(last),
                None => {}
            },
            () = alone => {}
        }
    }
}

fn failed(error: io::Error) -> Error {
    let (kind, text) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (ErrorKind::Refused, "connection refused".to_owned()),
        io::ErrorKind::AddrNotAvailable => {
            (ErrorKind::Unreachable, "no local port is left for another connection".to_owned())
        }
        _ => (ErrorKind::Unreachable, error.to_string().to_lowercase()),
    };
    Error::new(kind, text).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn a_name_reaches_whichever_address_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        dial(&format!("localhost:{port}"), soon()).await.unwrap();
    }

    #[tokio::test]
    async fn a_dead_address_does_not_hide_a_living_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
        any([dead, listener.local_addr().unwrap()].into()).await.unwrap();
    }

    #[tokio::test]
    async fn refusal_is_told_with_the_address() {
        let dead = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string() };
        let error = dial(&dead, soon()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(error.to_string(), format!("{dead}: connection refused"));
    }

    #[tokio::test]
    async fn an_address_without_a_port_is_invalid() {
        for address in ["queue-name", "", ":80", "host:http"] {
            assert_eq!(dial(address, soon()).await.unwrap_err().kind(), ErrorKind::Invalid, "{address}");
        }
    }

    #[test]
    fn families_take_turns() {
        let all = ["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1"].map(|text| text.parse().unwrap());
        let order: Vec<_> = alternate(all.into_iter()).into_iter().map(|one| one.to_string()).collect();
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
    }
}
