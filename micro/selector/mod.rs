//! Which node gets a call: filters, then a strategy.
