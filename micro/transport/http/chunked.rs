//! A body in chunks (RFC 9112 §7.1). Go sends every empty request body so (WIRE §2.1).

use crate::transport::http::{Fault, MAX_HEAD};
use bytes::{Buf, Bytes, BytesMut};

/// The longest line of a chunk's size, extensions included.
const MAX_SIZE_LINE: usize = 4 << 10;

/// A body that arrives in chunks.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    body: BytesMut,
    next: Next,
    /// Bytes of trailers so far.
    trailers: usize,
}

/// What comes next on the wire.
#[derive(Debug, Default)]
enum Next {
    #[default]
    Size,
    Data(usize),
    DataEnd,
    Trailer,
}

impl Chunks {
    /// Takes what `input` has; the body once it is whole.
    pub(crate) fn read(&mut self, input: &mut BytesMut, max: usize) -> Result<Option<Bytes>, Fault> {
        loop {
            match self.next {
                Next::Size => {
                    let Some(line) = line(input, MAX_SIZE_LINE)? else { return Ok(None) };
                    let size = size(&line)?;
                    if size > max - self.body.len() {
                        return Err(Fault::TooLarge { size: None, max });
                    }
                    self.next = if size == 0 { Next::Trailer } else { Next::Data(size) };
                }
                Next::Data(left) => {
                    let here = left.min(input.len());
                    self.body.extend_from_slice(&input[..here]);
                    input.advance(here);
                    if here < left {
                        self.next = Next::Data(left - here);
                        return Ok(None);
                    }
                    self.next = Next::DataEnd;
                }
                Next::DataEnd => {
                    let Some(line) = line(input, 2)? else { return Ok(None) };
                    if !line.is_empty() {
                        return Err(Fault::malformed("a chunk is longer than it says"));
                    }
                    self.next = Next::Size;
                }
                Next::Trailer => {
                    let Some(line) = line(input, MAX_HEAD)? else { return Ok(None) };
                    self.trailers += line.len() + 2;
                    if self.trailers > MAX_HEAD {
                        return Err(Fault::HeadTooLarge);
                    }
                    if line.is_empty() {
                        self.next = Next::Size;
                        self.trailers = 0;
                        return Ok(Some(self.body.split().freeze()));
                    }
                }
            }
        }
    }
}

/// The next line without its end; `None` while it is not whole.
fn line(input: &mut BytesMut, max: usize) -> Result<Option<Bytes>, Fault> {
    let within = input.len().min(max + 2);
    let Some(end) = input[..within].iter().position(|byte| *byte == b'\n') else {
        return if input.len() > max { Err(Fault::malformed("a chunk's line has no end")) } else { Ok(None) };
    };
    let line = input.split_to(end + 1).freeze();
    let line = line.slice(..end);
    Ok(Some(if line.ends_with(b"\r") { line.slice(..end - 1) } else { line }))
}

fn size(line: &[u8]) -> Result<usize, Fault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.and_then(|text| usize::from_str_radix(text, 16).ok()).ok_or_else(|| Fault::malformed("a chunk has no size"))
}
