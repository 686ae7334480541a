//! Where a body ends, and whether the connection goes on (RFC 9112 §6, §9).

use crate::transport::http::Fault;
use crate::transport::http::chunked::Chunks;

/// How a body ends.
#[derive(Debug)]
pub(super) enum Body {
    Length(usize),
    Chunks(Chunks),
    /// A response without a length goes on until the connection closes.
    Close,
}

/// What the header says of the body.
#[derive(Default)]
pub(super) struct Framing {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    close: bool,
    keep: bool,
}

impl Framing {
    pub(super) fn of(headers: &[httparse::Header<'_>]) -> Result<Self, Fault> {
        let mut framing = Self::default();
        for header in headers {
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => framing.length(header.value)?,
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => framing.encoding(header.value)?,
                10 if header.name.eq_ignore_ascii_case("connection") => framing.connection(header.value),
                _ => {}
            }
        }
        Ok(framing)
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let digits = value.trim_ascii();
        let number = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number: u64 =
            number.and_then(|text| text.parse().ok()).ok_or_else(|| Fault::malformed("Content-Length is no number"))?;
        if self.length.replace(number).is_some_and(|before| before != number) {
            return Err(Fault::malformed("two different Content-Length"));
        }
        Ok(())
    }

    fn encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::malformed("a Transfer-Encoding other than chunked"));
        }
        self.chunked = true;
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.keep |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    pub(super) fn body(&self, otherwise: Body, max: usize) -> Result<Body, Fault> {
        if self.chunked {
            return Ok(Body::Chunks(Chunks::default()));
        }
        let Some(size) = self.length else { return Ok(otherwise) };
        match usize::try_from(size) {
            Ok(length) if length <= max => Ok(Body::Length(length)),
            _ => Err(Fault::TooLarge { size: Some(size), max }),
        }
    }

    pub(super) fn closes(&self, version: Option<u8>) -> bool {
        self.close || (version == Some(0) && !self.keep)
    }
}
