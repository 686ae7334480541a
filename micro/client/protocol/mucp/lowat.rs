//! `SO_RCVLOWAT`: a reply wakes its reader once instead of twenty times.
//!
//! Go servers write a reply in some twenty pieces (WIRE §18), and each wakes the reader, which is most of what a call
//! costs (DESIGN §5). An end or a reset wakes whatever the mark is.

use tokio::net::TcpStream;

/// Sets how many bytes wake the reader; whether it could.
#[cfg(target_os = "linux")]
pub(super) fn set(stream: &TcpStream, bytes: usize) -> bool {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    nix::sys::socket::setsockopt(stream, option::RcvLowat, &bytes).is_ok()
}

/// Elsewhere every piece wakes.
#[cfg(not(target_os = "linux"))]
pub(super) fn set(_stream: &TcpStream, _bytes: usize) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod option {
    use nix::libc;
    use nix::sys::socket::sockopt::SetStruct;

    #[derive(Clone, Copy, Debug)]
    pub(super) struct RcvLowat;

    nix::setsockopt_impl!(RcvLowat, libc::SOL_SOCKET, libc::SO_RCVLOWAT, i32, SetStruct<i32>);
}
