//! Whether the same request may be sent again (DESIGN §5). Pure.

use crate::error::{Error, ErrorKind};

/// Only if no handler can have run; a request that may run twice also after anything else the network did.
pub(super) fn may_repeat(error: &Error, idempotent: bool) -> bool {
    let network = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unsure | ErrorKind::Malformed);
    error.is_retryable() || (idempotent && network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_run_is_repeated_only_if_it_may_run_twice() {
        let may = |kind, idempotent| may_repeat(&Error::new(kind, ""), idempotent);
        for kind in [ErrorKind::Refused, ErrorKind::Unreachable, ErrorKind::Tls] {
            assert!(may(kind, false) && may(kind, true), "{kind:?}");
        }
        for kind in [ErrorKind::Timeout, ErrorKind::Unsure, ErrorKind::Malformed] {
            assert!(!may(kind, false) && may(kind, true), "{kind:?}");
        }
        for kind in [ErrorKind::Service, ErrorKind::TooLarge, ErrorKind::Invalid, ErrorKind::NotFound] {
            assert!(!may(kind, false) && !may(kind, true), "{kind:?}");
        }
    }
}
