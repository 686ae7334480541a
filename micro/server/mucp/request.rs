//! What a mucp request asks, whichever generation of go-micro wrote it (WIRE §13). Pure.

use crate::client::request::PROTOBUF;
use crate::codec::bytes::Octets;
use crate::codec::{Codec, EOS, Kind};
use crate::error::Error;
use crate::header::Header;
use crate::open::CODECS;
use crate::server::mucp::reply::Form;
use crate::transport::http::Message;
use bytes::Bytes;
use std::borrow::Cow;
use std::time::Duration;

/// A request, read.
pub(super) enum Asked<'a> {
    /// A call, or the opening of a stream: the endpoint decides which.
    Call(Call<'a>),
    /// A publication that came over the transport (WIRE §9.5).
    Event(Form<'a>),
    /// The end of a stream that ended already.
    Eos,
    /// No such codec.
    Unsupported(Cow<'a, str>),
    /// The body is not what its content type says.
    Malformed(Form<'a>, Error),
}

/// A call, or the opening of a stream.
pub(super) struct Call<'a> {
    pub(super) form: Form<'a>,
    pub(super) payload: Bytes,
    /// How long the caller waits.
    pub(super) within: Option<Duration>,
}

/// A later message of a stream.
pub(super) enum Part {
    /// A message of the stream.
    Payload(Result<Bytes, Error>),
    /// The client will send no more.
    Eos,
    /// It belongs to something else.
    Foreign,
}

/// Reads a request.
pub(super) fn read(message: &Message) -> Asked<'_> {
    let names = Names::of(&message.header);
    if names.is_eos() {
        return Asked::Eos;
    }
    let Some(codec) = names.codec() else {
        return Asked::Unsupported(names.content_type.unwrap_or("none").into());
    };
    let mut form = Form {
        codec,
        content_type: names.content_type.unwrap_or(codec.content_type()).into(),
        endpoint: names.endpoint().unwrap_or_default().into(),
        token: "".into(),
        id: names.id.map(Into::into),
        old_id: names.old_id.map(Into::into),
        stream: names.stream.map(Into::into),
    };
    if names.topic.is_some() {
        return Asked::Event(form);
    }
    match codec.decode(Kind::Request, &message.body) {
        Ok((envelope, payload)) => {
            form.token = envelope.id;
            if form.endpoint.is_empty() {
                form.endpoint = envelope.endpoint;
            }
            Asked::Call(Call { form, payload, within: names.within })
        }
        Err(error) => Asked::Malformed(form, error),
    }
}

/// Reads a later message of the stream that `form` answers. One that has no id has its connection for itself.
pub(super) fn part(message: &Message, form: &Form<'_>) -> Part {
    let names = Names::of(&message.header);
    if form.stream.is_some() && form.stream.as_deref() != names.stream {
        return Part::Foreign;
    }
    if names.is_eos() {
        return Part::Eos;
    }
    Part::Payload(form.codec.decode(Kind::Request, &message.body).map(|(_, payload)| payload))
}

/// The headers that a handler sees: all but those that frame the message, and the connection's two ends.
pub(super) fn metadata(header: &Header, local: &str, remote: &str) -> Vec<(String, String)> {
    const FRAMING: [&str; 7] =
        ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "local", "remote"];
    let told = header.iter().filter(|(name, _)| !FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)));
    let ends = [("Local", local), ("Remote", remote)];
    told.chain(ends).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The header lines that mean something here, each in both spellings.
#[derive(Default)]
struct Names<'a> {
    content_type: Option<&'a str>,
    within: Option<Duration>,
    id: Option<&'a str>,
    old_id: Option<&'a str>,
    service: Option<&'a str>,
    method: Option<&'a str>,
    endpoint: Option<&'a str>,
    old_service: Option<&'a str>,
    old_method: Option<&'a str>,
    old_endpoint: Option<&'a str>,
    target: Option<&'a str>,
    protocol: Option<&'a str>,
    topic: Option<&'a str>,
    stream: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn of(header: &'a Header) -> Self {
        let mut names = Self::default();
        for (name, value) in header.iter().filter(|(_, value)| !value.is_empty()) {
            if let Some(slot) = names.slot(name) {
                slot.get_or_insert(value);
            } else if name.eq_ignore_ascii_case("Timeout") {
                names.within = within(value);
            }
        }
        names
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        if name.eq_ignore_ascii_case("Content-Type") {
            return Some(&mut self.content_type);
        }
        let old = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
        let name = if old { &name[2..] } else { name };
        let name = name.get(..6).filter(|start| start.eq_ignore_ascii_case("Micro-")).map(|_| &name[6..])?;
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        Some(match name.len() {
            2 if is("Id") && old => &mut self.old_id,
            2 if is("Id") => &mut self.id,
            7 if is("Service") && old => &mut self.old_service,
            7 if is("Service") => &mut self.service,
            6 if is("Method") && old => &mut self.old_method,
            6 if is("Method") => &mut self.method,
            8 if is("Endpoint") && old => &mut self.old_endpoint,
            8 if is("Endpoint") => &mut self.endpoint,
            6 if is("Target") => &mut self.target,
            8 if is("Protocol") => &mut self.protocol,
            5 if is("Topic") => &mut self.topic,
            6 if is("Stream") => &mut self.stream,
            5 if is("Error") => &mut self.error,
            _ => return None,
        })
    }

    fn is_eos(&self) -> bool {
        self.error == Some(EOS)
    }

    fn endpoint(&self) -> Option<&'a str> {
        self.endpoint.or(self.old_endpoint).or(self.method).or(self.old_method)
    }

    fn has_new(&self) -> bool {
        self.service.or(self.method).or(self.endpoint).is_some()
    }

    /// Written by v0.1.0–v0.16.0: then every content type means an envelope.
    fn is_enveloped(&self) -> bool {
        let addressed = self.has_new() || self.old_service.or(self.old_method).or(self.old_endpoint).is_some();
        self.protocol.is_none() && self.topic.is_none() && (self.target.is_some() || !addressed)
    }

    /// Written by v0.17.0, whose octet-stream is still proto-rpc.
    fn is_v0_17(&self) -> bool {
        let old = self.old_service.or(self.old_method).is_some();
        old && !self.has_new() && self.old_endpoint.or(self.old_id).or(self.id).is_none()
    }

    /// The table of WIRE §3. Parameters of a content type are passed over.
    fn codec(&self) -> Option<&'static dyn Codec> {
        let enveloped = self.is_enveloped();
        let bare = match self.content_type {
            Some(content_type) => content_type.split(';').next().unwrap_or_default().trim_end(),
            None if enveloped => return None,
            None => PROTOBUF,
        };
        let row = CODECS.iter().find(|row| row.name == bare)?;
        let legacy = enveloped || (bare == Octets.content_type() && self.is_v0_17());
        Some(if legacy { row.legacy } else { row.codec })
    }
}

/// Nanoseconds; 0 and what is no number mean no limit.
fn within(value: &str) -> Option<Duration> {
    value.parse().ok().filter(|nanoseconds| *nanoseconds > 0).map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(header: &str, body: &str) -> Message {
        let header = header.split(' ').filter_map(|pair| pair.split_once('=')).collect::<Vec<_>>();
        Message {
            line: Bytes::new(),
            status: 0,
            header: Header::from_pairs(header),
            body: Bytes::copy_from_slice(body.as_bytes()),
            close: false,
        }
    }

    fn said(header: &str, body: &str) -> String {
        match read(&message(header, body)) {
            Asked::Call(Call { form, payload, within }) => {
                format!(
                    "{} as {} id {} {}{}",
                    form.endpoint,
                    form.codec.content_type(),
                    form.token,
                    payload.escape_ascii(),
                    within.map(|within| format!(" within {within:?}")).unwrap_or_default()
                )
            }
            Asked::Event(form) => format!("event as {}", form.codec.content_type()),
            Asked::Eos => "eos".to_owned(),
            Asked::Unsupported(content_type) => format!("unsupported {content_type}"),
            Asked::Malformed(form, error) => format!("malformed {}: {error}", form.codec.content_type()),
        }
    }

    #[test]
    fn every_generation_is_understood() {
        const RPC: &str = r#"{"method":"A.B","params":[{}],"id":7}"#;
        let cases = [
            ("v0.1", "Content-Type=application/json", RPC),
            ("v0.16", "Content-Type=application/json X-Micro-Target=t X-Micro-Method=A.B", RPC),
            ("v0.16", "Content-Type=application/octet-stream X-Micro-Target=t X-Micro-Method=A.B", "\0\0\0\0\0\0\0\0"),
            ("v0.17", "Content-Type=application/json X-Micro-Service=s X-Micro-Method=A.B", "{}"),
            ("v0.17", "Content-Type=application/octet-stream X-Micro-Service=s X-Micro-Method=A.B", "\0\0\0\0\0\0\0\0"),
            ("v0.20", "Content-Type=application/octet-stream X-Micro-Id=1 X-Micro-Service=s X-Micro-Endpoint=A.B", "x"),
            ("v0.20", "X-Micro-Id=1 X-Micro-Service=s X-Micro-Endpoint=A.B", "x"),
            ("v1.18", "Content-Type=application/json Micro-Id=1 Micro-Endpoint=A.B Timeout=5000000000", "{}"),
            ("v1.18", "Content-Type=application/json-rpc Micro-Id=1 Micro-Endpoint=A.B", RPC),
            ("v2.9", "Content-Type=application/protobuf micro-id=1 micro-method=A.B Timeout=0", ""),
            ("v2.9", "Content-Type=application/json Micro-Topic=t", "{}"),
            ("v6", "Content-Type=application/json Micro-ID=1 Micro-Endpoint=A.B Timeout=soon", ""),
            ("v6", "Content-Type=application/grpc+json Micro-ID=1 Micro-Endpoint=A.B", "\0\0\0\0\x02{}"),
            ("v6", "Content-Type=application/json Micro-Error=EOS Micro-Stream=1", ""),
            ("curl", "Content-Type=application/json;charset=utf-8 Micro-Endpoint=A.B", "{}"),
            ("curl", "Accept=*", ""),
            ("probe", "Content-Type=application/x-probe Micro-Endpoint=A.B", "{}"),
            ("broken", "Content-Type=application/json", "{"),
            ("broken", "Content-Type=application/protobuf", "xyz"),
        ];
        let said: Vec<_> = cases.iter().map(|(who, header, body)| format!("{who}: {}", said(header, body))).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        v0.1: A.B as application/json-rpc id 7 {}
        v0.16: A.B as application/json-rpc id 7 {}
        v0.16: A.B as application/proto-rpc id 0 
        v0.17: A.B as application/json id  {}
        v0.17: A.B as application/proto-rpc id 0 
        v0.20: A.B as application/octet-stream id  x
        v0.20: A.B as application/protobuf id  x
        v1.18: A.B as application/json id  {} within 5s
        v1.18: A.B as application/json-rpc id 7 {}
        v2.9: A.B as application/protobuf id  
        v2.9: event as application/json
        v6: A.B as application/json id  {}
        v6: A.B as application/grpc+json id  {}
        v6: eos
        curl: A.B as application/json id  {}
        curl: unsupported none
        probe: unsupported application/x-probe
        broken: malformed application/json-rpc: no JSON-RPC envelope (EOF while parsing an object at line 1 column 1)
        broken: malformed application/proto-rpc: no proto-rpc envelope (the envelope is cut off)
        "#);
    }

    #[test]
    fn a_stream_knows_its_own_messages() {
        let opening = message("Content-Type=application/json Micro-Endpoint=A.B Micro-Stream=4", "{}");
        let Asked::Call(Call { form, .. }) = read(&opening) else { panic!("no call") };
        assert!(
            matches!(part(&message("Micro-Stream=4", "{\"a\":1}"), &form), Part::Payload(Ok(body)) if body == "{\"a\":1}")
        );
        assert!(matches!(part(&message("Micro-Stream=4 Micro-Error=EOS", ""), &form), Part::Eos));
        assert!(matches!(part(&message("Micro-Stream=5", ""), &form), Part::Foreign));
        assert!(matches!(part(&message("Micro-Id=9", ""), &form), Part::Foreign));
    }

    #[test]
    fn nobody_says_for_the_connection_where_it_comes_from() {
        let header =
            Header::from_pairs([("Host", "h"), ("Content-Length", "3"), ("remote", "8.8.8.8:1"), ("X-A", "b")]);
        let seen = metadata(&header, "127.0.0.1:1", "127.0.0.1:2");
        let seen: Vec<_> = seen.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(seen, ["X-A=b", "Local=127.0.0.1:1", "Remote=127.0.0.1:2"]);
    }
}
