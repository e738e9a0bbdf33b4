//! Fetches a list from a URL: bounded in size and time, conditional, and never from https to http.

use std::error::Error;
use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode, header};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, Url};
use serde::{Deserialize, Serialize};

use super::{text_of, too_large};

const CONNECT: Duration = Duration::from_secs(10);
const TOTAL: Duration = Duration::from_mins(2);
const MAX_REDIRECTS: usize = 5;

/// What tells an answer apart from a newer one; empty where the server gave nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

/// What is fetched.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) url: &'a str,
    /// Of the list that is in force.
    pub(super) known: &'a Validators,
}

/// What was fetched.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A list.
    New(String, Validators),
    /// The one that is known.
    Unchanged,
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
        Self { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
    }

    fn pairs(&self) -> impl Iterator<Item = (HeaderName, &str)> {
        let (etag, date) = (self.etag.as_deref(), self.last_modified.as_deref());
        let pairs = [(header::IF_NONE_MATCH, etag), (header::IF_MODIFIED_SINCE, date)];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

impl Source<'_> {
    /// Fetches the list. What goes wrong is told without the URL, which may hold a token.
    pub(super) async fn fetch(&self, max_bytes: u64) -> Result<Fetched, String> {
        let mut request = client()?.get(self.url);
        for (name, value) in self.known.pairs() {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(told)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if self.known.pairs().next().is_some() => return Ok(Fetched::Unchanged),
            status => return Err(format!("the server answered {}", status.as_u16())),
        }
        let validators = Validators::of(response.headers());
        Ok(Fetched::New(text_of(body(response, max_bytes).await?)?, validators))
    }
}

async fn body(mut response: Response, max_bytes: u64) -> Result<Vec<u8>, String> {
    let is_too_large = |length: u64| if length > max_bytes { Err(too_large()) } else { Ok(()) };
    is_too_large(response.content_length().unwrap_or_default())?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(told)? {
        is_too_large(bytes.len() as u64 + chunk.len() as u64)?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// One for each fetch: there are hours between them, and certificates may have changed.
fn client() -> Result<Client, String> {
    // Where one is installed already, that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .redirect(Policy::custom(redirect))
        .build()
        .map_err(told)
}

fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    match objection(attempt.previous(), attempt.url()) {
        Some(objection) => attempt.error(objection),
        None => attempt.follow(),
    }
}

/// Why a redirect is not followed.
fn objection(previous: &[Url], next: &Url) -> Option<&'static str> {
    let was_secure = previous.iter().any(|url| url.scheme() == "https");
    match next.scheme() {
        "https" => {}
        "http" if !was_secure => {}
        _ => return Some("it is redirected away from https"),
    }
    (previous.len() > MAX_REDIRECTS).then_some("it is redirected too often")
}

/// An error and what caused it.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls<const N: usize>(urls: [&str; N]) -> [Url; N] {
        urls.map(|url| Url::parse(url).unwrap())
    }

    #[test]
    fn a_redirect_never_leaves_https() {
        let [secure, plain] = urls(["https://a/1", "http://a/1"]);
        assert_eq!(objection(&urls(["https://a/0"]), &secure), None);
        assert_eq!(objection(&urls(["http://a/0"]), &plain), None);
        assert_eq!(objection(&urls(["http://a/0"]), &secure), None);
        assert_eq!(objection(&urls(["https://a/0"]), &plain), Some("it is redirected away from https"));
        assert_eq!(objection(&urls(["https://a/0", "https://b/0"]), &plain), Some("it is redirected away from https"));
        let [other] = urls(["ftp://a/1"]);
        assert!(objection(&urls(["http://a/0"]), &other).is_some());
    }

    #[test]
    fn five_redirects_are_followed_and_no_sixth() {
        let [next] = urls(["http://a/next"]);
        assert_eq!(objection(&urls(["http://a"; 5]), &next), None);
        assert_eq!(objection(&urls(["http://a"; 6]), &next), Some("it is redirected too often"));
    }
}
