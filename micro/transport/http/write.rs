//! Writing messages. Both append to a buffer, so that a message leaves in one write.

/// Appends a request to `out`: `lines` are header lines, each with its CRLF, without `Host` and `Content-Length`.
pub(crate) fn write_request(out: &mut Vec<u8>, host: &str, lines: &[u8], body: &[u8]) {
    out.reserve(64 + host.len() + lines.len() + body.len());
    out.extend_from_slice(b"POST / HTTP/1.1\r\nHost: ");
    out.extend_from_slice(host.as_bytes());
    out.extend_from_slice(b"\r\n");
    finish(out, lines, body);
}

/// Appends a response to `out`: `lines` as for a request.
pub(crate) fn write_response(out: &mut Vec<u8>, status: u16, reason: &str, lines: &[u8], body: &[u8]) {
    out.reserve(64 + reason.len() + lines.len() + body.len());
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(out, usize::from(status));
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
    finish(out, lines, body);
}

fn finish(out: &mut Vec<u8>, lines: &[u8], body: &[u8]) {
    out.extend_from_slice(b"Content-Length: ");
    decimal(out, body.len());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(lines);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// Appends a number without the detour over `fmt`, which costs more than the rest of the head.
pub(crate) fn decimal(out: &mut Vec<u8>, mut number: usize) {
    let start = out.len();
    loop {
        // A remainder of ten fits.
        out.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stands_as_go_frames_it() {
        let mut out = Vec::new();
        write_request(&mut out, "10.0.0.5:8080", b"Micro-Id: 0\r\n", b"{}\n");
        assert_eq!(out, b"POST / HTTP/1.1\r\nHost: 10.0.0.5:8080\r\nContent-Length: 3\r\nMicro-Id: 0\r\n\r\n{}\n");
    }

    #[test]
    fn a_response_stands_as_go_frames_it() {
        let mut out = Vec::new();
        write_response(&mut out, 200, "OK", b"", b"");
        assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 1_234_567_890, usize::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
