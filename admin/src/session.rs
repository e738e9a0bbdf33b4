//! Sessions of people who logged in. They live in memory: after a restart, and on another node, one logs in again.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use parking_lot::Mutex;
use policy::provider::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::edge::Client;

/// The cookie's name.
pub(crate) const COOKIE: &str = "tollgate_session";
/// Where a request that changes something says that it is no other site's.
pub(crate) const CSRF: &str = "x-csrf-token";

const LIFE_MS: u64 = 12 * 60 * 60 * 1_000;
const MOST: usize = 1_000;

/// The sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Who logged in.
    pub(crate) user: Box<str>,
    /// The password's hash that it was opened by: with another password it is over.
    pub(crate) opened_by: Box<str>,
    ends_ms: u64,
}

impl Sessions {
    /// Begins a session. The token is known to the cookie alone. The oldest one ends where there are too many.
    pub(crate) fn begin(&self, user: &str, opened_by: &str, now_ms: u64) -> Result<Secret, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let token = Secret::new(&URL_SAFE_NO_PAD.encode(bytes));
        let mut all = self.0.lock();
        all.retain(|_, session| session.ends_ms > now_ms);
        if all.len() >= MOST
            && let Some(oldest) = all.iter().min_by_key(|(_, session)| session.ends_ms).map(|(hash, _)| *hash)
        {
            all.remove(&oldest);
        }
        let session = Session { user: user.into(), opened_by: opened_by.into(), ends_ms: now_ms + LIFE_MS };
        all.insert(hash(token.reveal()), session);
        Ok(token)
    }

    /// The session of a token, if it is not over.
    pub(crate) fn find(&self, token: &str, now_ms: u64) -> Option<Session> {
        self.0.lock().get(&hash(token)).filter(|session| session.ends_ms > now_ms).cloned()
    }

    /// Ends a session.
    pub(crate) fn end(&self, token: &str) {
        self.0.lock().remove(&hash(token));
    }
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

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_after_twelve_hours_or_when_it_is_ended() {
        let sessions = Sessions::default();
        let (one, other) = (sessions.begin("a", "h", 1).unwrap(), sessions.begin("b", "h", 1).unwrap());
        assert_eq!(&*sessions.find(one.reveal(), 1).unwrap().user, "a");
        assert!(sessions.find(one.reveal(), LIFE_MS).is_some());
        assert!(sessions.find(one.reveal(), LIFE_MS + 1).is_none());
        sessions.end(other.reveal());
        assert!(sessions.find(other.reveal(), 1).is_none());
        assert!(sessions.find("", 1).is_none());
    }

    #[test]
    fn the_oldest_session_ends_where_there_are_too_many() {
        let sessions = Sessions::default();
        let first = sessions.begin("first", "h", 0).unwrap();
        let last = (1..=MOST as u64).map(|n| sessions.begin("x", "h", n).unwrap()).last().unwrap();
        assert!(sessions.find(first.reveal(), 2_000).is_none());
        assert!(sessions.find(last.reveal(), 2_000).is_some());
        assert_eq!(sessions.0.lock().len(), MOST);
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
