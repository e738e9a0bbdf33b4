//! Blocks of IP addresses, as in `10.0.0.0/8`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::node::{Node, Read};

/// A block of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is in the block. An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                let ignored = 32 - u32::from(self.bits);
                block.to_bits().checked_shr(ignored) == address.to_bits().checked_shr(ignored)
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                let ignored = 128 - u32::from(self.bits);
                block.to_bits().checked_shr(ignored) == address.to_bits().checked_shr(ignored)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    /// `address` or `address/bits`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map_err(|_| ())?,
            Some(_) => return Err(()),
            None => most,
        };
        if bits > most { Err(()) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Read for Network {
    fn read(node: Node<'_>) -> Self {
        let text = Box::<str>::read(node);
        text.parse().unwrap_or_else(|()| {
            if !text.is_empty() {
                node.error("expected an IP address or a block of them, as in \"10.0.0.0/8\"");
            }
            Self { address: IpAddr::from([0; 4]), bits: 32 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(block: &str, address: &str) -> bool {
        block.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_block_contains_what_shares_its_first_bits() {
        assert!(contains("10.0.0.0/8", "10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "11.1.2.3"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(!contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("fd00::/8", "fd12::1"));
        assert!(!contains("::/0", "10.0.0.1"));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "::/129", "host/8", "10.0.0.0/+8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
