//! Names of providers to addresses: cached for a while, renewed in the background, and the last good answer kept when
//! the resolver fails. A request never waits for a name that is known.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::time::Instant;

/// Resolves names by the system's resolver, as every other program on the machine does.
#[derive(Debug)]
pub(crate) struct Resolver {
    ttl: Duration,
    known: RwLock<HashMap<Box<str>, Arc<Known>>>,
}

#[derive(Debug)]
struct Known {
    addresses: RwLock<(Vec<IpAddr>, Instant)>,
    turn: AtomicUsize,
}

impl Resolver {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, known: RwLock::default() }
    }

    /// An address for the name; several take turns. Waits only for a name that was never resolved, and not longer than `within`.
    pub(crate) async fn resolve(&self, host: &str, port: u16, within: Duration) -> io::Result<SocketAddr> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(SocketAddr::new(address, port));
        }
        if let Some(known) = self.known.read().get(host) {
            return known.next(port);
        }
        let found = tokio::time::timeout(within, look_up(host)).await;
        let addresses =
            found.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "its name was not resolved in time"))??;
        let known = Arc::new(Known { addresses: RwLock::new((addresses, Instant::now())), turn: AtomicUsize::new(0) });
        let address = known.next(port);
        self.known.write().insert(host.into(), known);
        address
    }

    /// Renews names that are older than their time, for ever.
    pub(crate) async fn keep_fresh(&self) {
        loop {
            tokio::time::sleep(self.ttl.max(Duration::from_secs(1)) / 2).await;
            let aged: Vec<_> = {
                let known = self.known.read();
                let is_aged = |known: &Known| known.addresses.read().1.elapsed() >= self.ttl / 2;
                known
                    .iter()
                    .filter(|(_, known)| is_aged(known))
                    .map(|(host, known)| (host.clone(), Arc::clone(known)))
                    .collect()
            };
            for (host, known) in aged {
                match look_up(&host).await {
                    Ok(addresses) => *known.addresses.write() = (addresses, Instant::now()),
                    Err(error) => {
                        tracing::warn!(host = &*host, %error, "name not resolved; the last good answer is kept")
                    }
                }
            }
        }
    }
}

impl Known {
    fn next(&self, port: u16) -> io::Result<SocketAddr> {
        let addresses = self.addresses.read();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let chosen = turn.checked_rem(addresses.0.len()).and_then(|index| addresses.0.get(index));
        let address = chosen.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "its name has no address"))?;
        Ok(SocketAddr::new(*address, port))
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

    #[tokio::test(start_paused = true)]
    async fn the_last_good_answer_is_kept() {
        let resolver = Arc::new(Resolver::new(Duration::from_secs(1)));
        let known = Known {
            addresses: RwLock::new((vec![IpAddr::from([192, 0, 2, 1])], Instant::now())),
            turn: AtomicUsize::new(0),
        };
        resolver.known.write().insert("gone.invalid".into(), Arc::new(known));
        let refresher = Arc::clone(&resolver);
        let renewal = tokio::spawn(async move { refresher.keep_fresh().await });
        tokio::time::sleep(Duration::from_secs(5)).await;
        let address = resolver.resolve("gone.invalid", 443, Duration::from_secs(1)).await.unwrap();
        assert_eq!(address.to_string(), "192.0.2.1:443");
        renewal.abort();
    }
}
