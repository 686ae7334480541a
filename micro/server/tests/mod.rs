//! The server from outside: what recorded Go clients get, and what bad clients do not get.

mod faults;
mod life;
mod replay;
mod rig;
