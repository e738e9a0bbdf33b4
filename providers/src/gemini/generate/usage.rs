//! Usage as Gemini reports it, written so that `gemini::usage` reads the same totals back.

use policy::usage::{ServiceTier, Usage};

use crate::gemini::usage;
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};

/// Reads a `usageMetadata`.
pub(super) fn read(source: &mut Source<'_>) -> Result<Option<Usage>> {
    let raw = source.json()?;
    Ok(usage::read(raw.raw().as_bytes()).map(|(reading, tier)| Usage { tier, ..reading.usage }))
}

/// Writes a `usageMetadata`. Gemini has no word for what is written to a cache; it is input like other input.
pub(super) fn write(usage: &Usage, sink: &mut Sink) {
    let candidates = usage.output_total().saturating_sub(usage.reasoning);
    sink.object(|sink| {
        sink.count_member("promptTokenCount", usage.input_total());
        count_if_any("cachedContentTokenCount", usage.cache_read, sink);
        count_if_any("candidatesTokenCount", candidates, sink);
        count_if_any("thoughtsTokenCount", usage.reasoning, sink);
        sink.count_member("totalTokenCount", usage.input_total().saturating_add(usage.output_total()));
        details("promptTokensDetails", usage.input_audio, usage.input_image, sink);
        details("candidatesTokensDetails", usage.output_audio, usage.output_image, sink);
        if let Some(name) = tier_name(usage.tier) {
            sink.plain_member("serviceTier", name);
        }
    });
}

fn count_if_any(name: &str, count: u64, sink: &mut Sink) {
    if count > 0 {
        sink.count_member(name, count);
    }
}

fn details(name: &str, audio: u64, image: u64, sink: &mut Sink) {
    if audio == 0 && image == 0 {
        return;
    }
    sink.key(name).array(|sink| {
        for (modality, count) in [("AUDIO", audio), ("IMAGE", image)].into_iter().filter(|(_, count)| *count > 0) {
            sink.object(|sink| {
                sink.plain_member("modality", modality);
                sink.count_member("tokenCount", count);
            });
        }
    });
}

/// Only classes that Gemini knows have a name there.
const fn tier_name(tier: ServiceTier) -> Option<&'static str> {
    match tier {
        ServiceTier::Priority => Some("priority"),
        ServiceTier::Flex => Some("flex"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u64 = 1_000_000_000;

    proptest! {
        #[test]
        fn what_is_written_reads_back_to_the_same_totals(counts in prop::array::uniform10(0..MAX)) {
            let [input, input_audio, input_image, cache_read, cache_write, cache_write_1h, rest @ ..] = counts;
            let [output, reasoning, output_audio, output_image] = rest;
            let usage = Usage {
                input, input_audio, input_image, cache_read, cache_write, cache_write_1h, output, reasoning, output_audio,
                output_image, ..Usage::default()
            };
            let mut sink = Sink::default();
            write(&usage, &mut sink);
            let bytes = sink.into_bytes();
            let read = read(&mut Source::new(&bytes).unwrap()).unwrap().unwrap();
            let expected = Usage {
                input: input + cache_write + cache_write_1h, cache_write: 0, cache_write_1h: 0, ..usage
            };
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_price_class_reads_back() {
        for tier in [ServiceTier::Standard, ServiceTier::Priority, ServiceTier::Flex] {
            let usage = Usage { input: 1, tier, ..Usage::default() };
            let mut sink = Sink::default();
            write(&usage, &mut sink);
            let bytes = sink.into_bytes();
            assert_eq!(read(&mut Source::new(&bytes).unwrap()).unwrap().unwrap(), usage);
        }
    }
}
