//! Stand-ins and fixtures for the tests: services that misbehave, and the binary at the end of a pipe.

pub mod faulty;
pub mod process;
pub mod senders;
pub mod services;
