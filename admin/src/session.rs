//! Sessions of people who logged in. They are kept in the registry, so they outlive the process and are the same on every node.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use policy::key::TokenHash;
use policy::provider::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Registry;
use subtle::ConstantTimeEq;

use crate::edge::Client;
use crate::error::ApiError;

/// The cookie's name.
pub(crate) const COOKIE: &str = "tollgate_session";
/// Where a request that changes something says that it is no other site's.
pub(crate) const CSRF: &str = "x-csrf-token";

const LIFE_MS: u64 = 12 * 60 * 60 * 1_000;
const MOST: usize = 1_000;
/// The name under which they are kept, all together: they are few, and change when somebody comes or goes.
const NAME: &str = "admin_sessions";

/// The sessions. All of this blocks.
#[derive(Debug)]
pub(crate) struct Sessions(Registry);

/// One of them. Times are wall clock, which nodes have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The token's SHA-256, in hexadecimal digits. The token itself is known to the cookie alone.
    hash: String,
    /// Who logged in.
    pub(crate) user: String,
    /// Tells what password it was opened by, and not what that is: with another password it is over.
    pub(crate) opened_by: String,
    ends_ms: u64,
}

impl Sessions {
    pub(crate) fn new(registry: Registry) -> Self {
        Self(registry)
    }

    /// Begins a session, and gives its token. The oldest one ends where there are too many.
    pub(crate) fn begin(&self, user: &str, opened_by: &str, now_ms: u64) -> Result<Secret, ApiError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| ApiError::internal(&error))?;
        let token = Secret::new(&URL_SAFE_NO_PAD.encode(bytes));
        let new = Session {
            hash: hash(token.reveal()),
            user: user.to_owned(),
            opened_by: opened_by.to_owned(),
            ends_ms: now_ms.saturating_add(LIFE_MS),
        };
        self.change(now_ms, |all| {
            // Those that began first end first.
            all.drain(..all.len().saturating_sub(MOST - 1));
            all.push(new.clone());
        })?;
        Ok(token)
    }

    /// The session of a token, if it is not over.
    pub(crate) fn find(&self, token: &str, now_ms: u64) -> Result<Option<Session>, ApiError> {
        let hash = hash(token);
        let kept = self.0.kept(&[NAME.to_owned()])?.pop().flatten();
        Ok(read(kept).into_iter().find(|session| session.hash == hash && session.ends_ms > now_ms))
    }

    /// Ends a session, on every node. One that is not there is not written for.
    pub(crate) fn end(&self, token: &str, now_ms: u64) -> Result<(), ApiError> {
        if self.find(token, now_ms)?.is_none() {
            return Ok(());
        }
        let hash = hash(token);
        self.change(now_ms, |all| all.retain(|session| session.hash != hash))
    }

    fn change(&self, now_ms: u64, mut change: impl FnMut(&mut Vec<Session>)) -> Result<(), ApiError> {
        self.0.rework(NAME, &mut |kept| {
            let mut all = read(kept);
            all.retain(|session| session.ends_ms > now_ms);
            change(&mut all);
            serde_json::to_string(&all).ok().map(|text| Secret::new(&text))
        })?;
        Ok(())
    }
}

/// What is not understood is no session.
fn read(kept: Option<Secret>) -> Vec<Session> {
    kept.and_then(|text| serde_json::from_str(text.reveal()).ok()).unwrap_or_default()
}

/// The session's token that a request carries.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// What a page of ours sends with each change. It follows from the token, which other sites' pages cannot read.
pub(crate) fn csrf_token(token: &str) -> String {
    let mut over = Sha256::new();
    over.update(b"tollgate csrf v1\0");
    over.update(token);
    URL_SAFE_NO_PAD.encode(over.finalize())
}

/// Whether a request carries that.
pub(crate) fn has_csrf_token(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers.get(CSRF).map(HeaderValue::as_bytes).unwrap_or_default();
    csrf_token(token).as_bytes().ct_eq(sent).into()
}

/// The header that gives a client its cookie; `None` takes it away.
pub(crate) fn set_cookie(token: Option<&Secret>, client: &Client) -> String {
    let secure = if client.is_secure { "; Secure" } else { "" };
    let (value, age) = token.map_or(("", 0), |token| (token.reveal(), LIFE_MS / 1_000));
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}

fn hash(token: &str) -> String {
    TokenHash::of(token).to_hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(folder: &tempfile::TempDir) -> Sessions {
        Sessions::new(Registry::open(folder.path(), &Secret::new("an encryption key")).unwrap())
    }

    #[test]
    fn a_session_ends_after_twelve_hours_or_when_it_is_ended_and_so_it_does_on_other_nodes() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (sessions(&folder), sessions(&folder));
        let (one, other) = (here.begin("a", "h", 1).unwrap(), here.begin("b", "h", 1).unwrap());
        for node in [&here, &there] {
            assert_eq!(node.find(one.reveal(), 1).unwrap().unwrap().user, "a");
            assert!(node.find(one.reveal(), LIFE_MS).unwrap().is_some());
            assert!(node.find(one.reveal(), LIFE_MS + 1).unwrap().is_none());
            assert!(node.find("", 1).unwrap().is_none());
        }
        there.end(other.reveal(), 1).unwrap();
        assert!(here.find(other.reveal(), 1).unwrap().is_none());
        assert!(here.find(one.reveal(), 1).unwrap().is_some());
        here.end("nobody's", 1).unwrap();
    }

    #[test]
    fn the_oldest_session_ends_where_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(&folder);
        let first = sessions.begin("first", "h", 0).unwrap();
        let full =
            |n: usize| Session { hash: n.to_string(), user: "x".into(), opened_by: "h".into(), ends_ms: LIFE_MS };
        sessions.change(1, |all| all.extend((1..MOST).map(full))).unwrap();
        assert!(sessions.find(first.reveal(), 1).unwrap().is_some());
        let last = sessions.begin("last", "h", 1).unwrap();
        assert!(sessions.find(first.reveal(), 1).unwrap().is_none());
        assert!(sessions.find(last.reveal(), 1).unwrap().is_some());
        sessions.change(1, |all| assert_eq!(all.len(), MOST)).unwrap();
    }

    #[test]
    fn those_that_are_over_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(&folder);
        sessions.begin("a", "h", 1).unwrap();
        sessions.begin("b", "h", LIFE_MS + 1).unwrap();
        sessions.change(0, |all| assert_eq!(all.len(), 1)).unwrap();
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; xtollgate_session=no".parse().unwrap());
        headers.append(header::COOKIE, "c=d;tollgate_session=yes; e=f".parse().unwrap());
        assert_eq!(token(&headers), Some("yes"));
    }

    #[test]
    fn only_its_own_csrf_token_opens_a_session_for_changes() {
        let mut headers = HeaderMap::new();
        assert!(!has_csrf_token(&headers, "t"));
        headers.insert(CSRF, csrf_token("other").parse().unwrap());
        assert!(!has_csrf_token(&headers, "t"));
        headers.insert(CSRF, csrf_token("t").parse().unwrap());
        assert!(has_csrf_token(&headers, "t"));
    }
}
