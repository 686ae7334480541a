//! Conformance suites, one a noun, that every way of it runs.
