//! Services that misbehave, each at a port of its own on loopback.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// What is wrong with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens.
    Refuses,
    /// Takes the request and says nothing.
    Deaf,
    /// Answers bytes that are no HTTP.
    Garbage,
    /// Ends in the middle of an answer.
    Half,
    /// An answer without an end.
    Endless,
    /// An answer of 100 MB.
    Huge,
    /// Answers this long after the request.
    Late(Duration),
    /// Takes the request and closes.
    Closes,
    /// A mucp answer whose body is no JSON.
    NoJson,
    /// A web server: 404 and a page.
    Web,
}

/// Starts a service with a fault; the address is `127.0.0.1:port`. Its threads end with the process.
///
/// # Errors
/// No port can be had.
pub fn start(fault: Fault) -> io::Result<String> {
    watched(fault).map(|(address, _)| address)
}

/// As [`start`]; each request that has come is told.
///
/// # Errors
/// No port can be had.
pub fn watched(fault: Fault) -> io::Result<(String, Receiver<()>)> {
    let (asked, requests) = channel();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    if fault != Fault::Refuses {
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The peer hangs up as it likes: what breaks then is no fault of the test.
                let asked = asked.clone();
                thread::spawn(move || _ = answer(stream, fault, &asked));
            }
        });
    }
    Ok((address, requests))
}

fn answer(mut stream: TcpStream, fault: Fault, asked: &Sender<()>) -> io::Result<()> {
    request(&mut stream)?;
    // Most tests do not watch.
    _ = asked.send(());
    match fault {
        Fault::Refuses | Fault::Closes => Ok(()),
        Fault::Deaf => drained(&mut stream),
        Fault::Garbage => stream.write_all(&[0xff, 0x00, 0x13, 0x37].repeat(64)),
        Fault::Half => stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json-rpc\r\nContent-Length: 500\r\n\r\n{\"id\":"),
        Fault::Endless => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json-rpc\r\nTransfer-Encoding: chunked\r\n\r\n",
            )?;
            let mut chunk = b"10000\r\n".to_vec();
            chunk.resize(chunk.len() + 0x1_0000, b' ');
            chunk.extend_from_slice(b"\r\n");
            loop {
                stream.write_all(&chunk)?;
            }
        }
        Fault::Huge => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json-rpc\r\nContent-Length: 100000000\r\n\r\n",
            )?;
            let block = vec![b' '; 1 << 20];
            loop {
                stream.write_all(&block)?;
            }
        }
        Fault::Late(after) => {
            thread::sleep(after);
            let body = "{\"id\":\"0\",\"result\":{\"msg\":\"too late\"},\"error\":null}\n";
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json-rpc\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        }
        Fault::NoJson => stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json-rpc\r\nContent-Length: 9\r\n\r\n<!doctype"),
        Fault::Web => {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nnot found")
        }
    }
}

/// Reads a head and what came with it.
fn request(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut block = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&block[..read]),
        }
    }
    Ok(())
}

/// Reads until the peer hangs up.
fn drained(stream: &mut TcpStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(|_| ())
}
