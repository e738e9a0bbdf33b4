//! A password that is written as its argon2id hash, in the PHC string format.

/// What such a hash begins with. No password does: it would be taken for one.
const HASHED: &str = "$argon2id$";

/// What a hash may ask for: verifying it takes so many KiB, so many passes, and so many lanes.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;

/// Whether a password is written as its hash. Whether that one can be used was checked when it was written.
#[must_use]
pub fn is_password_hash(text: &str) -> bool {
    text.starts_with(HASHED)
}

/// Whether a hash can be used: it is of the current version, whole, and does not take too much to verify.
pub(super) fn is_usable(hash: &str) -> bool {
    let parts: Vec<_> = hash.split('$').collect();
    let ["", "argon2id", "v=19", cost, salt, hash] = parts[..] else { return false };
    let costs: Vec<_> = cost.split(',').filter_map(|part| part.split_once('=')).collect();
    let [("m", memory), ("t", passes), ("p", lanes)] = costs[..] else { return false };
    let within = |text: &str, least: u32, most: u32| text.parse().is_ok_and(|number| (least..=most).contains(&number));
    // RFC 9106, section 3.1: 8 KiB at least for each lane.
    let least_memory = lanes.parse::<u32>().unwrap_or_default().saturating_mul(8).max(8);
    within(memory, least_memory, MOST_MEMORY_KIB)
        && within(passes, 1, MOST_PASSES)
        && within(lanes, 1, MOST_LANES)
        && is_base64(salt, 11, 64)
        && is_base64(hash, 22, 86)
}

/// Whether a text is base64 without padding, of so many characters.
fn is_base64(text: &str, least: usize, most: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    (least..=most).contains(&text.len()) && text.len() % 4 != 1 && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "c29tZXNhbHQ";
    const HASH: &str = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[test]
    fn a_hash_as_programs_write_it_can_be_used() {
        for cost in ["m=19456,t=2,p=1", "m=65536,t=3,p=4", "m=8,t=1,p=1", "m=262144,t=16,p=16"] {
            assert!(is_usable(&format!("$argon2id$v=19${cost}${SALT}${HASH}")), "{cost}");
        }
    }

    #[test]
    fn what_is_no_whole_hash_or_would_take_too_much_cannot() {
        for text in [
            "$argon2id$".to_owned(),
            format!("$argon2id$v=16$m=65536,t=2,p=1${SALT}${HASH}"),
            format!("$argon2id$m=65536,t=2,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=4194304,t=2,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=65536,t=4000000,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=65536,t=2,p=0${SALT}${HASH}"),
            format!("$argon2id$v=19$m=127,t=2,p=16${SALT}${HASH}"),
            format!("$argon2id$v=19$m=65536,t=2${SALT}${HASH}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1${SALT}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1${SALT}${HASH}$"),
            format!("$argon2id$v=19$m=65536,t=2,p=1$short${HASH}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1${SALT}${}", "!".repeat(43)),
            format!("$argon2i$v=19$m=65536,t=2,p=1${SALT}${HASH}"),
        ] {
            assert!(!is_usable(&text), "{text}");
        }
    }
}
