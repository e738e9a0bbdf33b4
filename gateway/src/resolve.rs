//! Names of providers to addresses: cached for a while, renewed in the background, and the last good answer kept when
//! the resolver fails. A request never waits for a name that is known.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

/// Resolves names by the system's resolver, as every other program on the machine does.
#[derive(Debug)]
pub(crate) struct Resolver {
    ttl: Duration,
    known: RwLock<HashMap<Box<str>, Arc<Known>>>,
}

#[derive(Debug)]
struct Known {
    found: RwLock<Found>,
    /// Addresses that could not be connected to, and until when they come last.
    failing: Mutex<HashMap<IpAddr, Instant>>,
}

/// What the system's resolver said, in its order of preference, and when.
#[derive(Debug)]
struct Found {
    addresses: Vec<IpAddr>,
    at: Instant,
}

/// How long an address that could not be connected to comes last.
const AVOID: Duration = Duration::from_secs(10);
/// How long a look-up in the background may take.
const LOOK_UP: Duration = Duration::from_secs(5);

impl Resolver {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, known: RwLock::default() }
    }

    /// The address for the name that the system prefers, of those that do not fail. Waits only for a name that was never
    /// resolved, and not longer than `within`.
    pub(crate) async fn resolve(&self, host: &str, port: u16, within: Duration) -> io::Result<SocketAddr> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(SocketAddr::new(address, port));
        }
        if let Some(known) = self.known.read().get(host) {
            return known.best(port);
        }
        let found = tokio::time::timeout(within, look_up(host)).await;
        let addresses =
            found.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "its name was not resolved in time"))??;
        let known = Arc::new(Known::new(addresses));
        let address = known.best(port);
        self.known.write().insert(host.into(), known);
        address
    }

    /// An address could not be connected to. Whether the name has another one that did not fail lately.
    pub(crate) fn failed(&self, host: &str, address: IpAddr) -> bool {
        let known = self.known.read().get(host).cloned();
        known.is_some_and(|known| known.failed(address))
    }

    /// Renews names that are older than their time, for ever.
    pub(crate) async fn keep_fresh(&self) {
        loop {
            tokio::time::sleep(self.ttl.max(Duration::from_secs(1)) / 2).await;
            let aged: Vec<_> = {
                let known = self.known.read();
                let is_aged = |known: &Known| known.found.read().at.elapsed() >= self.ttl / 2;
                let aged = known.iter().filter(|(_, known)| is_aged(known));
                aged.map(|(host, known)| (host.clone(), Arc::clone(known))).collect()
            };
            for (host, known) in aged {
                match tokio::time::timeout(LOOK_UP, look_up(&host)).await {
                    Ok(Ok(addresses)) => *known.found.write() = Found { addresses, at: Instant::now() },
                    Ok(Err(error)) => {
                        tracing::warn!(host = &*host, %error, "name not resolved; the last good answer is kept");
                    }
                    Err(_) => tracing::warn!(host = &*host, "name not resolved in time; the last good answer is kept"),
                }
            }
        }
    }
}

impl Known {
    fn new(addresses: Vec<IpAddr>) -> Self {
        Self { found: RwLock::new(Found { addresses, at: Instant::now() }), failing: Mutex::default() }
    }

    fn best(&self, port: u16) -> io::Result<SocketAddr> {
        let found = self.found.read();
        let failing = self.failing.lock();
        let fails = |address: &&IpAddr| failing.get(*address).is_some_and(|until| Instant::now() < *until);
        let chosen = found.addresses.iter().find(|address| !fails(address)).or_else(|| found.addresses.first());
        let address = chosen.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "its name has no address"))?;
        Ok(SocketAddr::new(*address, port))
    }

    fn failed(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let found = self.found.read();
        let mut failing = self.failing.lock();
        failing.retain(|_, until| now < *until);
        failing.insert(address, now + AVOID);
        found.addresses.iter().any(|other| !failing.contains_key(other))
    }
}

async fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    let addresses: Vec<_> = tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "its name has no address"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_needs_no_resolver() {
        let resolver = Resolver::new(Duration::from_secs(30));
        let address = resolver.resolve("::1", 8080, Duration::from_secs(1)).await.unwrap();
        assert_eq!(address.to_string(), "[::1]:8080");
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_an_error() {
        let resolver = Resolver::new(Duration::from_secs(30));
        assert!(resolver.resolve("no-such-host.invalid", 80, Duration::from_secs(5)).await.is_err());
    }

    fn knowing(ttl: Duration, host: &str, addresses: &[[u8; 4]]) -> Resolver {
        let resolver = Resolver::new(ttl);
        let addresses = addresses.iter().map(|address| IpAddr::from(*address)).collect();
        resolver.known.write().insert(host.into(), Arc::new(Known::new(addresses)));
        resolver
    }

    async fn resolved(resolver: &Resolver, host: &str) -> String {
        resolver.resolve(host, 443, Duration::from_secs(1)).await.unwrap().to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_answer_is_kept() {
        let resolver = Arc::new(knowing(Duration::from_secs(1), "gone.invalid", &[[192, 0, 2, 1]]));
        let refresher = Arc::clone(&resolver);
        let renewal = tokio::spawn(async move { refresher.keep_fresh().await });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(resolved(&resolver, "gone.invalid").await, "192.0.2.1:443");
        renewal.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_answer_is_renewed_in_the_background() {
        let resolver = Arc::new(knowing(Duration::from_secs(1), "localhost", &[[192, 0, 2, 1]]));
        let refresher = Arc::clone(&resolver);
        let renewal = tokio::spawn(async move { refresher.keep_fresh().await });
        let renewed = async {
            while resolved(&resolver, "localhost").await == "192.0.2.1:443" {
                tokio::time::sleep(Duration::from_millis(100)).await;
                // Time is paused; the system's resolver needs real turns.
                tokio::task::yield_now().await;
            }
        };
        renewed.await;
        renewal.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_fails_comes_last_for_a_while() {
        let resolver = knowing(Duration::from_secs(30), "two.invalid", &[[192, 0, 2, 1], [192, 0, 2, 2]]);
        assert_eq!(resolved(&resolver, "two.invalid").await, "192.0.2.1:443");
        assert!(resolver.failed("two.invalid", IpAddr::from([192, 0, 2, 1])));
        assert_eq!(resolved(&resolver, "two.invalid").await, "192.0.2.2:443");
        assert!(!resolver.failed("two.invalid", IpAddr::from([192, 0, 2, 2])));
        assert_eq!(resolved(&resolver, "two.invalid").await, "192.0.2.1:443");
        tokio::time::advance(AVOID).await;
        assert!(resolver.failed("two.invalid", IpAddr::from([192, 0, 2, 2])));
    }
}
