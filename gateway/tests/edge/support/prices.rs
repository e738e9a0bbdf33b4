//! What an answer costs, worked out from the price file and from the provider's own figures, without the gateway's code.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::sse::Api;

static PRICES: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../conf/model-prices.json")).unwrap());

/// Tokens by what they cost; none is counted twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    pub(crate) audio_in: u64,
    pub(crate) cached: u64,
    pub(crate) write: u64,
    pub(crate) write_1h: u64,
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
    pub(crate) audio_out: u64,
}

impl Tokens {
    /// Reads what a vendor reported, as that vendor means it.
    pub(crate) fn of(api: Api, usage: &Value) -> Self {
        let at = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        match api {
            Api::Chat | Api::Completion => {
                let (cached, write) =
                    (at("/prompt_tokens_details/cached_tokens"), at("/prompt_tokens_details/cache_write_tokens"));
                let audio_in = at("/prompt_tokens_details/audio_tokens");
                let reasoning = at("/completion_tokens_details/reasoning_tokens");
                let audio_out = at("/completion_tokens_details/audio_tokens");
                let input = at("/prompt_tokens") - cached - write - audio_in;
                let output = at("/completion_tokens") - reasoning - audio_out;
                Self { input, audio_in, cached, write, write_1h: 0, output, reasoning, audio_out }
            }
            Api::Responses => {
                let (cached, write) =
                    (at("/input_tokens_details/cached_tokens"), at("/input_tokens_details/cache_write_tokens"));
                let reasoning = at("/output_tokens_details/reasoning_tokens");
                let input = at("/input_tokens") - cached - write;
                Self { input, cached, write, output: at("/output_tokens") - reasoning, reasoning, ..Self::default() }
            }
            Api::Messages => {
                let reasoning = at("/output_tokens_details/thinking_tokens");
                Self {
                    input: at("/input_tokens"),
                    cached: at("/cache_read_input_tokens"),
                    write: at("/cache_creation/ephemeral_5m_input_tokens"),
                    write_1h: at("/cache_creation/ephemeral_1h_input_tokens"),
                    output: at("/output_tokens") - reasoning,
                    reasoning,
                    ..Self::default()
                }
            }
            Api::Gemini | Api::GeminiArray => Self::of_gemini(usage),
        }
    }

    fn of_gemini(usage: &Value) -> Self {
        let at = |name: &str| usage[name].as_u64().unwrap_or(0);
        let audio = |name: &str| {
            let parts = usage[name].as_array().into_iter().flatten();
            parts.filter(|part| part["modality"] == "AUDIO").filter_map(|part| part["tokenCount"].as_u64()).sum::<u64>()
        };
        let (cached, audio_in) = (at("cachedContentTokenCount"), audio("promptTokensDetails"));
        let audio_out = audio("candidatesTokensDetails");
        Self {
            input: at("promptTokenCount") - cached - audio_in + at("toolUsePromptTokenCount"),
            audio_in,
            cached,
            output: at("candidatesTokenCount") - audio_out,
            reasoning: at("thoughtsTokenCount"),
            audio_out,
            ..Self::default()
        }
    }

    pub(crate) fn input_total(&self) -> u64 {
        self.input + self.audio_in + self.cached + self.write + self.write_1h
    }

    pub(crate) fn output_total(&self) -> u64 {
        self.output + self.reasoning + self.audio_out
    }

    /// The cost in billionths of a dollar, rounded up once; a rate that the list lacks is that of the plain token.
    pub(crate) fn nano_dollars(&self, listed: &str) -> u64 {
        let model = PRICES.get(listed).unwrap_or_else(|| panic!("{listed} has no price"));
        let is_long = self.input_total() > 200_000;
        let rate_of = |field: &str| {
            let step = model.get(format!("{field}_above_200k_tokens")).filter(|_| is_long);
            pico_dollars(step.or_else(|| model.get(field))?)
        };
        let rate = |fields: &[&str]| fields.iter().find_map(|field| rate_of(field)).unwrap_or(0);
        let (input, output) = ("input_cost_per_token", "output_cost_per_token");
        let write = "cache_creation_input_token_cost";
        let pico = self.input * rate(&[input])
            + self.audio_in * rate(&["input_cost_per_audio_token", input])
            + self.cached * rate(&["cache_read_input_token_cost", input])
            + self.write * rate(&[write, input])
            + self.write_1h * rate(&["cache_creation_input_token_cost_above_1hr", write, input])
            + self.output * rate(&[output])
            + self.reasoning * rate(&["output_cost_per_reasoning_token", output])
            + self.audio_out * rate(&["output_cost_per_audio_token", output]);
        pico.div_ceil(1000)
    }
}

/// The name under which the price list has an API's model.
pub(crate) fn listed(api: Api) -> String {
    match api {
        Api::Gemini | Api::GeminiArray => format!("gemini/{}", api.model()),
        _ => api.model().to_owned(),
    }
}

/// The two rates that every model has, as the list writes them.
pub(crate) fn rates(listed: &str) -> Value {
    let model = PRICES.get(listed).unwrap_or_else(|| panic!("{listed} has no price"));
    let fields = ["input_cost_per_token", "output_cost_per_token"];
    fields.iter().map(|field| ((*field).to_owned(), model[*field].clone())).collect()
}

/// Billionths of a dollar as the access log writes them.
pub(crate) fn as_usd(nano: u64) -> Value {
    json!(format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000))
}

/// A price such as `1.25e-6` in 10⁻¹² dollars; every price that is tested has no smaller part.
fn pico_dollars(price: &Value) -> Option<u64> {
    let text = price.as_f64().map(|_| price.to_string())?;
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
    let places = exponent.parse::<i32>().ok()? + 12 - i32::try_from(fraction.len()).ok()?;
    let power = 10_u64.pow(places.unsigned_abs());
    Some(if places >= 0 { digits * power } else { digits / power })
}
