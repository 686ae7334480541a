//! gRPC from outside: our client against our server, against recorded go-micro servers and against peers that behave badly;
//! our server against recorded go-micro clients.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cross;
mod faults;
mod greeter;
mod port;
mod replay;
