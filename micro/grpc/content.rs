//! Content types: which payload a gRPC message carries (WIRE §3, §4.2, §18 S3).

use crate::client::request::{JSON, PROTOBUF};

/// What a message's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// protobuf.
    Proto,
    /// JSON.
    Json,
}

impl Payload {
    /// The payload of a content type that a caller may name: [`JSON`], [`PROTOBUF`] or one of gRPC's own.
    pub(crate) fn named(content_type: &str) -> Option<Self> {
        match content_type {
            JSON | "application/grpc+json" => Some(Self::Json),
            PROTOBUF | "application/grpc+proto" | "application/grpc" => Some(Self::Proto),
            _ => None,
        }
    }

    /// Its gRPC content type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Proto => "application/grpc+proto",
            Self::Json => "application/grpc+json",
        }
    }

    /// The content type that handlers see.
    pub(crate) fn plain(self) -> &'static str {
        match self {
            Self::Proto => PROTOBUF,
            Self::Json => JSON,
        }
    }
}

/// What a request's content types say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// gRPC with this payload.
    Grpc(Payload),
    /// gRPC with a payload that we do not know.
    Unknown,
    /// No gRPC at all.
    Foreign,
}

/// Reads `content-type`, and `x-content-type` where the first has no subtype: that is how v1.x clients open streams.
pub(crate) fn asked(content_type: &str, x_content_type: &str) -> Asked {
    let content_type = without_parameters(content_type);
    let Some(subtype) = content_type.strip_prefix("application/grpc") else { return Asked::Foreign };
    let payload = match subtype {
        "" => {
            let named = without_parameters(x_content_type);
            if named.is_empty() { Some(Payload::Proto) } else { Payload::named(named) }
        }
        "+proto" => Some(Payload::Proto),
        "+json" => Some(Payload::Json),
        _ if subtype.starts_with(['+', ';']) => None,
        _ => return Asked::Foreign,
    };
    payload.map_or(Asked::Unknown, Asked::Grpc)
}

/// Whether an answer's content type is gRPC's.
pub(crate) fn is_grpc(content_type: &str) -> bool {
    !matches!(asked(content_type, ""), Asked::Foreign)
}

fn without_parameters(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subtype_decides_and_without_one_the_second_header() {
        for (content_type, second, expected) in [
            ("application/grpc+json", "application/grpc+json", Asked::Grpc(Payload::Json)),
            ("application/grpc+json", "application/grpc+proto", Asked::Grpc(Payload::Json)),
            ("application/grpc+proto", "", Asked::Grpc(Payload::Proto)),
            ("application/grpc", "", Asked::Grpc(Payload::Proto)),
            ("application/grpc", "application/grpc+json", Asked::Grpc(Payload::Json)),
            ("application/grpc", "application/json", Asked::Grpc(Payload::Json)),
            ("application/grpc", "application/grpc+bytes", Asked::Unknown),
            ("application/grpc+json; charset=utf-8", "", Asked::Grpc(Payload::Json)),
            ("application/grpc+bytes", "application/grpc+bytes", Asked::Unknown),
            ("application/grpc-web", "", Asked::Foreign),
            ("application/json", "application/grpc+json", Asked::Foreign),
            ("", "", Asked::Foreign),
        ] {
            assert_eq!(asked(content_type, second), expected, "{content_type:?} {second:?}");
        }
    }
}
