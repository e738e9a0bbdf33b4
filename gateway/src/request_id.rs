//! The id of a request: the caller's own where it is harmless, else a new one.

use std::sync::Arc;

use http::HeaderMap;
use uuid::{Builder, Uuid};

const MAX_LENGTH: usize = 128;

/// The request's id. A new one is a UUID of version 7 from the time given; it need not be hard to guess.
pub(crate) fn of(headers: &HeaderMap, wall_ms: u64) -> Arc<str> {
    let sent = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(|id| is_harmless(id));
    match sent {
        Some(id) => Arc::from(id),
        None => {
            let mut random = [0; 10];
            fastrand::fill(&mut random);
            let id = Builder::from_unix_timestamp_millis(wall_ms, &random).into_uuid();
            Arc::from(&*id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
        }
    }
}

/// An id goes into logs and headers as it is.
fn is_harmless(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    !id.is_empty() && id.len() <= MAX_LENGTH && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sent: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", sent.parse().unwrap());
        of(&headers, 1_700_000_000_000).to_string()
    }

    #[test]
    fn a_harmless_id_is_kept_and_any_other_replaced() {
        assert_eq!(id("trace-1.2:3_4"), "trace-1.2:3_4");
        for sent in ["", "with space", "{\"a\":1}", &"x".repeat(129)] {
            assert_ne!(id(sent), sent);
            assert_eq!(id(sent).len(), 36);
        }
    }
}
