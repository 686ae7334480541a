//! Paths: `/<package>.<Struct>/<Method>` (WIRE §4.1).

use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::Metadata;
use bytes::Bytes;
use http::uri::PathAndQuery;

/// The path of an endpoint at a node of a service.
///
/// The package is the service's name; for nodes of the old plug-in (`server=grpc` without `protocol`) its last label,
/// since plug v0.1–v0.2 allow one dot in the whole path (WIRE §14 rows 1 and 2).
///
/// # Errors
/// `Invalid`: the endpoint is no `Struct.Method`, or a name has characters that no path can have.
pub(crate) fn of(service: &str, endpoint: &str, node: &Metadata) -> Result<PathAndQuery> {
    let Some((name, method)) =
        endpoint.rsplit_once('.').filter(|(name, method)| !name.is_empty() && !method.is_empty())
    else {
        return Err(Error::new(ErrorKind::Invalid, format!("endpoint {endpoint:?} is no Struct.Method")));
    };
    let old = !node.contains_key("protocol") && node.get("server").is_some_and(|server| server == "grpc");
    let package = if old { service.rsplit('.').next().unwrap_or_default() } else { service };
    if !service.bytes().chain(endpoint.bytes()).all(is_plain) {
        let context =
            format!("{service:?} {endpoint:?} cannot be called over gRPC: a path cannot have such characters");
        return Err(Error::new(ErrorKind::Invalid, context));
    }
    let mut path = String::with_capacity(package.len() + endpoint.len() + 2);
    path.push('/');
    if !package.is_empty() {
        path.push_str(package);
        path.push('.');
    }
    path.push_str(name);
    path.push('/');
    path.push_str(method);
    PathAndQuery::from_maybe_shared(Bytes::from(path))
        .map_err(|error| Error::new(ErrorKind::Invalid, format!("{endpoint:?} gives no path")).because(error))
}

/// The struct and the method that a path asks for: whatever the package, as Go's servers read it.
pub(crate) fn target(path: &str) -> Option<(&str, &str)> {
    let (package, method) = path.strip_prefix('/')?.split_once('/')?;
    let name = package.rsplit('.').next().unwrap_or_default();
    (!name.is_empty() && !method.is_empty() && !method.contains('/')).then_some((name, method))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'"' | b'#' | b'%' | b'/' | b'<' | b'>' | b'?' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&str, &str)]) -> Metadata {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_package_is_the_service_and_for_old_plugins_its_last_label() {
        let of = |node: &[(&str, &str)]| of("go.micro.srv.greeter", "Say.Hello", &metadata(node)).unwrap().to_string();
        assert_eq!(of(&[("protocol", "grpc"), ("server", "grpc")]), "/go.micro.srv.greeter.Say/Hello");
        assert_eq!(of(&[]), "/go.micro.srv.greeter.Say/Hello");
        assert_eq!(of(&[("server", "grpc")]), "/greeter.Say/Hello");
    }

    #[test]
    fn what_is_no_endpoint_or_no_path_is_refused() {
        let error = |service: &str, endpoint: &str| of(service, endpoint, &metadata(&[])).unwrap_err();
        insta::assert_snapshot!(error("a", "Hello"), @r#"endpoint "Hello" is no Struct.Method"#);
        insta::assert_snapshot!(error("a b", "Say.Hello"), @r#""a b" "Say.Hello" cannot be called over gRPC: a path cannot have such characters"#);
        for service in ["a#b", "a?b", "é", "🙂", "a/b", "\"", "a%2Fb"] {
            assert_eq!(error(service, "Say.Hello").kind(), ErrorKind::Invalid, "{service}");
        }
    }

    #[test]
    fn a_target_is_the_text_after_the_last_dot_and_the_method() {
        assert_eq!(target("/go.micro.srv.greeter.Say/Hello"), Some(("Say", "Hello")));
        assert_eq!(target("/Say/Hello"), Some(("Say", "Hello")));
        for path in ["Hello", "/Hello", "/Say/", "//Hello", "/Say/Hello/x", "/a./Hello", ""] {
            assert_eq!(target(path), None, "{path}");
        }
    }
}
