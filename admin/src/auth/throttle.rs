//! Failed log-ins per client address. Who has failed too often is not listened to until the minute is over.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

const WINDOW_MS: u64 = 60_000;
const MOST_FAILURES: u32 = 10;
const MOST_ADDRESSES: usize = 10_000;

/// Counts failed log-ins.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<u128, Failures>>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    began_ms: u64,
    count: u32,
}

impl Throttle {
    /// The seconds that an address has to wait; `None`: it may try.
    pub(crate) fn wait(&self, address: Option<IpAddr>, now_ms: u64) -> Option<u64> {
        let failures = self.0.lock().get(&place(address)).copied()?;
        let left_ms = failures.began_ms.saturating_add(WINDOW_MS).saturating_sub(now_ms);
        (failures.count >= MOST_FAILURES && left_ms > 0).then(|| left_ms.div_ceil(1_000))
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, address: Option<IpAddr>, now_ms: u64) {
        let mut all = self.0.lock();
        if all.len() >= MOST_ADDRESSES && !all.contains_key(&place(address)) {
            all.retain(|_, failures| !failures.is_over(now_ms));
            let oldest = all.iter().min_by_key(|(_, failures)| failures.began_ms).map(|(place, _)| *place);
            if let Some(oldest) = oldest.filter(|_| all.len() >= MOST_ADDRESSES) {
                all.remove(&oldest);
            }
        }
        let failures = all.entry(place(address)).or_insert(Failures { began_ms: now_ms, count: 0 });
        if failures.is_over(now_ms) {
            *failures = Failures { began_ms: now_ms, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }
}

impl Failures {
    fn is_over(&self, now_ms: u64) -> bool {
        now_ms >= self.began_ms.saturating_add(WINDOW_MS)
    }
}

/// Whoever has an IPv6 address has 2^64 of them, so those count as one. All whose address is not known are one, too.
fn place(address: Option<IpAddr>) -> u128 {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => u128::from(address.to_bits()),
        Some(IpAddr::V6(address)) => address.to_bits() | u128::from(u64::MAX),
        None => u128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn ten_failures_a_minute_and_no_more() {
        let throttle = Throttle::default();
        for n in 0..10 {
            assert_eq!(throttle.wait(at("192.0.2.1"), n), None);
            throttle.failed(at("192.0.2.1"), n);
        }
        assert_eq!(throttle.wait(at("192.0.2.1"), 10), Some(60));
        assert_eq!(throttle.wait(at("192.0.2.2"), 10), None, "another address");
        assert_eq!(throttle.wait(at("192.0.2.1"), 60_000), None);
        throttle.failed(at("192.0.2.1"), 60_000);
        assert_eq!(throttle.wait(at("192.0.2.1"), 60_001), None, "the count began anew");
    }

    #[test]
    fn a_network_of_one_owner_counts_as_one() {
        let throttle = Throttle::default();
        for n in 0..10_u32 {
            throttle.failed(at(&format!("2001:db8::{n:x}")), 0);
        }
        assert!(throttle.wait(at("2001:db8::ffff"), 1).is_some());
        assert!(throttle.wait(at("2001:db8:0:1::1"), 1).is_none());
        assert_eq!(place(at("::ffff:192.0.2.1")), place(at("192.0.2.1")));
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let throttle = Throttle::default();
        for n in 0..20_000_u32 {
            throttle.failed(Some(IpAddr::V4(n.into())), u64::from(n));
        }
        assert!(throttle.0.lock().len() <= MOST_ADDRESSES);
        assert!(throttle.0.lock().contains_key(&19_999));
    }
}
