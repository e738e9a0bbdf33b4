//! What a model costs: the price of a [`Usage`], and the worst case of a [`Demand`].

mod classes;
pub mod overrides;

use crate::demand::Demand;
use crate::money::{NanoUsd, PicoUsd, Tally};
use crate::usage::{ServiceTier, Usage};

/// What a rate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A plain input token.
    Input,
    /// An input token of audio.
    InputAudio,
    /// An input token of an image.
    InputImage,
    /// An input token read from the cache.
    CacheRead,
    /// An input token written to the cache.
    CacheWrite,
    /// An input token written to the cache for an hour.
    CacheWrite1h,
    /// A plain output token.
    Output,
    /// An output token of reasoning.
    Reasoning,
    /// An output token of audio.
    OutputAudio,
    /// An output token of an image.
    OutputImage,
    /// A web search.
    Search,
}

impl Unit {
    const INPUT: [Self; 6] =
        [Self::Input, Self::InputAudio, Self::InputImage, Self::CacheRead, Self::CacheWrite, Self::CacheWrite1h];
    const OUTPUT: [Self; 4] = [Self::Output, Self::Reasoning, Self::OutputAudio, Self::OutputImage];

    /// What stands in where a price list has no rate for this unit.
    const fn stand_in(self) -> Option<Self> {
        match self {
            Self::Input | Self::Output | Self::Search => None,
            Self::InputAudio | Self::InputImage | Self::CacheRead | Self::CacheWrite => Some(Self::Input),
            Self::CacheWrite1h => Some(Self::CacheWrite),
            Self::Reasoning | Self::OutputAudio | Self::OutputImage => Some(Self::Output),
        }
    }
}

/// One rate of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What it is for.
    pub unit: Unit,
    /// The price class it is for.
    pub tier: ServiceTier,
    /// It applies to calls with more input tokens than this; 0: to all.
    pub above_tokens: u64,
    /// The price of one unit.
    pub price: PicoUsd,
}

impl Rate {
    /// Whether it is for calls of so many input tokens.
    fn applies(&self, step: u64) -> bool {
        self.above_tokens == 0 || step > self.above_tokens
    }

    fn is_for_the_same(&self, other: &Self) -> bool {
        (self.unit, self.tier, self.above_tokens) == (other.unit, other.tier, other.above_tokens)
    }
}

/// The rates of one model. A call is priced as a whole at the step that its total input falls in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelPrice {
    rates: Vec<Rate>,
}

impl ModelPrice {
    /// A price of these rates.
    #[must_use]
    pub fn new(rates: Vec<Rate>) -> Self {
        Self { rates }
    }

    /// That of models that cost nothing.
    #[must_use]
    pub fn free() -> &'static Self {
        static FREE: ModelPrice = ModelPrice { rates: Vec::new() };
        &FREE
    }

    /// This price with some rates in place of its own.
    #[must_use]
    pub fn with(&self, rates: &[Rate]) -> Self {
        let is_kept = |own: &&Rate| !rates.iter().any(|new| new.is_for_the_same(own));
        Self { rates: self.rates.iter().filter(is_kept).chain(rates).copied().collect() }
    }

    /// Whether there is any token price at all: models sold by image or second have none.
    #[must_use]
    pub fn has_token_rates(&self) -> bool {
        self.rates.iter().any(|rate| matches!(rate.unit, Unit::Input | Unit::Output))
    }

    /// What a usage costs, rounded up once.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let step = usage.input_total();
        let mut tally = Tally::default();
        let mut add = |unit, count: u64| {
            if count > 0 {
                tally.add(count, classes::in_region(self.rate(unit, usage.tier, step), unit, usage.is_regional));
            }
        };
        add(Unit::Input, usage.input);
        add(Unit::InputAudio, usage.input_audio);
        add(Unit::InputImage, usage.input_image);
        add(Unit::CacheRead, usage.cache_read);
        add(Unit::CacheWrite, usage.cache_write);
        add(Unit::CacheWrite1h, usage.cache_write_1h);
        add(Unit::Output, usage.output);
        add(Unit::Reasoning, usage.reasoning);
        add(Unit::OutputAudio, usage.output_audio);
        add(Unit::OutputImage, usage.output_image);
        add(Unit::Search, usage.searches);
        tally.round_up()
    }

    /// The most that a demand can cost on a model with this context window and output maximum.
    #[must_use]
    pub fn worst_case(&self, demand: &Demand, context_window: Option<u64>, max_output: u64) -> WorstCase {
        let input = demand.input_bound(context_window);
        let mut fixed = Tally::default();
        fixed.add(input, self.dearest(&Unit::INPUT, demand, input));
        let choices = u64::from(demand.choices.max(1));
        fixed.add(demand.searches.saturating_mul(choices), self.dearest(&[Unit::Search], demand, input));
        let output_rate = self.dearest(&Unit::OUTPUT, demand, input);
        fixed.add(demand.prediction_bytes.saturating_mul(choices), output_rate);
        WorstCase {
            fixed,
            output_rate,
            choices,
            output_limit: demand.output_limit(max_output),
            input_rate: self.dearest(&Unit::INPUT, demand, input),
            is_assumed: false,
        }
    }

    /// The rate of a unit for a call of `step` input tokens; where there is none for the unit at all, that of its stand-in.
    fn rate(&self, unit: Unit, tier: ServiceTier, step: u64) -> PicoUsd {
        let mut wanted = Some(unit);
        while let Some(unit) = wanted {
            if let Some(price) = self.in_class(unit, tier, step) {
                return price;
            }
            wanted = unit.stand_in();
        }
        PicoUsd(0)
    }

    fn highest_step(&self, unit: Unit, tier: ServiceTier, step: u64) -> Option<&Rate> {
        self.rates
            .iter()
            .filter(|rate| rate.unit == unit && rate.tier == tier && rate.applies(step))
            .max_by_key(|rate| rate.above_tokens)
    }
}

/// The most that an attempt can cost, and how that depends on its output limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorstCase {
    /// What it costs at most before a token of output.
    fixed: Tally,
    /// The dearest token of output.
    output_rate: PicoUsd,
    choices: u64,
    /// The most output tokens of one answer.
    output_limit: u64,
    /// The dearest token of input.
    input_rate: PicoUsd,
    /// Whether nobody knows that the model keeps to the limit.
    is_assumed: bool,
}

impl WorstCase {
    /// The same, where the output limit is neither the client's nor known to be the model's: it holds only if it is sent.
    #[must_use]
    pub fn assumed(mut self, is_assumed: bool) -> Self {
        self.is_assumed = is_assumed;
        self
    }

    /// Whether its output limit holds only if it is sent.
    #[must_use]
    pub fn is_assumed(&self) -> bool {
        self.is_assumed
    }

    /// The same with so many more tokens of input.
    #[must_use]
    pub fn with_more_input(mut self, tokens: u64) -> Self {
        self.fixed.add(tokens, self.input_rate);
        self
    }

    /// The amount.
    #[must_use]
    pub fn amount(&self) -> NanoUsd {
        self.amount_at(self.output_limit)
    }

    /// The amount, if each answer had at most so many output tokens.
    #[must_use]
    pub fn amount_at(&self, output_limit: u64) -> NanoUsd {
        let mut tally = self.fixed;
        tally.add(output_limit.saturating_mul(self.choices), self.output_rate);
        tally.round_up()
    }

    /// How many answers there are.
    #[must_use]
    pub fn choices(&self) -> u64 {
        self.choices
    }

    /// The most output tokens of one answer.
    #[must_use]
    pub fn output_limit(&self) -> u64 {
        self.output_limit
    }

    /// The most output tokens of each answer that an amount pays for, input and searches paid; no more than the limit. 0 where it does
    /// not pay for those.
    #[must_use]
    pub fn affordable(&self, amount: NanoUsd) -> u64 {
        self.fixed.pays_for(amount, self.choices, self.output_rate).min(self.output_limit)
    }
}

#[cfg(test)]
mod tests;
