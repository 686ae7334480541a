//! The frame around a message: one byte "compressed", four bytes length, the message.

use crate::error::{Error, ErrorKind, Result};
use bytes::{Buf, Bytes, BytesMut};
use std::io::IoSlice;

/// The length of a frame's head.
const HEAD: usize = 5;

/// The most that is reserved ahead of the bytes that have come: a peer's word for a length costs us nothing.
const AHEAD: usize = 64 << 10;

/// A message on its way out. The body is not copied.
#[derive(Debug)]
pub(crate) struct Frame {
    head: [u8; HEAD],
    at: usize,
    body: Bytes,
}

impl Frame {
    /// A frame around a message.
    ///
    /// # Errors
    /// `TooLarge`: beyond 4 GiB, which a frame cannot say.
    pub(crate) fn new(body: Bytes) -> Result<Self> {
        let size = u32::try_from(body.len()).map_err(|_| {
            Error::new(ErrorKind::TooLarge, format!("a message of {} bytes does not fit into a gRPC frame", body.len()))
        })?;
        let [a, b, c, d] = size.to_be_bytes();
        Ok(Self { head: [0, a, b, c, d], at: 0, body })
    }

    /// No message at all: what goes with the end of a stream.
    pub(crate) fn none() -> Self {
        Self { head: [0; HEAD], at: HEAD, body: Bytes::new() }
    }
}

impl Buf for Frame {
    fn remaining(&self) -> usize {
        HEAD - self.at + self.body.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.at < HEAD { &self.head[self.at..] } else { &self.body }
    }

    fn advance(&mut self, count: usize) {
        let head = count.min(HEAD - self.at);
        self.at += head;
        self.body.advance(count - head);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for part in [&self.head[self.at..], &self.body] {
            if !part.is_empty() && filled < slices.len() {
                slices[filled] = IoSlice::new(part);
                filled += 1;
            }
        }
        filled
    }
}

/// Puts messages together from the pieces that come.
///
/// A message that came in one piece is handed on without a copy. What is held is bounded by `max` and one piece, if
/// [`Reader::next`] is called until it gives nothing after each [`Reader::push`].
#[derive(Debug)]
pub(crate) struct Reader {
    max: usize,
    piece: Bytes,
    parts: BytesMut,
}

impl Reader {
    /// A reader of messages of up to `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, piece: Bytes::new(), parts: BytesMut::new() }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.piece = piece;
            return;
        }
        if !self.piece.is_empty() {
            self.parts.extend_from_slice(&std::mem::take(&mut self.piece));
        }
        self.parts.extend_from_slice(&piece);
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// `TooLarge`, as soon as its length is known; `Malformed`: compressed, which nobody asked for.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>> {
        let bytes = if self.parts.is_empty() { &self.piece[..] } else { &self.parts[..] };
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [compressed, a, b, c, d] = *head;
        if compressed != 0 {
            return Err(Error::new(
                ErrorKind::Malformed,
                "a gRPC message came compressed, though nobody asked for that",
            ));
        }
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        if size > self.max {
            let context = format!("a message of {size} bytes is larger than max_message allows ({})", self.max);
            return Err(Error::new(ErrorKind::TooLarge, context));
        }
        if rest.len() < size {
            let missing = size - rest.len();
            if !self.parts.is_empty() {
                self.parts.reserve(missing.min(AHEAD.max(self.parts.len())));
            }
            return Ok(None);
        }
        let mut message = if self.parts.is_empty() {
            self.piece.split_to(HEAD + size)
        } else {
            self.parts.split_to(HEAD + size).freeze()
        };
        message.advance(HEAD);
        Ok(Some(message))
    }

    /// Whether nothing is held: a stream that ends now ended between two messages.
    pub(crate) fn is_empty(&self) -> bool {
        self.piece.is_empty() && self.parts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(frame: Frame) -> Bytes {
        let mut frame = frame;
        frame.copy_to_bytes(frame.remaining())
    }

    #[test]
    fn a_frame_is_head_and_body() {
        assert_eq!(bytes_of(Frame::new(Bytes::from_static(b"abc")).unwrap()).as_ref(), b"\0\0\0\0\x03abc");
        assert_eq!(bytes_of(Frame::new(Bytes::new()).unwrap()).as_ref(), b"\0\0\0\0\0");
        assert_eq!(Frame::none().remaining(), 0);
    }

    #[test]
    fn a_frame_gives_both_parts_to_a_vectored_write() {
        let mut frame = Frame::new(Bytes::from_static(b"abc")).unwrap();
        frame.advance(2);
        let mut slices = [IoSlice::new(&[]); 3];
        assert_eq!(frame.chunks_vectored(&mut slices), 2);
        assert_eq!((&*slices[0], &*slices[1]), (&b"\0\0\x03"[..], &b"abc"[..]));
        frame.advance(4);
        assert_eq!(frame.chunk(), b"bc");
    }

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let wire = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x02de";
        for cut in 1..wire.len() {
            let mut reader = Reader::new(16);
            let mut messages = Vec::new();
            for piece in wire.chunks(cut) {
                reader.push(Bytes::copy_from_slice(piece));
                while let Some(message) = reader.next().unwrap() {
                    messages.push(message);
                }
            }
            assert_eq!(messages, ["abc", "", "de"], "cut at {cut}");
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn half_a_message_is_noticed() {
        let mut reader = Reader::new(16);
        reader.push(Bytes::from_static(b"\0\0\0\0\x03ab"));
        assert_eq!(reader.next().unwrap(), None);
        assert!(!reader.is_empty());
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let mut reader = Reader::new(16);
        reader.push(Bytes::from_static(b"\0\0\0\0\x11"));
        let error = reader.next().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        insta::assert_snapshot!(error, @"a message of 17 bytes is larger than max_message allows (16)");
    }

    #[test]
    fn compression_is_refused() {
        let mut reader = Reader::new(16);
        reader.push(Bytes::from_static(b"\x01\0\0\0\x01x"));
        assert_eq!(reader.next().unwrap_err().kind(), ErrorKind::Malformed);
    }
}
