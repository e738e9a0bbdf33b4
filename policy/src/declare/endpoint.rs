//! Base URLs of providers.

use std::str::FromStr;

use thiserror::Error;

use crate::provider::Endpoint;

/// Why a text is no base URL. Never repeats the text: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It does not begin with `http://` or `https://`.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// It has a user name or password.
    #[error("must not contain a user name or password; use a key or `extra_headers`")]
    Credentials,
    /// It has no host, or one that cannot be.
    #[error("has no valid host name or address")]
    Host,
    /// Its port is none.
    #[error("has no valid port")]
    Port,
    /// It has a query, a fragment, blanks or control characters.
    #[error("must end with its path: no query, no fragment, no blanks")]
    Path,
}

/// Reads `https://host:port/prefix`; trailing slashes are dropped.
impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) = url.split_once("://").ok_or(EndpointError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(EndpointError::Scheme),
        };
        if rest.contains(['?', '#', '\\']) || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EndpointError::Path);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(EndpointError::Credentials);
        }
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0).ok_or(EndpointError::Port)?
            }
            Some(_) => return Err(EndpointError::Port),
            None if tls => 443,
            None => 80,
        };
        Ok(Self { tls, host: host.to_ascii_lowercase().into(), port, prefix: path.trim_end_matches('/').into() })
    }
}

fn host_and_port(authority: &str) -> Result<(&str, Option<&str>), EndpointError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(EndpointError::Host)?;
        address.parse::<std::net::Ipv6Addr>().map_err(|_| EndpointError::Host)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((address, Some(port))),
            None if rest.is_empty() => Ok((address, None)),
            None => Err(EndpointError::Port),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_name = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_valid = host.strip_suffix('.').unwrap_or(host).split('.').all(is_name);
    if is_valid { Ok((host, port)) } else { Err(EndpointError::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart() {
        for (url, tls, host, port, prefix) in [
            ("https://api.openai.com", true, "api.openai.com", 443, ""),
            ("https://api.groq.com/openai/", true, "api.groq.com", 443, "/openai"),
            ("http://localhost:11434/v1", false, "localhost", 11434, "/v1"),
            ("HTTP://127.0.0.1", false, "127.0.0.1", 80, ""),
            ("https://[::1]:8443/a/b//", true, "::1", 8443, "/a/b"),
        ] {
            let endpoint: Endpoint = url.parse().unwrap();
            let expected = Endpoint { tls, host: host.into(), port, prefix: prefix.into() };
            assert_eq!(endpoint, expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_with_its_reason() {
        for (url, reason) in [
            ("api.openai.com", EndpointError::Scheme),
            ("ftp://host", EndpointError::Scheme),
            ("https://", EndpointError::Host),
            ("https://:443", EndpointError::Host),
            ("https://a..b", EndpointError::Host),
            ("https://[::g]", EndpointError::Host),
            ("https://me:secret@host", EndpointError::Credentials),
            ("https://host:0", EndpointError::Port),
            ("https://host:", EndpointError::Port),
            ("https://host:65536", EndpointError::Port),
            ("https://host/v1?key=secret", EndpointError::Path),
            ("https://host/a b", EndpointError::Path),
        ] {
            assert_eq!(url.parse::<Endpoint>().unwrap_err(), reason, "{url}");
        }
    }
}
