//! Where a provider is: base URLs, read for its vendor.

use std::net::Ipv6Addr;

use policy::provider::Endpoint;
use policy::request::Dialect;
use thiserror::Error;

use super::Vendor;

/// A base URL that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It begins with neither `http://` nor `https://`.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// There is no host, or it has characters that no host has.
    #[error("has no valid host")]
    Host,
    /// What stands behind the host's colon is no port.
    #[error("has no valid port")]
    Port,
    /// It carries a user name or password: credentials have their own place.
    #[error("must not carry a user name or password")]
    UserInfo,
    /// It carries a query or a fragment.
    #[error("must not carry a query or fragment")]
    Query,
    /// The path has characters that no path has.
    #[error("has no valid path")]
    Path,
}

/// Reads a provider's base URL: `http(s)://host[:port][/prefix]`. A slash at the end and the API's version before it
/// are taken off, because [`path`](super::path()) brings the version; the prefix keeps its slash in front.
///
/// # Errors
/// When it is no such URL.
pub fn endpoint(vendor: &Vendor, base_url: &str) -> Result<Endpoint, EndpointError> {
    let (tls, rest) = strip_scheme(base_url.trim()).ok_or(EndpointError::Scheme)?;
    if rest.contains(['?', '#']) {
        return Err(EndpointError::Query);
    }
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        return Err(EndpointError::UserInfo);
    }
    let (host, port) = split_port(authority)?;
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(EndpointError::Port)?,
        None if tls => 443,
        None => 80,
    };
    Ok(Endpoint { tls, host: valid_host(host)?, port, prefix: prefix(vendor, path)? })
}

fn strip_scheme(url: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Some((true, rest)),
        "http" => Some((false, rest)),
        _ => None,
    }
}

/// Host (IPv6 still in brackets) and port.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), EndpointError> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(EndpointError::Host)?;
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(EndpointError::Host),
        };
    }
    Ok(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

fn valid_host(host: &str) -> Result<Box<str>, EndpointError> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address.map(|address| address.to_string().into()).ok_or(EndpointError::Host);
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.is_empty() || host.starts_with('.') || !host.bytes().all(is_name) {
        return Err(EndpointError::Host);
    }
    Ok(host.to_ascii_lowercase().into())
}

fn prefix(vendor: &Vendor, path: &str) -> Result<Box<str>, EndpointError> {
    let is_path = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    if !path.bytes().all(is_path) || path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(EndpointError::Path);
    }
    let path = path.trim_end_matches('/');
    let versions = match vendor.dialect {
        Dialect::Gemini => &["/v1beta", "/v1"][..],
        _ => std::slice::from_ref(&vendor.version),
    };
    let prefix = versions.iter().find_map(|version| path.strip_suffix(version)).unwrap_or(path);
    Ok(prefix.trim_end_matches('/').into())
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    fn read(vendor: &str, url: &str) -> Result<(bool, String, u16, String), EndpointError> {
        let endpoint = endpoint(find(vendor).unwrap(), url)?;
        Ok((endpoint.tls, endpoint.host.into(), endpoint.port, endpoint.prefix.into()))
    }

    #[test]
    fn base_urls_lose_their_slash_and_version() {
        let cases = [
            ("openai", "https://api.openai.com", (true, "api.openai.com", 443, "")),
            ("openai", "https://api.openai.com/v1/", (true, "api.openai.com", 443, "")),
            ("openai", "HTTP://Localhost:8000/openai/v1", (false, "localhost", 8000, "/openai")),
            ("openai", "http://[::1]:9/x/", (false, "::1", 9, "/x")),
            ("openai", "http://[2001:DB8::1]", (false, "2001:db8::1", 80, "")),
            ("openai", "https://host/v1beta", (true, "host", 443, "/v1beta")),
            ("openai", "https://host/xv1", (true, "host", 443, "/xv1")),
            ("anthropic", "https://host/v1", (true, "host", 443, "")),
            ("gemini", "https://host/v1beta/", (true, "host", 443, "")),
            ("gemini", "https://host/a/v1", (true, "host", 443, "/a")),
            ("groq", "https://api.groq.com/openai/v1/", (true, "api.groq.com", 443, "/openai")),
            ("fireworks", "https://host/inference/v1", (true, "host", 443, "/inference")),
            ("deepseek", "https://api.deepseek.com/v1", (true, "api.deepseek.com", 443, "/v1")),
            ("databricks", "https://host", (true, "host", 443, "")),
            ("databricks", "https://host/serving-endpoints/", (true, "host", 443, "")),
            ("ollama", "http://localhost:11434/v1", (false, "localhost", 11434, "")),
        ];
        for (vendor, url, (tls, host, port, prefix)) in cases {
            assert_eq!(read(vendor, url), Ok((tls, host.to_owned(), port, prefix.to_owned())), "{url}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        let cases = [
            ("ftp://host", EndpointError::Scheme),
            ("api.openai.com", EndpointError::Scheme),
            ("https://", EndpointError::Host),
            ("https:///v1", EndpointError::Host),
            ("https://ho st", EndpointError::Host),
            ("https://[::1", EndpointError::Host),
            ("https://[::1]x", EndpointError::Host),
            ("https://[nonsense]", EndpointError::Host),
            ("https://host:0", EndpointError::Port),
            ("https://host:65536", EndpointError::Port),
            ("https://host:", EndpointError::Port),
            ("https://user:secret@host", EndpointError::UserInfo),
            ("https://host?x=1", EndpointError::Query),
            ("https://host/#x", EndpointError::Query),
            ("https://host/a b", EndpointError::Path),
            ("https://host/../v1", EndpointError::Path),
        ];
        for (url, error) in cases {
            assert_eq!(read("openai", url), Err(error), "{url}");
        }
    }
}
