//! The names of price classes in requests and answers, of all vendors together: none means two things by one name.

use policy::usage::ServiceTier;

/// The names of the standard class; Groq calls it `on_demand`.
const STANDARD: [&str; 5] = ["default", "standard", "standard_only", "on_demand", "unspecified"];

/// Whether a request asks for the standard class by this name.
pub(crate) fn is_standard(name: &str) -> bool {
    STANDARD.iter().any(|standard| name.eq_ignore_ascii_case(standard))
}

/// The class that an answer names. `auto`: it is not decided yet. OpenAI's `scale` is paid for in advance.
pub(crate) fn of_answer(name: &str) -> ServiceTier {
    const KNOWN: [(&str, ServiceTier); 7] = [
        ("priority", ServiceTier::Priority),
        ("fast", ServiceTier::Priority),
        ("flex", ServiceTier::Flex),
        ("batch", ServiceTier::Batch),
        ("ultrafast", ServiceTier::Ultrafast),
        ("auto", ServiceTier::Standard),
        ("scale", ServiceTier::Standard),
    ];
    if name.is_empty() || is_standard(name) {
        return ServiceTier::Standard;
    }
    let known = KNOWN.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    known.map_or(ServiceTier::Unknown, |(_, tier)| *tier)
}

/// Whether Anthropic's `speed` is not the usual one (<https://platform.claude.com/docs/en/build-with-claude/fast-mode>, 2026-11).
pub(crate) fn is_fast(speed: &str) -> bool {
    !speed.is_empty() && !is_standard(speed)
}

/// Whether Anthropic's `inference_geo` is a place that costs more
/// (<https://platform.claude.com/docs/en/build-with-claude/data-residency>, 2026-11). Models that know no places say
/// `not_available`.
pub(crate) fn is_regional(place: &str) -> bool {
    !["", "global", "not_available"].iter().any(|name| place.eq_ignore_ascii_case(name))
}
