//! Slows down strangers who guess keys. A count-min sketch may count too many, never too few: right for strangers,
//! and a caller with a valid key is never counted.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderValue;
use pingora::proxy::Session;
use pingora_limits::rate::Rate;
use policy::decision::{Reason, Refusal};
use policy::declare::network::Network;

/// Counts failed authentications per client address.
pub(crate) struct Throttle {
    rate: Rate,
    per_minute: u32,
    trusted_proxies: Vec<Network>,
}

const WINDOW: Duration = Duration::from_mins(1);

impl Throttle {
    /// Allows so many failures a minute from one address; 0 for any number. Proxies are believed about who is behind them.
    pub(crate) fn new(per_minute: u32, trusted_proxies: Vec<Network>) -> Self {
        Self { rate: Rate::new(WINDOW), per_minute, trusted_proxies }
    }

    /// Counts a failed authentication.
    pub(crate) fn check(&self, session: &Session) -> Result<(), Refusal> {
        let Some(address) = self.client(session) else { return Ok(()) };
        let failures = self.rate.observe(&address, 1);
        if self.per_minute == 0 || failures <= isize::try_from(self.per_minute).unwrap_or(isize::MAX) {
            return Ok(());
        }
        let message = format!("more than {} failed authentications a minute from this address", self.per_minute);
        Err(Refusal::new(Reason::AuthenticationThrottled, message).retry_after(WINDOW))
    }

    /// The client's address, behind the proxies that are believed.
    pub(crate) fn client(&self, session: &Session) -> Option<IpAddr> {
        let peer = session.client_addr()?.as_inet()?.ip();
        let headers = &session.req_header().headers;
        // Some proxies add a line of their own instead of adding to the last one.
        let lines: Vec<_> =
            headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or("?")).collect();
        Some(client_behind(peer, &lines, &self.trusted_proxies))
    }

    /// Whether a proxy that is believed says that the client came to it by TLS.
    pub(crate) fn was_tls_before_proxy(&self, session: &Session) -> bool {
        let peer = session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip());
        let is_trusted = peer.is_some_and(|peer| self.trusted_proxies.iter().any(|net| net.contains(peer)));
        let told = session.req_header().headers.get("x-forwarded-proto").map(HeaderValue::as_bytes);
        is_trusted && told.is_some_and(|told| told.eq_ignore_ascii_case(b"https"))
    }
}

/// The last address in the chain that no trusted proxy has.
fn client_behind(peer: IpAddr, forwarded: &[&str], trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(*address));
    let mut client = peer;
    let hops = forwarded.iter().rev().flat_map(|line| line.rsplit(',')).map(|hop| hop.trim().parse::<IpAddr>());
    for hop in hops {
        if !is_trusted(&client) {
            break;
        }
        let Ok(hop) = hop else { break };
        client = hop;
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        client_behind(peer.parse().unwrap(), forwarded, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(behind("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(behind("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(behind("10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(behind("10.0.0.1", &["1.2.3.4", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(behind("10.0.0.1", &["junk"]), "10.0.0.1");
    }
}
