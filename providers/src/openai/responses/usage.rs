//! Usage as the Responses API reports it, written (`response_usage.py`, `ToolUsage` of `response.py`): so that the reader of the
//! dialect (`openai::usage`) finds the same totals.

use policy::usage::{ServiceTier, Usage};

use crate::hub::sink::Sink;

/// Writes what an answer says of its use as members.
pub(super) fn write(usage: Option<&Usage>, sink: &mut Sink) {
    let Some(usage) = usage else {
        return sink.key("usage").null();
    };
    if let Some(tier) = tier(usage.tier) {
        sink.plain_member("service_tier", tier);
    }
    if usage.searches > 0 {
        sink.key("tool_usage").object(|sink| write_tools(usage.searches, sink));
    }
    sink.key("usage").object(|sink| write_tokens(usage, sink));
}

fn write_tokens(usage: &Usage, sink: &mut Sink) {
    let (input, output) = (usage.input_total(), usage.output_total());
    sink.count_member("input_tokens", input);
    sink.key("input_tokens_details").object(|sink| {
        sink.count_member("cached_tokens", usage.cache_read);
        sink.count_member("cache_write_tokens", usage.cache_write.saturating_add(usage.cache_write_1h));
        if usage.cache_write_1h > 0 {
            sink.key("cache_write_tokens_details").object(|sink| {
                sink.count_member("ttl_30m_tokens", usage.cache_write);
                sink.count_member("ttl_12h_tokens", usage.cache_write_1h);
            });
        }
    });
    sink.count_member("output_tokens", output);
    sink.key("output_tokens_details").object(|sink| sink.count_member("reasoning_tokens", usage.reasoning));
    sink.count_member("total_tokens", input.saturating_add(output));
}

/// The types want all members, used or not.
fn write_tools(searches: u64, sink: &mut Sink) {
    sink.key("image_gen").object(|sink| {
        sink.count_member("input_tokens", 0);
        sink.key("input_tokens_details").object(|sink| {
            sink.count_member("image_tokens", 0);
            sink.count_member("text_tokens", 0);
        });
        sink.count_member("output_tokens", 0);
        sink.count_member("total_tokens", 0);
    });
    sink.key("web_search").object(|sink| sink.count_member("num_requests", searches));
}

/// A price class by its name here. `None`: it has none.
const fn tier(tier: ServiceTier) -> Option<&'static str> {
    match tier {
        ServiceTier::Standard => Some("default"),
        ServiceTier::Priority | ServiceTier::Fast => Some("priority"),
        ServiceTier::Flex => Some("flex"),
        ServiceTier::Ultrafast => Some("ultrafast"),
        ServiceTier::Batch | ServiceTier::Unknown => None,
    }
}
