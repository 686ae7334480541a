//! Reading messages, however their bytes arrive: Go servers send a reply in some twenty pieces (WIRE §18).

use crate::header::Header;
use crate::transport::http::framing::{Body, Framing};
use crate::transport::http::{Fault, MAX_HEAD, MAX_LINES};
use bytes::{Buf, Bytes, BytesMut};
use std::mem::MaybeUninit;

/// What is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Requests: what a server reads.
    Request,
    /// Responses: what a client reads.
    Response,
}

/// One message, whole.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The start line without its end: `POST / HTTP/1.1`, `HTTP/1.1 200 OK`.
    pub(crate) line: Bytes,
    /// The status; 0 for a request.
    pub(crate) status: u16,
    /// The header block.
    pub(crate) header: Header,
    /// The body, chunks put together.
    pub(crate) body: Bytes,
    /// The sender closes the connection after it, or wants it closed.
    pub(crate) close: bool,
}

/// Reads one message after the other from one direction of a connection.
#[derive(Debug)]
pub(crate) struct Reader {
    side: Side,
    /// The largest body, in bytes.
    max: usize,
    /// How much of the input was searched for the end of a head.
    searched: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Head,
    Body(Message, Body),
}

impl Reader {
    /// A reader for bodies of at most `max` bytes.
    pub(crate) fn new(side: Side, max: usize) -> Self {
        Self { side, max, searched: 0, state: State::Head }
    }

    /// The next message, if `input` has all of it; what it needs is taken from `input`, what follows stays there.
    /// `ended` says that no more will come: then `None` means a clean end between two messages.
    ///
    /// # Errors
    /// Any [`Fault`]; `Cut` only if `ended`.
    pub(crate) fn next(&mut self, input: &mut BytesMut, ended: bool) -> Result<Option<Message>, Fault> {
        loop {
            if matches!(self.state, State::Head) {
                match self.head(input, ended)? {
                    Some((message, body)) => self.state = State::Body(message, body),
                    None => return Ok(None),
                }
            }
            let Some(message) = self.body(input, ended)? else { return Ok(None) };
            // 1xx announces the response that follows; 101 would change the protocol, which nobody asked for.
            if self.side == Side::Request || message.status >= 200 {
                return Ok(Some(message));
            }
        }
    }

    /// Whether it stands between two messages as far as it has read; bytes that are still in the input may begin the
    /// next one.
    pub(crate) fn is_between(&self) -> bool {
        matches!(self.state, State::Head)
    }

    /// How many bytes the body still needs at least, beyond what `input` has: room to make for the next read.
    pub(crate) fn wants(&self, input: &BytesMut) -> usize {
        match &self.state {
            State::Body(_, Body::Length(length)) => length.saturating_sub(input.len()),
            _ => 0,
        }
    }

    fn head(&mut self, input: &mut BytesMut, ended: bool) -> Result<Option<(Message, Body)>, Fault> {
        if self.side == Side::Request && self.searched == 0 {
            // RFC 9112 §2.2: empty lines before a request are passed over.
            let empty = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            input.advance(empty);
        }
        if self.side == Side::Response && self.searched < PREFIX.len() && !is_http(input) {
            return Err(Fault::NotHttp(Bytes::copy_from_slice(&input[..input.len().min(16)])));
        }
        let Some(end) = self.find_end(input) else {
            return match (input.len(), ended) {
                (length, _) if length > MAX_HEAD => Err(Fault::HeadTooLarge),
                (1.., true) => Err(Fault::Cut),
                _ => Ok(None),
            };
        };
        self.searched = 0;
        if end > MAX_HEAD {
            return Err(Fault::HeadTooLarge);
        }
        let head = input.split_to(end).freeze();
        match self.side {
            Side::Request => self.request(&head),
            Side::Response => self.response(&head),
        }
        .map(Some)
    }

    /// Where the head ends, its empty line included.
    fn find_end(&mut self, input: &[u8]) -> Option<usize> {
        let mut from = self.searched;
        while let Some(at) = input[from..].iter().position(|byte| *byte == b'\n') {
            let next = from + at + 1;
            match input[next..] {
                [b'\n', ..] => return Some(next + 1),
                [b'\r', b'\n', ..] => return Some(next + 2),
                // The line's end is looked at again when more has come.
                [] | [b'\r'] => {
                    self.searched = next - 1;
                    return None;
                }
                _ => from = next,
            }
        }
        self.searched = input.len();
        None
    }

    fn request(&self, head: &Bytes) -> Result<(Message, Body), Fault> {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
        let mut parsed = httparse::Request::new(&mut []);
        let status = httparse::ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, head, &mut lines);
        whole(status)?;
        let framing = Framing::of(parsed.headers)?;
        if framing.chunked && framing.length.is_some() {
            return Err(Fault::malformed("both Content-Length and Transfer-Encoding"));
        }
        let body = framing.body(Body::Length(0), self.max)?;
        Ok((message(head, 0, framing.closes(parsed.version)), body))
    }

    fn response(&self, head: &Bytes) -> Result<(Message, Body), Fault> {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
        let mut parsed = httparse::Response::new(&mut []);
        let status =
            httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, head, &mut lines);
        whole(status)?;
        let status = parsed.code.unwrap_or_default();
        let framing = Framing::of(parsed.headers)?;
        let body = match status {
            100..200 | 204 | 304 => Body::Length(0),
            _ => framing.body(Body::Close, self.max)?,
        };
        let close = framing.closes(parsed.version) || matches!(body, Body::Close);
        Ok((message(head, status, close), body))
    }

    fn body(&mut self, input: &mut BytesMut, ended: bool) -> Result<Option<Message>, Fault> {
        let State::Body(message, body) = &mut self.state else { return Ok(None) };
        let whole = match body {
            Body::Length(length) if input.len() >= *length => Some(input.split_to(*length).freeze()),
            Body::Length(_) => None,
            Body::Chunks(chunks) => chunks.read(input, self.max)?,
            Body::Close if input.len() > self.max => return Err(Fault::TooLarge { size: None, max: self.max }),
            Body::Close => ended.then(|| input.split().freeze()),
        };
        let Some(whole) = whole else { return if ended { Err(Fault::Cut) } else { Ok(None) } };
        message.body = whole;
        match std::mem::replace(&mut self.state, State::Head) {
            State::Body(message, _) => Ok(Some(message)),
            State::Head => Ok(None),
        }
    }
}

const PREFIX: &[u8] = b"HTTP/1.";

/// Whether this may be the beginning of a response.
fn is_http(input: &[u8]) -> bool {
    let length = input.len().min(PREFIX.len());
    input[..length] == PREFIX[..length]
}

/// The head was found whole, so anything but whole is ill-formed.
fn whole(status: httparse::Result<usize>) -> Result<(), Fault> {
    match status {
        Ok(httparse::Status::Complete(_)) => Ok(()),
        Ok(httparse::Status::Partial) => Err(Fault::malformed("the head has an empty line in it")),
        Err(httparse::Error::TooManyHeaders) => Err(Fault::HeadTooLarge),
        Err(error) => Err(Fault::malformed(error)),
    }
}

fn message(head: &Bytes, status: u16, close: bool) -> Message {
    let end = head.iter().position(|byte| *byte == b'\n').unwrap_or(head.len());
    let line = if head[..end].ends_with(b"\r") { end - 1 } else { end };
    let last = if head.ends_with(b"\r\n") { head.len() - 2 } else { head.len() - 1 };
    let lines = head.slice((end + 1).min(last)..last);
    Message { line: head.slice(..line), status, header: Header::from_lines(lines), body: Bytes::new(), close }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1000;

    /// Everything at once, and then byte by byte: both must read the same.
    fn read(side: Side, bytes: &[u8], ended: bool) -> Result<Vec<Message>, Fault> {
        let at_once = feed(side, bytes, bytes.len().max(1), ended);
        let by_byte = feed(side, bytes, 1, ended);
        assert_eq!(
            at_once.as_ref().map(|all| all.iter().map(shown).collect::<Vec<_>>()),
            by_byte.as_ref().map(|all| all.iter().map(shown).collect::<Vec<_>>())
        );
        at_once
    }

    fn shown(message: &Message) -> String {
        format!("{message:?}")
    }

    fn feed(side: Side, bytes: &[u8], piece: usize, ended: bool) -> Result<Vec<Message>, Fault> {
        let (mut reader, mut input, mut messages) = (Reader::new(side, MAX), BytesMut::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            input.extend_from_slice(piece);
            while let Some(message) = reader.next(&mut input, false)? {
                messages.push(message);
            }
        }
        while let Some(message) = reader.next(&mut input, ended)? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn one(side: Side, text: &str) -> Message {
        let mut all = read(side, text.as_bytes(), false).unwrap();
        assert_eq!(all.len(), 1, "{text}");
        all.remove(0)
    }

    #[test]
    fn a_message_is_read_whole_and_its_header_kept_as_it_came() {
        let message = one(Side::Request, "POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 3\r\nX-B:  c \r\n\r\nabc");
        assert_eq!(message.line, "POST / HTTP/1.1");
        assert_eq!(message.header.as_lines(), "Host: a\r\ncontent-LENGTH: 3\r\nX-B:  c \r\n");
        assert_eq!(message.header.get("x-b"), Some("c"));
        assert_eq!((message.body.as_ref(), message.status, message.close), (&b"abc"[..], 0, false));
    }

    #[test]
    fn messages_follow_each_other() {
        let two = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let all = read(Side::Response, two.as_bytes(), true).unwrap();
        assert_eq!(all.iter().map(|message| message.status).collect::<Vec<_>>(), [200, 404]);
    }

    #[test]
    fn chunks_are_put_together() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(one(Side::Request, &format!("{head}0\r\n\r\n")).body, "");
        assert_eq!(
            one(Side::Request, &format!("{head}3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n")).body,
            "abc0123456789"
        );
    }

    #[test]
    fn a_response_without_a_length_ends_with_the_connection() {
        let text = b"HTTP/1.0 200 OK\r\n\r\nall of it";
        assert!(read(Side::Response, text, false).unwrap().is_empty());
        assert_eq!(read(Side::Response, text, true).unwrap()[0].body, "all of it");
    }

    #[test]
    fn an_interim_response_is_passed_over() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        assert_eq!(one(Side::Response, text).body, "x");
    }

    #[test]
    fn who_closes_is_told() {
        let closes = |head: &str| one(Side::Request, &format!("{head}\r\n\r\n")).close;
        assert!(closes("GET / HTTP/1.1\r\nConnection: foo, Close"));
        assert!(closes("GET / HTTP/1.0"));
        assert!(!closes("GET / HTTP/1.0\r\nConnection: Keep-Alive"));
        assert!(!closes("GET / HTTP/1.1"));
    }

    #[test]
    fn what_is_no_http_is_told_at_its_first_byte() {
        let settings = b"\0\0\x06\x04\0\0\0\0\0";
        assert!(
            matches!(feed(Side::Response, settings, 99, false), Err(Fault::NotHttp(bytes)) if bytes[..] == settings[..])
        );
        assert!(matches!(feed(Side::Response, b"HTTX", 1, false), Err(Fault::NotHttp(_))));
        assert!(matches!(feed(Side::Response, b"\x15\x03", 1, false), Err(Fault::NotHttp(_))));
    }

    #[test]
    fn a_cut_message_is_a_fault_and_silence_is_none() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert!(read(Side::Response, b"", true).unwrap().is_empty());
        for end in 1..whole.len() {
            assert_eq!(read(Side::Response, &whole[..end], true).unwrap_err(), Fault::Cut, "{end}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_read() {
        let fault = |text: &str| read(Side::Response, text.as_bytes(), false).unwrap_err();
        let declared = fault("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
        assert_eq!(declared, Fault::TooLarge { size: Some(1001), max: MAX });
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(MAX + 1));
        assert_eq!(fault(&endless), Fault::TooLarge { size: None, max: MAX });
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\n";
        assert_eq!(fault(chunks), Fault::TooLarge { size: None, max: MAX });
        assert_eq!(fault(&format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MAX_HEAD))), Fault::HeadTooLarge);
        assert_eq!(fault(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_LINES + 1))), Fault::HeadTooLarge);
    }

    #[test]
    fn ill_formed_heads_are_faults() {
        for head in [
            "HTTP/1.1 two OK",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
            "HTTP/1.1 200 OK\r\nContent-Length: -1",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
            "HTTP/1.1 200 OK\r\nno colon",
        ] {
            let text = format!("{head}\r\n\r\n");
            assert!(matches!(read(Side::Response, text.as_bytes(), false), Err(Fault::Malformed(_))), "{head}");
        }
        let smuggled = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(read(Side::Request, smuggled, false), Err(Fault::Malformed(_))));
        let chunk = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n";
        assert!(matches!(read(Side::Request, chunk, false), Err(Fault::Malformed(_))));
    }

    #[test]
    fn bare_line_feeds_are_line_ends() {
        let message = one(Side::Response, "HTTP/1.1 200 OK\nContent-Length: 1\n\nx");
        assert_eq!((message.line.as_ref(), message.header.get("content-length")), (&b"HTTP/1.1 200 OK"[..], Some("1")));
    }

    #[test]
    fn any_byte_may_be_wrong() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: x\r\nA: b\r\n\r\nabc";
        for at in 0..whole.len() {
            for value in 0..=255 {
                let mut bent = whole.to_vec();
                bent[at] = value;
                let _ = feed(Side::Response, &bent, 7, true);
                let _ = feed(Side::Request, &bent, 7, true);
            }
        }
    }
}
