//! Finding out that the other end of a connection is gone when it could not say so: its machine lost power, or the net is cut.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// A connection is asked after so long a silence, and then so often, so far apart, before it is given up.
const SILENCE: Duration = Duration::from_secs(30);
const APART: Duration = Duration::from_secs(10);
const TIMES: u32 = 3;

/// Lets TCP give up a connection whose other end is gone for a minute.
///
/// # Errors
/// The connection is dead already.
pub(crate) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let asked = TcpKeepalive::new().with_time(SILENCE).with_interval(APART).with_retries(TIMES);
    SockRef::from(stream).set_tcp_keepalive(&asked)
}
