//! All ways by name: the one place that knows them. One row a way.
