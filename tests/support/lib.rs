//! Stand-ins and fixtures for the tests.
